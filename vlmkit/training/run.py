"""One training run from its inputs to its output folder: begun, taken up again, or found done."""

import os
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

from vlmkit.errors import VlmkitError
from vlmkit.jobs.counts import Counts
from vlmkit.jobs.finish import already_done
from vlmkit.jobs.inputs import shard_inputs
from vlmkit.jobs.manifest import entry, history, lineage, write_manifest
from vlmkit.jobs.options import JobOptions
from vlmkit.jobs.plan import Plan, freeze_with_rejects, withdraw
from vlmkit.jobs.result import Result, closing
from vlmkit.mixture.plan import SamplePlan
from vlmkit.mixture.recipe import Recipe, read_recipe
from vlmkit.models.names import ModelName
from vlmkit.shards.dataset import manifest_path, read_json
from vlmkit.shards.locations import Location, locate
from vlmkit.training.checkpoints import Checkpoints
from vlmkit.training.launch import is_launched, launch
from vlmkit.training.options import TrainOptions
from vlmkit.training.steps import mean_loss, read_steps

_PACKAGES = ("accelerate", "tokenizers")
_RECENT = 20


class Run:
    """What is trained on what, and where it goes. Nothing is written before `freeze`."""

    def __init__(self, data: list[str], folder: Path, options: TrainOptions) -> None:
        self.recipe: Recipe = read_recipe(data, options.samples, options.seed)
        self.folder = folder
        once = SamplePlan(self.recipe)
        wanted = options.samples or self.recipe.samples or max(1, round(options.epochs * len(once)))
        self.plan = once.lengthened(wanted)
        self.options = replace(options, lr=options.lr or _usual_rate(options), samples=wanted, seed=self.recipe.seed)
        self.locations: list[Location] = locate([part.location for part in self.recipe.parts])
        self.checkpoints = Checkpoints(folder)

    @property
    def job_plan(self) -> Plan:
        """For the output folder: a run with other data, weights, model or options is refused there."""
        weights = [part.weight for part in self.recipe.parts]
        models = {name: model and _identity(model) for name, model in self._models.items()}
        deciding: dict[str, Any] = {**self.options.deciding, **models, "weights": weights, "data": self.plan.digest}
        return Plan("train", deciding, tuple(shard_inputs(self.locations)), rolling=True)

    @property
    def _models(self) -> dict[str, str | None]:
        return {"model": self.options.model, "vision": self.options.vision, "llm": self.options.llm}

    @property
    def is_finished(self) -> bool:
        return manifest_path(self.folder).exists()

    def freeze(self, overwrite: bool) -> None:
        if overwrite:
            self._remove_model()
        freeze_with_rejects(self.job_plan, self.folder, None, overwrite)

    def withdraw(self) -> None:
        """Takes all back where no step was taken, so that a corrected command may use the folder."""
        if not read_steps(self.folder):
            withdraw(self.folder)

    def finish(self, counts: Counts, seconds: float) -> None:
        """The model into the folder, then the manifest, which says that all is there."""
        own = entry(self.job_plan, self.locations)
        own["versions"] |= {name: metadata.version(name) for name in _PACKAGES}
        own["inputs"] += [{"model": model} for model in self._models.values() if model]
        own["files"] = self.checkpoints.publish()
        write_manifest(self.folder, own, [*history(self.locations), *self._model_history()], counts, seconds)
        self.checkpoints.clear()

    def _model_history(self) -> list[dict[str, Any]]:
        """The commands that made the models that this one goes on from."""
        names = [ModelName.parse(model) for model in self._models.values() if model]
        manifests = [read_json(manifest_path(Path(name.id))) for name in names if name.kind == "path"]
        return [step for manifest in manifests if manifest for step in lineage(manifest)]

    def _remove_model(self) -> None:
        """Removes the files that the manifest names or, while there is none, may have been published."""
        manifest, last = read_json(manifest_path(self.folder)), self.checkpoints.last()
        names = (manifest or {}).get("files") or [path.name for path in (last.model_files if last else [])]
        for name in names:
            (self.folder / name).unlink(missing_ok=True)


def run_train(
    data: list[str], folder: Path, options: TrainOptions, job: JobOptions, processes: int = 1, device: str | None = None
) -> int:
    """Trains, in `processes` processes if no launcher has started several; returns the exit status.

    Raises VlmkitError for what the user can mend, RunAgain if a signal has stopped it.
    """
    _check_installed()
    run = Run(data, folder, options)
    if is_launched(os.environ):
        return _train(run, job, device)
    run.freeze(job.overwrite)
    if processes > 1 and not run.is_finished:
        return launch(processes, [argument for argument in sys.argv[1:] if argument != "--overwrite"])
    return _train(run, replace(job, overwrite=False), device)


def _train(run: Run, job: JobOptions, device: str | None) -> int:
    """This process's part. The first process of several prepares the folder, and alone says what came of it."""
    from vlmkit.training.process import Process

    process = Process(run, device)
    if not process.is_first:
        process.prepare(overwrite=False)
        if not run.is_finished:
            process.train(quiet=True)
        return 0
    with closing("train", job) as result:
        process.prepare(job.overwrite)
        if already_done(run.folder, job, result):
            run.checkpoints.clear()
            return 0
        try:
            process.train(job.quiet)
        except VlmkitError:
            run.withdraw()
            raise
        finally:
            _tell(run, result)
        run.finish(result.counts, result.seconds)
    return result.status(job.max_bad)


def _tell(run: Run, result: Result) -> None:
    """What is committed, of this run and those before it."""
    last, steps = run.checkpoints.last(), read_steps(run.folder)
    if last is not None and steps:
        result.counts = last.position.counts
        result.counts.damage = list(run.plan.damage)
        result.counts.seconds = sum(step.seconds for step in steps)
        result.notes.append(f"{len(steps):,} steps; loss of the last {_RECENT}: {mean_loss(steps[-_RECENT:]):.4f}")


def _usual_rate(options: TrainOptions) -> float:
    """What suits random weights, a new projector alone (LLaVA-1.5's first stage), and weights that know much."""
    if options.vision is None and (options.model or "builtin:nano-vlm") == "builtin:nano-vlm":
        return 6e-4
    return 1e-3 if {"vision", "language"} <= set(options.freeze) else 2e-5


def _identity(model: str) -> str:
    """The digest of its files stands for a folder, so that other weights under the same name are noticed."""
    return ModelName.parse(model).column()


def _check_installed() -> None:
    try:
        metadata.version("accelerate")
    except metadata.PackageNotFoundError as error:
        raise VlmkitError("the package accelerate is not installed", "pip install 'vlmkit[train]'") from error
