"""Where shards lie: folders, tars, brace ranges, globs, lists, overlays, pipes and fsspec URLs."""

import glob
import os
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

from vlmkit.errors import VlmkitError
from vlmkit.shards.dataset import plan_path

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.zst")
STREAM = "-"

_COMPRESSED = {".gz": "gzip", ".tgz": "gzip", ".zst": "zstd"}
_URL = re.compile(r"[a-z][a-z0-9+]*://")


@dataclass(frozen=True)
class Shard:
    """One tar of a location: its name (the file's, without suffixes) and its path or URL."""

    name: str
    path: str


@dataclass(frozen=True)
class Location:
    """One input: shards in order, and the locations that are laid over them, the last on top.

    `text` is what the user wrote; `source` names the input in the keys of a command that has several; `folder` is
    the local folder that the location is, if it is one, with whatever lies beside the shards.
    """

    text: str
    shards: tuple[Shard, ...]
    source: str
    folder: Path | None = None
    overlays: tuple["Location", ...] = ()

    @property
    def is_stream(self) -> bool:
        return self.text == STREAM


def locate(texts: list[str]) -> list[Location]:
    """The inputs that a command line names: each argument may join several with `::`, or be `@list.txt`."""
    locations = [_overlaid(part) for text in texts for part in _expanded(text)]
    if sum(location.is_stream for location in locations) > 1:
        raise VlmkitError("- is named twice, and standard input can be read once", "name it once")
    return locations


def open_shard(path: str) -> BinaryIO:
    """Opens a tar for reading, decompressed; `-` is standard input. Raises VlmkitError if it can't be read."""
    if path == STREAM:
        if sys.stdin.isatty():
            raise VlmkitError("- reads a tar from standard input, and that is a terminal", "put a pipe in front of it")
        return sys.stdin.buffer
    try:
        raw = _open(path)
    except OSError as error:
        raise VlmkitError(f"{path}: {error.strerror or error}", "check the path and its permissions") from error
    except (ImportError, ValueError) as error:  # fsspec's: a protocol without its package, or unknown
        raise VlmkitError(f"{path}: {error}", "check the URL, and install what its protocol needs") from error
    compression = next((name for suffix, name in _COMPRESSED.items() if path.endswith(suffix)), None)
    if compression is None:
        return raw
    import pyarrow

    return cast(BinaryIO, pyarrow.CompressedInputStream(raw, compression))


def shard_name(path: str) -> str:
    name = path.rstrip("/").rsplit("/", 1)[-1]
    suffix = next((s for s in sorted(TAR_SUFFIXES, key=len, reverse=True) if name.endswith(s)), "")
    return name[: len(name) - len(suffix)]


def _open(path: str) -> BinaryIO:
    if _URL.match(path):
        import fsspec

        return cast(BinaryIO, fsspec.open(path, "rb").open())
    return open(path, "rb", buffering=0)


def _expanded(text: str, lists: tuple[str, ...] = ()) -> list[str]:
    if not text.startswith("@"):
        return text.split("::")
    if text in lists:
        raise VlmkitError(f"{text} names itself", "a list may name other lists, but not those that it stands in")
    return [part for line in _read_list(text[1:]) for part in _expanded(line, (*lists, text))]


def _read_list(path: str) -> list[str]:
    try:
        lines = [line.strip() for line in Path(path).read_text("utf-8").split("\n")]
    except (OSError, UnicodeDecodeError) as error:
        raise VlmkitError(f"no list of inputs at {path}", "@FILE names a text file with one location a line") from error
    return [line for line in lines if line and not line.startswith("#")]


def _overlaid(text: str) -> Location:
    base, *tops = text.split("/+")
    location = _location(base)
    if not tops:
        return location
    if location.is_stream:
        raise VlmkitError(f"{text}: nothing can be laid over a stream", "write the stream to a folder first")
    return replace(location, text=text, overlays=tuple(_location(top) for top in tops))


def _location(text: str) -> Location:
    if text == STREAM:
        return Location(text, (Shard(STREAM, STREAM),), "stdin")
    paths = [path for pattern in _braces(text) for path in _paths(pattern)]
    shards = tuple(Shard(shard_name(path), path) for path in paths)
    _check_names(text, shards)
    return Location(text, shards, _source(text), Path(text) if os.path.isdir(text) else None)


def _source(text: str) -> str:
    """The base name, with what is special in a range or a glob, and dots (which end a key), as dashes."""
    return re.sub(r"[{}*?\[\],.]+", "-", shard_name(text)).strip("-") or "input"


def _braces(text: str) -> list[str]:
    if "{" not in text:
        return [text]
    from braceexpand import braceexpand

    try:
        return list(braceexpand(text))
    except ValueError as error:
        raise VlmkitError(f"{text}: unbalanced braces", "a range is written '{00000..00099}.tar', in quotes") from error


def _paths(pattern: str) -> list[str]:
    if _URL.match(pattern):
        return [pattern]
    if os.path.isdir(pattern):
        return _tars_in(pattern)
    if os.path.exists(pattern):
        return [pattern]
    if re.search(r"[*?\[]", pattern):
        if found := sorted(glob.glob(pattern)):
            return found
        raise VlmkitError(
            f"no file matches {pattern}", "check the pattern; quote it if the shell should leave it alone"
        )
    raise VlmkitError(f"no such folder or tar: {pattern}", "check the path; an input is a folder of tars, a tar, or -")


def _tars_in(folder: str) -> list[str]:
    entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
    tars = sorted(entry.path for entry in entries if entry.name.endswith(TAR_SUFFIXES))
    if not tars and not plan_path(Path(folder)).exists():  # a dataset may have dropped all of its samples
        raise VlmkitError(f"no tars in {folder}", "vlmkit download folder:… turns images and texts into tar shards")
    return tars


def _check_names(text: str, shards: tuple[Shard, ...]) -> None:
    seen: dict[str, str] = {}
    for shard in shards:
        if other := seen.get(shard.name):
            raise VlmkitError(
                f"{text}: {other} and {shard.path} have the same shard name",
                "give them as several inputs, joined by ::, and their keys will be kept apart",
            )
        seen[shard.name] = shard.path
