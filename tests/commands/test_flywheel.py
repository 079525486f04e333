"""The loop, small: every command line runs, nothing held out is trained on, and what is done is not done again."""

import io
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from vlmkit.flywheel.held_out import REASON
from vlmkit.shards.dataset import manifest_path
from vlmkit.shards.sample import new_sample
from vlmkit.shards.writer import TarWriter

pytestmark = pytest.mark.slow

COLOURS = ("red", "green", "blue", "black")
SETS = {"test": (0, 24), "dev": (24, 48), "pool": (20, 120)}  # four questions of the pool are in test, dev is all in it


def sample(key: str, number: int):
    """A question on a picture of its own: its colour, or whether it is that colour."""
    colour = COLOURS[number % 4]
    file = io.BytesIO()
    Image.new("RGB", (16 + number // 4, 16), colour).save(file, "PNG")
    skill, question, answer = [("color", "what color?", colour), ("yes/no", f"is it {colour}?", "yes")][number % 2]
    messages = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]},
        {"role": "assistant", "content": [{"type": "text", "text": answer}]},
    ]
    meta = {"messages": messages, "answer": [answer], "skill": skill, "image_id": f"{number}"}
    return new_sample(key, {"png": file.getvalue(), "json": json.dumps(meta).encode()})


def write(folder: Path, numbers: range) -> Path:
    folder.mkdir()
    with open(folder / "00000.tar", "wb") as file:
        tar = TarWriter(file)
        for number in numbers:
            tar.write(sample(f"{number:04d}", number))
        tar.close()
    return folder


def vlmkit(*words: object, status: int = 0) -> str:
    """What a command says on stdout or, if it is to fail, on stderr."""
    command = [sys.executable, "-m", "vlmkit", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done.stderr if status else done.stdout


def test_a_round_is_decided_once_and_trains_on_nothing_held_out(tmp_path: Path) -> None:
    pytest.importorskip("lm_eval")
    test, dev = write(tmp_path / "test", range(24)), write(tmp_path / "dev", range(24, 48))
    pool = write(tmp_path / "pool", range(20, 120))  # four of its questions are in test, all of dev is in it
    model, work = tmp_path / "model", tmp_path / "work"
    vlmkit("train", pool, model, "--samples", 32, "--batch-size", 16, "--quiet")
    run = ("flywheel", "run", f"path:{model}", work, "--pool", pool, "--replay", pool, "--dev", dev, "--test", test)
    small = ("--rounds", 1, "--budget", 16, "--batch-size", 16, "--dev-samples", 24, "--test-samples", 24)
    said = vlmkit(*run, *small)

    kept = json.loads(manifest_path(work / "pool").read_text())
    assert kept["counts"]["reasons"] == {REASON: 28}
    (line,) = (work / "rounds.jsonl").read_text().splitlines()
    done = json.loads(line)
    assert {weakness["skill"] for weakness in done["weaknesses"]} == {"color", "yes/no"}
    assert done["skills"] == [done["weaknesses"][0]["skill"]]
    assert done["weaknesses"][0]["score"] <= done["weaknesses"][1]["score"]
    assert set(done["scores"]) == {"before", "control", "targeted"}
    assert done["next_model"] == (f"path:{work}/round-01/targeted" if done["accepted"] else f"path:{model}")
    assert [word for word in done["lines"] if word.startswith("vlmkit train")] != []
    assert f"{'accepted' if done['accepted'] else 'rejected'}, fed {done['skills'][0]}" in said
    assert f"round 1: {done['because']}" in said
    assert vlmkit("flywheel", "show", work) == said

    changed = {path: path.stat().st_mtime_ns for path in work.rglob("*") if path.is_file()}
    assert vlmkit(*run, *small) == said
    assert {path: path.stat().st_mtime_ns for path in work.rglob("*") if path.is_file()} == changed
    assert "budget was 16 and is now 32" in vlmkit(*run, *small, "--budget", 32, status=1)


def test_killed_at_any_moment_and_run_again_it_comes_to_the_same_ledger(tmp_path: Path) -> None:
    pytest.importorskip("lm_eval")
    test, dev, pool = (write(tmp_path / name, range(*part)) for name, part in SETS.items())
    model = tmp_path / "model"
    vlmkit("train", pool, model, "--samples", 32, "--batch-size", 16, "--quiet")
    small = ("--rounds", 1, "--budget", 16, "--batch-size", 16, "--dev-samples", 24, "--test-samples", 24, "--quiet")

    def run(work: Path) -> list[str]:
        words = ("flywheel", "run", f"path:{model}", work, "--pool", pool, "--replay", pool)
        return [sys.executable, "-m", "vlmkit", *map(str, (*words, "--dev", dev, "--test", test, *small))]

    started = time.monotonic()
    subprocess.run(run(tmp_path / "whole"), check=True)
    seconds = time.monotonic() - started
    killed = tmp_path / "killed"
    moments = random.Random(0)
    for _ in range(3):
        process = subprocess.Popen(run(killed))
        time.sleep(moments.uniform(0, seconds / 2))
        process.kill()
        process.wait()
    subprocess.run(run(killed), check=True)
    ledgers = [(work / "rounds.jsonl").read_text() for work in (tmp_path / "whole", killed)]
    assert ledgers[0] == ledgers[1].replace(str(killed), str(tmp_path / "whole"))


def test_a_wrong_path_shows_before_any_work(tmp_path: Path) -> None:
    pool = write(tmp_path / "pool", range(4))
    words = ("--pool", pool, "--replay", pool, "--dev", pool, "--test", tmp_path / "nowhere")
    said = vlmkit("flywheel", "run", "path:x", tmp_path / "work", *words, status=1)
    assert f"vlmkit flywheel run: no such folder or tar: {tmp_path}/nowhere" in said
    assert not (tmp_path / "work").exists()


def test_rounds_that_are_not_there_can_not_be_shown(tmp_path: Path) -> None:
    assert f"{tmp_path} holds no rounds that are done" in vlmkit("flywheel", "show", tmp_path, status=1)
