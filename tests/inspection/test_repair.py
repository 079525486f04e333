"""A repaired dataset has no defects, keeps the bytes of whole samples, and every mend is named."""

import gzip
import io
import random
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmkit.errors import VlmkitError
from vlmkit.inspection.findings import Finding
from vlmkit.inspection.folders import find
from vlmkit.inspection.mends import Piece, arrange, safe_key
from vlmkit.inspection.repair import repair
from vlmkit.jobs.options import JobOptions
from vlmkit.shards.dataset import manifest_path, read_json


@pytest.fixture
def mend(tmp_path, inspect):
    """Repairs into `out`, and looks whether there are defects left; gives the status and the lines."""

    def run(source, decode=False, **options):
        said: list[Finding] = []
        job = JobOptions(quiet=True, **options)
        status = repair(find([str(source)]), str(tmp_path / "out"), decode, job, said.append)
        assert inspect(tmp_path / "out", decode=decode, webdataset=True)[0] == []
        return status, [f"{line.offset}: {line.member or '-'}: {line.what}" for line in said]

    return run


@pytest.fixture
def names(tmp_path):
    def read(name="a.tar"):
        with tarfile.open(tmp_path / "out" / name) as tar:
            return [info.name for info in tar]

    return read


def test_a_clean_shard_comes_out_byte_for_byte(mend, pack, picture, members, tmp_path):
    fields = {"jpg": picture("JPEG"), "txt": b"text", "json": b"{}"}
    path = pack(tmp_path / "a.tar", [(f"{key}.{name}", data) for key in "ab" for name, data in fields.items()])
    assert mend(path) == (0, [])
    assert members(tmp_path / "out/a.tar") == members(path)
    assert list(members(tmp_path / "out/a.tar")) == list(members(path))


def test_members_that_are_not_adjacent_are_brought_together(mend, pack, members, tmp_path):
    """As `tar cf a.tar *.txt *.cls` packs them."""
    path = pack(tmp_path / "a.tar", [(f"{key}.{field}", key.encode()) for field in ("txt", "cls") for key in "abc"])
    status, lines = mend(path)
    assert status == 0
    assert lines == [
        f"{3072 + 1024 * n}: {key}.cls: not adjacent to its sample: brought there, at offset {1024 * n}"
        for n, key in enumerate("abc")
    ]
    out = members(tmp_path / "out/a.tar")
    assert list(out) == ["a.txt", "a.cls", "b.txt", "b.cls", "c.txt", "c.cls"]
    assert out == members(path)


def test_keys_that_come_again_get_a_number(mend, pack, names, tmp_path):
    path = pack(tmp_path / "a.tar", [(f"{key}.txt", b"") for key in "abab"] + [("a.cls", b"1")])
    status, lines = mend(path)
    assert status == 0
    assert lines == [
        "1024: a.txt: the key again: renamed to a~1",
        "1536: b.txt: the key again: renamed to b~1",
        "2048: a.cls: the key again: renamed to a~2",
    ]
    assert names() == ["a.txt", "b.txt", "a~1.txt", "b~1.txt", "a~2.cls"]


def test_two_samples_of_one_name_side_by_side(mend, pack, names, tmp_path):
    path = pack(tmp_path / "a.tar", [("a.txt", b"1"), ("a.cls", b"1"), ("a.TXT", b"2"), ("a.cls", b"2")])
    assert mend(path)[1] == ["2048: a.TXT: the key again: renamed to a~1"]
    assert names() == ["a.txt", "a.cls", "a~1.txt", "a~1.cls"]


def test_a_numbered_image_beside_a_single_one_becomes_a_sample(mend, pack, picture, names, tmp_path):
    members = [("a.jpg", picture("JPEG")), ("a.0.jpg", picture("JPEG")), ("a.txt", b"")]
    assert mend(pack(tmp_path / "a.tar", members))[0] == 0
    assert names() == ["a.jpg", "a.txt", "a~1.0.jpg"]


def test_a_damaged_tail_is_cut(mend, pack, members, names, tmp_path):
    path = pack(tmp_path / "a.tar", [(f"{key}.{field}", b"x" * 600) for key in "abc" for field in ("txt", "cls")])
    before = members(path)
    path.write_bytes(path.read_bytes()[: 5 * 1536 + 700])
    status, lines = mend(path)
    assert status == 3
    assert lines == [
        "6144: c.txt: left out: what followed is damaged, and may have been of this sample",
        "8192: -: c.cls is cut off: cut off here",
    ]
    assert members(tmp_path / "out/a.tar") == {name: before[name] for name in ("a.txt", "a.cls", "b.txt", "b.cls")}
    assert read_json(manifest_path(tmp_path / "out"))["counts"]["damage"] == [f"{path}: c.cls is cut off at byte 8192"]


