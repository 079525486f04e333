"""Runs cat: joins, slices, shuffles and converts datasets."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from vlmkit.errors import VlmkitError
from vlmkit.exports.formats import FORMATS
from vlmkit.exports.reading import Reading
from vlmkit.exports.uniform import Uniform
from vlmkit.jobs.counts import Counts
from vlmkit.jobs.flow import Flow
from vlmkit.jobs.inputs import shard_inputs
from vlmkit.jobs.job import is_folder, run_flow
from vlmkit.jobs.options import JobOptions
from vlmkit.jobs.result import closing
from vlmkit.jobs.step import Kept, Outcome
from vlmkit.jobs.work import OnlyFields
from vlmkit.shards.locations import STREAM, locate

_COPIED = "what is read was kept in a temporary folder until its end: this takes all of it at once"


@dataclass(frozen=True)
class CatOptions:
    """What cat does to its samples besides joining them. Raises VlmkitError for options that do nothing together."""

    skip: int = 0
    shuffle: bool = False
    seed: int | None = None
    rekey: bool = False
    uniform: str | None = None
    embed_rows: bool = False

    def __post_init__(self) -> None:
        if self.seed is not None and not self.shuffle:
            raise VlmkitError("--seed orders nothing without --shuffle", "add --shuffle, or leave --seed out")
        if self.uniform not in (None, *FORMATS):
            raise VlmkitError(f"--uniform {self.uniform} is no format to write", f"choose of {', '.join(FORMATS)}")
        if self.uniform and self.embed_rows:
            raise VlmkitError("rows in the tars would be fields that differ again", "--uniform without --embed-rows")

    @property
    def deciding(self) -> dict[str, Any]:
        """What was asked for, for the plan."""
        asked = {
            "skip": self.skip,
            "rekey": self.rekey,
            "uniform": self.uniform,
            "embed_rows": self.embed_rows,
        }
        return {name: value for name, value in asked.items() if value} | (
            {"shuffle": self.order} if self.shuffle else {}
        )

    @property
    def order(self) -> int | None:
        """The seed of the order; None: as it comes."""
        return (self.seed or 0) if self.shuffle else None


def run_cat(sources: list[str], target: str, cat: CatOptions, options: JobOptions) -> int:
    """Writes the samples of the inputs as one stream or as new shards; returns the exit status. Raises VlmkitError."""
    if cat.uniform and not is_folder(target) and target != STREAM:
        raise VlmkitError(
            f"{target} would hold rows, fields that differ again", "--uniform writes to a folder, or to -"
        )
    locations = locate(sources)
    reading = Reading(locations, cat.skip, options.limit, cat.order, cat.rekey)
    uniform = Uniform(cat.uniform) if cat.uniform else None
    outcomes = partial(_outcomes, reading, uniform, options.only_fields)
    deciding, shards = {**options.deciding, **cat.deciding}, shard_inputs(locations)
    with closing("cat", options) as result:
        options = replace(options, only=None) if uniform else options  # done before
        run_flow(Flow("cat", deciding, outcomes, shards, locations, cat.embed_rows, cat.rekey), target, options, result)
        if reading.needs_copy(looks=uniform is not None) and not result.already_done:
            result.notes.append(_COPIED)
    return result.status(options.max_bad)


def _outcomes(reading: Reading, uniform: Uniform | None, only: OnlyFields | None, counts: Counts) -> Iterator[Outcome]:
    if uniform is None:
        yield from reading.outcomes(counts)
        return
    for outcome in replace(reading, only=only).outcomes(counts, uniform.look):
        yield uniform(outcome.sample, counts) if isinstance(outcome, Kept) else outcome
