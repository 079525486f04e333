"""Twenty kills of a small job with rejects, each taken up again: the bytes of an undisturbed run come out.

Half of them come at a random moment, half at a random step of a commit, where a moment hardly ever falls: before or
after a sync or a rename, of a shard in a worker or of what the command itself writes at the end. The pace is set by a
scorer that waits a little, so that a faster engine does not end before it is killed.
"""

import os
import random
import signal
import time

import pytest

SHARDS, SAMPLES = 4, 30

SLOW_SCORER = """
import itertools, multiprocessing, os, signal, time
from vlmkit.scores.inputs import TEXT
from vlmkit.scores.scorer import scorer

@scorer("patience", reads=TEXT)
def patience(text):
    time.sleep(0.005)
    return len(text.split())

who = "command" if multiprocessing.current_process().name == "MainProcess" else "worker"
if who in os.environ.get("KILL_AT", ""):
    steps, last = itertools.count(1), int(os.environ["KILL_AT"].split()[1])

    def counted(function):
        def call(*arguments, **options):
            if next(steps) == last:
                os.killpg(0, signal.SIGKILL)
            done = function(*arguments, **options)
            if next(steps) == last:
                os.killpg(0, signal.SIGKILL)
            return done
        return call

    os.fsync, os.rename, os.replace = counted(os.fsync), counted(os.rename), counted(os.replace)
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory, picture, write_tar):
    """Four shards, of whose samples one rule drops a sixth, the other a tenth."""
    folder = tmp_path_factory.mktemp("kills") / "in"
    for shard in range(SHARDS):
        samples = {
            f"{shard}{n:03d}": {"png": picture(size=(19 + min(n % 10, 1), 40)), "txt": b"w " * (n % 6 + 2)}
            for n in range(SAMPLES)
        }
        write_tar(folder / f"{shard:05d}.tar", samples)
    return folder


@pytest.fixture
def job(plugin, data, tmp_path, start):
    """Starts the job: `job(folder, kill_at=None)`."""
    plugin("vlmkit.scorers", "patience", SLOW_SCORER, "patience")

    def begin(folder, kill_at=None):
        rules = ("--where", "patience >= 3", "--min-side", 20, "--workers", 2, "--quiet")
        environment = {"KILL_AT": kill_at} if kill_at else {}
        return start(
            "filter",
            data,
            tmp_path / folder / "out",
            *rules,
            "--rejects",
            tmp_path / folder / "rejects",
            env=environment,
        )

    return begin


def datasets(folder, content):
    return [content(folder / name) if (folder / name).exists() else ({}, []) for name in ("out", "rejects")]


def assert_whole(there, whole):
    """What has its final name has all its bytes; what is committed has all its files."""
    for (files, committed), (all_files, _) in zip(there, whole, strict=True):
        assert all(all_files[name] == data for name, data in files.items())
        shards = [name.removesuffix("_stats.json") for name in committed]
        assert all(f"{shard}.{kind}" in files for shard in shards for kind in ("tar", "parquet"))


@pytest.mark.slow
def test_killed_twenty_times_and_resumed_it_ends_with_the_same_bytes(job, tmp_path, content, until, children, is_gone):
    process = job("whole")
    until((tmp_path / "whole/out/.vlmkit/plan.json").exists)
    began = time.monotonic()
    assert process.wait() == 0
    seconds = time.monotonic() - began
    whole = datasets(tmp_path / "whole", content)
    assert [len(committed) for _, committed in whole] == [SHARDS, SHARDS]
    chance, killed, in_commits = random.Random(4), 0, 0
    for trial in range(10):
        folder = f"trial{trial}"
        for at_step in (False, True):
            step = f"command {chance.randrange(1, 15)}" if trial % 3 == 2 else f"worker {chance.randrange(1, 25)}"
            process = job(folder, step if at_step else None)
            if at_step:
                process.wait()
            else:
                until((tmp_path / folder / "out/.vlmkit/plan.json").exists)
                time.sleep(chance.random() * seconds * 0.7)
                workers = children(process.pid)
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                until(lambda: all(map(is_gone, workers)), timeout_s=10)  # noqa: B023
            killed += process.returncode == -signal.SIGKILL
            in_commits += at_step and process.returncode == -signal.SIGKILL
            assert_whole(datasets(tmp_path / folder, content), whole)
        process = job(folder)
        assert process.wait() == 0, process.stderr.read()
        assert datasets(tmp_path / folder, content) == whole
        for name in ("out", "rejects"):
            assert (tmp_path / folder / name / ".vlmkit/manifest.json").exists()
            assert list((tmp_path / folder / name / ".vlmkit/tmp").iterdir()) == []
    assert killed >= 16, "the others had ended before"
    assert in_commits >= 6
