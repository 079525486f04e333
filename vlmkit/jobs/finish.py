"""The end of a dataset: when every shard is committed, its manifest and report are written, and it is whole."""

from typing import Any

from vlmkit.jobs.counts import Counts
from vlmkit.jobs.manifest import entry, history, write_manifest
from vlmkit.jobs.options import JobOptions
from vlmkit.jobs.plan import Plan
from vlmkit.jobs.report.page import report_path, write_page, write_report
from vlmkit.jobs.result import Result
from vlmkit.jobs.stream_store import StreamStore, stream_target
from vlmkit.shards.dataset import (
    committed_shards,
    manifest_path,
    own_folder,
    read_json,
    stats_path,
    table_path,
    tar_path,
)
from vlmkit.shards.locations import Location, open_shard
from vlmkit.shards.paths import AnyPath, path_at
from vlmkit.shards.reader import ShardReader
from vlmkit.shards.store import for_all
from vlmkit.tables.rows import read_rows


def finish_dataset(
    folder: AnyPath, plan: Plan, locations: list[Location], result: Result, rejects: AnyPath | None, options: JobOptions
) -> None:
    """Writes manifests and report. Several parts may do so at once: what they write is the same, and appears whole."""
    own, before, counts = entry(plan, locations), history(locations), result.counts
    if rejects is not None:
        finish_rejects(rejects, [*before, own])
        if options.rejects_tar is not None:
            _join(rejects, committed_shards(rejects), options.rejects_tar, [*before, own])
    write_report(folder, plan, own, before, counts, options.report, rejects)
    write_manifest(folder, own, before, counts, result.seconds)
    _sweep(folder)


def already_done(folder: AnyPath, options: JobOptions, result: Result) -> bool:
    """Whether the dataset is whole; if so, the result is what it was."""
    manifest = read_json(manifest_path(folder))
    if manifest is None:
        return False
    result.already_done = True
    result.counts = Counts.from_json(manifest["counts"])
    result.notes.append(f"{folder} was already done")
    if options.report is not None:
        write_page(report_path(folder).read_bytes(), path_at(options.report))
    return True


def finish_rejects(folder: AnyPath, steps: list[dict[str, Any]]) -> None:
    """Makes the folder of the dropped samples a whole dataset; the last of `steps` is the one that dropped them."""
    *before, own = steps
    counts = committed_counts(folder, committed_shards(folder))
    write_manifest(folder, own, before, counts, counts.seconds)
    _sweep(folder)


def committed_counts(folder: AnyPath, names: list[str]) -> Counts:
    """The sum of the stats of those shards that are committed."""
    stats = for_all(lambda name: read_json(stats_path(folder, name)), names)
    return Counts.total(Counts.from_json(value) for value in stats if value is not None)


def _join(rejects: AnyPath, names: list[str], target: AnyPath, steps: list[dict[str, Any]]) -> None:
    """Joins the shards of the rejects into one tar, each sample with its row, which says why it was dropped."""
    with stream_target(str(target)) as file:
        store = StreamStore(file, steps, verdicts=True)
        for name in names:
            path = tar_path(rejects, name)
            rows = read_rows(table_path(rejects, name)) if path.exists() else {}
            for sample in ShardReader(open_shard(str(path)), str(path)) if rows else ():
                store.put(sample, rows[sample.key])
        store.finish()


def _sweep(folder: AnyPath) -> None:
    """Removes what killed runs left half written: every shard is committed by now."""
    for path in (own_folder(folder) / "tmp").glob("*_stats.json.*"):
        path.unlink(missing_ok=True)
    for suffix in ("tar", "parquet"):
        for path in (own_folder(folder) / "tmp").glob(f"*.{suffix}.*"):
            path.unlink(missing_ok=True)
