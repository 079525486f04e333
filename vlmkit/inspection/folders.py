"""Folders as they are, finished or not: where their shards are, and what is left of the work that makes them."""

import os
from dataclasses import dataclass, replace
from typing import Any

from vlmkit.errors import VlmkitError
from vlmkit.shards.dataset import manifest_path, plan_path, read_json, stats_path
from vlmkit.shards.locations import STREAM, Location, locate
from vlmkit.shards.paths import AnyPath, path_at


@dataclass(frozen=True)
class Unfinished:
    """Work that has a plan and has not come to its end. `left` is unknown (None) where a job makes new shards of
    whatever comes: it starts from the beginning."""

    command: str
    committed: int
    left: int | None

    def __str__(self) -> str:
        if self.left is None:
            return f"run it again, it starts from the beginning: {self.command}"
        return f"{self.committed:,} of {self.committed + self.left:,} shards are done; run again: {self.command}"


def find(texts: list[str]) -> list[Location]:
    """The inputs of a command line. A folder of which nothing has been committed yet counts as one too."""
    return [location for text in texts for location in (_begun(text) or locate([text]))]


def parts(locations: list[Location]) -> list[Location]:
    """The locations, each with those that are laid over it."""
    return [part for location in locations for part in (location, *location.overlays)]


def unfinished(folder: AnyPath | None) -> Unfinished | None:
    """What is left to do in a folder that vlmkit makes; None if nothing is, or the folder is not vlmkit's.

    Raises VlmkitError for a plan that can't be read.
    """
    try:
        plan = read_json(plan_path(folder)) if folder else None
    except ValueError as error:
        raise VlmkitError(f"{folder}/.vlmkit/plan.json is no JSON", "make the folder anew with --overwrite") from error
    if folder is None or plan is None or manifest_path(folder).exists():
        return None
    committed = sum(1 for _ in folder.glob("*_stats.json"))
    names = [shard["name"] for shard in plan.get("shards", [])]
    left = sum(1 for name in names if not stats_path(folder, name).exists())
    return Unfinished(_command(plan), committed, None if plan.get("rolling") else left)


def _begun(text: str) -> list[Location]:
    """A folder with a plan, no manifest, and no tar. Such a folder is no input for a job."""
    folder = path_at(text)
    if not text or text == STREAM or not folder.is_dir() or unfinished(folder) is None:
        return []
    if any(folder.glob("*.tar")):
        return []
    return [replace(Location(text, (), folder.name), folder=folder)]


def _command(plan: dict[str, Any]) -> str:
    """The command line that made the plan or, if the plan does not tell it, what the plan knows of it."""
    if line := plan.get("command_line"):
        return str(line)
    inputs = sorted({os.path.dirname(shard["path"]) or shard["path"] for shard in plan.get("shards", [])})
    options = [f"{name} {value}" for name, value in plan["options"].items() if value not in (None, False, [], {})]
    words = ["vlmkit", plan["command"], *(["on", *inputs] if inputs else []), *(["with"] if options else [])]
    return " ".join(words) + " " + ", ".join(options) if options else " ".join(words)
