"""Runs cat: joins, slices, shuffles and converts datasets."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vlmkit.errors import VlmkitError
from vlmkit.exports.reading import Reading
from vlmkit.jobs.counts import Counts
from vlmkit.jobs.flow import Flow
from vlmkit.jobs.inputs import shard_inputs
from vlmkit.jobs.job import run_flow
from vlmkit.jobs.options import JobOptions
from vlmkit.jobs.result import closing
from vlmkit.jobs.step import Outcome
from vlmkit.shards.locations import locate

_COPIED = "what is read was kept in a temporary folder until its end: this takes all of it at once"


@dataclass(frozen=True)
class CatOptions:
    """What cat does to its samples besides joining them. Raises VlmkitError for options that do nothing together."""

    skip: int = 0
    shuffle: bool = False
    seed: int | None = None
    rekey: bool = False
    embed_rows: bool = False

    def __post_init__(self) -> None:
        if self.seed is not None and not self.shuffle:
            raise VlmkitError("--seed orders nothing without --shuffle", "add --shuffle, or leave --seed out")

    @property
    def deciding(self) -> dict[str, Any]:
        """What was asked for, for the plan."""
        asked = {"skip": self.skip, "rekey": self.rekey, "embed_rows": self.embed_rows}
        return {name: value for name, value in asked.items() if value} | (
            {"shuffle": self.order} if self.shuffle else {}
        )

    @property
    def order(self) -> int | None:
        """The seed of the order; None: as it comes."""
        return (self.seed or 0) if self.shuffle else None


def run_cat(sources: list[str], target: str, cat: CatOptions, options: JobOptions) -> int:
    """Writes the samples of the inputs as one stream or as new shards; returns the exit status. Raises VlmkitError."""
    locations = locate(sources)
    reading = Reading(locations, cat.skip, options.limit, cat.order, tells_origin=cat.rekey)

    def outcomes(counts: Counts) -> Iterator[Outcome]:
        return reading.outcomes(counts)

    with closing("cat", options) as result:
        deciding = {**options.deciding, **cat.deciding}
        shards = shard_inputs(locations)
        run_flow(Flow("cat", deciding, outcomes, shards, locations, cat.embed_rows, cat.rekey), target, options, result)
        if reading.needs_copy(looks=False) and not result.already_done:
            result.notes.append(_COPIED)
    return result.status(options.max_bad)
