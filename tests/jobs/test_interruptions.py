"""SIGTERM and closed pipes: nothing half under a final name, and nothing left behind once the command is run again."""

import os
import signal
import subprocess

import pytest

SLOW_SCORER = """
import os, time
from vlmkit.scores.inputs import TEXT
from vlmkit.scores.scorer import scorer

@scorer("patience", reads=TEXT)
def patience(text):
    time.sleep(float(os.environ.get("PATIENCE_S", 0)))
    return 1
"""


@pytest.fixture
def data(tmp_path, write_tar, plugin):
    """Two shards of 3,000 samples; a sample takes as long as PATIENCE_S says."""
    plugin("vlmkit.scorers", "patience", SLOW_SCORER, "patience")
    for shard in range(2):
        samples = {f"{shard}{n:04d}": {"txt": b"w", "bin": bytes(500)} for n in range(3000)}
        write_tar(tmp_path / f"in/{shard:05d}.tar", samples)
    return tmp_path / "in"


def files(folder):
    """Names of all files but the plan, where the folder is there."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != "plan.json"]
    return sorted(str(path.relative_to(folder)) for path in found)


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_leaves_nothing_half_and_the_rerun_sweeps_what_workers_left(
    vlmkit, data, tmp_path, start, until, content, workers
):
    out, tmp = tmp_path / "out", tmp_path / "out/.vlmkit/tmp"
    command = ("filter", data, out, "--where", "patience > 0", "--workers", workers, "--quiet")
    process = start(*command, env={"PATIENCE_S": "0.001"})
    until(lambda: list(tmp.glob("0000?.tar.*")))
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 75
    assert [name for name in files(out) if not name.startswith(".vlmkit/tmp/")] == []
    assert vlmkit(*command).status == 0
    assert content(out)[1] == ["00000_stats.json", "00001_stats.json"]
    assert list(tmp.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_tar_as_output_is_whole_or_not_there(vlmkit, data, tmp_path, start, until, number):
    target = tmp_path / "new/x.tar"
    command = ("filter", data, target, "--where", "patience > 0", "--quiet")
    process = start(*command, env={"PATIENCE_S": "0.001"})
    until(lambda: list(target.parent.glob(".x.tar.*")))
    process.send_signal(number)
    assert process.wait() == (75 if number == signal.SIGTERM else -signal.SIGKILL)
    assert not target.exists()
    assert vlmkit(*command).status == 0
    assert os.listdir(target.parent) == ["x.tar"]


def test_a_closed_pipe_commits_no_rejects(script, data, tmp_path):
    """Rejects go to a folder while the samples go down a pipe that nobody reads to its end."""
    rejects = tmp_path / "rejects"
    pipe = (
        '"$0" filter "$1" "$1" - --min-words 1 --rejects "$2" --quiet | head -c 1000 > /dev/null; echo ${PIPESTATUS[0]}'
    )
    done = subprocess.run(["bash", "-c", pipe, script, data, rejects], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("141\n", "")
    assert files(rejects) == []
