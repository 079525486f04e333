"""Damages small tars in every way that there is, and reads them.

    python tests/benchmarks/shards/mutations.py --count 100000

Each is read from a file and from what behaves like a pipe. Whatever the damage, reading ends, in little time and
memory, with both the same: the samples that lie before the damage are equal to the original ones, and nothing is raised
but BrokenInput, by a stream whose last member is gone. A case is its number: the same one is damaged alike everywhere.
"""

import argparse
import io
import os
import random
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from damage import BLOCK, Base, Content, bases, damaged

from vlmkit.errors import BrokenInput
from vlmkit.shards.reader import ShardReader

MOST_SECONDS = 5  # for a tar of a few kilobytes on a busy machine
MOST_BYTES = 1 << 30  # of address space, beyond what the interpreter has taken when it begins


@dataclass(frozen=True)
class Outcome:
    """What came of reading: the samples, whether the tar was seen to be damaged, whether a stream lacked its end."""

    samples: list[Content]
    damaged: bool
    broken: bool


def check(base: Base, number: int) -> Outcome:
    """Damages a tar and reads it in both ways. Raises AssertionError, or whatever reading raises that it must not."""
    tar = damaged(base, number)
    filed, piped = outcome(from_file(tar)), outcome(Trickle(tar, number))
    assert filed == piped, "a file and a pipe give the same"
    same = common_prefix(tar, base.tar)
    before = [content for content, end in base.samples if end <= same]
    assert filed.samples[: len(before)] == before, "what lies before the damage is whole"
    return filed


def outcome(file: io.IOBase) -> Outcome:
    samples: list[Content] = []
    broken = False
    with file:
        reader = ShardReader(file, "x.tar")
        try:
            for sample in reader:
                samples.append((sample.key, [(member.field, bytes(member.data)) for member in sample.members]))
        except BrokenInput:
            broken = True
            assert len(reader.begins) != len(reader.ends)
    return Outcome(samples, reader.damage is not None, broken)


def from_file(tar: bytes) -> io.FileIO:
    number = os.memfd_create("tar")
    os.write(number, tar)
    os.lseek(number, 0, os.SEEK_SET)
    return io.FileIO(number, "rb")


class Trickle(io.RawIOBase):
    """Gives its bytes as a pipe does: a few at a time, and no way back."""

    def __init__(self, data: bytes, seed: int) -> None:
        self._data = data
        self._at = 0
        self._chance = random.Random(seed)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:
        size = min(len(buffer), self._chance.choice((1, 100, BLOCK, 3000, 1 << 16)))
        part = self._data[self._at : self._at + size]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)


def common_prefix(one: bytes, other: bytes) -> int:
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


@contextmanager
def limits(case: str) -> Iterator[None]:
    """Ends a case that hangs."""

    def hangs(*_: object) -> None:
        raise AssertionError(f"{case} takes more than {MOST_SECONDS} s")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.setitimer(signal.ITIMER_REAL, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case, to see one again")
    given = parser.parse_args()
    all_bases, seen, began, memory = bases(), Counter[str](), time.perf_counter(), limit_memory()
    for number in range(given.first, given.first + given.count):
        seen += tried(all_bases[number % len(all_bases)], number)
    seconds, memory = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    told = ", ".join(f"{seen[name]:,} {name}" for name in ("failures", "damaged", "broken streams", "samples"))
    print(f"{given.count:,} tars in {seconds:.0f} s: {told}; memory grew by {memory / 1000:.1f} MB")
    sys.exit(seen["failures"] > 0)


def tried(base: Base, number: int) -> Counter[str]:
    try:
        with limits(f"case {number}"):
            found = check(base, number)
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        print(f"case {number} ({base.name}): {type(error).__name__}: {error}", file=sys.stderr)
        return Counter({"failures": 1})
    return Counter({"damaged": found.damaged, "broken streams": found.broken, "samples": len(found.samples)})


def limit_memory() -> int:
    """Whatever takes more than MOST_BYTES from here on fails. Returns the most that has been held so far, in kB."""
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MOST_BYTES, taken + MOST_BYTES))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
