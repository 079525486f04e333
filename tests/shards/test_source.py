"""A plain file is read where and when it is asked for, and for as long as anybody holds a sample of it."""

import gc
import os
import random
import threading
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from vlmkit.errors import VlmkitError
from vlmkit.shards.locations import open_shard
from vlmkit.shards.reader import ShardReader
from vlmkit.shards.sample import Sample
from vlmkit.shards.tar import encode_member
from vlmkit.shards.writer import TarWriter

MIB = 1 << 20
PICTURE = random.Random(0).randbytes(100_000)


@pytest.fixture
def reads(monkeypatch) -> list[tuple[int, int]]:
    """Offset and length of all that is read of plain files from here on."""
    seen, pread, preadv = [], os.pread, os.preadv

    def counted(descriptor: int, size: int, offset: int) -> bytes:
        seen.append((offset, size))
        return pread(descriptor, size, offset)

    def counted_into(descriptor: int, rooms: list, offset: int) -> int:
        seen.append((offset, sum(map(len, rooms))))
        return preadv(descriptor, rooms, offset)

    monkeypatch.setattr(os, "pread", counted)
    monkeypatch.setattr(os, "preadv", counted_into)
    return seen


@pytest.fixture
def pictures(tmp_path) -> Path:
    """200 samples of 100 KB and a caption."""
    path = tmp_path / "pictures.tar"
    samples = [encode_member(f"{n}.jpg", PICTURE) + encode_member(f"{n}.txt", b"caption %d" % n) for n in range(200)]
    path.write_bytes(b"".join(samples) + bytes(1024))
    return path


@pytest.fixture
def texts(tmp_path) -> Path:
    path = tmp_path / "texts.tar"
    path.write_bytes(b"".join(encode_member(f"{n}.txt", b"caption %d" % n) for n in range(5000)) + bytes(1024))
    return path


def samples_of(path: Path) -> Iterator[Sample]:
    with open_shard(str(path)) as file:
        yield from ShardReader(file, str(path))


def copy(samples: Iterable[Sample], target: Path) -> None:
    with open(target, "wb") as file:
        writer = TarWriter(file)
        for sample in samples:
            writer.write(sample)
        writer.close()


def open_descriptors(file: Path) -> int:
    """Of this file; other threads have theirs."""
    gc.collect()
    links = Path("/proc/self/fd").iterdir()
    return sum(os.path.realpath(link) == os.path.realpath(file) for link in links)


# What is read


def test_pictures_that_nobody_asks_for_are_not_read(pictures, reads):
    assert [sample.text for sample in samples_of(pictures)] == [f"caption {n}" for n in range(200)]
    assert len(reads) < 210
    assert sum(size for _, size in reads) < pictures.stat().st_size / 10


def test_a_picture_is_read_when_it_is_asked_for_and_nothing_else(pictures, reads):
    samples = list(samples_of(pictures))
    reads.clear()
    assert samples[7]["jpg"] == PICTURE
    assert reads == [(samples[7].fields["jpg"].entry.data, len(PICTURE))]


def test_small_samples_are_read_many_at_a_time_with_their_data(texts, reads):
    assert [sample.text for sample in samples_of(texts)] == [f"caption {n}" for n in range(5000)]
    assert len(reads) < 20


def test_windows_follow_the_size_of_members(tmp_path, reads):
    """Small ones first, large ones in the middle, small ones again: neither one read a member, nor all of the file."""
    small = [encode_member(f"{n}.txt", b"x") for n in range(4000)]
    large = [encode_member(f"{n}.jpg", PICTURE) for n in range(4000, 4100)]
    path = tmp_path / "x.tar"
    path.write_bytes(b"".join([*small, *large, *small]) + bytes(1024))
    assert len(list(samples_of(path))) == 8100
    assert len(reads) < 200
    assert sum(size for _, size in reads) < 8000 * 1024 + 4 * MIB


def test_a_member_of_any_size_is_walked_and_copied_in_little_memory(tmp_path):
    path, target = tmp_path / "x.tar", tmp_path / "copy.tar"
    head = encode_member("a.bin", b"")
    size = 256 * MIB
    header = encode_member("b.bin", bytes(8))[:512].replace(b"%011o" % 8, b"%011o" % size)
    header = header[:148] + b" " * 8 + header[156:]
    path.write_bytes(head + header[:148] + b"%06o\0 " % sum(header) + header[156:])
    os.truncate(path, len(head) + 512 + size + 1024)
    tracemalloc.start()
    copy(samples_of(path), target)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert target.stat().st_size == path.stat().st_size
    assert peak < 4 * MIB


def test_a_file_is_read_from_where_it_stands(pictures, reads):
    with open(pictures, "rb") as file:
        file.seek(100_352 + 512)  # behind the first picture
        samples = list(ShardReader(file, "x.tar"))
    assert (samples[0].key, samples[0].text, samples[1]["jpg"]) == ("0", "caption 0", PICTURE)
    assert "jpg" not in samples[0].fields


# How long it is open


def test_samples_outlive_the_reader_and_its_file(pictures):
    samples = [sample for sample in samples_of(pictures) if sample.key in ("3", "150")]
    assert [bytes(sample["jpg"]) for sample in samples] == [PICTURE] * 2
    assert open_descriptors(pictures) == 1
    del samples[0]
    assert samples[0]["jpg"] == PICTURE
    samples.clear()
    assert open_descriptors(pictures) == 0


def test_a_reader_that_is_left_in_the_middle_closes_its_file(pictures):
    samples = samples_of(pictures)
    next(samples)
    samples.close()
    assert open_descriptors(pictures) == 0


def test_threads_read_samples_of_one_file_side_by_side(pictures):
    samples, wrong = list(samples_of(pictures)), []

    def read(part: list[Sample]) -> None:
        wrong.extend(sample.key for sample in part if sample["jpg"] != PICTURE)

    threads = [threading.Thread(target=read, args=(samples[n::4],)) for n in range(4)]
    del samples
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# A file that becomes shorter


def test_data_that_are_gone_are_an_error(pictures):
    samples = list(samples_of(pictures))
    os.truncate(pictures, 150_000)
    assert samples[0]["jpg"] == PICTURE
    with pytest.raises(VlmkitError, match=r"pictures\.tar became shorter while it was read") as error:
        _ = samples[1]["jpg"]
    assert error.value.hint


@pytest.mark.parametrize("length", [0, 150_000, 512 * 1000])
def test_a_copy_of_what_is_gone_is_an_error(pictures, tmp_path, length):
    samples = list(samples_of(pictures))
    os.truncate(pictures, length)
    with pytest.raises(VlmkitError, match="became shorter"):
        copy(samples, tmp_path / "copy.tar")


def test_a_walk_into_what_is_gone_is_an_error(pictures):
    samples = samples_of(pictures)
    next(samples)
    os.truncate(pictures, 512 * 1000)
    with pytest.raises(VlmkitError, match="became shorter"):
        list(samples)
