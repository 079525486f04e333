"""What a check finds: defects, each said at once with its place, and notes, which are counted."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Finding:
    """Something at a byte offset of a file; `member` is the tar member that is meant, "" for none.

    As text it is one line that programs can split: `path: offset N: member: what`.
    """

    path: str
    offset: int
    member: str
    what: str

    def __str__(self) -> str:
        return printable(f"{self.path}: offset {self.offset}: {self.member or '-'}: {self.what}")


@dataclass
class Note:
    """Something that is no defect but that a user may want to know: how often, and where first."""

    first: Finding
    count: int = 0

    def __str__(self) -> str:
        first = f"{self.first.path}: offset {self.first.offset}: {self.first.member or '-'}"
        return printable(f"{self.count:,} x {self.first.what} (the first: {first})")


@dataclass
class Findings:
    """Tells `say` of each defect as it is found, so that nothing piles up; counts the notes by what they say."""

    say: Callable[[Finding], None]
    defects: int = 0
    damaged_files: set[str] = field(default_factory=set)
    notes: dict[str, Note] = field(default_factory=dict)
    shards: int = 0
    samples: int = 0
    size_bytes: int = 0

    def defect(self, path: str, offset: int, member: str, what: str) -> None:
        self.defects += 1
        self.damaged_files.add(path)
        self.say(Finding(path, offset, member, what))

    def note(self, path: str, offset: int, member: str, what: str) -> None:
        self.notes.setdefault(what, Note(Finding(path, offset, member, what))).count += 1

    def summary(self) -> str:
        seen = f"{_many(self.shards, 'shard')}, {_many(self.samples, 'sample')}, {_many(self.size_bytes, 'byte')}"
        if not self.defects:
            return f"no defects in {seen}"
        return f"{_many(self.defects, 'defect')} in {_many(len(self.damaged_files), 'file')}; {seen}"

    def as_json(self) -> dict[str, Any]:
        notes = {note.first.what: note.count for note in self.notes.values()}
        seen = {"shards": self.shards, "samples": self.samples, "bytes": self.size_bytes}
        return {"command": "check", "defects": self.defects, "notes": notes, **seen}


def printable(text: str) -> str:
    """Text from a file as a terminal may show it: one line, no control characters, nothing that is not UTF-8."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
