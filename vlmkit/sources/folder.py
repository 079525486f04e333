"""`folder:PATH`: the images of a folder, each with the text and the metadata that lie beside it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vlmkit.errors import VlmkitError
from vlmkit.jobs.step import Kept, Outcome
from vlmkit.shards.sample import IMAGE_FIELDS, Sample
from vlmkit.sources.outcomes import NoSample, parse_object
from vlmkit.sources.paths import printable, read_inside, safe_key
from vlmkit.sources.pictures import read_picture
from vlmkit.sources.samples import make_sample

_BESIDE = ("txt", "json")
_LINK = "link not followed"


def open_folder(rest: str) -> "Folder":
    path = Path(rest)
    if not rest or not path.is_dir():
        raise VlmkitError(f"no such folder: {rest}", "folder:PATH takes a folder of images")
    return Folder(path)


@dataclass(frozen=True)
class Folder:
    """Every file below `path` comes to one end: as a picture, as the text or metadata of one, or with a reason.

    Pictures are found by suffix, in the order of their relative paths. The file of the same stem with suffix `.txt`
    is the `txt`, the one with `.json` goes into the `json`. The key is the relative path by `safe_key`, and the path
    itself is the name `file`. Links that lead out of the folder, and links to folders, are not followed.
    """

    path: Path

    @property
    def name(self) -> str:
        return f"folder:{self.path.resolve().name}"

    @property
    def total(self) -> int:
        return len(self._groups)

    def __iter__(self) -> Iterator[Outcome]:
        return (self._outcome(group) for group in self._groups)

    @cached_property
    def _groups(self) -> list["_Group"]:
        return _grouped(sorted(_walk(self.path)))

    def _outcome(self, group: "_Group") -> Outcome:
        key = safe_key(os.path.splitext(group.main.rstrip("/"))[0])
        raw: dict[str, bytes] = {}
        try:
            return Kept(self._sample(key, group, raw))
        except NoSample as why:
            return why.dropped(key, raw)

    def _sample(self, key: str, group: "_Group", raw: dict[str, bytes]) -> Sample:
        for relative in group.read:
            raw[_suffix(relative)] = read_inside(self.path, relative, _LINK)
        if group.reason:
            raise NoSample(group.reason, printable(group.main))
        picture = read_picture(raw[_suffix(group.main)])
        given = parse_object(raw["json"]) if "json" in raw else {}
        return make_sample(key, self.name, [picture], raw.get("txt"), given | {"file": printable(group.main)})


@dataclass(frozen=True, slots=True)
class _Group:
    """The files of one sample, as relative paths: the one it is named after, all to be read, why it will be none."""

    main: str
    read: tuple[str, ...] = ()
    reason: str = ""


def _walk(folder: Path) -> Iterator[str]:
    """Relative paths of all files; those of links to folders, which are not entered, end in a slash."""
    for parent, folders, names in os.walk(folder, onerror=_refuse):
        links = [name + "/" for name in folders if os.path.islink(os.path.join(parent, name))]
        prefix = os.path.relpath(parent, folder)
        yield from (name if prefix == "." else f"{prefix}/{name}" for name in names + links)


def _refuse(error: OSError) -> None:
    raise VlmkitError(f"{error.filename}: {error.strerror}", "check the permissions of the folder") from error


def _grouped(paths: list[str]) -> list[_Group]:
    """One group a picture, and one for each file that belongs to none."""
    beside = {(os.path.splitext(path)[0], _suffix(path)): path for path in reversed(paths) if _suffix(path) in _BESIDE}
    pictures = {path: _picture(path, beside) for path in paths if _suffix(path) in IMAGE_FIELDS}
    used = {path for group in pictures.values() for path in group.read}
    return [pictures.get(path) or _alone(path) for path in paths if path in pictures or path not in used]


def _picture(path: str, beside: dict[tuple[str, str], str]) -> _Group:
    stem = os.path.splitext(path)[0]
    return _Group(path, (path, *(beside[stem, suffix] for suffix in _BESIDE if (stem, suffix) in beside)))


def _alone(path: str) -> _Group:
    if path.endswith("/"):
        return _Group(path, reason=_LINK)
    if _suffix(path) in _BESIDE:
        return _Group(path, (path,), "no image file")
    return _Group(path, reason="unknown suffix")


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1][1:].lower()
