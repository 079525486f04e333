"""vlmkit cat --to jsonl, and what all exports promise: names that stay inside, a folder that appears whole."""

import json
import os
from pathlib import Path

import pytest

from vlmkit.errors import VlmkitError
from vlmkit.exports.image_folder import ImageFolder, safe_path, with_suffix
from vlmkit.sources.pictures import Picture, read_picture


def lines(folder):
    return [json.loads(line) for line in (folder / "data.jsonl").read_text().splitlines()]


@pytest.fixture
def pairs(dataset, picture):
    samples = [{"png": picture(color=(n, 0, 0)), "txt": b"text %d" % n, "json": {"n": n}} for n in range(4)]
    return dataset("in", samples[:2], samples[2:])


def test_lines_say_all_of_a_sample(vlmkit, dataset, picture, tmp_path):
    two = {"0.png": picture(), "1.jpg": picture("JPEG")}
    samples = [
        {"jpeg": picture("JPEG"), "txt": "ü\n".encode(), "json": {"n": 1, "image": "mine", "none": None, "id": "x"}},
        {**two, "json": {"images": [1], "txt": "only in json"}},
        {"txt": b"text"},
    ]
    vlmkit("cat", dataset("in", samples), tmp_path / "out", "--to", "jsonl")
    assert lines(tmp_path / "out") == [
        {"image": "images/0000.jpg", "txt": "ü\n", "n": 1, "json.image": "mine", "none": None, "id": "x"},
        {"id": "0001", "images": ["images/0001.0.png", "images/0001.1.jpg"], "json.images": [1], "txt": "only in json"},
        {"id": "0002", "txt": "text"},
    ]
    assert (tmp_path / "out/images/0001.1.jpg").read_bytes() == two["1.jpg"]
    assert (tmp_path / "out/images/0000.jpg").read_bytes() == samples[0]["jpeg"]


def test_rows_and_new_keys(vlmkit, pairs, tmp_path):
    vlmkit("filter", pairs, tmp_path / "scored", "--min-words", 1)
    vlmkit("cat", tmp_path / "scored", tmp_path / "out", "--to", "jsonl", "--embed-rows", "--rekey", "--skip", 1)
    assert lines(tmp_path / "out")[0] == {
        "id": "000000000",
        "image": "images/000000000.png",
        "txt": "text 1",
        "n": 1,
        "words": 2.0,
        "source_key": "00000/0001",
    }


def test_keys_never_lead_out_of_the_folder(vlmkit, write_tar, picture, tmp_path):
    """Nor do they overwrite one another: equal pictures share a file, others get a number."""
    keys = ["../../up", "/etc/abs", "a/../b", "a//b", "a/b", "c", "x" * 300, "./c", "c.png/d"]
    shards = [{key: {"png": picture(color=(n, 0, 0))} for n, key in enumerate(keys)}, {"c": {"png": picture()}}]
    shards.append({"c": {"png": shards[0]["c"]["png"]}})
    for number, samples in enumerate(shards):
        write_tar(tmp_path / f"in/{number:05d}.tar", samples, format=2)
    before = {path for path in tmp_path.rglob("*") if "in" not in path.parts}
    assert vlmkit("cat", tmp_path / "in", tmp_path / "deep/out", "--to", "jsonl").status == 0
    made = {path for path in tmp_path.rglob("*") if "in" not in path.parts} - before
    assert all((tmp_path / "deep") in (path, *path.parents) for path in made)
    said = lines(tmp_path / "deep/out")
    for entry, (key, fields) in zip(said, [pair for shard in shards for pair in shard.items()], strict=True):
        assert (tmp_path / "deep/out" / entry["image"]).read_bytes() == fields["png"], key
    names = [entry["image"] for entry in said]
    assert names[0] == "images/up.png"
    assert names[-1] == names[keys.index("c")], "the same picture under the same key"
    assert len(set(names)) == len(names) - 1


@pytest.mark.parametrize(
    ("name", "kind", "path"),
    [
        ("a/b", "png", "a/b.png"),
        ("a/b.JPEG", "jpg", "a/b.JPEG"),
        ("a/b.jpg", "png", "a/b.png"),
        ("a.jpg/b", "png", "a.jpg/b.png"),
        ("v1.2", "jpg", "v1.2.jpg"),
        ("", "gif", "picture.gif"),
        ("\x00\n/..", "gif", "__.gif"),
    ],
)
def test_file_names_tell_the_true_kind(name, kind, path):
    assert with_suffix(safe_path(name), kind) == path


