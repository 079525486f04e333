"""How an answer is marked: a number in [0, 1] for a prediction and the answers that are right."""

import re
from collections.abc import Iterable

EXACT_MATCH = "exact_match"
RULE = "equal after folding case, white space and one final period; any of the answers counts"

_FINAL_PERIOD = re.compile(r"\s*\.$")


def exact_match(prediction: str, answers: Iterable[str]) -> float:
    """1.0 if the prediction is one of the answers, by RULE, else 0.0. Nothing is never right."""
    folded = fold(prediction)
    return float(folded != "" and folded in map(fold, answers))


def fold(text: str) -> str:
    """An answer as it is compared: caseless, runs of white space as one space, without a final period."""
    return _FINAL_PERIOD.sub("", " ".join(text.casefold().split()))
