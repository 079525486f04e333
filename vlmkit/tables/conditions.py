"""Conditions over rows and `json` names, written in SQL: parsed by sqlglot, answered by duckdb."""

import atexit
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from vlmkit.errors import VlmkitError
from vlmkit.tables.rows import FIXED, as_text, column

_WITH_EXPONENT = re.compile(r"(\d+\.?\d*|\.\d+)[eE][+-]?([12]?\d|3[0-7])")  # a decimal of SQL has at most 38 digits
_HUGE = 10**308  # larger integers are too large for a float
_STUMBLES = (AttributeError, LookupError, RecursionError, TypeError, ValueError)  # sqlglot's, over nonsense such as {:}
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
        table = pa.table({f"c{place}": _column(name, values[name]) for place, name in enumerate(self.names)})
        try:
            _connection().register("rows", table)
            rows = _connection().execute(_query(self)).fetchall()
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
    sql = part.sql(dialect="duckdb", comments=False)
    names = {_name(column) for column in part.find_all(exp.Column)}
    if not names:
        raise VlmkitError(f"{sql} looks at no column", _HINT)
    return Condition(sql, tuple(sorted(names)))


def _name(column: exp.Column) -> Name:
    if column.table and (column.table != "json" or column.db):
        what = column.sql(dialect="duckdb")
        raise VlmkitError(
            f"{what}: only json. may stand before a name", "what lies deeper is written json.exif['make']"
        )
    return Name(column.name, in_json=column.table == "json")


@cache
def _parsed(text: str) -> exp.Expr:
    try:
        parsed = sqlglot.parse_one(text, into=exp.Condition, dialect="duckdb")
    except (sqlglot.errors.SqlglotError, *_STUMBLES) as error:
        raise VlmkitError(f"not a condition: {text}", _HINT) from error
    if not isinstance(parsed, exp.Condition) or parsed.find(
        exp.Query, exp.Star, exp.Columns, exp.ReadCSV, exp.AggFunc, exp.Window
    ):
        raise VlmkitError(f"not a condition on one sample: {text}", _HINT)
    return parsed.transform(_plain_number)


def _plain_number(node: exp.Expr) -> exp.Expr:
    """7e-1 as 0.7: SQL compares a float32 with a decimal as float32, but with a number with an exponent as double."""
    if isinstance(node, exp.Literal) and node.is_number and _WITH_EXPONENT.fullmatch(node.name):
        return exp.Literal.number(f"{Decimal(node.name):f}")
    return node


@cache
def _query(condition: Condition) -> str:
    """The question to a table `rows` whose columns are c0, c1, … in the order of the condition's names."""
    places = {name: f"c{place}" for place, name in enumerate(condition.names)}
    holds = f"({_parsed(condition.sql).transform(_place, places).sql(dialect='duckdb')})::BOOLEAN"
    # WHERE, which lets every row pass, has duckdb refuse what looks at more than one of them.
    return f"SELECT {holds} FROM rows WHERE {holds} OR TRUE"


def _place(node: exp.Expr, places: Mapping[Name, str]) -> exp.Expr:
    if isinstance(node, exp.Column):
        return exp.column(places[_name(node)])
    return node


def _column(name: Name, values: list[Any]) -> Any:
    """Rows hold float32 and strings; whatever else stands under a name comes from `json` and keeps its type."""
    if not name.in_json and (name.name in FIXED or any(isinstance(value, float) for value in values)):
        return column(name.name, values)
    try:
        return pa.array(values, from_pandas=True)  # a NaN in json is no value
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):
        return _mixed_column(values)


def _mixed_column(values: list[Any]) -> Any:
    """What has no type of its own, such as numbers in one sample and strings in the next: lists of texts, or texts."""
    if all(value is None or isinstance(value, int | float) for value in values):
        return pa.array([_float(value) for value in values], pa.float64(), from_pandas=True)
    if all(value is None or isinstance(value, list) for value in values):
        return pa.array([value and [as_text(item) for item in value] for value in values], pa.list_(pa.string()))
    return pa.array([as_text(value) for value in values], pa.string())


def _float(value: float | None) -> float | None:
    return float(max(-_HUGE, min(_HUGE, value))) if isinstance(value, int) else value


@cache
def _connection() -> Any:
    """Kept, since opening takes 25 ms and a condition on a thousand rows one. One thread: jobs run a process for every
    core. Let go of before the interpreter ends, or nanobind writes to stderr what it takes for leaks.
    """
    atexit.register(_connection.cache_clear)
    return duckdb.connect(config={"threads": 1, "enable_external_access": False})
