"""The history of a dataset: every command that made it, oldest first."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vlmkit.errors import VlmkitError
from vlmkit.inspection.findings import printable
from vlmkit.inspection.look import look
from vlmkit.jobs.inputs import ShardInput
from vlmkit.jobs.manifest import history
from vlmkit.jobs.report.stages import Stage
from vlmkit.shards.locations import STREAM, Location, open_shard
from vlmkit.shards.reader import STREAM_BEGIN
from vlmkit.shards.tar import DamagedTar, TarWindow

History = Sequence[Mapping[str, Any]]


def lineage_of(location: Location) -> History:
    """The history that manifests tell or, of a stream (under a name too), its last member. Raises VlmkitError if
    there is none."""
    found = list(history([location]))
    for shard in location.shards:
        if not found and (shard.path == STREAM or _is_stream(shard.path)):
            found += look([ShardInput(shard.name, shard.path)]).counts.earlier
    if not found:
        raise VlmkitError(f"{location.text} has no history", "only what vlmkit wrote has one, and only when finished")
    return found


def lineage_lines(steps: History) -> Iterator[str]:
    """The history for people: what was run, what came of it, and which versions were others than before."""
    versions: Mapping[str, Any] = {}
    for number, step in enumerate(steps, 1):
        stage = Stage.told(step)
        yield printable(f"{number}. {stage.command_line or stage.command}")
        yield printable(f"   in {stage.samples_in:,}, out {stage.samples_out:,}{_reasons(stage)}")
        now = step.get("versions") or {}
        if different := _different(versions, now):
            yield printable(f"   {'with' if number == 1 else 'other versions:'} {different}")
        versions = {**versions, **now}


def _reasons(stage: Stage) -> str:
    return "".join(f"; {share.text}: {share.count:,}" for share in stage.dropped)


def _different(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    changed = [
        f"{package} {version}" + (f" (was {before[package]})" if package in before else "")
        for package, version in now.items()
        if before.get(package) != version
    ]
    return ", ".join(changed)


def _is_stream(path: str) -> bool:
    with open_shard(path) as file:
        try:
            first = TarWindow(file).next_entry()
        except DamagedTar:
            return False
    return first is not None and first.name == STREAM_BEGIN
