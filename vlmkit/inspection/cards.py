"""A sample as a gallery shows it: small pictures, all that is said of it, what is known of it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vlmkit.jobs.report.thumbnails import LARGE, SMALL, thumbnail
from vlmkit.shards.sample import Row, Sample, message_parts
from vlmkit.tables.rows import VERDICT, as_text

_PICTURES = 4
_SAYINGS = 8  # captions of one sample
_TURNS = 12
_COLUMNS = 24
_CHARACTERS = 600  # of one text
_NAME, _VALUE = 80, 200
_SHOWN_ELSEWHERE = {"key", "captions", "messages", "caption", "offset", "length", "kept", "reason"}
# What turns the direction of text around it, and what has no shape at all, but line ends and tabs.
_UNSEEN = re.compile("[\u202a-\u202e\u2066-\u2069\ufff9-\ufffb\x00-\x08\x0b-\x1f\x7f-\x9f]")

Pair = tuple[str, str]


@dataclass(frozen=True)
class Card:
    """`fate` is the reason for which a sample was dropped, "kept", or "" where no row tells. All texts are cut, and
    show what could not be seen in them, such as U+202E, by its name."""

    key: str
    shard: str
    fate: str
    pictures: tuple[str, ...]
    picture_count: int
    captions: tuple[Pair, ...]  # what kind it is and who said it, text
    turns: tuple[Pair, ...]  # role, text
    scores: tuple[Pair, ...]
    says: tuple[Pair, ...]  # the names in json


def card_of(sample: Sample, row: Row) -> Card:
    """`row` is the sample's, with its verdict if there is one."""
    images, said = sample.images, _json(sample)
    size = LARGE if len(images) == 1 else SMALL
    thumbnails = (thumbnail(image.data, size) for image in images[:_PICTURES])
    scores = [(name, value) for name, value in row.items() if name not in _SHOWN_ELSEWHERE and name != "step"]
    scores.sort(key=lambda pair: pair[0] in VERDICT)  # what was measured first, then details of the verdict
    others = [(name, value) for name, value in said.items() if name not in _SHOWN_ELSEWHERE]
    return Card(
        visible(sample.key, 2 * _NAME),
        visible(sample.shard, _NAME),
        _fate(row),
        tuple(found for found in thumbnails if found),
        len(images),
        tuple(_captions(sample, said)),
        tuple(_turns(said)),
        tuple((visible(name, _NAME), _number(value)) for name, value in scores[:_COLUMNS]),
        tuple((visible(name, _NAME), visible(as_text(value) or "null", _VALUE)) for name, value in others[:_COLUMNS]),
    )


def visible(text: str, most: int) -> str:
    """Text as a page may show it, at most so many characters of it."""
    shown = _UNSEEN.sub(lambda found: f"‹U+{ord(found[0]):04X}›", text[:most])
    return shown if len(text) <= most and len(shown) <= most else shown[:most] + "…"


def _fate(row: Row) -> str:
    if "kept" not in row:
        return ""
    return "kept" if row["kept"] else visible(str(row.get("reason") or "dropped"), _VALUE)


def _captions(sample: Sample, said: Mapping[str, Any]) -> Iterator[Pair]:
    """`txt` or `caption`, and of `captions` those that say something else, by kind and by whom."""
    texts = [("", text) for text in (_txt(sample), said.get("caption")) if isinstance(text, str)]
    told = said.get("captions")
    for item in told if isinstance(told, list) else []:
        if isinstance(item, str):
            texts.append(("", item))
        elif isinstance(item, dict) and isinstance(item.get("text"), str):
            names = (item.get(name) for name in ("kind", "by", "prompt"))
            label = ", ".join(dict.fromkeys(str(name) for name in names if name))
            round_ = item.get("round")
            texts.append((f"{label}, round {round_}" if isinstance(round_, int) and round_ else label, item["text"]))
    labels: dict[str, str] = {}
    for label, text in texts:
        labels[text] = labels.get(text) or label
    for text, label in list(labels.items())[:_SAYINGS]:
        yield visible(label, _NAME), visible(text, _CHARACTERS)


def _turns(said: Mapping[str, Any]) -> Iterator[Pair]:
    messages = said.get("messages")
    for message in messages[:_TURNS] if isinstance(messages, list) else []:
        if isinstance(message, dict):
            parts = message_parts({"messages": [message]})
            texts = [part["text"] if isinstance(part.get("text"), str) else f"[{part.get('type')}]" for part in parts]
            yield visible(str(message.get("role", "")), _NAME), visible(" ".join(texts), _CHARACTERS)


def _txt(sample: Sample) -> str | None:
    if "txt" not in sample.fields:
        return None
    return bytes(sample["txt"]).decode("utf-8", "backslashreplace")


def _json(sample: Sample) -> Mapping[str, Any]:
    try:
        return sample.json
    except (ValueError, RecursionError):
        return {"json": "unreadable"}


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.4g}"
    return visible(as_text(value) or "", _VALUE)
