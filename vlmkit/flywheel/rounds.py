"""One round after another: evaluate, diagnose, target, mix with replay, train two arms, decide."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from vlmkit.errors import VlmkitError
from vlmkit.evaluation.predictions import read_predictions
from vlmkit.evaluation.scores import score_of
from vlmkit.flywheel.diagnose import Weakness, weaknesses
from vlmkit.flywheel.gate import decide
from vlmkit.flywheel.held_out import NotHeldOut, held_out_questions
from vlmkit.flywheel.ledger import Ledger, Round
from vlmkit.flywheel.shell import Say, Shell
from vlmkit.jobs.job import run_step
from vlmkit.jobs.options import JobOptions
from vlmkit.jobs.plan import Plan, freeze
from vlmkit.shards.dataset import manifest_path, read_json
from vlmkit.shards.locations import locate


@dataclass(frozen=True)
class Settings:
    """What decides the loop. `budget` is how many samples each arm of a round trains on, of which the share `replay`
    is drawn at random from what the model has been trained on before: `replay_from`, and what accepted rounds fed. Of
    the test and development sets so many questions are asked in each round, the same ones.
    """

    model: str
    pool: str
    replay_from: str
    dev: str
    test: str
    rounds: int
    budget: int
    replay: float
    skills: int
    dev_samples: int
    test_samples: int
    lr: float | None
    batch_size: int
    seed: int

    def __post_init__(self) -> None:
        if not 0 <= self.replay < 1:
            raise VlmkitError(f"--replay-share {self.replay} leaves nothing to feed", "give a share from 0 to below 1")


def run_rounds(settings: Settings, work: Path, device: str | None, say: Say) -> list[Round]:
    """Runs the rounds that the ledger lacks; returns all. Raises VlmkitError, and RunAgain if interrupted."""
    for location in (settings.pool, settings.replay_from, settings.dev, settings.test):
        locate([location])  # a wrong path shows before any work
    freeze(Plan("flywheel", asdict(settings), ()), work)
    loop = _Loop(settings, work, device, Ledger(work), say)
    loop.prepare()
    while len(rounds := loop.ledger.rounds()) < settings.rounds:
        loop.round(len(rounds) + 1, rounds)
    return rounds


@dataclass(frozen=True)
class _Loop:
    settings: Settings
    work: Path
    device: str | None
    ledger: Ledger
    say: Say

    def prepare(self) -> None:
        """Takes the held-out questions out of everything that may be trained on, and draws the fixed subsets."""
        s = self.settings
        held_out = held_out_questions([s.dev, s.test])
        for source, name in ((s.pool, "pool"), (s.replay_from, "replay")):
            run_step(NotHeldOut(held_out), [source], str(self.work / name), JobOptions(quiet=True))
        shell = Shell(self.say)
        shell.run("mix", s.dev, self.work / "dev", "--samples", s.dev_samples, "--seed", s.seed)
        shell.run("mix", s.test, self.work / "test", "--samples", s.test_samples, "--seed", s.seed)

    def round(self, number: int, before: Sequence[Round]) -> None:
        s, shell, room = self.settings, Shell(self.say), self._room(number)
        model = before[-1].next_model if before else s.model
        dev, as_it_was = self._answers(shell, model, room, before)
        found = weaknesses(read_predictions(dev))
        skills = self._chosen(found, before)
        self.say(f"round {number}: {_said(found)}; feeding {', '.join(skills)}")
        self._feed(shell, room, number, skills, before)
        tests = {"before": as_it_was}
        for arm in ("control", "targeted"):
            self._train(shell, room, arm, model, number)
            tests[arm] = self._eval(shell, f"path:{room / arm}", "test", room / f"test-{arm}")
        decision = decide(tests["before"], tests["control"], tests["targeted"], s.seed)
        self.ledger.add(
            Round(
                number,
                model,
                tuple(asdict(weakness) for weakness in found),
                tuple(skills),
                {name: _score(path) for name, path in tests.items()},
                decision.accepted,
                decision.because,
                f"path:{room / 'targeted'}" if decision.accepted else model,
                dev,
                tests,
                tuple(shell.lines),
            )
        )
        self.say(f"round {number}: {'accepted' if decision.accepted else 'rejected'}: {decision.because}")

    def _answers(self, shell: Shell, model: str, room: Path, before: Sequence[Round]) -> tuple[str, str]:
        """Where the model's answers to the development and the test questions are: those that an earlier round has
        asked it are not asked again."""
        last = before[-1] if before else None
        if last is not None and not last.accepted:
            return last.dev, last.tests["before"]
        dev = self._eval(shell, model, "dev", room / "dev")
        return dev, last.tests["targeted"] if last else self._eval(shell, model, "test", room / "test-before")

    def _chosen(self, found: Sequence[Weakness], before: Sequence[Round]) -> list[str]:
        """The weakest skills that have not been tried in vain since the last accepted round."""
        tried: set[str] = set()
        for done in before:
            tried = set() if done.accepted else tried | set(done.skills)
        left = [weakness.skill for weakness in found if weakness.skill not in tried]
        return (left or [weakness.skill for weakness in found])[: self.settings.skills]

    def _feed(self, shell: Shell, room: Path, number: int, skills: Sequence[str], before: Sequence[Round]) -> None:
        """Two recipes of one budget with the same replay: samples of the skills, and samples drawn at random."""
        names = ", ".join("'" + skill.replace("'", "''") + "'" for skill in skills)
        shell.run("filter", self.work / "pool", room / "found", "--where", f"skill IN ({names})")
        s = self.settings
        for arm, source in (("targeted", room / "found"), ("control", self.work / "pool")):
            parts = [f"{source}@{1 - s.replay:g}", *self._replayed(before)]
            shell.run("mix", *parts, room / f"{arm}.yaml", "--samples", s.budget, "--seed", s.seed + number)

    def _replayed(self, before: Sequence[Round]) -> list[str]:
        """What the model has been trained on, with the weight of each: the replay set, and what accepted rounds fed.
        Without the latter the next round would unlearn it."""
        s, start = self.settings, self.work / "replay"
        sizes = {start: float((read_json(manifest_path(start)) or {})["counts"]["samples_out"])}
        sizes |= {self._room(done.number) / "found": s.budget * (1 - s.replay) for done in before if done.accepted}
        whole = sum(sizes.values())
        return [f"{place}@{s.replay * size / whole:g}" for place, size in sizes.items()] if s.replay else []

    def _room(self, number: int) -> Path:
        return self.work / f"round-{number:02d}"

    def _train(self, shell: Shell, room: Path, arm: str, model: str, number: int) -> None:
        s = self.settings
        rate = ["--lr", s.lr] if s.lr is not None else []
        device = ["--device", self.device] if self.device else []
        words = ["--model", model, "--batch-size", s.batch_size, "--seed", s.seed + number, *rate, *device]
        shell.run("train", room / f"{arm}.yaml", room / arm, *words)

    def _eval(self, shell: Shell, model: str, questions: str, target: Path) -> str:
        device = ["--device", self.device] if self.device else []
        shell.run("eval", model, self.work / questions, target, *device)
        return str(target)


def _score(predictions: str) -> tuple[float, float, float]:
    score = score_of(read_predictions(predictions))
    return score.score, score.low, score.high


def _said(found: Sequence[Weakness]) -> str:
    return ", ".join(f"{w.skill} {w.score:.3f}" for w in found)
