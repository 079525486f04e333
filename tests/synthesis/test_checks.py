"""The checks of a dense caption, one crafted answer for each."""

import pytest

from vlmkit.synthesis.checks import Checks, repeats, whole

SEED = "a red bus in front of a church"
GOOD = (
    "A long red bus stands at the kerb in front of a stone church. Its windows are tinted, its doors folded shut, and "
    "a white stripe runs along its side. Behind it two square towers rise into a grey sky, and wet cobbles shine."
)
CHECKS = Checks(min_words=20, max_words=60)


def test_a_good_one_passes():
    assert CHECKS.failed(SEED, GOOD) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty answer"),
        ("I'm sorry, but I cannot help with writing about a red bus and a church.", "refused"),
        ("A red bus in front of a church.", "words >= 20"),
        (
            f"{GOOD} {GOOD.replace('A long', 'One long').replace('Its', 'All its').replace('Behind', 'Far behind')}",
            "words <= 60",
        ),
        (f"A red bus. A church. {GOOD} A red bus.", "repeats itself"),
        ("a red bus and a church and " * 5, "repeats itself"),
        (GOOD.replace("red bus", "tram").replace("church", "school"), "seed_overlap >= 0.5"),
    ],
)
def test_each_fault_has_its_reason(text, reason):
    assert CHECKS.failed(SEED, text) == reason


@pytest.mark.parametrize(
    "talk",
    [
        "The caption says that a red bus is there.",
        "As your original caption tells, it rains.",
        "This image description is about a bus.",
        "Sure! A bus stands here.",
        "Here is a detailed paragraph about the scene: it rains.",
        "Caption: it rains.",
        "The given short caption names a church.",
    ],
)
def test_talk_about_the_caption_is_found(talk):
    assert CHECKS.failed(SEED, f"{talk} {GOOD}") == "talks about the caption"


@pytest.mark.parametrize(
    "text", ["The picture shows a bus.", "A poster whose caption is torn.", "She is prompt.", "Surely."]
)
def test_talk_about_the_scene_is_not(text):
    assert CHECKS.failed(SEED, f"{text} {GOOD}") is None


def test_limits_are_inclusive():
    length = len(GOOD.split())
    assert Checks(length, length).failed(SEED, GOOD) is None
    assert Checks(length + 1, 480).failed(SEED, GOOD) == f"words >= {length + 1}"
    assert Checks(0, length - 1).failed(SEED, GOOD) == f"words <= {length - 1}"


def test_no_overlap_can_be_asked_for():
    assert Checks(0, 480, min_overlap=0).failed("a cat", GOOD) is None


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (" A bus. A church.\n\nIt rains. ", "A bus. A church. It rains."),
        ("A bus. A church. It ra", "A bus. A church."),
        ('A sign says "stop." And th', 'A sign says "stop."'),
        ("no end at all", "no end at all"),
        ("", ""),
    ],
)
def test_an_answer_ends_with_its_last_whole_sentence(answer, kept):
    assert whole(answer) == kept


def test_repetition():
    assert not repeats(GOOD)
    assert repeats("A bus. A church. A bus.")
