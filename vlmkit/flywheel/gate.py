"""Accept or reject: by a paired test against a control that was given as much, and against the model as it was."""

from dataclasses import dataclass

from vlmkit.evaluation.comparison import SIGNIFICANT, Comparison, Difference, compare


@dataclass(frozen=True)
class Decision:
    """`because` says it in words and numbers."""

    accepted: bool
    because: str
    against_control: Comparison
    against_before: Comparison


def decide(before: str, control: str, targeted: str, seed: int = 0) -> Decision:
    """Looks at the held-out predictions of the model as it was and of both arms. The targeted arm is accepted if it is
    better than the control arm and better than before, each beyond noise, and no skill has fallen beyond noise; for
    that the many skills are allowed for (Bonferroni: of n skills each is tested at 0.05 / n).
    """
    against_control, against_before = compare(control, targeted, seed), compare(before, targeted, seed)
    skills = against_before.skills
    fallen = [f"{skill} {_numbers(d)}" for skill, d in skills.items() if _is_worse(d, len(skills))]
    reasons = [
        *([] if _is_better(against_control.overall) else ["targeted data did not beat as much random data"]),
        *([] if _is_better(against_before.overall) else ["the model is no better than it was"]),
        *(["skills have fallen: " + ", ".join(fallen)] if fallen else []),
    ]
    numbers = f"against control {_numbers(against_control.overall)}, against before {_numbers(against_before.overall)}"
    words = "; ".join(reasons) or "targeted data beat as much random data, the model is better, and no skill has fallen"
    return Decision(not reasons, f"{words} ({numbers})", against_control, against_before)


def _is_better(difference: Difference) -> bool:
    return difference.significant and difference.difference > 0


def _is_worse(difference: Difference, of: int) -> bool:
    return difference.p < SIGNIFICANT / of and difference.difference < 0


def _numbers(difference: Difference) -> str:
    return f"{difference.difference:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}], p = {difference.p:.2g}"
