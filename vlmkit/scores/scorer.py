"""What a scorer is: a name, what it reads of a sample, and one short function or class that scores it."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Protocol

from vlmkit.scores.inputs import Input, Missing
from vlmkit.shards.sample import Sample

ENTRY_POINTS = "vlmkit.scorers"  # scorers of other packages: looked up only for a name that is none of ours

_OURS = {
    "words": "text:words",
    "width": "image_size:width",
    "height": "image_size:height",
    "min_side": "image_size:min_side",
    "aspect": "image_size:aspect",
    "clip": "clip:ClipSimilarity",
}

Value = float | int | str


class ModelScorer(Protocol):
    """A scorer that runs a model over batches. Made once a process; each call sees samples of one shard."""

    def __call__(self, samples: Sequence[Sample]) -> list[Value | Missing]: ...

    def new_shard(self) -> None:
        """Forgets what was kept from the samples of the shard before."""
        ...


@dataclass(frozen=True)
class Scorer:
    """`function` takes what `reads` names, of one sample. With a `model` (the default one) it is a class instead,
    made as `function(model, device, batch_size)`: a ModelScorer.
    """

    name: str
    reads: tuple[Input, ...]
    function: Callable[..., Any]
    model: str | None = None

    def __call__(self, *values: Any) -> Any:
        return self.function(*values)

    def __reduce__(self) -> tuple[Any, ...]:
        return find_scorer, (self.name,)  # worker processes look it up: a decorated function can't be pickled

    def score(self, sample: Sample) -> Value | Missing:
        values = []
        for wanted in self.reads:
            value = wanted.of(sample)
            if isinstance(value, Missing):
                return value
            values.append(value)
        score: Value = self.function(*values)
        return score


def scorer(
    name: str, reads: Input | tuple[Input, ...], model: str | None = None
) -> Callable[[Callable[..., Any]], Scorer]:
    """Declares a function, or with a `model` a class, as the scorer called `name`."""
    inputs = reads if isinstance(reads, tuple) else (reads,)
    return lambda function: Scorer(name, inputs, function, model)


def find_scorer(name: str) -> Scorer | None:
    """The scorer of this name, ours or another package's; None if there is none."""
    if place := _OURS.get(name):
        module, attribute = place.split(":")
        found: Scorer = getattr(importlib.import_module(f"vlmkit.scores.{module}"), attribute)
        return found
    points = metadata.entry_points(group=ENTRY_POINTS, name=name)
    return next((point.load() for point in points), None)
