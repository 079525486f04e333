"""Reads samples and counts what they are made of: fields, kinds of pictures, names in json, sizes and lengths."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vlmkit.jobs.counts import Counts
from vlmkit.jobs.inputs import ShardInput, read_shard
from vlmkit.jobs.step import Dropped
from vlmkit.pictures.decode import opened
from vlmkit.shards.sample import Row, Sample
from vlmkit.tables.rows import write_rows

LOOKED_AT = 1000  # samples whose pictures and json are opened
_ROWS_AT_ONCE = 10_000
_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null", list: "list"}


@dataclass
class Look:
    """What was seen of `samples` samples: all, if `whole`, else the first. Pictures, json and text are opened of the
    first `most_opened`, and `measures` holds what was measured of these."""

    most_opened: int | None = LOOKED_AT
    measures: "Measures | None" = None
    samples: int = 0
    size_bytes: int = 0
    whole: bool = True
    fields: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    names: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    counts: Counts = field(default_factory=Counts)

    def add(self, sample: Sample) -> None:
        self.samples += 1
        self.size_bytes += sample.size_bytes
        self.fields.update(member.field for member in sample.members)
        if self.most_opened is None or self.samples <= self.most_opened:
            self._open(sample)

    @property
    def opened(self) -> int:
        return self.samples if self.most_opened is None else min(self.samples, self.most_opened)

    def _open(self, sample: Sample) -> None:
        pictures = [_header(image.data) for image in sample.images]
        self.kinds.update(kind for kind, _ in pictures)
        for name, value in _json(sample).items():
            self.names[name][_TYPES.get(type(value), "object")] += 1
        if self.measures is not None:
            self.measures.add(_measured(sample, pictures[0][1] if pictures else (None, None)))

    def as_json(self) -> dict[str, Any]:
        names = {name: dict(types) for name, types in self.names.items()}
        return {
            "looked_at": self.samples,
            "fields": dict(self.fields),
            "opened": self.opened,
            "pictures": dict(self.kinds),
            "json": names,
        }


def look(
    shards: list[ShardInput],
    rows: "RowFile | None" = None,
    limit: int | None = None,
    measures: "Measures | None" = None,
    most_opened: int | None = LOOKED_AT,
) -> Look:
    """Reads the samples of the shards, the first `limit` of them if one is given; collects their rows in `rows`, and
    what is measured in `measures`. `most_opened` of the samples are looked into, None: all."""
    seen = Look(most_opened, measures)
    for item in _samples(shards, seen):
        if seen.samples == limit:
            seen.whole = False
            break
        seen.add(item)
        if rows is not None:
            rows.add(item.key, item.row)
    for tables in (rows, measures):
        if tables is not None:
            tables.flush()
    return seen


def _samples(shards: list[ShardInput], seen: Look) -> Iterator[Sample]:
    for shard in shards:
        for item in read_shard(shard, seen.counts):
            if not isinstance(item, Dropped):
                yield item


class RowFile:
    """Rows that travel inside a tar, as tables of their own in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.tables: list[Path] = []
        self._folder = folder
        self._rows: list[Row] = []

    def add(self, key: str, row: Mapping[str, Any]) -> None:
        self._rows.append({**row, "key": key})
        if len(self._rows) >= _ROWS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        if any(len(row) > 1 for row in self._rows):
            path = self._folder / f"{len(self.tables):05d}.parquet"
            with path.open("wb") as file:
                write_rows(self._rows, file)
            self.tables.append(path)
        self._rows = []


class Measures:
    """Whole numbers of samples, as tables in a temporary folder, so that quantiles over very many are exact too."""

    def __init__(self, folder: Path) -> None:
        self.tables: list[Path] = []
        self._folder = folder
        self._found: list[dict[str, int | None]] = []

    def add(self, found: dict[str, int | None]) -> None:
        self._found.append(found)
        if len(self._found) >= _ROWS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        if self._found:
            path = self._folder / f"measured-{len(self.tables):05d}.parquet"
            columns = {name: pa.array([found[name] for found in self._found], pa.int64()) for name in self._found[0]}
            pq.write_table(pa.table(columns), path)
            self.tables.append(path)
        self._found = []


def _measured(sample: Sample, size: tuple[int | None, int | None]) -> dict[str, int | None]:
    """Sizes in bytes and pixels, as stored; lengths of the text that a sample has."""
    images, text, turns = sample.images, _text(sample), _json(sample).get("messages")
    return {
        "bytes": sample.size_bytes,
        "images": len(images),
        "image bytes": images[0].size if images else None,
        "image width": size[0],
        "image height": size[1],
        "text words": None if text is None else len(text.split()),
        "text characters": None if text is None else len(text),
        "message turns": len(turns) if isinstance(turns, list) else None,
    }


def _header(data: memoryview) -> tuple[str, tuple[int | None, int | None]]:
    """Kind, and width and height in pixels, of a picture; its header is read."""
    try:
        with opened(data) as image:
            return image.format or "unknown", image.size
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - decoders raise what they like
        return "unreadable", (None, None)


def _text(sample: Sample) -> str | None:
    try:
        return sample.text
    except (ValueError, RecursionError):
        return None


def _json(sample: Sample) -> Mapping[str, Any]:
    try:
        return sample.json
    except (ValueError, RecursionError):
        return {}
