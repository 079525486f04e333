"""Small copies of pictures, for a page that must hold them all."""

import base64
import io
import warnings
from dataclasses import dataclass

from PIL import Image

from vlmkit.errors import VlmkitError
from vlmkit.pictures.decode import decode


@dataclass(frozen=True)
class Size:
    """How large a thumbnail may be: sides in pixels with JPEG qualities, tried until one has few enough bytes."""

    sides_and_qualities: tuple[tuple[int, int], ...]
    most_bytes: int

    @property
    def side(self) -> int:
        return self.sides_and_qualities[0][0]


SMALL = Size(((160, 75), (160, 50), (160, 30), (120, 30), (80, 30)), 8_000)
LARGE = Size(((320, 80), (320, 60), (320, 40), (240, 40), (160, 40), (120, 30)), 18_000)
_BEHIND = (255, 255, 255)  # what shows through a transparent picture


def thumbnail(data: memoryview, size: Size = SMALL) -> str | None:
    """A picture as a JPEG of at most this size, as a data URI; None if it can't be decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = _small(data, size.side)
    except (MemoryError, VlmkitError):
        raise
    except Exception:  # noqa: BLE001 - decoders raise what they like, and the page shows that there is no picture
        return None
    for side, quality in size.sides_and_qualities:
        jpeg = _jpeg(picture, side, quality)
        if len(jpeg) <= size.most_bytes:
            break
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _small(data: memoryview, largest: int) -> Image.Image:
    picture = decode(data, at_least=2 * largest, behind=_BEHIND)
    picture.thumbnail((largest, largest))
    picture.info.clear()  # comments and the like, which would go into the copy
    return picture


def _jpeg(picture: Image.Image, side: int, quality: int) -> bytes:
    small = picture.copy()
    small.thumbnail((side, side))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=quality, optimize=True)
    return file.getvalue()
