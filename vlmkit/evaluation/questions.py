"""What eval asks: a sample's conversation up to its last user turn, its pictures, and the answers that are right."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from PIL import Image

from vlmkit.errors import VlmkitError
from vlmkit.pictures.decode import decode
from vlmkit.scores.inputs import Missing, told
from vlmkit.shards.sample import Sample

PLACEHOLDER = "<image>"  # where a picture stands in lm-eval's texts; it is put into the model's own words there

_ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Picture:
    """An image as stored, decoded once however many questions are about it. `digest` is the bytes' sha256."""

    digest: str
    data: bytes

    @classmethod
    def of(cls, data: bytes) -> "Picture":
        return cls(hashlib.sha256(data).hexdigest(), data)

    @cached_property
    def image(self) -> Image.Image:
        """As `decode` makes it. Raises what that raises."""
        return decode(self.data)

    def __repr__(self) -> str:
        return f"Picture({self.digest})"  # stands in lm-eval's logs, which the bytes would flood


@dataclass(frozen=True)
class Question:
    """`turns` are `{"role", "content"}` with PLACEHOLDER where the pictures stand, in their order; the last is a
    user's. `answers` are all right.
    """

    key: str
    turns: tuple[Mapping[str, str], ...]
    pictures: tuple[Picture, ...]
    answers: tuple[str, ...]


def question_of(sample: Sample, seen: dict[str, Picture] | None = None) -> Question | Missing:
    """What a sample asks, its pictures decoded, or why it can't be asked. `seen` keeps pictures that come again."""
    try:
        turns, answers = _turns(sample.json), _answers(sample.json)
    except ValueError as error:
        return Missing("unreadable json", bad=True, error=told(error))
    if turns is None:
        return Missing("no question")
    if answers is None:
        return Missing("no answer")
    pictures = tuple(_picture(bytes(member.data), seen) for member in sample.images)
    wanted = sum(turn["content"].count(PLACEHOLDER) for turn in turns)
    if not pictures:
        return Missing("no image")
    if wanted != len(pictures):
        return Missing("images and messages disagree", error=f"{len(pictures)} images, {wanted} places for them")
    try:
        for picture in pictures:
            picture.image  # noqa: B018 - decoded here, in whatever thread this is
    except (MemoryError, VlmkitError):
        raise
    except Exception as error:  # noqa: BLE001 - decoders raise what they like, and one sample must not end a job
        return Missing("unreadable image", bad=True, error=told(error))
    return Question(sample.key, turns, pictures, answers)


def _picture(data: bytes, seen: dict[str, Picture] | None) -> Picture:
    picture = Picture.of(data)
    return picture if seen is None else seen.setdefault(picture.digest, picture)


def _answers(meta: Mapping[str, Any]) -> tuple[str, ...] | None:
    answers = meta.get("answer")
    if answers is None or answers == []:
        return None
    if not isinstance(answers, list) or not all(isinstance(answer, str) for answer in answers):
        raise ValueError("answer is no list of strings")
    return tuple(answers)


def _turns(meta: Mapping[str, Any]) -> tuple[dict[str, str], ...] | None:
    """The conversation up to the last user turn, None without one. Raises ValueError for another shape."""
    messages = meta.get("messages")
    if messages is None or messages == []:
        return None
    if not isinstance(messages, list):
        raise ValueError("messages is no list")
    turns = [_turn(message) for message in messages]
    while turns and turns[-1]["role"] != "user":
        turns.pop()
    return tuple(turns) or None


def _turn(message: Any) -> dict[str, str]:
    role, content = (message.get("role"), message.get("content")) if isinstance(message, dict) else (None, None)
    if role not in _ROLES or not isinstance(content, str | list):
        raise ValueError("a message without a role and content")
    return {"role": role, "content": content if isinstance(content, str) else "".join(map(_text, content))}


def _text(item: Any) -> str:
    kind = item.get("type") if isinstance(item, dict) else None
    if kind == "image":
        return PLACEHOLDER
    if kind == "text" and isinstance(item.get("text"), str):
        text: str = item["text"]
        return text
    raise ValueError("a message item that is neither a text nor an image")
