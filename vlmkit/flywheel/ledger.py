"""The ledger: one line of JSON a round, written when the round is decided; what stands there is not done again."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vlmkit.shards.dataset import committed


@dataclass(frozen=True)
class Round:
    """What was wrong, what was fed, what came of it, and every command line that did it. Scores are those of the
    held-out questions: the model as it was, the control arm, the targeted arm, each with its 95 % interval. `dev` and
    `tests` are the folders of the answers that all this rests on.
    """

    number: int
    model: str
    weaknesses: tuple[dict[str, Any], ...]
    skills: tuple[str, ...]
    scores: dict[str, tuple[float, float, float]]
    accepted: bool
    because: str
    next_model: str
    dev: str
    tests: dict[str, str]
    lines: tuple[str, ...]


class Ledger:
    def __init__(self, work: Path) -> None:
        self.path = work / "rounds.jsonl"
        self._work = work

    def rounds(self) -> list[Round]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [_round(json.loads(line)) for line in lines]

    def add(self, done: Round) -> None:
        """The whole ledger appears anew, so that a kill leaves no half line."""
        with committed(self.path, self._work) as file:
            for each in [*self.rounds(), done]:
                file.write(json.dumps(asdict(each), ensure_ascii=False).encode() + b"\n")


def _round(value: dict[str, Any]) -> Round:
    scores = {name: (score[0], score[1], score[2]) for name, score in value["scores"].items()}
    lists = {name: tuple(value[name]) for name in ("weaknesses", "skills", "lines")}
    return Round(**{**value, **lists, "scores": scores})
