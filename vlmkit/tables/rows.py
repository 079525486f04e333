"""Row tables: what steps learnt about each sample of a shard, as parquet beside it."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vlmkit.shards.sample import Row

FIXED: dict[str, Any] = {
    "key": pa.string(),
    "kept": pa.bool_(),
    "step": pa.string(),
    "reason": pa.string(),
    "error": pa.string(),
    "duplicate_of": pa.string(),
    "similarity": pa.float32(),
    "width": pa.int32(),
    "height": pa.int32(),
    "offset": pa.int64(),
    "length": pa.int64(),
}
# A step says these anew of every sample; the others (sizes, scores) it hands on as it found them.
VERDICT = ("kept", "step", "reason", "error", "duplicate_of", "similarity", "offset", "length")


def as_stored(value: float | int | str | None) -> float | str | None:
    """A score as the table will hold it, so that decisions and tables agree: float32 or string, NaN as null."""
    if value is None or isinstance(value, str):
        return value
    stored = float(np.float32(value))
    return None if math.isnan(stored) else stored


def without_verdict(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "key" and name not in VERDICT and value is not None}


def column(name: str, values: list[Any]) -> Any:
    """An arrow column of a row table: the fixed type of its name, else float32 if all are numbers, else string."""
    if name in FIXED:
        return pa.array(values, FIXED[name])
    if all(value is None or isinstance(value, int | float) for value in values):
        return pa.array(values, pa.float32())
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def write_rows(rows: list[Row], file: BinaryIO) -> None:
    """Writes a row table; columns in one order whatever the rows, so that equal rows give equal bytes."""
    scores = sorted({name for row in rows for name in row} - FIXED.keys())
    columns = {name: column(name, [row.get(name) for row in rows]) for name in [*FIXED, *scores]}
    pq.write_table(pa.table(columns), file, compression="zstd")


def read_rows(path: Path) -> dict[str, Row]:
    """Rows by key, nulls left out; {} if there is no table, or a foreign one without keys."""
    if not score_columns(path):
        return {}
    rows = pq.read_table(path).to_pylist()
    return {row["key"]: {name: value for name, value in row.items() if value is not None} for row in rows}


def score_columns(path: Path) -> frozenset[str]:
    """The names of a row table's columns; none if it is no row table."""
    if not path.exists():
        return frozenset()
    names = frozenset(pq.read_schema(path).names)
    return names if "key" in names else frozenset()


def drop_reasons(rows: Iterable[Row]) -> dict[str, str]:
    """Key to reason, for the rows of samples that were not kept."""
    return {row["key"]: row.get("reason") or "dropped" for row in rows if row.get("kept") is False}
