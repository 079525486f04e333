"""Stats as sections of text, which the command line lays out."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vlmkit.inspection.columns import Numbers, Words
from vlmkit.inspection.findings import printable
from vlmkit.inspection.look import LOOKED_AT, Look
from vlmkit.inspection.stats import Stats

_NAMES_SHOWN = 40
_REASONS_IN_A_LINE = 3


@dataclass(frozen=True)
class Section:
    """A table: `header` names its columns, and may be empty. Columns whose number is in `right` are set flush right."""

    title: str
    rows: Sequence[tuple[str, ...]]
    header: tuple[str, ...] = ()
    right: frozenset[int] = frozenset()


def sections(stats: Stats) -> Iterator[Section]:
    """Everything about one dataset."""
    yield Section(printable(stats.name), list(_overview(stats)))
    if stats.last is not None and stats.last.samples_in:
        yield _funnel(stats)
    if stats.seen is not None:
        yield from _contents(stats.seen)
    if stats.numbers:
        yield _number_section(stats.numbers)
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


def _contents(seen: Look) -> Iterator[Section]:
    first = f", in the first {LOOKED_AT:,} samples"
    which = "" if seen.whole else first
    opened = first if seen.samples > LOOKED_AT or not seen.whole else ""
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


def _number_section(columns: Sequence[Numbers]) -> Section:
    header = ("", "count", "missing", "min", "p10", "median", "p90", "max")
    rows = [
        (
            printable(column.name),
            f"{column.count:,}",
            f"{column.missing:,}",
            *map(_number, (column.min, column.p10, column.median, column.p90, column.max)),
        )
        for column in columns
    ]
    return Section("Numbers in the rows, those of dropped samples too", rows, header, frozenset(range(1, 8)))


def _number(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e7 else f"{value:.4g}"


def _word_section(columns: Sequence[Words]) -> Section:
    header = ("", "count", "missing", "distinct", "most frequent")
    rows = []
    for column in columns:
        top = ", ".join(f"{printable(value)} {count:,}" for value, count in column.top)
        numbers = (f"{column.count:,}", f"{column.missing:,}", f"{column.distinct:,}")
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
