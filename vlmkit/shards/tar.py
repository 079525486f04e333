"""The tar format (POSIX.1-2001 ustar and pax, GNU long names), read in windows and written byte by byte alike."""

import stat
import tarfile
import zlib
from dataclasses import dataclass
from io import BufferedReader, FileIO
from os import fstat
from typing import BinaryIO

BLOCK = 512
END_OF_ARCHIVE = bytes(2 * BLOCK)
MODE = 0o644
MODIFIED = (
    946_684_800  # every member that vlmkit writes is dated 2000-01-01: the time of writing is no part of the data
)

_ZEROS = bytes(BLOCK)
_REGULAR = frozenset(b"\x0007")
_WITHOUT_DATA = frozenset(b"123456")  # links, devices, folders, pipes: their size field describes no bytes that follow
_LONGEST_EXTENSION = 1 << 20  # bytes; a name or a set of pax records beyond this is damage
_DIGITS = 20  # no number in a pax record has more
_SPARSE = "a sparse member, which no reader of shards expects,"
_FILE_WINDOW = 4 << 20
_PIPE_WINDOW = 1 << 18


class DamagedTar(Exception):
    """The bytes at `offset` are not what a tar has there: cut off, or overwritten."""

    def __init__(self, why: str, offset: int) -> None:
        super().__init__(f"{why} at byte {offset}")
        self.why = why
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one member lies in its tar: absolute byte offsets of its first header block, its data and its end."""

    name: str
    start: int
    data: int
    size: int
    end: int
    regular: bool


class TarWindow:
    """Walks a tar that may be a file or a pipe, holding one window of it in memory.

    `next_entry` loads a member whole; `view` gives its bytes until `release` lets go of them. Views stay valid after
    the window has moved on, because each window is a buffer of its own.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._length = _length(file)
        self._window = _FILE_WINDOW if self._length is not None else _PIPE_WINDOW
        self._buffer = b""
        self._base = 0  # offset in the tar of the window's first byte
        self._kept = 0  # bytes before this offset may be forgotten
        self._at = 0
        self.marked_end = False  # the last thing seen was an end-of-archive marker
        self.ended = False  # there are no more bytes

    def next_entry(self) -> Entry | None:
        """The next member, loaded whole, or None at the end of the bytes. Raises DamagedTar."""
        while not self.ended:
            if entry := self.next_or_marker():
                return entry
        return None

    def next_or_marker(self) -> Entry | None:
        """The next member, or None at each block of an end-of-archive marker and at the end of the bytes."""
        start, size, name = None, None, None  # start: of the extended headers before a member, if it has any
        while header := self._header():
            self.marked_end = False
            kind = header[156]
            length = _number(header, 124, 136, self._at)
            if kind == ord("g"):  # speaks of the whole archive: no part of the next member's bytes
                self._extension(length)
            elif kind == ord("S"):
                raise DamagedTar(_SPARSE, self._at)
            elif kind in b"xLK":
                start = self._at if start is None else start
                path, long_size = _extended(kind, self._extension(length), start)
                name, size = path or name, long_size if long_size is not None else size
            else:
                length = 0 if kind in _WITHOUT_DATA else length if size is None else size
                start = self._at if start is None else start
                return self._entry(name or _name(header), start, length, kind in _REGULAR)
        if start is not None:
            raise DamagedTar("an extended header without its member", start)
        return None

    def view(self, start: int, end: int) -> memoryview:
        return memoryview(self._buffer)[start - self._base : end - self._base]

    def release(self, upto: int | None = None) -> None:
        """Forgets the bytes before `upto`, or all that were walked."""
        self._kept = self._at if upto is None else upto

    def _header(self) -> bytes | None:
        """The next header block; None at a block of zeros and at the end of the bytes."""
        if not self._load(self._at + BLOCK):
            if any(self.view(self._at, self._at + BLOCK)):  # a few zeros are what is left of the marker
                raise DamagedTar("cut off inside a header", self._at)
            self.ended = True
            return None
        at = self._at - self._base
        header = self._buffer[at : at + BLOCK]
        if header == _ZEROS:
            self.marked_end = True
            self._at += BLOCK
            return None
        _verify(header, self._at)
        return header

    def _extension(self, length: int) -> bytes:
        """The data of an extended header that has just been read; moves past it."""
        if length > _LONGEST_EXTENSION:
            raise DamagedTar(f"an extended header of {length} bytes", self._at)
        data, self._at = self._at + BLOCK, self._at + BLOCK + _padded(length)
        if not self._load(self._at):
            raise DamagedTar("cut off inside an extended header", data)
        return bytes(self.view(data, data + length))

    def _entry(self, name: str, start: int, size: int, regular: bool) -> Entry:
        data = self._at + BLOCK
        end = data + _padded(size)
        if not self._load(end):
            have = self._base + len(self._buffer)
            if have < data + size:
                raise DamagedTar(f"{name} is cut off", data)
            self._buffer += bytes(end - have)  # some writers leave the last padding out
        self._at = end
        return Entry(name, start, data, size, end, regular)

    def _load(self, end: int) -> bool:
        """Makes the bytes from the released offset to `end` available; False if the tar is shorter."""
        have = self._base + len(self._buffer)
        if end <= have:
            return True
        if self._length is not None and end >= self._length + BLOCK:
            return False  # more than a last padding is missing: the rest is of no use
        parts = [self._buffer[self._kept - self._base :]]
        while have < end and (part := self._read(have)):
            parts.append(part)
            have += len(part)
        self._base = self._kept
        self._buffer = b"".join(parts)
        return have >= end

    def _read(self, offset: int) -> bytes:
        try:
            return self._file.read(self._window)
        except OSError as error:  # a compressed stream that is cut off or damaged, a disk that fails
            raise DamagedTar(f"can't be read ({error})", offset) from error


