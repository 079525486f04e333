"""The `captions` of a sample: everything that was ever said of it, the original first. None is ever overwritten."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vlmkit.shards.sample import Sample

ORIGINAL = "original"


@dataclass(frozen=True)
class Caption:
    """`by` is the model, `prompt` its prompt (by name if it has one); the original has round 0.

    All names are always written, so that every sample has the same.
    """

    text: str
    by: str = ORIGINAL
    prompt: str = ""
    round: int = 0
    kind: str = ORIGINAL


def captions_of(sample: Sample) -> list[dict[str, Any]]:
    """The captions so far, as they stand in `json`; else the original alone: `txt`, or `caption` of `json`, if any.

    Bare strings, as other tools write them, become captions of round 0. Raises ValueError for another shape, for text
    that is not UTF-8, and for `json` that is none.
    """
    there = sample.json.get("captions")
    if there:
        return [_caption(value) for value in (there if isinstance(there, list) else [there])]
    text = str(sample["txt"], "utf-8") if "txt" in sample.fields else sample.json.get("caption")
    return [asdict(Caption(text))] if isinstance(text, str) and text.strip() else []


def original_text(captions: Sequence[dict[str, Any]]) -> str | None:
    first = captions[0] if captions else {}
    return first["text"] if first.get("kind") == ORIGINAL else None


def last_round(captions: Sequence[dict[str, Any]]) -> int:
    return max((value for value in (caption.get("round") for caption in captions) if isinstance(value, int)), default=0)


def _caption(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return asdict(Caption(value))
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        raise ValueError("captions holds something that is no caption")
    return value
