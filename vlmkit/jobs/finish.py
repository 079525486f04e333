"""The end of a dataset: when every shard is committed, its manifest and report are written, and it is whole."""

from pathlib import Path
from typing import Any

from vlmkit.jobs.counts import Counts
from vlmkit.jobs.manifest import entry, history, write_manifest
from vlmkit.jobs.options import JobOptions
from vlmkit.jobs.plan import Plan
from vlmkit.jobs.report import write_report
from vlmkit.jobs.stream_store import StreamStore, stream_target
from vlmkit.shards.dataset import own_folder, read_json, stats_path, table_path, tar_path
from vlmkit.shards.locations import Location, open_shard
from vlmkit.shards.reader import ShardReader
from vlmkit.tables.rows import read_rows


def finish_dataset(
    folder: Path, plan: Plan, locations: list[Location], counts: Counts, rejects: Path | None, options: JobOptions
) -> None:
    """Writes manifests and report. Several parts may do so at once: what they write is the same, and appears whole."""
    own, before = entry(plan, locations), history(locations)
    if rejects is not None:
        names = output_names(rejects)
        write_manifest(rejects, own, before, committed_counts(rejects, names))
        if options.rejects_tar is not None:
            _join(rejects, names, options.rejects_tar, [*before, own])
    write_report(folder, plan, own, before, counts, options.report)
    write_manifest(folder, own, before, counts)
    _sweep(folder)


def output_names(folder: Path) -> list[str]:
    """The committed shards of a folder."""
    return sorted(path.name.removesuffix("_stats.json") for path in folder.glob("*_stats.json"))


def committed_counts(folder: Path, names: list[str]) -> Counts:
    """The sum of the stats of those shards that are committed."""
    stats = [read_json(stats_path(folder, name)) for name in names]
    return Counts.total(Counts.from_json(value) for value in stats if value is not None)


def _join(rejects: Path, names: list[str], target: Path, steps: list[dict[str, Any]]) -> None:
    """Joins the shards of the rejects into one tar, each sample with its row, which says why it was dropped."""
    with stream_target(str(target)) as file:
        store = StreamStore(file, steps, verdicts=True)
        for name in names:
            path = tar_path(rejects, name)
            rows = read_rows(table_path(rejects, name)) if path.exists() else {}
            for sample in ShardReader(open_shard(str(path)), str(path)) if rows else ():
                store.put(sample, rows[sample.key])
        store.finish()


def _sweep(folder: Path) -> None:
    """Removes what killed runs left half written: every shard is committed by now."""
    for path in (own_folder(folder) / "tmp").glob("*_stats.json.*"):
        path.unlink(missing_ok=True)
    for suffix in ("tar", "parquet"):
        for path in (own_folder(folder) / "tmp").glob(f"*.{suffix}.*"):
            path.unlink(missing_ok=True)
