"""vlmkit download: sources become shards or a stream; what can't be had is counted."""

import hashlib
import json

import pytest

ROSES = """
from vlmkit.jobs.step import Dropped, Kept
from vlmkit.shards.sample import new_sample

def open_roses(rest, options):
    return [Kept(new_sample(rest, {"txt": b"a rose"})), Dropped(new_sample("b", {"txt": b""}), "no rose")]
"""


PREEMPTED = """
import os, signal
from pathlib import Path
from vlmkit.jobs.step import Kept
from vlmkit.shards.sample import new_sample

def open_preempted(rest, options):
    yield Kept(new_sample("a", {"txt": b"a"}))
    if not Path(rest).exists():
        Path(rest).touch()
        os.kill(os.getpid(), signal.SIGTERM)
    yield Kept(new_sample("b", {"txt": b"b"}))
"""


@pytest.fixture
def photos(tmp_path, picture):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes(picture(size=(10 + number, 20)))
        (folder / f"{number}.txt").write_text(f"photo {number}")
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.doc").write_text("mine")
    return folder


def summary(done):
    return json.loads(done.err.splitlines()[-1])


def test_a_folder_of_pictures(vlmkit, photos, tmp_path, members, rows):
    done = vlmkit("download", f"folder:{photos}", tmp_path / "out", "--max-bad", 0.5, "--json")
    assert done.status == 0
    said = summary(done)
    assert (said["samples_in"], said["samples_out"], said["bad"]) == (5, 3, 1)
    assert said["reasons"] == {"unreadable image": 1, "unknown suffix": 1}
    found = members(tmp_path / "out/00000.tar")
    assert list(found)[:3] == ["0.png", "0.txt", "0.json"]
    data = (photos / "0.png").read_bytes()
    assert found["0.png"][512:].startswith(data)
    meta = json.loads(found["0.json"][512:].rstrip(b"\0"))
    assert meta["image_id"] == hashlib.sha256(data).hexdigest()
    assert meta["uid"] == hashlib.sha256(data + b"\0photo 0").hexdigest()[:32]
    table = rows(tmp_path / "out/00000.parquet")
    assert (table["0"]["width"], table["0"]["height"], table["0"]["step"]) == (10, 20, "download")
    assert {key: row.get("reason") for key, row in table.items() if not row["kept"]} == {
        "broken": "unreadable image",
        "notes": "unknown suffix",
    }


def test_too_many_broken_ones_give_status_3(vlmkit, photos, tmp_path):
    assert vlmkit("download", f"folder:{photos}", tmp_path / "out").status == 3


def test_rejects_hold_the_files_that_were_refused(vlmkit, photos, tmp_path, members):
    vlmkit("download", f"folder:{photos}", tmp_path / "out", "--rejects", tmp_path / "rejects")
    found = members(tmp_path / "rejects/00000.tar")
    assert found["broken.jpg"][512:].startswith(b"no picture")
    assert vlmkit("cat", tmp_path / "rejects", "-", "--quiet").status == 0


def test_two_runs_write_the_same_bytes(vlmkit, photos, tmp_path):
    for name in ("one", "two"):
        vlmkit("download", f"folder:{photos}", tmp_path / name)
    for name in ("00000.tar", "00000.parquet"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_into_a_pipe(vlmkit, photos, tmp_path, members):
    streamed = vlmkit("download", f"folder:{photos}", "-", "--quiet", "--max-bad", 1)
    assert (streamed.status, streamed.err) == (0, "")
    done = vlmkit("filter", "-", tmp_path / "out", "--min-words", 2, stdin=streamed.out)
    assert done.status == 0
    vlmkit("download", f"folder:{photos}", tmp_path / "direct")
    assert members(tmp_path / "out/00000.tar") == members(tmp_path / "direct/00000.tar")
    (before,) = json.loads((tmp_path / "out/.vlmkit/manifest.json").read_text())["history"]
    assert (before["command"], before["counts"]["reasons"]) == (
        "download",
        {"unreadable image": 1, "unknown suffix": 1},
    )


def test_what_was_downloaded_with_other_options_is_refused(vlmkit, photos, tmp_path):
    vlmkit("download", f"folder:{photos}", tmp_path / "out", "--limit", 2)
    other = vlmkit("download", f"folder:{photos}", tmp_path / "out", "--limit", 3)
    assert (other.status, "limit was 2 and is now 3" in other.err) == (1, True)
    same = vlmkit("download", f"folder:{photos}", tmp_path / "out", "--limit", 2)
    assert (same.status, "already done" in same.err) == (0, True)


def test_limit_counts_what_the_source_has(vlmkit, photos, tmp_path):
    assert summary(vlmkit("download", f"folder:{photos}", tmp_path / "out", "--limit", 2, "--json"))["samples_in"] == 2


def test_a_dry_run_writes_nothing(vlmkit, photos, tmp_path):
    done = vlmkit("download", f"folder:{photos}", tmp_path / "out", "--dry-run", "--max-bad", 1, "--json")
    assert (done.status, summary(done)["samples_out"]) == (0, 3)
    assert not (tmp_path / "out").exists()


def test_a_demo_set(vlmkit, tmp_path, members, rows):
    pytest.importorskip("easy_vqa")
    done = vlmkit("download", "demo:easy-vqa/test", tmp_path / "out", "--limit", 30)
    assert done.status == 0
    first = json.loads(members(tmp_path / "out/00000.tar")["000000000.json"][512:].rstrip(b"\0"))
    assert [message["role"] for message in first["messages"]] == ["user", "assistant"]
    assert len(rows(tmp_path / "out/00000.parquet")) == 30


def test_an_interrupted_download_asks_to_be_run_again_and_starts_from_zero(vlmkit, photos, tmp_path, plugin, rows):
    """The flag lets the source through the second time."""
    plugin("vlmkit.sources", "preempted", PREEMPTED, "open_preempted")
    command = ("download", f"preempted:{tmp_path}/flag", tmp_path / "out", "--quiet")
    first = vlmkit(*command)
    assert (first.status, first.err) == (
        75,
        "vlmkit download: interrupted by SIGTERM\n  run the same command again: it goes on from here\n",
    )
    assert not list(tmp_path.glob("out/*"))
    assert vlmkit(*command).status == 0
    assert list(rows(tmp_path / "out/00000.parquet")) == ["a", "b"]


def test_a_source_of_another_package(vlmkit, tmp_path, plugin, members):
    plugin("vlmkit.sources", "roses", ROSES, "open_roses")
    done = vlmkit("download", "roses:red", tmp_path / "out", "--json")
    assert (done.status, summary(done)["reasons"]) == (0, {"no rose": 1})
    assert list(members(tmp_path / "out/00000.tar")) == ["red.txt"]
