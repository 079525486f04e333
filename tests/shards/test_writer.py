"""What TarWriter writes is read equally by everybody."""

import io
import subprocess
import tarfile
from shutil import which
from unicodedata import normalize

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmkit.shards.reader import ShardReader
from vlmkit.shards.sample import Sample, new_sample
from vlmkit.shards.writer import TarWriter

UTF8 = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin:/usr/local/bin"}
needs_gnu_tar = pytest.mark.skipif(
    not which("tar") or b"GNU" not in subprocess.run(["tar", "--version"], capture_output=True).stdout, reason="GNU tar"
)
needs_bsdtar = pytest.mark.skipif(not which("bsdtar"), reason="bsdtar")


def by_name(samples: dict[str, dict[str, bytes]]) -> list[tuple[str, bytes]]:
    return [(f"{key}.{field}", data) for key, fields in samples.items() for field, data in fields.items()]


def by_tarfile(tar: bytes) -> list[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        return [(info.name, opened.extractfile(info).read()) for info in opened]


def pipe(tar: bytes, *command: str) -> bytes:
    return subprocess.run(command, input=tar, capture_output=True, check=True, env=UTF8).stdout


@given(st.data())
def test_samples_come_back_as_they_went(sample_sets, tar_of, read, contents, listed, data):
    samples = data.draw(sample_sets)
    found, reader = read(tar_of(samples))
    assert contents(found) == listed(samples)
    assert reader.unbroken
    assert not reader.strays


@given(st.data())
def test_python_reads_the_same(sample_sets, tar_of, data):
    samples = data.draw(sample_sets)
    assert by_tarfile(tar_of(samples)) == by_name(samples)


@given(st.data())
def test_webdataset_reads_the_same(sample_sets, tar_of, data):
    from webdataset.tariterators import group_by_keys, tar_file_iterator

    samples = data.draw(sample_sets)
    files = [{"__url__": "", **file} for file in tar_file_iterator(io.BytesIO(tar_of(samples)))]
    found = {
        sample["__key__"]: {field: data for field, data in sample.items() if not field.startswith("__")}
        for sample in group_by_keys(files)
    }
    assert found == samples


@needs_gnu_tar
@settings(max_examples=40)
@given(st.data())
def test_gnu_tar_reads_the_same(sample_sets, tar_of, data):
    samples = data.draw(sample_sets)
    tar = tar_of(samples)
    names = pipe(tar, "tar", "tf", "-", "--quoting-style=literal").decode().splitlines()
    assert names == [name for name, _ in by_name(samples)]
    assert pipe(tar, "tar", "xOf", "-") == b"".join(data for _, data in by_name(samples))
    if names:
        name, content = by_name(samples)[-1]
        assert pipe(tar, "tar", "xOf", "-", "--no-wildcards", "--no-unquote", "--", name) == content


@needs_bsdtar
@settings(max_examples=40)
@given(st.data())
def test_bsdtar_reads_the_same(sample_sets, tar_of, data):
    samples = data.draw(sample_sets)
    copied = pipe(tar_of(samples), "bsdtar", "-cf", "-", "--format=pax", "@-")
    composed = [(normalize("NFC", name), content) for name, content in by_name(samples)]  # as libarchive writes names
    assert by_tarfile(copied) == composed


@pytest.mark.parametrize("length", [99, 100, 101, 154, 155, 156, 255, 256, 257, 1000, 5000])
def test_names_of_every_length_fit(tar_of, read, contents, length):
    key = "k" * (length - len(".txt"))
    tar = tar_of({key: {"txt": b"text"}, "next": {"txt": b"more"}})
    assert contents(read(tar)[0]) == [(key, [("txt", b"text")]), ("next", [("txt", b"more")])]
    assert by_tarfile(tar)[0] == (f"{key}.txt", b"text")


def test_equal_samples_give_equal_bytes_whoever_writes_them_and_when(tar_of):
    samples = {"a": {"txt": b"x"}, "é" * 80: {"jpg": b"y"}}
    with tarfile.open(fileobj=io.BytesIO(tar_of(samples))) as opened:
        seen = {(info.mode, info.uid, info.gid, info.uname, info.gname, info.mtime) for info in opened}
    assert seen == {(0o644, 0, 0, "", "", 946_684_800)}
    assert tar_of(samples) == tar_of(samples)


def test_offset_and_length_find_the_sample_in_the_tar(read, contents):
    file = io.BytesIO()
    writer = TarWriter(file)
    writer.add("__vlmkit__", b"{}")
    places = [writer.write(new_sample(key, {"txt": key.encode()}), {"clip": 0.5}) for key in ("a", "é" * 99, "c")]
    writer.close()
    for (offset, length), key in zip(places, ("a", "é" * 99, "c"), strict=True):
        (sample,), _ = read(file.getvalue()[offset : offset + length])
        assert contents([sample]) == [(key, [("txt", key.encode())])]
        assert sample.row == {"clip": 0.5}
    assert writer.offset == len(file.getvalue())


def test_a_shard_without_samples_is_a_tar(tar_of, read):
    assert tar_of({}) == bytes(1024)
    assert read(tar_of({}))[0] == []


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=20))
def test_a_row_travels_exactly(scores):
    row = {"key": "ü", "clip:m": 0.1, "lang": "fr", "kept": True} | {f"s{n}": score for n, score in enumerate(scores)}
    (sample,) = travelled(new_sample("a", {"txt": b"x", "json": b"{}"}), row)
    assert sample.row == row
    assert [np.float32(sample.row[f"s{n}"]) for n in range(len(scores))] == [np.float32(score) for score in scores]
    assert list(sample.fields) == ["txt", "json"]


def test_a_row_leaves_no_trace_in_its_sample(tar_of):
    plain = tar_of({"a": {"txt": b"x"}})
    (sample,) = travelled(new_sample("a", {"txt": b"x"}), {"clip": 0.25})
    file = io.BytesIO()
    writer = TarWriter(file)
    writer.write(sample)
    writer.close()
    assert file.getvalue() == plain


def test_half_a_surrogate_pair_in_a_row_travels():
    (sample,) = travelled(new_sample("a", {"txt": b"x"}), {"caption": "\ud83d!"})
    assert sample.row == {"caption": "\ud83d!"}


def test_a_file_that_takes_a_little_at_a_time_gets_everything(read, contents):
    class Slow(io.BytesIO):
        def write(self, data) -> int:
            return super().write(bytes(data[:700]))

    file = Slow()
    writer = TarWriter(file)
    for number in range(5):
        writer.write(new_sample(str(number), {"bin": bytes([number]) * 3000}))
    writer.close()
    found, reader = read(file.getvalue())
    assert [key for key, _ in contents(found)] == list("01234")
    assert reader.unbroken


def travelled(sample: Sample, row: dict) -> list[Sample]:
    file = io.BytesIO()
    writer = TarWriter(file)
    writer.write(sample, row)
    writer.close()
    return list(ShardReader(io.BytesIO(file.getvalue()), "x.tar"))
