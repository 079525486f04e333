"""Worker processes: what becomes of them, and of the job, when one is stopped."""

import os
import signal
import subprocess
import time

import pytest

SLOW_SCORER = """
import os, time
from pathlib import Path
from vlmkit.scores.inputs import TEXT
from vlmkit.scores.scorer import scorer

@scorer("patience", reads=TEXT)
def patience(text):
    Path(os.environ["STARTED"], f"{os.getpid()} {os.environ['LOCAL_RANK']}").touch()
    time.sleep(float(os.environ["PATIENCE_S"]))
    return 1
"""


@pytest.fixture
def slow(tmp_path, write_tar, plugin):
    """Two shards of one sample each, and the environment in which its score takes a minute."""
    for shard in range(2):
        write_tar(tmp_path / f"in/{shard:05d}.tar", {"a": {"txt": b"a"}})
    plugin("vlmkit.scorers", "patience", SLOW_SCORER, "patience")
    (tmp_path / "started").mkdir()
    return {"STARTED": str(tmp_path / "started"), "PATIENCE_S": "60"}


@pytest.fixture
def working(slow, tmp_path, start, until):
    """A job whose two workers are at work, and the ids of their processes. Each has its own rank, and so its GPU."""
    command = ("filter", tmp_path / "in", tmp_path / "out", "--where", "patience > 0", "--workers", 2, "--quiet")
    process = start(*command, env=slow)
    at_work = until(lambda: len(names := os.listdir(tmp_path / "started")) == 2 and names)
    workers, ranks = zip(*(name.split() for name in at_work), strict=True)
    assert sorted(ranks) == ["0", "1"]
    return process, [int(worker) for worker in workers]


def test_workers_die_with_their_parent(working, until, is_gone):
    process, workers = working
    assert process.pid not in workers
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: all(is_gone(worker) for worker in workers))


def test_a_killed_worker_is_one_clear_line(working, tmp_path, until, is_gone):
    process, workers = working
    os.kill(workers[0], signal.SIGKILL)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert err.splitlines() == [
        "vlmkit filter: a worker process was killed",
        "  if memory ran out: fewer --workers, or a smaller --batch-size; then run the same command again",
    ]
    until(lambda: is_gone(workers[1]))
    assert not list(tmp_path.glob("out/*.tar"))


@pytest.mark.parametrize("to_all", [False, True], ids=["to-the-parent", "from-the-keyboard"])
def test_control_c_gives_130_and_no_traceback(working, until, is_gone, to_all):
    """A terminal sends it to the whole group: the workers leave it to their parent."""
    process, workers = working
    (os.killpg if to_all else os.kill)(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "")
    until(lambda: all(is_gone(worker) for worker in workers))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_to_the_whole_group_is_the_parents_to_decide(working, number):
    process, workers = working
    for worker in workers:
        os.kill(worker, number)
    time.sleep(0.3)
    assert process.poll() is None
    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130 if number == signal.SIGINT else 75, "")
    told = f"vlmkit filter: interrupted by {number.name}\n  run the same command again: it goes on from here\n"
    assert err == ("" if number == signal.SIGINT else told)


def test_workers_end_as_quietly_as_they_work(script, tmp_path, write_tar):
    """Libraries may complain at the end of a process; a user of --quiet hears none of it."""
    for shard in range(2):
        write_tar(tmp_path / f"in/{shard:05d}.tar", {"a": {"txt": b"a b"}})
    command = [script, "filter", tmp_path / "in", tmp_path / "out", "--where", "words > 1", "--workers", "2", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_error_in_a_worker_is_the_users_line(vlmkit, tmp_path, write_tar):
    for shard in range(3):
        value = b'{"n": "many"}' if shard == 2 else b'{"n": 1}'
        write_tar(tmp_path / f"in/{shard:05d}.tar", {"a": {"json": value}})
    done = vlmkit("filter", tmp_path / "in", tmp_path / "out", "--where", "n > 0", "--workers", 2, "--quiet")
    assert done.status == 1
    assert done.err.startswith("vlmkit filter: n > 0: ")
    assert len(done.err.splitlines()) == 2
