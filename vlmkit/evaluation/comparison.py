"""Two sets of predictions on the same questions: which is better, by how much, and whether that could be chance."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vlmkit.errors import VlmkitError
from vlmkit.evaluation.predictions import Marked, read_predictions
from vlmkit.evaluation.scores import OVERALL, grouped
from vlmkit.evaluation.statistics import CONFIDENCE, RESAMPLES, paired_test, smallest_difference
from vlmkit.shards.dataset import own_folder, read_json
from vlmkit.shards.locations import locate

SIGNIFICANT = 1 - CONFIDENCE

Pair = tuple[Marked, Marked]


@dataclass(frozen=True)
class Difference:
    """b minus a on `samples` questions about `pictures` pictures: the scores, the difference in [low, high], the
    p-value of none, and the smallest one that so many questions would show in 80 of 100 cases.
    """

    samples: int
    pictures: int
    a: float
    b: float
    difference: float
    low: float
    high: float
    p: float
    smallest: float

    @property
    def significant(self) -> bool:
        return self.p < SIGNIFICANT


@dataclass(frozen=True)
class Comparison:
    """`a` and `b` are named as the user named them; `notes` tell of what makes them hard to compare."""

    a: str
    b: str
    overall: Difference
    skills: Mapping[str, Difference]
    notes: tuple[str, ...]

    def lines(self) -> Iterator[tuple[str, Difference]]:
        yield OVERALL, self.overall
        if len(self.skills) > 1:
            yield from ((f"skill {name}", difference) for name, difference in self.skills.items())

    def verdict(self) -> str:
        """The overall result in words."""
        d = self.overall
        numbers = f"{d.difference:+.3f} [{d.low:+.3f}, {d.high:+.3f}], p = {d.p:.2g}"
        seen = f"{d.samples:,} questions about {d.pictures:,} pictures would show {d.smallest:.3f} or more"
        if not d.significant:
            return f"The difference is within noise: {numbers} ({seen})."
        better, worse = (self.b, self.a) if d.difference > 0 else (self.a, self.b)
        return f"{better} is better than {worse}: {numbers} ({seen})."

    def as_json(self) -> dict[str, Any]:
        return {"confidence": CONFIDENCE, "resamples": RESAMPLES, **asdict(self), "verdict": self.verdict()}


def compare(a: str, b: str, seed: int = 0) -> Comparison:
    """Compares two locations of predictions. Raises VlmkitError if they do not answer the same questions."""
    first, second = read_predictions(a), read_predictions(b)
    pairs, notes = _joined(first, second, a, b)
    by_skill = grouped([one for one, _ in pairs]).get("skill", {})
    partner = {pair[0].place: pair for pair in pairs}
    skills = {name: _difference([partner[one.place] for one in ones], seed) for name, ones in by_skill.items()}
    return Comparison(a, b, _difference(pairs, seed), skills, (*notes, *_protocol_notes(a, b)))


def _difference(pairs: Sequence[Pair], seed: int) -> Difference:
    a, b, pictures = [one.correct for one, _ in pairs], [two.correct for _, two in pairs], [x.picture for x, _ in pairs]
    test = paired_test(a, b, pictures, seed)
    return Difference(
        len(pairs),
        len(set(pictures)),
        sum(a) / len(a),
        sum(b) / len(b),
        test.difference,
        test.low,
        test.high,
        test.p,
        smallest_difference(a, b, pictures),
    )


def _joined(first: Sequence[Marked], second: Sequence[Marked], a: str, b: str) -> tuple[list[Pair], list[str]]:
    """Pairs by key or, where keys repeat between shards, by SHARD/KEY; what has no partner is counted."""
    named_a, named_b = {one.key: one for one in first}, {two.key: two for two in second}
    if (len(named_a), len(named_b)) != (len(first), len(second)):
        named_a, named_b = {one.place: one for one in first}, {two.place: two for two in second}
    pairs = [(one, named_b[name]) for name, one in named_a.items() if name in named_b]
    if not pairs:
        raise VlmkitError(f"{a} and {b} have no question in common", "compare predictions on the same benchmark")
    if other := next((one for one, two in pairs if one.answers != two.answers), None):
        raise VlmkitError(f"{a} and {b} answer different questions under {other.place}", "evaluate both on one set")
    alone = len(first) + len(second) - 2 * len(pairs)
    return pairs, [f"{alone:,} questions are in one of the two only, and left out"] if alone else []


def _protocol_notes(a: str, b: str) -> list[str]:
    """What was different in how the two were asked, as far as eval has left word of it."""
    first, second = _protocol(a), _protocol(b)
    if not first or not second:
        return []
    names = [name for name in first if name != "digest" and first[name] != second.get(name)]
    return [
        f"not asked in the same way: {name} is {_short(first[name])} and {_short(second.get(name))}" for name in names
    ]


def _short(value: Any) -> str:
    """A setting as a note has room for; of a digest its first digits."""
    text = str(value)
    return text if len(text) <= 40 else f"{text[:12]}…"


def _protocol(text: str) -> dict[str, Any]:
    folders = [location.folder for location in locate([text]) if location.folder]
    told = read_json(own_folder(folders[0]) / "scores.json") if folders else None
    protocol: dict[str, Any] = (told or {}).get("protocol", {})
    return protocol
