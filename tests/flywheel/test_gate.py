"""The gate accepts what is proved, and says in words and numbers why it rejects."""

import json
from pathlib import Path

import pytest

from vlmkit.flywheel.gate import Decision, decide
from vlmkit.shards.sample import new_sample
from vlmkit.shards.writer import TarWriter

QUESTIONS = 400


def predictions(folder: Path, right: dict[str, float]) -> str:
    """Predictions with so great a share of each skill's QUESTIONS right; the easiest questions first."""
    folder.mkdir(parents=True)
    with open(folder / "00000.tar", "wb") as file:
        tar = TarWriter(file)
        for skill, share in right.items():
            for number in range(QUESTIONS):
                meta = {"prediction": "x", "metric": "exact", "correct": float(number < share * QUESTIONS)}
                meta |= {"answer": ["x"], "skill": skill, "image_id": f"{skill} {number}"}
                tar.write(new_sample(f"{skill}-{number}", {"json": json.dumps(meta).encode()}))
        tar.close()
    return str(folder)


def decided(room: Path, before: dict[str, float], control: dict[str, float], targeted: dict[str, float]) -> Decision:
    arms = {"before": before, "control": control, "targeted": targeted}
    return decide(*(predictions(room / name, right) for name, right in arms.items()))


def test_what_beats_the_control_and_the_model_before_is_accepted(tmp_path: Path) -> None:
    decision = decided(tmp_path, {"a": 0.2, "b": 0.8}, control={"a": 0.4, "b": 0.8}, targeted={"a": 0.7, "b": 0.8})
    assert decision.accepted
    assert decision.because.startswith("targeted data beat as much random data, the model is better, and no skill")
    assert decision.against_control.overall.difference == pytest.approx(0.15)
    assert "against control +0.150 [" in decision.because
    assert "against before +0.250 [" in decision.because


def test_what_is_no_better_than_as_much_random_data_is_rejected(tmp_path: Path) -> None:
    decision = decided(tmp_path, {"a": 0.2, "b": 0.8}, control={"a": 0.7, "b": 0.8}, targeted={"a": 0.7, "b": 0.8})
    assert not decision.accepted
    assert decision.because.startswith("targeted data did not beat as much random data (")


def test_what_is_no_better_than_before_is_rejected_though_it_beats_the_control(tmp_path: Path) -> None:
    decision = decided(tmp_path, {"a": 0.5, "b": 0.8}, control={"a": 0.2, "b": 0.8}, targeted={"a": 0.5, "b": 0.8})
    assert not decision.accepted
    assert decision.because.startswith("the model is no better than it was (")


def test_a_gain_does_not_pay_for_a_skill_that_has_fallen(tmp_path: Path) -> None:
    decision = decided(tmp_path, {"a": 0.2, "b": 0.8}, control={"a": 0.2, "b": 0.8}, targeted={"a": 0.9, "b": 0.7})
    assert not decision.accepted
    assert decision.because.startswith("skills have fallen: b -0.100 [")


def test_the_number_of_skills_is_allowed_for(tmp_path: Path) -> None:
    """Seven of 400 questions lost and none gained is p = 1/64: a fall among two skills, noise among nine."""
    others = {f"skill {number}": 0.5 for number in range(7)}
    before, after = {"gained": 0.2, "fell": 0.5}, {"gained": 0.9, "fell": 0.4825}
    of_two = decided(tmp_path / "two", before, control=before, targeted=after)
    of_nine = decided(tmp_path / "nine", before | others, control=before | others, targeted=after | others)
    assert of_nine.against_before.skills["fell"].p == pytest.approx(1 / 64, abs=0.005)
    assert not of_two.accepted
    assert of_nine.accepted
