"""The diagnosis ranks the skills, the weakest first."""

import pytest

from vlmkit.errors import VlmkitError
from vlmkit.evaluation.predictions import Marked
from vlmkit.flywheel.diagnose import weaknesses


def marked(skill: str | None, right: int, wrong: int) -> list[Marked]:
    groups = {"skill": skill} if skill else {}
    marks = [1.0] * right + [0.0] * wrong
    keys = [f"{skill}{number}" for number in range(len(marks))]
    return [
        Marked("00000", key, "a", "exact", mark, ("a",), key, groups) for key, mark in zip(keys, marks, strict=True)
    ]


def test_the_weakest_skill_comes_first_with_what_it_costs() -> None:
    questions = marked("frequent", 75, 25) + marked("missing", 0, 15) + marked("good", 19, 1)
    found = weaknesses(questions)
    assert [weakness.skill for weakness in found] == ["missing", "frequent", "good"]
    assert [weakness.lost for weakness in found] == pytest.approx([15 / 135, 25 / 135, 1 / 135])
    assert (found[0].score, found[0].questions) == (0, 15)


def test_equal_skills_are_ranked_by_name() -> None:
    assert [w.skill for w in weaknesses(marked("b", 1, 1) + marked("a", 1, 1))] == ["a", "b"]


def test_questions_without_a_skill_are_refused() -> None:
    with pytest.raises(VlmkitError, match="names no skill"):
        weaknesses(marked(None, 1, 1))
