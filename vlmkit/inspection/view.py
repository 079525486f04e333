"""Draws samples of datasets for a gallery: the first, or a random draw, of all or of those that a condition picks."""

import heapq
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from vlmkit.errors import BrokenInput, VlmkitError
from vlmkit.inspection.cards import Card, card_of
from vlmkit.inspection.known import known_counts
from vlmkit.inspection.tables import existing_table
from vlmkit.jobs.counts import Counts
from vlmkit.jobs.inputs import read_shard, shard_inputs
from vlmkit.jobs.plan import existing_plan
from vlmkit.jobs.step import Dropped, chunks
from vlmkit.shards.locations import Location, locate, open_shard
from vlmkit.shards.paths import path_at
from vlmkit.shards.reader import ShardReader
from vlmkit.shards.sample import Row, Sample
from vlmkit.tables.conditions import Condition, Name, pick_column
from vlmkit.tables.rows import read_rows

_CHUNK_SAMPLES = 256

Seen = tuple[Sample, Row]


@dataclass(frozen=True)
class Choice:
    """Which samples: at most `limit` of each dataset for which all conditions hold, the first or a random draw. That
    one depends on seed and key alone, so that two datasets show the same samples."""

    limit: int = 100
    conditions: Sequence[Condition] = ()
    random: bool = False
    seed: int = 0

    def rank(self, key: str) -> int:
        return int.from_bytes(blake2b(f"{self.seed}/{key}".encode("utf-8", "replace"), digest_size=8).digest())


@dataclass
class Drawn:
    """What was drawn of one dataset. `total` is how many samples there are to draw from, None if nobody has counted."""

    name: str
    cards: list[Card] = field(default_factory=list)
    total: int | None = None
    notes: list[str] = field(default_factory=list)


def with_rejects(locations: list[Location]) -> list[Location]:
    """One dataset with the folder where its dropped samples are, if there is one; several as they are."""
    folder = locations[0].folder if len(locations) == 1 else None
    plan = existing_plan(folder) if folder is not None else None
    rejects = plan.options.get("rejects") if plan is not None else None
    # The folder must say itself that it is part of this dataset: a manifest from elsewhere names whatever it likes.
    place = path_at(rejects) if isinstance(rejects, str) else folder
    if place is None or place == folder or existing_plan(place) != plan:
        return locations
    inside = os.path.relpath(place) if isinstance(place, Path) else ".."
    return [*locations, *locate([str(place) if inside.startswith("..") else inside])]


def draw(location: Location, choice: Choice) -> Drawn:
    """Reads a dataset: to its end for a random draw, else as far as it takes. What is damaged is told in the notes.

    Raises VlmkitError for a condition that does not fit the values.
    """
    drawn, passed = Drawn(location.text), 0
    picked: list[tuple[int, int, Card]] = []  # a heap, whose first has the highest rank
    try:
        for sample, row in _picked(_samples(location, drawn), choice.conditions):
            passed += 1
            rank = -choice.rank(sample.key) if choice.random else 0
            if len(picked) < choice.limit:
                heapq.heappush(picked, (rank, -passed, card_of(sample, row)))
            elif rank > picked[0][0]:
                heapq.heapreplace(picked, (rank, -passed, card_of(sample, row)))
            if len(picked) == choice.limit and not choice.random:
                break
    except BrokenInput as error:
        drawn.notes.append(error.message)
    drawn.cards = [card for _, _, card in sorted(picked, key=lambda pick: -pick[1])]
    drawn.total = passed if choice.random or passed < choice.limit else _known(location, choice)
    return drawn


def _known(location: Location, choice: Choice) -> int | None:
    try:
        known = None if choice.conditions else known_counts(location)
    except VlmkitError:
        return None
    return known.samples if known else None


def _samples(location: Location, drawn: Drawn) -> Iterator[Seen]:
    """Samples with their rows, verdicts included; of overlays only the verdict that drops a sample."""
    if location.overlays:
        counts = Counts()
        for shard in shard_inputs([location]):
            for item in read_shard(shard, counts):
                sample = item.sample if isinstance(item, Dropped) else item
                verdict = {"kept": False, "reason": item.reason} if isinstance(item, Dropped) else {}
                yield sample, {**sample.row, **verdict}
        drawn.notes += counts.damage
        return
    for place in location.shards:
        beside = existing_table(place.path)
        rows = read_rows(beside) if beside is not None else {}
        with open_shard(place.path) as file:
            reader = ShardReader(file, place.path, place.name)
            for sample in reader:
                yield sample, sample.row or rows.get(sample.key, {})
        drawn.notes += [f"{place.path}: {reader.damage}"] if reader.damage else []


def _picked(samples: Iterable[Seen], conditions: Sequence[Condition]) -> Iterator[Seen]:
    """The samples for which all conditions hold, by what is stored: nothing is computed."""
    if not conditions:
        yield from samples
        return
    rows: dict[int, Row] = {}

    def told() -> Iterator[Sample]:
        for sample, row in samples:
            rows[id(sample)] = row
            yield sample

    for chunk in chunks(told(), _CHUNK_SAMPLES):
        alive = [(sample, rows[id(sample)]) for sample in chunk]
        for condition in conditions:
            names = {name: _values(name, alive) for name in condition.names} if alive else {}
            alive = [
                seen for seen, holds in zip(alive, condition.answers(names) if alive else [], strict=True) if holds
            ]
        yield from alive
        rows.clear()


def _values(name: Name, samples: Sequence[Seen]) -> list[Any]:
    """Of equal names the row's wins, as elsewhere; a name that stands nowhere has no value."""
    columns = frozenset(column for _, row in samples for column in row)
    column = None if name.in_json else pick_column(name.name, columns)
    return [row.get(column) if column in row else _said(sample, name.name) for sample, row in samples]


def _said(sample: Sample, name: str) -> Any:
    try:
        return sample.json.get(name)
    except (ValueError, RecursionError):
        return None
