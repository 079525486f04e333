"""Whatever wrote a tar and however it arrives, the same samples come out; damage costs no more than it must."""

import gzip
import io
import json
import os
import random
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from shutil import which

import pyarrow
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vlmkit.errors import BrokenInput
from vlmkit.shards.keys import UniqueKeys
from vlmkit.shards.locations import open_shard
from vlmkit.shards.reader import ShardReader
from vlmkit.shards.sample import Sample
from vlmkit.shards.tar import DamagedTar, encode_member
from vlmkit.shards.writer import TarWriter

MIB = 1 << 20
MARKER = bytes(1024)
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}

# What files on a disk can be called, and the oldest format can say.
FILES = {
    "a": {"jpg": b"\xff\xd8" * 700, "txt": b"a cat"},
    "b c/d-1": {"json": b"{}", "txt": b""},
    "b c/é日": {"txt": "ünï".encode(), "0.png": b"x" * 512, "1.png": bytes(1024)},
}
LONG = {f"{'folder/' * 20}{'k' * 150}": {"jpg": b"long", "txt": b"name"}, "z" * 240: {"cls": b"1"}}


def tar_by_tarfile(samples: dict[str, dict[str, bytes]], format: int = tarfile.PAX_FORMAT) -> bytes:
    """Headers as a user's own files have them: an owner, a mode, a time with a fraction if the format can say it."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=format) as tar:
        for key, fields in samples.items():
            for field, data in fields.items():
                info = tarfile.TarInfo(f"{key}.{field}")
                info.size, info.mode, info.uid, info.uname = len(data), 0o600, 4711, "someone"
                info.mtime = 1_234_567_890.25 if format == tarfile.PAX_FORMAT else 1_234_567_890
                tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def copied(samples: Iterable[Sample]) -> bytes:
    file = io.BytesIO()
    writer = TarWriter(file)
    for sample in samples:
        writer.write(sample, sample.row or None)
    writer.close()
    return file.getvalue()


def one(name: str, data: bytes = b"x") -> bytes:
    return encode_member(name, data)


def special(name: str, kind: bytes, target: str = "") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info.tobuf(tarfile.USTAR_FORMAT)


# Tars that others wrote


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
@settings(max_examples=60)
@given(data=st.data())
def test_tars_by_python(sample_sets, read, contents, listed, format, data):
    samples = data.draw(sample_sets)
    try:
        tar = tar_by_tarfile(samples, format)
    except ValueError:  # ustar has no room for some names
        assume(False)
    found, reader = read(tar)
    assert contents(found) == listed(samples)
    assert reader.unbroken


@pytest.mark.parametrize("format", ["v7", "ustar", "oldgnu", "gnu", "pax", "posix"])
def test_tars_by_gnu_tar(tmp_path, read, contents, listed, format):
    version = subprocess.run(["tar", "--version"], capture_output=True).stdout if which("tar") else b""
    if b"GNU" not in version:
        pytest.skip("GNU tar")
    samples = FILES if format in ("v7", "ustar") else FILES | LONG
    tar = tar_of_files(tmp_path, samples, "tar", f"--format={format}", "--verbatim-files-from")
    assert contents(read(tar)[0]) == listed(samples)


@pytest.mark.parametrize("format", ["v7tar", "ustar", "gnutar", "paxr", "pax"])
def test_tars_by_bsdtar(tmp_path, read, contents, listed, format):
    if not which("bsdtar"):
        pytest.skip("bsdtar")
    samples = FILES if format in ("v7tar", "ustar") else FILES | LONG
    tar = tar_of_files(tmp_path, samples, "bsdtar", f"--format={format}")
    assert contents(read(tar)[0]) == listed(samples)


def tar_of_files(folder: Path, samples: dict[str, dict[str, bytes]], program: str, *options: str) -> bytes:
    names = []
    for key, fields in samples.items():
        for field, data in fields.items():
            names.append(f"{key}.{field}")
            (folder / names[-1]).parent.mkdir(parents=True, exist_ok=True)
            (folder / names[-1]).write_bytes(data)
    command = [program, "-cf", "-", "-C", str(folder), *options, "--null", "-T", "-"]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    names_given = "\0".join(names).encode()
    return subprocess.run(command, input=names_given, capture_output=True, check=True, env=environment).stdout


@settings(max_examples=30)
@given(st.data())
def test_tars_by_webdataset(sample_sets, read, contents, listed, data):
    import webdataset

    samples = data.draw(sample_sets)
    file = io.BytesIO()
    writer = webdataset.TarWriter(file, encoder=False)
    for key, fields in samples.items():
        writer.write({"__key__": key, **fields})
    writer.close()
    ordered = {key: dict(sorted(fields.items())) for key, fields in samples.items()}
    assert contents(read(file.getvalue())[0]) == listed(ordered)


# Copies


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
def test_a_copied_sample_keeps_every_byte_of_its_members(read, members, format):
    samples = FILES if format == tarfile.USTAR_FORMAT else FILES | LONG
    tar = tar_by_tarfile(samples, format)
    copy = copied(read(tar)[0])
    assert members(copy) == members(tar)
    assert tar.startswith(copy.removesuffix(MARKER))


def test_pax_records_of_other_tools_are_copied(read, members):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("a.jpg", "a.txt"):
            info = tarfile.TarInfo(name)
            info.pax_headers = {"mtime": "1700000000.123456789", "SCHILY.xattr.user.rating": "5 \n stars"}
            tar.addfile(info)
    copy = copied(read(file.getvalue())[0])
    assert members(copy) == members(file.getvalue())
    with tarfile.open(fileobj=io.BytesIO(copy)) as tar:
        assert tar.next().pax_headers["SCHILY.xattr.user.rating"] == "5 \n stars"


def test_a_global_header_is_not_copied_into_other_shards(read, members):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", pax_headers={"comment": "from a repository"}) as tar:
        tar.addfile(tarfile.TarInfo("a.txt"))
    between = extension_between(file.getvalue())
    copy = copied(read(file.getvalue())[0])
    assert members(copy) == members(file.getvalue())
    assert b"from a repository" in file.getvalue()
    assert b"from a repository" not in copy
    (sample,), _ = read(between)
    assert list(sample.fields) == ["txt", "jpg"]
    assert b"from a repository" not in copied([sample])


def extension_between(tar: bytes) -> bytes:
    """The tar's global header between two members of one sample, where appending to a tar puts it."""
    return one("a.txt") + tar[:1024] + one("a.jpg") + MARKER


