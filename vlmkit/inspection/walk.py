"""Walks a tar member by member, with the byte offset of each."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import tee
from typing import BinaryIO, cast

from vlmkit.shards.locations import open_shard
from vlmkit.shards.sample import split_name
from vlmkit.shards.tar import BLOCK, Entry, TarWindow

_CHUNK = 1 << 18
_TYPES = {"1": "a hard link", "2": "a symbolic link", "5": "a folder"}


@dataclass(frozen=True)
class Found:
    """One member of a tar. `key` and `field` are None if it belongs to no sample; `headers` are the blocks before
    its data; `after_marker` says that an end-of-archive marker stands before it.
    """

    name: str
    offset: int
    end: int
    headers: memoryview
    data: memoryview
    regular: bool
    key: str | None
    field: str
    after_marker: bool

    @property
    def is_protocol(self) -> bool:
        """Such as `__vlmkit__`: says something of the archive and is no sample."""
        return self.name.startswith("__") and self.name.endswith("__") and "/" not in self.name

    @property
    def stray(self) -> str:
        """Why the member belongs to no sample."""
        if not self.regular:
            return _TYPES.get(chr(self.headers[-BLOCK + 156]), "no plain file")
        return "hidden" if self.name.rpartition("/")[2].startswith(".") else "without a field"


def members(window: TarWindow) -> Iterator[Found]:
    """The members of a tar in order. Raises DamagedTar."""
    after_marker = False
    while not window.ended:
        entry = window.next_or_marker()
        if entry is not None:
            yield _found(entry, window, after_marker)
        after_marker = entry is None
        window.release()


def _found(entry: Entry, window: TarWindow, after_marker: bool) -> Found:
    key, field = (split_name(entry.name) if entry.regular else None) or (None, "")
    headers = window.view(entry.start, entry.data)
    data = window.view(entry.data, entry.data + entry.size)
    return Found(entry.name, entry.start, entry.end, headers, data, entry.regular, key, field, after_marker)


def open_twice(path: str) -> tuple[BinaryIO, BinaryIO]:
    """Two readings of one tar, side by side. What can be read only once, or dearly, is read once."""
    file = open_shard(path)
    if isinstance(file, io.FileIO):
        return file, open_shard(path)
    left, right = tee(iter(partial(file.read, _CHUNK), b""))
    return cast(BinaryIO, _Chunks(left)), cast(BinaryIO, _Chunks(right))


class _Chunks(io.RawIOBase):
    """A file of the chunks that an iterator gives."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size

    def close(self) -> None:
        self._chunks = iter(())  # so that the other reading's chunks are not kept for this one
        super().close()
