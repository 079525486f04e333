"""Small tars of every dialect, and every way to damage them."""

import io
import json
import random
import tarfile
from collections.abc import Callable
from dataclasses import dataclass

from vlmkit.shards.reader import STREAM_BEGIN, STREAM_END
from vlmkit.shards.sample import new_sample
from vlmkit.shards.writer import TarWriter

BLOCK = 512
MARKER = bytes(2 * BLOCK)

Content = tuple[str, list[tuple[str, bytes]]]

SAMPLES = {
    "000000001": {"jpg": b"\xff\xd8" * 700, "txt": b"a cat", "json": b'{"width": 8}'},
    "000000002": {"png": b"p" * BLOCK, "txt": b""},
    "folder/000000003": {"0.png": b"a", "1.png": bytes(BLOCK + 1), "json": b"{}"},
    "long/" + "n" * 120: {"txt": b"a name beyond one hundred bytes"},
    "é日" * 20: {"webp": b"w" * 900, "txt": "größer".encode()},
    "000000006": {"txt": b"", "cls": b"7"},
    "x" * 260: {"jpg": b"j" * 1500},
    "000000008": {"jpg": b"\xff\xd8" * 300, "txt": b"the last"},
}
SHORT = {key: fields for key, fields in SAMPLES.items() if len(key) < 40 and key.isascii()}


@dataclass(frozen=True)
class Base:
    """A whole tar, and its samples, each with the offset behind which damage can't touch it: the end of the first
    member after it, since only that shows that a sample has come to its end.
    """

    name: str
    tar: bytes
    samples: tuple[tuple[Content, int], ...]


def bases() -> list[Base]:
    """Tars of every dialect: by vlmkit, by Python, as a stream with rows, with strays, two archives in one."""
    own = io.BytesIO()
    writer = TarWriter(own)
    for key, fields in SAMPLES.items():
        writer.write(new_sample(key, fields))
    writer.close()
    stream = io.BytesIO()
    writer = TarWriter(stream)
    writer.add(STREAM_BEGIN, b'{"history": []}')
    for place, (key, fields) in enumerate(SAMPLES.items()):
        writer.write(new_sample(key, fields), {"clip": place / 8})
    writer.add(STREAM_END, json.dumps({"history": [{"counts": {}}]}).encode())
    writer.close()
    by_python = {
        "ustar": tar_by_python(SHORT, tarfile.USTAR_FORMAT),
        "gnu": tar_by_python(SAMPLES, tarfile.GNU_FORMAT),
        "pax": tar_by_python(SAMPLES, tarfile.PAX_FORMAT),
        "strays": tar_by_python(SHORT, tarfile.PAX_FORMAT, strays=True),
    }
    made = {"vlmkit": own.getvalue(), "stream": stream.getvalue(), **by_python}
    made["two in one"] = made["ustar"] + made["gnu"]
    return [base_of(name, tar) for name, tar in made.items()]


def tar_by_python(samples: dict[str, dict[str, bytes]], format: int, strays: bool = False) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=format) as tar:
        for key, fields in samples.items():
            for field, data in fields.items():
                info = tarfile.TarInfo(f"{key}.{field}")
                info.size, info.mtime, info.uname = len(data), 1_234_567_890, "someone"
                tar.addfile(info, io.BytesIO(data))
            for name, kind in (("._hidden", tarfile.REGTYPE), ("l.txt", tarfile.SYMTYPE)) if strays else ():
                info = tarfile.TarInfo(name)
                info.type, info.linkname = kind, "/etc/passwd" if kind == tarfile.SYMTYPE else ""
                tar.addfile(info)
        end = tar.offset
    return file.getvalue()[:end] + MARKER  # without the zeros up to a record of 10 kB, where changes change nothing


def base_of(name: str, tar: bytes) -> Base:
    """Where its samples lie is found by Python's tarfile, so that vlmkit does not judge itself."""
    with tarfile.open(fileobj=io.BytesIO(tar), ignore_zeros=True) as opened:
        files = [(info, opened.extractfile(info).read()) for info in opened if info.isreg()]
    samples: list[tuple[Content, int]] = []
    for info, data in files:
        folder, slash, base = info.name.rpartition("/")
        key, _, field = base.partition(".")
        end = info.offset_data + info.size + -info.size % BLOCK
        if not key or info.name in (STREAM_BEGIN, STREAM_END):
            continue
        if samples and samples[-1][0][0] == folder + slash + key:
            samples[-1][0][1].append((field, data))
            continue
        if samples:
            samples[-1] = (samples[-1][0], end)
        samples.append(((folder + slash + key, [(field, data)]), len(tar)))
    plain = [((key, [(f, d) for f, d in fields if f != "vlmkit.json"]), end) for (key, fields), end in samples]
    return Base(name, tar, tuple(plain))


def damaged(base: Base, number: int) -> bytes:
    """The tar after one to three changes."""
    chance, tar = random.Random(f"{base.name} {number}"), base.tar
    for _ in range(chance.choice((1, 1, 2, 3))):
        tar = chance.choice(CHANGES)(tar, chance)
    return tar


