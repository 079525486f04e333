"""vlmkit train as it is called: processes that are killed, that train together, and what they leave for others."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
import torch

QUESTIONS = ["is it red?", "which color is it?"]
COLORS = {"red": (200, 0, 0), "green": (0, 200, 0)}


@pytest.fixture(scope="module")
def data(tmp_path_factory, picture, write_tar):
    """48 questions about red and green squares."""
    folder = tmp_path_factory.mktemp("data")
    samples = {}
    for number in range(48):
        color = list(COLORS)[number % 2]
        asked = [{"type": "image"}, {"type": "text", "text": QUESTIONS[number % 3 == 0]}]
        answer = color if number % 3 == 0 else "yes" if color == "red" else "no"
        messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
        fields = {"png": picture(color=COLORS[color]), "json": json.dumps({"messages": messages}).encode()}
        samples[f"{number:03}"] = fields
    write_tar(folder / "00000.tar", samples)
    return folder


@pytest.fixture(autouse=True)
def _one_thread():
    """As in the processes that are started: sums of other numbers of threads are rounded otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def steps(folder):
    lines = (folder / ".vlmkit/steps.jsonl").read_text().splitlines()
    return [{name: value for name, value in json.loads(line).items() if name != "seconds"} for line in lines]


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


@pytest.fixture
def started(script, monkeypatch):
    """Starts `vlmkit train` in a process of its own."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    running = []

    def start(*arguments):
        words = [sys.executable, script, "train", *map(str, arguments), "--device", "cpu"]
        running.append(subprocess.Popen(words, stderr=subprocess.PIPE))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


SHORT = ("--samples", 40, "--batch-size", 4, "--save-every", 3)


def wait_for_step(folder, step, process):
    record = folder / ".vlmkit/steps.jsonl"
    while process.poll() is None and not (record.exists() and len(record.read_bytes().splitlines()) >= step):
        time.sleep(0.01)


@pytest.mark.slow
def test_a_killed_run_goes_on_with_every_loss_the_same(vlmkit, started, data, tmp_path):
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    assert vlmkit("train", data, whole, *SHORT, "--device", "cpu").status == 0
    for step in (random.randrange(1, 5), random.randrange(5, 9)):
        process = started(data, torn, *SHORT)
        wait_for_step(torn, step, process)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert vlmkit("train", data, torn, *SHORT, "--device", "cpu").status == 0
    assert steps(torn) == steps(whole)
    assert weights(torn) == weights(whole)


@pytest.mark.slow
def test_two_processes_take_the_batches_of_one(vlmkit, started, data, tmp_path):
    """Stopped by a signal in the middle, both save and end with 75, and go on when called again."""
    one, two = tmp_path / "one", tmp_path / "two"
    assert vlmkit("train", data, one, *SHORT, "--device", "cpu").status == 0
    process = started(data, two, *SHORT, "--processes", 2)
    wait_for_step(two, 2, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 75
    assert started(data, two, *SHORT, "--processes", 2).wait() == 0
    for mine, theirs in zip(steps(one), steps(two), strict=True):
        assert theirs.pop("loss") == pytest.approx(mine.pop("loss"), abs=1e-5)
        assert theirs == mine


@pytest.mark.slow
def test_a_checkpoint_needs_no_vlmkit(vlmkit, data, tmp_path, picture):
    assert vlmkit("train", data, tmp_path / "out", "--epochs", 12, "--batch-size", 8, "--quiet").status == 0
    (tmp_path / "red.png").write_bytes(picture(color=COLORS["red"]))
    script = f"""
import sys
sys.modules["vlmkit"] = None
from transformers import AutoModelForImageTextToText, AutoProcessor
model = AutoModelForImageTextToText.from_pretrained({str(tmp_path / "out")!r})
processor = AutoProcessor.from_pretrained({str(tmp_path / "out")!r})
asked = [{{"type": "image", "path": {str(tmp_path / "red.png")!r}}}, {{"type": "text", "text": "which color is it?"}}]
inputs = processor.apply_chat_template(
    [{{"role": "user", "content": asked}}], add_generation_prompt=True, tokenize=True, return_dict=True,
    return_tensors="pt")
written = model.generate(**inputs, max_new_tokens=5, do_sample=False)
print(processor.decode(written[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.stdout.strip() == "red", done.stderr


def test_a_finished_run_says_so_and_another_is_refused(vlmkit, data, tmp_path):
    first = vlmkit("train", data, tmp_path / "out", "--samples", 4, "--batch-size", 2, "--json")
    assert first.status == 0
    assert "2 steps; loss" in first.err
    said = json.loads(first.err.splitlines()[-1])
    assert (said["command"], said["samples_in"], said["samples_out"], said["bad"]) == ("train", 4, 4, 0)
    again = vlmkit("train", data, tmp_path / "out", "--samples", 4, "--batch-size", 2)
    assert again.status == 0
    assert "already done" in again.err
    other = vlmkit("train", data, tmp_path / "out", "--samples", 6, "--batch-size", 2)
    assert other.status == 1
    assert "samples was 4 and is now 6" in other.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--model", "builtin:nothing"), "can be trained"),
        (("--vision", "path:x"), "belong together"),
        (("--model", "path:nowhere"), "no model weights"),
        (("--freeze", "nose"), "no such part"),
        (("--vision", "builtin:efficientnet-lite", "--llm", "builtin:smollm2"), "no vision tower"),
    ],
)
def test_what_can_not_be_trained_is_one_line_and_leaves_nothing(vlmkit, data, tmp_path, arguments, told):
    done = vlmkit("train", data, tmp_path / "out", *arguments, "--quiet")
    assert done.status == 1
    assert told in done.err.splitlines()[0]
    assert len(done.err.splitlines()) == 2
    assert not (tmp_path / "out").exists()
