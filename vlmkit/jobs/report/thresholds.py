"""The thresholds in a job's conditions, such as 0.28 in `clip >= 0.28`: where a histogram shows a line."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp

_OPERATORS: dict[type[exp.Expr], str] = {exp.GTE: ">=", exp.GT: ">", exp.LTE: "<=", exp.LT: "<"}
_TURNED = {">=": "<=", ">": "<", "<=": ">=", "<": ">"}
_SIGNS = {">=": "≥", "<=": "≤"}


@dataclass(frozen=True)
class Threshold:
    """One comparison of a column with a number; what holds is kept."""

    column: str
    operator: str
    value: float

    @property
    def sign(self) -> str:
        return _SIGNS.get(self.operator, self.operator)

    def edge(self, whole: bool) -> float:
        """Where kept and dropped part. Bins of whole numbers begin at their number, so `<= 5` parts at 6."""
        beyond = whole and self.value.is_integer() and self.operator in ("<=", ">")
        return self.value + 1 if beyond else self.value


def find_thresholds(options: Mapping[str, Any], columns: Sequence[str]) -> list[Threshold]:
    """The plain comparisons among a job's `conditions`. `clip` stands for the `clip:MODEL` among the job's `scores`,
    else for the column of that name, else for the `clip:MODEL` that the input carried."""
    found = []
    for name, operator, value in _comparisons(options.get("conditions") or ()):
        meant = (c for c in (*(options.get("scores") or ()), name, *columns) if c == name or c.startswith(f"{name}:"))
        column = next((c for c in meant if c in columns), None)
        if column:
            found.append(Threshold(column, operator, value))
    return found


def _comparisons(conditions: Sequence[str]) -> Iterator[tuple[str, str, float]]:
    """Name, operator and number of each plain comparison; of BETWEEN two; of other conditions none."""
    for sql in conditions:
        for operator, name, number in _sides(_parsed(sql)):
            if isinstance(name, exp.Column) and not name.table and number.is_number:
                value = float(number.to_py())
                if math.isfinite(value):
                    yield name.name, operator, value


def _parsed(sql: str) -> exp.Expr:
    try:
        return sqlglot.parse_one(sql, into=exp.Condition, dialect="duckdb")
    except sqlglot.errors.SqlglotError:  # a command of another package may call something else its conditions
        return exp.Null()


def _sides(condition: exp.Expr) -> list[tuple[str, exp.Expr, exp.Expr]]:
    """A comparison read from the left, and read from the right."""
    if isinstance(condition, exp.Between):
        return [(">=", condition.this, condition.args["low"]), ("<=", condition.this, condition.args["high"])]
    operator = _OPERATORS.get(type(condition))
    if operator is None:
        return []
    left, right = condition.this, condition.expression
    return [(operator, left, right), (_TURNED[operator], right, left)]
