"""What decides a score besides the model and the questions, with one digest for all of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import metadata
from typing import Any

from vlmkit.evaluation.metrics import EXACT_MATCH, RULE

_STOP = ("\n",)


@dataclass(frozen=True)
class Protocol:
    """Scores are comparable only under one protocol. `prompt` is the sha256 of the model's chat template, or `plain`
    for a model without one; `max_new_tokens` bounds a greedy answer, which also ends at any of `until`.
    """

    harness: str
    prompt: str
    max_new_tokens: int
    until: tuple[str, ...] = _STOP
    metric: str = EXACT_MATCH
    rule: str = RULE

    @classmethod
    def of(cls, chat_template: str | None, max_new_tokens: int) -> "Protocol":
        prompt = hashlib.sha256(chat_template.encode()).hexdigest() if chat_template else "plain"
        return cls(f"lm_eval {metadata.version('lm_eval')}", prompt, max_new_tokens)

    @property
    def has_template(self) -> bool:
        return self.prompt != "plain"

    @property
    def generation(self) -> dict[str, Any]:
        """As lm-eval's tasks name it: greedy, so that an answer does not depend on a seed."""
        return {"max_gen_toks": self.max_new_tokens, "until": list(self.until), "do_sample": False}

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()

    def as_json(self) -> Mapping[str, Any]:
        return asdict(self)