# What belongs together


def test_a_sample_is_a_run_of_members_with_one_key(read, contents):
    names = ["a.jpg", "a.txt", "b/a.txt", "b/a.seg.png", "c.d/e.jpg", "c.d/e.TXT", "a.json"]
    found, _ = read(b"".join(one(name) for name in names) + MARKER)
    assert [(key, [field for field, _ in fields]) for key, fields in contents(found)] == [
        ("a", ["jpg", "txt"]),
        ("b/a", ["txt", "seg.png"]),
        ("c.d/e", ["jpg", "txt"]),
        ("a", ["json"]),
    ]


def test_members_that_belong_to_no_sample_are_counted_by_kind(read):
    tar = (
        special("folder", tarfile.DIRTYPE)
        + special("folder.d", tarfile.DIRTYPE)
        + special("x.jpg", tarfile.SYMTYPE, "/etc/passwd")
        + special("y.jpg", tarfile.LNKTYPE, "a.txt")
        + special("null.txt", tarfile.CHRTYPE)
        + special("pipe.txt", tarfile.FIFOTYPE)
        + one("README")
        + one(".hidden")
        + one("a/.DS_Store")
        + one("ends.")
        + one("__meta__")
        + one("a.txt")
        + MARKER
    )
    samples, reader = read(tar)
    assert [sample.key for sample in samples] == ["a"]
    assert reader.strays == {"no plain file": 6, "without a field": 4}


