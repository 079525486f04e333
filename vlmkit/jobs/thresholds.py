"""The thresholds in a job's conditions, such as 0.28 in `clip >= 0.28`: where to draw the line in a histogram."""

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
    """The plain comparisons among the `conditions` of a job. `clip` stands for the column `clip:MODEL` that the job
    scored, else for the one that it found."""
    resolved = [*options.get("scores", ()), *columns]
    found = []
    for sql in options.get("conditions", ()):
        for name, operator, value in _comparisons(sqlglot.parse_one(sql, into=exp.Condition, dialect="duckdb")):
            column = next((c for c in resolved if c.startswith(f"{name}:")), None)
            column = name if name in columns and column not in options.get("scores", ()) else column
            if column in columns:
                found.append(Threshold(column, operator, value))
    return found


def _comparisons(condition: exp.Expr) -> Iterator[tuple[str, str, float]]:
    """Name, operator and number of a plain comparison, with the name on the left; two of BETWEEN; none of the rest."""
    if isinstance(condition, exp.Between):
        sides = [(">=", condition.this, condition.args["low"]), ("<=", condition.this, condition.args["high"])]
    elif operator := _OPERATORS.get(type(condition)):
        left, right = condition.this, condition.expression
        sides = [(operator, left, right), (_TURNED[operator], right, left)]
    else:
        sides = []
    for operator, name, number in sides:
        if isinstance(name, exp.Column) and not name.table and number.is_number:
            value = float(number.sql())
            if math.isfinite(value):
                yield name.name, operator, value
