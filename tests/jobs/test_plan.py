"""A folder is made by one command in one way, and its plan remembers which."""

import json
import os
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vlmkit.errors import VlmkitError
from vlmkit.jobs import plan as plan_module
from vlmkit.jobs.inputs import ShardInput
from vlmkit.jobs.plan import Plan, freeze
from vlmkit.jobs.slurm import Array


@pytest.fixture
def data(tmp_path, write_tar):
    for shard in range(2):
        write_tar(tmp_path / f"in/{shard:05d}.tar", {key: {"txt": b"w " * n} for n, key in enumerate("abc")})
    return tmp_path / "in"


def times(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir() if path.is_file()}


def test_what_is_done_is_not_done_again(vlmkit, data, tmp_path):
    command = ("filter", data, tmp_path / "out", "--min-words", 2)
    first = vlmkit(*command)
    before = times(tmp_path / "out")
    again = vlmkit(*command, "--workers", 2, "--json", "--max-bad", 0.5, "--device", "cpu")
    assert again.status == 0
    assert f"note: {tmp_path}/out was already done" in again.err.splitlines()
    assert json.loads(again.err.splitlines()[-1])["reasons"] == {"words >= 2": 4}
    assert times(tmp_path / "out") == before
    assert "already done" not in first.err


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (("--min-words", 3), "conditions was ['words >= 2'] and is now ['words >= 3']"),
        (("--min-words", 2, "--limit", 5), "limit was None and is now 5"),
        (("--min-words", 2, "--only", "txt"), "only was None and is now 'txt'"),
        (("--min-words", 2, "--rejects", "rejects"), "rejects was None and is now '"),
    ],
)
def test_another_way_is_refused_and_shown(vlmkit, data, tmp_path, monkeypatch, changed, says):
    monkeypatch.chdir(tmp_path)
    vlmkit("filter", data, "out", "--min-words", 2)
    before = times(tmp_path / "out")
    other = vlmkit("filter", data, "out", *changed)
    assert other.status == 1
    message, hint = other.err.splitlines()
    assert message.startswith("vlmkit filter: out was made in another way: ")
    assert says in message
    assert "--overwrite" in hint
    assert times(tmp_path / "out") == before
    assert not (tmp_path / "rejects").exists()


def test_another_command_is_refused(vlmkit, data, tmp_path):
    vlmkit("filter", data, tmp_path / "out", "--min-words", 2)
    assert "was made in another way: by vlmkit filter" in vlmkit("dedup", data, tmp_path / "out").err


def test_overwrite_removes_what_the_plan_lists_and_nothing_else(vlmkit, data, tmp_path, rows):
    out = tmp_path / "out"
    vlmkit("filter", data, out, "--min-words", 2)
    for name in ("notes.txt", "00002.tar", "00002.parquet"):
        (out / name).write_text("mine")
    assert vlmkit("filter", data, out, "--min-words", 1, "--limit", 2, "--overwrite").status == 0
    assert {name for name in times(out) if name.startswith(("0000", "notes"))} == {
        "00000.tar",
        "00000.parquet",
        "00000_stats.json",
        "00002.tar",
        "00002.parquet",
        "notes.txt",
    }
    assert [row["kept"] for row in rows(out / "00000.parquet").values()] == [False, True]


def test_overwrite_spares_a_folder_that_vlmkit_did_not_make(vlmkit, data, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/00000.tar").write_text("mine")
    done = vlmkit("filter", data, tmp_path / "mine", "--min-words", 2, "--overwrite")
    assert (done.status, "vlmkit did not make it" in done.err) == (1, True)
    assert (tmp_path / "mine/00000.tar").read_text() == "mine"


def change_a_tar(data):
    os.utime(data / "00001.tar", ns=(1, 1))


def add_a_tar(data):
    shutil.copy(data / "00001.tar", data / "00002.tar")


def change_a_table(data):
    pq.write_table(pa.table({"key": ["a"], "words": pa.array([9.0], pa.float32())}), data / "00001.parquet")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (change_a_tar, "in/00001.tar is another or has changed"),
        (add_a_tar, "from 2 input shards, now there are 3"),
        (change_a_table, "in/00001.tar is another or has changed"),
    ],
)
def test_an_input_that_has_changed_is_refused(vlmkit, data, tmp_path, change, says):
    vlmkit("filter", data, tmp_path / "out", "--min-words", 2, "--part", "0/2")
    change(data)
    done = vlmkit("filter", data, tmp_path / "out", "--min-words", 2)
    assert done.status == 1
    assert says in done.err