def test_names_that_repeat_find_their_picture_again(tmp_path, picture):
    folder = ImageFolder(tmp_path)
    a, b, c = (read_picture(picture(color=(n, 0, 0))) for n in range(3))
    assert [folder.store("x", p) for p in (a, b, a, c, b)] == ["x.png", "x~1.png", "x.png", "x~2.png", "x~1.png"]
    assert folder.store("x.png/y", a) == "x.png_y.png"
    assert folder.store("x~3", a) == "x~3.png"
    assert folder.store("x", Picture(b"other", "png", 1, 1)) == "x~4.png"
    assert len(safe_path("/".join(["ü" * 300] * 30)).encode()) < 255


def test_a_second_time_it_is_done_and_otherwise_refused(vlmkit, pairs, tmp_path, monkeypatch):
    command = ("cat", pairs, tmp_path / "out", "--to", "jsonl")
    vlmkit(*command)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".vlmkit", "data.jsonl", "images"]
    said = json.loads((tmp_path / "out/.vlmkit/manifest.json").read_text())
    assert (said["options"]["to"], said["counts"]["samples_out"]) == ("jsonl", 4)
    assert "already done" in vlmkit(*command).err
    other = vlmkit(*command, "--limit", 3)
    assert (other.status, "limit was None and is now 3" in other.err) == (1, True)
    (tmp_path / "out/mine.txt").write_text("mine")
    assert vlmkit(*command, "--limit", 3, "--overwrite").status == 0
    assert len(lines(tmp_path / "out")) == len(os.listdir(tmp_path / "out/images")) == 3
    assert vlmkit("cat", pairs, tmp_path / "out", "--overwrite").status == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.name[0] != ".") == [
        "00000.parquet",
        "00000.tar",
        "00000_stats.json",
        "mine.txt",
    ]


@pytest.mark.parametrize("killed_after", [0, 1, 2])
def test_a_killed_export_is_finished_by_the_same_command(vlmkit, pairs, tmp_path, monkeypatch, killed_after):
    """Killed before it moves the first, the second or the third of what it has made."""
    command = ("cat", pairs, tmp_path / "out", "--to", "jsonl", "--quiet")
    vlmkit("cat", pairs, tmp_path / "whole", "--to", "jsonl", "--quiet")
    rename, moved = Path.rename, []

    def dying(path, target):
        if Path(target).parent == tmp_path / "out":
            if len(moved) == killed_after:
                raise KeyboardInterrupt
            moved.append(path)
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", dying)
        assert vlmkit(*command).status == (130 if killed_after < 2 else 0)
    if killed_after < 2:
        refused = vlmkit("cat", tmp_path / "out", "-")
        assert (refused.status, "is unfinished" in refused.err) == (1, True)
        left = tmp_path / "out/.vlmkit/tmp/export/images"
        left.mkdir(parents=True, exist_ok=True)
        (left / "0000.png").write_bytes(b"half")
        assert vlmkit(*command).status == 0
    files = {
        name: sorted(p.name for p in (tmp_path / name).rglob("*") if p.suffix == ".png") for name in ("whole", "out")
    }
    assert files["whole"] == files["out"]
    assert lines(tmp_path / "out") == lines(tmp_path / "whole")
    assert not (tmp_path / "out/.vlmkit/tmp/export").exists()


def test_an_export_is_no_dataset_of_ours(vlmkit, pairs, tmp_path):
    vlmkit("cat", pairs, tmp_path / "out", "--to", "jsonl")
    for command in (("cat", tmp_path / "out", "-"), ("filter", tmp_path / "out", tmp_path / "x", "--min-words", 1)):
        done = vlmkit(*command)
        assert (done.status, "holds no shards: it was made for other tools" in done.err) == (1, True)


def test_an_error_leaves_nothing(vlmkit, pairs, tmp_path, monkeypatch):
    def full(*arguments):
        raise VlmkitError("no room", "make room")

    monkeypatch.setattr(ImageFolder, "store", full)
    assert vlmkit("cat", pairs, tmp_path / "out", "--to", "jsonl").status == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-", "--to", "llava"], "writes several files, and - is one"),
        (["x.tar", "--to", "parquet"], "writes several files, and x.tar is one"),
        (["x", "--to", "csv"], "--to csv is no format"),
        (["x", "--to", "jsonl", "--samples-per-shard", 5], "makes one file: no --samples-per-shard"),
        (["x", "--to", "jsonl", "--uniform", "png"], "--to jsonl has its own fields"),
    ],
)
def test_what_makes_no_sense_is_refused(vlmkit, pairs, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    done = vlmkit("cat", "in", *arguments)
    assert (done.status, message in done.err) == (1, True), done.err
    assert os.listdir(tmp_path) == ["in"]
