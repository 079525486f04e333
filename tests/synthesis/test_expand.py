"""Expand: what comes out of a seed and an answer, what is asked again, and what it is dropped for."""

import json
import math

import pytest

from vlmkit.captions.prompts import Prompt
from vlmkit.errors import VlmkitError
from vlmkit.jobs.step import Dropped, Kept
from vlmkit.models.names import ModelName
from vlmkit.models.served import NoAnswer
from vlmkit.shards.sample import new_sample
from vlmkit.synthesis.checks import Checks
from vlmkit.synthesis.expand import Expand
from vlmkit.synthesis.prompts import PROMPTS, fill, parse_template

DENSE = "A brown dog with long ears lies on wet grass. Its paws are white, and a red ball lies beside them."
SERVED = ModelName.parse("openai:http://127.0.0.1:9/v1#tiny")


class Scripted:
    """Gives the answers of a list, by the attempt, to seeds that are told by their first word."""

    together = 3

    def __init__(self, answers):
        self.answers = {seed: list(texts) for seed, texts in answers.items()}
        self.asked = []

    def generate(self, prompts, max_new_tokens, seeds):
        self.asked.append(list(zip(prompts, seeds, strict=True)))
        return [self.answers[prompt.split()[0]].pop(0) for prompt in prompts]


@pytest.fixture
def expand(monkeypatch):
    def run(samples, answers, **options):
        llm = Scripted(answers)
        monkeypatch.setattr("vlmkit.models.llm.load_llm", lambda *_: llm)
        step = Expand(SERVED, Prompt("mine", "{caption}"), Checks(5, 40), **options)
        outcomes = list(step(samples))
        assert [outcome.sample.key for outcome in outcomes] == [sample.key for sample in samples]
        return outcomes, llm

    return run


def seeds(**texts):
    return [new_sample(key, {"txt": text.encode()}) for key, text in texts.items()]


def test_the_dense_caption_is_the_text_and_the_seed_the_first_caption(expand):
    (outcome,), _ = expand(seeds(a="dog on grass"), {"dog": [f" {DENSE}\n"]})
    assert isinstance(outcome, Kept)
    assert outcome.sample.text == DENSE
    assert outcome.sample.json == {
        "captions": [
            {"text": "dog on grass", "by": "original", "prompt": "", "round": 0, "kind": "original"},
            {"text": DENSE, "by": "openai:tiny", "prompt": "mine", "round": 1, "kind": "dense"},
        ]
    }


def test_the_statistics_are_columns(expand):
    (outcome,), _ = expand(seeds(a="dog on grass"), {"dog": ["A dog and a cat by a dog."]}, retries=0)
    bits = 3 / 8 * math.log2(8 / 3) + 2 / 8 * 2 + 3 * (1 / 8 * 3)  # a, dog; and, cat, by
    assert outcome.sample.row.pop("token_entropy") == pytest.approx(bits, abs=1e-6)
    assert outcome.sample.row == {"attempts": 1, "words": 8, "type_token_ratio": 5 / 8, "seed_overlap": 0.5}


def test_pictures_conversations_and_their_scores_are_left_out(expand, picture):
    meta = {"url": "u", "messages": [{"role": "user", "content": [{"type": "image"}]}]}
    fields = {"png": picture(), "txt": b"dog", "json": json.dumps(meta).encode(), "cls": b"7", "rep.npy": b"x"}
    sample = new_sample("a", fields)
    sample.row |= {"width": 8, "height": 8, "words": 1.0, "clip:builtin:conse": 0.2, "mine": 3.0}
    (outcome,), _ = expand([sample], {"dog": [DENSE]})
    assert list(outcome.sample.fields) == ["txt", "json", "cls"]
    assert set(outcome.sample.json) == {"url", "captions"}
    assert set(outcome.sample.row) == {"attempts", "words", "type_token_ratio", "token_entropy", "seed_overlap", "mine"}
    assert outcome.sample.row["words"] == 21


