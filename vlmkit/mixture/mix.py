"""Writes a mix: its samples as shards, in the plan's order, or its recipe."""

import json
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

from vlmkit.errors import VlmkitError
from vlmkit.jobs.counts import Counts
from vlmkit.jobs.flow import Flow
from vlmkit.jobs.inputs import shard_inputs
from vlmkit.jobs.job import run_flow
from vlmkit.jobs.options import JobOptions
from vlmkit.jobs.result import closing
from vlmkit.jobs.step import Dropped, Kept, Outcome
from vlmkit.mixture.plan import SamplePlan
from vlmkit.mixture.recipe import SUFFIXES, Recipe, absolute, read_recipe
from vlmkit.mixture.recipe_file import dump_recipe
from vlmkit.shards.dataset import committed
from vlmkit.shards.locations import locate
from vlmkit.shards.paths import AnyPath, path_at

_UNFIT = ("limit", "only", "rejects", "report", "samples_per_shard", "bytes_per_shard")  # for a recipe


def run_mix(inputs: Sequence[str], target: str, samples: int | None, seed: int | None, options: JobOptions) -> int:
    """Mixes the inputs into a folder, a stream or, if it is called .yaml, a recipe; returns the exit status.

    Raises VlmkitError before anything is made if the recipe can't be followed.
    """
    recipe = read_recipe(inputs, samples, seed)
    if target.endswith(SUFFIXES):
        return _write_recipe(recipe, path_at(target), options)
    with closing("mix", options) as result:
        plan = SamplePlan(recipe)
        locations = locate(list(dict.fromkeys(part.location for part in recipe.parts)))
        outcomes = partial(_outcomes, plan, options.limit)
        flow = Flow("mix", {**_told(recipe), **options.deciding}, outcomes, shard_inputs(locations), locations)
        run_flow(flow, target, options, result)
        result.notes += [f"{source}: {what}" for source, what in _shares(plan).items()]
    return result.status(options.max_bad)


def _outcomes(plan: SamplePlan, limit: int | None, counts: Counts) -> Iterator[Outcome]:
    """First what overlays drop, which is no part of the plan; then the plan, under keys that say the source."""
    counts.damage += plan.damage
    for index in dict.fromkeys(plan.indexes):
        source = plan.sources[plan.indexes.index(index)]
        for dropped in index.dropped_samples():
            sample = dropped.sample.renamed(f"{source}/{dropped.sample.key}")
            counts.bytes_in += sample.size_bytes
            yield Dropped(sample, dropped.reason)
    for sample in islice(plan, limit):
        counts.bytes_in += sample.size_bytes
        yield Kept(sample.renamed(f"{sample.row['source']}/{sample.key}"))


def _told(recipe: Recipe) -> dict[str, Any]:
    sources = [[part.location, part.weight] for part in recipe.parts]
    return {"sources": sources, "samples": recipe.samples, "seed": recipe.seed}


def _shares(plan: SamplePlan) -> dict[str, str]:
    """For each source, how much of it is in the plan and how much of the plan it is."""
    told = {}
    for source, index, count in zip(plan.sources, plan.indexes, plan.counts(), strict=True):
        passes = f" ({count / len(index):.3g} times over)" if count > len(index) else ""
        told[source] = f"{count:,} samples, {count / len(plan):.1%} of the mix, from {len(index):,}{passes}"
    return told


def _write_recipe(recipe: Recipe, target: AnyPath, options: JobOptions) -> int:
    if unfit := [name for name in _UNFIT if getattr(options, name) is not None]:
        option = f"--{unfit[0].replace('_', '-')}"
        raise VlmkitError(f"{option} has no place in a recipe", "give it to the command that reads the recipe")
    plan, text = SamplePlan(recipe), dump_recipe(absolute(recipe))
    there = target.read_bytes() if target.exists() else None
    if there not in (None, text) and not options.overwrite:
        raise VlmkitError(f"{target} exists, and is another recipe", "choose another name, or --overwrite it")
    if there != text and not options.dry_run:
        with committed(target) as file:
            file.write(text)
    if not options.quiet:
        lines = [f"{target}: {len(plan):,} samples", *(f"  {name}: {what}" for name, what in _shares(plan).items())]
        print("\n".join(lines), file=sys.stderr)
    if options.json:
        counts = dict(zip(plan.sources, plan.counts(), strict=True))
        print(json.dumps({"command": "mix", "samples": len(plan), "sources": counts}), file=sys.stderr)
    return 0
