"""What the model lacks: its skills, the weakest first."""

from collections.abc import Sequence
from dataclasses import dataclass

from vlmkit.errors import VlmkitError
from vlmkit.evaluation.predictions import Marked
from vlmkit.evaluation.scores import grouped, score_of


@dataclass(frozen=True)
class Weakness:
    """One skill on the development set: its score in [low, high], and `lost`, the share of all questions that ask for
    it and are answered wrong: by so much the whole score would rise if the skill were perfect.
    """

    skill: str
    questions: int
    score: float
    low: float
    high: float
    lost: float


def weaknesses(marked: Sequence[Marked]) -> list[Weakness]:
    """All skills, the lowest score first. Raises VlmkitError if the questions name no skill."""
    skills = grouped(marked).get("skill", {})
    if not skills:
        raise VlmkitError("the development set names no skill", "the json of its samples needs skill, a string")
    found = []
    for skill, members in skills.items():
        score = score_of(members)
        lost = sum(1 - one.correct for one in members) / len(marked)
        found.append(Weakness(skill, len(members), score.score, score.low, score.high, lost))
    return sorted(found, key=lambda weakness: (weakness.score, weakness.skill))