def flip_bits(tar: bytes, chance: random.Random) -> bytes:
    changed = bytearray(tar)
    for _ in range(chance.choice((1, 1, 8))):
        if changed:
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def swap_blocks(tar: bytes, chance: random.Random) -> bytes:
    one, other = block_of(tar, chance), block_of(tar, chance)
    changed = bytearray(tar)
    changed[one : one + BLOCK], changed[other : other + BLOCK] = tar[other : other + BLOCK], tar[one : one + BLOCK]
    return bytes(changed)


def repeat_blocks(tar: bytes, chance: random.Random) -> bytes:
    at, run = block_of(tar, chance), chance.randrange(1, 6) * BLOCK
    return tar[:at] + tar[at : at + run] + tar[at:]


def delete(tar: bytes, chance: random.Random) -> bytes:
    at = chance.choice((block_of(tar, chance), chance.randrange(len(tar) + 1)))
    return tar[:at] + tar[at + chance.choice((1, 100, BLOCK, 3 * BLOCK)) :]


def truncate(tar: bytes, chance: random.Random) -> bytes:
    return tar[: chance.choice((block_of(tar, chance), chance.randrange(len(tar) + 1)))]


def insert(tar: bytes, chance: random.Random) -> bytes:
    """Zero blocks, which end an archive, where they fit and where they do not; other bytes."""
    at = chance.choice((block_of(tar, chance), chance.randrange(len(tar) + 1)))
    what = chance.choice(
        (bytes(BLOCK), bytes(2 * BLOCK), bytes(5 * BLOCK), b"\0", chance.randbytes(BLOCK), b"\xff" * 7)
    )
    return tar[:at] + what + tar[at:]


def forge_size(tar: bytes, chance: random.Random) -> bytes:
    huge = chance.choice((1 << 33, 1 << 40, 1 << 62, (1 << 88) - 1, len(tar), BLOCK, 1))
    fields = (
        b"77777777777\0",
        b"%011o\0" % chance.randrange(4 * BLOCK),
        b"\x80" + huge.to_bytes(11, "big"),
        b"\xff" * 11 + bytes([chance.randrange(256)]),
        b"-0000000001\0",
        b"            ",
        bytes(12),
        b"12three4567\0",
        chance.randbytes(12),
    )
    return forged(tar, chance, 124, chance.choice(fields))


def forge_kind(tar: bytes, chance: random.Random) -> bytes:
    return forged(tar, chance, 156, bytes([chance.choice((*b"01234567xgLKSDMVNX\0A", chance.randrange(256)))]))


def forge_name(tar: bytes, chance: random.Random) -> bytes:
    names = (
        b"\xff\xfe.txt\0",
        b"\0",
        b"/etc/passwd.txt\0",
        b"../../x.txt\0",
        b"__vlmkit__\0",
        b"..\0",
        b"a.\0",
        b".b\0",
    )
    return forged(tar, chance, chance.choice((0, 0, 345)), chance.choice(names))


def forge_anything(tar: bytes, chance: random.Random) -> bytes:
    return forged(tar, chance, chance.randrange(BLOCK), chance.randbytes(chance.randrange(1, 13)))


def break_checksum(tar: bytes, chance: random.Random) -> bytes:
    at = block_of(tar, chance) + 148
    what = chance.choice((b"        ", bytes(8), b"777777\0 ", b"\x80\0\0\0\0\0\0\0", chance.randbytes(8)))
    return tar[:at] + what + tar[at + 8 :]


def break_pax(tar: bytes, chance: random.Random) -> bytes:
    """Writes over the records behind an extended header, if the tar has one."""
    places = [at for at in headers(tar) if tar[at + 156] in b"xgL"]
    if not places:
        return forge_kind(tar, chance)
    at = chance.choice(places) + BLOCK
    records = (
        b"99999999999 path=x\n",
        b"0 path=x\n",
        b"-9 path=x\n",
        b"12 path=xx",
        b"9 path=\0\n",
        b"22 size=99999999999999\n",
        b"12 size=-10\n",
        b"11 size=ten\n",
        b"25 GNU.sparse.major=1\n",
        b"6 =ab\n",
        b"\xff" * 20,
        b"1" * BLOCK,
        bytes(BLOCK),
        chance.randbytes(chance.randrange(1, BLOCK)),
    )
    what = chance.choice(records)
    return tar[:at] + what + tar[at + len(what) :]


CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    flip_bits,
    swap_blocks,
    repeat_blocks,
    delete,
    truncate,
    insert,
    forge_size,
    forge_kind,
    forge_name,
    forge_anything,
    break_checksum,
    break_pax,
)


def block_of(tar: bytes, chance: random.Random) -> int:
    return chance.randrange(len(tar) // BLOCK + 1) * BLOCK


def headers(tar: bytes) -> list[int]:
    return [at for at in range(0, len(tar) - BLOCK, BLOCK) if tar[at + 257 : at + 262] == b"ustar"]


def forged(tar: bytes, chance: random.Random, at: int, data: bytes) -> bytes:
    """The tar with bytes of a header overwritten, and its checksum made to agree: damage that no checksum shows."""
    block = chance.choice(headers(tar) or [block_of(tar, chance)])
    header = bytearray(tar[block : block + BLOCK].ljust(BLOCK, b"\0"))
    header[at : at + len(data)] = data
    header = header[:BLOCK]
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return tar[:block] + bytes(header) + tar[block + BLOCK :]
