"""Whoever writes a tar, any set of samples comes back equal; whatever vlmkit writes comes back equal everywhere.

What vlmkit writes is read by the others in test_writer.py; what Python and webdataset write, in test_reader.py. Here
are the programs that write from files, the compressors, the way through vlmkit into the others, and sizes past 8 GiB.
"""

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from shutil import rmtree, which
from unicodedata import normalize

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vlmkit.shards.locations import open_shard
from vlmkit.shards.reader import ShardReader
from vlmkit.shards.writer import TarWriter

GIB = 1 << 30
BLOCK = 512
UTF8 = {**os.environ, "LC_ALL": "C.UTF-8"}
NO_ROOM = b"too long"  # how the programs say that the oldest format can't hold a name


def program(name: str, says: bytes = b""):
    """Skips where a program is missing, or is another one of the same name."""
    version = subprocess.run([name, "--version"], capture_output=True).stdout if which(name) else b""
    return pytest.mark.skipif(says not in version or not version, reason=f"no {name}")


GNU = pytest.param("tar", ("--verbatim-files-from",), id="gnu", marks=program("tar", b"GNU tar"))
# Without -P it takes X: for the letter of a drive, and leaves it out.
BSD = pytest.param("bsdtar", ("-P",), id="bsd", marks=program("bsdtar", b"bsdtar"))


def names_of(samples):
    return [f"{key}.{field}" for key, fields in samples.items() for field in fields]


def can_be_files(samples) -> bool:
    """Names whose parts are no longer than a file system allows, and no two of which it takes for one."""
    names = names_of(samples)
    parts = [part for name in names for part in name.split("/")]
    return all(len(part.encode()) <= 255 for part in parts) and len({normalize("NFC", name) for name in names}) == len(
        names
    )


def tar_of_files(folder: Path, samples, command: list[str]) -> bytes:
    """A tar that a program makes of files, in the order in which it is told their names."""
    rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for key, fields in samples.items():
        for field, data in fields.items():
            path = folder / f"{key}.{field}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    told = "\0".join(names_of(samples)).encode()
    done = subprocess.run([*command, "-C", folder, "--null", "-T", "-"], input=told, capture_output=True, env=UTF8)
    assume(NO_ROOM not in done.stderr.lower())
    assert done.returncode == 0, done.stderr
    return done.stdout


def rewritten(samples) -> bytes:
    """What vlmkit makes of samples that it has read."""
    file = io.BytesIO()
    writer = TarWriter(file)
    for sample in samples:
        writer.write(sample)
    writer.close()
    return file.getvalue()


# Programs that write from files


@pytest.mark.parametrize("format", ["ustar", "gnu", "posix"])
@pytest.mark.parametrize(("tar", "options"), [GNU, BSD])
@settings(max_examples=25)
@given(data=st.data())
def test_what_a_program_packs_comes_back_and_goes_through(
    tmp_path_factory, sample_sets, read, contents, listed, tar, options, format, data
):
    """Read by vlmkit, written by vlmkit, and unpacked by the same program again."""
    if tar == "bsdtar":
        format = {"gnu": "gnutar", "posix": "pax"}.get(format, format)
    samples = data.draw(sample_sets.filter(can_be_files))
    folder = tmp_path_factory.getbasetemp() / f"packed-{tar}-{format}"
    packed = tar_of_files(folder, samples, [tar, f"--format={format}", *options, "-cf", "-"])
    found, reader = read(packed)
    assert contents(found) == listed(samples)
    assert reader.unbroken
    assert not reader.strays
    again = subprocess.run([tar, "-xOf", "-"], input=rewritten(found), capture_output=True, check=True, env=UTF8).stdout
    assert again == b"".join(data for fields in samples.values() for data in fields.values())


@settings(max_examples=30)
@given(data=st.data())
def test_what_webdataset_writes_goes_through_to_webdataset(sample_sets, read, data):
    import webdataset
    from webdataset.tariterators import group_by_keys, tar_file_iterator

    samples, file = data.draw(sample_sets), io.BytesIO()
    writer = webdataset.TarWriter(file, encoder=False)
    for key, fields in samples.items():
        writer.write({"__key__": key, **fields})
    writer.close()
    copy = rewritten(read(file.getvalue())[0])
    files = [{"__url__": "", **one} for one in tar_file_iterator(io.BytesIO(copy))]
    found = {sample["__key__"]: {f: d for f, d in sample.items() if f[0] != "_"} for sample in group_by_keys(files)}
    assert found == samples


