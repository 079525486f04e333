"""The shards that the benchmark reads: random pictures with captions and metadata, and texts alone."""

import io
import json
import random
import tarfile
from collections.abc import Iterator
from pathlib import Path

Fields = dict[str, bytes]

_CHANCE = random.Random(0)
_WORDS = ["".join(_CHANCE.choices("abcdefghijklmnopqrstuvwxyz", k=_CHANCE.randint(2, 9))) for _ in range(3000)]


def pictures(count: int) -> Iterator[tuple[str, Fields]]:
    """About 57 KB a sample: 55 KB that no compression shrinks, as jpeg is, 1 KB of json and a caption."""
    for number in range(count):
        yield f"{number:09d}", {"jpg": _CHANCE.randbytes(_CHANCE.randint(50_000, 60_000)), **_said(number)}


def texts(count: int) -> Iterator[tuple[str, Fields]]:
    """About 2.6 KB a sample as it lies in a tar: 1 KB of json and a caption, with their headers."""
    for number in range(count):
        yield f"{number:09d}", _said(number)


def write_shards(folder: Path, samples: Iterator[tuple[str, Fields]], count: int, shards: int) -> Path:
    """As Python's tarfile writes them."""
    folder.mkdir(parents=True)
    for shard in range(shards):
        with tarfile.open(folder / f"{shard:05d}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
            for _ in range(count // shards):
                key, fields = next(samples)
                for field, data in fields.items():
                    info = tarfile.TarInfo(f"{key}.{field}")
                    info.size, info.mtime = len(data), 1_700_000_000
                    tar.addfile(info, io.BytesIO(data))
    return folder


def _said(number: int) -> Fields:
    meta = {
        "uid": f"{_CHANCE.getrandbits(128):032x}",
        "url": f"https://example.com/{number}.jpg",
        "caption": _text(12),
        "width": _CHANCE.randint(64, 2000),
        "height": _CHANCE.randint(64, 2000),
        "status": "success",
        "exif": _text(70),
        "chance": _CHANCE.random(),
    }
    return {"json": json.dumps(meta).encode(), "txt": _text(12).encode()}


def _text(words: int) -> str:
    return " ".join(_CHANCE.choices(_WORDS, k=words))
