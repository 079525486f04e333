"""From a sample to what the model reads: token ids, which of them to learn, and pixels, as the model's processor
makes them."""

import json
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any

import torch
from jinja2.exceptions import TemplateError
from PIL import Image
from torch import Tensor

from vlmkit.errors import VlmkitError
from vlmkit.pictures.decode import decode
from vlmkit.shards.sample import Sample
from vlmkit.training.chat import Messages, NotTrainable, chat_of, chat_texts

IGNORED = -100  # the label of a token that is not learnt

_PICTURES = 512  # kept prepared: those of neighbouring samples often repeat
_TEXTS = 16_384

Pixels = dict[str, Tensor]


@dataclass(frozen=True)
class Example:
    """`ids` [tokens] with each picture's tokens in them; `labels` [tokens]: the id where it is learnt, else IGNORED."""

    ids: Tensor
    labels: Tensor
    pictures: tuple[Pixels, ...]


class Examples:
    """Makes examples; threads may share it. Texts and pictures that come again soon are not prepared again.

    A conversation is laid out by the processor's chat template. Learnt is what the assistant says, with the token
    that ends its turn. Raises NotTrainable for a sample that gives no example, VlmkitError for a processor whose
    ways are unknown.
    """

    def __init__(self, processor: Any, max_tokens: int, caption_prompt: str = "") -> None:
        if getattr(processor, "chat_template", None) is None:
            raise VlmkitError("the model has no chat template", "train a model whose processor has one")
        self._processor = processor
        self._tokenizer = processor.tokenizer
        self._max_tokens = max_tokens
        self._caption_prompt = caption_prompt
        self._lock = Lock()  # tokenizers don't like to be shared
        self._controls = tuple(token for token in self._tokenizer.all_special_tokens if token)
        self._texts = lru_cache(_TEXTS)(self._text)
        self._pictures = lru_cache(_PICTURES)(self._picture)

    def __call__(self, sample: Sample) -> Example:
        chat = chat_of(sample, self._caption_prompt)
        if any(control in text for text in chat_texts(chat) for control in self._controls):
            raise NotTrainable("a control token in the text")
        pictures = [self._pictures(bytes(member.data)) for member in sample.images]
        example = _spliced(*self._texts(json.dumps(chat)), self._processor.image_token_id, pictures)
        if len(example.ids) > self._max_tokens:
            raise NotTrainable(f"tokens <= {self._max_tokens}")
        return example

    def check(self, sample: Sample) -> None:
        """Compares an example with what the processor makes of the whole. Raises VlmkitError if they differ."""
        mine = self(sample)
        chat = chat_of(sample, self._caption_prompt)
        pictures = iter(_decoded(bytes(member.data)) for member in sample.images)
        for item in (item for message in chat for item in message["content"] if item["type"] == "image"):
            item["image"] = next(pictures)
        theirs = self._processor.apply_chat_template(
            chat, tokenize=True, return_dict=True, processor_kwargs={"return_tensors": "pt"}
        )
        names = {"input_ids", "attention_mask", *(name for pixels in mine.pictures for name in pixels)}
        if set(theirs) != names or not torch.equal(theirs["input_ids"][0], mine.ids):
            kind = type(self._processor).__name__
            raise VlmkitError(f"{kind} prepares samples in a way unknown to vlmkit", "train a LLaVA-style model")

    def _text(self, chat_json: str) -> tuple[list[int], list[bool]]:
        """The ids of a conversation, one for each picture, and whether each is learnt."""
        chat: Messages = json.loads(chat_json)
        with self._lock:
            whole = self._rendered(chat)
            spans = [self._span(chat, turn, whole) for turn, m in enumerate(chat) if m["role"] == "assistant"]
            bare = bool(self._tokenizer.bos_token) and whole.startswith(self._tokenizer.bos_token)
            tokens = self._tokenizer(whole, add_special_tokens=not bare, return_offsets_mapping=True)
        places = [(start, end) for start, end in tokens["offset_mapping"]]
        return tokens["input_ids"], [
            any(first <= start < end <= last for first, last in spans) for start, end in places
        ]

    def _span(self, chat: Messages, turn: int, whole: str) -> tuple[int, int]:
        """Where in the laid out text the assistant's turn begins and ends, white space behind it left out."""
        before = self._rendered(chat[:turn], add_generation_prompt=True)
        after = self._rendered(chat[: turn + 1]).rstrip()
        if not (whole.startswith(before) and whole.startswith(after)):
            hint = "its earlier turns change when later ones are added: train with one answer a sample"
            raise VlmkitError("the model's chat template does not show where an answer begins and ends", hint)
        return len(before), len(after)

    def _rendered(self, chat: Messages, add_generation_prompt: bool = False) -> str:
        try:
            return str(
                self._processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=add_generation_prompt)
            )
        except TemplateError as error:  # such as roles that don't alternate
            raise NotTrainable("messages that the chat template refuses") from error

    def _picture(self, data: bytes) -> tuple[list[int], Pixels]:
        """The ids that stand for a picture, and its pixels with whatever else the model wants to know of it."""
        picture = _decoded(data)
        with self._lock:
            made = self._processor(
                text=[self._processor.image_token], images=[picture], add_special_tokens=False, return_tensors="pt"
            )
        pixels = {name: value for name, value in made.items() if name not in ("input_ids", "attention_mask")}
        return made["input_ids"][0].tolist(), pixels


def _decoded(data: bytes) -> Image.Image:
    try:
        return decode(data)
    except MemoryError:
        raise
    except Exception as error:  # decoders raise what they like, and one sample must not end a run
        raise NotTrainable("unreadable image", bad=True) from error


def _spliced(ids: list[int], learnt: list[bool], image_id: int, pictures: list[tuple[list[int], Pixels]]) -> Example:
    """Puts each picture's ids where its one id stands."""
    runs = iter([own for own, _ in pictures])
    pieces = [(next(runs), False) if one == image_id else ([one], keep) for one, keep in zip(ids, learnt, strict=True)]
    flat = torch.tensor([one for piece, _ in pieces for one in piece])
    keep = torch.tensor([keep for piece, keep in pieces for _ in piece])
    return Example(flat, torch.where(keep, flat, IGNORED), tuple(pixels for _, pixels in pictures))