# Compressors


@pytest.mark.parametrize(
    ("suffix", "command"),
    [
        pytest.param("tar.gz", ["gzip", "-c"], marks=program("gzip"), id="gzip"),
        pytest.param("tgz", ["gzip", "-1c"], marks=program("gzip"), id="tgz"),
        pytest.param("tar.zst", ["zstd", "-qc"], marks=program("zstd"), id="zstd"),
        pytest.param("tar.zst", ["zstd", "-qc", "--long=27", "-19", "--check"], marks=program("zstd"), id="zstd-long"),
    ],
)
@settings(max_examples=20)
@given(data=st.data())
def test_compressed_tars_come_back(tmp_path_factory, sample_sets, tar_of, contents, listed, suffix, command, data):
    samples = data.draw(sample_sets)
    path = tmp_path_factory.getbasetemp() / f"compressed.{suffix}"
    path.write_bytes(subprocess.run(command, input=tar_of(samples), capture_output=True, check=True).stdout)
    with open_shard(str(path)) as file:
        reader = ShardReader(file, str(path))
        assert contents(reader) == listed(samples)
    assert reader.unbroken


# Names and members at the edges


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["gnu", "pax"])
@pytest.mark.parametrize("length", [99, 100, 101, 155, 156, 157, 255, 256, 257, 4096, 70_000])
@pytest.mark.parametrize("letter", ["k", "日"])
def test_names_of_every_length_come_back_and_go_through(read, contents, format, length, letter):
    key, file = letter * (length // len(letter.encode())), io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=format) as tar:
        for name in (f"{key}.txt", f"{key}.json", "next.txt"):
            tar.addfile(tarfile.TarInfo(name))
    found, _ = read(file.getvalue())
    expected = [(key, [("txt", b""), ("json", b"")]), ("next", [("txt", b"")])]
    assert contents(found) == expected
    with tarfile.open(fileobj=io.BytesIO(rewritten(found))) as tar:
        assert tar.getnames() == [f"{key}.txt", f"{key}.json", "next.txt"]


def test_samples_of_nothing_but_empty_members(tar_of, read, contents, listed):
    samples = {f"{n}": {"txt": b"", "json": b"", "jpg": b""} for n in range(50)}
    assert contents(read(tar_of(samples))[0]) == listed(samples)


# Sizes past 8 GiB, where eleven octal digits end: the headers are there, the data are a hole in the file

READ_WITHIN_2_GIB = """
import resource, sys

GIB = 9 << 30
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
from vlmkit.shards.locations import open_shard
from vlmkit.shards.reader import ShardReader

with open_shard(sys.argv[1]) as file:
    reader = ShardReader(file, "huge.tar")
    for sample in reader:
        small = {member.field: bytes(member.data) for member in sample.members if member.size < 100}
        print(sample.key, [(member.field, member.size) for member in sample.members], small, sample.size_bytes > GIB)
    print(reader.damage, reader.marked_end)
"""


@pytest.fixture(params=[tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["base-256", "pax"])
def huge(request, tmp_path):
    """Two samples, the first with a member of 9 GiB, in a file that takes a few kilobytes of disk."""

    def header(name, size):
        info = tarfile.TarInfo(name)
        info.size = size
        return info.tobuf(request.param)

    path = tmp_path / "huge.tar"
    with path.open("wb") as file:
        file.write(header("a.txt", 3) + b"abc".ljust(BLOCK, b"\0") + header("a.bin", 9 * GIB + 1))
        file.seek(9 * GIB + BLOCK, os.SEEK_CUR)
        file.write(header("b.txt", 3) + b"xyz".ljust(BLOCK, b"\0") + bytes(2 * BLOCK))
    assert path.stat().st_blocks * BLOCK < GIB
    return path


def test_members_past_8_gib_are_read_in_little_memory(huge):
    done = subprocess.run([sys.executable, "-c", READ_WITHIN_2_GIB, huge], capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        f"a [('txt', 3), ('bin', {9 * GIB + 1})] {{'txt': b'abc'}} True",
        "b [('txt', 3)] {'txt': b'xyz'} False",
        "None True",
    ], done.stderr


def test_a_size_past_8_gib_that_is_not_there_is_damage(huge, read):
    os.truncate(huge, 8 * GIB)
    with open_shard(str(huge)) as file:
        samples, reader = read(file)
    assert samples == []
    assert "a.bin is cut off" in str(reader.damage)
