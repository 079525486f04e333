"""The work divided: by --part, by a SLURM array, by srun. Together the parts are the whole."""

import os

import pytest

from vlmkit.errors import VlmkitError
from vlmkit.jobs.options import JobOptions
from vlmkit.jobs.over_shards import workers_of
from vlmkit.jobs.slurm import Array, Part, array_of, is_divided, part_of
from vlmkit.jobs.step import Keep

SHARDS = 5
RULE = ("--min-words", 2)


@pytest.fixture
def data(tmp_path, write_tar):
    """Five shards in which each text also stands in the next one."""
    for shard in range(SHARDS):
        samples = {f"{shard}{n}": {"txt": f"text {shard + n}".encode() * n} for n in range(3)}
        write_tar(tmp_path / f"in/{shard:05d}.tar", samples)
    return tmp_path / "in"


@pytest.fixture
def whole(vlmkit, data, tmp_path, content):
    vlmkit("filter", data, tmp_path / "whole", *RULE)
    return content(tmp_path / "whole")


def array(task, ids, step=1, **more):
    """The environment of one task of an array, as SLURM sets it for these ids."""
    named = {"ID": task, "COUNT": len(ids), "MIN": min(ids), "MAX": max(ids), "STEP": step}
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in named.items()} | {"SLURM_JOB_ID": "77"} | more


def rank(number, count):
    return {"SLURM_STEP_ID": "0", "SLURM_NTASKS": f"{count}", "SLURM_STEP_NUM_TASKS": f"{count}"} | {
        "SLURM_PROCID": f"{number}"
    }


@pytest.fixture
def task(vlmkit, data, monkeypatch):
    """Runs a command in the environment of a SLURM task."""

    def run(environment, target, *command):
        name, *options = command or ("filter", *RULE)
        with monkeypatch.context() as patch:
            for variable, value in environment.items():
                patch.setenv(variable, value)
            return vlmkit(name, data, target, *options)

    return run


def finished(folder):
    return (folder / ".vlmkit/manifest.json").exists()


def test_parts_in_any_order_are_the_whole_and_the_last_one_finishes_it(vlmkit, data, tmp_path, whole, content):
    out = tmp_path / "out"
    for number, part in enumerate(("2/3", "0/3", "1/3")):
        done = vlmkit("filter", data, out, *RULE, "--part", part, "--rejects", tmp_path / "rejects")
        assert done.status == 0
        assert finished(out) == finished(tmp_path / "rejects") == (number == 2)
        assert ("shards are left to other parts" in done.err) == (number != 2)
    assert content(out) == whole


def test_rejects_of_all_parts_come_into_one_tar(vlmkit, data, tmp_path, members):
    for part in ("1/2", "0/2"):
        assert not (tmp_path / "rejects.tar").exists()
        vlmkit("filter", data, tmp_path / "out", *RULE, "--part", part, "--rejects", tmp_path / "rejects.tar")
    found = [name for name in members(tmp_path / "rejects.tar") if name.endswith("txt")]
    assert found == [f"{shard}{n}.txt" for shard in range(SHARDS) for n in (0,)]


def test_a_part_is_every_nth_shard(vlmkit, data, tmp_path):
    done = vlmkit("filter", data, tmp_path / "out", *RULE, "--part", "1/2")
    assert sorted(path.name for path in (tmp_path / "out").glob("*.tar")) == ["00001.tar", "00003.tar"]
    assert "note: 3 of 5 shards are left to other parts" in done.err.splitlines()


def test_more_parts_than_shards_have_nothing_to_do(vlmkit, data, tmp_path):
    done = vlmkit("filter", data, tmp_path / "out", *RULE, "--part", "7/9")
    assert (done.status, list((tmp_path / "out").glob("*.tar"))) == (0, [])


@pytest.mark.parametrize(
    ("ids", "step"), [([0, 1, 2], 1), ([1, 2, 3], 1), ([1, 3, 5], 2), ([4], 1)], ids=["0-2", "1-3", "1-5:2", "4"]
)
def test_a_full_array(task, tmp_path, whole, content, ids, step):
    for number, task_id in enumerate(ids):
        assert task(array(task_id, ids, step), tmp_path / "out").status == 0
        assert finished(tmp_path / "out") == (number == len(ids) - 1)
    assert content(tmp_path / "out") == whole


def test_a_sparse_retry_follows_the_plan_of_the_array_that_began(task, tmp_path, whole, content):
    """20 tasks of which three had died: `--array=3,7,12` says COUNT=3, and that would be another division."""
    ids, died = list(range(20)), [1, 3, 4]
    for task_id in (task_id for task_id in ids if task_id not in died):
        assert task(array(task_id, ids), tmp_path / "out").status == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.tar")) == ["00000.tar", "00002.tar"]
    for number, task_id in enumerate(died):
        assert not finished(tmp_path / "out")
        assert task(array(task_id, died), tmp_path / "out").status == 0
        assert (tmp_path / f"out/0000{task_id}.tar").exists(), number
    assert content(tmp_path / "out") == whole


def test_a_sparse_array_can_not_begin(task, tmp_path):
    done = task(array(3, [3, 7, 12]), tmp_path / "out")
    assert done.status == 1
    assert "a job can't begin with the sparse array 3..12 of 3 tasks" in done.err
    assert not (tmp_path / "out").exists()


