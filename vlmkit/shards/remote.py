"""Objects of remote stores as files to read: in blocks, ahead of the reader, whole or not at all."""

import io
from collections import deque
from concurrent.futures import Future
from threading import Thread
from typing import Any

from vlmkit.errors import VlmkitError
from vlmkit.shards.store import STALL_S, pause_or_raise, store_of, tried

_FIRST_BLOCK = 1 << 20
_BLOCK = 8 << 20  # each block is twice the one before it, up to this
_AHEAD = 3  # blocks that are on their way while the reader works on one
_SMALLEST = 1 << 16  # what failed is asked for again in pieces a quarter as large, down to this
_VERSIONS = ("ETag", "etag", "generation", "Last-Modified", "LastModified", "last_modified", "mtime", "created")


class RemoteObject:
    """One object of a store, read at any offset. `size_bytes` and `version` (an entity tag, or a time) are what the
    store says of it at first; threads may share it. Raises VlmkitError if there is none, or its size is not told.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._store, self._path = store_of(url)
        self.given_up = False  # nobody waits any more: a read that fails is not tried again
        self.size_bytes, self.version = self._state()

    def read(self, start: int, end: int) -> bytes:
        """All bytes from `start` up to `end`: what is missing of an answer is asked for again, from where it stopped.

        Raises VlmkitError if that goes on failing, or the object is no longer the same.
        """
        parts, piece, failures = [], end - start, 0
        while start < end:
            wanted = min(piece, end - start)
            try:
                part = self._range(start, start + wanted)
                if len(part) < wanted:
                    parts.append(part)
                    start += len(part)
                    raise OSError(f"a short answer: {len(part):,} of {wanted:,} bytes")
            except VlmkitError:
                raise
            except Exception as error:
                failures += 1
                if self.given_up:
                    raise
                self.check_unchanged()
                pause_or_raise(self.url, error, failures)
                piece = max(piece // 4, _SMALLEST)
                continue
            parts.append(part)
            start, failures = start + wanted, 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def check_unchanged(self) -> None:
        """Raises VlmkitError if the object is another than it was at first."""
        try:
            same = self._state() == (self.size_bytes, self.version)
        except FileNotFoundError:
            same = False
        if not same:
            hint = "run the command again, and leave the data alone while it works"
            raise VlmkitError(f"{self.url} was changed while it was read", hint)

    def _range(self, start: int, end: int) -> bytes:
        if self._store.async_impl:
            from fsspec.asyn import sync

            store = self._store
            part = sync(store.loop, store._cat_file, self._path, start=start, end=end, timeout=STALL_S)
        else:
            part = self._store.cat_file(self._path, start=start, end=end)
        if len(part) > end - start:
            hint = f"curl -sSf {self.url} | vlmkit …, with - for the input"
            raise VlmkitError(f"{self.url}: the server gives no parts of files, only all of it", hint)
        return bytes(part)

    def _state(self) -> tuple[int, str]:
        return state_of(self.url, tried(self.url, lambda: self._store.info(self._path)))


class RemoteFile(io.RawIOBase):
    """A remote object as a file. Read from its beginning it is fetched ahead in blocks of up to 8 MiB, 32 MiB at most;
    after a `seek` just what is read is fetched. `read` gives as much as it is asked for unless the object ends.

    Raises VlmkitError, and never an OSError which a reader of tars might take for damage, if not every byte arrives
    or the object changes before its last one.
    """

    def __init__(self, url: str) -> None:
        self.size_bytes = 0
        self._object = RemoteObject(url)
        self.size_bytes = self._object.size_bytes
        self._at = 0
        self._asked = 0  # up to here blocks have been asked for
        self._block = _FIRST_BLOCK
        self._ahead: deque[Future[bytes]] | None = deque()  # None: read at random
        self._rest = memoryview(b"")

    def read(self, size: int | None = -1) -> bytes:
        left = max(self.size_bytes - self._at, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        at = self._at
        try:
            data = self._object.read(at, at + wanted) if self._ahead is None else b"".join(self._next(wanted))
        except OSError as error:  # Missing or Forbidden, such as with credentials that have expired meanwhile
            raise VlmkitError(*error.args) from error
        self._at += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size_bytes}[whence]
        if begin + offset != self._at:
            self._at, self._ahead, self._rest = begin + offset, None, memoryview(b"")
        return self._at

    def tell(self) -> int:
        return self._at

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        if self.size_bytes:
            self._object.given_up = True
        self._ahead, self._rest = None, memoryview(b"")
        super().close()

    def _next(self, wanted: int) -> list[memoryview]:
        parts = []
        while wanted:
            if not self._rest:
                self._rest = memoryview(self._next_block())
            parts.append(self._rest[:wanted])
            self._rest = self._rest[len(parts[-1]) :]
            wanted -= len(parts[-1])
        return parts

    def _next_block(self) -> bytes:
        assert self._ahead is not None
        while self._asked < self.size_bytes and len(self._ahead) <= _AHEAD:
            end = min(self._asked + self._block, self.size_bytes)
            self._ahead.append(_begun(self._object, self._asked, end))
            self._asked, self._block = end, min(2 * self._block, _BLOCK)
        block = self._ahead.popleft().result()
        if not self._ahead:
            self._object.check_unchanged()  # this was the last
        return block


def state_of(url: str, info: dict[str, Any]) -> tuple[int, str]:
    """Size in bytes and version of an object, from what fsspec says of it. Raises VlmkitError without a size."""
    if info.get("size") is None or info.get("type") == "directory":
        raise VlmkitError(f"{url}: no object whose size is told", f"curl -sSf {url} | vlmkit …, with - for the input")
    return int(info["size"]), next((str(info[name]) for name in _VERSIONS if info.get(name)), "")


def _begun(remote: RemoteObject, start: int, end: int) -> "Future[bytes]":
    """A read in a thread of its own, which does not keep the process from ending, as those of a pool would."""
    future: Future[bytes] = Future()

    def read() -> None:
        try:
            future.set_result(remote.read(start, end))
        except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
            future.set_exception(error)

    Thread(target=read, daemon=True).start()
    return future
