"""The tar format, member by member: every dialect is understood, damage is named, and memory stays bounded."""

import io
import os
import tarfile
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vlmkit.shards.tar import DamagedTar, Entry, TarWindow, encode_member

MIB = 1 << 20
MARKER = bytes(1024)


def walk(tar: bytes) -> list[tuple[str, bytes, bool]]:
    """Name, data and kind of every member."""
    window = TarWindow(io.BytesIO(tar))
    found = []
    while entry := window.next_entry():
        found.append((entry.name, bytes(window.view(entry.data, entry.data + entry.size)), entry.regular))
        window.release(entry.end)
    return found


def entries(tar: bytes) -> list[Entry]:
    window = TarWindow(io.BytesIO(tar))
    return list(iter(window.next_entry, None))


def header(name: str = "a.txt", size: int = 0, kind: bytes = b"0", **fields: bytes) -> bytes:
    """A ustar header; `fields` overwrite what stands in it before the checksum is made."""
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    block = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    places = {"size_field": 124, "magic": 257, "prefix": 345}
    for field, value in fields.items():
        block[places[field] : places[field] + len(value)] = value
    return checked(block)


def checked(block: bytearray, signed: bool = False) -> bytes:
    block[148:156] = b" " * 8
    total = sum(byte - 256 if signed and byte > 127 else byte for byte in block)
    block[148:156] = b"%06o\0 " % total
    return bytes(block)


def extension(kind: bytes, data: bytes) -> bytes:
    """An extended header of a kind: `x`, `g`, `L` or `K`."""
    return header("././@Extended", len(data), kind) + data + bytes(-len(data) % 512)


def pax(**records: str) -> bytes:
    made = tarfile.TarInfo._create_pax_generic_header(records, tarfile.XHDTYPE, "utf-8")
    return bytes(made)


