"""What a job came to, said once at its end: a table for a person, a line for a program, an exit status for a shell."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from vlmkit.jobs.counts import Counts
from vlmkit.jobs.options import JobOptions
from vlmkit.jobs.progress import print_closing

TOO_BAD = 3  # exit status: done, with more unreadable samples than --max-bad, or a damaged tar


@dataclass
class Result:
    """`counts` are those of the whole output, not only of what this run added to it."""

    counts: Counts = field(default_factory=Counts)
    notes: list[str] = field(default_factory=list)
    already_done: bool = False
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """What this run has taken so far."""
        return time.monotonic() - self.began

    def status(self, max_bad: float) -> int:
        return TOO_BAD if self.counts.too_bad(max_bad) and not self.already_done else 0


@contextmanager
def closing(command: str, options: JobOptions) -> Iterator[Result]:
    """Times the block and says what came of it, also when work is left for another run."""
    result = Result()
    try:
        yield result
    finally:
        if not options.quiet and (result.counts.samples_in or sys.exc_info()[0] is None):
            seconds = None if result.already_done else result.seconds
            print_closing(command, result.counts, seconds, _notes(result, options.max_bad))
        if options.json:
            print(json.dumps(_summary(command, result)), file=sys.stderr, flush=True)


def _notes(result: Result, max_bad: float) -> list[str]:
    notes = [*result.notes, *result.counts.damage]
    notes += [f"{number:,} {what}" for what, number in result.counts.notes.items()]
    if result.counts.bad > max_bad * result.counts.samples_in:
        notes.append(f"{result.counts.bad:,} samples could not be read: more than --max-bad {max_bad:g} allows")
    return notes


def _summary(command: str, result: Result) -> dict[str, object]:
    return {"command": command, **result.counts.without_times(), "seconds": round(result.seconds, 3)}