def encode_member(name: str, data: bytes) -> bytes:
    """A member as vlmkit writes it: fixed mode, owner and time; pax records only for what ustar can't say."""
    return _encode_header(name, len(data)) + data + bytes(-len(data) % BLOCK)


def _encode_header(name: str, size: int) -> bytes:
    raw = name.encode("utf-8", "surrogateescape")
    if len(raw) > 100 or not name.isascii() or size >= 8**11:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, MODE, MODIFIED
        return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    numbers = b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (MODE, 0, 0, size, MODIFIED)
    head, tail = raw.ljust(100, b"\0") + numbers, b"0".ljust(101, b"\0") + b"ustar\x0000"
    header = (head + b"        " + tail).ljust(BLOCK, b"\0")
    return header[:148] + b"%06o\0 " % sum(header) + header[156:]


def _length(file: BinaryIO) -> int | None:
    """The length of a plain file; None for a pipe, a decompressor, a remote file."""
    if not isinstance(file, BufferedReader | FileIO):
        return None
    status = fstat(file.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _padded(size: int) -> int:
    return size + -size % BLOCK


def _verify(header: bytes, offset: int) -> None:
    """Compares the checksum: the sum of the header's bytes with its own field as spaces.

    Adler-32 carries that sum modulo 65521 in its low half and costs a tenth of Python's sum.
    """
    stated = _number(header, 148, 156, offset)
    field = sum(header[148:156])
    if (zlib.adler32(header) - 1 - field + 256 - stated) & 0xFFFF == 0:
        return
    if (sum(header) - field + 256) != stated and (_signed_sum(header) + 256) != stated:
        raise DamagedTar("not a tar header", offset)


def _signed_sum(header: bytes) -> int:
    """Some old writers summed the bytes as signed characters."""
    return sum(byte - 256 if byte > 127 else byte for byte in header[:148] + header[156:])


def _number(header: bytes, start: int, end: int, offset: int) -> int:
    """An octal field, or GNU's base-256 one for numbers too large for it."""
    field = header[start:end]
    if field[0] & 0x80:
        value = int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
        if field[0] & 0x40:
            raise DamagedTar("a negative size", offset)
        return value
    digits = field.split(b"\0", 1)[0].strip()
    try:
        return int(digits, 8) if digits.isdigit() else _no_number(digits, offset)
    except ValueError:
        return _no_number(digits, offset)


def _no_number(digits: bytes, offset: int) -> int:
    if digits:
        raise DamagedTar("not a tar header", offset)
    return 0


def _name(header: bytes) -> str:
    name = header[:100]
    if header[257:263] == b"ustar\0" and header[345]:  # GNU's own magic is another, and keeps times there
        name = header[345:500].split(b"\0", 1)[0] + b"/" + name
    return _text(name)


def _text(raw: bytes) -> str:
    """Names end at a NUL and should be UTF-8; bytes that are not show as escapes, and are still copied as they are."""
    return raw.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")


def _extended(kind: int, data: bytes, offset: int) -> tuple[str | None, int | None]:
    """The name and size that an extended header gives to the member behind it."""
    if kind == ord("L"):
        return _text(data), None
    if kind == ord("K"):
        return None, None
    records = _pax_records(data, offset)
    if any(name.startswith(b"GNU.sparse.") for name in records):
        raise DamagedTar(_SPARSE, offset)
    path, size = records.get(b"path"), records.get(b"size")
    if size is not None and not (size.isdigit() and len(size) <= _DIGITS):
        raise DamagedTar("a pax size that is no number", offset)
    return _text(path) if path else None, int(size) if size else None


def _pax_records(data: bytes, offset: int) -> dict[bytes, bytes]:
    """`LENGTH NAME=VALUE\\n` repeated, LENGTH counting the whole record."""
    records, at = {}, 0
    while at < len(data):
        head, space, _ = data[at : at + _DIGITS + 1].partition(b" ")
        length = int(head) if space and head.isdigit() else 0
        name, equals, value = data[at + len(head) + 1 : at + length].partition(b"=")
        if not equals or not value.endswith(b"\n") or at + length > len(data):
            raise DamagedTar("a broken pax record", offset)
        records[name] = value[:-1]
        at += length
    return records
