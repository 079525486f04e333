"""webdataset reads the same tar, and differences are defects."""

import io
import sys
import tarfile
from types import SimpleNamespace


def test_both_see_the_same_in_what_vlmkit_writes(made, inspect):
    defects, findings = inspect(made / "clean", made / "rejects", made / "stream.tar", made / "raw", webdataset=True)
    assert not defects
    assert findings.samples == 72 + 48 + 72 + 120


def test_a_hidden_file_in_a_folder_is_a_sample_for_webdataset_only(pack, lines, tmp_path):
    path = pack(tmp_path / "a.tar", [("x/a.txt", b""), ("x/._a.txt", b""), ("x/b.txt", b"")])
    assert lines(path, webdataset=True) == ["a.tar: offset 512: x/: a sample for webdataset only (_a.txt)"]


def test_a_folder_that_webdataset_skips(pack, lines, tmp_path):
    path = pack(tmp_path / "a.tar", [("__x__/a.txt", b""), ("b.txt", b""), ("c.txt", b"")])
    assert lines(path, webdataset=True) == ["a.tar: offset 0: __x__/a: webdataset does not see this sample (txt)"]


def test_a_stray_member_does_not_part_a_sample(pack, lines, tmp_path):
    path = pack(tmp_path / "a.tar", [("a.txt", b""), ("README", b""), ("a.cls", b""), ("b.txt", b"")])
    assert lines(path, webdataset=True) == []


def test_a_large_stray_member_does_for_vlmkit_only(pack, lines, tmp_path):
    path = pack(tmp_path / "a.tar", [("a.txt", b""), ("README", bytes(1 << 20)), ("a.cls", b""), ("b.txt", b"")])
    assert "a.tar: offset 0: a: vlmkit reads txt, webdataset reads cls txt" in lines(path, webdataset=True)


def test_a_field_that_comes_twice_is_told_once(pack, lines, tmp_path):
    path = pack(tmp_path / "a.tar", [("a.txt", b""), ("a.TXT", b""), ("b.txt", b"")])
    assert len(lines(path, webdataset=True)) == 1


def test_names_that_are_not_utf8_are_the_same_key(pack, lines, tmp_path):
    path = pack(tmp_path / "a.tar", [("n\udcff.txt", b"")], errors="surrogateescape")
    assert lines(path, webdataset=True) == ["a.tar: offset 0: n\\xff.txt: a name that is not UTF-8"]


def test_where_webdataset_stops_the_rest_is_one_defect(pack, lines, tmp_path, monkeypatch):
    """As it would if tarfile took a member for the end that vlmkit reads."""
    import webdataset.tariterators as theirs

    def three(data, handler):
        yield from [{"fname": f"{key}.txt", "data": b"", "__url__": ""} for key in "abc"]
        handler(tarfile.ReadError("unexpected end"))

    monkeypatch.setattr(theirs, "tar_file_expander", three)
    path = pack(tmp_path / "a.tar", [(f"{key}.txt", b"") for key in "abcdef"])
    assert lines(path, webdataset=True) == [
        "a.tar: offset 1536: d: webdataset's reading ends before this sample (ReadError: unexpected end): it misses 3"
    ]


def test_a_header_that_only_webdataset_refuses(pack, lines, tmp_path):
    """Python's tarfile reads the time of change too, and takes a broken one for the end of the tar."""
    path = pack(tmp_path / "a.tar", [(f"{key}.txt", b"") for key in "abc"])
    data = bytearray(path.read_bytes())
    data[512 + 136 : 512 + 148] = b"not a number"
    data[512 + 148 : 512 + 156] = b"%06o\0 " % (sum(data[512:660]) + sum(b" " * 8) + sum(data[668:1024]))
    path.write_bytes(data)
    assert lines(path, webdataset=True) == [
        "a.tar: offset 512: b: webdataset's reading ends before this sample: it misses 2"
    ]


def test_a_last_padding_that_webdataset_needs(pack, lines, tmp_path):
    path = pack(tmp_path / "a.tar", [("a.txt", b""), ("b.txt", b"text")])
    path.write_bytes(path.read_bytes()[: 1024 + 4])
    (line,) = lines(path, webdataset=True)
    assert line.startswith("a.tar: offset 512: b: webdataset can't read what is behind this sample (ReadError: ")


def test_damage_is_told_once(pack, lines, tmp_path):
    path = pack(tmp_path / "a.tar", [(f"{key}.txt", b"") for key in "abcdef"])
    path.write_bytes(path.read_bytes()[:1700])
    assert lines(path, webdataset=True) == ["a.tar: offset 1536: -: cut off inside a header: nothing behind it is read"]


def test_differences_are_bounded(pack, lines, tmp_path, monkeypatch):
    monkeypatch.setattr("vlmkit.inspection.crossread._MOST_DIFFERENCES", 10)
    names = [name for n in range(50) for name in (f"__x__/{n}.txt", f"y/.{n}")]
    assert len(lines(pack(tmp_path / "a.tar", [(name, b"") for name in names]), webdataset=True)) <= 21


def test_a_pipe_and_a_compressed_tar_are_read_once_for_both(made, inspect, tmp_path, monkeypatch):
    import gzip

    raw = (made / "raw/00000.tar").read_bytes()
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(raw))
    defects, findings = inspect(tmp_path / "a.tar.gz", webdataset=True)
    assert not defects
    assert findings.samples == 40

    pipe = io.BufferedReader(io.BytesIO(raw + (made / "raw/00001.tar").read_bytes()))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=pipe, isatty=lambda: False))
    defects, findings = inspect("-", webdataset=True)
    assert not defects
    assert findings.samples == 80
    assert list(findings.notes) == ["behind an end-of-archive marker: other readers have stopped"]