def peak_mib(work: Callable[[], object]) -> float:
    """The most memory that `work` held at once, in MiB."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / MIB
    finally:
        tracemalloc.stop()


# What is written


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=300), st.binary(max_size=2000))
@example("a" * 100, b"x" * 512)
@example("a" * 101, b"")
def test_a_member_is_whole_blocks_and_reads_back(name, data):
    block = encode_member(name, data)
    assert len(block) % 512 == 0
    assert walk(block + MARKER) == [(name, data, True)]


def test_a_short_name_is_written_as_plain_ustar():
    info = tarfile.TarInfo("a/b.txt")
    info.size, info.mode, info.mtime = 3, 0o644, 946_684_800
    theirs = info.tobuf(tarfile.USTAR_FORMAT)
    ours = encode_member("a/b.txt", b"abc")
    assert ours[:148] == theirs[:148]
    assert ours[156:157] == b"0"
    assert ours[257:265] == b"ustar\00000"
    assert tarfile.TarInfo.frombuf(ours[:512], "utf-8", "strict").name == "a/b.txt"


# What is read


def test_names_in_a_prefix_field():
    assert walk(header("b.txt", prefix=b"some/folder") + MARKER) == [("some/folder/b.txt", b"", True)]


def test_old_gnu_headers_keep_times_where_ustar_keeps_a_prefix():
    assert walk(header("b.txt", magic=b"ustar  \0", prefix=b"12345670123") + MARKER) == [("b.txt", b"", True)]


def test_headers_older_than_ustar():
    assert walk(header("b.txt", 2, b"\0", magic=bytes(8)) + b"hi".ljust(512, b"\0")) == [("b.txt", b"hi", True)]


def test_checksums_that_old_writers_summed_as_signed_bytes():
    block = checked(bytearray(header("é.txt")), signed=True)
    assert walk(block + MARKER) == [("é.txt", b"", True)]


@pytest.mark.parametrize("size", [0, 3, 512, 70_000])
def test_sizes_in_base_256(size):
    member = header("a.txt", size_field=b"\x80" + size.to_bytes(11, "big")) + b"x" * size + bytes(-size % 512)
    assert walk(member + header("b.txt") + MARKER) == [("a.txt", b"x" * size, True), ("b.txt", b"", True)]


def test_pax_records_name_and_size_the_member_behind_them():
    member = pax(path="é/long.txt", size="3") + header("short.txt", 0) + b"abc".ljust(512, b"\0")
    assert walk(member + header("b.txt")) == [("é/long.txt", b"abc", True), ("b.txt", b"", True)]
    assert entries(member)[0].start == 0


def test_an_empty_pax_path_takes_the_name_from_the_header():
    assert walk(pax(path="") + header("b.txt")) == [("b.txt", b"", True)]


def test_gnu_long_names_and_long_links():
    name = "n" * 300 + ".txt"
    long = extension(b"K", b"l" * 200 + b"\0") + extension(b"L", name.encode() + b"\0")
    assert walk(long + header("n" * 100, 1) + b"x".ljust(512, b"\0")) == [(name, b"x", True)]


def test_a_global_header_is_no_part_of_the_next_member():
    comment = extension(b"g", b"18 comment=a note\n")
    (entry,) = entries(comment + header("a.txt"))
    assert (entry.name, entry.start) == ("a.txt", len(comment))


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"4", b"5", b"6"])
def test_links_devices_and_folders_have_no_data_whatever_their_size_says(kind):
    found = walk(header("a.txt", 9999, kind) + header("b.txt"))
    assert [(name.strip("/"), data, regular) for name, data, regular in found] == [
        ("a.txt", b"", False),
        ("b.txt", b"", True),
    ]


def test_a_name_ends_at_its_first_nul():
    assert walk(pax(path="a.txt\0b.txt") + header("x"))[0][0] == "a.txt"
    assert walk(extension(b"L", b"a.txt\0b.txt\0") + header("x"))[0][0] == "a.txt"


def test_a_name_that_is_no_utf8_shows_as_escapes():
    block = bytearray(header("x.txt"))
    block[0:1] = b"\xff"
    assert walk(checked(block)) == [("\\xff.txt", b"", True)]


def test_a_last_padding_that_was_left_out_is_no_damage():
    member = header("a.txt", 3) + b"abc"
    window = TarWindow(io.BytesIO(member))
    entry = window.next_entry()
    assert bytes(window.view(entry.start, entry.end)) == member.ljust(1024, b"\0")
    assert window.next_entry() is None


def test_zeros_between_members_are_skipped_and_known():
    window = TarWindow(io.BytesIO(header("a.txt") + bytes(512 * 3) + header("b.txt") + MARKER))
    found = [window.next_or_marker() for _ in range(8)]
    assert [entry and entry.name for entry in found] == ["a.txt", None, None, None, "b.txt", None, None, None]
    assert window.ended
    assert window.marked_end


# What is damaged


@pytest.mark.parametrize(
    ("tar", "offset", "why"),
    [
        (b"not a tar" * 100, 0, "not a tar header"),
        (header()[:511] + b"\1", 0, "not a tar header"),
        (header() + b"x" * 512, 512, "not a tar header"),
        (header() + header()[:100], 512, "cut off inside a header"),
        (header("a.txt", 5) + b"abcd", 512, "a.txt is cut off"),
        (header(size_field=b"\xff" * 12), 0, "a negative size"),
        (header(size_field=b"12three4567\0"), 0, "not a tar header"),
        (header(size_field=b"00000000089\0"), 0, "not a tar header"),
        (pax(path="b.txt"), 0, "an extended header without its member"),
        (pax(path="b.txt") + MARKER, 0, "an extended header without its member"),
        (pax(path="b.txt")[:600], 512, "cut off inside an extended header"),
        (extension(b"x", b"99 path=a\n"), 0, "a broken pax record"),
        (extension(b"x", b"0 path=a\n"), 0, "a broken pax record"),
        (extension(b"x", b"path=a\n"), 0, "a broken pax record"),
        (extension(b"x", b"10 path=ab"), 0, "a broken pax record"),
        (pax(size="-1"), 0, "a pax size that is no number"),
        (pax(size="1" * 5000), 0, "a pax size that is no number"),
        (pax(size="9" * 20) + header(), 1536, "a.txt is cut off"),
        (pax(**{"GNU.sparse.major": "1"}), 0, "a sparse member"),
        (header(kind=b"S"), 0, "a sparse member"),
        (header("x", 8**11 - 1, b"x"), 0, "an extended header of 8589934591 bytes"),
    ],
)
def test_damage_is_named_with_its_offset(tar, offset, why):
    with pytest.raises(DamagedTar, match=f"{why}.* at byte {offset}$") as damage:
        entries(tar)
    assert damage.value.offset == offset


# Windows


@pytest.mark.parametrize("room", [-1, 0, 1, 511, 512, 513])
def test_members_at_the_edges_of_the_window(tmp_path, room):
    sizes = [4 * MIB - 512 + room, 4 * MIB + room, 0, 9 * MIB, 700, room % 7]
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as tar:
        for number, size in enumerate(sizes):
            info = tarfile.TarInfo(f"{number}.bin")
            info.size = size
            tar.addfile(info, io.BytesIO(bytes([number + 1]) * size))
    with open(path, "rb", buffering=0) as file:
        window = TarWindow(file)
        for number, size in enumerate(sizes):
            entry = window.next_entry()
            data = window.view(entry.data, entry.data + entry.size)
            assert (entry.name, len(data)) == (f"{number}.bin", size)
            assert data == bytes([number + 1]) * size
            window.release(entry.start if number % 2 else entry.end)
        assert window.next_entry() is None


def test_a_view_stays_valid_after_the_window_has_moved_on():
    window = TarWindow(io.BytesIO(b"".join(encode_member(f"{n}.bin", bytes([n]) * MIB) for n in range(5))))
    views = []
    while entry := window.next_entry():
        views.append(window.view(entry.data, entry.data + entry.size))
        window.release(entry.end)
    assert [bytes(view) for view in views] == [bytes([n]) * MIB for n in range(5)]


def test_a_member_cut_off_beyond_the_first_window_is_damage(tmp_path):
    path = tmp_path / "x.tar"
    path.write_bytes(encode_member("a.bin", bytes(5 * MIB)) + encode_member("b.bin", bytes(6 * MIB))[:-1024])
    for buffering in (0, -1):
        with open(path, "rb", buffering=buffering) as file:
            window = TarWindow(file)
            assert window.next_entry().name == "a.bin"
            with pytest.raises(DamagedTar, match=r"b\.bin is cut off"):
                window.next_entry()


# Memory


@pytest.mark.parametrize(
    "lie",
    [
        header("a.txt", 8**11 - 1),
        header("a.txt", size_field=b"\x80" + (1 << 60).to_bytes(11, "big")),
        pax(size=str(8 << 30)) + header("a.txt"),
        header("a.txt", 8**11 - 1, b"x"),
        header("a.txt", 8**11 - 1, b"L"),
    ],
)
def test_a_size_of_gigabytes_in_a_small_tar_takes_no_memory(tmp_path, lie):
    path = tmp_path / "x.tar"
    path.write_bytes(lie.ljust(2048, b"\0"))

    def read() -> None:
        with open(path, "rb", buffering=0) as file, pytest.raises(DamagedTar):
            TarWindow(file).next_entry()
        with pytest.raises(DamagedTar):
            TarWindow(io.BytesIO(path.read_bytes())).next_entry()

    assert peak_mib(read) < 10


def test_a_wrong_size_does_not_load_the_rest_of_a_large_file(tmp_path):
    path = tmp_path / "x.tar"
    path.write_bytes(header("a.txt", 8**11 - 1))
    os.truncate(path, 200 * MIB)

    def read() -> None:
        with open(path, "rb", buffering=0) as file, pytest.raises(DamagedTar):
            TarWindow(file).next_entry()

    assert peak_mib(read) < 20


def test_one_member_of_a_large_tar_is_held_at_a_time():
    block = encode_member("a.bin", bytes(MIB))
    from_pipe, to_pipe = os.pipe()

    def write() -> None:
        with os.fdopen(to_pipe, "wb", buffering=0) as file:
            for _ in range(64):
                file.write(block)

    def read() -> None:
        with os.fdopen(from_pipe, "rb", buffering=0) as file:
            window = TarWindow(file)
            while entry := window.next_entry():
                window.release(entry.end)

    thread = threading.Thread(target=write)
    thread.start()
    assert peak_mib(read) < 12
    thread.join()


@pytest.fixture
def zeros(tmp_path: Path) -> Path:
    """A member, and 64 MiB of zeros as a preallocated file has them."""
    path = tmp_path / "x.tar"
    path.write_bytes(encode_member("a.txt", b"x"))
    os.truncate(path, 64 * MIB)
    return path


def test_a_long_tail_of_zeros_is_not_gathered(zeros, read):
    def read_all() -> None:
        with open(zeros, "rb", buffering=0) as file:
            samples, reader = read(file)
            assert [sample.key for sample in samples] == ["a"]
            assert reader.unbroken

    assert peak_mib(read_all) < 20
