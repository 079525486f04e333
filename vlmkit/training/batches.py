"""Batches: which positions of the plan a process takes, prepared ahead by threads, and stacked for the model."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import torch
from torch import Tensor

from vlmkit.mixture.plan import SamplePlan
from vlmkit.pictures.pool import ahead
from vlmkit.training.chat import NotTrainable
from vlmkit.training.examples import IGNORED, Example, Examples

_THREADS = 2
_AHEAD = 2  # batches


@dataclass(frozen=True)
class Schedule:
    """A batch is `batch_size` consecutive positions of a plan, of which rank r of W takes r, r + W, …"""

    samples: int
    batch_size: int
    rank: int = 0
    ranks: int = 1

    @property
    def steps(self) -> int:
        return -(-self.samples // self.batch_size)

    def position(self, step: int) -> int:
        """Where in the plan a step begins: all before it has been learnt."""
        return min(step * self.batch_size, self.samples)

    def positions(self, step: int) -> range:
        """Of this rank."""
        return range(self.position(step) + self.rank, self.position(step + 1), self.ranks)


@dataclass
class Batch:
    """One process's share of a step. `reasons` counts the samples that gave no example."""

    seen: int
    size_bytes: int = 0
    examples: list[Example] = field(default_factory=list)
    bad: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def tokens(self) -> int:
        return sum(len(example.ids) for example in self.examples)

    @property
    def targets(self) -> int:
        """Tokens that are learnt. The first of a sequence never is: nothing comes before it."""
        return sum(int((example.labels[1:] != IGNORED).sum()) for example in self.examples)

    def parts(self, size: int | None) -> list[list[Example]]:
        """The examples, those of like length together, in parts that a device takes at once; never none."""
        ordered = sorted(self.examples, key=lambda example: len(example.ids))
        if not ordered:
            return [[_nothing()]]
        size = size or len(ordered)
        return [ordered[start : start + size] for start in range(0, len(ordered), size)]


@dataclass(frozen=True)
class Inputs:
    """What the model is given, what it shall say `targets` [batch, tokens], and at which places `kept` [places]."""

    model: dict[str, Tensor]
    targets: Tensor
    kept: Tensor

    def to(self, device: torch.device) -> "Inputs":
        moved = {name: value.to(device) for name, value in self.model.items()}
        return Inputs(moved, self.targets.to(device), self.kept.to(device))


def read_batches(plan: SamplePlan, examples: Examples, schedule: Schedule, first_step: int) -> Iterator[Batch]:
    """This rank's batches from a step on, prepared by threads a little ahead of the loop."""

    def prepared(position: int) -> Example | NotTrainable:
        try:
            return examples(plan[position])
        except NotTrainable as reason:
            return reason

    steps = range(first_step, schedule.steps)
    places = (position for step in steps for position in schedule.positions(step))
    window = _AHEAD * -(-schedule.batch_size // schedule.ranks)
    made = ahead(prepared, places, window, threads=_THREADS)
    for step in steps:
        positions = schedule.positions(step)
        yield _collected(list(islice(made, len(positions))), sum(map(plan.size_bytes, positions)))


def stack(examples: Sequence[Example], pad: int) -> Inputs:
    """Sequences padded on the right, pictures one after the other. `targets` stand one place before their token.

    Raises ValueError if pictures of different shapes can't be stacked.
    """
    longest = max(len(example.ids) for example in examples)
    ids = torch.full((len(examples), longest), pad)
    mask = torch.zeros_like(ids)
    targets = torch.full_like(ids, IGNORED)
    for row, example in enumerate(examples):
        length = len(example.ids)
        ids[row, :length], mask[row, :length] = example.ids, 1
        targets[row, : length - 1] = example.labels[1:]
    kept = (targets != IGNORED).any(dim=0).nonzero().flatten()
    pictures = [pixels for example in examples for pixels in example.pictures]
    joined = {name: torch.cat([pixels[name] for pixels in pictures]) for name in (pictures[0] if pictures else ())}
    model = {"input_ids": ids, "attention_mask": mask, **joined}
    return Inputs(model, targets, kept if len(kept) else torch.tensor([0]))


def _collected(made: list[Example | NotTrainable], size_bytes: int) -> Batch:
    batch = Batch(len(made), size_bytes)
    for item in made:
        if isinstance(item, Example):
            batch.examples.append(item)
        else:
            batch.bad += item.bad
            batch.reasons[item.reason] += 1
    return batch


def _nothing() -> Example:
    """Stands in where a process has no example: it must take part in the step, and learns nothing."""
    return Example(torch.tensor([0]), torch.tensor([IGNORED]), ())