def test_a_tar_that_is_damaged_from_the_first_byte_keeps_nothing(mend, pack, tmp_path):
    path = pack(tmp_path / "in/a.tar", [("a.txt", b"")])
    path.write_bytes(b"x" + path.read_bytes()[1:])
    pack(tmp_path / "in/b.tar", [("b.txt", b"")])
    assert mend(tmp_path / "in") == (3, ["0: -: not a tar header: cut off here"])
    assert not (tmp_path / "out/a.tar").exists()
    assert (tmp_path / "out/b.tar").exists()


def test_strays_links_and_markers(mend, pack, members, names, tmp_path):
    first = pack(
        tmp_path / "a.tar",
        [
            ("a.txt", b""),
            ("README", b"x"),
            ("x/.hidden", b""),
            ("b.jpg", b"", tarfile.SYMTYPE),
            ("d", b"", tarfile.DIRTYPE),
        ],
    )
    second = pack(tmp_path / "b.tar", [("c.txt", b"")])
    first.write_bytes(first.read_bytes() + second.read_bytes()[:512])
    status, lines = mend(first)
    assert status == 0
    assert [line.partition(": ")[2] for line in lines] == [
        "README: left out: without a field",
        "x/.hidden: left out: hidden",
        "b.jpg: left out: a symbolic link",
        "d/: left out: a folder",
        "c.txt: an end-of-archive marker in the middle: taken out",
        "-: no end-of-archive marker: added",
    ]
    assert names() == ["a.txt", "c.txt"]
    assert (tmp_path / "out/a.tar").read_bytes().endswith(bytes(1024))


def test_names_that_lead_out_or_can_not_be_read(mend, pack, names, tmp_path):
    bad = ["/etc/a.txt", "x/../../b.txt", "n\udcff.txt", "q\n.txt", "__x__/c.txt", "etc/a.txt"]
    path = pack(tmp_path / "a.tar", [(name, b"") for name in bad], errors="surrogateescape")
    status, lines = mend(path)
    assert status == 0
    assert lines[0] == "0: /etc/a.txt: an absolute name: renamed to etc/a"
    assert lines[-1].endswith("etc/a.txt: the key is taken: renamed to etc/a~1")
    assert names() == ["etc/a.txt", "x/b.txt", "n\\xff.txt", "q_.txt", "x/c.txt", "etc/a~1.txt"]


def test_what_can_not_be_read_is_left_out_and_goes_to_the_rejects(mend, pack, picture, names, rows, tmp_path):
    cut = picture("JPEG", (400, 300))[:-200]
    bad = [("a.json", b"{"), ("b.txt", b"\xff"), ("c.jpg", b"no"), ("d.jpg", cut), ("e.txt", b"fine")]
    path = pack(tmp_path / "a.tar", bad)
    status, lines = mend(path, decode=True, rejects=str(tmp_path / "rejects"))
    assert status == 3
    assert len(lines) == 4
    assert lines[0].startswith("0: a.json: no JSON (")
    assert lines[0].endswith(": its sample is left out")
    assert names() == ["e.txt"]
    reasons = {key: row.get("reason") for key, row in rows(tmp_path / "out/a.parquet").items()}
    assert reasons["a"] == "unreadable json"
    assert reasons["b"] == "text that is not UTF-8"
    assert reasons["c"] == reasons["d"] == "unreadable image"
    with tarfile.open(tmp_path / "rejects/a.tar") as tar:
        assert tar.extractfile("d.jpg").read() == cut


def test_a_picture_that_is_cut_off_stays_unless_it_is_decoded(mend, pack, picture, names, tmp_path):
    assert mend(pack(tmp_path / "a.tar", [("d.jpg", picture("JPEG", (400, 300))[:-200])])) == (0, [])
    assert names() == ["d.jpg"]


def test_a_dead_stream_keeps_what_it_had_and_its_history(made, mend, tmp_path):
    with tarfile.open(made / "stream.tar") as whole, tarfile.open(tmp_path / "a.tar", "w") as cut:
        for info in whole.getmembers()[:-1]:
            cut.addfile(info, io.BytesIO(whole.extractfile(info).read()))
    status, (line,) = mend(tmp_path / "a.tar")
    assert status == 0
    assert "__vlmkit_end__: missing: the command that wrote this stream had died" in line
    assert len(read_json(manifest_path(tmp_path / "out"))["history"]) == 0
    assert mend(made / "stream.tar", overwrite=True) == (0, [])
    assert [step["command"] for step in read_json(manifest_path(tmp_path / "out"))["history"]] == ["cat", "filter"]


def test_scores_of_a_dataset_are_kept(made, mend, rows, tmp_path):
    assert mend(made / "clean") == (0, [])
    before, after = rows(made / "clean/00000.parquet"), rows(tmp_path / "out/00000.parquet")
    assert {key: row["words"] for key, row in after.items()} == {k: r["words"] for k, r in before.items() if r["kept"]}


