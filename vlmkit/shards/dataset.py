"""The names of the files that make a folder a dataset. What they hold is the business of tables and jobs."""

import glob
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from vlmkit.shards.disk import Naming
from vlmkit.shards.paths import AnyPath
from vlmkit.shards.remote_path import RemotePath

_Path = TypeVar("_Path", bound=AnyPath)  # what lies in a folder lies where the folder does


def tar_path(folder: _Path, shard: str) -> _Path:
    return _in(folder, f"{shard}.tar")


def table_path(folder: _Path, shard: str) -> _Path:
    return _in(folder, f"{shard}.parquet")


def stats_path(folder: _Path, shard: str) -> _Path:
    """Written last: a shard with stats is committed."""
    return _in(folder, f"{shard}_stats.json")


def own_folder(folder: _Path) -> _Path:
    return _in(folder, ".vlmkit")


def plan_path(folder: _Path) -> _Path:
    return _in(own_folder(folder), "plan.json")


def manifest_path(folder: _Path) -> _Path:
    return _in(own_folder(folder), "manifest.json")


def numbered_shard(number: int) -> str:
    return f"{number:05d}"


def committed_shards(folder: AnyPath) -> list[str]:
    """The names of a folder's committed shards, in order."""
    return sorted(path.name.removesuffix("_stats.json") for path in folder.glob("*_stats.json"))


def read_json(path: AnyPath) -> dict[str, Any] | None:
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


def temporary_beside(final: Path) -> Path:
    """A hidden name for a file that has no folder of its own; what killed commands left under such names is removed."""
    final.parent.mkdir(parents=True, exist_ok=True)
    for left in final.parent.glob(f".{glob.escape(final.name)}.*"):
        if _is_orphan(left):
            left.unlink(missing_ok=True)
    return final.with_name(f".{final.name}.{os.uname().nodename}.{os.getpid()}")


def sweep_orphans(folder: AnyPath) -> None:
    """Removes what killed processes of this machine left half written in a dataset: it takes room, and is of no use.

    What other machines' processes write is left alone, since nobody here knows whether they live.
    """
    for left in (own_folder(folder) / "tmp").glob("*") if isinstance(folder, Path) else ():
        if _is_orphan(left) and left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        elif _is_orphan(left):
            left.unlink(missing_ok=True)


def _is_orphan(temporary: Path) -> bool:
    """Whether the process of this machine that the name ends with is no more."""
    name, _, process = temporary.name.rpartition(".")
    if not (process.isdecimal() and name.endswith(f".{os.uname().nodename}")):
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):  # somebody else's; no process
        return False
    return False


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
def committed(final: AnyPath, folder: AnyPath | None = None) -> Iterator[BinaryIO]:
    """A file to write that gets its final name when the block ends well, and is removed when it does not.

    Until then it has a temporary name in the dataset `folder` or, without one, beside the final name; what goes to a
    remote store lies on this machine, and is uploaded.
    """
    if isinstance(final, RemotePath):
        writing = final.written()
    else:
        assert not isinstance(folder, RemotePath)
        writing = renamed_when_whole(temporary_path(final, folder) if folder else temporary_beside(final), final)
    with writing as file:
        yield file


@contextmanager
def renamed_when_whole(temporary: Path, final: Path) -> Iterator[BinaryIO]:
    try:
        with Naming(final), open(temporary, "wb") as file:
            yield file
        commit(temporary, final)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def created(final: AnyPath, data: bytes, folder: AnyPath) -> bool:
    """Makes a file of the dataset `folder`, whole; False if it is there already, as it is for all but one of several
    that try at once."""
    if isinstance(final, RemotePath):
        return final.create(data)
    assert not isinstance(folder, RemotePath)
    temporary = temporary_path(final, folder)
    try:
        with Naming(final):
            temporary.write_bytes(data)
        os.link(temporary, final)  # fails if the name is taken, as O_EXCL would
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def write_json(path: AnyPath, value: dict[str, Any], folder: AnyPath) -> None:
    with committed(path, folder) as file:
        file.write(json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n")


def _in(folder: _Path, name: str) -> _Path:
    return cast(_Path, folder / name)
