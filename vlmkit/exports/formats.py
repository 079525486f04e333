"""One image format: a picture that has another is encoded again, and one that has it already keeps its bytes."""

import io
from typing import Any

from vlmkit.pictures.decode import upright
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
    kind, options = _ENCODED[field]
    image = upright(data)
    profile = image.info.get("icc_profile") if image.mode != "CMYK" else None  # it is of the colours that it had
    image = image if image.mode in _MODES[field] else _converted(image, field)
    file = io.BytesIO()
    image.save(file, kind, **options, **({"icc_profile": profile} if profile else {}))
    return file.getvalue()


def _converted(image: Any, field: str) -> Any:
    """In a mode that the format knows."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        image = image.point(lambda value: value / 257).convert("L")
        return image if "L" in _MODES[field] else image.convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    if "RGBA" in _MODES[field]:
        return image
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, image).convert("RGB")