def test_a_compressed_tar_that_is_cut_off(mend, pack, names, tmp_path):
    path = pack(tmp_path / "a.tar", [(f"{n:03d}.txt", bytes(range(128)) * 80) for n in range(200)])
    data = gzip.compress(path.read_bytes(), 1)
    (tmp_path / "b.tar.gz").write_bytes(data[: len(data) // 2])
    status, lines = mend(tmp_path / "b.tar.gz")
    assert status == 3
    assert lines[-1].endswith("cut off here")
    assert len(names("b.tar")) > 10


def test_it_does_not_repair_in_place_nor_a_stream_nor_unfinished_work(made, tmp_path):
    def refused(source, target, why):
        with pytest.raises(VlmkitError, match=why):
            repair(find([source]), str(target), False, JobOptions(quiet=True), print)

    refused(str(made / "raw"), made / "raw", "is also an input")
    refused("-", tmp_path / "out", "can't be repaired while it passes")
    refused(str(made / "half"), tmp_path / "out", "unfinished")
    refused(str(made / "raw"), tmp_path / "out.tar", "is a folder")


def test_it_is_done_once(made, mend, tmp_path):
    assert mend(made / "raw")[0] == 0
    before = (tmp_path / "out/00000_stats.json").read_bytes()
    assert mend(made / "raw") == (0, [])
    assert (tmp_path / "out/00000_stats.json").read_bytes() == before


_fields = st.sampled_from(["txt", "cls", "jpg", "0.jpg", "TXT"])
_names = st.tuples(st.sampled_from(["a", "b", "/a", "x/../b", "c"]), _fields)


@given(st.lists(_names, max_size=12))
def test_no_member_is_lost_and_no_sample_has_a_field_twice(drawn):
    pieces = [Piece(f"{key}.{f}", key, f.lower(), 512 * n, 512 * (n + 1)) for n, (key, f) in enumerate(drawn)]
    runs: list[list[Piece]] = []
    for piece in pieces:
        if runs and runs[-1][-1].key == piece.key:
            runs[-1].append(piece)
        else:
            runs.append([piece])
    wholes = arrange(runs)
    assert sorted(piece.offset for whole in wholes for piece in whole.pieces) == [piece.offset for piece in pieces]
    for whole in wholes:
        fields = [piece.field for piece in whole.pieces]
        assert len(set(fields)) == len(fields)
        assert not {"jpg", "0.jpg"} <= set(fields)
    assert sum(not whole.again for whole in wholes) == len({piece.key for piece in pieces})


@given(st.text(st.sampled_from("a._/\n~é"), min_size=1, max_size=12))
def test_a_safe_key_is_safe_and_stays(key):
    safe = safe_key(key)
    assert safe_key(safe) == safe
    assert not safe.startswith("/")
    assert ".." not in safe.split("/")
    assert safe.isprintable()


def _mutated(seed, jpeg):
    """A tar of odd names, kinds and orders, with bytes overwritten, cut off, repeated, and zeros in the middle."""
    chance, file = random.Random(seed), io.BytesIO()
    contents = {"jpg": jpeg, "0.jpg": jpeg, "json": b"{}", "vlmkit.json": b"{}", "txt": b"7", "TXT": b"7", "cls": b"7"}
    with tarfile.open(fileobj=file, mode="w", format=chance.choice([tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT])) as tar:
        for _ in range(chance.randrange(1, 12)):
            folder = chance.choice(["", "", "a/", "../", "/", "__x__/", "\u00e9" * 60 + "/"])
            field = chance.choice(list(contents))
            info = tarfile.TarInfo(f"{folder}{chance.randrange(3)}.{field}")
            info.type = chance.choice([tarfile.REGTYPE] * 9 + [tarfile.SYMTYPE])
            info.size = len(contents[field]) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(contents[field]))
    data = bytearray(file.getvalue())
    for _ in range(chance.randrange(3)):
        place = 512 * chance.randrange(len(data) // 512)
        kind = chance.randrange(4)
        if kind == 0:
            data[chance.randrange(min(len(data), 6000))] = chance.randrange(256)
        elif kind == 1:
            del data[place + chance.randrange(512) :]
        elif kind == 2:
            data[place:place] = bytes(512)
        else:
            data += data[:place]
        data = data or bytearray(512)
    return bytes(data)


def test_mutated_tars_are_repaired(inspect, picture, tmp_path):
    """`inspect` cross-reads with webdataset, too."""
    jpeg = picture("JPEG")
    for seed in range(60):
        path, out = tmp_path / "a.tar", tmp_path / f"out{seed}"
        path.write_bytes(_mutated(seed, jpeg))
        assert repair(find([str(path)]), str(out), False, JobOptions(quiet=True), lambda finding: None) in (0, 3)
        assert [str(found) for found in inspect(out, webdataset=True)[0]] == [], seed
