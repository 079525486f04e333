"""Checks what lies beside the shards of a folder: tables, stats, the plan and the manifest."""

from collections.abc import Iterator
from contextlib import contextmanager

from pyarrow import ArrowException

from vlmkit.errors import VlmkitError
from vlmkit.inspection.findings import Findings
from vlmkit.inspection.folders import unfinished
from vlmkit.inspection.tables import TableCheck, has_keys
from vlmkit.jobs.counts import Counts
from vlmkit.shards.dataset import manifest_path, plan_path, read_json, stats_path, table_path, tar_path
from vlmkit.shards.paths import AnyPath


def check_folder(folder: AnyPath, shards: set[str], findings: Findings) -> None:
    """Looks for what is missing: the end of the work, tars that a table speaks of, tables and stats of a shard."""
    if work := unfinished(folder):
        findings.defect(str(plan_path(folder)), 0, "", f"unfinished: {work}")
    tables = {path.stem for path in folder.glob("*.parquet")}
    for name in sorted(tables - shards):
        _check_lone_table(table_path(folder, name), findings)
    if manifest_path(folder).exists():
        _check_whole(folder, shards, findings)


@contextmanager
def readable(path: AnyPath, findings: Findings) -> Iterator[None]:
    """A block that reads a sidecar: if it can't be read, that is one more defect."""
    try:
        yield
    except (VlmkitError, ArrowException, ValueError, OSError) as error:
        findings.defect(str(path), 0, "", f"can't be read ({str(error).splitlines()[0]})")


def check_stats(table: TableCheck, findings: Findings) -> None:
    """Compares a shard's stats with its table."""
    path = stats_path(table.path.parent, table.path.stem)
    with readable(path, findings):
        for what in table.stats_defects():
            findings.defect(str(path), 0, "", what)


def _check_lone_table(path: AnyPath, findings: Findings) -> None:
    """A shard that keeps nothing has a table and no tar."""
    with readable(path, findings):
        if not has_keys(path):
            return
        table = TableCheck(path)
        for offset, key, what in table.finish(read_to=0):
            findings.defect(str(tar_path(path.parent, path.stem)), offset, key, f"no such tar: {what}")
        check_stats(table, findings)


def _check_whole(folder: AnyPath, shards: set[str], findings: Findings) -> None:
    """A manifest says that every shard is committed, and what they hold together."""
    committed = {path.name.removesuffix("_stats.json") for path in folder.glob("*_stats.json")}
    for name in sorted(shards | committed):
        for path in (table_path(folder, name), stats_path(folder, name)):
            if not path.exists():
                findings.defect(str(path), 0, "", "missing: the shard is not committed")
    with readable(manifest_path(folder), findings):
        stated = Counts.from_json((read_json(manifest_path(folder)) or {}).get("counts", {}))
        stats = [read_json(stats_path(folder, name)) or {} for name in sorted(committed)]
        for name in ("samples_in", "samples_out"):
            there = sum(value.get(name, 0) for value in stats)
            if getattr(stated, name) != there:
                what = f"{name} is {getattr(stated, name):,}, and the shards' stats add up to {there:,}"
                findings.defect(str(manifest_path(folder)), 0, "", what)
