"""Conditions over rows and `json` names, written in SQL: parsed by sqlglot, answered by duckdb."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from vlmkit.errors import VlmkitError
from vlmkit.tables.rows import column

_HINT = "a condition compares columns, such as: clip >= 0.28 AND words >= 3 (see vlmkit stats for the columns)"


@dataclass(frozen=True, order=True)
class Name:
    """A name in a condition. `json.NAME` reaches past an equally named column to the sample's `json`."""

    name: str
    in_json: bool = False

    def __str__(self) -> str:
        return f"json.{self.name}" if self.in_json else self.name


@dataclass(frozen=True)
class Condition:
    """One condition: `sql` is canonical and stands as the reason where it fails."""

    sql: str
    names: tuple[Name, ...] = field(compare=False)

    def answers(self, values: Mapping[Name, list[Any]]) -> list[bool | None]:
        """Whether the condition holds, for each of the rows whose values are given; None where a value is missing.

        Raises VlmkitError if the types don't allow the comparison.
        """
        places = {name: f"c{place}" for place, name in enumerate(self.names)}
        table = pa.table({places[name]: _column(name, values[name]) for name in self.names})
        query = _parsed(self.sql).transform(_place, places).sql(dialect="duckdb")
        try:
            rows = _connection().from_arrow(table).project(f"({query})::BOOLEAN").fetchall()
        except duckdb.Error as error:
            raise VlmkitError(f"{self.sql}: {str(error).splitlines()[0]}", _HINT) from error
        return [row[0] for row in rows]


def parse_conditions(text: str) -> list[Condition]:
    """The conditions that `text` joins by AND at its top level, in order. Raises VlmkitError if it is none."""
    parsed = _parsed(text)
    parts = parsed.flatten() if isinstance(parsed, exp.And) else [parsed]
    return [_condition(part.unnest()) for part in parts]


def pick_column(name: str, columns: frozenset[str]) -> str | None:
    """The column a name means: itself, or the one `NAME:MODEL`. Raises VlmkitError if two match."""
    if name in columns:
        return name
    matches = sorted(column for column in columns if column.startswith(f"{name}:"))
    if len(matches) > 1:
        quoted = " or ".join(f'"{match}"' for match in matches)
        raise VlmkitError(f"{name} could mean {' or '.join(matches)}", f"write {quoted} in the condition")
    return matches[0] if matches else None


def _condition(part: exp.Expr) -> Condition:
    names = {Name(column.name, in_json=column.table == "json"): None for column in part.find_all(exp.Column)}
    if not names:
        raise VlmkitError(f"{part.sql(dialect='duckdb')} looks at no column", _HINT)
    return Condition(part.sql(dialect="duckdb"), tuple(sorted(names)))


@cache
def _parsed(text: str) -> exp.Expr:
    try:
        parsed = sqlglot.parse_one(text, into=exp.Condition, dialect="duckdb")
    except sqlglot.errors.SqlglotError as error:
        raise VlmkitError(f"not a condition: {text}", _HINT) from error
    if not isinstance(parsed, exp.Condition) or parsed.find(exp.Query, exp.Star, exp.ReadCSV, exp.AggFunc):
        raise VlmkitError(f"not a condition on one sample: {text}", _HINT)
    return parsed


def _place(node: exp.Expr, places: Mapping[Name, str]) -> exp.Expr:
    if isinstance(node, exp.Column):
        return exp.column(places[Name(node.name, in_json=node.table == "json")])
    return node


def _column(name: Name, values: list[Any]) -> Any:
    if not name.in_json:
        return column(name.name, values)
    try:
        return pa.array(values, from_pandas=True)  # a NaN in json is no value
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # numbers in one sample and strings in the next
        return pa.array([None if value is None else str(value) for value in values])


@cache
def _connection() -> Any:
    """One thread: jobs run a process for every core, and a condition takes a millisecond a thousand rows."""
    return duckdb.connect(config={"threads": 1, "enable_external_access": False})
