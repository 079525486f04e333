"""From shards to a folder, shard by shard: in several processes, in parts, resumable after any kill."""

import os
from dataclasses import replace
from pathlib import Path

from vlmkit.errors import VlmkitError
from vlmkit.jobs.counts import Counts
from vlmkit.jobs.finish import committed_counts, finish_dataset
from vlmkit.jobs.inputs import ShardInput, count_samples, shard_inputs
from vlmkit.jobs.local import run_local
from vlmkit.jobs.options import JobOptions
from vlmkit.jobs.plan import Plan, existing_plan, freeze, is_committed, is_finished, withdraw
from vlmkit.jobs.progress import JobProgress
from vlmkit.jobs.result import Result
from vlmkit.jobs.slurm import array_of, part_of
from vlmkit.jobs.step import Step
from vlmkit.jobs.work import Work
from vlmkit.shards.dataset import own_folder
from vlmkit.shards.locations import Location


def run_over_shards(step: Step, locations: list[Location], target: Path, options: JobOptions, result: Result) -> None:
    """Does this process's part of what is left; whoever leaves no shard uncommitted finishes the dataset."""
    shards = limited(shard_inputs(locations), options.limit)
    if options.dry_run:
        result.counts = Counts.total(_run(Work(step, None), shards, options))
        return
    plan = Plan(step.name, {**step.options(), **options.deciding}, tuple(shards))
    plan = _frozen(plan, target, options.overwrite)
    rejects = _rejects_folder(options, target)
    if rejects is not None:
        freeze(plan, rejects, options.overwrite)
    if is_finished(target):
        result.already_done = True
        result.notes.append(f"{target} was already done")
    else:
        _run_rest(Work(step, target, rejects, options.only_fields), plan, options)
    result.counts = committed_counts(target, [shard.name for shard in plan.shards])
    left = [shard.name for shard in plan.shards if not is_committed(target, shard.name)]
    if left:
        result.notes.append(f"{len(left):,} of {len(plan.shards):,} shards are left to other parts")
    elif not result.already_done:
        finish_dataset(target, plan, locations, result.counts, rejects, options)


def limited(shards: list[ShardInput], limit: int | None) -> list[ShardInput]:
    """The shards that hold the first `limit` samples, the last of them cut."""
    if limit is None:
        return shards
    taken: list[ShardInput] = []
    for shard in shards:
        if limit <= 0:
            break
        taken.append(replace(shard, limit=limit))
        limit -= count_samples(shard.path)
    return taken


def default_workers() -> int:
    """The cores this process may use; SLURM's word goes first."""
    return int(os.environ.get("SLURM_CPUS_PER_TASK") or len(os.sched_getaffinity(0)))


def _frozen(plan: Plan, target: Path, overwrite: bool) -> Plan:
    """The folder's plan. An array's first task says how the array divides the work; its retries follow."""
    there = None if overwrite else existing_plan(target)
    if there is None:
        plan = replace(plan, array=array_of(os.environ))
    return freeze(plan, target, overwrite)


def _run_rest(work: Work, plan: Plan, options: JobOptions) -> None:
    assert work.target is not None
    part = options.explicit_part or part_of(os.environ, plan.array)
    mine = [shard for place, shard in enumerate(plan.shards) if part is None or part.has(place)]
    try:
        _run(work, [shard for shard in mine if not is_committed(work.target, shard.name)], options)
    except VlmkitError:
        if part is None:
            withdraw(work.target)
        raise


def _run(work: Work, shards: list[ShardInput], options: JobOptions) -> list[Counts]:
    total = sum(os.path.getsize(shard.path) for shard in shards if os.path.exists(shard.path))
    with JobProgress(work.step.name, total, options.quiet) as progress:
        return run_local(work, shards, options.workers or default_workers(), progress)


def _rejects_folder(options: JobOptions, target: Path) -> Path | None:
    """Rejects that go to one tar are kept as shards until all are there."""
    if options.rejects_tar:
        return own_folder(target) / "rejects"
    return Path(options.rejects) if options.rejects else None
