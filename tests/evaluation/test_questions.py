"""What is asked of a sample, and why it can't be."""

import json

import pytest
from PIL import Image

from vlmkit.evaluation.questions import PLACEHOLDER, Question, question_of
from vlmkit.shards.sample import new_sample

IMAGE = {"type": "image"}


def text(words):
    return {"type": "text", "text": words}


def turn(role, *content):
    return {"role": role, "content": list(content)}


ASKED = [turn("user", IMAGE, text("what color?")), turn("assistant", text("red"))]


@pytest.fixture
def sample(picture):
    def make(messages=ASKED, answer=("red",), **fields):
        meta = {"messages": messages, "answer": list(answer) if isinstance(answer, tuple) else answer}
        meta = {name: value for name, value in meta.items() if value is not None}
        return new_sample("k", {"png": picture(), "json": json.dumps(meta).encode(), **fields})

    return make


def test_the_conversation_ends_with_the_last_user_turn(sample):
    question = question_of(sample())
    assert isinstance(question, Question)
    assert question.turns == ({"role": "user", "content": f"{PLACEHOLDER}what color?"},)
    assert question.answers == ("red",)
    assert question.pictures[0].image.size == (8, 8)


def test_earlier_turns_stay(sample):
    messages = [turn("system", text("be brief")), *ASKED, turn("user", text("sure?")), turn("assistant", text("yes"))]
    question = question_of(sample(messages))
    assert [one["role"] for one in question.turns] == ["system", "user", "assistant", "user"]
    assert question.turns[2]["content"] == "red"
    assert question.turns[3]["content"] == "sure?"


def test_a_bare_string_is_one_text(sample):
    question = question_of(sample([{"role": "user", "content": f"{PLACEHOLDER}what color?"}]))
    assert question.turns[0]["content"] == f"{PLACEHOLDER}what color?"


def test_several_pictures_in_number_order(sample, picture):
    fields = {"1.png": picture(size=(2, 2)), "0.png": picture(size=(1, 1)), "10.png": picture(size=(3, 3))}
    asked = new_sample("k", {**fields, "json": bytes(sample([turn("user", IMAGE, IMAGE, text("?"), IMAGE)])["json"])})
    question = question_of(asked)
    assert [one.image.size for one in question.pictures] == [(1, 1), (2, 2), (3, 3)]
    assert question.turns[0]["content"] == f"{PLACEHOLDER}{PLACEHOLDER}?{PLACEHOLDER}"


def test_a_picture_is_upright_and_rgb(sample, picture):
    exif = Image.Exif()
    exif[0x0112] = 6
    asked = new_sample("k", {"jpg": picture("JPEG", size=(4, 2), exif=exif), "json": bytes(sample()["json"])})
    image = question_of(asked).pictures[0].image
    assert (image.size, image.mode) == ((2, 4), "RGB")


def test_a_picture_that_comes_again_is_decoded_once(sample):
    seen = {}
    first, second = (question_of(sample(), seen).pictures[0] for _ in range(2))
    assert first.image is second.image


@pytest.mark.parametrize(
    ("given", "reason", "bad"),
    [
        ({"messages": None}, "no question", False),
        ({"messages": []}, "no question", False),
        ({"messages": [turn("assistant", text("red"))]}, "no question", False),
        ({"answer": None}, "no answer", False),
        ({"answer": []}, "no answer", False),
        ({"answer": "red"}, "unreadable json", True),
        ({"answer": [3]}, "unreadable json", True),
        ({"messages": "what color?"}, "unreadable json", True),
        ({"messages": [turn("robot", text("?"))]}, "unreadable json", True),
        ({"messages": [turn("user", {"type": "audio"})]}, "unreadable json", True),
        ({"messages": [turn("user", text("what color?"))]}, "images and messages disagree", False),
        ({"messages": [turn("user", IMAGE, IMAGE, text("?"))]}, "images and messages disagree", False),
        ({"messages": [turn("user", IMAGE, text(f"what is {PLACEHOLDER}?"))]}, "images and messages disagree", False),
        ({"png": b"no picture"}, "unreadable image", True),
    ],
)
def test_what_can_not_be_asked(sample, given, reason, bad):
    missing = question_of(sample(**given))
    assert (missing.reason, missing.bad) == (reason, bad)


def test_without_a_picture_nothing_is_asked(sample):
    assert question_of(new_sample("k", {"json": bytes(sample()["json"])})).reason == "no image"
