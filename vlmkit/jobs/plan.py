"""The plan of a job: what it reads, what it does, how it is divided. Frozen before any work, so that whoever comes
later, after a kill or as another task of an array, does the same."""

import json
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from vlmkit.errors import VlmkitError
from vlmkit.jobs.inputs import ShardInput, table_beside
from vlmkit.jobs.slurm import Array
from vlmkit.shards.dataset import (
    committed_shards,
    created,
    own_folder,
    plan_path,
    read_json,
    stats_path,
    sweep_orphans,
    table_path,
    tar_path,
)
from vlmkit.shards.locations import STREAM
from vlmkit.shards.paths import AnyPath, file_states, path_at, real_name, remove_folder, remove_if_empty
from vlmkit.shards.remote_path import RemotePath
from vlmkit.shards.store import for_all

_NUMBERED = re.compile(r"(\d{5,})(\.tar|\.parquet|_stats\.json)")
_EXPORTED = re.compile(r"images|llava\.json|data\.jsonl|train-\d{5,}-of-\d{5,}\.parquet")  # vlmkit cat --to
_REMEDY = "repeat the command as it was, choose another output, or start over with --overwrite"


@dataclass(frozen=True)
class Plan:
    """`options` are those that decide the result. `shards` are the inputs; their output shards have the same names,
    unless the job is `rolling`: then new shards with running numbers are made from all of them together.
    `array` is how the SLURM array that began the work divides it.
    """

    command: str
    options: Mapping[str, Any]
    shards: tuple[ShardInput, ...]
    rolling: bool = False
    array: Array | None = None

    def as_json(self) -> dict[str, Any]:
        states = file_states(path for shard in self.shards for path in _files(shard))
        inputs = [{**asdict(shard), "files": _states(shard, states)} for shard in self.shards]
        value: dict[str, Any] = json.loads(json.dumps({**asdict(self), "shards": inputs}))
        return value

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Plan":
        shards = tuple(
            ShardInput(s["name"], s["path"], tuple(s["overlays"]), s["source"], s["limit"]) for s in value["shards"]
        )
        array = Array(**value["array"]) if value["array"] else None
        return cls(value["command"], value["options"], shards, value["rolling"], array)


def freeze(plan: Plan, folder: AnyPath, overwrite: bool = False) -> Plan:
    """Writes the plan into the output folder, or finds the same one there and returns that.

    Raises VlmkitError if the folder is not vlmkit's, or holds the work of another command, other options or inputs.
    """
    cleared = overwrite and clear(folder)
    if not plan_path(folder).exists():
        if not cleared:  # else what is left in it is other people's, and stays
            _check_empty(folder)
        _publish(plan, folder)
    sweep_orphans(folder)
    there = read_json(plan_path(folder)) or {}
    _check_same(there, plan.as_json(), folder)
    return Plan.from_json(there)


def freeze_with_rejects(plan: Plan, folder: AnyPath, rejects: AnyPath | None, overwrite: bool = False) -> Plan:
    """Freezes the plan in the output folder and in that of the rejects, or in neither."""
    _check_apart(plan, folder, rejects)
    frozen = freeze(plan, folder, overwrite)
    if rejects is not None:
        try:
            freeze(frozen, rejects, overwrite)
        except VlmkitError:
            withdraw(folder)
            raise
    return frozen


def existing_plan(folder: AnyPath) -> Plan | None:
    there = read_json(plan_path(folder)) if plan_path(folder).exists() else None
    return Plan.from_json(there) if there else None


def uncommitted(shards: list[ShardInput], folder: AnyPath) -> list[ShardInput]:
    """Those of the shards that are left to do."""
    done = set(committed_shards(folder))
    return [shard for shard in shards if shard.name not in done]


def clear(folder: AnyPath) -> bool:
    """Removes what the folder's plan lists, and nothing else. False if there is no plan."""
    there = existing_plan(folder)
    if there is None:
        return False
    clear_shards(there, folder)
    remove_folder(own_folder(folder))
    return True


