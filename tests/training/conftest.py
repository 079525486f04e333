"""A model that is quick to train, and shards of coloured squares with questions about them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from vlmkit.shards.dataset import own_folder

COLORS = {"red": (200, 0, 0), "green": (0, 200, 0), "blue": (0, 0, 200), "white": (250, 250, 250)}
QUESTION = "which color is it?"


def question(text, answer):
    asked = [{"type": "image"}, {"type": "text", "text": text}]
    return [
        {"role": "user", "content": asked},
        {"role": "assistant", "content": [{"type": "text", "text": answer}]},
    ]


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """A checkpoint of the nano model's kind, with four tokens a picture and about 20,000 weights."""
    from vlmkit.training import nano
    from vlmkit.training.trainee import Trainee

    folder = tmp_path_factory.mktemp("tiny")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"_WIDTH": 16, "_HEADS": 2, "PATCH": 32, "_LAYERS": {"vision": 2, "language": 1}}.items():
            patch.setattr(nano, name, value)
        Trainee(*nano.nano_vlm([QUESTION, *COLORS], seed=0)).save(folder)
    return folder


@pytest.fixture(scope="session")
def squares(tmp_path_factory, picture, write_tar) -> Path:
    """64 questions about 64 squares, in two shards; texts of several lengths."""
    folder = tmp_path_factory.mktemp("squares")
    random = np.random.default_rng(0)
    samples = {}
    for number in range(64):
        name, color = list(COLORS.items())[random.integers(len(COLORS))]
        text = QUESTION if number % 3 else f"tell me now, {QUESTION}"
        meta = {"messages": question(text, name)}
        near = tuple(int(value) for value in np.clip(np.array(color) + random.integers(-30, 30, 3), 0, 255))
        samples[f"{number:04}"] = {"png": picture(color=near), "json": json.dumps(meta).encode()}
    keys = list(samples)
    write_tar(folder / "00000.tar", {key: samples[key] for key in keys[:40]})
    write_tar(folder / "00001.tar", {key: samples[key] for key in keys[40:]})
    return folder


@pytest.fixture(scope="session")
def steps():
    """The lines of a run's record, without what a clock says."""

    def read(folder):
        lines = (own_folder(folder) / "steps.jsonl").read_text().splitlines()
        return [{name: value for name, value in json.loads(line).items() if name != "seconds"} for line in lines]

    return read
