"""The names of the files that make a folder a dataset. What they hold is the business of tables and jobs."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


def tar_path(folder: Path, shard: str) -> Path:
    return folder / f"{shard}.tar"


def table_path(folder: Path, shard: str) -> Path:
    return folder / f"{shard}.parquet"


def stats_path(folder: Path, shard: str) -> Path:
    """Written last: a shard with stats is committed."""
    return folder / f"{shard}_stats.json"


def own_folder(folder: Path) -> Path:
    return folder / ".vlmkit"


def plan_path(folder: Path) -> Path:
    return own_folder(folder) / "plan.json"


def manifest_path(folder: Path) -> Path:
    return own_folder(folder) / "manifest.json"


def numbered_shard(number: int) -> str:
    return f"{number:05d}"


def committed_shards(folder: Path) -> list[str]:
    """The names of a folder's committed shards, in order."""
    return sorted(path.name.removesuffix("_stats.json") for path in folder.glob("*_stats.json"))


def read_json(path: Path) -> dict[str, Any] | None:
    """What a JSON file says, None if there is none."""
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return value


def temporary_path(path: Path, folder: Path) -> Path:
    """A name in the dataset's own temporary folder, so that no half-written file lies beside the shards."""
    room = own_folder(folder) / "tmp"
    room.mkdir(parents=True, exist_ok=True)
    return room / f"{path.name}.{os.uname().nodename}.{os.getpid()}"


def commit(temporary: Path, final: Path) -> None:
    """Makes a finished file appear under its final name, whole or not at all, even if the power fails."""
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())
    os.rename(temporary, final)
    directory = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextmanager
def committed(final: Path, folder: Path) -> Iterator[BinaryIO]:
    """A file to write that gets its final name when the block ends well, and is removed when it does not."""
    with renamed_when_whole(temporary_path(final, folder), final) as file:
        yield file


@contextmanager
def renamed_when_whole(temporary: Path, final: Path) -> Iterator[BinaryIO]:
    try:
        with open(temporary, "wb") as file:
            yield file
        commit(temporary, final)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: dict[str, Any], folder: Path) -> None:
    with committed(path, folder) as file:
        file.write(json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n")
