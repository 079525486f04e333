"""The way out: raw runs of bytes into a file or pipe, by whatever the kernel offers for the two ends."""

import errno
import os
import stat
import sys
from io import BufferedWriter, FileIO
from typing import BinaryIO

from vlmkit.shards.source import Extent, PlainFile, advise

LONGEST_COPY = 1 << 23  # bytes: more at once is no faster, and the disk would begin later
COPIED_WELL = 1 << 16  # a copy that starts at a multiple takes three quarters of the time of one that does not

_ROOM = 1 << 19  # bytes that are gathered before they are written; from half of it on a run goes by itself
_NOT_THIS_WAY = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF, errno.EPERM, errno.ETXTBSY)


class Output:
    """Writes runs into `file`, small ones gathered. `flush` before anybody else writes to it."""

    def __init__(self, file: BinaryIO) -> None:
        file.flush()  # what others wrote stands before what goes past its buffer
        self._file = file
        self._descriptor = _descriptor(file)
        self._ways = _WAYS if self._descriptor is not None and sys.platform == "linux" else []
        self._gathered = memoryview(bytearray(_ROOM))
        self._used = 0
        self._early = _EarlyWriteback(self._descriptor) if self._descriptor is not None else None

    def write(self, run: Extent) -> None:
        size = len(run)
        if size < _ROOM // 2:
            if size > _ROOM - self._used:
                self.flush()
            _read_into(run, self._gathered[self._used : self._used + size])
            self._used += size
            return
        self.flush()
        if run.window.file is not None:
            self._copy(run.window.file, run.start, run.end)
        else:
            self._put(run.window.view(run.start, run.end))

    def flush(self) -> None:
        if self._used:
            used, self._used = self._used, 0
            self._put(self._gathered[:used])
        self._file.flush()

    def _copy(self, file: PlainFile, start: int, end: int) -> None:
        """Copies a run of a plain file, in the first way that works; what is left in pieces through memory."""
        while self._ways and start < min(end, file.length):
            step = start + LONGEST_COPY
            try:
                start += self._by_kernel(file, start, min(end, file.length, step - step % COPIED_WELL))
            except OSError as error:
                if error.errno not in _NOT_THIS_WAY:
                    raise
                self._ways = self._ways[1:]
        while start < end:
            part = self._gathered[: end - start]
            file.read_into(start, part)
            self._put(part)
            start += len(part)

    def _by_kernel(self, file: PlainFile, start: int, end: int) -> int:
        assert self._descriptor is not None
        copied = self._ways[0](file.descriptor, file.place(start), self._descriptor, end - start)
        if copied == 0:
            raise file.shrunk(start)
        self._wrote(copied)
        return copied

    def _put(self, rest: memoryview) -> None:
        while rest:  # an unbuffered standard output may take less than it is given
            written = self._file.write(rest) if self._descriptor is None else os.write(self._descriptor, rest)
            self._wrote(written)
            rest = rest[written:]

    def _wrote(self, size: int) -> None:
        if self._early is not None:
            self._early.wrote(size)


class _EarlyWriteback:
    """Has the disk begin with what is written while the rest is still on its way, so that the sync at the end does not
    wait for all of it. The advice is that the pages are not needed: that starts their writing, and they stay."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._plain = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._said = os.lseek(descriptor, 0, os.SEEK_CUR) if self._plain else 0
        self._written = self._said

    def wrote(self, size: int) -> None:
        self._written += size
        if self._plain and self._written - self._said >= LONGEST_COPY:
            advise(self._descriptor, self._said, self._written - self._said, "DONTNEED")
            self._said = self._written


def _copy_file_range(source: int, offset: int, target: int, size: int) -> int:
    return os.copy_file_range(source, target, size, offset)


def _sendfile(source: int, offset: int, target: int, size: int) -> int:
    return os.sendfile(target, source, offset, size)


_WAYS = [_copy_file_range, _sendfile]  # the first measures a little better, and some file systems share the blocks


def _read_into(run: Extent, room: memoryview) -> None:
    window = run.window
    if window.file is None or (window.base <= run.start and run.end <= window.end):
        room[:] = window.view(run.start, run.end)
    else:
        window.file.read_into(run.start, room)


def _descriptor(file: BinaryIO) -> int | None:
    """Of what writes bytes as they are; a compressor has a descriptor as well, of what it writes to."""
    return file.fileno() if isinstance(file, BufferedWriter | FileIO) else None
