"""A run in this process: what it learns, and that it comes to the same however often it is interrupted."""

import json
import random
import shutil
import signal

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText, AutoProcessor

from vlmkit.errors import RunAgain, VlmkitError
from vlmkit.jobs.options import JobOptions
from vlmkit.mixture.plan import SamplePlan
from vlmkit.mixture.recipe import read_recipe
from vlmkit.training import run
from vlmkit.training.options import TrainOptions
from vlmkit.training.run import run_train
from vlmkit.training.steps import StepLog

QUIET = JobOptions(quiet=True)


@pytest.fixture
def train(tiny, squares, tmp_path):
    """Trains the tiny model on the squares: 24 steps of 8 samples unless told otherwise."""

    def trained(name="out", data=squares, job=QUIET, **options):
        given = {"model": f"path:{tiny}", "samples": 192, "batch_size": 8, "lr": 1e-2, "save_every": 5} | options
        folder = tmp_path / name
        inputs = [str(path) for path in (data if isinstance(data, list) else [data])]
        return run_train(inputs, folder, TrainOptions(**given), job, device="cpu"), folder

    return trained


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_it_learns_sixty_four_samples_by_heart(train, steps):
    _, out = train(samples=64 * 40, batch_size=16)
    lines = steps(out)
    assert len(lines) == 160
    assert lines[0]["loss"] > 2
    assert lines[-1]["loss"] < 0.05
    assert [line["samples"] for line in lines] == [16] * 160
    assert sorted(path.name for path in (out / ".vlmkit").iterdir()) == ["manifest.json", "plan.json", "steps.jsonl"]


def test_a_step_is_that_of_a_plain_loop(train, tiny, squares, steps):
    """Two steps of AdamW on the same samples, written with transformers alone: its own labels, loss and shifting."""
    _, out = train(samples=32, batch_size=16, warmup=0.0)
    model, processor = AutoModelForImageTextToText.from_pretrained(tiny), AutoProcessor.from_pretrained(tiny)
    plan = SamplePlan(read_recipe([str(squares)]))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, betas=(0.9, 0.98), weight_decay=0.01)
    for step, line in enumerate(steps(out)):
        optimizer.param_groups[0]["lr"] = line["lr"]
        loss = plain_loss(model, processor, [plan[step * 16 + place] for place in range(16)])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        assert line["loss"] == pytest.approx(loss.item(), abs=1e-5)
    trained = load_file(out / "model.safetensors")
    assert all(torch.allclose(trained[name], value, atol=1e-5) for name, value in model.state_dict().items()
               if name in trained)  # fmt: skip
    assert len(trained) > 20


def plain_loss(model, processor, samples):
    import io

    from PIL import Image

    chats = [sample.json["messages"] for sample in samples]
    texts = [processor.apply_chat_template(chat, tokenize=False) for chat in chats]
    images = [Image.open(io.BytesIO(sample["png"])) for sample in samples]
    inputs = processor(text=texts, images=images, padding=True, padding_side="right", return_tensors="pt")
    labels = torch.full_like(inputs["input_ids"], -100)
    ends = (inputs["attention_mask"].sum(dim=1)).tolist()
    for row, (chat, end) in enumerate(zip(chats, ends, strict=True)):
        answer = len(processor.tokenizer(chat[1]["content"][0]["text"] + "<end>")["input_ids"])
        labels[row, end - answer : end] = inputs["input_ids"][row, end - answer : end]
    return model(**inputs, labels=labels).loss


def test_parts_of_a_batch_give_what_the_whole_gives(train, steps):
    whole, parts = (steps(train(f"by-{size}", device_batch=size, samples=64)[1]) for size in (None, 3))
    assert [line["loss"] for line in parts] == pytest.approx([line["loss"] for line in whole], abs=1e-5)


def test_a_run_that_dies_at_any_step_comes_to_the_same(train, steps, monkeypatch):
    """It dies after a step is written down, and twice more, once again in the same step."""
    _, whole = train("whole")
    chance = random.Random(3)
    die_at = sorted(chance.sample(range(1, 24), 2))
    plan = [die_at[0], *die_at]
    add = StepLog.add

    def deadly(log, line):
        add(log, line)
        if plan and line.step == plan[0]:
            plan.pop(0)
            raise KeyboardInterrupt

    monkeypatch.setattr(StepLog, "add", deadly)
    while plan:
        with pytest.raises(KeyboardInterrupt):
            train("torn")
    _, torn = train("torn")
    assert steps(torn) == steps(whole)
    assert files(torn) == files(whole)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
def test_a_signal_ends_it_after_a_step_with_all_saved(train, steps, monkeypatch, tmp_path, name):
    """The last two checkpoints are there, and transformers loads them."""
    add, sent = StepLog.add, []

    def signalled(log, line):
        add(log, line)
        if line.step == 7 and not sent:
            sent.append(line.step)
            signal.raise_signal(getattr(signal, name))

    monkeypatch.setattr(StepLog, "add", signalled)
    with pytest.raises(RunAgain) as stopped:
        train("stopped")
    assert stopped.value.status == 75
    saved = sorted((tmp_path / "stopped/.vlmkit/checkpoints").iterdir())
    assert [path.name for path in saved] == ["00000005", "00000008"]
    AutoModelForImageTextToText.from_pretrained(saved[0])
    _, out = train("stopped")
    _, whole = train("whole")
    assert steps(out) == steps(whole)
    assert files(out) == files(whole)


