"""What predictions come to: a score with its interval, over all and by group, beside what one constant answer gets."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vlmkit.evaluation.metrics import fold
from vlmkit.evaluation.predictions import GROUPS, Marked
from vlmkit.evaluation.statistics import CONFIDENCE, RESAMPLES, interval
from vlmkit.shards.dataset import own_folder, write_json
from vlmkit.shards.paths import AnyPath

OVERALL = "overall"


@dataclass(frozen=True)
class Score:
    """The mean mark of `samples` questions about `pictures` pictures, in [low, high]; `constant` is what the answer
    `always` gets, the most frequent one among those that are right.
    """

    samples: int
    pictures: int
    score: float
    low: float
    high: float
    always: str
    constant: float


@dataclass(frozen=True)
class Scores:
    """`groups` holds the scores by kind of group and its name, such as `skill`, `color`."""

    overall: Score
    groups: Mapping[str, Mapping[str, Score]]
    metric: str

    @classmethod
    def of(cls, marked: Sequence[Marked], seed: int = 0) -> "Scores":
        groups = {
            kind: {name: score_of(members, seed) for name, members in found.items()}
            for kind, found in grouped(marked).items()
        }
        return cls(score_of(marked, seed), groups, ", ".join(sorted({one.metric for one in marked})))

    def lines(self) -> Iterator[tuple[str, Score]]:
        """All scores with their names; a kind that has only one group says nothing new."""
        yield OVERALL, self.overall
        for kind, found in self.groups.items():
            if len(found) > 1:
                yield from ((f"{kind} {name}", score) for name, score in found.items())

    def as_json(self) -> dict[str, Any]:
        return {"metric": self.metric, "confidence": CONFIDENCE, "resamples": RESAMPLES, **asdict(self)}


def score_of(marked: Sequence[Marked], seed: int = 0) -> Score:
    correct, pictures = [one.correct for one in marked], [one.picture for one in marked]
    low, high = interval(correct, pictures, seed)
    always, constant = _constant(marked)
    return Score(len(marked), len(set(pictures)), sum(correct) / len(correct), low, high, always, constant)


def grouped(marked: Sequence[Marked]) -> dict[str, dict[str, list[Marked]]]:
    """The questions by kind of group and its name, the names in order; a question may be in none."""
    found: dict[str, dict[str, list[Marked]]] = {}
    for kind in GROUPS:
        names = sorted({one.groups[kind] for one in marked if kind in one.groups})
        if names:
            found[kind] = {name: [one for one in marked if one.groups.get(kind) == name] for name in names}
    return found


def scores_path(folder: AnyPath) -> AnyPath:
    return own_folder(folder) / "scores.json"


def write_scores(folder: AnyPath, scores: Scores, about: Mapping[str, Any]) -> None:
    """Writes what the predictions of a folder come to, with what it was come by."""
    write_json(scores_path(folder), {**scores.as_json(), **about}, folder)


def _constant(marked: Sequence[Marked]) -> tuple[str, float]:
    """The answer that is right most often, and how often; of equals the first in order of the alphabet."""
    right = Counter(answer for one in marked for answer in {fold(answer) for answer in one.answers})
    if not right:
        return "", 0.0
    answer, count = min(right.items(), key=lambda item: (-item[1], item[0]))
    return answer, count / len(marked)
