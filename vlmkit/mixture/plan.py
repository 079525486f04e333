"""The sample plan: which sample of which source stands at which position. Training reads it, `mix` writes it out."""

import hashlib
import json
from collections.abc import Iterator
from copy import copy
from fractions import Fraction
from functools import cached_property
from math import gcd, lcm
from typing import NamedTuple, Self

from vlmkit.errors import VlmkitError
from vlmkit.jobs.inputs import distinct
from vlmkit.mixture.index import SampleIndex
from vlmkit.mixture.order import SourceOrder
from vlmkit.mixture.recipe import Recipe
from vlmkit.mixture.shares import Shares
from vlmkit.shards.sample import Sample


class Place(NamedTuple):
    """Sample `number` of source `part` (as its index counts), used for the time `repeat`, from 0."""

    part: int
    number: int
    repeat: int


class SamplePlan:
    """A deterministic sequence of samples: a function of the recipe, the data's keys and sizes, and nothing else.

    In every prefix each source has its share to within one sample (`Shares`); each goes through all its samples in a
    seeded order before it repeats one, and then in another (`SourceOrder`). A longer plan begins with the shorter one.
    Any position can be asked for, by any process: there is no state. Pickles small enough for data loaders' workers.
    Raises VlmkitError if the recipe can't be followed.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        found = {text: SampleIndex(text) for text in dict.fromkeys(part.location for part in recipe.parts)}
        self.indexes = [found[part.location] for part in recipe.parts]
        self.sources = distinct([index.source for index in self.indexes])
        self._shares = Shares(_weights(recipe, self.indexes))
        self._orders = [SourceOrder(index.runs, f"{recipe.seed} {part}") for part, index in enumerate(self.indexes)]
        self._length = recipe.samples or self._once()

    def __len__(self) -> int:
        return self._length

    def lengthened(self, samples: int) -> Self:
        """The same order, made this long (or short): `plan.lengthened(epochs * len(plan))`. Indexes are shared."""
        other = copy(self)
        other._length = samples
        return other

    def place(self, position: int) -> Place:
        """Raises IndexError beyond the plan's ends."""
        if not 0 <= position < self._length:
            raise IndexError(position)
        part, taken = self._shares.place(position)
        return Place(part, *self._orders[part].place(taken))

    def __getitem__(self, position: int) -> Sample:
        """The sample, its key that of its source; the row's `source` and `source_key` (`SHARD/KEY`) say where from."""
        part, number, _ = self.place(position)
        sample = self.indexes[part][number]
        sample.row |= {"source": self.sources[part], "source_key": f"{sample.shard}/{sample.key}"}
        return sample

    def __iter__(self) -> Iterator[Sample]:
        return (self[position] for position in range(self._length))

    def size_bytes(self, position: int) -> int:
        """Of the sample in its tars, headers included; nothing is read."""
        part, number, _ = self.place(position)
        return self.indexes[part].size_bytes(number)

    def counts(self) -> list[int]:
        """How many samples each source gives to the whole plan, repeats included."""
        return self._shares.counts(self._length)

    @property
    def damage(self) -> list[str]:
        """Of tars that break off: what lies behind is no part of the plan."""
        return [line for index in dict.fromkeys(self.indexes) for line in index.damage]

    @cached_property
    def digest(self) -> str:
        """Of seed, shares, and every sample's key and size: equal digests mean equal orders. Where the data lie, and
        how long the plan is, are no part of it: with it one integer is a position."""
        said = {
            "seed": self.recipe.seed,
            "weights": self._shares.weights,
            "sources": [index.digest for index in self.indexes],
        }
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    def _once(self) -> int:
        """The longest plan in which no source repeats a sample; with weights by size that is all of them once."""
        weights, total = self._shares.weights, sum(self._shares.weights)
        return min(len(index) * total // weight for index, weight in zip(self.indexes, weights, strict=True))


def _weights(recipe: Recipe, indexes: list[SampleIndex]) -> list[int]:
    """As whole numbers, exactly: 0.1 is one tenth."""
    given = [part.weight for part in recipe.parts]
    for part, index in zip(recipe.parts, indexes, strict=True):
        if not len(index):
            raise VlmkitError(f"{part.location} has no samples", "leave it out of the mix")
    exact = [
        Fraction(len(index)) if weight is None else Fraction(repr(weight))
        for weight, index in zip(given, indexes, strict=True)
    ]
    whole = [int(value * lcm(*(v.denominator for v in exact))) for value in exact]
    return [value // gcd(*whole) for value in whole]
