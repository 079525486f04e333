"""Shards as a task of lm-eval: the same whether vlmkit runs it, or `lm_eval --include_path` with an exported one."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from lm_eval.api.task import ConfigurableTask
from PIL import Image

from vlmkit.evaluation.metrics import EXACT_MATCH, exact_match
from vlmkit.evaluation.questions import Picture, Question, question_of
from vlmkit.jobs.counts import Counts
from vlmkit.jobs.inputs import read_shard, shard_inputs
from vlmkit.jobs.step import Dropped
from vlmkit.shards.locations import locate

Document = dict[str, Any]

NAME = "vlmkit"
SPLIT = "test"


class Documents(list[Document]):
    """What lm-eval iterates over, as it expects a dataset: rows, and the names of their columns."""

    features: dict[str, None] = dict.fromkeys(("key", "turns", "pictures", "answer"))


class ShardTask(ConfigurableTask):  # type: ignore[misc]
    """lm-eval's own task, with one difference: all turns of a conversation reach the chat template, not only one."""

    def __init__(self, config: dict[str, Any]) -> None:
        given = {name: value for name, value in config.items() if name != "class"}  # what named this class in a YAML
        super().__init__(config={**_FIXED, **given})

    def fewshot_context(
        self,
        doc: Document,
        num_fewshot: int,
        system_instruction: str | None = None,
        apply_chat_template: bool = False,
        fewshot_as_multiturn: bool = False,
        chat_template: Callable[..., str] | None = None,
        gen_prefix: str | None = None,
    ) -> str:
        """The prompt: what the model's chat template makes of the turns, or, without one, their texts in lines."""
        if not apply_chat_template or chat_template is None:
            return _text(doc)
        turns = [dict(turn) for turn in doc["turns"]]  # lm-eval writes into them
        if system_instruction:
            turns.insert(0, {"role": "system", "content": system_instruction})
        return chat_template(turns, add_generation_prompt=True)


def shard_documents(locations: list[str], limit: int | None = None, **_: Any) -> dict[str, Documents]:
    """The questions of shards, for an exported task. Samples that can't be asked are left out, as eval drops them."""
    seen: dict[str, Picture] = {}
    items = (item for shard in shard_inputs(locate(locations)) for item in read_shard(shard, Counts()))
    asked = (None if isinstance(item, Dropped) else question_of(item, seen) for item in islice(items, limit))
    return {SPLIT: documents(question for question in asked if isinstance(question, Question))}


def documents(questions: Iterable[Question]) -> Documents:
    return Documents(
        {"key": q.key, "turns": q.turns, "pictures": q.pictures, "answer": list(q.answers)} for q in questions
    )


def _text(doc: Document) -> str:
    return "\n".join(turn["content"] for turn in doc["turns"])


def _images(doc: Document) -> list[Image.Image]:
    return [picture.image for picture in doc["pictures"]]


def _answer(doc: Document) -> str:
    answer: str = doc["answer"][0]
    return answer


def _mark(doc: Document, results: list[str]) -> dict[str, float]:
    return {EXACT_MATCH: exact_match(results[0], doc["answer"])}


_FIXED: dict[str, Any] = {
    "output_type": "generate_until",
    "custom_dataset": shard_documents,
    "test_split": SPLIT,
    "doc_to_text": _text,
    "doc_to_image": _images,
    "doc_to_target": _answer,
    "process_results": _mark,
    "metric_list": [{"metric": EXACT_MATCH, "aggregation": "mean", "higher_is_better": True}],
}
