"""What a step is: a function over samples that says of each whether it stays. The job does all the rest."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from vlmkit.shards.sample import Sample


@dataclass(frozen=True, slots=True)
class Kept:
    """A sample that goes on. What the step learnt about it stands in `sample.row`."""

    sample: Sample


@dataclass(frozen=True, slots=True)
class Dropped:
    """A sample that does not go on, and why: the failed condition or a fixed word, without the sample's values.

    `bad` says that its bytes could not be read or decoded; details belong in `sample.row["error"]`.
    """

    sample: Sample
    reason: str
    bad: bool = False


Outcome = Kept | Dropped


class Step(Protocol):
    """One command's work on samples. Pickled into worker processes, so heavy things are made on the first call."""

    @property
    def name(self) -> str: ...

    def options(self) -> Mapping[str, Any]:
        """What decides the result, as JSON: it goes into the plan and the manifest, and a rerun must agree with it."""
        ...

    def bound(self, columns: frozenset[str]) -> "Step":
        """This step, told once before any sample which score columns its input carries."""
        ...

    def __call__(self, samples: Iterable[Sample]) -> Iterator[Outcome]:
        """Exactly one outcome a sample, in order. A call sees the samples of one shard (or of one stream)."""
        ...


class Keep:
    """The step that changes nothing and keeps everything."""

    name = "cat"

    def options(self) -> Mapping[str, Any]:
        return {}

    def bound(self, columns: frozenset[str]) -> "Keep":
        return self

    def __call__(self, samples: Iterable[Sample]) -> Iterator[Outcome]:
        return map(Kept, samples)
