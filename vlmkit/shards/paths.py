"""Files and folders that lie on this machine or in a remote store: one way to look at them, read and remove them."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from vlmkit.shards.remote_path import RemotePath
from vlmkit.shards.store import for_all, store_of, tried

_URL = re.compile(r"[a-z][a-z0-9+]*://")

AnyPath = Path | RemotePath


def is_url(text: str) -> bool:
    return _URL.match(text) is not None


def path_at(text: str | Path) -> AnyPath:
    """What a user names, as a path: of this machine, also for file://, or of a remote store."""
    if isinstance(text, Path) or not is_url(text):
        return Path(text)
    return Path(text.removeprefix("file://")) if text.startswith("file://") else RemotePath(text)


def size_bytes(path: AnyPath) -> int:
    return path.stat().st_size if isinstance(path, Path) else path.size_bytes()


def real_name(path: AnyPath) -> str:
    """Equal for paths of one file or folder."""
    return os.path.realpath(path) if isinstance(path, Path) else str(path)


def remove_folder(folder: AnyPath) -> None:
    """Removes a folder and all that is in it, if it is there."""
    if isinstance(folder, Path):
        shutil.rmtree(folder, ignore_errors=True)
        return
    store, path = store_of(str(folder))
    with suppress(FileNotFoundError):
        tried(str(folder), lambda: store.rm(path, recursive=True))


def remove_if_empty(folder: AnyPath) -> None:
    """A store has no empty folders."""
    if isinstance(folder, Path) and folder.exists() and not any(folder.iterdir()):
        folder.rmdir()


def file_states(paths: Iterable[AnyPath]) -> dict[AnyPath, tuple[int, int | str]]:
    """Size and time of change or version of those files that are there. A store is asked for a listing of each of
    their folders, since thousands of single questions would take minutes.
    """
    wanted = set(paths)
    states: dict[AnyPath, tuple[int, int | str]] = {}
    for path in wanted:
        if isinstance(path, Path) and path.exists():
            states[path] = path.stat().st_size, path.stat().st_mtime_ns
    for folder in {path.parent for path in wanted if isinstance(path, RemotePath)}:
        within = [path for path in wanted if isinstance(path, RemotePath) and path.parent == folder]
        states |= {path: state for path, state in folder.states(within).items() if path in wanted}
    return states


@contextmanager
def copied_here(paths: Sequence[AnyPath]) -> Iterator[list[Path]]:
    """The files by names on this machine, for what can't read them elsewhere: those of a store are copied into a
    temporary folder that goes when the block ends.
    """
    with tempfile.TemporaryDirectory(prefix="vlmkit-") as room:

        def here(place: int) -> Path:
            path = paths[place]
            if isinstance(path, Path):
                return path
            copy = Path(room) / f"{place}-{path.name}"
            copy.write_bytes(path.read_bytes())
            return copy

        yield for_all(here, range(len(paths)))
