"""What the person at the terminal sees on stderr: a bar while it runs, a table at the end."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from vlmkit.jobs.counts import Counts

Advance = tuple[int, int, int]  # bytes read, samples in, samples out

_TICK_EVERY_S = 0.2
_LINE_EVERY_S = 30.0
_LONGEST_STRIDE = 256


class Ticker:
    """Told the counts of a shard after every sample, passes on a few times a second what has been added."""

    def __init__(self, advance: Callable[[Advance], None]) -> None:
        self._advance = advance
        self._said: Advance = (0, 0, 0)
        self._looked = time.monotonic()
        self._next = self._looked + _TICK_EVERY_S
        self._stride = self._left = 1  # samples until the clock is looked at again: more of them while they are quick

    def __call__(self, counts: Counts) -> None:
        self._left -= 1
        if self._left:
            return
        now = time.monotonic()
        quick = now - self._looked < _TICK_EVERY_S / 10
        self._stride = self._left = min(self._stride * 2, _LONGEST_STRIDE) if quick else 1
        self._looked = now
        if now >= self._next:
            self.flush(counts)

    def flush(self, counts: Counts) -> None:
        now = (counts.bytes_in, counts.samples_in, counts.samples_out)
        self._advance((now[0] - self._said[0], now[1] - self._said[1], now[2] - self._said[2]))
        self._said = now
        self._next = time.monotonic() + _TICK_EVERY_S


class JobProgress:
    """A bar on a terminal; elsewhere a line now and then, so that a log file shows how far a job is."""

    def __init__(self, command: str, total_bytes: int | None, quiet: bool = False) -> None:
        self._command = command
        self._total_bytes = total_bytes or None
        self._bytes = self._in = self._out = 0
        self._began = self._said = time.monotonic()
        self._quiet = quiet
        self._bar = _bar() if sys.stderr.isatty() and not quiet else None

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(self._command, total=self._total_bytes, rates="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, step: Advance) -> None:
        self._bytes, self._in, self._out = self._bytes + step[0], self._in + step[1], self._out + step[2]
        if self._bar is not None:
            self._bar.update(self._task, completed=self._bytes, rates=self._rates())
        elif not self._quiet and time.monotonic() >= self._said + _LINE_EVERY_S:
            self._said = time.monotonic()
            print(f"vlmkit {self._command}: {self._share()}{self._rates()}", file=sys.stderr, flush=True)

    def _share(self) -> str:
        return f"{self._bytes / self._total_bytes:.0%}, " if self._total_bytes else ""

    def _rates(self) -> str:
        seconds = max(time.monotonic() - self._began, 1e-9)
        kept = f", {self._out / self._in:.1%} kept" if self._in else ""
        return f"{self._in:,} samples, {self._in / seconds:,.0f}/s, {self._bytes / seconds / 1e6:,.1f} MB/s{kept}"


def print_closing(command: str, counts: Counts, seconds: float | None, notes: list[str]) -> None:
    """The table at the end of a command: in, out, each reason, rates; then what a user should know or act on."""
    table = Table(title=f"vlmkit {command}", title_justify="left", box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(justify="right")
    table.add_row("samples in", f"{counts.samples_in:,}", "")
    for reason, number in counts.reasons.most_common():
        table.add_row(f"  dropped: {reason}", f"{number:,}", _percent(number, counts.samples_in))
    table.add_row("samples out", f"{counts.samples_out:,}", _percent(counts.samples_out, counts.samples_in))
    if seconds is not None:
        rate = f"{counts.samples_in / max(seconds, 1e-9):,.0f}/s"
        table.add_row("seconds", f"{seconds:,.1f}", f"{rate}, {counts.bytes_in / max(seconds, 1e-9) / 1e6:,.1f} MB/s")
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)  # reasons are shown as they are
    console.print(table)
    for line in notes:
        console.print(f"note: {line}")


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else ""


def _bar() -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rates]}"))
    return Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True))
