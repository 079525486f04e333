"""What cat reads: a slice of its inputs, in their order or shuffled, looked through beforehand where that is needed."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from vlmkit.jobs.counts import Counts
from vlmkit.jobs.flow import step_outcomes
from vlmkit.jobs.inputs import ShardInput, shard_inputs
from vlmkit.jobs.shard_store import RollingStore, ShardSize, Wanted
from vlmkit.jobs.step import Dropped, Keep, Kept, Outcome
from vlmkit.mixture.index import SampleIndex, can_be_indexed
from vlmkit.mixture.order import shuffled
from vlmkit.shards.locations import Location, locate, shard_name
from vlmkit.shards.sample import Row, Sample

Look = Callable[[Sample], None]


@dataclass(frozen=True)
class Reading:
    """The samples `skip` to `skip + limit` of the inputs. With a `seed` they come in the order that it gives, a uniform
    shuffle of all of them: samples are read at random, and memory holds some 50 bytes and the row of each.

    `tells_origin` writes into the rows where samples come from: `source_key` is SHARD/KEY, `source` the input's name if
    there are several. `only` picks members.
    """

    locations: list[Location]
    skip: int = 0
    limit: int | None = None
    seed: int | None = None
    tells_origin: bool = False
    only: Wanted | None = None

    def needs_copy(self, looks: bool) -> bool:
        """Whether what is read must be copied to a temporary folder before the first sample can be given."""
        if self.seed is None:
            return looks and any(location.is_stream for location in self.locations)
        sliced = self.skip > 0 or self.limit is not None
        return not can_be_indexed(self.locations) or (sliced and any(location.overlays for location in self.locations))

    def outcomes(self, counts: Counts, look: Look | None = None) -> Iterator[Outcome]:
        """`look` is shown every sample before the first is given; what was dropped before may come earlier."""
        if not self.needs_copy(look is not None):
            if look is not None:
                _show(look, self._in_order(Counts()))
            yield from self._once(counts)
            return
        with tempfile.TemporaryDirectory(prefix="vlmkit-") as room:
            yield from _copied(self._in_order(counts), Path(room), look)
            if any(Path(room).glob("*.tar")):
                copy = Reading(locate([room]), seed=self.seed)
                yield from copy._once(Counts())

    def _once(self, counts: Counts) -> Iterator[Outcome]:
        return self._in_order(counts) if self.seed is None else self._shuffled(counts)

    def _in_order(self, counts: Counts) -> Iterator[Outcome]:
        shards = shard_inputs(self.locations)
        end = None if self.limit is None else self.skip + self.limit
        return self._told(shards, islice(step_outcomes(Keep(), shards, end, counts), self.skip, None))

    def _shuffled(self, counts: Counts) -> Iterator[Outcome]:
        index = SampleIndex(self.locations, jumps=True)
        return self._told(shard_inputs(self.locations), self._at_random(index, counts))

    def _at_random(self, index: SampleIndex, counts: Counts) -> Iterator[Outcome]:
        counts.damage += index.damage
        for dropped in index.dropped_samples():
            counts.bytes_in += dropped.sample.size_bytes
            yield dropped
        numbers = range(len(index))[self.skip :][: self.limit]
        for place in shuffled(len(numbers), f"cat {self.seed}"):
            sample = index[numbers[int(place)]]
            counts.bytes_in += sample.size_bytes
            yield Kept(sample)

    def _told(self, shards: list[ShardInput], outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
        if not self.tells_origin and self.only is None:
            return outcomes
        return self._each_told({shard.name: shard for shard in shards}, outcomes)

    def _each_told(self, by_name: dict[str, ShardInput], outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
        for outcome in outcomes:
            if self.tells_origin:
                outcome.sample.row |= _origin(outcome.sample, by_name[outcome.sample.shard])
            if self.only is not None and isinstance(outcome, Kept):
                outcome = Kept(outcome.sample.only(self.only))
            yield outcome


def _origin(sample: Sample, shard: ShardInput) -> Row:
    key = sample.key.removeprefix(f"{shard.source}/") if shard.source else sample.key
    origin = {"source_key": key if shard.is_stream else f"{shard_name(shard.path)}/{key}"}
    return origin | ({"source": shard.source} if shard.source else {})


def _show(look: Look, outcomes: Iterator[Outcome]) -> None:
    for outcome in outcomes:
        if isinstance(outcome, Kept):
            look(outcome.sample)


def _copied(outcomes: Iterator[Outcome], folder: Path, look: Look | None) -> Iterator[Dropped]:
    """Stores what is kept as shards of the folder, and gives the rest."""
    store = RollingStore(folder, ShardSize())
    try:
        for outcome in outcomes:
            if isinstance(outcome, Dropped):
                yield outcome
                continue
            if look is not None:
                look(outcome.sample)
            store.put(outcome.sample, dict(outcome.sample.row))
        store.finish()
    except BaseException:
        store.abandon()
        raise
