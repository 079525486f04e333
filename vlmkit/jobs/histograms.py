"""What a dataset's tables hold, column by column: a histogram of numbers, the most frequent strings. duckdb counts,
over all tables at once and out of core; only the counts come into Python."""

import glob
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from vlmkit.jobs.thresholds import Threshold, find_thresholds
from vlmkit.tables.rows import FIXED

_BINS = 30
_TAIL = 0.005  # share of the values on each side that may be gathered in the outermost bin
_COLUMNS_SHOWN = 40  # of numbers, and as many of strings
_STRINGS_SHOWN = 10
_MOST_DISTINCT = 10_000  # strings that are counted one by one
_STRING_CHARACTERS = 80

_OF_SIZE = ("width", "height", "similarity")  # fixed columns that are worth a histogram
_NO_CATEGORY = ("key", "step", "reason", "duplicate_of")


@dataclass(frozen=True)
class Axis:
    """Bins of equal width; the first and the last also hold what lies beyond them. `whole`: all values are integers."""

    start: float
    step: float
    bins: int
    whole: bool

    @property
    def end(self) -> float:
        return self.start + self.step * self.bins

    def percent(self, value: float) -> float:
        return 100 * (value - self.start) / (self.end - self.start)


@dataclass(frozen=True)
class Bin:
    low: float
    high: float
    kept: int
    dropped: int


@dataclass(frozen=True)
class Histogram:
    """One column of numbers. `known` samples have a value, `missing` have none; the median is approximate."""

    name: str
    axis: Axis
    bins: tuple[Bin, ...]
    known: int
    missing: int
    least: float
    median: float
    most: float
    thresholds: tuple[Threshold, ...] = ()

    @property
    def peak(self) -> int:
        return max(bin.kept + bin.dropped for bin in self.bins)

    @property
    def lines(self) -> list[tuple[float, Threshold]]:
        """The thresholds that lie on the axis, with their places in percent."""
        places = [(self.axis.percent(t.edge(self.axis.whole)), t) for t in self.thresholds]
        return [(place, threshold) for place, threshold in places if 0 <= place <= 100]


@dataclass(frozen=True)
class Frequency:
    text: str
    kept: int
    dropped: int


@dataclass(frozen=True)
class Strings:
    """One column of strings: its most frequent values (none if nearly every sample has its own)."""

    name: str
    known: int
    missing: int
    distinct: int
    top: tuple[Frequency, ...]

    @property
    def peak(self) -> int:
        return max(value.kept + value.dropped for value in self.top)


@dataclass(frozen=True)
class Charts:
    """`left_out` is the number of columns for which there was no room."""

    numbers: tuple[Histogram, ...] = ()
    strings: tuple[Strings, ...] = ()
    left_out: int = 0


def chart_columns(tables: Sequence[Path], options: Mapping[str, Any]) -> Charts:
    """Charts of the score columns of row tables; `options` of the job tell the thresholds."""
    if not tables:
        return Charts()
    with duckdb.connect() as connection:
        rows = connection.read_parquet([glob.escape(str(path)) for path in tables], union_by_name=True)
        numbers, strings = _score_columns(rows)
        thresholds = find_thresholds(options, numbers)
        numbers.sort(key=lambda name: (name not in {t.column for t in thresholds}, name in _OF_SIZE))
        left_out = len(numbers[_COLUMNS_SHOWN:]) + len(strings[_COLUMNS_SHOWN:])
        numbers, strings = numbers[:_COLUMNS_SHOWN], strings[:_COLUMNS_SHOWN]
        found = _count(_cleaned(rows, numbers, strings), numbers, strings, thresholds)
    return Charts(*found, left_out)


def choose_axis(low: float, high: float, whole: bool) -> Axis:
    """At most 30 bins from `low` to `high`, whose edges are round numbers."""
    span = (high - low) or abs(high) or 1.0
    magnitude = 10.0 ** math.floor(math.log10(span / _BINS))
    step = next(m * magnitude for m in (1, 2, 5, 10, 20) if m * magnitude * (_BINS - 1) >= span)
    step = max(step, 1.0) if whole else step
    first = math.floor(low / step + 1e-6)
    return Axis(first * step, step, max(1, math.floor(high / step + 1e-6) - first + 1), whole)


def _score_columns(rows: Any) -> tuple[list[str], list[str]]:
    """The columns of numbers and those of strings that a step has added, and the fixed ones that tell something."""
    types = {name: str(kind) for name, kind in zip(rows.columns, rows.types, strict=True)}
    numbers = [name for name, kind in types.items() if kind in ("FLOAT", "DOUBLE") and name not in FIXED]
    numbers += [name for name in _OF_SIZE if name in types]
    return numbers, [name for name, kind in types.items() if kind == "VARCHAR" and name not in _NO_CATEGORY]


def _cleaned(rows: Any, numbers: Sequence[str], strings: Sequence[str]) -> Any:
    """The rows as columns `kept`, `n0`, `n1` … of finite numbers or null, and `s0`, `s1` … of short strings."""
    columns = ["kept IS NOT FALSE AS kept"]
    for place, name in enumerate(numbers):
        value = f"{_quoted(name)}::DOUBLE"
        columns.append(f"CASE WHEN isfinite({value}) THEN {value} END AS n{place}")
    columns += [f"left({_quoted(name)}, {_STRING_CHARACTERS}) AS s{place}" for place, name in enumerate(strings)]
    return rows.project(", ".join(columns))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _count(
    rows: Any, numbers: Sequence[str], strings: Sequence[str], thresholds: Sequence[Threshold]
) -> tuple[tuple[Histogram, ...], tuple[Strings, ...]]:
    """Two passes over the tables: the extent of every column, then its counts."""
    total, *extents = rows.aggregate(
        ", ".join(["count(*)", *map(_extent, range(len(numbers))), *map(_variety, range(len(strings)))])
    ).fetchone()
    axes, counted = {}, ["count(*)"]
    for place, name in enumerate(numbers):
        if extents[place]["known"]:
            axes[place] = _axis(extents[place], [t for t in thresholds if t.column == name])
            counted.append(_parted(_bin(place, axes[place]), f"n{place}"))
    varieties = dict(enumerate(extents[len(numbers) :]))
    few = [place for place, variety in varieties.items() if 0 < variety["variety"] <= _MOST_DISTINCT]
    counted += [_parted(f"s{place}", f"s{place}") for place in few]
    counts = [(part["kept"] or {}, part["dropped"] or {}) for part in rows.aggregate(", ".join(counted)).fetchone()[1:]]
    histograms = tuple(
        _histogram(numbers[place], axis, extents[place], total, thresholds, *count)
        for (place, axis), count in zip(axes.items(), counts, strict=False)
    )
    values = dict(zip(few, counts[len(axes) :], strict=True))
    return histograms, tuple(
        _strings(strings[place], variety, total, *values.get(place, ({}, {})))
        for place, variety in varieties.items()
        if variety["known"]
    )
