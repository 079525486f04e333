"""Results as lines of text: for a terminal of 80 columns, and for a log."""

from collections.abc import Sequence

from vlmkit.evaluation.comparison import Comparison
from vlmkit.evaluation.scores import Score, Scores


def score_lines(scores: Scores) -> list[str]:
    """Every score with its interval, and what always giving the most frequent answer would get."""
    header = ("", "questions", "pictures", "score", "95 % interval", "constant answer")
    rows = [
        (name, f"{s.samples:,}", f"{s.pictures:,}", f"{s.score:.3f}", f"{s.low:.3f} to {s.high:.3f}", _constant(s))
        for name, s in scores.lines()
    ]
    return aligned([header, *rows])


def comparison_lines(comparison: Comparison) -> list[str]:
    """The verdict, every difference with its interval, and what makes the two hard to compare."""
    header = ("", "questions", "A", "B", "B - A", "95 % interval", "p", "shows from")
    rows = [
        (
            name,
            f"{d.samples:,}",
            f"{d.a:.3f}",
            f"{d.b:.3f}",
            f"{d.difference:+.3f}",
            f"{d.low:+.3f} to {d.high:+.3f}",
            f"{d.p:.4f}",
            f"{d.smallest:.3f}",
        )
        for name, d in comparison.lines()
    ]
    names = [f"A: {comparison.a}", f"B: {comparison.b}"]
    return [*names, *aligned([header, *rows]), comparison.verdict(), *(f"note: {note}" for note in comparison.notes)]


def _constant(score: Score) -> str:
    return f"{score.constant:.3f} ({score.always})" if score.always else ""


def aligned(rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> list[str]:
    """Cells under one another: to the right, but for the columns in `left`."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines
