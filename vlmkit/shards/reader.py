"""Reads a tar, from a file or a pipe, as samples."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

from vlmkit.errors import BrokenInput
from vlmkit.shards.sample import ROW_FIELD, Member, Sample, split_name
from vlmkit.shards.source import Extent
from vlmkit.shards.tar import DamagedTar, Entry, TarWindow

STREAM_BEGIN = "__vlmkit__"
STREAM_END = "__vlmkit_end__"

STRAYS_BETWEEN = 1 << 20  # bytes of strays (macOS adds a hidden file to every file) that do not part a sample's members


class ShardReader:
    """Iterates over the samples of one tar. How the tar ended is known afterwards:

    - `marked_end`: it ended with the end-of-archive marker.
    - `damage`: where and why reading stopped early, if it did; the samples before that were whole.
    - `strays`: members that belong to no sample, counted by kind.
    - `begins`, `ends`: what the stream protocol's first and last members said, for each stream in the tar.

    A sample is a run of members with one key. The same key again, behind another one's members, is another sample of
    that name (a job calls the r-th `KEY~r`), also where members of one sample are only out of order: nothing waits for
    what may come. A field that comes twice in one run stays twice in the copy; by its name the last one is found.
    Links, folders and devices are strays: counted and not copied. What names, sizes and sparse members may say is told
    at TarWindow.
    """

    def __init__(self, file: BinaryIO, path: str, shard: str = "") -> None:
        self.path = path
        self.marked_end = False
        self.damage: DamagedTar | None = None
        self.strays: Counter[str] = Counter()
        self.begins: list[dict[str, Any]] = []
        self.ends: list[dict[str, Any]] = []
        self._shard = shard
        self._window = TarWindow(file)

    def __iter__(self) -> Iterator[Sample]:
        """Raises BrokenInput if a vlmkit stream lacks its last member: a stage before this one has died.

        Samples outlive the reader, and the file.
        """
        key, group = "", list[Member]()
        for entry in self._entries():
            names = split_name(entry.name) if entry is not None and entry.regular else None
            if names is None and entry is not None:
                self._stray(entry)
                if group and entry.end - group[-1].entry.end <= STRAYS_BETWEEN:
                    continue
            if group and (names is None or names[0] != key):
                yield self._sample(key, group)
                group = []
            if names is not None and entry is not None:
                key, field = names
                group.append(Member(field, entry))
        # What is still in the group is left out: of a damaged tar nobody knows whether its last sample is whole.
        if self.damage is not None and group:
            self.damage = DamagedTar(f"{self.damage.why}, behind {group[-1].entry.name},", self.damage.offset)
        self._check_stream()

    @property
    def unbroken(self) -> bool:
        return self.damage is None and self.marked_end

    def _entries(self) -> Iterator[Entry | None]:
        """The members, and None where an archive ends: a sample does not reach from one into the next."""
        try:
            while not self._window.ended:
                yield from self._window.batch()
        except DamagedTar as damage:
            self.damage = damage
        self.marked_end = self._window.marked_end

    def _sample(self, key: str, members: list[Member]) -> Sample:
        row = None
        if members[-1].field == ROW_FIELD and (row := _json_object(members[-1].data)) is not None:
            members.pop()
        return Sample(key, members, self._shard, row, _side_by_side(members))

    def _stray(self, entry: Entry) -> None:
        if entry.name == STREAM_BEGIN:
            self.begins.append(self._said(entry))
        elif entry.name == STREAM_END:
            self.ends.append(self._said(entry))
        elif not (entry.name.startswith("__") and entry.name.endswith("__")):
            self.strays["without a field" if entry.regular else "no plain file"] += 1

    def _said(self, entry: Entry) -> dict[str, Any]:
        return _json_object(entry.window.view(entry.data, entry.data + entry.size)) or {}

    def _check_stream(self) -> None:
        if len(self.begins) != len(self.ends):
            raise BrokenInput(
                f"{self.path} ends before its last member: the command that wrote it has died",
                "look at the messages of the commands before this one, and run the pipe again",
            )


def _side_by_side(members: list[Member]) -> Extent | None:
    """The one run that all members make up, if they do: no stray lies between them, nor the end of a pipe's window."""
    if not members:
        return None
    first, end = members[0].entry, members[0].entry.start
    for member in members:
        entry = member.entry
        if entry.start != end or (entry.window is not first.window and entry.window.file is None):
            return None
        end = entry.end
    return Extent(first.window, first.start, end)


def _json_object(data: memoryview) -> dict[str, Any] | None:
    try:
        value = json.loads(bytes(data), parse_constant=lambda _: None)  # NaN, which is no JSON, is no value
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
