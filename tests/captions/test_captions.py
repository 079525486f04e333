"""The captions field: everything ever said, the original first."""

import json

import pytest

from vlmkit.captions.captions import captions_of, last_round, original_text
from vlmkit.captions.prompts import PROMPTS, Prompt
from vlmkit.captions.stale import drop_scores
from vlmkit.errors import VlmkitError
from vlmkit.scores.inputs import SIZE, TEXT
from vlmkit.shards.sample import new_sample

ORIGINAL = {"text": "a dog", "by": "original", "prompt": "", "round": 0, "kind": "original"}
SECOND = {"text": "a brown dog", "by": "m", "prompt": "detail", "round": 3, "kind": "caption"}


def sample(meta=None, **fields):
    if meta is not None:
        fields["json"] = json.dumps(meta).encode()
    return new_sample("a", fields)


def test_the_text_is_the_first_caption():
    assert captions_of(sample(txt=b"a dog")) == [ORIGINAL]
    assert captions_of(sample({"caption": "a cat"}, txt=b"a dog")) == [ORIGINAL]
    assert captions_of(sample({"caption": "a dog"})) == [ORIGINAL]


def test_what_is_there_stays_as_it_is():
    foreign = {"text": "un chien", "lang": "fr"}
    assert captions_of(sample({"captions": [ORIGINAL, SECOND, foreign]}, txt=b"new")) == [ORIGINAL, SECOND, foreign]


def test_bare_strings_become_captions():
    assert captions_of(sample({"captions": ["a dog", "a hound"]})) == [ORIGINAL, {**ORIGINAL, "text": "a hound"}]


@pytest.mark.parametrize("fields", [{}, {"txt": b" \n"}, {"meta": {"caption": 5}}, {"meta": {"captions": []}}])
def test_without_a_text_there_is_no_original(fields):
    assert captions_of(sample(**fields)) == []
    assert original_text([]) is None


@pytest.mark.parametrize("meta", [{"captions": [1]}, {"captions": {"text": 1}}, {"captions": [None]}, {"captions": 7}])
def test_another_shape_is_an_error(meta):
    with pytest.raises(ValueError, match="no caption"):
        captions_of(sample(meta))


def test_the_original_is_known_by_its_kind():
    assert original_text([ORIGINAL, SECOND]) == "a dog"
    assert original_text([SECOND]) is None


def test_the_last_round():
    assert last_round([]) == 0
    assert last_round([ORIGINAL, SECOND, {"text": "x"}, {"text": "y", "round": "z"}]) == 3


def test_a_prompt_is_a_name_or_a_text():
    assert Prompt.parse("detail") == Prompt("detail", PROMPTS["detail"])
    assert Prompt.parse("What is this?") == Prompt("What is this?", "What is this?")


@pytest.mark.parametrize("given", ["detial", "long-4", ""])
def test_a_misspelt_name_is_no_prompt(given):
    with pytest.raises(VlmkitError, match="no prompt is called") as raised:
        Prompt.parse(given)
    assert "brief, detail" in raised.value.hint


def test_scores_of_a_text_go_with_it():
    row = {"words": 3.0, "clip:builtin:conse": 0.4, "width": 8, "min_side": 8.0, "mine": 1.0, "wordsmith": 2.0}
    drop_scores(row, TEXT)
    assert row == {"width": 8, "min_side": 8.0, "mine": 1.0, "wordsmith": 2.0}
    drop_scores(row, SIZE)
    assert row == {"mine": 1.0, "wordsmith": 2.0}