def clear_shards(plan: Plan, *folders: AnyPath | None) -> None:
    for folder in (folder for folder in folders if folder is not None):
        names = [shard.name for shard in plan.shards]
        if plan.rolling:
            found = map(_NUMBERED.fullmatch, (path.name for path in folder.glob("*")))
            names = sorted({match[1] for match in found if match})
        for_all(partial(_clear_shard, folder), names)
        for path in folder.iterdir() if plan.options.get("to") and isinstance(folder, Path) else ():
            if _EXPORTED.fullmatch(path.name):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def withdraw(*folders: AnyPath | None) -> None:
    """Takes the plan back where nothing has come of it, so that a corrected command may use the folders.

    Answers that were paid for are something.
    """
    for folder in (folder for folder in folders if folder is not None):
        if not any(folder.glob("*_stats.json")) and not (own_folder(folder) / "answers").exists():
            remove_folder(own_folder(folder))
            remove_if_empty(folder)


def _publish(plan: Plan, folder: AnyPath) -> None:
    """Of several tasks that start at once, one makes the plan; the others find it there."""
    said = {"command_line": shlex.join(["vlmkit", *sys.argv[1:]]), **plan.as_json()}  # for whoever is to finish it
    created(plan_path(folder), json.dumps(said, indent=1).encode(), folder)


def _check_apart(plan: Plan, folder: AnyPath, rejects: AnyPath | None) -> None:
    """An output that is also an input would be written, or cleared, while it is read."""
    paths = {path for shard in plan.shards if not shard.is_stream for path in (shard.path, *shard.overlays)}
    read = {real_name(parent) for parent in {path_at(path).parent for path in paths}}
    for output in (folder, rejects):
        if output is not None and real_name(output) in read:
            raise VlmkitError(f"{output} is also an input", "choose another output folder")
    if rejects is not None and real_name(rejects) == real_name(folder):
        raise VlmkitError(f"--rejects {rejects} is also the output", "choose another folder for what is dropped")


def _check_empty(folder: AnyPath) -> None:
    if folder.exists() and not folder.is_dir():
        raise VlmkitError(f"{folder} is a file", "an output is a folder, a name ending in .tar, or -")
    strangers = [path for path in folder.iterdir() if path != own_folder(folder)] if folder.exists() else []
    if strangers and not plan_path(folder).exists():  # else another task has just begun: its plan came first
        raise VlmkitError(f"{folder} is not empty, and vlmkit did not make it", "choose another output folder")


def _check_same(there: dict[str, Any], here: dict[str, Any], folder: AnyPath) -> None:
    differences = list(_differences(there, here))
    if differences:
        raise VlmkitError(f"{folder} was made in another way: {'; '.join(differences)}", _REMEDY)


def _differences(there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    if there["command"] != here["command"]:
        return [f"by vlmkit {there['command']}"]
    names = sorted({*there["options"], *here["options"]})
    found = [
        f"{name} was {there['options'].get(name)!r} and is now {here['options'].get(name)!r}"
        for name in names
        if there["options"].get(name) != here["options"].get(name)
    ]
    if there["shards"] != here["shards"]:
        found.append(_input_difference(there["shards"], here["shards"]))
    return found


def _input_difference(there: list[dict[str, Any]], here: list[dict[str, Any]]) -> str:
    if len(there) != len(here):
        return f"from {len(there)} input shards, now there are {len(here)}"
    first = next(new["path"] for old, new in zip(there, here, strict=True) if old != new)
    return f"the input {first} is another or has changed"


def _files(shard: ShardInput) -> list[AnyPath]:
    """The tars that are read for a shard, and the tables beside them."""
    tars = [path for path in (shard.path, *shard.overlays) if path != STREAM]
    return [file for tar in tars for file in (path_at(tar), table_beside(tar))]


def _states(shard: ShardInput, states: Mapping[AnyPath, tuple[int, int | str]]) -> list[tuple[str, int, int | str]]:
    """Name, size, and time of change or version of the files that are read, so that a rerun notices other ones under
    the same names. Raises VlmkitError if the shard is not there: of ranges in a store this shows only now.
    """
    tar = path_at(shard.path)
    if isinstance(tar, RemotePath) and tar not in states:
        raise VlmkitError(f"no such tar: {shard.path}", "check the range, and that you may read all of it")
    return [(file.name, *states[file]) for file in _files(shard) if file in states]


def _clear_shard(folder: AnyPath, name: str) -> None:
    for path in (stats_path(folder, name), table_path(folder, name), tar_path(folder, name)):
        path.unlink(missing_ok=True)