@pytest.mark.parametrize(
    "stray", [one("._a.txt"), special("a.json", tarfile.LNKTYPE, "b.json"), one("README"), one("__meta__")]
)
def test_a_stray_among_the_members_of_a_sample_does_not_part_them(read, contents, members, stray):
    """macOS puts a hidden file before every file of a tar."""
    tar = stray + one("a.jpg") + stray + one("a.txt") + stray + one("b.txt") + MARKER
    samples, _ = read(tar)
    assert contents(samples) == [("a", [("jpg", b"x"), ("txt", b"x")]), ("b", [("txt", b"x")])]
    assert copied(samples) == one("a.jpg") + one("a.txt") + one("b.txt") + MARKER


def test_a_tar_of_strays_is_not_gathered_behind_a_sample(read):
    samples, reader = read(one("a.jpg") + one("README", bytes(2 * MIB)) + one("a.txt") + MARKER)
    assert [sample.key for sample in samples] == ["a", "a"]
    assert reader.strays == {"without a field": 1}


def test_a_row_ends_its_sample(read):
    row = {"clip:m": 0.25, "width": 640}
    samples, _ = read(one("a.txt") + one("a.vlmkit.json", json.dumps(row).encode()) + one("b.txt") + MARKER)
    assert [(sample.key, sample.row, list(sample.fields)) for sample in samples] == [
        ("a", row, ["txt"]),
        ("b", {}, ["txt"]),
    ]
    assert copied(samples[1:]) == one("b.txt") + MARKER


