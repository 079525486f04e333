"""The record of a run, a line of JSON a step, and the live line that a person sees."""

import json
import os
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from vlmkit.shards.dataset import committed, own_folder
from vlmkit.shards.disk import Naming

_LINE_EVERY_S = 30.0
_TICK_EVERY_S = 0.2
_RECENT = 20  # steps, for the loss and the speed that are shown


@dataclass(frozen=True)
class StepLine:
    """`loss`: mean cross-entropy of the step's targets, nats. `tokens`: all that the model read, padding not counted;
    `targets`: those that it learnt. `seconds` since the step before.
    """

    step: int
    loss: float
    lr: float
    samples: int
    tokens: int
    targets: int
    seconds: float


def steps_path(folder: Path) -> Path:
    return own_folder(folder) / "steps.jsonl"


def read_steps(folder: Path) -> list[StepLine]:
    """The steps so far; a line that a kill has cut off is none."""
    try:
        lines = steps_path(folder).read_text().split("\n")[:-1]
    except FileNotFoundError:
        return []
    return [StepLine(**json.loads(line)) for line in lines]


class StepLog:
    """Writes the steps after the first `done` (those of a checkpoint), and forgets what a killed run wrote beyond."""

    def __init__(self, folder: Path, done: int) -> None:
        kept = [line for line in read_steps(folder) if line.step <= done]
        with committed(steps_path(folder), folder) as file:
            file.write(b"".join(_json(line) for line in kept))
        self._file = open(steps_path(folder), "ab")  # noqa: SIM115 - closed by __exit__
        self._naming = Naming(steps_path(folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._naming:
            self._file.close()

    def add(self, line: StepLine) -> None:
        with self._naming:
            self._file.write(_json(line))
            self._file.flush()

    def sync(self) -> None:
        """Before a checkpoint is committed: its steps must be on the disk."""
        os.fsync(self._file.fileno())


class LiveLine:
    """Loss, learning rate, samples a second and the time left: one line rewritten on a terminal, else now and then."""

    def __init__(self, steps: int, quiet: bool) -> None:
        self._steps = steps
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._every_s = _TICK_EVERY_S if self._terminal else _LINE_EVERY_S
        self._next = time.monotonic() + self._every_s
        self._recent: deque[StepLine] = deque(maxlen=_RECENT)

    def show(self, line: StepLine) -> None:
        self._recent.append(line)
        last = line.step == self._steps and self._terminal
        if self._quiet or (time.monotonic() < self._next and not last):
            return
        self._next = time.monotonic() + self._every_s
        start, end = ("\r", "\x1b[K" + "\n" * last) if self._terminal else ("", "\n")
        print(f"{start}vlmkit train: {self._said(line)}", end=end, file=sys.stderr, flush=True)

    def _said(self, line: StepLine) -> str:
        seconds = sum(recent.seconds for recent in self._recent) or 1e-9
        rate = sum(recent.samples for recent in self._recent) / seconds
        left = (self._steps - line.step) * seconds / len(self._recent)
        return (
            f"step {line.step:,}/{self._steps:,}, loss {mean_loss(list(self._recent)):.4f}, lr {line.lr:.2e}, "
            f"{rate:,.0f} samples/s, {_clock(left)} left"
        )


def mean_loss(lines: list[StepLine]) -> float:
    """Over the targets of these steps."""
    return sum(line.loss * line.targets for line in lines) / max(sum(line.targets for line in lines), 1)


def _json(line: StepLine) -> bytes:
    return json.dumps(asdict(line)).encode() + b"\n"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
