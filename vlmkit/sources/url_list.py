"""A list of URLs, downloaded by img2dataset: every row of the list has one outcome, in the list's order."""

import hashlib
import os
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vlmkit.errors import VlmkitError
from vlmkit.jobs.step import Kept, Outcome
from vlmkit.shards.sample import Sample, dump_json
from vlmkit.sources.fetch import fetching, shard_file
from vlmkit.sources.outcomes import NoSample
from vlmkit.sources.pictures import read_picture
from vlmkit.sources.samples import make_sample, sample_names
from vlmkit.sources.source import SourceOptions, url_list_format
from vlmkit.sources.url_errors import error_class
from vlmkit.sources.url_table import REFUSED, ROWS_PER_SHARD, write_table

RESIZE_MODES = ("no", "keep_ratio", "keep_ratio_largest", "center_crop", "border")

_GIVEN = ("original_width", "original_height", "sha256", "status", "error_message", "exif")

Row = Mapping[str, Any]


def open_url_list(text: str, options: SourceOptions) -> "UrlList":
    if options.resize_mode not in RESIZE_MODES:
        raise VlmkitError(f"no such resize mode: {options.resize_mode}", f"there are {', '.join(RESIZE_MODES)}")
    if "://" not in text and not Path(text).is_file():
        raise VlmkitError(f"no such URL list: {text}", "check the path")
    if find_spec("img2dataset") is None:
        raise VlmkitError("img2dataset, which downloads URL lists, is not installed", "pip install 'vlmkit[download]'")
    return UrlList(text, options)


@dataclass(frozen=True)
class UrlList:
    """What was fetched stays in `options.work`, under the digest of the list and of the image settings.

    So an interrupted download goes on where it was, and a list that has changed is downloaded anew. The caller removes
    the folder when the samples are safe. Keys are img2dataset's: the row's number in nine digits.
    """

    text: str
    options: SourceOptions

    @property
    def name(self) -> str:
        path = self.text.partition("?")[0] if "://" in self.text else self.text
        return f"urls:{path.rsplit('/', 1)[-1]}"

    @property
    def total(self) -> int:
        return int(self._asked.metadata.num_rows)

    def __iter__(self) -> Iterator[Outcome]:
        shards = self._asked.num_row_groups
        with fetching(self._folder / "urls.parquet", self._fetched, shards, self.options) as wait_for:
            for shard in range(shards):
                wait_for(shard)
                yield from self._shard(shard)

    @cached_property
    def _folder(self) -> Path:
        options, work = self.options, self.options.work
        assert work is not None, "a URL list needs a folder to work in"
        work.mkdir(parents=True, exist_ok=True)
        temporary = work / "urls.parquet.tmp"
        format = url_list_format(self.text) or "txt"
        digest = write_table(self.text, format, options.url_column, options.caption_column, temporary)
        settings = f"{digest} {options.resize_mode} {options.image_size} {options.encode_quality}"
        folder = work / f"urls-{hashlib.sha256(settings.encode()).hexdigest()[:16]}"
        folder.mkdir(exist_ok=True)
        os.replace(temporary, folder / "urls.parquet")
        return folder

    @property
    def _fetched(self) -> Path:
        return self._folder / "fetched"

    @cached_property
    def _asked(self) -> Any:
        import pyarrow.parquet as pq

        return pq.ParquetFile(self._folder / "urls.parquet")

    def _shard(self, shard: int) -> Iterator[Outcome]:
        import pyarrow.parquet as pq

        answers = {row["key"]: row for row in pq.read_table(shard_file(self._fetched, shard, ".parquet")).to_pylist()}
        with tarfile.open(shard_file(self._fetched, shard, ".tar")) as tar:
            images = {member.name.removesuffix(".jpg"): member for member in tar if member.name.endswith(".jpg")}
            for number, asked in enumerate(self._asked.read_row_group(shard).to_pylist()):
                key = f"{shard * ROWS_PER_SHARD + number:09d}"
                image = tar.extractfile(images[key]) if key in images else None
                yield self._outcome(key, asked, answers.get(key, {}), image.read() if image else None)

    def _outcome(self, key: str, asked: Row, answer: Row, image: bytes | None) -> Outcome:
        try:
            return Kept(self._sample(key, asked, answer, image))
        except NoSample as why:
            given = _given(asked, answer) | {"status": _failed(answer, why), "error_message": why.error}
            names = sample_names(self.name, (), _caption(asked) or b"", given, asked["url"] or "")
            raw = {"jpg": image} if image is not None else {}
            return why.dropped(key, raw | {"json": dump_json(names)})

    def _sample(self, key: str, asked: Row, answer: Row, image: bytes | None) -> Sample:
        if answer.get("status") != "success" or image is None:
            raise _failure(asked, answer)
        picture = read_picture(image)
        given = {"original_width": picture.width, "original_height": picture.height}
        given |= {name: value for name, value in _given(asked, answer).items() if value is not None}
        return make_sample(key, self.name, [picture], _caption(asked), given, asked["url"])


def _failure(asked: Row, answer: Row) -> NoSample:
    if asked["url"] is None:
        return NoSample("no URL", "the row has no URL")
    if asked["fetch"].startswith(REFUSED):
        return NoSample("invalid URL", "neither http nor https")
    message = answer.get("error_message") or "img2dataset says nothing of it"
    reason = error_class(answer.get("status") or "", message)
    return NoSample(reason, message, bad=reason == "unreadable image")


def _failed(answer: Row, why: NoSample) -> str:
    """img2dataset's word; where it kept the bytes without a look at them, the word it has for such images."""
    return "failed_to_resize" if why.bad else answer.get("status") or "failed_to_download"


def _given(asked: Row, answer: Row) -> dict[str, Any]:
    return {name: asked[name] for name in ("uid", "url", "caption")} | {name: answer.get(name) for name in _GIVEN}


def _caption(asked: Row) -> bytes | None:
    return asked["caption"].encode() if asked["caption"] is not None else None
