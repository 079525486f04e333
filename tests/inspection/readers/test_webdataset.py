"""What `check --for webdataset` says is what the webdataset library does."""

import pytest
import webdataset


@pytest.fixture
def load():
    """The samples that the library makes of a tar: key and fields; or the error that it ends in."""

    def run(path):
        try:
            dataset = webdataset.WebDataset(str(path), shardshuffle=False, empty_check=True)
            return [(s["__key__"], sorted(name for name in s if not name.startswith("__"))) for s in dataset]
        except Exception as error:  # noqa: BLE001 - whatever it raises is what we are after
            return error

    return run


def test_a_sound_tar_has_no_defects(pack, said, load, tmp_path):
    names = ["v1.0/a.TXT", "v1.0/a.0.jpg", "b.txt", "README", "._b.txt"]
    path = pack(tmp_path / "a.tar", [(name, b"") for name in names])
    assert load(path) == [("v1.0/a", ["0.jpg", "txt"]), ("b", ["txt"])]
    assert said("webdataset", path) == []


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (["a.txt", "a.TXT"], "a.TXT: refused: ValueError: a.TXT: duplicate file name in tar file txt"),
        (["a.txt", "a.cls", "a.txt"], "a.txt: refused: ValueError: a.txt: duplicate file name in tar file txt"),
        (["a.__key__"], "a: refused: ValueError: duplicate file name in tar file __key__"),
        (["README"], "-: refused: ValueError: No samples found in dataset"),
    ],
)
def test_what_it_raises_is_named(pack, said, load, tmp_path, names, line):
    path = pack(tmp_path / "a.tar", [(name, b"") for name in names])
    assert isinstance(load(path), ValueError)
    assert said("webdataset", path) == [line]


def test_members_that_are_not_adjacent_are_samples_of_their_own(pack, said, load, tmp_path):
    path = pack(tmp_path / "a.tar", [(name, b"") for name in ("a.txt", "b.txt", "a.cls")])
    assert [key for key, _ in load(path)] == ["a", "b", "a"]
    assert said("webdataset", path) == ["a: split: a sample of its own with cls; a was at offset 0 already"]


def test_folders_named_like_meta_data_are_skipped(pack, said, load, tmp_path):
    path = pack(tmp_path / "a.tar", [("__x__/a.txt", b""), ("x/__a__.txt", b"")])
    assert [key for key, _ in load(path)] == ["x/__a__"]
    assert said("webdataset", path) == ["__x__/a.txt: dropped: a name such as __x__"]


def test_what_is_behind_an_end_marker_is_dropped(pack, said, load, tmp_path):
    first, second = pack(tmp_path / "a.tar", [("a.txt", b"")]), pack(tmp_path / "b.tar", [("b.txt", b"")])
    first.write_bytes(first.read_bytes() + second.read_bytes())
    assert [key for key, _ in load(first)] == ["a"]
    assert said("webdataset", first) == ["b.txt: dropped: this and the rest, behind an end-of-archive marker"]


@pytest.mark.parametrize("length", [3072 + 100, 3072 + 512 + 100])
def test_a_tar_that_is_cut_off(pack, said, load, tmp_path, length):
    path = pack(tmp_path / "a.tar", [(f"{n}.txt", b"x" * 600) for n in range(3)])
    path.write_bytes(path.read_bytes()[:length])
    found = load(path)
    assert isinstance(found, Exception) or len(found) < 3
    (line,) = said("webdataset", path)
    assert "refused (tarfile.ReadError), or the rest of this tar dropped" in line
