"""Exact signatures: samples with equal ones are duplicates."""

import hashlib
from dataclasses import dataclass

from vlmkit.errors import VlmkitError
from vlmkit.pictures.decode import upright
from vlmkit.scores.inputs import TEXT, Input, Missing
from vlmkit.shards.sample import Sample

KINDS = ("pixels", "bytes")
BY = ("auto", "image", "text", "image,text")


def pixels_digest(data: bytes | memoryview) -> bytes:
    """sha256 of the size and the RGBA pixels of a picture's first frame, upright by its EXIF orientation."""
    picture = upright(data).convert("RGBA")
    return hashlib.sha256(b"%d %d " % picture.size + picture.tobytes()).digest()


def text_digest(text: str) -> bytes:
    """sha256 of a text with its white space folded."""
    return hashlib.sha256(" ".join(text.split()).encode()).digest()


def _all_pixels(sample: Sample) -> bytes | None:
    return b"".join(pixels_digest(image.data) for image in sample.images) or None


def _all_bytes(sample: Sample) -> bytes | None:
    return b"".join(hashlib.sha256(image.data).digest() for image in sample.images) or None


_IMAGE = {"pixels": Input("image", _all_pixels), "bytes": Input("image", _all_bytes)}


@dataclass(frozen=True)
class Signer:
    """Signs samples by their pictures (by `kind`), their whole text (answers included), or both.

    `auto` looks at the pictures and, of samples with a conversation, the text too: many questions on one picture are
    no duplicates. A sample that has nothing of what is compared is like no other.
    """

    by: str = "auto"
    kind: str = "pixels"

    def __post_init__(self) -> None:
        if self.by not in BY:
            raise VlmkitError(f"--by {self.by} is not known", f"choose one of: {' '.join(BY)}")
        if self.kind not in KINDS:
            raise VlmkitError(f"--kind {self.kind} is not known", f"choose one of: {' '.join(KINDS)}")

    def sign(self, sample: Sample) -> tuple[bytes, str] | Missing:
        """The signature, and the reason that its duplicates are dropped for."""
        parts: dict[str, bytes] = {}
        for name, wanted in self._compared(sample).items():
            value = wanted.of(sample)
            if isinstance(value, Missing) and value.bad:
                return value
            if not isinstance(value, Missing):
                parts[name] = text_digest(value) if isinstance(value, str) else value
        if not parts:
            return Missing("nothing to compare")
        reason = f"duplicate {' and '.join(parts)}"
        return hashlib.sha256(reason.encode() + b"".join(parts.values())).digest(), reason

    def _compared(self, sample: Sample) -> dict[str, Input]:
        picture, text = {self.kind: _IMAGE[self.kind]}, {"text": TEXT}
        match self.by:
            case "image":
                return picture
            case "text":
                return text
            case "image,text":
                return picture | text
        return picture | text if not sample.images or _has_messages(sample) else picture


def _has_messages(sample: Sample) -> bool:
    try:
        return bool(sample.json.get("messages"))
    except ValueError:
        return True  # its text can't be read either, which then is said of it
