"""Which columns of a dataset's tables the report draws, and in which order."""

import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from vlmkit.jobs.report.frequencies import Frequencies, frequencies
from vlmkit.jobs.report.histograms import Histogram, histogram
from vlmkit.jobs.report.thresholds import find_thresholds
from vlmkit.shards.paths import AnyPath, copied_here
from vlmkit.tables.rows import FIXED

_SHOWN = 40  # columns of numbers, and as many of strings
_FIXED_NUMBERS = ("width", "height", "similarity")
_FIXED_STRINGS = ("error",)  # the others are names, or stand in the funnel


@dataclass(frozen=True)
class Charts:
    """`left_out` is the number of columns for which there was no room."""

    numbers: tuple[Histogram, ...] = ()
    strings: tuple[Frequencies, ...] = ()
    left_out: int = 0


def chart_columns(tables: Sequence[AnyPath], options: Mapping[str, Any]) -> Charts:
    """Charts of all columns of row tables that say something of a sample; `options` of the job tell the thresholds.
    Columns with a threshold come first, then other scores, then what every table has."""
    if not tables:
        return Charts()
    with copied_here(tables) as paths, duckdb.connect(config={"enable_external_file_cache": False}) as connection:
        rows = connection.read_parquet([glob.escape(str(path)) for path in paths], union_by_name=True)
        numbers, strings = _columns(rows)
        thresholds = find_thresholds(options, numbers)
        numbers.sort(key=lambda name: name not in {threshold.column for threshold in thresholds})
        histograms = (histogram(rows, name, thresholds) for name in numbers[:_SHOWN])
        counted = (frequencies(rows, name) for name in strings[:_SHOWN])
        return Charts(
            tuple(found for found in histograms if found),
            tuple(found for found in counted if found),
            len(numbers[_SHOWN:]) + len(strings[_SHOWN:]),
        )


def _columns(rows: Any) -> tuple[list[str], list[str]]:
    """The names of the columns of numbers and of those of strings."""
    types = {name: str(kind) for name, kind in zip(rows.columns, rows.types, strict=True)}
    scores = [name for name in types if name not in FIXED]
    numbers = [name for name in scores if types[name] != "VARCHAR"]
    strings = [name for name in scores if types[name] == "VARCHAR"]
    return [*numbers, *_FIXED_NUMBERS], [*strings, *_FIXED_STRINGS]
