"""The rounds as a table: for a terminal of 80 columns, and for a log."""

from collections.abc import Sequence

from vlmkit.evaluation.tables import aligned
from vlmkit.flywheel.ledger import Round


def round_lines(rounds: Sequence[Round]) -> list[str]:
    """Each round: what was fed, the scores on the held-out questions with intervals, the decision; then why."""
    rows = [("round", "model", "score", "95 % interval", "decision")]
    for done in rounds:
        decision = f"{'accepted' if done.accepted else 'rejected'}, fed {', '.join(done.skills)}"
        for name, (score, low, high) in done.scores.items():
            interval = f"{low:.3f} to {high:.3f}"
            rows.append((str(done.number), name, f"{score:.3f}", interval, decision if name == "targeted" else ""))
    return [*aligned(rows, left=(0, 1, 4)), *(f"round {done.number}: {done.because}" for done in rounds)]
