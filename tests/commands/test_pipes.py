"""Commands in a shell's pipe: what works, and how the rest of a pipe learns that one of them has died."""

import json
import os
import shutil
import signal
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

SAMPLES_PER_SHARD = 10_000


@pytest.fixture
def shell(script, tmp_path):
    """Runs a line in bash; returns the exit statuses of the commands in its pipe, and what they said."""

    def run(line):
        search = f"{Path(script).parent}{os.pathsep}{os.environ['PATH']}"
        statuses = f'{line}; echo "${{PIPESTATUS[*]}}" > statuses'
        done = subprocess.run(
            ["bash", "-c", statuses], cwd=tmp_path, env={**os.environ, "PATH": search}, capture_output=True, text=True
        )
        assert done.stdout == ""
        return [int(status) for status in (tmp_path / "statuses").read_text().split()], done.stderr

    return run


@pytest.fixture
def data(tmp_path, write_tar, picture):
    """Three shards: sample n of one has the picture of sample n - 1 of the next. The first are too small."""
    for shard in range(3):
        samples = {f"{shard}{n}": {"png": picture(size=(60 + n + shard, 70)), "txt": b"w " * n} for n in range(8)}
        write_tar(tmp_path / f"in/{shard:05d}.tar", samples)
    return tmp_path / "in"


@pytest.fixture
def large(tmp_path, write_tar):
    """More than pipes and buffers hold."""
    return write_tar(tmp_path / "large/00000.tar", {f"{n}": {"bin": bytes(100_000)} for n in range(50)}).parent


def test_three_commands_in_a_pipe_do_what_they_do_one_by_one(shell, vlmkit, data, tmp_path, members):
    statuses, said = shell(
        "vlmkit cat in/ - --quiet | vlmkit filter - - --min-side 64 --quiet | vlmkit dedup - out/ --quiet"
    )
    assert (statuses, said) == ([0, 0, 0], "")
    vlmkit("filter", data, tmp_path / "filtered", "--min-side", 64)
    vlmkit("dedup", tmp_path / "filtered", tmp_path / "deduped")
    expected = {name: raw for n in range(3) for name, raw in members(tmp_path / f"deduped/0000{n}.tar").items()}
    assert members(tmp_path / "out/00000.tar") == expected
    assert len(expected) == 2 * 6, "pictures 64 to 69 pixels wide, and their texts"
    history = json.loads((tmp_path / "out/.vlmkit/manifest.json").read_text())["history"]
    assert [(stage["command"], stage["counts"]["samples_out"]) for stage in history] == [("cat", 24), ("filter", 15)]


@pytest.mark.slow
def test_a_stage_killed_in_the_middle_fails_the_last_one(script, vlmkit, tmp_path, write_tar):
    """After its first shard the last stage commits nothing more, and no manifest. (The stage in the middle holds back
    some thousand samples before it writes.)
    """
    write_tar(tmp_path / "in/00000.tar", {f"{n:06d}": {"txt": b"%d" % n} for n in range(SAMPLES_PER_SHARD + 4000)})
    stream = vlmkit("cat", tmp_path / "in", "-", "--quiet").out
    out = tmp_path / "out"
    middle = subprocess.Popen(
        [script, "filter", "-", "-", "--min-words", "1", "--quiet"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    last = subprocess.Popen([script, "dedup", "-", out], stdin=middle.stdout, stderr=subprocess.PIPE, text=True)
    middle.stdout.close()
    middle.stdin.write(stream[:-100_000])
    middle.stdin.flush()
    deadline = time.monotonic() + 60
    while not (out / "00000_stats.json").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    middle.send_signal(signal.SIGKILL)
    middle.wait()
    _, said = last.communicate()
    assert last.returncode == 1
    assert "vlmkit dedup: the stream breaks off" in said or "the command that wrote it has died" in said
    assert sorted(path.name for path in out.iterdir()) == [
        ".vlmkit",
        "00000.parquet",
        "00000.tar",
        "00000_stats.json",
    ]
    assert not (out / ".vlmkit/manifest.json").exists()
    assert vlmkit("cat", out, "-").status == 1, "nobody takes it for a whole dataset"


def test_a_closed_pipe_ends_a_command_quietly(shell, large):
    statuses, said = shell("vlmkit cat large/ - --quiet | head -c 1000 > /dev/null")
    assert (statuses, said) == ([141, 0], "")


def test_a_limit_further_down_ends_the_pipe_quietly(shell, large, members, tmp_path):
    statuses, said = shell("vlmkit cat large/ - --quiet | vlmkit cat - out.tar --limit 2 --quiet")
    assert (statuses, said) == ([141, 0], "")
    assert [name for name in members(tmp_path / "out.tar") if "vlmkit" not in name] == ["0.bin", "1.bin"]


def test_a_first_stage_that_could_not_begin_fails_the_last_one(shell, tmp_path):
    statuses, said = shell("vlmkit cat none/ - | vlmkit filter - out/ --min-words 1 --quiet")
    assert statuses == [1, 1]
    assert sorted(line for line in said.splitlines() if line.startswith("vlmkit")) == [
        "vlmkit cat: no such folder or tar: none/",
        "vlmkit filter: the stream breaks off without the end-of-archive marker",
    ]
    assert not (tmp_path / "out").exists()


def test_a_stage_with_many_bad_samples_fails_only_itself(shell, tmp_path, write_tar, picture):
    write_tar(tmp_path / "in/00000.tar", {"a": {"png": b"no picture"}, "b": {"png": picture()}})
    statuses, _ = shell("vlmkit filter in/ - --min-side 1 | vlmkit cat - out/")
    assert statuses == [3, 0]


def test_a_pipe_into_what_is_done_comes_to_its_end(shell, vlmkit, large, tmp_path):
    stream = vlmkit("cat", large, "-", "--quiet").out
    vlmkit("cat", "-", tmp_path / "out", stdin=stream)
    statuses, said = shell("vlmkit cat large/ - --quiet | vlmkit cat - out/")
    assert statuses == [0, 0]
    assert "note: out was already done" in said


@pytest.mark.skipif(not shutil.which("tar"), reason="no tar command")
def test_gnu_tar_on_both_sides(shell, data, tmp_path, members):
    """Names longer than a header holds, too: GNU has its own form for them."""
    with tarfile.open(data / "00000.tar") as tar:
        tar.extractall(tmp_path / "files", filter="data")
    deep = tmp_path / "files" / "/".join(["d" * 60] * 3)
    deep.mkdir(parents=True)
    (deep / "key.txt").write_text("a b c d e f g")
    statuses, said = shell(
        "tar cf - --format=gnu --sort=name -C files . | vlmkit filter - - --min-words 6 --quiet"
        " | tar xf - --exclude '__vlmkit*' --one-top-level=out"
    )
    assert (statuses, said) == ([0, 0, 0], "")
    found = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*"))
    name = str((deep / "key.txt").relative_to(tmp_path / "files"))
    kept = [f"0{n}.{kind}" for n in (6, 7) for kind in ("png", "txt", "vlmkit.json")]
    assert found == sorted([*kept, name, name.replace(".txt", ".vlmkit.json")])
    assert (tmp_path / "out/06.png").read_bytes() == (tmp_path / "files/06.png").read_bytes()
