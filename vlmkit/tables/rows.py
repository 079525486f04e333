"""Row tables: what steps learnt about each sample of a shard, as parquet beside it."""

import json
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vlmkit.errors import VlmkitError
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
    """A score as the table will hold it, so that decisions and tables agree: float32 or string, null if not finite."""
    if value is None or isinstance(value, str):
        return value
    with np.errstate(over="ignore"):
        stored = float(np.float32(value))
    return stored if math.isfinite(stored) else None


def as_text(value: Any) -> str | None:
    """A value of any type as a table of strings holds it: strings as they are, other things as JSON."""
    text = value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if text is None else text.encode("utf-8", "backslashreplace").decode()  # half surrogates as escapes


def without_verdict(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "key" and name not in VERDICT and value is not None}


def column(name: str, values: list[Any]) -> Any:
    """An arrow column of a row table: the fixed type of its name, else float32 if all are numbers, else string."""
    try:
        if FIXED.get(name, pa.string()) != pa.string():
            return pa.array(values, FIXED[name], from_pandas=True)
        if name not in FIXED and all(value is None or isinstance(value, int | float) for value in values):
            return _float32(values)
    except (pa.ArrowException, OverflowError) as error:
        hint = f"a table beside the shards, or a row in them, has its own idea of {name}: give it another name there"
        raise VlmkitError(f"column {name}: {error}", hint) from error
    return pa.array([as_text(value) for value in values], pa.string())


def _float32(values: list[Any]) -> Any:
    """What `as_stored` makes of each number, all at once."""
    with np.errstate(over="ignore"):
        numbers = np.array([math.nan if value is None else value for value in values], np.float64).astype(np.float32)
    return pa.array(numbers, mask=~np.isfinite(numbers))


def write_rows(rows: list[Row], file: BinaryIO) -> None:
    """Writes a row table; columns in one order whatever the rows, so that equal rows give equal bytes."""
    scores = sorted({name for row in rows for name in row} - FIXED.keys())
    columns = {name: column(name, [row.get(name) for row in rows]) for name in [*FIXED, *scores]}
    pq.write_table(pa.table(columns), file, compression="zstd")


def read_rows(path: Path) -> dict[str, Row]:
    """Rows by key, nulls left out; {} if there is no table, or a foreign one without keys. Raises VlmkitError."""
    if not score_columns(path):
        return {}
    with _reading(path):
        rows = pq.read_table(path).to_pylist()
    return {row["key"]: {name: _plain(value) for name, value in row.items() if _says(value)} for row in rows}


def score_columns(path: Path) -> frozenset[str]:
    """The names of a row table's columns; none if it is no row table. Raises VlmkitError if it is no table at all."""
    if not path.exists():
        return frozenset()
    with _reading(path):
        names = frozenset(pq.read_schema(path).names)
    return names if "key" in names else frozenset()


def drop_reasons(rows: Iterable[Row]) -> dict[str, str]:
    """Key to reason, for the rows of samples that were not kept."""
    return {row["key"]: row.get("reason") or "dropped" for row in rows if row.get("kept") is False}


def _says(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def _plain(value: Any) -> Any:
    """Foreign tables hold lists and times, too."""
    return value if isinstance(value, str | int | float) else as_text(value)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise VlmkitError(f"{path} can't be read as parquet: {error}", "restore the file, or move it away") from error
