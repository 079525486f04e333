"""Reads samples and counts what they are made of: fields, kinds of pictures, the names in their json."""

import io
import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from vlmkit.jobs.counts import Counts
from vlmkit.jobs.inputs import ShardInput, read_shard
from vlmkit.jobs.step import Dropped
from vlmkit.shards.sample import Row, Sample
from vlmkit.tables.rows import write_rows

LOOKED_AT = 1000  # samples whose pictures and json are opened
_ROWS_AT_ONCE = 10_000
_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null", list: "list"}


@dataclass
class Look:
    """What was seen of `samples` samples: all, if `whole`, else the first. Kinds and names are of the first 1,000."""

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
        if self.samples <= LOOKED_AT:
            self.kinds.update(_kind(image.data) for image in sample.images)
            for name, value in _json(sample).items():
                self.names[name][_TYPES.get(type(value), "object")] += 1

    def as_json(self) -> dict[str, Any]:
        names = {name: dict(types) for name, types in self.names.items()}
        return {
            "looked_at": self.samples,
            "fields": dict(self.fields),
            "opened": min(self.samples, LOOKED_AT),
            "pictures": dict(self.kinds),
            "json": names,
        }


def look(shards: list[ShardInput], rows: "RowFile | None" = None, limit: int | None = None) -> Look:
    """Reads the samples of the shards, the first `limit` of them if one is given; collects their rows in `rows`."""
    seen = Look()
    for shard in shards:
        for item in read_shard(shard, seen.counts):
            if isinstance(item, Dropped):
                continue
            if seen.samples == limit:
                seen.whole = False
                return seen
            seen.add(item)
            if rows is not None:
                rows.add(item.key, item.row)
    if rows is not None:
        rows.flush()
    return seen


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


def _kind(data: memoryview) -> str:
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data)) as image:
            return image.format or "unknown"
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - decoders raise what they like
        return "unreadable"


def _json(sample: Sample) -> Mapping[str, Any]:
    try:
        return sample.json
    except (ValueError, RecursionError):
        return {}
