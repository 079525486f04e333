"""Which answers are the same."""

import pytest

from vlmkit.evaluation.metrics import exact_match


@pytest.mark.parametrize(
    ("prediction", "answers", "mark"),
    [
        ("red", ["red"], 1),
        ("Red", ["red"], 1),
        ("RED.", ["red"], 1),
        (" red\n", ["red"], 1),
        ("red .", ["red"], 1),
        ("red", ["Red."], 1),
        ("a  red\tcircle", ["a red circle"], 1),
        ("a\u00a0red circle", ["a red circle"], 1),
        ("STRASSE", ["straße"], 1),
        ("3.5", ["3.5"], 1),
        ("green", ["red", "green", "blue"], 1),
        ("red..", ["red"], 0),
        ("red,", ["red"], 0),
        ("red!", ["red"], 0),
        (".red", ["red"], 0),
        ("3.5", ["35"], 0),
        ("redcircle", ["red circle"], 0),
        ("the red", ["red"], 0),
        ("redd", ["red"], 0),
        ("red green", ["red", "green"], 0),
        ("", ["red"], 0),
        ("", [""], 0),
        (".", [""], 0),
    ],
)
def test_case_white_space_and_a_final_period_are_folded_and_nothing_else(prediction, answers, mark):
    assert exact_match(prediction, answers) == mark
