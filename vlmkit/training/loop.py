"""The training loop: batches of a plan through Accelerate, a line of record a step, checkpoints now and then."""

import math
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from hashlib import sha256

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor

from vlmkit.errors import RunAgain, VlmkitError
from vlmkit.jobs.counts import Counts
from vlmkit.mixture.plan import SamplePlan
from vlmkit.training.batches import Batch, Schedule, read_batches, stack
from vlmkit.training.checkpoints import Checkpoint, Checkpoints, Position
from vlmkit.training.examples import Examples
from vlmkit.training.options import TrainOptions
from vlmkit.training.preemption import preemptions
from vlmkit.training.schedule import CosineSchedule
from vlmkit.training.steps import LiveLine, StepLine, StepLog
from vlmkit.training.trainee import SummedLoss, Trainee

_BETAS = (0.9, 0.98)


@dataclass(frozen=True)
class Course:
    """What a run goes through: the plan, what is made of its samples, and how they are divided."""

    plan: SamplePlan
    examples: Examples
    schedule: Schedule
    options: TrainOptions
    seed: int


class Loop:
    """Trains `trainee` from a checkpoint to the end of the course.

    The loss of a step is the mean over all targets of all processes, so that their number changes nothing but
    rounding. A step's random numbers come from seed, step and rank.
    """

    def __init__(self, accelerator: Accelerator, trainee: Trainee, course: Course, checkpoints: Checkpoints) -> None:
        self._accelerator = accelerator
        self._trainee = trainee
        self._course = course
        self._checkpoints = checkpoints
        self._rates = CosineSchedule(course.options.lr or 0.0, course.schedule.steps, course.options.warmup)
        self._counts, self._before = Counts(), Counts()

    def run(self, checkpoint: Checkpoint, log: StepLog | None, live: LiveLine) -> None:
        """Raises RunAgain, all saved, after SIGTERM or SIGUSR1; VlmkitError if there is nothing to learn from, or the
        loss is no number any more."""
        at = checkpoint.position
        self._before = at.counts
        self._prepare(checkpoint)
        batches = read_batches(self._course.plan, self._course.examples, self._course.schedule, at.step)
        began = time.monotonic()
        with preemptions() as asked:
            for step, batch in enumerate(batches, at.step):
                line, stop = self._step(step, batch, asked)
                line, began = replace(line, seconds=round(time.monotonic() - began, 4)), time.monotonic()
                if log is not None:
                    log.add(line)
                live.show(line)
                last = line.step == self._course.schedule.steps
                if stop or last or line.step % self._course.options.save_every == 0:
                    self._save(line.step, log)
                if stop and not last:
                    raise RunAgain("interrupted, all saved", "run the same command again: it goes on from here")

    def _prepare(self, checkpoint: Checkpoint) -> None:
        module = SummedLoss(self._trainee.model).train()
        weights = [weight for weight in module.parameters() if weight.requires_grad]
        decay = self._course.options.weight_decay
        optimizer = torch.optim.AdamW(weights, lr=0.0, betas=_BETAS, weight_decay=decay)
        self._module, self._optimizer = self._accelerator.prepare(module, optimizer)
        if (state := checkpoint.optimizer()) is not None:
            self._optimizer.load_state_dict(state)

    def _step(self, step: int, batch: Batch, asked: list[int]) -> tuple[StepLine, bool]:
        self._count(batch)
        said = self._summed(batch.targets, batch.tokens, batch.seen, len(batch.examples))
        targets, tokens, seen, _ = (int(value) for value in said)
        if step == 0 and targets == 0:
            told = ", ".join(self._counts.reasons) or "they are empty"
            raise VlmkitError(f"the first {seen} samples give nothing to learn: {told}", "see vlmkit stats DATA")
        rate = self._rates(step)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        torch.manual_seed(_random_seed(self._course.seed, step, self._accelerator.process_index))
        mine = self._backward(batch, targets)
        self._accelerator.clip_grad_norm_(self._module.parameters(), self._course.options.clip_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        loss, stop = self._summed(mine, len(asked))
        if not math.isfinite(loss):
            raise VlmkitError(f"the loss of step {step + 1} is {loss}", "use a lower --lr, then start over")
        return StepLine(step + 1, loss / max(targets, 1), rate, seen, tokens, targets, 0.0), stop > 0

    def _backward(self, batch: Batch, targets: int) -> float:
        """Gradients of the mean over all processes' targets; returns the sum of this one's losses.

        Launchers average the processes' gradients, hence the factor.
        """
        parts = batch.parts(self._course.options.device_batch)
        total = torch.zeros((), device=self._accelerator.device)
        for number, part in enumerate(parts):
            inputs = stack(part, self._trainee.pad).to(self._accelerator.device)
            waits = number < len(parts) - 1  # gradients are exchanged once a step
            with self._accelerator.no_sync(self._module) if waits else nullcontext():
                loss: Tensor = self._module(inputs)
                self._accelerator.backward(loss * (self._accelerator.num_processes / max(targets, 1)))
            total += loss.detach()
        return total.item()

    def _summed(self, *values: float) -> list[float]:
        """Each value, summed over the processes."""
        if self._accelerator.num_processes == 1:
            return list(values)
        mine = torch.tensor(values, dtype=torch.float64, device=self._accelerator.device)
        return [float(value) for value in self._accelerator.reduce(mine, "sum")]

    def _count(self, batch: Batch) -> None:
        self._counts.samples_in += batch.seen
        self._counts.bytes_in += batch.size_bytes
        self._counts.samples_out += len(batch.examples)
        self._counts.bad += batch.bad
        self._counts.reasons += batch.reasons

    def _save(self, step: int, log: StepLog | None) -> None:
        """All processes come here; the first one writes."""
        counts = Counts.total([self._before, *gather_object([self._counts])])
        schedule = self._course.schedule
        if log is not None:
            log.sync()
            position = Position(self._course.plan.digest, schedule.position(step), step, counts)
            self._checkpoints.save(self._trainee, self._optimizer.state_dict(), position)
        self._accelerator.wait_for_everyone()


def _random_seed(seed: int, step: int, rank: int) -> int:
    return int.from_bytes(sha256(f"{seed} {step} {rank}".encode()).digest()[:7], "big")
