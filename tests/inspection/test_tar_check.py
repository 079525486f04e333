"""Every defect of a tar is named with its member and offset."""

import io
import tarfile

import pytest


def test_a_clean_tar_has_no_defects(pack, picture, inspect, tmp_path):
    fields = {"jpg": picture("JPEG"), "txt": "caf\u00e9".encode(), "json": b"{}", "cls": b"7"}
    path = pack(tmp_path / "a.tar", [(f"{key}.{field}", data) for key in "ab" for field, data in fields.items()])
    defects, findings = inspect(path)
    assert not defects
    assert not findings.notes
    assert (findings.shards, findings.samples) == (1, 2)
    assert findings.summary().startswith("no defects in 1 shard, 2 samples, ")


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("a.json", b"[1]", "JSON, but no object: a list"),
        ("a.json", b"{", "no JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1))"),
        ("a.json", b"[" * 100_000, "no JSON (maximum recursion depth exceeded while decoding a JSON array"),
        ("a.vlmkit.json", b"7", "JSON, but no object: a int"),
        ("a.txt", b"caf\xe9", "not UTF-8 (byte 3)"),
        ("a.png", b"not a picture", "a picture that does not decode (of no known kind)"),
        ("a.0.png", b"", "a picture that does not decode (of no known kind)"),
        ("a.mask.png", b"none", "a picture that does not decode (of no known kind)"),
        ("/etc/a.txt", b"", "an absolute name"),
        ("x/../../a.txt", b"", "a name with .. in it"),
    ],
)
def test_a_bad_member_is_named(pack, lines, tmp_path, name, data, what):
    """The first sample is sound, so that the offset is not 0."""
    path = pack(tmp_path / "a.tar", [("0.txt", b"sound"), (name, data)])
    (line,) = lines(path)
    assert line.startswith(f"a.tar: offset 1024: {name}: {what}")


def test_a_name_that_is_not_utf8_shows_as_escapes(pack, lines, tmp_path):
    names = ["n\udcff.txt", "caf\u00e9.txt", "z\\x41.txt"]  # the last one has a backslash in its name
    path = pack(tmp_path / "a.tar", [(name, b"") for name in names], errors="surrogateescape")
    assert lines(path) == ["a.tar: offset 0: n\\xff.txt: a name that is not UTF-8"]


def test_control_characters_do_not_reach_the_terminal(pack, lines, tmp_path):
    path = pack(tmp_path / "a.tar", [("a\n\x1b[31m.json", b"")])
    (line,) = lines(path)
    assert line.startswith("a.tar: offset 0: a\\x0a\\x1b[31m.json: no JSON")


def test_a_picture_that_is_cut_off_shows_when_it_is_decoded(pack, picture, lines, tmp_path):
    path = pack(tmp_path / "a.tar", [("a.jpg", picture("JPEG", (400, 300))[:-200])])
    assert lines(path) == []
    (line,) = lines(path, decode=True)
    assert line.startswith("a.tar: offset 0: a.jpg: a picture that does not decode (OSError: ")


def test_members_that_are_not_adjacent_and_keys_that_come_again(pack, lines, tmp_path):
    names = ["a.txt", "b.txt", "a.cls", "b.txt"]
    path = pack(tmp_path / "a.tar", [(name, b"") for name in names])
    assert lines(path) == [
        "a.tar: offset 1024: a.cls: members of one sample that are not adjacent: a was at offset 0",
        "a.tar: offset 1536: b.txt: the key again: b was at offset 512",
    ]


def test_two_members_of_one_field(pack, lines, tmp_path):
    path = pack(tmp_path / "a.tar", [("a.txt", b""), ("a.TXT", b"")])
    assert lines(path) == ["a.tar: offset 512: a.TXT: field txt twice in one sample, first at offset 0"]


def test_a_single_image_beside_numbered_ones(pack, picture, lines, tmp_path):
    jpeg = picture("JPEG")
    path = pack(tmp_path / "a.tar", [("a.0.jpg", jpeg), ("a.1.jpg", jpeg), ("b.jpg", jpeg), ("b.0.jpg", jpeg)])
    (line,) = lines(path)
    assert line.endswith("b.0.jpg: a numbered image beside jpg: readers take one or the other")


