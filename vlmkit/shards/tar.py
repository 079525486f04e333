"""Walks a tar: where each member lies, found by its header. Data are not read unless they are asked for."""

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple
from zlib import adler32

from vlmkit.shards.header import (
    SPARSE,
    DamagedTar,
    adler_of_sum,
    encode_member,
    extended,
    name_of,
    number,
    padded,
    verify,
)
from vlmkit.shards.source import BLOCK, PlainFile, Window, plain_file

__all__ = ["BLOCK", "END_OF_ARCHIVE", "DamagedTar", "Entry", "TarWindow", "encode_member"]

END_OF_ARCHIVE = bytes(2 * BLOCK)

_ZEROS = bytes(BLOCK)
_REGULAR = frozenset(b"\x0007")
_WITHOUT_DATA = frozenset(b"123456")  # links, devices, folders, pipes: their size field describes no bytes that follow
_LONGEST_EXTENSION = 1 << 20  # bytes; a name or a set of pax records beyond this is damage
_PIPE_WINDOW = 1 << 18
_LEAST_WINDOW = 1 << 13  # bytes of a plain file around a header, where members are large
_MOST_WINDOW = 1 << 20
_BATCH = 64  # members
_LARGE_MEMBER = 1 << 13  # on average: from here on a member costs less to skip than to read

# Of a ustar header: name, 11 digits of the size and what ends them, checksum, kind, the first byte of the prefix.
_FIELDS = struct.Struct("100s24x11sB12x8sB188xB").unpack_from
_AFTER_DIGITS = frozenset(b"\0 ")
_FILE, _PAX = b"0x"
_HEADER_AND_PADDING = 2 * BLOCK - 1
_entry = tuple.__new__  # half the time of calling a named tuple


class Entry(NamedTuple):
    """Where one member lies in its tar: absolute byte offsets of its first header block, its data and its end.

    `window` holds its bytes, or knows the file that does.
    """

    name: str
    start: int
    data: int
    size: int
    end: int
    regular: bool
    window: Window


