"""What README says under "When things are broken", row by row, from the command line."""

import io
import json
import os
import tarfile

import pytest

GIB = 1 << 30


def member(name, data=b"x", kind=tarfile.REGTYPE, target="", format=tarfile.USTAR_FORMAT, size=None):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, len(data) if size is None else size
    return info.tobuf(format, "utf-8", "surrogateescape") + data + bytes(-len(data) % 512)


@pytest.fixture
def kept(vlmkit, tmp_path):
    """Runs a filter that keeps all over one tar: `kept(tar)` gives the exit status, the notes, and the new tar's names
    with what they hold, beside the tar and the table.
    """

    def run(tar):
        (tmp_path / "in").mkdir()
        (tmp_path / "in/00000.tar").write_bytes(tar)
        done = vlmkit("filter", tmp_path / "in", tmp_path / "out", "--where", "key != ''", "--json")
        notes = [line.removeprefix("note: ") for line in done.err.splitlines() if line.startswith("note: ")]
        out = tmp_path / "out/00000.tar"
        return done, notes, out.read_bytes() if out.exists() else b""

    return run


def contents(tar):
    with tarfile.open(fileobj=io.BytesIO(tar), errors="surrogateescape") as opened:
        return [(info.name, opened.extractfile(info).read()) for info in opened]


def names(tar):
    return [name for name, _ in contents(tar)]


def test_a_key_that_comes_again_gets_a_number(kept):
    tar = member("a.txt", b"1") + member("b.txt", b"2") + member("a.txt", b"3") + bytes(1024)
    done, notes, out = kept(tar)
    assert done.status == 0
    assert contents(out) == [("a.txt", b"1"), ("b.txt", b"2"), ("a~1.txt", b"3")]
    assert notes == ["1 samples renamed, since their keys repeat in a shard"]


def test_members_out_of_order_are_samples_of_their_own(kept, vlmkit, tmp_path):
    tar = b"".join(member(name) for name in ("a.jpg", "b.jpg", "a.txt", "b.txt")) + bytes(1024)
    done, notes, out = kept(tar)
    assert done.status == 0
    assert names(out) == ["a.jpg", "b.jpg", "a~1.txt", "b~1.txt"]
    assert notes == ["2 samples renamed, since their keys repeat in a shard"]
    checked = vlmkit("check", tmp_path / "in")
    assert checked.status == 3
    assert b"a.txt" in checked.out


def test_names_that_lead_elsewhere_are_names_and_no_paths(kept, vlmkit, tmp_path):
    tar = member("/etc/vlmkit-test.txt") + member("../../up.txt") + member("a/../b.txt") + bytes(1024)
    done, notes, out = kept(tar)
    assert (done.status, notes) == (0, [])
    assert out == tar
    assert not os.path.exists("/etc/vlmkit-test.txt")
    told = vlmkit("check", tmp_path / "in").out.decode()
    assert told.count("an absolute name") == 1
    assert told.count("a name with .. in it") == 2


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["base-256", "pax"])
def test_a_size_that_the_file_has_not_is_damage_where_it_stands(kept, format):
    start = member("a.txt") + member("b.txt")
    header = member("c.txt", b"", format=format, size=9 * GIB)
    done, notes, out = kept(start + header + bytes(2048))
    assert done.status == 3
    offset = len(start + header)
    assert notes[0].endswith(f"in/00000.tar: c.txt is cut off, behind b.txt, at byte {offset}")
    assert names(out) == ["a.txt"]


def test_links_belong_to_no_sample_and_are_counted(kept):
    links = member("a.jpg", b"", tarfile.SYMTYPE, "/etc/passwd") + member("b.jpg", b"", tarfile.LNKTYPE, "a.txt")
    done, notes, out = kept(member("a.txt") + links + member("b.txt") + bytes(1024))
    assert (done.status, notes) == (0, ["2 members that belong to no sample: no plain file"])
    assert names(out) == ["a.txt", "b.txt"]


def by_pax(name, **records):
    info = tarfile.TarInfo(name)
    info.pax_headers = records
    return info.tobuf(tarfile.PAX_FORMAT)


@pytest.mark.parametrize(
    "sparse",
    [
        member("c.bin", b"", tarfile.GNUTYPE_SPARSE, format=tarfile.GNU_FORMAT),
        by_pax("c.bin", **{"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}),
    ],
    ids=["gnu", "pax"],
)
def test_a_sparse_member_is_damage_where_it_stands(kept, sparse):
    start = member("a.txt") + member("b.txt")
    done, notes, out = kept(start + sparse + member("d.txt") + bytes(1024))
    assert done.status == 3
    assert "a sparse member" in notes[0]
    assert notes[0].endswith(f"at byte {len(start)}")
    assert names(out) == ["a.txt"]


def test_a_name_that_is_no_utf8_is_shown_by_escapes_and_copied_as_it_is(kept, rows, tmp_path):
    tar = member("\udcff\udcfe.txt", b"1") + member("é.txt", b"2") + bytes(1024)
    done, notes, out = kept(tar)
    assert (done.status, notes) == (0, [])
    assert out == tar
    assert list(rows(tmp_path / "out/00000.parquet")) == ["\\xff\\xfe", "é"]


def test_of_a_truncated_tar_the_whole_samples_stay_and_the_open_one_goes(kept):
    """Nobody knows whether the sample before the cut had more members."""
    start = member("a.txt") + member("b.txt")
    done, notes, out = kept(start + member("c.txt")[:300])
    assert done.status == 3
    assert notes[0].endswith(f"in/00000.tar: cut off inside a header, behind b.txt, at byte {len(start)}")
    assert names(out) == ["a.txt"]
    (said,) = [json.loads(line) for line in done.err.splitlines() if line.startswith("{")]
    assert (said["samples_out"], len(said["damage"])) == (1, 1)


def test_a_tar_that_ends_between_two_members_is_whole(kept):
    done, notes, out = kept(member("a.txt") + member("b.txt"))
    assert (done.status, names(out)) == (0, ["a.txt", "b.txt"])
    assert notes == ["1 tars without the end-of-archive marker"]


def test_bytes_that_are_no_header_are_damage_with_file_member_and_offset(kept):
    start = member("a.txt") + member("b.txt")
    done, notes, out = kept(start + b"!" * 512 + member("c.txt") + bytes(1024))
    assert (done.status, names(out)) == (3, ["a.txt"])
    assert notes[0].endswith(f"in/00000.tar: not a tar header, behind b.txt, at byte {len(start)}")
