"""What a round asks, and what it feeds: nothing that an earlier round has answered, nothing that it tried in vain."""

import json
from pathlib import Path

import pytest

from vlmkit.errors import VlmkitError
from vlmkit.flywheel.diagnose import Weakness
from vlmkit.flywheel.ledger import Ledger, Round
from vlmkit.flywheel.rounds import Settings, _Loop
from vlmkit.flywheel.shell import Shell
from vlmkit.shards.dataset import manifest_path

PLACES = {"pool": "pool", "replay_from": "replay", "dev": "dev", "test": "test"}
SIZES = {"rounds": 3, "budget": 8, "dev_samples": 8, "test_samples": 8, "batch_size": 8}


def settings(replay: float = 0.5, skills: int = 1) -> Settings:
    return Settings(model="path:first", **PLACES, **SIZES, replay=replay, skills=skills, lr=None, seed=0)


class Written(Shell):
    """Collects command lines and runs none."""

    def run(self, *words: object) -> None:
        self.lines.append(" ".join(map(str, words)))


def round_of(number: int, accepted: bool, skill: str = "a") -> Round:
    scores = dict.fromkeys(("before", "control", "targeted"), (0.5, 0.4, 0.6))
    tests = {name: f"round {number} {name}" for name in scores}
    return Round(number, "path:m", (), (skill,), scores, accepted, "why", "path:n", f"round {number} dev", tests, ())


@pytest.fixture
def loop(tmp_path: Path) -> _Loop:
    return _Loop(settings(), tmp_path, None, Ledger(tmp_path), print)


def test_the_first_round_asks_both_sets(loop: _Loop, tmp_path: Path) -> None:
    shell = Written(print)
    answers = loop._answers(shell, "path:first", tmp_path / "round-01", [])
    assert answers == (str(tmp_path / "round-01/dev"), str(tmp_path / "round-01/test-before"))
    assert [line.split()[:2] for line in shell.lines] == [["eval", "path:first"]] * 2


def test_an_accepted_model_is_asked_the_development_questions_alone(loop: _Loop, tmp_path: Path) -> None:
    shell = Written(print)
    answers = loop._answers(shell, "path:n", tmp_path / "round-02", [round_of(1, accepted=True)])
    assert answers == (str(tmp_path / "round-02/dev"), "round 1 targeted")
    assert len(shell.lines) == 1


def test_after_a_rejected_round_nothing_is_asked_again(loop: _Loop, tmp_path: Path) -> None:
    shell = Written(print)
    answers = loop._answers(shell, "path:m", tmp_path / "round-02", [round_of(1, accepted=False)])
    assert answers == ("round 1 dev", "round 1 before")
    assert shell.lines == []


def test_a_skill_that_was_fed_in_vain_makes_way_until_the_model_has_changed(loop: _Loop) -> None:
    found = [Weakness(skill, 10, 0.5, 0.4, 0.6, 0.1) for skill in ("a", "b")]
    assert loop._chosen(found, []) == ["a"]
    assert loop._chosen(found, [round_of(1, accepted=False)]) == ["b"]
    assert loop._chosen(found, [round_of(1, accepted=False), round_of(2, accepted=False, skill="b")]) == ["a"]
    assert loop._chosen(found, [round_of(1, accepted=False), round_of(2, accepted=True, skill="b")]) == ["a"]


def test_replay_is_what_the_model_has_been_trained_on_rejected_rounds_left_out(loop: _Loop, tmp_path: Path) -> None:
    counts = {"counts": {"samples_out": 12}}
    manifest_path(tmp_path / "replay").parent.mkdir(parents=True)
    manifest_path(tmp_path / "replay").write_text(json.dumps(counts))
    before = [round_of(1, accepted=True), round_of(2, accepted=False)]
    assert loop._replayed([]) == [f"{tmp_path}/replay@0.5"]
    assert loop._replayed(before) == [f"{tmp_path}/replay@0.375", f"{tmp_path}/round-01/found@0.125"]


def test_the_ledger_reads_what_it_wrote(tmp_path: Path) -> None:
    ledger, rounds = Ledger(tmp_path), [round_of(1, accepted=True), round_of(2, accepted=False)]
    for done in rounds:
        ledger.add(done)
    assert ledger.rounds() == rounds


def test_nothing_but_replay_is_no_round() -> None:
    with pytest.raises(VlmkitError, match="leaves nothing to feed"):
        settings(replay=1.0)
