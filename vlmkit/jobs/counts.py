"""What came in, what went out, and why the rest did not: for a shard, a stage of a pipe, a whole job."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass
class Counts:
    """`bad` samples could not be read or decoded; `damage` tells of tars that were cut off or overwritten.

    `earlier` holds the manifests, with their counts, of the commands that wrote the streams that were read.
    """

    samples_in: int = 0
    samples_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    bad: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    damage: list[str] = field(default_factory=list)
    earlier: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    @classmethod
    def total(cls, parts: Iterable["Counts"]) -> "Counts":
        whole = cls()
        for part in parts:
            whole.samples_in += part.samples_in
            whole.samples_out += part.samples_out
            whole.bytes_in += part.bytes_in
            whole.bytes_out += part.bytes_out
            whole.bad += part.bad
            whole.reasons += part.reasons
            whole.notes += part.notes
            whole.damage += part.damage
            whole.earlier += [entry for entry in part.earlier if entry not in whole.earlier]
            whole.seconds += part.seconds
        return whole

    def since(self, before: "Counts") -> "Counts":
        """What has been counted since the copy `before` was taken."""
        return Counts(
            self.samples_in - before.samples_in,
            self.samples_out - before.samples_out,
            self.bytes_in - before.bytes_in,
            self.bytes_out - before.bytes_out,
            self.bad - before.bad,
            self.reasons - before.reasons,
            self.notes - before.notes,
            self.damage[len(before.damage) :],
            self.earlier[len(before.earlier) :],
        )

    def without_times(self) -> dict[str, Any]:
        """For streams, whose bytes must not depend on when they were written."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("seconds", "earlier")}
        return {**plain, "reasons": dict(self.reasons), "notes": dict(self.notes)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Counts":
        known = {name: value[name] for name in cls.__dataclass_fields__ if name in value}
        return cls(**{**known, "reasons": Counter(known.get("reasons")), "notes": Counter(known.get("notes"))})

    def as_json(self) -> dict[str, Any]:
        return {**self.without_times(), "earlier": self.earlier, "seconds": round(self.seconds, 3)}

    def too_bad(self, max_bad: float) -> bool:
        """Whether more was unreadable than the user allows: bad samples over samples seen, or any damaged tar."""
        return bool(self.damage) or self.bad > max_bad * max(self.samples_in, 1)
