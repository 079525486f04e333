"""One image format: a picture that has another is encoded again, and one that has it already keeps its bytes."""

import io
from typing import Any

from PIL import Image

from vlmkit.pictures.decode import decode, upright
from vlmkit.sources.outcomes import NoSample
from vlmkit.sources.pictures import Picture, read_picture

# Quality 95 without chroma subsampling is as good as invisible; PNG loses nothing.
_ENCODED: dict[str, tuple[str, dict[str, Any]]] = {
    "jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {"quality": 95}),
}
FORMATS = tuple(_ENCODED)
_MODES = {"jpg": ("L", "RGB"), "png": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"), "webp": ("RGB", "RGBA")}
_WHITE = (255, 255, 255)


def as_format(data: bytes, field: str) -> Picture:
    """The picture in the format `field`: upright, its first frame, with its colour profile; on white if the format
    knows no transparency. Raises NoSample if it can't be decoded."""
    picture = read_picture(data)
    if picture.field == field:
        return picture
    try:
        return read_picture(_encoded(data, field))
    except MemoryError:
        raise
    except Exception as error:  # the bytes may be anything, and so may what a decoder makes of them
        raise NoSample("unreadable image", f"{type(error).__name__}: {error}", bad=True) from error


def _encoded(data: bytes, field: str) -> bytes:
    stored = upright(data)
    # Pillow would hand a profile on by itself, also that of colours which the picture no longer has.
    profile = stored.info.get("icc_profile", b"") if stored.mode != "CMYK" else b""
    kind, options = _ENCODED[field]
    file = io.BytesIO()
    _fit(stored, data, field).save(file, kind, icc_profile=profile, **options)
    return file.getvalue()


def _fit(stored: Image.Image, data: bytes, field: str) -> Image.Image:
    """The picture in a mode that the format knows: its own where that will do."""
    clear = stored.has_transparency_data
    if stored.mode in _MODES[field] and not (clear and field == "jpg"):
        return stored
    if clear and field != "jpg":
        return stored.convert("RGBA")
    return decode(data, behind=_WHITE)
