"""vlmkit eval: a small random model answers, and everything that is said of it adds up."""

import json
import os
import random
import shlex
import signal
import subprocess
import sys
import sysconfig
import tarfile
import time
from pathlib import Path

import pytest

WORDS = ("is", "it", "a", "red", "blue", "green", "circle", "square", "what", "color", "shape", "?", "yes", "no")
TEMPLATE = (
    "{% for turn in messages %}[{{ turn['role'] }}]{% for item in turn['content'] %}"
    "{% if item['type'] == 'image' %}<image>{% else %}{{ item['text'] }}{% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
PER_SHARD = 30
WRONG = "something else"


@pytest.fixture(scope="module", autouse=True)
def _offline():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


def save_model(folder, template=TEMPLATE, seed=0):
    """A LLaVA of some 20,000 random weights, large enough ones that its answers differ from question to question."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import (
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
    )

    special = ["<pad>", "</s>", "<image>"]
    letters = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    bpe = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, []))
    bpe.add_special_tokens(special)
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token="<pad>", eos_token="</s>")
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {"vocab_size": len(letters), "max_position_embeddings": 256, "initializer_range": 1.0}
    torch.manual_seed(seed)
    model = LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=CLIPVisionConfig(**sizes, image_size=16, patch_size=8, initializer_range=1.0),
            text_config=LlamaConfig(**sizes, **text, pad_token_id=0, bos_token_id=None, eos_token_id=1),
            image_token_index=2,
        )
    )
    side = {"height": 16, "width": 16}
    pictures = CLIPImageProcessorPil(size=side, crop_size=side)
    layout = {"patch_size": 8, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    model.save_pretrained(folder)
    LlavaProcessor(pictures, tokenizer, chat_template=template, **layout).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("model"))


def asked(number, answer, picture, **fields):
    """One question; two in a row are about the same picture."""
    words = random.Random(number)
    text = " ".join(words.choices(WORDS, k=words.randint(1, 9)))
    messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]}]
    if number % 5 == 0:  # some come after an earlier exchange
        earlier = {"role": "assistant", "content": [{"type": "text", "text": "red"}]}
        messages += [earlier, {"role": "user", "content": [{"type": "text", "text": "and?"}]}]
    messages.append({"role": "assistant", "content": [{"type": "text", "text": "never shown"}]})
    color = tuple(random.Random(number // 2).randbytes(3))
    meta = {"messages": messages, "answer": [answer], "skill": ("color", "shape")[number % 2], "task": "vqa"}
    return {"png": picture(size=(20, 16), color=color), "txt": b"kept", "json": json.dumps(meta).encode(), **fields}


@pytest.fixture(scope="module")
def said(model, picture):
    """What the model answers, asked without lm-eval, one question at a time, by transformers' own generate."""
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from vlmkit.evaluation.questions import question_of
    from vlmkit.shards.sample import new_sample

    vlm, processor = AutoModelForImageTextToText.from_pretrained(model), AutoProcessor.from_pretrained(model)
    said = []
    for number in range(2 * PER_SHARD):
        question = question_of(new_sample("k", asked(number, "x", picture)))
        prompt = "".join(f"[{turn['role']}]{turn['content']}" for turn in question.turns) + "[assistant]"
        inputs = processor(text=prompt, images=[question.pictures[0].image], return_tensors="pt")
        with torch.inference_mode():
            tokens = vlm.generate(**inputs, max_new_tokens=6, do_sample=False)[0, inputs["input_ids"].shape[1] :]
        said.append(processor.tokenizer.decode(tokens, skip_special_tokens=True).split("\n")[0])
    return said


@pytest.fixture(scope="module")
def bench(tmp_path_factory, said, picture, write_tar):
    """Two shards of questions. About half of the answers are what the model says: there is something to score."""
    folder = tmp_path_factory.mktemp("bench")
    for shard in range(2):
        numbers = range(PER_SHARD * shard, PER_SHARD * (shard + 1))
        known = {n: random.Random(n).random() < 0.5 and len(said[n].strip(". ")) > 0 for n in numbers}
        samples = {f"{n:03}": asked(n, f" {said[n]}." if known[n] else WRONG, picture) for n in numbers}
        write_tar(folder / f"shards/{shard:05}.tar", samples)
    return folder / "shards"


SHORT = ("--max-new-tokens", 6, "--batch-size", 8, "--device", "cpu")


def contents(folder):
    """What each sample's json says, by key."""
    found = {}
    for path in sorted(Path(folder).glob("*.tar")):
        with tarfile.open(path) as tar:
            members = [member for member in tar if member.name.endswith(".json")]
            found |= {m.name.removesuffix(".json"): json.loads(tar.extractfile(m).read()) for m in members}
    return found


def scores(folder):
    return json.loads((Path(folder) / ".vlmkit/scores.json").read_text())


def test_predictions_are_what_plain_transformers_says_and_the_rest_is_untouched(
    vlmkit, model, bench, said, tmp_path, members
):
    done = vlmkit("eval", f"path:{model}", bench, tmp_path / "out", *SHORT)
    assert done.status == 0, done.err
    before, after = contents(bench), contents(tmp_path / "out")
    assert [after[key]["prediction"] for key in sorted(after)] == said
    assert len(set(said)) > 10
    for key, meta in after.items():
        added = {name: meta.pop(name) for name in ("prediction", "metric", "correct", "image_id")}
        assert meta == before[key]
        assert added["metric"] == "exact_match"
        assert added["correct"] == float(meta["answer"] != [WRONG])
    for shard in ("00000.tar", "00001.tar"):
        old, new = members(bench / shard), members(tmp_path / "out" / shard)
        assert list(old) == list(new)
        assert all(old[name] == new[name] for name in old if not name.endswith(".json"))


def test_scores_add_up(vlmkit, model, bench, tmp_path):
    done = vlmkit("eval", f"path:{model}", bench, tmp_path / "out", *SHORT, "--json")
    told, marks = scores(tmp_path / "out"), contents(tmp_path / "out").values()
    overall = told["overall"]
    assert overall["score"] == pytest.approx(sum(meta["correct"] for meta in marks) / len(marks))
    assert 0.1 < overall["low"] < overall["score"] < overall["high"] < 0.9
    assert (overall["samples"], overall["pictures"]) == (2 * PER_SHARD, PER_SHARD)
    assert (overall["always"], overall["constant"]) == (WRONG, pytest.approx(1 - overall["score"]))
    skills = told["groups"]["skill"]
    assert sum(skill["samples"] for skill in skills.values()) == 2 * PER_SHARD
    assert skills["color"]["score"] == pytest.approx(
        sum(m["correct"] for m in marks if m["skill"] == "color") / PER_SHARD
    )
    assert json.loads(done.err.splitlines()[-1])["scores"]["overall"] == overall
    assert f"{overall['score']:.3f}" in done.err
    assert told["protocol"]["harness"].startswith("lm_eval ")
    assert len(told["protocol"]["digest"]) == 64


def test_lm_eval_gives_the_same_with_the_exported_task(vlmkit, model, bench, tmp_path):
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.tasks import TaskManager

    vlmkit("eval", f"path:{model}", bench, tmp_path / "out", *SHORT, "--export-task", tmp_path / "tasks")
    manager = TaskManager(include_path=str(tmp_path / "tasks"), include_defaults=False)
    found = simple_evaluate(
        "hf-multimodal",
        model_args=f"pretrained={model}",
        tasks=["vlmkit_shards"],
        task_manager=manager,
        batch_size=8,
        device="cpu",
        apply_chat_template=True,
        bootstrap_iters=0,
    )
    ours = contents(tmp_path / "out")
    assert found["results"]["vlmkit_shards"]["exact_match,none"] == pytest.approx(
        scores(tmp_path / "out")["overall"]["score"]
    )
    theirs = {one["doc"]["key"]: one["filtered_resps"][0] for one in found["samples"]["vlmkit_shards"]}
    assert theirs == {key: meta["prediction"] for key, meta in ours.items()}


@pytest.mark.slow
def test_the_command_that_is_printed_gives_the_same_score(vlmkit, model, bench, tmp_path):
    done = vlmkit("eval", f"path:{model}", bench, tmp_path / "out", *SHORT, "--export-task", tmp_path / "tasks")
    line = next(line for line in done.err.splitlines() if line.startswith("by hand: "))
    words = shlex.split(line.removeprefix("by hand: "))
    words[0] = str(Path(sysconfig.get_path("scripts")) / words[0])
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    output = ["--output_path", str(tmp_path / "by-hand")]
    subprocess.run([sys.executable, *words, *output], env=environment, check=True, capture_output=True)
    result = json.loads(next((tmp_path / "by-hand").rglob("*.json")).read_text())
    by_hand = result["results"]["vlmkit_shards"]["exact_match,none"]
    assert by_hand == pytest.approx(scores(tmp_path / "out")["overall"]["score"])


def test_a_model_without_a_chat_template_sees_the_plain_text(vlmkit, bench, tmp_path):
    model = save_model(tmp_path / "model", template=None)
    done = vlmkit("eval", f"path:{model}", bench, tmp_path / "out", *SHORT)
    assert done.status == 0, done.err
    assert scores(tmp_path / "out")["protocol"]["prompt"] == "plain"


def test_a_model_that_answers_nonsense_scores_nothing(vlmkit, bench, tmp_path):
    model = save_model(tmp_path / "model", seed=7)
    done = vlmkit("eval", f"path:{model}", bench, tmp_path / "out", *SHORT)
    assert done.status == 0, done.err
    overall = scores(tmp_path / "out")["overall"]
    assert (overall["score"], overall["low"]) == (0, 0)
    assert 0 < overall["high"] < 0.2


def test_wrong_answers_are_found_by_filter_with_only_their_json(vlmkit, model, bench, tmp_path, members):
    vlmkit("eval", f"path:{model}", bench, tmp_path / "preds", *SHORT)
    wrong = tmp_path / "wrong"
    assert vlmkit("filter", tmp_path / "preds", wrong, "--where", "correct < 1", "--only", "json").status == 0
    expected = {key for key, meta in contents(tmp_path / "preds").items() if meta["correct"] < 1}
    assert set(contents(wrong)) == expected
    assert {name.partition(".")[2] for path in wrong.glob("*.tar") for name in members(path)} == {"json"}
    assert vlmkit("compare", tmp_path / "preds", tmp_path / "preds").out.decode().count("within noise") == 1


def test_several_benchmarks_are_scored_each(vlmkit, model, bench, tmp_path, write_tar, picture):
    write_tar(tmp_path / "other/00000.tar", {f"{n:03}": asked(n, "never", picture) for n in range(4)})
    done = vlmkit("eval", f"path:{model}", bench, tmp_path / "other", tmp_path / "out", *SHORT)
    assert done.status == 0, done.err
    groups = scores(tmp_path / "out")["groups"]["bench"]
    assert {name: group["samples"] for name, group in groups.items()} == {"shards": 60, "other": 4}
    assert groups["other"]["score"] == 0


def test_the_first_n_questions(vlmkit, model, bench, tmp_path):
    assert vlmkit("eval", f"path:{model}", bench, tmp_path / "out", *SHORT, "--limit", 35).status == 0
    assert scores(tmp_path / "out")["overall"]["samples"] == 35


def test_what_asks_nothing_is_dropped_under_its_reason_and_no_part_of_the_score(
    vlmkit, model, picture, tmp_path, write_tar, rows
):
    good = asked(1, "red", picture)
    samples = {
        "good": good,
        "no-answer": {**good, "json": json.dumps({**json.loads(good["json"]), "answer": []}).encode()},
        "broken": {**good, "png": good["png"][:60]},
        "nan": {**good, "json": json.dumps({**json.loads(good["json"]), "n": float("nan")}).encode()},
    }
    write_tar(tmp_path / "in/00000.tar", samples)
    done = vlmkit("eval", f"path:{model}", tmp_path / "in", tmp_path / "out", *SHORT, "--max-bad", 1)
    assert done.status == 0, done.err
    reasons = {key: row.get("reason") for key, row in rows(tmp_path / "out/00000.parquet").items()}
    assert reasons == {
        "good": None,
        "no-answer": "no answer",
        "broken": "unreadable image",
        "nan": "unreadable json",
    }
    assert scores(tmp_path / "out")["overall"]["samples"] == 1


def test_a_question_that_the_model_can_not_take_costs_only_itself(vlmkit, model, picture, tmp_path, write_tar, rows):
    """It is longer than the model's context, and lm-eval cuts its picture off."""
    long = asked(3, "red", picture)
    meta = json.loads(long["json"])
    meta["messages"][0]["content"][1]["text"] = "x" * 100_000
    samples = {"a": asked(1, "red", picture), "long": {**long, "json": json.dumps(meta).encode()}}
    write_tar(tmp_path / "in/00000.tar", {**samples, "z": asked(2, "red", picture)})
    done = vlmkit("eval", f"path:{model}", tmp_path / "in", tmp_path / "out", *SHORT, "--max-bad", 1)
    assert done.status == 0, done.err
    reasons = {key: row.get("reason") for key, row in rows(tmp_path / "out/00000.parquet").items()}
    assert reasons == {"a": None, "long": "model failed", "z": None}


@pytest.mark.slow
def test_killed_and_run_again_it_ends_with_the_same(vlmkit, script, model, bench, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    vlmkit("eval", f"path:{model}", bench, tmp_path / "whole", *SHORT, "--quiet")
    words = ["eval", f"path:{model}", str(bench), str(tmp_path / "out"), *map(str, SHORT), "--quiet"]
    process = subprocess.Popen([sys.executable, script, *words])
    while not (tmp_path / "out/00000_stats.json").exists():
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    committed = (tmp_path / "out/00000.tar").stat().st_mtime_ns
    assert vlmkit(*words).status == 0
    assert (tmp_path / "out/00000.tar").stat().st_mtime_ns == committed
    for name in ("00000.tar", "00001.tar", "00000.parquet", "00001.parquet", ".vlmkit/scores.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_scores_that_a_kill_left_out_are_made_up_for(vlmkit, model, bench, tmp_path):
    vlmkit("eval", f"path:{model}", bench, tmp_path / "out", *SHORT)
    before = scores(tmp_path / "out")
    (tmp_path / "out/.vlmkit/scores.json").unlink()
    done = vlmkit("eval", f"path:{model}", bench, tmp_path / "out", *SHORT)
    assert (done.status, scores(tmp_path / "out")) == (0, before)
    assert "already done" in done.err


def test_other_weights_in_the_same_folder_are_refused(vlmkit, bench, tmp_path):
    model = save_model(tmp_path / "model")
    arguments = ("eval", f"path:{model}", bench, tmp_path / "out", *SHORT, "--limit", 4)
    assert vlmkit(*arguments).status == 0
    save_model(tmp_path / "model", seed=1)
    done = vlmkit(*arguments)
    assert done.status == 1
    assert "model was" in done.err


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("path:none", "no model"),
        ("path:shards", "no model"),
        ("llava", "not a model name"),
        ("builtin:nano-vlm", "eval can't run builtin:nano-vlm"),
        ("hf:nobody/nothing", "no model: hf:nobody/nothing is not on this machine"),
    ],
)
def test_no_model(vlmkit, bench, tmp_path, monkeypatch, name, says):
    monkeypatch.chdir(bench.parent)
    done = vlmkit("eval", name, bench, tmp_path / "out")
    message, hint = done.err.splitlines()
    assert done.status == 1
    assert message.startswith("vlmkit eval: ")
    assert says in message
    assert hint.startswith("  ")
    assert not (tmp_path / "out").exists()


def test_a_dataset_that_asks_nothing(vlmkit, model, tmp_path, write_tar, picture):
    write_tar(tmp_path / "in/00000.tar", {"a": {"png": picture(), "txt": b"a house"}})
    done = vlmkit("eval", f"path:{model}", tmp_path / "in", tmp_path / "out")
    assert (done.status, len(done.err.splitlines())) == (1, 2)
    assert "asks nothing: no question" in done.err
    assert "answer (a list of strings)" in done.err
    assert not (tmp_path / "out").exists()


def test_predictions_need_their_json(vlmkit, model, bench, tmp_path):
    done = vlmkit("eval", f"path:{model}", bench, tmp_path / "out", "--only", "txt")
    assert (done.status, len(done.err.splitlines())) == (1, 2)
    assert "--only txt leaves out json" in done.err
    assert vlmkit("eval", f"path:{model}", bench, tmp_path / "out", *SHORT, "--only", "json").status == 0
    assert scores(tmp_path / "out")["overall"]["pictures"] == PER_SHARD  # known without the pictures


def test_a_stream_can_not_hold_scores(vlmkit, model, bench, tmp_path):
    done = vlmkit("eval", f"path:{model}", bench, "-")
    assert (done.status, done.out) == (1, b"")
    assert "eval writes a folder" in done.err
