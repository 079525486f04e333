"""Conversations: LLaVA's `<image>` notation to transformers' chat format and back, and single questions."""

import re
from collections.abc import Iterator
from typing import Any

from vlmkit.sources.outcomes import NoSample

Messages = list[dict[str, Any]]

IMAGE = "<image>"
_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}
SPEAKERS = {"user": "human", "assistant": "gpt", "system": "system"}


def question(text: str, answer: str) -> Messages:
    """One question about one image, and its answer."""
    return [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]},
        {"role": "assistant", "content": [{"type": "text", "text": answer}]},
    ]


def from_llava(conversations: Any) -> Messages:
    """LLaVA's turns `{"from", "value"}` as messages; an image item stands where `<image>` stood.

    One newline between an image and a text goes: it is LLaVA's way to part them. All other text stays as it is.
    Raises NoSample: `no text` if there are no turns, `unknown role`, `unreadable json` for another shape.
    """
    if not conversations:
        raise NoSample("no text", "no conversations")
    if not isinstance(conversations, list):
        raise NoSample("unreadable json", "conversations is no list", bad=True)
    return [_message(turn) for turn in conversations]


def to_llava(messages: Messages) -> list[dict[str, str]]:
    """The turns that `from_llava` makes these messages of: a newline parts an image from what is beside it."""
    return [{"from": SPEAKERS[m["role"]], "value": "\n".join(_pieces(m["content"]))} for m in messages]


def count_images(messages: Messages) -> int:
    return sum(item["type"] == "image" for message in messages for item in message["content"])


def _message(turn: Any) -> dict[str, Any]:
    speaker, value = (turn.get("from"), turn.get("value")) if isinstance(turn, dict) else (None, None)
    if not isinstance(speaker, str) or not isinstance(value, str):
        raise NoSample("unreadable json", "a turn without from and value", bad=True)
    if speaker not in _ROLES:
        raise NoSample("unknown role", speaker)
    return {"role": _ROLES[speaker], "content": list(_items(value))}


def _items(value: str) -> Iterator[dict[str, str]]:
    pieces = re.split(IMAGE, value)
    for number, piece in enumerate(pieces):
        if number > 0:
            yield {"type": "image"}
            piece = piece.removeprefix("\n")
        if number < len(pieces) - 1:
            piece = piece.removesuffix("\n")
        if piece or len(pieces) == 1:
            yield {"type": "text", "text": piece}


def _pieces(content: list[dict[str, str]]) -> list[str]:
    return [IMAGE if item["type"] == "image" else item["text"] for item in content]