def test_what_is_odd_is_noted_and_counted(pack, picture, inspect, tmp_path):
    odd = [
        ("a.JPG", picture("JPEG")),
        ("a.json", b'{"score": NaN}'),
        ("b.jpg", picture("PNG")),
        ("c.jpg", picture("JPEG")),
        ("c.webp", picture("WEBP")),
        ("d", b"", tarfile.DIRTYPE),
        (".hidden", b""),
        ("x/._c.jpg", b""),
        ("README", b""),
        ("e.jpg", b"", tarfile.SYMTYPE),
    ]
    defects, findings = inspect(pack(tmp_path / "a.tar", odd))
    assert not defects
    assert {what: note.count for what, note in findings.notes.items()} == {
        "an upper-case suffix: readers that do not fold case see another field": 1,
        "the suffix jpg on a PNG picture": 1,
        "NaN or Infinity in json: strict readers refuse it": 1,
        "several single images in one sample: the first is the image": 1,
        "a member that is part of no sample: a folder": 1,
        "a member that is part of no sample: hidden": 2,
        "a member that is part of no sample: without a field": 1,
        "a member that is part of no sample: a symbolic link": 1,
    }
    (note,) = (str(note) for what, note in findings.notes.items() if "hidden" in what)
    assert note.startswith("2 x a member that is part of no sample: hidden (the first: ")
    assert note.endswith(": .hidden)")


def test_a_tar_that_is_cut_off(pack, lines, tmp_path):
    path = pack(tmp_path / "a.tar", [("a.txt", b""), ("b.txt", b"x" * 600)])
    path.write_bytes(path.read_bytes()[:1300])
    assert lines(path) == ["a.tar: offset 1024: -: b.txt is cut off: nothing behind it is read"]


def test_a_header_with_a_flipped_bit(pack, lines, tmp_path):
    path = pack(tmp_path / "a.tar", [("a.txt", b""), ("b.txt", b"")])
    data = bytearray(path.read_bytes())
    data[512 + 7] ^= 1
    path.write_bytes(data)
    assert lines(path) == ["a.tar: offset 512: -: not a tar header: nothing behind it is read"]


def test_no_end_marker_is_a_note(pack, inspect, tmp_path):
    path = pack(tmp_path / "a.tar", [("a.txt", b"")])
    path.write_bytes(path.read_bytes()[:512])
    defects, findings = inspect(path)
    assert not defects
    assert list(findings.notes) == ["no end-of-archive marker"]


def test_members_behind_an_end_marker(pack, lines, tmp_path):
    first, second = pack(tmp_path / "a.tar", [("a.txt", b"")]), pack(tmp_path / "b.tar", [("b.txt", b"")])
    first.write_bytes(first.read_bytes() + second.read_bytes())
    assert lines(first) == ["a.tar: offset 10240: b.txt: behind an end-of-archive marker: other readers have stopped"]


def test_an_empty_file_is_no_tar(lines, tmp_path):
    (tmp_path / "a.tar").touch()
    assert lines(tmp_path) == ["a.tar: offset 0: -: an empty file: no tar"]


def test_a_tar_without_samples_is_noted(pack, inspect, tmp_path):
    defects, findings = inspect(pack(tmp_path / "a.tar", []))
    assert not defects
    assert list(findings.notes) == ["a tar without a sample"]


def test_a_stream_without_its_last_member(made, lines, inspect, tmp_path):
    assert inspect(made / "stream.tar")[0] == []
    with tarfile.open(made / "stream.tar") as whole, tarfile.open(tmp_path / "a.tar", "w") as cut:
        for info in whole.getmembers()[:-1]:
            cut.addfile(info, io.BytesIO(whole.extractfile(info).read()))
        end = cut.offset
    assert lines(tmp_path / "a.tar") == [
        f"a.tar: offset {end}: __vlmkit_end__: missing: the command that wrote this stream has died"
    ]


def test_memory_does_not_grow_with_the_keys_of_a_stream(pack, lines, tmp_path, monkeypatch):
    monkeypatch.setattr("vlmkit.inspection.tar_check._KEYS_REMEMBERED", 2)
    path = pack(tmp_path / "a.tar", [(f"{key}.txt", b"") for key in "abcad"])
    assert lines(path) == []
    path = pack(tmp_path / "b.tar", [(f"{key}.txt", b"") for key in "abad"])
    assert len(lines(path)) == 1
