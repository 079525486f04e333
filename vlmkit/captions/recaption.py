"""The step of recaption: a VLM's caption of every sample's picture, beside or in place of the old text."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from vlmkit.captions.answers import cut_at_repetition, is_refusal
from vlmkit.captions.captions import Caption, captions_of, last_round, original_text
from vlmkit.captions.prompts import Prompt
from vlmkit.captions.stale import drop_scores
from vlmkit.errors import VlmkitError
from vlmkit.jobs.step import Kept, Outcome, Step
from vlmkit.models.names import ModelName
from vlmkit.scores.inputs import TEXT, Missing, told
from vlmkit.shards.sample import Sample, dump_json

if TYPE_CHECKING:
    from vlmkit.captions.captioner import Captioner

KEEPS = ("original+new", "new", "original")
COLUMN = "recaption"


@dataclass(frozen=True)
class Recaption(Step):
    """`keep` says what `txt` becomes; every caption is added to `captions`. `round` is by default one more than the
    sample's last.

    The column `recaption` says of each sample what the answer was: `new`, `cut` (at its first repeated sentence),
    `empty` or `refused`. After an empty or refused one the text stays as it was, and no caption is added.
    """

    model: ModelName
    prompt: Prompt
    max_new_tokens: int = 256
    keep: str = KEEPS[0]
    round: int | None = None
    device: str | None = None
    batch_size: int = 16
    name = "recaption"

    def __post_init__(self) -> None:
        if self.keep not in KEEPS:
            raise VlmkitError(f"--keep {self.keep} is not known", f"write {', '.join(KEEPS)}")

    def options(self) -> Mapping[str, Any]:
        said = {name: getattr(self, name) for name in ("max_new_tokens", "keep", "round", "batch_size")}
        return {"model": self._by, "prompt": self.prompt.text, **said}

    def processes(self) -> int:
        from vlmkit.models.devices import process_count

        return process_count(self.device)

    def __call__(self, samples: Iterable[Sample]) -> Iterator[Outcome]:
        for sample, answer in self._captioner(samples):
            if isinstance(answer, Missing):
                yield answer.dropped(sample)
            else:
                yield self._recaptioned(sample, answer)

    def _recaptioned(self, sample: Sample, answer: str) -> Outcome:
        try:
            captions = captions_of(sample)
        except ValueError as error:
            reason = "unreadable text" if isinstance(error, UnicodeDecodeError) else "unreadable json"
            return Missing(reason, bad=True, error=told(error)).dropped(sample)
        what, text = judged(answer)
        sample.row[COLUMN] = what
        if text:
            number = self.round if self.round is not None else last_round(captions) + 1
            new = asdict(Caption(text, self._by, self.prompt.name, number, "caption"))
            return Kept(self._written(sample, [*captions, new], self._joined(captions, text)))
        return Kept(self._written(sample, captions, None))

    def _joined(self, captions: list[dict[str, Any]], new: str) -> str | None:
        """What `txt` becomes; None if it stays. The original is always the first caption, however many came since."""
        original = original_text(captions)
        if self.keep == "original":
            return None
        return f"{original.strip()}\n{new}" if self.keep == "original+new" and original else new

    def _written(self, sample: Sample, captions: list[dict[str, Any]], text: str | None) -> Sample:
        fields = {} if text is None else {"txt": text.encode()}
        if captions:
            fields["json"] = dump_json({**sample.json, "captions": captions})
        if text is not None:
            drop_scores(sample.row, TEXT)
        return sample.changed(fields)

    @cached_property
    def _by(self) -> str:
        return self.model.column()

    @cached_property
    def _captioner(self) -> "Captioner":
        from vlmkit.captions.captioner import Captioner
        from vlmkit.models.vlm import load_vlm

        vlm = load_vlm(self.model, self.device)
        return Captioner(vlm, self.prompt.text, self.max_new_tokens, self.batch_size)


def judged(answer: str) -> tuple[str, str | None]:
    """What an answer is, and what of it is to be kept, if anything."""
    if not answer.strip():
        return "empty", None
    if is_refusal(answer):
        return "refused", None
    cut = cut_at_repetition(answer).strip()
    return ("new" if cut == answer.strip() else "cut"), cut
