"""One header block of a tar (POSIX.1-2001 ustar and pax, GNU long names): what it says, and how vlmkit writes it."""

import tarfile
import zlib
from functools import lru_cache

from vlmkit.shards.source import BLOCK

MODE = 0o644
MODIFIED = (
    946_684_800  # every member that vlmkit writes is dated 2000-01-01: the time of writing is no part of the data
)

_DIGITS = 20  # no number in a pax record has more
SPARSE = "a sparse member, which no reader of shards expects,"


class DamagedTar(Exception):
    """The bytes at `offset` are not what a tar has there: cut off, or overwritten."""

    def __init__(self, why: str, offset: int) -> None:
        super().__init__(f"{why} at byte {offset}")
        self.why = why
        self.offset = offset


def padded(size: int) -> int:
    return size + -size % BLOCK


def encode_member(name: str, data: bytes) -> bytes:
    """A member as vlmkit writes it: fixed mode, owner and time; pax records only for what ustar can't say."""
    return _encode_header(name, len(data)) + data + bytes(-len(data) % BLOCK)


def verify(header: bytes, offset: int) -> None:
    """Compares the checksum: the sum of the header's bytes with its own field as spaces. Raises DamagedTar."""
    if zlib.adler32(header) & 0xFFFF == adler_of_sum(header[148:156]):
        return
    field, stated = sum(header[148:156]), number(header, 148, 156, offset)
    if (sum(header) - field + 256) != stated and (_signed_sum(header) + 256) != stated:
        raise DamagedTar("not a tar header", offset)


@lru_cache(maxsize=1 << 14)
def adler_of_sum(field: bytes) -> int:
    """The low half of the Adler-32 that a header has whose checksum field is this; -1 if only a sum can tell.

    Adler-32 carries the sum of the bytes, plus one, modulo 65521 in its low half and costs a tenth of Python's sum.
    """
    digits = field.split(b"\0", 1)[0].strip()
    stated = int(digits, 8) if digits.isdigit() and not set(digits) & set(b"89") else -1
    return 1 + stated - 256 + sum(field) if 256 <= stated < 65_000 - sum(field) else -1


def number(header: bytes, start: int, end: int, offset: int) -> int:
    """An octal field, or GNU's base-256 one for numbers too large for it. Raises DamagedTar."""
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


def name_of(header: bytes) -> str:
    name = header[:100]
    if header[257:263] == b"ustar\0" and header[345]:  # GNU's own magic is another, and keeps times there
        name = header[345:500].split(b"\0", 1)[0] + b"/" + name
    return _text(name)


def extended(kind: int, data: bytes, offset: int) -> tuple[str | None, int | None]:
    """The name and size that an extended header gives to the member behind it. Raises DamagedTar."""
    if kind == ord("L"):
        return _text(data), None
    if kind == ord("K"):
        return None, None
    records = _pax_records(data, offset)
    if any(name.startswith(b"GNU.sparse.") for name in records):
        raise DamagedTar(SPARSE, offset)
    path, size = records.get(b"path"), records.get(b"size")
    if size is not None and not (size.isdigit() and len(size) <= _DIGITS):
        raise DamagedTar("a pax size that is no number", offset)
    return _text(path) if path else None, int(size) if size else None


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


def _signed_sum(header: bytes) -> int:
    """Some old writers summed the bytes as signed characters."""
    return sum(byte - 256 if byte > 127 else byte for byte in header[:148] + header[156:])


def _no_number(digits: bytes, offset: int) -> int:
    if digits:
        raise DamagedTar("not a tar header", offset)
    return 0


def _text(raw: bytes) -> str:
    """Names end at a NUL and should be UTF-8; bytes that are not show as escapes, and are still copied as they are."""
    return raw.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")


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
