"""Raw runs of bytes arrive whole, whatever the kernel can do for the two ends, and in as few copies as may be."""

import errno
import gzip
import io
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from vlmkit.shards.locations import open_shard
from vlmkit.shards.reader import ShardReader
from vlmkit.shards.sample import Sample, new_sample
from vlmkit.shards.tar import encode_member
from vlmkit.shards.writer import TarWriter

RANDOM = random.Random(0)
PARTS = [
    encode_member(f"{n:03}.jpg", RANDOM.randbytes(RANDOM.choice([10, 3000, 60_000, 400_000])))
    + encode_member(f"{n:03}.txt", b"text")
    for n in range(120)
]
TAR = b"".join(PARTS) + bytes(1024)


@pytest.fixture
def samples(tmp_path) -> list[Sample]:
    path = tmp_path / "in.tar"
    path.write_bytes(TAR)
    with open_shard(str(path)) as file:
        return list(ShardReader(file, str(path)))


@pytest.fixture
def copies(monkeypatch) -> list[int]:
    """The sizes that the kernel is asked to copy from file to file."""
    seen, copy = [], os.copy_file_range

    def counted(source: int, target: int, size: int, offset: int) -> int:
        seen.append(size)
        return copy(source, target, size, offset)

    monkeypatch.setattr(os, "copy_file_range", counted)
    return seen


def write(samples: list[Sample], file: io.BufferedIOBase) -> None:
    writer = TarWriter(file)
    for sample in samples:
        writer.write(sample)
    writer.close()
    assert writer.offset == sum(sample.size_bytes for sample in samples) + 1024


def written(samples: list[Sample], folder: Path, mode: str = "wb", buffering: int = -1) -> bytes:
    with open(folder / "out.tar", mode, buffering=buffering) as file:
        write(samples, file)
    return (folder / "out.tar").read_bytes()


def refusing(number: int) -> Callable[..., int]:
    def refuse(*arguments: int) -> int:
        raise OSError(number, os.strerror(number))

    return refuse


# As few copies as may be


def test_neighbours_are_one_copy(samples, tmp_path, copies):
    assert written(samples, tmp_path) == TAR
    assert len(copies) < 8  # for 240 members


def test_a_gap_parts_the_copies(samples, tmp_path, copies):
    kept = [sample for sample in samples if sample.key != "060"]
    assert written(kept, tmp_path) == b"".join(PARTS[:60] + PARTS[61:]) + bytes(1024)
    assert 2 <= len(copies) < 10


def test_only_a_changed_member_is_encoded_again(samples, tmp_path):
    changed = [*samples[:50], samples[50].changed({"txt": b"other"}), *samples[51:]]
    picture = PARTS[50][: -len(encode_member("050.txt", b"text"))]
    other = picture + encode_member("050.txt", b"other")
    assert written(changed, tmp_path) == b"".join([*PARTS[:50], other, *PARTS[51:]]) + bytes(1024)


def test_every_second_sample(samples, tmp_path):
    assert written(samples[::2], tmp_path) == b"".join(PARTS[::2]) + bytes(1024)


def test_another_order(samples, tmp_path):
    order = random.Random(1).sample(range(120), 120)
    assert written([samples[n] for n in order], tmp_path) == b"".join(PARTS[n] for n in order) + bytes(1024)


def test_samples_of_several_files_and_new_ones(samples, tmp_path):
    (tmp_path / "other.tar").write_bytes(TAR)
    with open_shard(str(tmp_path / "other.tar")) as file:
        others = list(ShardReader(file, "other.tar"))
    mixed = [*samples[:3], *others[3:6], new_sample("new", {"txt": b"x"}), *others[6:7]]
    expected = [*PARTS[:6], encode_member("new.txt", b"x"), PARTS[6], bytes(1024)]
    assert written(mixed, tmp_path) == b"".join(expected)


def test_a_last_padding_that_was_left_out_is_written(tmp_path, read):
    member = encode_member("a.bin", bytes([7]) * 600_001)
    (tmp_path / "in.tar").write_bytes(member.rstrip(b"\0"))
    with open_shard(str(tmp_path / "in.tar")) as file:
        found, _ = read(file)
    assert written(found, tmp_path) == member + bytes(1024)


# Whatever the two ends allow


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM])
@pytest.mark.parametrize("missing", [("copy_file_range",), ("copy_file_range", "sendfile")])
def test_what_the_kernel_refuses_goes_another_way(samples, tmp_path, monkeypatch, number, missing):
    for name in missing:
        monkeypatch.setattr(os, name, refusing(number))
    assert written(samples, tmp_path) == TAR


def test_what_the_kernel_refuses_later_goes_another_way_from_there(samples, tmp_path, monkeypatch):
    copy, left = os.copy_file_range, [2]

    def twice(source: int, target: int, size: int, offset: int) -> int:
        left[0] -= 1
        return copy(source, target, min(size, 100_001), offset) if left[0] >= 0 else refusing(errno.EINVAL)()

    monkeypatch.setattr(os, "copy_file_range", twice)
    assert written(samples, tmp_path) == TAR


def test_copies_that_stop_short_go_on(samples, tmp_path, monkeypatch):
    copy = os.copy_file_range
    monkeypatch.setattr(os, "copy_file_range", lambda s, t, size, at: copy(s, t, min(size, 70_001), at))
    assert written(samples, tmp_path) == TAR


def test_a_full_disk_is_no_reason_for_another_way(samples, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "copy_file_range", refusing(errno.ENOSPC))
    with pytest.raises(OSError, match="No space left"):
        written(samples, tmp_path)


def test_a_file_that_is_appended_to(samples, tmp_path):
    """Which the kernel copies nothing into: `>> x.tar`."""
    assert written(samples, tmp_path, "ab") == TAR
    assert written(samples, tmp_path, "ab") == TAR * 2


def test_a_file_without_a_buffer(samples, tmp_path):
    assert written(samples, tmp_path, "wb", 0) == TAR


def test_what_was_written_before_stands_before(samples, tmp_path):
    with open(tmp_path / "out.tar", "wb") as file:
        file.write(b"before")
        write(samples, file)
        file.write(b"behind")
        file.flush()
        assert file.tell() == len(TAR) + 12
    assert (tmp_path / "out.tar").read_bytes() == b"before" + TAR + b"behind"


def test_memory_and_compressors_are_written_through_python(samples, tmp_path):
    memory = io.BytesIO()
    write(samples, memory)
    assert memory.getvalue() == TAR
    with gzip.open(tmp_path / "out.tar.gz", "wb") as file:
        write(samples, file)
    assert gzip.decompress((tmp_path / "out.tar.gz").read_bytes()) == TAR


@pytest.mark.parametrize("sendfile", [True, False])
def test_a_pipe_whose_reader_is_slow(samples, monkeypatch, sendfile):
    if not sendfile:
        monkeypatch.setattr(os, "sendfile", refusing(errno.EINVAL))
    from_pipe, to_pipe = os.pipe()
    got = bytearray()

    def drain() -> None:
        with os.fdopen(from_pipe, "rb", buffering=0) as file:
            while part := file.read(10_007):
                got.extend(part)

    thread = threading.Thread(target=drain)
    thread.start()
    with os.fdopen(to_pipe, "wb") as file:
        write(samples, file)
    thread.join()
    assert bytes(got) == TAR


def test_a_closed_pipe_is_told(samples):
    from_pipe, to_pipe = os.pipe()
    os.close(from_pipe)
    with os.fdopen(to_pipe, "wb") as file, pytest.raises(BrokenPipeError):
        write(samples, file)
