"""What is wrong with an answer."""

import pytest

from vlmkit.captions.answers import cut_at_repetition, is_refusal, sentences


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I’m unable to view images.",
        "I am not able to see the picture.",
        "Sorry, I cannot describe this.",
        "Unfortunately, I cannot open the file.",
        "As an AI language model, I have no eyes.",
        "I cannot provide a description of this image.",
        "There is no image attached to your message.",
        "The image was not provided.",
    ],
)
def test_a_refusal_is_seen(text):
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A red circle on a white ground.",
        "A sign that says: no entry. I can see a dog behind it.",
        "A woman apologises; her sign reads SORRY in red letters.",
        "A robot, such as an AI company would show, stands in a hall.",
        "A man stands at a window. " * 10 + "I cannot describe more.",
    ],
)
def test_a_caption_is_no_refusal(text):
    assert not is_refusal(text)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("A dog runs. A cat sits.", "A dog runs. A cat sits."),
        ("A dog runs. A cat sits. A dog runs. A bird.", "A dog runs. A cat sits."),
        ("A dog runs! a Dog  runs. A cat.", "A dog runs!"),
        ("One line\nanother line\none line", "One line\nanother line"),
        ("狗在跑。猫在坐。狗在跑。", "狗在跑。猫在坐。"),
        ("No end of a sentence", "No end of a sentence"),
        ("... ... ... A dog.", "... ... ... A dog."),
        ("", ""),
    ],
)
def test_the_first_repeated_sentence_ends_a_text(text, cut):
    assert cut_at_repetition(text) == cut


def test_sentences_are_the_whole_text():
    text = 'He said "no." She left.\n\nThen (at 3.5 m) it rained… Why? '
    found = sentences(text)
    assert "".join(part for _, part in found) == text
    assert [part.strip() for _, part in found] == [
        'He said "no."',
        "She left.",
        "Then (at 3.5 m) it rained…",
        "Why?",
        "",
    ]
