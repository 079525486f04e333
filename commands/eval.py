"""vlmkit eval: asks a model the questions of a dataset, and says how many it gets right."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from vlmkit.commands.shared import BatchSize, Device, Job, command, local_path

Model = Annotated[
    str, typer.Argument(metavar="MODEL", show_default=False, help="path:CHECKPOINT or hf:ORG/NAME[@REVISION].")
]
Benches = Annotated[
    list[str],
    typer.Argument(
        metavar="BENCH...",
        show_default=False,
        help="Datasets whose samples have an image and, in json, messages and answer (a list of strings).",
    ),
]
Target = Annotated[str, typer.Argument(metavar="OUTPUT", show_default=False, help="A folder for the predictions.")]


@command(example="vlmkit eval path:checkpoint/ test/ predictions/")
def eval(
    model: Model,
    bench: Benches,
    target: Target,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 16,
    seed: Annotated[int, typer.Option(help="Of the intervals; the answers are greedy and need none.")] = 0,
    export_task: Annotated[
        Path | None,
        typer.Option(
            parser=local_path, metavar="FOLDER", help="Write the task into this folder too, for lm_eval --include_path."
        ),
    ] = None,
    device: Device = None,
    batch_size: BatchSize = 64,
    job: Job = Job(),  # noqa: B008
) -> int:
    """Ask a model the questions of a dataset by lm-eval: scores with intervals, and predictions as a dataset.

    The conversation is shown up to its last user turn. Each sample's json gets prediction, metric and correct (0 to 1);
    OUTPUT/.vlmkit/scores.json has the scores.
    """
    from vlmkit.evaluation.evaluate import Evaluation, run_eval
    from vlmkit.evaluation.tables import score_lines
    from vlmkit.models.names import ModelName

    evaluation = Evaluation(ModelName.parse(model), max_new_tokens, batch_size, device, seed)
    done = run_eval(evaluation, bench, target, job.options(), export_task)
    lines = score_lines(done.scores) if done.scores else []
    for line in [] if job.quiet else [*lines, *done.notes]:
        print(line, file=sys.stderr)
    if job.json and done.scores:
        print(json.dumps({"command": "eval", "scores": done.scores.as_json()}), file=sys.stderr)
    return done.status
