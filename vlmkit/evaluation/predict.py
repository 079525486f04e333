"""The step of eval: every question gets a prediction and a mark."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from vlmkit.errors import VlmkitError
from vlmkit.evaluation.metrics import exact_match
from vlmkit.evaluation.protocol import Protocol
from vlmkit.evaluation.questions import Picture, Question, question_of
from vlmkit.jobs.step import Kept, Outcome, Step, chunks
from vlmkit.models.names import ModelName
from vlmkit.pictures.pool import ahead
from vlmkit.scores.inputs import Missing, told
from vlmkit.shards.sample import Sample, dump_json

if TYPE_CHECKING:
    from vlmkit.evaluation.harness import Harness

_BATCHES = 16  # that lm-eval gets at once, to sort by length; also how often progress shows


@dataclass(frozen=True)
class Predict(Step):
    """Asks `model` under `protocol`. A sample that asks nothing is dropped: it is no part of any score."""

    name = "eval"
    model: ModelName
    protocol: Protocol
    device: str | None = None
    batch_size: int = 64

    def options(self) -> Mapping[str, Any]:
        told = {"model": self.model_digest, "batch_size": self.batch_size, "protocol_digest": self.protocol.digest}
        return {**told, **self.protocol.as_json()}

    @cached_property
    def model_digest(self) -> str:
        """What stands for the model: the digest of a folder's files, so that a rerun notices other weights in it."""
        return self.model.column()

    def processes(self) -> int:
        """One a GPU. On a CPU one, whose threads share the cores: how many there are must not change on a rerun."""
        from vlmkit.models.devices import pick_device, process_count

        return 1 if pick_device(self.device).type == "cpu" else process_count(self.device)

    @cached_property
    def _harness(self) -> "Harness":
        from vlmkit.evaluation.harness import Harness

        return Harness(self.model, self.protocol, self.device, self.batch_size)

    def __call__(self, samples: Iterable[Sample]) -> Iterator[Outcome]:
        for chunk in chunks(samples, _BATCHES * self.batch_size):
            yield from self._answered(chunk)

    def _answered(self, chunk: list[Sample]) -> Iterator[Outcome]:
        seen: dict[str, Picture] = {}
        asked = list(ahead(lambda sample: question_of(sample, seen), chunk, 2 * self.batch_size))
        questions = [item for item in asked if isinstance(item, Question)]
        answers = iter(self._answers(questions))
        for sample, item in zip(chunk, asked, strict=True):
            yield item.dropped(sample) if isinstance(item, Missing) else self._marked(sample, item, next(answers))

    def _answers(self, questions: Sequence[Question]) -> list[str | Exception]:
        answers = self._harness.answers(questions) if questions else []
        failed = [answer for answer in answers if isinstance(answer, Exception)]
        if failed and len(failed) == len(answers):
            hint = "is it a vision-language model, and are its processor and chat template beside the weights?"
            raise VlmkitError(f"{self.model} answers nothing: {told(failed[0])}", hint)
        return answers

    def _marked(self, sample: Sample, question: Question, answer: str | Exception) -> Outcome:
        if isinstance(answer, Exception):
            return Missing("model failed", bad=True, error=told(answer)).dropped(sample)
        mark = {
            "prediction": answer,
            "metric": self.protocol.metric,
            "correct": exact_match(answer, question.answers),
            "image_id": sample.json.get("image_id", _image_id(question.pictures)),
        }
        try:
            return Kept(sample.changed({"json": dump_json({**sample.json, **mark})}))
        except ValueError as error:  # NaN, which Python reads and JSON does not have
            return Missing("unreadable json", bad=True, error=told(error)).dropped(sample)


def _image_id(pictures: Sequence[Picture]) -> str:
    """The sha256 of the stored bytes; of several pictures that of their digests."""
    if len(pictures) == 1:
        return pictures[0].digest
    return sha256("".join(picture.digest for picture in pictures).encode()).hexdigest()