def test_what_fails_is_asked_again_with_other_seeds(expand):
    answers = {"dog": ["Too short.", DENSE], "cat": [DENSE.replace("dog", "cat")]}
    (dog, cat), llm = expand(seeds(a="dog", b="cat"), answers)
    assert isinstance(dog, Kept)
    assert (dog.sample.row["attempts"], cat.sample.row["attempts"]) == (2, 1)
    assert [[(prompt, seed is None) for prompt, seed in asked] for asked in llm.asked] == [
        [("dog", True), ("cat", True)],
        [("dog", False)],
    ]


def test_seeds_follow_the_sample_and_not_its_place(expand):
    def drawn(samples, **options):
        _, llm = expand(samples, {"dog": ["no"] * 3, "cat": ["no"] * 3}, **options)
        return {(prompt, attempt): seed for attempt, asked in enumerate(llm.asked) for prompt, seed in asked}

    both = drawn(seeds(a="dog", b="cat"))
    assert both == drawn(seeds(b="cat", a="dog"))
    assert len({seed for seed in both.values() if seed is not None}) == 4
    assert both != drawn(seeds(a="dog", b="cat"), seed=1)


def test_what_never_passes_is_dropped_under_its_last_reason(expand):
    answers = {"dog": ["Too short.", "Sure, here is more of it.", "A dog. A dog. A dog. A dog."]}
    (outcome,), _ = expand(seeds(a="dog"), answers)
    assert isinstance(outcome, Dropped)
    assert (outcome.reason, outcome.bad) == ("repeats itself", False)
    assert outcome.sample.text == "dog", "the rejects hold the sample as it came"
    assert outcome.sample.row == {"attempts": 3, "answer": "A dog. A dog. A dog. A dog."}


def test_no_answer_is_a_bad_sample_and_is_not_asked_again(expand):
    answers = {"dog": [NoAnswer("server busy", "status 429")], "cat": [RuntimeError("nan")]}
    outcomes, llm = expand(seeds(a="dog", b="cat"), answers)
    assert [(o.reason, o.bad, o.sample.row["error"]) for o in outcomes] == [
        ("server busy", True, "status 429"),
        ("model failed", True, "RuntimeError: nan"),
    ]
    assert len(llm.asked) == 1


def test_samples_without_a_seed_ask_nothing(expand):
    samples = [
        new_sample("none", {"json": b'{"caption":"dog"}'}),
        new_sample("blank", {"txt": b" \n"}),
        new_sample("latin", {"txt": b"\xff"}),
        new_sample("json", {"txt": b"dog", "json": b"[]"}),
    ]
    outcomes, llm = expand(samples, {})
    assert [(outcome.reason, outcome.bad) for outcome in outcomes] == [
        ("no text", False),
        ("no text", False),
        ("unreadable text", True),
        ("unreadable json", True),
    ]
    assert llm.asked == []


def test_samples_are_taken_as_many_as_the_model_likes(expand):
    samples = seeds(**{str(n): "dog" for n in range(7)})
    _, llm = expand(samples, {"dog": [DENSE] * 7})
    assert [len(asked) for asked in llm.asked] == [3, 3, 1]


def test_a_prompt_is_filled_in():
    assert fill("{caption} {min_words}-{max_words}", "a {min_words} {x} dog", 5, 9) == "a {min_words} {x} dog 5-9"
    assert parse_template("dense") == Prompt("dense", PROMPTS["dense"])
    assert parse_template("Write more of it.").text == "Write more of it.\n\n{caption}"
    assert "a dog" in fill(PROMPTS["dense"], "a dog", 50, 480)
    with pytest.raises(VlmkitError, match="no prompt is called 'dnese'"):
        parse_template("dnese")


def test_a_servers_address_decides_nothing():
    """The next job finds the server elsewhere, and goes on."""
    moved = ModelName.parse("openai:http://node7:8000/v1#tiny")
    here, there = (Expand(model, Prompt("mine", "{caption}")).options() for model in (SERVED, moved))
    assert here == there
    assert here["model"] == "openai:tiny"
