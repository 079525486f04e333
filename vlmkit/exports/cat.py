"""Runs cat: joins, slices, shuffles and converts datasets."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from vlmkit.exports.export import Export
from vlmkit.exports.options import CatOptions
from vlmkit.exports.reading import Reading
from vlmkit.exports.uniform import Uniform
from vlmkit.jobs.counts import Counts
from vlmkit.jobs.flow import Flow
from vlmkit.jobs.inputs import shard_inputs
from vlmkit.jobs.job import run_flow
from vlmkit.jobs.options import JobOptions
from vlmkit.jobs.result import closing
from vlmkit.jobs.step import Kept, Outcome
from vlmkit.shards.locations import locate

_COPIED = "what is read was kept in a temporary folder until its end: this takes all of it at once"


def run_cat(sources: list[str], target: str, cat: CatOptions, options: JobOptions) -> int:
    """Writes the samples of the inputs as one stream, as new shards, or for other tools; returns the exit status.

    Raises VlmkitError.
    """
    cat.check_output(target, options)
    locations = locate(sources)
    reading = Reading(locations, cat.skip, options.limit, cat.order, cat.rekey)
    export = _export(target, cat, options)
    change = Uniform(cat.uniform) if cat.uniform else export
    deciding = {**options.deciding, **cat.deciding}
    if change is not None:  # it sees only what is to be written
        reading, options = replace(reading, only=options.only_fields), replace(options, only=None)
    with closing("cat", options) as result:
        outcomes, shards = partial(_outcomes, reading, change), shard_inputs(locations)
        flow = Flow("cat", deciding, outcomes, shards, locations, cat.embed_rows, cat.rekey, export)
        run_flow(flow, target, options, result)
        if reading.needs_copy(change is not None and change.first_pass() is not None) and not result.already_done:
            result.notes.append(_COPIED)
    return result.status(options.max_bad)


def _outcomes(reading: Reading, change: Uniform | Export | None, counts: Counts) -> Iterator[Outcome]:
    for outcome in reading.outcomes(counts, change.first_pass() if change is not None else None):
        yield change(outcome.sample, counts) if change is not None and isinstance(outcome, Kept) else outcome


def _export(target: str, cat: CatOptions, options: JobOptions) -> Export | None:
    if cat.to == "parquet":
        from vlmkit.exports.parquet import ParquetExport

        return ParquetExport(Path(target), options.shard_size, cat.embed_rows, cat.rekey)
    if cat.to == "jsonl":
        from vlmkit.exports.jsonl import JsonlExport

        return JsonlExport(Path(target), cat.embed_rows, cat.rekey)
    if cat.to == "llava":
        from vlmkit.exports.llava import LlavaExport

        return LlavaExport(Path(target), cat.embed_rows, cat.rekey)
    return None
