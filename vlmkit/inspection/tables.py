"""Compares a shard's row table and stats with the samples that its tar holds."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq

from vlmkit.jobs.inputs import table_beside
from vlmkit.shards.dataset import read_json, stats_path
from vlmkit.shards.locations import STREAM
from vlmkit.shards.paths import AnyPath
from vlmkit.tables.rows import reading, score_columns

_COLUMNS = ("key", "kept", "reason", "status", "offset", "length")

Place = tuple[int | None, int | None]  # offset and length in the tar, as the table states them


class TableCheck:
    """The rows beside one tar. `sample` is told of every sample there; `finish` says what was not among them.

    A row stands for a sample in the tar if it has an offset or, in tables without offsets (img2dataset's), if it
    tells of no failure.
    """

    def __init__(self, path: AnyPath) -> None:
        self.path = path
        self._written: dict[str, Place] = {}
        self._unwritten: set[str] = set()
        self._repeated: list[str] = []
        self._rows = 0
        self._out = 0
        self._reasons: Counter[str] = Counter()
        with reading(path) as file:
            table = pq.ParquetFile(file)
            names = set(table.schema_arrow.names)
            for batch in table.iter_batches(columns=[name for name in _COLUMNS if name in names]):
                for row in batch.to_pylist():
                    self._take(row)

    def sample(self, key: str, offset: int, length: int) -> str | None:
        """What the table says of this sample that is not so."""
        if key in self._unwritten:
            return f"{self.path.name} says that this sample was not written"
        place = self._written.pop(key, None)
        if place is None:
            return f"not in {self.path.name}"
        if place[0] is not None and place != (offset, length):
            return f"{self.path.name} has it at offset {place[0]}, length {place[1]}; its length is {length}"
        return None

    def finish(self, read_to: int | None = None) -> Iterator[tuple[int, str, str]]:
        """Offset, key and what is wrong. Of a tar that can be read only as far as the byte `read_to`, the rows of
        the samples behind it are counted together."""
        behind = 0
        for key, (offset, length) in self._written.items():
            if read_to is not None and (offset is None or offset + (length or 0) > read_to):
                behind += 1
            else:
                yield offset or 0, key, f"in {self.path.name}, not in the tar"
        if behind:
            yield read_to or 0, "", f"{behind:,} samples of {self.path.name} can't be read"
        for key in self._repeated:
            yield 0, key, f"twice in {self.path.name}"

    def stats_defects(self) -> Iterator[str]:
        """What the shard's stats, vlmkit's or img2dataset's, say that the table does not."""
        stats = read_json(stats_path(self.path.parent, self.path.stem)) or {}
        for name, count in (("samples_in", self._rows), ("count", self._rows)):
            if stats.get(name, count) != count:
                yield f"{name} is {stats[name]:,}, and {self.path.name} has {count:,} rows"
        for name, count in (("samples_out", self._out), ("successes", self._out)):
            if stats.get(name, count) != count:
                yield f"{name} is {stats[name]:,}, and {self.path.name} keeps {count:,}"
        if "reasons" in stats and stats["reasons"] != dict(self._reasons):
            yield f"the reasons are not those of {self.path.name}"

    def _take(self, row: dict[str, Any]) -> None:
        key, in_tar = row["key"], _in_tar(row)
        self._rows += 1
        self._out += in_tar or row.get("kept") is True  # a sample of which --only left nothing has no place in the tar
        if key in self._written or key in self._unwritten:
            self._repeated.append(key)
        elif in_tar:
            self._written[key] = row.get("offset"), row.get("length")
        else:
            self._unwritten.add(key)
        if row.get("kept") is False and not in_tar:
            self._reasons[row.get("reason") or "dropped"] += 1


def existing_table(tar: str) -> AnyPath | None:
    """Where the row table of a tar is; None if nothing is there."""
    path = table_beside(tar)
    return path if tar != STREAM and path.exists() else None


def has_keys(path: AnyPath) -> bool:
    """Whether a parquet file is a row table."""
    return bool(score_columns(path))


def _in_tar(row: dict[str, Any]) -> bool:
    if "offset" in row:
        return row["offset"] is not None
    return row.get("kept") is not False and row.get("status", "success") == "success"