def test_an_overlay_that_has_changed_is_refused(vlmkit, data, tmp_path):
    shutil.copytree(data, tmp_path / "over")
    command = ("filter", f"{data}/+{tmp_path}/over/", tmp_path / "out", "--min-words", 2)
    vlmkit(*command, "--part", "0/2")
    change_a_tar(tmp_path / "over")
    assert "is another or has changed" in vlmkit(*command).err


def test_an_unfinished_input_is_refused(vlmkit, data, tmp_path):
    vlmkit("filter", data, tmp_path / "half", "--min-words", 1, "--part", "0/2")
    for source in (f"{tmp_path}/half", f"{data}/+{tmp_path}/half/", f"{data}::{tmp_path}/half"):
        done = vlmkit("cat", source, tmp_path / "out")
        assert done.status == 1, source
        assert "half is unfinished" in done.err
    vlmkit("filter", data, tmp_path / "half", "--min-words", 1)
    assert vlmkit("cat", tmp_path / "half", tmp_path / "out").status == 0


def test_a_failed_start_leaves_the_folder_free(vlmkit, data, tmp_path):
    assert vlmkit("filter", data, tmp_path / "out", "--where", "words > 'many'").status == 1
    assert not (tmp_path / "out").exists()
    assert vlmkit("filter", data, tmp_path / "out", "--min-words", 2).status == 0


def test_the_first_plan_counts_whoever_comes_second(tmp_path):
    """Two tasks of an array start at once: both follow the plan of the one that was first."""
    shards = (ShardInput("00000", str(tmp_path / "none.tar")),)
    first, second = (Plan("filter", {"n": 1}, shards, array=Array(0, 1, count, 1)) for count in (8, 3))
    assert freeze(first, tmp_path / "out") == first
    assert freeze(second, tmp_path / "out") == first
    with pytest.raises(VlmkitError, match="n was 1 and is now 2"):
        freeze(Plan("filter", {"n": 2}, shards), tmp_path / "out")


def test_a_task_that_comes_while_another_begins_takes_no_shards_for_strangers(tmp_path, monkeypatch):
    """Between its look for a plan and its look for strangers the other task has made the plan and a shard."""
    plan = Plan("filter", {}, (ShardInput("00000", str(tmp_path / "none.tar")),))
    looked = plan_module._check_empty

    def too_late(folder):
        freeze(plan, folder)
        (folder / "00000.tar").write_bytes(b"the other task's")
        looked(folder)

    with monkeypatch.context() as patch:
        patch.setattr(plan_module, "_check_empty", lambda folder: (patch.undo(), too_late(folder)))
        assert freeze(plan, tmp_path / "out") == plan


def test_the_manifest_says_what_was_done_by_whom(vlmkit, data, tmp_path):
    vlmkit("filter", data, tmp_path / "one", "--min-words", 1)
    vlmkit("dedup", tmp_path / "one", tmp_path / "two", "--by", "text")
    manifest = json.loads((tmp_path / "two/.vlmkit/manifest.json").read_text())
    assert manifest["command"] == "dedup"
    assert manifest["command_line"] == f"vlmkit dedup {tmp_path}/one {tmp_path}/two --by text"
    assert manifest["options"]["by"] == "text"
    assert manifest["versions"]["vlmkit"]
    assert manifest["counts"]["reasons"] == {"duplicate text": 2}
    (before,) = manifest["history"]
    assert (before["command"], before["counts"]["samples_in"], before["counts"]["samples_out"]) == ("filter", 6, 4)
    (given,) = manifest["inputs"]
    assert (given["location"], given["shards"], len(given["manifest"])) == (f"{tmp_path}/one", 2, 64)