def test_a_task_of_another_array_is_refused(task, tmp_path, content):
    task(array(0, [0, 1, 2]), tmp_path / "out")
    done = task(array(5, range(4, 8)), tmp_path / "out")
    assert (done.status, "is not of the array that began this work (3 tasks from 0" in done.err) == (1, True)
    with_ranks = task(array(1, [0, 1, 2], **rank(0, 2)), tmp_path / "out")
    assert (with_ranks.status, "task 1 with 2 processes is not of the array" in with_ranks.err) == (1, True)


def test_a_batch_script_of_two_tasks_without_srun_does_all_the_work_once(task, tmp_path, whole, content):
    """It sees SLURM_NTASKS=2 and SLURM_PROCID=0, and there is no other process."""
    assert task({"SLURM_NTASKS": "2", "SLURM_PROCID": "0", "SLURM_JOB_ID": "77"}, tmp_path / "out").status == 0
    assert finished(tmp_path / "out")
    assert content(tmp_path / "out") == whole


def test_the_shell_of_an_allocation_does_all_the_work_once(task, tmp_path, whole, content):
    """A step of one task, to which the allocation's SLURM_NTASKS is handed through."""
    shell = rank(0, 2) | {"SLURM_STEP_ID": "4294967290", "SLURM_STEP_NUM_TASKS": "1"}
    assert task(shell, tmp_path / "out").status == 0
    assert content(tmp_path / "out") == whole


def test_two_ranks_of_srun_share_the_work(task, tmp_path, whole, content):
    assert task(rank(1, 2), tmp_path / "out").status == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.tar")) == ["00001.tar", "00003.tar"]
    assert task(rank(0, 2), tmp_path / "out").status == 0
    assert finished(tmp_path / "out")
    assert content(tmp_path / "out") == whole


def test_an_array_of_steps_shares_by_both(task, tmp_path, whole, content):
    """Two tasks of two ranks each: four parts."""
    for task_id in (1, 2):
        for number in (0, 1):
            assert task(array(task_id, [1, 2], **rank(number, 2)), tmp_path / "out").status == 0
    assert content(tmp_path / "out") == whole


def test_without_an_array_a_retry_does_all_that_is_left(task, vlmkit, data, tmp_path, whole, content):
    task(array(0, [0, 1, 2]), tmp_path / "out")
    assert vlmkit("filter", data, tmp_path / "out", *RULE).status == 0
    assert content(tmp_path / "out") == whole


@pytest.mark.parametrize("environment", [array(1, [0, 1]), rank(1, 2)], ids=["array", "srun"])
def test_no_task_overwrites_what_the_others_do(task, tmp_path, environment, content):
    task(array(0, [0, 1]), tmp_path / "out")
    before = content(tmp_path / "out")
    done = task(environment, tmp_path / "out", "filter", *RULE, "--overwrite")
    assert (done.status, "--overwrite would remove the other tasks' work" in done.err) == (1, True)
    assert content(tmp_path / "out") == before


def test_an_explicit_part_goes_before_what_slurm_says(task, tmp_path):
    task(array(1, [0, 1]), tmp_path / "out", "filter", *RULE, "--part", "0/5")
    assert [path.name for path in (tmp_path / "out").glob("*.tar")] == ["00000.tar"]


def test_dedup_in_parts_waits_for_the_first_pass_of_all(vlmkit, data, tmp_path, content):
    """A part that has seen its shards and not yet the others' asks to be run again."""
    vlmkit("dedup", data, tmp_path / "whole")
    command = ("dedup", data, tmp_path / "out")
    first = vlmkit(*command, "--part", "0/2", "--quiet")
    assert first.status == 75
    assert first.err.splitlines() == [
        "vlmkit dedup: dedup must see every shard before it decides, and 2 are left to other parts",
        "  run the same command again when the other parts have come this far",
    ]
    assert not list((tmp_path / "out").glob("*.tar"))
    second = vlmkit(*command, "--part", "1/2")
    assert (second.status, finished(tmp_path / "out")) == (0, False)
    assert vlmkit(*command, "--part", "0/2").status == 0
    assert finished(tmp_path / "out")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_a_task_uses_the_cores_that_slurm_gives_it(monkeypatch):
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    assert workers_of(Keep(), JobOptions()) == 3
    assert workers_of(Keep(), JobOptions(workers=7)) == 7
    monkeypatch.delenv("SLURM_CPUS_PER_TASK")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 3})
    assert workers_of(Keep(), JobOptions()) == 2


def test_what_slurm_says_as_numbers():
    full = array(5, [1, 3, 5, 7], 2)
    assert array_of(full) == Array(1, 2, 4, 1)
    assert part_of(full, array_of(full)) == Part(2, 4)
    assert part_of(full | rank(1, 3), Array(1, 2, 4, 3)) == Part(7, 12)
    assert part_of({}, None) is part_of(full, None) is array_of({}) is None
    assert part_of(rank(1, 2), None) == Part(1, 2)
    assert is_divided(full)
    assert is_divided(rank(0, 2))
    assert not is_divided({"SLURM_NTASKS": "2", "SLURM_PROCID": "0"})
    assert not is_divided(array(4, [4]))
    with pytest.raises(VlmkitError, match="is not of the array"):
        part_of(array(4, [4]), Array(1, 2, 4, 1))
