"""vlmkit compare: which of two models is better, and whether that could be chance."""

import json
from typing import Annotated

import typer

from vlmkit.commands.shared import command


@command(example="vlmkit compare predictions-before/ predictions-after/")
def compare(
    first: Annotated[str, typer.Argument(metavar="A", show_default=False, help="Predictions, as vlmkit eval writes.")],
    second: Annotated[str, typer.Argument(metavar="B", show_default=False, help="Others, on the same questions.")],
    seed: Annotated[int, typer.Option(help="Of the intervals and the test.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")] = False,
) -> int:
    """Compare two sets of predictions on the same questions by a paired test, over all and by skill.

    Intervals and p-values allow for questions that share a picture. The last column is the smallest difference that so
    many questions would show.
    """
    from vlmkit.evaluation.comparison import compare
    from vlmkit.evaluation.tables import comparison_lines

    comparison = compare(first, second, seed)
    if as_json:
        print(json.dumps(comparison.as_json()))
        return 0
    for line in comparison_lines(comparison):
        print(line)
    return 0
