"""The columns of tables in numbers: quantiles and histograms of the numeric ones, the most frequent of the others."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from vlmkit.errors import VlmkitError
from vlmkit.jobs.report.frequencies import Frequencies, frequencies
from vlmkit.jobs.report.histograms import Histogram, histogram, quoted
from vlmkit.shards.paths import AnyPath, copied_here

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_NUMERIC = {*_INTEGERS, *(f"U{name}" for name in _INTEGERS), "FLOAT", "DOUBLE", "DECIMAL"}
_WORDS = {"VARCHAR", "BOOLEAN", "ENUM"}
_NAMES = ("key", "offset", "duplicate_of")  # say which sample, not what it is like
_VERDICT = ("kept", "step", "reason")  # counted in the stats


@dataclass(frozen=True)
class Numbers:
    """One column of numbers. `quantiles` are exact, one for each of QUANTILES, between two values by weight."""

    name: str
    histogram: Histogram
    quantiles: tuple[float, ...]

    @property
    def ranks(self) -> list[tuple[str, float]]:
        return [(f"{100 * share:.0f}%", value) for share, value in zip(QUANTILES, self.quantiles, strict=True)]

    def as_json(self) -> dict[str, Any]:
        names = ["median" if share == 0.5 else f"p{round(100 * share)}" for share in QUANTILES]
        counts = {"count": self.histogram.known, "missing": self.histogram.missing}
        ends = {"min": self.histogram.least, "max": self.histogram.most}
        bins = [[bin.low, bin.high, bin.kept + bin.dropped] for bin in self.histogram.bins]
        return {**counts, **ends, **dict(zip(names, self.quantiles, strict=True)), "histogram": bins}


def table_columns(tables: Sequence[AnyPath]) -> tuple[list[Numbers], list[Frequencies]]:
    """What all columns of the tables hold, over all rows, those of dropped samples too. Raises VlmkitError if a table
    can't be read."""
    if not tables:
        return [], []
    try:
        with copied_here(tables) as here, duckdb.connect(config={"enable_external_file_cache": False}) as connection:
            rows = connection.read_parquet([glob.escape(str(path)) for path in here], union_by_name=True)
            names = [name for name in rows.columns if name not in _NAMES + _VERDICT]
            types = {name: str(kind).split("(")[0] for name, kind in zip(rows.columns, rows.types, strict=True)}
            if types.get("kept") != "BOOLEAN":  # other people's tables know nothing of it
                others = ", ".join(map(quoted, (name for name in rows.columns if name != "kept")))
                rows = rows.project(f"{others}, NULL::BOOLEAN AS kept")
            numbers = [_numbers(rows, name) for name in names if types[name] in _NUMERIC]
            words = [frequencies(rows, name) for name in names if types[name] in _WORDS]
    except duckdb.Error as error:
        why = str(error).splitlines()[0]
        raise VlmkitError(f"the tables beside the shards can't be read: {why}", "vlmkit check says which") from error
    return [found for found in numbers if found], [found for found in words if found]


def _numbers(rows: Any, name: str) -> Numbers | None:
    drawn = histogram(rows, name)
    if drawn is None:
        return None
    value = f"CASE WHEN isfinite({quoted(name)}::DOUBLE) THEN {quoted(name)}::DOUBLE END AS value"
    ((quantiles,),) = rows.project(value).aggregate(f"quantile_cont(value, {list(QUANTILES)})").fetchall()
    exact = replace(drawn, median=quantiles[QUANTILES.index(0.5)])
    return Numbers(name, exact, tuple(quantiles))
