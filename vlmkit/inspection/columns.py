"""The columns of row tables in numbers: quantiles of the numeric ones, the most frequent values of the others."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from vlmkit.errors import VlmkitError

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_NUMERIC = {*_INTEGERS, *(f"U{name}" for name in _INTEGERS), "FLOAT", "DOUBLE", "DECIMAL"}
_WORDS = {"VARCHAR", "BOOLEAN", "ENUM"}
_NAMES = ("key", "offset", "duplicate_of")  # say which sample, not what it is like
_VERDICT = ("kept", "step", "reason")  # counted in the stats
_TOP = 5
_MOST_DISTINCT = 10_000  # beyond this the values are names, and are not counted one by one
_LONGEST = 60  # characters; values that begin alike are counted together


@dataclass(frozen=True)
class Numbers:
    """`count` rows have a finite value, `missing` have none; quantiles are exact, between two values by their mean."""

    name: str
    count: int
    missing: int
    min: float
    p10: float
    median: float
    p90: float
    max: float


@dataclass(frozen=True)
class Words:
    """`top` is empty where every row has a value of its own; `distinct` is an estimate beyond 10,000."""

    name: str
    count: int
    missing: int
    distinct: int
    top: tuple[tuple[str, int], ...]


def table_columns(tables: Sequence[Path]) -> tuple[list[Numbers], list[Words]]:
    """What all columns of the tables hold, over all rows, those of dropped samples too. Raises VlmkitError if a table
    can't be read."""
    if not tables:
        return [], []
    try:
        with duckdb.connect(config={"enable_external_file_cache": False}) as connection:
            rows = connection.read_parquet([glob.escape(str(path)) for path in tables], union_by_name=True)
            names = [name for name in rows.columns if name not in _NAMES + _VERDICT]
            types = {name: str(kind).split("(")[0] for name, kind in zip(rows.columns, rows.types, strict=True)}
            numbers = [_numbers(rows, name) for name in names if types[name] in _NUMERIC]
            words = [_words(rows, name) for name in names if types[name] in _WORDS]
    except duckdb.Error as error:
        why = str(error).splitlines()[0]
        raise VlmkitError(f"the tables beside the shards can't be read: {why}", "vlmkit check says which") from error
    return [found for found in numbers if found], [found for found in words if found]


def _numbers(rows: Any, name: str) -> Numbers | None:
    value = f"CASE WHEN isfinite({_quoted(name)}::DOUBLE) THEN {_quoted(name)}::DOUBLE END AS value"
    wanted = "count(value), count(*), min(value), quantile_cont(value, [0.1, 0.5, 0.9]), max(value)"
    known, every, least, quantiles, most = rows.project(value).aggregate(wanted).fetchall()[0]
    if not known:
        return None
    low, median, high = quantiles
    return Numbers(name, known, every - known, least, low, median, high, most)


def _words(rows: Any, name: str) -> Words | None:
    values = rows.project(f"left({_quoted(name)}::VARCHAR, {_LONGEST}) AS value")
    known, every, distinct = values.aggregate("count(value), count(*), approx_count_distinct(value)").fetchall()[0]
    if not known:
        return None
    if distinct > _MOST_DISTINCT:
        return Words(name, known, every - known, distinct, ())
    counted = values.filter("value IS NOT NULL").aggregate("value, count(*) AS n", "value").order("n DESC, value")
    top = [] if len(counted) == known > _TOP else counted.limit(_TOP).fetchall()
    return Words(name, known, every - known, len(counted), tuple(top))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
