"""The signals by which a scheduler asks a job to end: a step is not torn apart for them."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


@contextmanager
def preemptions(tell: Callable[[int], None] = lambda number: None) -> Iterator[list[int]]:
    """The preemption signals that come while the block runs, in place of what they do elsewhere; `tell` hears each."""
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)
        tell(number)

    before = {name: signal.signal(name, note) for name in _SIGNALS}
    try:
        yield came
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
