"""Puts a sample together from pictures, text and metadata, with the names that every `json` has."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from vlmkit.shards.sample import Row, Sample, dump_json, message_parts, new_sample
from vlmkit.sources.outcomes import NoSample
from vlmkit.sources.pictures import Picture, picture_fields


def make_sample(
    key: str,
    source: str,
    pictures: Sequence[Picture] = (),
    text: bytes | None = None,
    given: Mapping[str, Any] | None = None,
    url: str = "",
) -> Sample:
    """A sample of pictures, `txt` and `json`: the names that vlmkit knows, then those that came with the sample.

    `text` becomes `txt`; without it the texts of `messages` count as the original text. A single picture's width and
    height stand in the row too. Raises NoSample if what was given has no JSON form (infinity).
    """
    names = sample_names(source, pictures, text, given or {}, url)
    try:
        member = dump_json(names)
    except ValueError as error:
        raise NoSample("unreadable json", str(error), bad=True) from error
    fields = picture_fields(pictures) | ({"txt": text} if text is not None else {}) | {"json": member}
    sample = new_sample(key, fields)
    sample.row.update(_size(pictures))
    return sample


def sample_names(
    source: str, pictures: Sequence[Picture], text: bytes | None, given: Mapping[str, Any], url: str
) -> dict[str, Any]:
    """`uid`, `image_id`, `width`, `height`, `source` and what was given.

    A `uid` or `source` that came along stays; what a header says of the stored image replaces what was said of it.
    """
    meta = _valued(given)
    origin = url.encode("utf-8", "replace") or b"".join(picture.data for picture in pictures)
    names = {
        "uid": _text(meta, "uid") or _digest(origin, text if text is not None else _message_text(meta)),
        **({"image_id": _image_id(pictures)} if pictures else {}),
        **_size(pictures),
        "source": _text(meta, "source") or source,
    }
    return names | {name: value for name, value in meta.items() if name not in names}


def _valued(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Without the names that have no value: other readers infer a name's type from the first samples."""
    return {name: value for name, value in meta.items() if value is not None and value != []}


def _digest(origin: bytes, text: bytes) -> str:
    """The first 128 bits of sha256 of URL or image bytes, NUL, original text: 32 hexadecimal digits."""
    return hashlib.sha256(origin + b"\0" + text).hexdigest()[:32]


def _image_id(pictures: Sequence[Picture]) -> str:
    """Of several pictures: of their bytes one after the other."""
    return hashlib.sha256(b"".join(picture.data for picture in pictures)).hexdigest()


def _size(pictures: Sequence[Picture]) -> Row:
    return {"width": pictures[0].width, "height": pictures[0].height} if len(pictures) == 1 else {}


def _message_text(meta: Mapping[str, Any]) -> bytes:
    texts = [part["text"] for part in message_parts(meta) if isinstance(part.get("text"), str)]
    return "\n".join(texts).encode("utf-8", "replace")


def _text(meta: Mapping[str, Any], name: str) -> str:
    value = meta.get(name)
    return value if isinstance(value, str) else ""
