"""vlmkit flywheel: the closed loop of diagnosis, targeted data and proof."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from vlmkit.commands.shared import Device, command, local_path


@command(
    example="vlmkit flywheel run path:model/ work/ --pool pool/ --replay start/ --dev dev/ --test test/",
    group="flywheel",
)
def run(
    model: Annotated[str, typer.Argument(metavar="MODEL", show_default=False, help="path:CHECKPOINT or hf:ORG/NAME.")],
    work: Annotated[
        Path, typer.Argument(metavar="WORK", parser=local_path, show_default=False, help="The folder of the loop.")
    ],
    pool: Annotated[str, typer.Option(show_default=False, help="What samples may be taken from.")],
    replay: Annotated[str, typer.Option(show_default=False, help="What the model has been trained on.")],
    dev: Annotated[str, typer.Option(show_default=False, help="Questions that the diagnosis looks at.")],
    test: Annotated[str, typer.Option(show_default=False, help="Held-out questions, for the decision alone.")],
    rounds: Annotated[int, typer.Option(min=1, help="How many rounds.")] = 2,
    budget: Annotated[int, typer.Option(min=1, help="Samples that each arm of a round is trained on.")] = 8000,
    replay_share: Annotated[float, typer.Option(help="Share of the budget that is replay.")] = 0.5,
    skills: Annotated[int, typer.Option(min=1, help="How many of the weakest skills a round feeds.")] = 1,
    dev_samples: Annotated[int, typer.Option(min=1, help="Questions of the diagnosis.")] = 2000,
    test_samples: Annotated[int, typer.Option(min=1, help="Questions of the decision.")] = 2000,
    lr: Annotated[float | None, typer.Option(help="Learning rate. Default: that of vlmkit train.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Samples of a training step.")] = 32,
    seed: Annotated[int, typer.Option(help="Of subsets, mixtures, training and tests.")] = 0,
    device: Device = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No words while it runs, and no closing table.")] = False,
) -> int:
    """Feed a model what it lacks, round after round, and keep only what a control proves.

    A round asks the development questions, finds the skill with the most to gain, takes matching samples from the pool,
    mixes them with replay, and trains on. A control arm gets as many random samples. A paired test on held-out
    questions accepts or rejects the round. WORK/rounds.jsonl has all of it; run again, it goes on where it stopped.
    """
    from vlmkit.flywheel.rounds import Settings, run_rounds
    from vlmkit.flywheel.tables import round_lines

    def say(line: str) -> None:
        if not quiet:
            print(line, file=sys.stderr, flush=True)

    settings = Settings(
        model,
        pool,
        replay,
        dev,
        test,
        rounds,
        budget,
        replay_share,
        skills,
        dev_samples,
        test_samples,
        lr,
        batch_size,
        seed,
    )
    done = run_rounds(settings, work, device, say)
    for line in round_lines(done):
        print(line)
    return 0


@command(example="vlmkit flywheel show work/", group="flywheel")
def show(
    work: Annotated[Path, typer.Argument(metavar="WORK", show_default=False, help="The folder of the loop.")],
) -> int:
    """Print the rounds that are done: scores on the held-out questions with intervals, decisions and why."""
    from vlmkit.errors import VlmkitError
    from vlmkit.flywheel.ledger import Ledger
    from vlmkit.flywheel.tables import round_lines

    rounds = Ledger(work).rounds()
    if not rounds:
        raise VlmkitError(f"{work} holds no rounds that are done", "vlmkit flywheel run MODEL WORK … makes them")
    for line in round_lines(rounds):
        print(line)
    return 0


GROUP = {"run": run, "show": show}
