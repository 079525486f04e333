"""The commands of a history as the report tells them. Histories also come in streams, from anywhere, so nothing is
taken for granted about their shape."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vlmkit.jobs.counts import Counts

_STAGES_SHOWN = 40
_REASONS_SHOWN = 20
_LARGEST = 1 << 62


@dataclass(frozen=True)
class Share:
    """How many samples went under one reason; `of` is the number of samples that came in."""

    text: str
    count: int
    of: int

    @property
    def percent(self) -> float:
        return min(100.0, 100 * self.count / self.of) if self.of > 0 else 0.0


@dataclass(frozen=True)
class Stage:
    """One command: what came in, what went out, and why the rest did not, the most frequent reason first."""

    command: str
    command_line: str
    samples_in: int
    samples_out: int
    reasons: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, entry: Mapping[str, Any], counts: Counts) -> "Stage":
        """The command that has just been done."""
        return cls(entry["command"], entry["command_line"], counts.samples_in, counts.samples_out, counts.reasons)

    @classmethod
    def told(cls, entry: Mapping[str, Any]) -> "Stage":
        """A command as a history tells of it; what it does not tell is empty or 0."""
        counts = _mapping(entry.get("counts"))
        reasons = {reason: _count(number) for reason, number in _mapping(counts.get("reasons")).items()}
        return cls(
            str(entry.get("command", "?")),
            str(entry.get("command_line", "")),
            _count(counts.get("samples_in")),
            _count(counts.get("samples_out")),
            reasons,
        )

    @property
    def out(self) -> Share:
        return Share("kept", self.samples_out, self.samples_in)

    @property
    def dropped(self) -> list[Share]:
        """The reasons that are shown one by one; what is left is one last share."""
        ranked = Counter(self.reasons).most_common()
        shown = [Share(reason, count, self.samples_in) for reason, count in ranked[:_REASONS_SHOWN]]
        if rest := ranked[_REASONS_SHOWN:]:
            shown.append(Share(f"{len(rest):,} other reasons", sum(n for _, n in rest), self.samples_in))
        return shown


def stages_before(before: Sequence[Any], earlier: Sequence[Any]) -> list[Stage]:
    """The commands before this one, oldest first: those of the input folders, then those of the streams. The latest
    are shown if there are very many."""
    told = [*before, *(entry for entry in earlier if entry not in before)]
    return [Stage.told(entry) for entry in told if isinstance(entry, Mapping)][-_STAGES_SHOWN:]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _count(value: Any) -> int:
    return min(max(value, 0), _LARGEST) if isinstance(value, int) else 0