def test_a_run_that_dies_while_it_publishes_comes_to_the_same(train, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(run, "write_manifest", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train(samples=16)
    _, out = train(samples=16)
    _, whole = train("whole", samples=16)
    assert files(out) == files(whole)
    assert not (out / ".vlmkit/checkpoints").exists()


def test_only_what_is_not_frozen_changes(train, tiny):
    _, out = train(samples=16, freeze=("vision", "language"))
    before, after = load_file(tiny / "model.safetensors"), load_file(out / "model.safetensors")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if "multi_modal_projector" in name}
    assert len(changed) == 4


def test_unreadable_samples_are_counted_and_passed_over(train, squares, steps, write_tar, tmp_path, picture):
    """A whole batch of them takes its step and learns nothing."""
    mixed = tmp_path / "mixed"
    shutil.copytree(squares, mixed)
    bad = {f"x{number}": {"png": b"broken", "txt": b"red"} for number in range(3)}
    write_tar(mixed / "00002.tar", bad | {"y": {"png": picture()}})
    status, out = train("mixed-out", data=mixed, samples=68 * 2, batch_size=1)
    assert status == 0  # 6 of 136 are less than 0.05
    counts = json.loads((out / ".vlmkit/manifest.json").read_text())["counts"]
    assert (counts["samples_in"], counts["samples_out"], counts["bad"]) == (136, 128, 6)
    assert counts["reasons"] == {"unreadable image": 6, "no text": 2}
    assert sum(line["targets"] == 0 for line in steps(out)) == 8
    assert train("strict", data=mixed, samples=68, job=JobOptions(quiet=True, max_bad=0.01))[0] == 3


def test_a_damaged_tar_shows_in_the_status(train, squares, tmp_path):
    torn = tmp_path / "torn"
    shutil.copytree(squares, torn)
    whole = (torn / "00001.tar").read_bytes()
    (torn / "00001.tar").write_bytes(whole[: 5 * 512 - 100])
    assert train(data=torn, samples=8)[0] == 3


def test_a_recipe_and_weights_are_followed(train, squares, steps, tmp_path):
    for shard in ("00000", "00001"):
        (tmp_path / shard).mkdir()
        shutil.copy(squares / f"{shard}.tar", tmp_path / shard)
    first, second = tmp_path / "00000", tmp_path / "00001"
    (tmp_path / "mix.yaml").write_text(
        f"sources:\n- location: {first}\n  weight: 0.25\n- location: {second}\n  weight: 0.75\nseed: 3\n"
    )
    _, by_file = train("by-file", data=[tmp_path / "mix.yaml"], samples=32)
    _, by_words = train("by-words", data=[f"{first}@0.25", f"{second}@0.75"], samples=32, seed=3)
    assert steps(by_file) == steps(by_words)
    assert json.loads((by_file / ".vlmkit/plan.json").read_text())["options"]["weights"] == [0.25, 0.75]
    with pytest.raises(VlmkitError, match="weights was"):
        train("by-words", data=[f"{first}@0.5", f"{second}@0.5"], samples=32, seed=3)


def test_data_without_anything_to_learn_are_refused(train, write_tar, picture, tmp_path):
    write_tar(tmp_path / "bare/00000.tar", {"a": {"png": picture()}})
    with pytest.raises(VlmkitError, match="nothing to learn: no text"):
        train(data=tmp_path / "bare", samples=4)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [({"lr": 1e-3}, "lr was 0.01"), ({"samples": 8}, "samples was 16"), ({"seed": 7}, "seed was 0")],
)
def test_other_options_are_refused(train, change, told):
    train(samples=16)
    with pytest.raises(VlmkitError, match="made in another way") as refused:
        train(**({"samples": 16} | change))
    assert told in refused.value.message


def test_other_data_and_another_model_are_refused(train, tiny, squares, tmp_path, write_tar):
    other = tmp_path / "other"
    shutil.copytree(squares, other)
    shutil.copytree(tiny, tmp_path / "model")
    model = f"path:{tmp_path / 'model'}"
    train(data=other, samples=16, model=model)
    assert train(data=other, samples=16, model=model)[0] == 0
    write_tar(other / "00001.tar", {"a": {"txt": b"red"}})
    with pytest.raises(VlmkitError, match=r"data was|has changed"):
        train(data=other, samples=16, model=model)
    config = json.loads((tmp_path / "model/config.json").read_text())
    (tmp_path / "model/config.json").write_text(json.dumps(config | {"note": "another"}))
    with pytest.raises(VlmkitError, match="model was"):
        train(data=squares, samples=16, model=model)


def test_overwrite_removes_what_a_run_made_and_nothing_else(train):
    _, out = train(samples=16)
    first = files(out)
    (out / "notes.txt").write_text("mine")
    _, out = train(samples=8, job=JobOptions(quiet=True, overwrite=True))
    assert files(out).keys() == first.keys() | {"notes.txt"}
    assert files(out)["model.safetensors"] != first["model.safetensors"]


def test_a_checkpoint_is_trained_on_and_its_history_told(train):
    _, first = train("first", samples=16)
    _, second = train("second", samples=16, model=f"path:{first}")
    history = json.loads((second / ".vlmkit/manifest.json").read_text())["history"]
    assert [step["command"] for step in history] == ["train"]
    assert json.loads((second / ".vlmkit/manifest.json").read_text())["inputs"][-1] == {"model": f"path:{first}"}
