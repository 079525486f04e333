"""Where the bytes of members lie: in memory, or in a plain file that is read when they are asked for."""

import os
import stat
from io import BufferedReader, FileIO
from typing import BinaryIO

from vlmkit.errors import VlmkitError

BLOCK = 512


class PlainFile:
    """A regular file that is read at any offset, by several threads at once.

    It has a descriptor of its own, closed when nobody holds it any more: samples are read long after the reader that
    found them has closed its file. Offsets count from where the file stood; the bytes of a last padding that was left
    out read as zeros.
    """

    __slots__ = ("_origin", "descriptor", "length", "name")

    def __init__(self, file: BufferedReader | FileIO) -> None:
        self.descriptor = -1
        self._origin = file.tell()
        self.length = max(os.fstat(file.fileno()).st_size - self._origin, 0)
        self.name = str(file.name)
        self.descriptor = os.dup(file.fileno())
        advise(self.descriptor, 0, 0, "SEQUENTIAL")  # so that the disk is ahead of the walk, which skips and goes on

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)

    def read(self, start: int, end: int) -> bytes:
        """Raises VlmkitError if the file has become shorter, OSError if the disk fails."""
        data = os.pread(self.descriptor, min(end, self.length) - start, self._origin + start)
        if len(data) == end - start:
            return data
        rest = bytearray(end - start)  # the kernel gives at most 2 GiB at once
        self.read_into(start, memoryview(rest))
        return bytes(rest)

    def read_into(self, start: int, room: memoryview) -> None:
        """Fills `room` with the bytes from `start` on. Raises as `read` does."""
        while room and start < self.length:
            size = os.preadv(self.descriptor, [room[: self.length - start]], self._origin + start)
            if size == 0:
                raise self.shrunk(start)
            start, room = start + size, room[size:]
        room[:] = bytes(len(room))

    def place(self, offset: int) -> int:
        """Where the kernel finds what lies at `offset`."""
        return self._origin + offset

    def shrunk(self, offset: int) -> VlmkitError:
        """The error of a file that ends before its end: what was copied of it can't be made whole."""
        what = f"{self.name} became shorter while it was read: it ends before byte {offset + 1} of {self.length}"
        return VlmkitError(what, "leave the input alone while a command reads it, and run the command again")


class Window:
    """A run of a tar's bytes in memory, from offset `base` to `end`; `file`, if any, has the bytes around it."""

    __slots__ = ("base", "data", "end", "file")

    def __init__(self, data: bytes, base: int = 0, file: PlainFile | None = None) -> None:
        self.data = data
        self.base = base
        self.end = base + len(data)
        self.file = file

    def view(self, start: int, end: int) -> memoryview:
        """The bytes between two offsets of the tar: those in memory are not copied."""
        if self.base <= start and end <= self.end:
            return memoryview(self.data)[start - self.base : end - self.base]
        assert self.file is not None
        return memoryview(self.file.read(start, end))


class Extent:
    """A run of raw tar bytes, wherever they are; `bytes(extent)` reads them."""

    __slots__ = ("end", "start", "window")

    def __init__(self, window: Window, start: int, end: int) -> None:
        self.window = window
        self.start = start
        self.end = end

    def __len__(self) -> int:
        return self.end - self.start

    def __bytes__(self) -> bytes:
        return bytes(self.window.view(self.start, self.end))


def advise(descriptor: int, offset: int, size: int, advice: str) -> None:
    """Tells the kernel what will be done with a part of a file, where it listens; size 0 reaches to the end."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, offset, size, getattr(os, f"POSIX_FADV_{advice}"))


def plain_file(file: BinaryIO) -> PlainFile | None:
    """The file behind an open one, if it can be read at any offset; None for a pipe, a decompressor, a remote file."""
    if isinstance(file, BufferedReader | FileIO) and stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return PlainFile(file)
    return None