@pytest.mark.parametrize("row", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_a_row_that_is_no_json_object_is_a_member_like_others(read, row):
    (sample,), _ = read(one("a.txt") + one("a.vlmkit.json", row) + MARKER)
    assert list(sample.fields) == ["txt", "vlmkit.json"]
    assert sample.row == {}


# Several archives in one


def test_concatenated_tars_are_read_through(sample_sets, tar_of, read, contents, listed):
    @settings(max_examples=50)
    @given(sample_sets, sample_sets, st.integers(0, 20))
    def holds(first, second, zero_blocks):
        found, reader = read(tar_of(first) + bytes(512 * zero_blocks) + tar_of(second))
        assert contents(found) == listed(first) + listed(second)
        assert reader.unbroken

    holds()


@pytest.mark.parametrize("zero_blocks", [1, 2, 20])
def test_a_sample_does_not_reach_from_one_archive_into_the_next(read, contents, zero_blocks):
    tar = one("a.txt") + bytes(512 * zero_blocks)
    samples, _ = read(tar * 2)
    assert contents(samples) == [("a", [("txt", b"x")])] * 2
    assert copied(samples) == one("a.txt") * 2 + MARKER


def test_what_lies_behind_a_marker_can_not_damage_the_sample_before_it(read):
    samples, reader = read(one("a.txt") + one("b.txt") + MARKER + b"a signature, or so".ljust(512))
    assert [sample.key for sample in samples] == ["a", "b"]
    assert reader.damage.offset == 2 * 1024 + 1024
    assert not reader.unbroken


# How a tar arrives


@pytest.mark.parametrize("suffix", ["tar.gz", "tgz", "tar.zst"])
def test_compressed_tars_are_read_as_they_are(tmp_path, tar_of, read, contents, suffix):
    tar = tar_of(FILES | LONG | {"big": {"bin": os.urandom(3 * MIB)}})
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(compressed(tar, suffix))
    with open_shard(str(path)) as file:
        found, reader = read(file)
    assert contents(found) == contents(read(tar)[0])
    assert reader.unbroken


def test_parts_that_were_compressed_one_by_one_are_read_through(tmp_path, tar_of, read):
    first, second = tar_of({"a": {"txt": b"x"}}), tar_of({"b": {"txt": b"y"}})
    for suffix in ("tar.gz", "tar.zst"):
        path = tmp_path / f"x.{suffix}"
        path.write_bytes(compressed(first, suffix) + compressed(second, suffix))
        with open_shard(str(path)) as file:
            assert [sample.key for sample in read(file)[0]] == ["a", "b"]


@pytest.mark.parametrize("suffix", ["tar.gz", "tar.zst"])
def test_a_compressed_tar_that_is_cut_off_gives_what_came_before(tmp_path, tar_of, read, suffix):
    tar = tar_of({f"{n:02}": {"bin": random.Random(n).randbytes(200_000)} for n in range(20)})
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(compressed(tar, suffix)[: len(tar) // 2])
    with open_shard(str(path)) as file:
        samples, reader = read(file)
    keys = [sample.key for sample in samples]
    assert keys == [f"{n:02}" for n in range(len(keys))]
    assert 7 <= len(keys) <= 10
    assert "Truncated" in str(reader.damage)
    assert not reader.unbroken


def compressed(tar: bytes, suffix: str) -> bytes:
    return pyarrow.compress(tar, codec="zstd", asbytes=True) if suffix == "tar.zst" else gzip.compress(tar)


def through_a_pipe(tar: bytes, sizes: list[int], buffering: int, read: Callable) -> tuple[list[Sample], ShardReader]:
    """The tar as a pipe gives it whose writer hands over `sizes` bytes at a time, over and over."""
    from_pipe, to_pipe = os.pipe()

    def write() -> None:
        at, turn = 0, 0
        with os.fdopen(to_pipe, "wb", buffering=0) as file:
            while at < len(tar):
                at += file.write(tar[at : at + sizes[turn % len(sizes)]])
                turn += 1

    thread = threading.Thread(target=write)
    thread.start()
    with os.fdopen(from_pipe, "rb", buffering=buffering) as file:
        found = read(file)
    thread.join()
    return found


@pytest.mark.parametrize("buffering", [0, 4096], ids=["raw", "buffered"])
@settings(max_examples=25)
@given(data=st.data())
def test_a_pipe_that_trickles_gives_the_same_as_a_file(sample_sets, tar_of, read, contents, buffering, data):
    tar = tar_of(data.draw(sample_sets)) + tar_of({"last": {"txt": b"x" * 700}})
    cut = data.draw(st.one_of(st.just(len(tar)), st.integers(0, len(tar))))
    sizes = data.draw(st.lists(st.integers(40, 2000), min_size=1, max_size=5))
    piped, from_pipe = through_a_pipe(tar[:cut], sizes, buffering, read)
    filed, from_file = read(tar[:cut])
    assert contents(piped) == contents(filed)
    assert from_pipe.marked_end == from_file.marked_end
    assert str(from_pipe.damage) == str(from_file.damage)


@pytest.mark.parametrize("source", ["file", "pipe"])
def test_samples_larger_than_the_window_and_across_its_edges(tmp_path, read, contents, source):
    random_bytes = random.Random(0).randbytes(11 * MIB)
    sizes = [[100, 3 * MIB], [2 * MIB, 2 * MIB, 0], [11 * MIB, 1], [511], [4 * MIB - 1536, 512], [5 * MIB, 5 * MIB]]
    samples = {
        f"s{place}": {f"{n}.bin": random_bytes[n : n + size] for n, size in enumerate(row)}
        for place, row in enumerate(sizes)
    }
    tar = tar_by_tarfile(samples)
    if source == "pipe":
        found, reader = through_a_pipe(tar, [65_536], 0, read)
    else:
        (tmp_path / "x.tar").write_bytes(tar)
        with open_shard(str(tmp_path / "x.tar")) as file:
            found, reader = read(file)
    assert contents(found) == [(key, list(fields.items())) for key, fields in samples.items()]
    assert reader.unbroken
    assert tar.startswith(copied(found).removesuffix(MARKER))


# The stream protocol


def stream(*keys: str, end: bool = True, says: dict | None = None) -> bytes:
    file = io.BytesIO()
    writer = TarWriter(file)
    writer.add("__vlmkit__", b'{"history": [1]}')
    for key in keys:
        writer.add(f"{key}.txt", b"x")
    if end:
        writer.add("__vlmkit_end__", json.dumps(says or {"history": [1, 2]}).encode())
    writer.close()
    return file.getvalue()


def test_a_stream_says_what_came_before_and_what_came_of_it(read):
    samples, reader = read(stream("a", "b"))
    assert [sample.key for sample in samples] == ["a", "b"]
    assert (reader.begins, reader.ends) == ([{"history": [1]}], [{"history": [1, 2]}])
    assert not reader.strays


def test_a_stream_without_its_last_member_is_broken_input():
    reader = ShardReader(io.BytesIO(stream("a", "b", end=False)), "-")
    found = []
    with pytest.raises(BrokenInput, match="- ends before its last member") as error:
        found.extend(sample.key for sample in reader)
    assert error.value.hint


def test_a_stream_cut_off_anywhere_is_broken_input():
    tar = stream("a")
    for cut in range(1024, len(tar) - 2 * 1024, 100):
        with pytest.raises(BrokenInput):
            list(ShardReader(io.BytesIO(tar[:cut]), "-"))


def test_streams_one_behind_the_other_are_all_read(read):
    samples, reader = read(stream("a") + stream() + stream("a", "c"))
    assert [sample.key for sample in samples] == ["a", "a", "c"]
    assert (len(reader.begins), len(reader.ends)) == (3, 3)


def test_of_streams_one_behind_the_other_each_must_end():
    with pytest.raises(BrokenInput):
        list(ShardReader(io.BytesIO(stream("a", end=False) + stream("b")), "-"))


def test_a_stream_may_say_nonsense(read):
    tar = one("__vlmkit__", b"[" * 100_000) + one("__vlmkit_end__", b"\xff") + MARKER
    assert read(tar)[1].begins == [{}]


# Damage


def test_a_tar_cut_off_anywhere_keeps_the_samples_that_are_whole_for_certain(tmp_path):
    samples = {"a": {"jpg": b"x" * 600, "txt": b""}, "é" * 60: {"txt": b"y" * 512}, "c": {"json": b"{}", "txt": b"z"}}
    tar = tar_by_tarfile(samples)
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        infos = opened.getmembers()
    starts = [info.offset for info in infos]
    data_ends = [info.offset_data + info.size for info in infos]
    ends = [*starts[1:], data_ends[-1] + -data_ends[-1] % 512]
    path = tmp_path / "x.tar"
    path.write_bytes(tar[: ends[-1] + 1024])
    for cut in range(ends[-1] + 1023, -1, -1):
        os.truncate(path, cut)
        with open(path, "rb", buffering=0) as file:
            reader = ShardReader(file, "x.tar")
            found = [(sample.key, list(sample.fields)) for sample in reader]
        whole = [info.name.split(".") for info, end in zip(infos, data_ends, strict=True) if end <= cut]
        groups: dict[str, list[str]] = {}
        for key, field in whole:
            groups.setdefault(key, []).append(field)
        inside = [start for start, data_end in zip(starts, data_ends, strict=True) if start < cut < data_end]
        if inside:
            assert inside[0] <= reader.damage.offset <= cut
            groups = dict(list(groups.items())[:-1])  # the sample before the cut might have gone on
        else:
            assert reader.damage is None
        assert found == list(groups.items()), cut
        assert reader.marked_end == (cut >= ends[-1] + 512)


def base_tars() -> list[bytes]:
    """Small tars of every dialect, with rows, a protocol, strays, two archives in one."""
    samples = {
        "a": {"jpg": b"x" * 700, "txt": b"a cat"},
        "é" * 70: {"txt": b"y" * 512},
        "c": {"0.png": b"", "json": b"{}"},
    }
    rows = one("a.txt") + one("a.vlmkit.json", b'{"clip": 0.5}') + one("b.txt") + MARKER
    strays = (
        special("d", tarfile.DIRTYPE)
        + one("a.txt")
        + special("l.txt", tarfile.LNKTYPE, "a.txt")
        + one("b.txt")
        + MARKER
    )
    return [
        *(tar_by_tarfile(samples, format)[:8192] for format in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)),
        stream("a", "b"),
        rows + rows,
        strays,
    ]


positions = st.integers(0, 1 << 16)
edits = st.one_of(
    st.tuples(st.just("flip"), positions, st.integers(1, 255)),
    st.tuples(st.just("insert"), positions, st.one_of(st.binary(min_size=1, max_size=20), st.just(bytes(512)))),
    st.tuples(st.just("delete"), positions, st.integers(1, 1500)),
    st.tuples(st.just("truncate"), positions, st.none()),
    st.tuples(st.just("forge"), positions, st.tuples(st.integers(0, 511), st.binary(min_size=1, max_size=12))),
)


def edited(tar: bytes, edit: tuple) -> bytes:
    kind, position, how = edit
    at = position % (len(tar) + 1)
    if kind == "flip":
        return tar[:at] + bytes(byte ^ how for byte in tar[at : at + 1]) + tar[at + 1 :]
    if kind == "insert":
        return tar[:at] + how + tar[at:]
    if kind == "delete":
        return tar[:at] + tar[at + how :]
    return tar[:at] if kind == "truncate" else forged(tar, at - at % 512, *how)


def forged(tar: bytes, block: int, at: int, data: bytes) -> bytes:
    """The tar with bytes of one header overwritten, and its checksum made to agree."""
    header = bytearray(tar[block : block + 512].ljust(512, b"\0"))
    header[at : at + len(data)] = data
    header = bytearray(header[:512])
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return tar[:block] + bytes(header) + tar[block + 512 :]


def read_or_refused(tar: bytes) -> tuple[list[Sample], ShardReader]:
    """The samples of a damaged tar: only a stream that lacks its end may raise."""
    reader = ShardReader(io.BytesIO(tar), "x.tar")
    found = []
    try:
        found.extend(reader)
    except BrokenInput:
        assert len(reader.begins) != len(reader.ends)
    assert reader.damage is None or isinstance(reader.damage, DamagedTar)
    return found, reader


@settings(max_examples=1200)
@given(st.sampled_from(base_tars()), st.lists(edits, min_size=1, max_size=5))
def test_a_damaged_tar_gives_samples_that_can_be_written_again(tar, changes):
    for change in changes:
        tar = edited(tar, change)
    unique = UniqueKeys()  # damage can make two neighbours' keys equal, which a job would keep apart
    keyed = [(sample, unique(sample.key)) for sample in read_or_refused(tar)[0]]
    samples = [sample if key == sample.key else sample.renamed(key) for sample, key in keyed]
    for sample in samples:
        assert all(len(member.data) == member.size and len(member.block) % 512 == 0 for member in sample.members)
    again, reader = read_or_refused(copied(samples))
    assert reader.unbroken
    assert names_and_data(again) == names_and_data(samples)


def names_and_data(samples: list[Sample]) -> list[tuple[str, bytes]]:
    return [(f"{sample.key}.{m.field}", bytes(m.data)) for sample in samples for m in sample.members]


@pytest.mark.parametrize("suffix", ["tar.gz", "tar.zst"])
@settings(max_examples=400)
@given(change=st.lists(edits, min_size=1, max_size=3), tar=st.sampled_from(base_tars()))
def test_a_damaged_compressed_tar_ends_early_and_no_worse(tmp_path_factory, suffix, change, tar):
    path = tmp_path_factory.getbasetemp() / f"damaged.{suffix}"
    data = compressed(tar, suffix)
    for edit in change:
        data = edited(data, edit)
    path.write_bytes(data)
    with open_shard(str(path)) as file:
        reader = ShardReader(file, str(path))
        try:
            samples = list(reader)
        except BrokenInput:
            return
    if suffix == "tar.gz" and reader.unbroken:  # which carries a checksum of what it holds
        assert names_and_data(samples) == names_and_data(read_or_refused(tar)[0])
