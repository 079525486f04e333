"""Words: what carries content, and how varied a text is, against values worked out by hand."""

import pytest

from vlmkit.synthesis.words import content_words, overlap, repeated_share, token_entropy, type_token_ratio, words


def test_words_are_lower_case_without_digits():
    assert words("A dog's 3 BONES, état–d’âme; 狗") == ["a", "dog's", "bones", "état", "d’âme", "狗"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("dog", "dogs"),
        ("house", "houses"),
        ("box", "boxes"),
        ("cherry", "cherries"),
        ("grass", "grasses"),
        ("run", "running"),
        ("park", "parked"),
        ("dog", "dog's"),
        ("ride", "riding"),
    ],
)
def test_forms_of_a_word_are_one(one, other):
    assert content_words(one) == content_words(other) != set()


def test_function_words_carry_nothing():
    assert content_words("This is a picture of it, and there are some others in the image.") == set()


@pytest.mark.parametrize(
    ("seed", "text", "share"),
    [
        ("a red bus", "The bus, painted red, waits.", 1.0),
        ("two dogs on grass", "A dog lies on the lawn.", 1 / 3),
        ("a cat", "A dog.", 0.0),
        ("of the", "anything", 1.0),
    ],
)
def test_what_of_the_seed_is_still_there(seed, text, share):
    assert overlap(seed, text) == pytest.approx(share)


def test_type_token_ratio_and_entropy():
    tokens = ["a", "b", "a", "b", "c", "c", "a", "a"]  # 4, 2, 2 of 8: 1/2 * 1 + 2 * 1/4 * 2 bits
    assert type_token_ratio(tokens) == 3 / 8
    assert token_entropy(tokens) == pytest.approx(1.5)
    assert (type_token_ratio([]), token_entropy([])) == (0, 0)


def test_repeated_runs():
    assert repeated_share(["a", "b", "c", "d", "e", "f", "a", "b", "c", "d", "e", "g"]) == pytest.approx(5 / 12)
    assert repeated_share(["a", "b", "c", "d", "e", "f", "a", "b", "c", "d"]) == 0
    assert repeated_share([]) == 0