class TarWindow:
    """Walks a tar that may be a file or a pipe, holding one window of it in memory.

    Of a plain file only the windows around headers are read, small ones where members are large; data are read at
    their place when they are asked for, even when `file` is closed. Of everything else a member is loaded whole.
    `view` gives bytes until `release` lets go of them. Views stay valid after the window has moved on, because each
    window is a buffer of its own.

    What is odd, and what becomes of it:

    - Absolute names, and names with `..`: members like others. A name is text, never a path, and its raw header is
      what is copied.
    - Names that are not UTF-8: such bytes show as escapes (`\\xff`), and are copied as they are.
    - Links, devices and folders: entries that are not `regular`, without data whatever their size says.
    - Sparse members (GNU's and pax's): damage, since no reader of shards agrees with another on what they hold.
    - A size that reaches beyond the end: damage at that member. Of a plain file nothing is read to find that; a pipe
      is read to its end for it, and held, as any member of a pipe is.
    - A size above 8 GiB, in base 256 or in pax: taken at its word.
    - A plain file that becomes shorter while it is walked: VlmkitError. One that grows: read as long as it was.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._plain = plain_file(file)
        self._window = Window(b"", 0, self._plain)
        self._size = _LEAST_WINDOW
        self._found = 0  # members, since the window was read
        self._kept = 0  # bytes of a pipe before this offset may be forgotten
        self._at = 0  # where the walk stands
        self._walked = 0  # and where those stand who ask for one member after the other
        self._waiting: Iterator[Entry] = iter(())
        self.marked_end = False  # the last thing seen was an end-of-archive marker
        self.ended = False  # there are no more bytes

    def next_entry(self) -> Entry | None:
        """The next member, or None at the end of the bytes. Raises DamagedTar."""
        while not self.ended:
            if entry := self.next_or_marker():
                return entry
        return None

    def next_or_marker(self) -> Entry | None:
        """The next member, or None at each block of an end-of-archive marker and at the end of the bytes."""
        entry = next(self._waiting, None)
        if entry is None:
            self._waiting = iter(self._in_window(enough=1))
            entry = next(self._waiting, None) or self._next()
        self._walked = entry.end if entry else self._at
        return entry

    def batch(self) -> list[Entry] | list[None]:
        """The next members, at least one; or [None] where `next_or_marker` gives None. All before are let go of."""
        self.release()
        found = self._in_window(_BATCH)
        if not found:
            entry = self._next()
            found = [entry] if entry else []
        self._walked = self._at
        return found or [None]

    def view(self, start: int, end: int) -> memoryview:
        return self._window.view(start, end)

    def release(self, upto: int | None = None) -> None:
        """Forgets the bytes before `upto`, or all that were walked."""
        self._kept = self._walked if upto is None else upto

    def _in_window(self, enough: int) -> list[Entry]:
        """The members from here on whose headers lie in the window, as far as they are nothing but what most writers
        write. Of a plain file also those in the next windows, until there are `enough`. Whatever is odd about the next
        one is left to `_next`."""
        if self._at + BLOCK > self._window.end:
            self._load(self._at, self._at + BLOCK)
        window, start, found = self._window, self._at, list[Entry]()
        data, base, last = window.data, window.base, window.end - BLOCK
        stop = window.end if self._plain is None else self._plain.length
        counted = 0  # of those found, in the windows before this one
        at, path, long = start, None, None  # start: of the pax header before a member, if it has one
        while True:
            if at > last:
                if self._plain is None or at != start or not 0 < len(found) < enough:
                    break
                self._found += len(found) - counted
                counted = len(found)
                try:
                    self._load_file(self._plain, at, at + BLOCK)
                except OSError:  # which is told when these members have been
                    break
                window = self._window
                data, base, last = window.data, window.base, window.end - BLOCK
                if at > last:
                    break
            place = at - base
            raw, digits, after, checksum, kind, prefix = _FIELDS(data, place)
            header = data[place : place + BLOCK]
            if adler32(header) & 0xFFFF != adler_of_sum(checksum) or after not in _AFTER_DIGITS:
                break
            try:
                size = int(digits, 8) if digits.isdigit() else stop
                name = path or (name_of(header) if prefix else raw.partition(b"\0")[0].decode())
                if kind == _PAX and at == start and size <= last - at:
                    path, long = extended(_PAX, data[place + BLOCK : place + BLOCK + size], at)
                    at += BLOCK + padded(size)
                    continue
            except (ValueError, DamagedTar):
                break
            if long is not None:
                size = long
            end = at + (size + _HEADER_AND_PADDING & -BLOCK)
            if kind != _FILE or end > stop:
                break
            found.append(_entry(Entry, (name, start, at + BLOCK, size, end, True, window)))
            at = start = end
            path = long = None
        if found:
            self._at, self.marked_end = start, False
            self._found += len(found) - counted
        return found

    def _next(self) -> Entry | None:
        """The next member of any kind, loaded whole if it comes from a pipe."""
        start, size, name = None, None, None  # start: of the extended headers before a member, if it has any
        while header := self._header():
            self.marked_end = False
            kind = header[156]
            length = number(header, 124, 136, self._at)
            if kind == ord("g"):  # speaks of the whole archive: no part of the next member's bytes
                self._extension(length)
            elif kind == ord("S"):
                raise DamagedTar(SPARSE, self._at)
            elif kind in b"xLK":
                start = self._at if start is None else start
                path, long_size = extended(kind, self._extension(length), start)
                name, size = path or name, long_size if long_size is not None else size
            else:
                length = 0 if kind in _WITHOUT_DATA else length if size is None else size
                start = self._at if start is None else start
                return self._entry(name or name_of(header), start, length, kind in _REGULAR)
        if start is not None:
            raise DamagedTar("an extended header without its member", start)
        return None

    def _header(self) -> bytes | None:
        """The next header block; None at a block of zeros and at the end of the bytes."""
        if not self._load(self._at, self._at + BLOCK):
            if any(self.view(self._at, self._window.end)):  # a few zeros are what is left of the marker
                raise DamagedTar("cut off inside a header", self._at)
            self.ended = True
            return None
        header = bytes(self.view(self._at, self._at + BLOCK))
        if header == _ZEROS:
            self.marked_end = True
            self._at += BLOCK
            return None
        verify(header, self._at)
        return header

    def _extension(self, length: int) -> bytes:
        """The data of an extended header that has just been read; moves past it."""
        if length > _LONGEST_EXTENSION:
            raise DamagedTar(f"an extended header of {length} bytes", self._at)
        data, self._at = self._at + BLOCK, self._at + BLOCK + padded(length)
        if not self._load(data, self._at):
            raise DamagedTar("cut off inside an extended header", data)
        return bytes(self.view(data, data + length))

    def _entry(self, name: str, start: int, size: int, regular: bool) -> Entry:
        data = self._at + BLOCK
        end = data + padded(size)
        if self._plain is None:
            self._load(data, end)
        missing = end - (self._window.end if self._plain is None else self._plain.length)
        if missing > end - data - size:  # some writers leave the last padding out
            raise DamagedTar(f"{name} is cut off", data)
        if missing > 0 and self._plain is None:
            self._window = Window(self._window.data + bytes(missing), self._window.base)
        self._at = end
        self._found += 1
        return Entry(name, start, data, size, end, regular, self._window)

    def _load(self, start: int, end: int) -> bool:
        """Has the window hold what lies from `start` to `end`; False if the tar is shorter."""
        if end > self._window.end:
            try:
                if self._plain is None:
                    self._load_pipe(end)
                else:
                    self._load_file(self._plain, start, end)
            except OSError as error:  # a compressed stream that is cut off or damaged, a disk that fails
                raise DamagedTar(f"can't be read ({error})", max(self._window.end, start)) from error
        return end <= self._window.end

    def _load_pipe(self, end: int) -> None:
        """Reads on, in large pieces, and keeps what has not been released."""
        parts, have = [self._window.data[self._kept - self._window.base :]], self._window.end
        try:
            while have < end and (part := self._file.read(_PIPE_WINDOW)):
                parts.append(part)
                have += len(part)
        finally:
            self._window = Window(b"".join(parts), self._kept)

    def _load_file(self, plain: PlainFile, start: int, end: int) -> None:
        """Reads a window from `start` on, as large as the members since the last one suggest."""
        mean = (start - self._window.base) / max(self._found, 1)
        self._size = _LEAST_WINDOW if mean >= _LARGE_MEMBER else min(self._size * 2, _MOST_WINDOW)
        upto = min(max(start + self._size, end), plain.length)
        self._window = Window(plain.read(start, upto) if upto > start else b"", start, plain)
        self._found = 0
