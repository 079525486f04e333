"""What `check --for energon` says, and where Energon is installed, that `energon prepare` does it."""

import gzip

import pytest


@pytest.fixture
def prepare():
    """Indexes tars as `energon prepare` does: False if it gives up; None where Energon is not installed."""
    try:
        from megatron.energon.flavors.webdataset.prepare import WebdatasetPreparator
    except ImportError:
        return lambda folder: None

    def run(folder):
        paths = [path.name for path in sorted(folder.glob("*.tar"))]
        try:
            WebdatasetPreparator.prepare_dataset(folder, paths, split_parts_ratio=[("train", 1.0)], workers=1)
        except (SystemExit, AssertionError):
            return False
        return True

    return run


def test_a_sound_dataset_only_wants_to_be_prepared(pack, said, prepare, tmp_path):
    pack(tmp_path / "a.tar", [("a.jpg", b""), ("a.txt", b"")])
    pack(tmp_path / "b.tar", [("x/b.jpg", b""), ("x/b.txt", b"")])
    assert said("energon", tmp_path) == []
    assert said("energon", tmp_path, notes=True) == ["no .nv-meta: run energon prepare first"]
    assert prepare(tmp_path) in (True, None)


def test_keys_are_unique_over_the_dataset(pack, said, prepare, tmp_path):
    pack(tmp_path / "a.tar", [("a.txt", b"")])
    pack(tmp_path / "b.tar", [("b.txt", b""), ("a.txt", b"")])
    assert said("energon", tmp_path) == [
        f"a: refused: Duplicate sample key: a was at offset 0 of {tmp_path}/a.tar",
    ]
    assert prepare(tmp_path) in (False, None)


def test_members_that_are_not_adjacent_repeat_the_key(pack, said, prepare, tmp_path):
    pack(tmp_path / "a.tar", [("a.txt", b""), ("b.txt", b""), ("a.jpg", b"")])
    assert said("energon", tmp_path) == ["a: refused: Duplicate sample key: a was at offset 0"]
    assert prepare(tmp_path) in (False, None)


def test_a_tar_without_samples_is_refused(pack, said, prepare, tmp_path):
    pack(tmp_path / "a.tar", [("a.txt", b"")])
    pack(tmp_path / "b.tar", [("README", b"")])
    assert said("energon", tmp_path) == ["-: refused: a tar without samples"]
    assert prepare(tmp_path) in (False, None)


def test_a_field_that_comes_twice(pack, said, tmp_path):
    path = pack(tmp_path / "a.tar", [("a.txt", b"1"), ("a.TXT", b"2"), ("a.txt", b"3")])
    assert said("energon", path) == ["a.txt: dropped: the earlier txt of this sample"]


def test_fields_that_differ_and_kinds_of_tars_are_told(pack, said, tmp_path):
    pack(tmp_path / "a.tar", [("a.jpg", b""), ("b.png", b"")])
    assert "without jpg, which the first sample has: a field_map can't name it" in said("energon", tmp_path, notes=True)
    (tmp_path / "c.tar.gz").write_bytes(gzip.compress(pack(tmp_path / "x", [("z.jpg", b"")]).read_bytes()))
    assert said("energon", tmp_path) == ["-: dropped: energon prepare looks for *.tar and *.tgz only"]


def test_what_prepare_writes_must_be_whole(pack, said, tmp_path):
    pack(tmp_path / "shards/a.tar", [("a.txt", b"")])
    (tmp_path / ".nv-meta").mkdir()
    (tmp_path / ".nv-meta/split.yaml").touch()
    assert said("energon", tmp_path / "shards") == [
        "-: refused: dataset.yaml is not there",
        "-: refused: .info.json or .info.yaml is not there",
    ]
