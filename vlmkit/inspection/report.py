"""Stats as sections of text, which the command line lays out."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vlmkit.inspection.columns import QUANTILES, Numbers
from vlmkit.inspection.findings import printable
from vlmkit.inspection.look import Look
from vlmkit.inspection.stats import Stats
from vlmkit.jobs.report.frequencies import Frequencies

_NAMES_SHOWN = 40
_REASONS_IN_A_LINE = 3
_WORDS_IN_A_LINE = 5
_BLOCKS = " ▁▂▃▄▅▆▇█"
_PLAIN = " .:-=+*#@"  # as many: the lowest that is not nothing, to the highest


@dataclass(frozen=True)
class Section:
    """A table: `header` names its columns, and may be empty. Columns whose number is in `right` are set flush right."""

    title: str
    rows: Sequence[tuple[str, ...]]
    header: tuple[str, ...] = ()
    right: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Bars:
    """How histograms are drawn in one line: at most `width` columns, in block characters or, `plain`, in ASCII."""

    width: int = 30
    plain: bool = False

    def of(self, counts: Sequence[int]) -> str:
        """One character a bin, or for several bins if there are more than columns; what is not empty shows."""
        each = -(-len(counts) // self.width)
        sums = [sum(counts[start : start + each]) for start in range(0, len(counts), each)]
        levels = _PLAIN if self.plain else _BLOCKS
        return "".join(levels[-(-count * (len(levels) - 1) // max(sums))] for count in sums)


def sections(stats: Stats, bars: Bars = Bars()) -> Iterator[Section]:
    """Everything about one dataset."""
    yield Section(printable(stats.name), list(_overview(stats)))
    if stats.last is not None and stats.last.samples_in:
        yield _funnel(stats)
    if stats.seen is not None:
        yield from _contents(stats.seen)
        yield from _number_sections(f"Samples{_which(stats.seen)}", stats.measured, bars)
    yield from _number_sections("Numbers in the rows, those of dropped samples too", stats.numbers, bars)
    if stats.words:
        yield _word_section(stats.words)


def closing_table(all_stats: Sequence[Stats]) -> Section:
    """One line for each dataset: what a recipe ends with."""
    header = ("dataset", "command", "in", "out", "seconds", "reasons")
    names = _short_names([stats.name for stats in all_stats])
    rows = [(name, *_line(stats)) for name, stats in zip(names, all_stats, strict=True)]
    return Section("", rows, header, frozenset((2, 3, 4)))


def _overview(stats: Stats) -> Iterator[tuple[str, str]]:
    if stats.last is not None and stats.unfinished is None:
        yield "made by", printable(stats.last.command_line or stats.last.command)
    if stats.unfinished is not None:
        yield "unfinished", printable(str(stats.unfinished))
    yield "shards", f"{stats.shards:,}"
    yield "samples", f"{stats.samples:,} (from {stats.source})"
    if stats.size_bytes is not None:
        yield "size", _size(stats.size_bytes)
    if stats.seconds is not None:
        yield "seconds", f"{stats.seconds:,.1f}"
    for note in stats.notes:
        yield "note", printable(note)


def _funnel(stats: Stats) -> Section:
    assert stats.last is not None
    last = stats.last
    dropped = [(f"  {printable(share.text)}", f"{share.count:,}", f"{share.percent:.1f}%") for share in last.dropped]
    out = (last.out.text, f"{last.out.count:,}", f"{last.out.percent:.1f}%")
    rows = [("seen", f"{last.samples_in:,}", ""), *dropped, out]
    return Section("Seen and kept", rows, right=frozenset((1, 2)))


def _which(seen: Look) -> str:
    """Of which samples that is told which had to be opened."""
    return "" if seen.whole and seen.opened == seen.samples else f", in the first {seen.opened:,} samples"


def _contents(seen: Look) -> Iterator[Section]:
    which = "" if seen.whole else f", in the first {seen.samples:,} samples"
    opened = _which(seen)
    if seen.fields:
        yield Section(f"Fields{which}", _counted(seen.fields), right=frozenset((1,)))
    if seen.kinds:
        yield Section(f"Pictures{opened}", _counted(seen.kinds), right=frozenset((1,)))
    if seen.names:
        ranked = sorted(seen.names, key=lambda name: -seen.names[name].total())
        rows = [(printable(name), _types(seen.names[name])) for name in ranked[:_NAMES_SHOWN]]
        if left := ranked[_NAMES_SHOWN:]:
            rows.append((f"and {len(left):,} more names", ""))
        yield Section(f"Names in json{opened}", rows)


def _types(types: Counter[str]) -> str:
    return ", ".join(f"{kind} {count:,}" for kind, count in types.most_common())


def _counted(counts: Counter[str]) -> list[tuple[str, ...]]:
    return [(printable(name), f"{count:,}") for name, count in counts.most_common()]


def _number_sections(title: str, columns: Sequence[Numbers], bars: Bars) -> Iterator[Section]:
    """Two tables, so that both fit into 80 columns: how the values are spread, and their quantiles."""
    if not columns:
        return
    drawn = []
    for column in columns:
        chart = column.histogram
        shape = bars.of([bin.kept + bin.dropped for bin in chart.bins])
        counts = (f"{chart.known:,}", f"{chart.missing:,}")
        drawn.append((printable(column.name), _number(chart.least), shape, _number(chart.most), *counts))
    yield Section(title, drawn, ("", "least", "", "most", "count", "missing"), frozenset((1, 4, 5)))
    ranks = tuple(f"{100 * share:.0f}%" for share in QUANTILES)
    rows = [(printable(column.name), *map(_number, column.quantiles)) for column in columns]
    yield Section("", rows, ("", *ranks), frozenset(range(1, len(ranks) + 1)))


def _number(value: float) -> str:
    """At most nine characters, mostly seven."""
    if 1000 <= abs(value) < 1e7 or (value.is_integer() and abs(value) < 1e7):
        return f"{value:,.0f}"
    return f"{value:.4g}" if 1e-3 <= abs(value) < 1000 else f"{value:.3g}"


def _word_section(columns: Sequence[Frequencies]) -> Section:
    header = ("", "count", "missing", "distinct", "most frequent")
    rows = []
    for column in columns:
        shown = column.top[:_WORDS_IN_A_LINE]
        top = ", ".join(f"{printable(value.text)} {value.kept + value.dropped:,}" for value in shown)
        numbers = (f"{column.known:,}", f"{column.missing:,}", f"{column.distinct:,}")
        rows.append((printable(column.name), *numbers, top))
    return Section("Words in the rows, those of dropped samples too", rows, header, frozenset((1, 2, 3)))


def _line(stats: Stats) -> tuple[str, str, str, str, str]:
    seconds = "" if stats.seconds is None else f"{stats.seconds:,.1f}"
    seen = f"{stats.last.samples_in:,}" if stats.last is not None else ""
    if stats.unfinished is not None:
        return "", seen, f"{stats.samples:,}", seconds, printable(f"unfinished: {stats.unfinished}")
    if stats.last is None:
        return "", seen, f"{stats.samples:,}", seconds, ""
    dropped = stats.last.dropped
    reasons = ", ".join(f"{share.text} {share.count:,}" for share in dropped[:_REASONS_IN_A_LINE])
    more = f", {len(dropped) - _REASONS_IN_A_LINE} more" if len(dropped) > _REASONS_IN_A_LINE else ""
    return printable(stats.last.command), seen, f"{stats.samples:,}", seconds, printable(reasons + more)


def _short_names(names: Sequence[str]) -> list[str]:
    """Paths without the folder that they all have in common."""
    paths = [name.rstrip("/") or name for name in names]
    parents = {os.path.dirname(path) for path in paths}
    relative = len({os.path.isabs(path) for path in paths}) == 1 and len(paths) > 1
    common = os.path.commonpath(parents) if relative and all(parents) else ""
    return [printable(os.path.relpath(path, common) if common else path) for path in paths]


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:,.4g} {unit}"
        size /= 1000
    return f"{size:,.4g} TB"
