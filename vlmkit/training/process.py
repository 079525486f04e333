"""One of the processes that train together: which device is its own, which rank it has, and the loop in it."""

from typing import TYPE_CHECKING

from accelerate import Accelerator, DistributedDataParallelKwargs

from vlmkit.errors import VlmkitError
from vlmkit.models.devices import half_precision, pick_device
from vlmkit.models.names import ModelName
from vlmkit.training.batches import Schedule
from vlmkit.training.chat import NotTrainable, chat_of, chat_texts
from vlmkit.training.checkpoints import Position
from vlmkit.training.examples import Examples
from vlmkit.training.loop import Course, Loop
from vlmkit.training.steps import LiveLine, StepLog
from vlmkit.training.trainee import Trainee, begin, load

if TYPE_CHECKING:
    from vlmkit.training.run import Run

_TOKENIZER_SAMPLES = 4_000


class Process:
    """Its rank comes from a launcher's environment. On a CPU all is float32, on a GPU autocast to bfloat16."""

    def __init__(self, run: "Run", device: str | None = None) -> None:
        place = pick_device(device)
        self._run = run
        self._accelerator = Accelerator(
            cpu=place.type == "cpu",
            mixed_precision="no" if place.type != "cuda" or half_precision(place).itemsize == 4 else "bf16",
            # a process whose samples have no picture uses no vision tower in that step
            kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
        )

    @property
    def is_first(self) -> bool:
        return bool(self._accelerator.is_main_process)

    def prepare(self, overwrite: bool) -> None:
        """Makes the folder ready, or finds it so: the first process does it while the others wait."""
        if self.is_first:
            self._run.freeze(overwrite)
            if not self._run.is_finished and self._run.checkpoints.last() is None:
                self._begin()
        self._accelerator.wait_for_everyone()

    def train(self, quiet: bool) -> None:
        """To the end of the plan, from the last checkpoint. Raises RunAgain and VlmkitError, as the loop does."""
        checkpoint = self._run.checkpoints.last()
        assert checkpoint is not None
        trainee = load(ModelName("path", str(checkpoint.folder)))
        trainee.freeze(self._run.options.freeze)
        course = self._course(trainee)
        live = LiveLine(course.schedule.steps, quiet)
        loop = Loop(self._accelerator, trainee, course, self._run.checkpoints)
        if not self.is_first:
            loop.run(checkpoint, None, live)
            return
        with StepLog(self._run.folder, checkpoint.position.step) as log:
            loop.run(checkpoint, log, live)

    def _begin(self) -> None:
        """The checkpoint before the first step: every start is a resumption."""
        try:
            trainee = begin(self._run.options, self._texts(), self._run.recipe.seed)
        except VlmkitError:
            self._run.withdraw()
            raise
        self._run.checkpoints.save(trainee, None, Position(self._run.plan.digest, 0, 0))

    def _texts(self) -> list[str]:
        """What the plan's first samples say."""
        texts: list[str] = []
        for position in range(min(_TOKENIZER_SAMPLES, len(self._run.plan))):
            try:
                texts += chat_texts(chat_of(self._run.plan[position], self._run.options.caption_prompt))
            except NotTrainable:
                continue
        return texts

    def _course(self, trainee: Trainee) -> Course:
        options = self._run.options
        tokens = min(options.max_tokens or trainee.context, trainee.context)
        examples = Examples(trainee.processor, tokens, options.caption_prompt)
        self._check(examples)
        ranks = self._accelerator.num_processes
        schedule = Schedule(len(self._run.plan), options.batch_size, self._accelerator.process_index, ranks)
        return Course(self._run.plan, examples, schedule, options, self._run.recipe.seed)

    def _check(self, examples: Examples) -> None:
        """The first sample that gives an example shows whether the processor's ways are known."""
        for position in range(min(self._run.options.batch_size, len(self._run.plan))):
            try:
                return examples.check(self._run.plan[position])
            except NotTrainable:
                continue
