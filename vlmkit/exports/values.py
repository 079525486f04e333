"""Types of JSON values: found by seeing all values of a dataset, and values made to fit them.

Tables, and readers that make a table of what they read, want one type under one name. A number that is a string
elsewhere, or a list where others have an object, becomes text: strings stay, anything else is written as JSON.
Null, infinity, and lists and objects of nothing else are no values: they stand for no type, and fit every one.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vlmkit.tables.rows import as_text

MOST_NAMES = 256  # in an object; one that has more is a dictionary of data, and becomes text
_EXACT = 1 << 53  # whole numbers up to here are exact as floating point
_LONGEST = 1 << 63
_INFINITE = (math.inf, -math.inf)  # 1e999 in JSON; no JSON can say it again

_NEUTRAL: dict[str, bool | int | float | str] = {"bool": False, "int": 0, "float": 0.0, "string": ""}
_SCALARS = {
    frozenset({"bool"}): "bool",
    frozenset({"int"}): "int",
    frozenset({"long"}): "int",
    frozenset({"int", "long"}): "int",
    frozenset({"float"}): "float",
    frozenset({"int", "float"}): "float",
    frozenset({"string"}): "string",
}


@dataclass(frozen=True)
class Scalar:
    """`bool`, `int` (64 bits), `float` (64 bits) or `string`; `mixed` names the place whose types differ."""

    kind: str
    mixed: str = ""

    @property
    def neutral(self) -> bool | int | float | str:
        return _NEUTRAL[self.kind]

    def fit(self, value: Any, fills: bool, notes: Counter[str]) -> Any:
        if value is None or value in _INFINITE or (isinstance(value, list | dict) and not self.mixed):
            return _filled(self.neutral, notes) if fills else None
        if self.kind == "float":
            return float(value)
        if self.kind == "string":
            if not isinstance(value, str):
                notes[f"values written as text, since their types differ: {self.mixed}"] += 1
            return as_text(value)
        return value


@dataclass(frozen=True)
class ListOf:
    item: "Type"

    @property
    def neutral(self) -> list[Any]:
        """One neutral item: an empty list has no type."""
        return [self.item.neutral]

    def fit(self, value: Any, fills: bool, notes: Counter[str]) -> Any:
        if not isinstance(value, list) or (fills and not value):
            return _filled(self.neutral, notes) if fills else None
        return [self.item.fit(item, fills, notes) for item in value]


@dataclass(frozen=True)
class ObjectOf:
    names: Mapping[str, "Type"]

    @property
    def neutral(self) -> dict[str, Any]:
        return {name: kind.neutral for name, kind in self.names.items()}

    def fit(self, value: Any, fills: bool, notes: Counter[str]) -> Any:
        """All names, in one order; what has no value gets a neutral one or null."""
        if not isinstance(value, dict):
            return _filled(self.neutral, notes) if fills else None
        return {name: kind.fit(value.get(name), fills, notes) for name, kind in self.names.items()}


Type = Scalar | ListOf | ObjectOf


@dataclass
class Seen:
    """All values that have stood in one place: which scalars, which items of lists, which names of objects."""

    scalars: set[str] = field(default_factory=set)
    item: "Seen | None" = None
    names: dict[str, "Seen"] | None = None

    def see(self, value: Any) -> None:
        if isinstance(value, dict):
            self.names = {} if self.names is None else self.names
            for name, inner in value.items():
                self._named(self.names, name).see(inner)
        elif isinstance(value, list):
            self.item = self.item or Seen()
            for inner in value:
                self.item.see(inner)
        elif value is not None and value not in _INFINITE:
            self.scalars.add(_scalar(value))

    def type_at(self, place: str) -> Type | None:
        """The type that fits them all, None if no value has been seen. `place` is what a note calls it."""
        inner = self.item.type_at(f"{place}[]") if self.item else None
        named = self._object_at(place)
        found = [kind for kind in (self._scalar_at(place), inner and ListOf(inner), named) if kind is not None]
        return found[0] if len(found) == 1 else Scalar("string", place) if found else None

    def _object_at(self, place: str) -> Type | None:
        if self.names is not None and len(self.names) > MOST_NAMES:
            return Scalar("string", place)
        at = {name: seen.type_at(f"{place}.{name}" if place else name) for name, seen in (self.names or {}).items()}
        known = {name: kind for name, kind in at.items() if kind is not None}
        return ObjectOf(known) if known else None

    def _scalar_at(self, place: str) -> Type | None:
        if not self.scalars:
            return None
        kind = _SCALARS.get(frozenset(self.scalars))
        return Scalar(kind) if kind else Scalar("string", place)

    def _named(self, names: dict[str, "Seen"], name: str) -> "Seen":
        if name in names:
            return names[name]
        if len(names) > MOST_NAMES:  # more are of no interest: it becomes text
            return Seen()
        return names.setdefault(name, Seen())


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if abs(value) <= _EXACT else "long" if -_LONGEST <= value < _LONGEST else "huge"
    return "float" if isinstance(value, float) else "string"


def _filled(neutral: Any, notes: Counter[str]) -> Any:
    notes["places in json without a value, filled with an empty one"] += 1
    return neutral
