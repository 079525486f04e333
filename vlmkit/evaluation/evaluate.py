"""Runs eval: shards to predictions, predictions to scores."""

import importlib.util
import os
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from vlmkit.errors import VlmkitError
from vlmkit.evaluation.export import command_line, export_task
from vlmkit.evaluation.predict import Predict
from vlmkit.evaluation.predictions import read_predictions
from vlmkit.evaluation.protocol import Protocol
from vlmkit.evaluation.questions import Question, question_of
from vlmkit.evaluation.scores import Scores, write_scores
from vlmkit.jobs.counts import Counts
from vlmkit.jobs.inputs import read_shard, shard_inputs
from vlmkit.jobs.job import is_folder, run_step
from vlmkit.jobs.options import JobOptions
from vlmkit.jobs.step import Dropped
from vlmkit.models.names import ModelName
from vlmkit.shards.dataset import manifest_path
from vlmkit.shards.locations import Location, locate
from vlmkit.shards.paths import path_at

_LOOKED_AT = 100  # samples, one of which must be a question before a model is loaded


@dataclass(frozen=True)
class Evaluation:
    """How a model is asked. `seed` is that of the intervals: the answers are greedy and need none."""

    model: ModelName
    max_new_tokens: int = 16
    batch_size: int = 64
    device: str | None = None
    seed: int = 0


@dataclass(frozen=True)
class Evaluated:
    """How it ended: the exit status, the scores if this run has seen the end of them, what else to tell the user."""

    status: int
    scores: Scores | None
    notes: tuple[str, ...] = ()


def run_eval(
    evaluation: Evaluation, benches: list[str], target: str, options: JobOptions, export: Path | None = None
) -> Evaluated:
    """Writes predictions and `.vlmkit/scores.json` into the folder `target`; `export` is where the lm-eval task goes.

    A run that was killed is taken up after its last whole shard. Raises VlmkitError for what the user can mend, before
    the model is loaded where that shows by then.
    """
    if not is_folder(target):
        raise VlmkitError(f"{target}: eval writes a folder", "name a folder; vlmkit cat makes a stream of it")
    if options.only_fields is not None and "json" not in options.only_fields.fields:
        raise VlmkitError(f"--only {options.only} leaves out json, where predictions stand", "name json as well")
    if importlib.util.find_spec("lm_eval") is None:
        raise VlmkitError("eval needs lm-eval, which is not installed", "pip install 'vlmkit[eval]'")
    locations = locate(benches)
    if export is not None and any(location.is_stream for location in locations):
        raise VlmkitError("--export-task names the shards, and - has none", "write the stream to a folder first")
    _check_questions(locations)
    _share_cores(options.workers)
    from vlmkit.evaluation.harness import chat_template_of

    protocol = Protocol.of(chat_template_of(evaluation.model), evaluation.max_new_tokens)
    step = Predict(evaluation.model, protocol, evaluation.device, evaluation.batch_size)
    status = run_step(step, benches, target, options)
    notes = () if export is None else (_exported(export, locations, step, options.limit),)
    if options.dry_run or not manifest_path(path_at(target)).exists():
        return Evaluated(status, None, notes)
    scores = Scores.of(read_predictions(target), evaluation.seed)
    write_scores(path_at(target), scores, _about(step, evaluation.seed))
    return Evaluated(status, scores, notes)


def _about(step: Predict, seed: int) -> dict[str, Any]:
    protocol = {**step.protocol.as_json(), "digest": step.protocol.digest}
    return {"model": str(step.model), "model_digest": step.model_digest, "protocol": protocol, "seed": seed}


def _exported(folder: Path, locations: list[Location], step: Predict, limit: int | None) -> str:
    from vlmkit.models.devices import pick_device

    path = export_task(folder, locations, step.protocol, limit)
    device = str(pick_device(step.device))
    return f"by hand: {command_line(path, step.model, step.protocol, step.batch_size, device)}"


def _share_cores(workers: int | None) -> None:
    """One process does the work, and its threads share the cores. They sleep while they wait: threads that spin, as
    OpenMP's do, make a small model ten times slower on a machine that has other work. Read when torch is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if workers in (None, 1):
        os.environ.setdefault("OMP_NUM_THREADS", str(len(os.sched_getaffinity(0))))


def _check_questions(locations: list[Location]) -> None:
    """Raises VlmkitError if there is none among the first samples."""
    files = [location for location in locations if not location.is_stream]
    samples = chain.from_iterable(read_shard(shard, Counts()) for shard in shard_inputs(files))
    looked = [item if isinstance(item, Dropped) else question_of(item) for item in islice(samples, _LOOKED_AT)]
    missing = [item for item in looked if not isinstance(item, Question)]
    if missing and len(missing) == len(looked):
        hint = "each sample needs an image, and json with messages (a user turn) and answer (a list of strings)"
        raise VlmkitError(f"{files[0].text} asks nothing: {missing[0].reason}", hint)
