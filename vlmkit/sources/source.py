"""What `vlmkit download` reads: a source is named by one text, `KIND:REST` or the path of a URL list."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vlmkit.jobs.step import Outcome

URL_LIST_FORMATS = ("txt", "csv", "tsv", "json", "jsonl", "parquet")  # all but the last may be gzipped


@dataclass(frozen=True)
class SourceOptions:
    """What a command line says about a source. Each source takes what concerns it.

    `resize_mode` has img2dataset's words; `no` keeps the downloaded bytes as they are.
    """

    images: Path | None = None  # folder that the image paths of llava: start from; None: the JSON file's own
    work: Path | None = None  # where a URL list keeps what it has fetched, so that an interrupted run goes on
    url_column: str | None = None
    caption_column: str | None = None
    resize_mode: str = "no"
    image_size: int = 256  # pixels; the side that resize_mode speaks of
    encode_quality: int = 95  # of JPEG, when images are resized
    processes: int = 1
    threads: int = 64  # downloads at a time in each process
    timeout_s: int = 10  # for one connection or read, not for a whole image
    retries: int = 0


class Source(Protocol):
    """Samples in an order that never changes; one that can't be had is a `Dropped` with the reason.

    `name` is what `json` and manifests call it: without folders, so that it is the same on every machine.
    """

    @property
    def name(self) -> str: ...

    @property
    def total(self) -> int | None:
        """The number of outcomes, None if only reading them all would tell."""
        ...

    def __iter__(self) -> Iterator[Outcome]: ...


def url_list_format(text: str) -> str | None:
    """The format of a URL list by its suffix, None if the suffix is not one of a URL list."""
    path = text.partition("?")[0] if "://" in text else text
    name = path.rsplit("/", 1)[-1].lower()
    stem, _, suffix = name.removesuffix(".gz").rpartition(".")
    if not stem or suffix not in URL_LIST_FORMATS or (suffix == "parquet" and name.endswith(".gz")):
        return None
    return suffix
