"""The rounds as a table: for a terminal of 80 columns, and for a log."""

from collections.abc import Sequence

from vlmkit.flywheel.ledger import Round


def round_lines(rounds: Sequence[Round]) -> list[str]:
    """Each round: what was fed, the scores on the held-out questions with intervals, the decision and why."""
    lines = []
    for done in rounds:
        lines.append(
            f"round {done.number}: {'accepted' if done.accepted else 'rejected'}, fed {', '.join(done.skills)}"
        )
        for name, (score, low, high) in done.scores.items():
            lines.append(f"  {name:<9} {score:.3f}  [{low:.3f}, {high:.3f}]")
        lines.append(f"  {done.because}")
    return lines
