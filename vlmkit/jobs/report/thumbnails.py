"""Small copies of pictures, for a page that must hold them all."""

import base64
import io
import warnings

from PIL import Image

from vlmkit.errors import VlmkitError
from vlmkit.pictures.decode import decode

_SIDES_AND_QUALITIES = ((160, 75), (160, 50), (160, 30), (120, 30), (80, 30))
_MOST_BYTES = 8_000
_BEHIND = (255, 255, 255)  # what shows through a transparent picture


def thumbnail(data: memoryview) -> str | None:
    """A picture as a JPEG of at most 160 pixels a side and about 8 kB, as a data URI; None if it can't be decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = _small(data)
    except (MemoryError, VlmkitError):
        raise
    except Exception:  # noqa: BLE001 - decoders raise what they like, and the page shows that there is no picture
        return None
    for side, quality in _SIDES_AND_QUALITIES:
        jpeg = _jpeg(picture, side, quality)
        if len(jpeg) <= _MOST_BYTES:
            break
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _small(data: memoryview) -> Image.Image:
    largest = _SIDES_AND_QUALITIES[0][0]
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
