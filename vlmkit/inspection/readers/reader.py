"""What the readers have in common: members of a tar in order, grouped into samples by the same rule."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from vlmkit.inspection.findings import Findings
from vlmkit.inspection.walk import Found, members
from vlmkit.shards.locations import Location, open_shard
from vlmkit.shards.tar import DamagedTar, TarWindow

_NAME = re.compile(r"^((?:.*/|)[^.]+)[.]([^/]*)$")  # webdataset's, which the others have copied
_META = re.compile(r"__[^/]*__($|/)")


@dataclass
class Group:
    """A sample as a reader groups it; `fields` holds what `Reader.value` made of each member."""

    key: str
    path: str
    offset: int
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> str:
        return " ".join(sorted(self.fields))


class Reader(ABC):
    """Reads tars as one program would, and tells `findings` of what that program refuses, changes or drops.

    All of them walk a tar with Python's tarfile, and take consecutive members of one key for a sample; the key ends at
    the first dot of the base name.
    """

    name: ClassVar[str]
    hint: ClassVar[str]  # what mends most of it
    folds_case: ClassVar[bool] = True
    at_damage: ClassVar[str]  # what becomes of the rest of a damaged tar

    def __init__(self, findings: Findings, decode: bool) -> None:
        self.findings = findings
        self.decode = decode
        self.samples = 0
        self.path = ""
        self._offsets: dict[str, int] = {}  # of the keys of one tar

    def read(self, path: str) -> None:
        """One tar. Python's tarfile takes the first end-of-archive marker, and a header that it can't read, for the
        end; only where the data of a member are cut off does it raise an error."""
        self.path, self._offsets = path, {}
        self.findings.shards += 1
        try:
            with open_shard(path) as file:
                for group in self._groups(file):
                    self.samples += 1
                    self.findings.samples += 1
                    self.sample(group)
        except DamagedTar as damage:
            self.defect(damage.offset, "", f"{damage.why}: {self.at_damage}")

    @abstractmethod
    def sample(self, group: Group) -> None:
        """Judges a whole sample."""

    def value(self, member: Found, name: str) -> Any:
        """What to remember of a member; may tell of what is wrong with it."""
        return None

    def skips(self, name: str) -> str:
        """Why a member of this name is passed over, or ''."""
        return "a name such as __x__" if _META.match(name) else ""

    def repeated(self, group: Group, member: Found, name: str) -> bool:
        """Told of a field that a sample has already. True: the member begins another sample."""
        return False

    def told_apart(self, group: Group) -> None:
        """Names a sample whose key the tar has had before: where its other members lie, this reader does not know."""
        before = self._offsets.setdefault(group.key, group.offset)
        if before != group.offset:
            what = f"split: a sample of its own with {group.names}; {group.key} was at offset {before} already"
            self.defect(group.offset, group.key, what)

    @abstractmethod
    def finish(self, location: Location) -> None:
        """Judges what lies beside the tars, when all have been read."""

    def defect(self, offset: int, member: str, what: str) -> None:
        self.findings.defect(self.path, offset, member, what)

    def note(self, offset: int, member: str, what: str) -> None:
        self.findings.note(self.path, offset, member, what)

    def _groups(self, file: Any) -> Iterator[Group]:
        group: Group | None = None
        for member in members(TarWindow(file)):
            self.findings.size_bytes += member.end - member.offset
            if member.after_marker:
                self.defect(member.offset, member.name, "dropped: this and the rest, behind an end-of-archive marker")
                break
            if (split := self._split(member)) is None:
                continue
            key, name = split
            if group is not None and (
                key != group.key or (name in group.fields and self.repeated(group, member, name))
            ):
                yield group
                group = None
            group = group or Group(key, self.path, member.offset)
            group.fields[name] = self.value(member, name)
        if group is not None:
            yield group

    def _split(self, member: Found) -> tuple[str, str] | None:
        """Key and field as the reader sees them; None if it passes over the member."""
        if not member.regular or member.is_protocol:
            return None
        if why := self.skips(member.name):
            if member.key is not None:  # else it is no part of a sample anyway
                self.defect(member.offset, member.name, f"dropped: {why}")
            return None
        match = _NAME.match(member.name)
        if match is None:
            return None
        return match[1], match[2].lower() if self.folds_case else match[2]
