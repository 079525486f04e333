"""Checks datasets: names what is wrong in each tar, and with what lies beside it."""

from collections.abc import Callable
from dataclasses import dataclass

from vlmkit.inspection.findings import Finding, Findings
from vlmkit.inspection.folders import parts
from vlmkit.inspection.sidecars import check_folder, check_stats, readable
from vlmkit.inspection.tables import TableCheck, existing_table, has_keys
from vlmkit.inspection.tar_check import TarCheck
from vlmkit.shards.locations import Location


@dataclass(frozen=True)
class Depth:
    """How closely to look: `decode` decodes every picture to its last pixel, `webdataset` cross-reads with it."""

    decode: bool = False
    webdataset: bool = True


def check(locations: list[Location], depth: Depth, say: Callable[[Finding], None]) -> Findings:
    """Checks all shards of the inputs and of what is laid over them; tells `say` of each defect as it is found."""
    findings = Findings(say)
    for location in parts(locations):
        for shard in location.shards:
            findings.shards += 1
            _check_shard(shard.path, depth, findings)
        if location.folder is not None:
            check_folder(location.folder, {shard.name for shard in location.shards}, findings)
    return findings


def _check_shard(path: str, depth: Depth, findings: Findings) -> None:
    beside, table = existing_table(path), None
    if beside is not None:
        with readable(beside, findings):
            table = TableCheck(beside) if has_keys(beside) else None
    TarCheck(path, findings, table, depth.decode, depth.webdataset).run()
    if table is not None:
        check_stats(table, findings)
