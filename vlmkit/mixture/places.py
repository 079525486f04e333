"""Where the samples of one tar lie: by its row table where that tells it, else by one walk through the tar."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vlmkit.jobs.inputs import table_beside
from vlmkit.shards.locations import open_shard
from vlmkit.shards.paths import path_at, size_bytes
from vlmkit.shards.reader import ShardReader
from vlmkit.shards.sample import Member, Sample
from vlmkit.shards.tar import END_OF_ARCHIVE
from vlmkit.tables.rows import reading, score_columns

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class TableKeys:
    """What a row table says of where samples are, a row each; all empty if there is no table.

    `offsets` and `lengths` are -1 where the table has none; `kept` is None where it does not say.
    """

    keys: list[str] = field(default_factory=list)
    kept: list[bool | None] = field(default_factory=list)
    reasons: list[str | None] = field(default_factory=list)
    offsets: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    lengths: Array = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def row_of(self) -> dict[str, int]:
        """The row of each key, of a key that repeats the last."""
        return {key: row for row, key in enumerate(self.keys)}


@dataclass(frozen=True)
class Places:
    """The samples of a tar in order: keys, byte offsets and lengths. `damage` tells of a tar that breaks off."""

    keys: list[str] = field(default_factory=list)
    offsets: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    lengths: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    damage: str = ""


def table_keys(tar: str) -> TableKeys:
    """Raises VlmkitError for a table that can't be read."""
    path = table_beside(tar)
    names = score_columns(path)
    if not names:
        return TableKeys()
    wanted = ("key", "kept", "reason", "offset", "length")
    with reading(path) as file:
        table = pq.read_table(file, columns=[name for name in wanted if name in names])
    kept, reasons = (_values(table, name) for name in ("kept", "reason"))
    return TableKeys(_values(table, "key"), kept, reasons, _numbers(table, "offset"), _numbers(table, "length"))


def find_places(tar: str, table: TableKeys) -> Places:
    """`table` is the one beside the tar. No file: no samples, as of a shard that kept nothing. Raises VlmkitError."""
    if not path_at(tar).exists():
        return Places()
    written = table.offsets >= 0
    offsets, lengths = table.offsets[written], table.lengths[written]
    if not _covers(tar, offsets, lengths):
        return _walk(tar)
    return Places([table.keys[row] for row in np.flatnonzero(written)], offsets, lengths)


def _covers(tar: str, offsets: Array, lengths: Array) -> bool:
    """Whether the table tells of this very tar: its samples follow one another from the first byte to the marker."""
    if not len(offsets) or offsets[0] != 0 or (lengths <= 0).any():
        return False
    ends = offsets + lengths
    return bool((ends[:-1] == offsets[1:]).all()) and size_bytes(path_at(tar)) == ends[-1] + len(END_OF_ARCHIVE)


def _walk(tar: str) -> Places:
    with open_shard(tar) as file:
        reader = _PlaceReader(file, tar)
        found = list(reader)
    keys = [sample.key for sample in found]
    places = np.array(reader.places, np.int64).reshape(-1, 2)
    damage = f"{tar}: {reader.damage}" if reader.damage else ""
    return Places(keys, places[:, 0], places[:, 1] - places[:, 0], damage)


class _PlaceReader(ShardReader):
    """Reads samples as other readers do, and notes where each begins and ends instead of its members."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.places: list[tuple[int, int]] = []

    def _sample(self, key: str, members: list[Member]) -> Sample:
        self.places.append((members[0].entry.start, members[-1].entry.end))
        return Sample(key, [])


def _values(table: Any, name: str) -> list[Any]:
    return table[name].to_pylist() if name in table.column_names else [None] * len(table)


def _numbers(table: Any, name: str) -> Array:
    """A column of whole numbers with -1 for null; a foreign table may have something else under that name."""
    if name not in table.column_names or not pa.types.is_integer(table.schema.field(name).type):
        return np.full(len(table), -1, np.int64)
    return np.asarray(table[name].cast(pa.int64()).fill_null(-1).combine_chunks().to_numpy(zero_copy_only=False))
