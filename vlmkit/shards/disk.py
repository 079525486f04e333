"""A disk that is full: which file could not be written, since the system's error of a write does not say."""

import errno
import os
import re
from types import TracebackType
from typing import BinaryIO

from vlmkit.shards.sample import Row, Sample
from vlmkit.shards.writer import TarWriter

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})  # a full disk, a quota, a limit on the size of a file


class Naming:
    """A block that writes the file `path`: an error for want of room leaves it as an OSError that names that file.

    The innermost block that an error leaves is the one that wrote. Libraries hide such errors behind their own.
    """

    def __init__(self, path: object) -> None:
        self._path = path

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        number = _number(error)
        if number not in NO_ROOM:
            return
        if not isinstance(error, OSError):
            raise OSError(number, os.strerror(number), str(self._path)) from error
        error.filename = error.filename or str(self._path)


def _number(error: BaseException | None) -> int:
    """The system's number for an error or what lies behind it: torch raises its own in the midst of the system's, what
    is written in Rust (safetensors) says it in words."""
    while error is not None:
        if isinstance(error, OSError):
            return error.errno or 0
        if found := re.search(r"\(os error (\d+)\)", str(error)):
            return int(found[1])
        error = error.__cause__ or error.__context__
    return 0


class NamedTarWriter(TarWriter):
    """A TarWriter that knows what its file is called."""

    def __init__(self, file: BinaryIO, path: object) -> None:
        super().__init__(file)
        self._naming = Naming(path)

    def write(self, sample: Sample, row: Row | None = None) -> tuple[int, int]:
        with self._naming:
            return super().write(sample, row)

    def add(self, name: str, data: bytes) -> None:
        with self._naming:
            super().add(name, data)

    def close(self) -> None:
        with self._naming:
            super().close()
