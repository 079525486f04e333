"""What is asked of a member and of a sample. Each rule says what is wrong, in words; where is known to the caller."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import UnidentifiedImageError

from vlmkit.inspection.walk import Found
from vlmkit.pictures.decode import opened
from vlmkit.shards.sample import IMAGE_FIELDS, ROW_FIELD

# The suffixes that fit each of PIL's formats; an MPO is a JPEG with further pictures behind it.
SUFFIXES = {
    "JPEG": ("jpg", "jpeg"),
    "MPO": ("jpg", "jpeg"),
    "PNG": ("png",),
    "WEBP": ("webp",),
    "GIF": ("gif",),
    "BMP": ("bmp",),
    "TIFF": ("tif", "tiff"),
}
_NUMBERED = re.compile(rf"\d+\.(?:{'|'.join(IMAGE_FIELDS)})")


@dataclass(frozen=True)
class Judgement:
    """`wrong` is a defect, `odd` a note."""

    wrong: str | None = None
    odd: str | None = None


def name_defects(member: Found) -> Iterator[str]:
    """Names that a tool which unpacks the tar would follow out of its folder, or could not read."""
    parts = member.name.split("/")
    if member.name.startswith("/"):
        yield "an absolute name"
    if ".." in parts:
        yield "a name with .. in it"
    headers = bytes(member.headers)
    if any("\\x" in part and part.encode() not in headers for part in parts):
        yield "a name that is not UTF-8"


def judge_content(member: Found, decode: bool) -> Judgement:
    """What is wrong with a member's bytes, and what is odd. `decode` decodes pictures to the last pixel; otherwise
    their headers are read."""
    if member.field in ("json", ROW_FIELD):
        return _judge_json(member.data)
    if member.field == "txt":
        return Judgement(_not_utf8(member.data))
    suffix = member.field.rpartition(".")[2]
    return _judge_picture(member.data, suffix, decode) if suffix in IMAGE_FIELDS else Judgement()


def name_notes(member: Found) -> Iterator[str]:
    if not member.name.endswith(f".{member.field}"):
        yield "an upper-case suffix: readers that do not fold case see another field"
    if not member.name.isprintable():
        yield "a name with control characters"


def sample_defects(members: list[Found]) -> Iterator[tuple[Found, str]]:
    """What is wrong among a sample's members, with the member that is at fault."""
    first: dict[str, Found] = {}
    for member in members:
        if member.field in first:
            yield member, f"field {member.field} twice in one sample, first at offset {first[member.field].offset}"
        first.setdefault(member.field, member)
    numbered = next((member for field, member in first.items() if is_numbered(field)), None)
    single = [field for field in first if field in IMAGE_FIELDS]
    if single and numbered is not None:
        yield numbered, f"a numbered image beside {single[0]}: readers take one or the other"


def is_numbered(field: str) -> bool:
    """Whether a field is one of several images, such as `0.jpg`."""
    return _NUMBERED.fullmatch(field) is not None


def sample_notes(members: list[Found]) -> Iterator[str]:
    if len({member.field for member in members}.intersection(IMAGE_FIELDS)) > 1:
        yield "several single images in one sample: the first is the image"


def _judge_picture(data: memoryview, suffix: str, decode: bool) -> Judgement:
    try:
        with opened(data) as image:
            kind = image.format or ""
            if decode:
                image.load()
    except MemoryError:
        raise
    except UnidentifiedImageError:
        return Judgement("a picture that does not decode (of no known kind)")
    except Exception as error:  # noqa: BLE001 - decoders raise what they like
        return Judgement(f"a picture that does not decode ({type(error).__name__}: {error})")
    fits = suffix in SUFFIXES.get(kind, (suffix,))
    return Judgement(odd=None if fits else f"the suffix {suffix} on a {kind} picture")


def _judge_json(data: memoryview) -> Judgement:
    constants: list[str] = []
    try:
        value = json.loads(bytes(data), parse_constant=constants.append)
    except (ValueError, RecursionError) as error:
        return Judgement(f"no JSON ({error})")
    wrong = None if isinstance(value, dict) else f"JSON, but no object: a {type(value).__name__}"
    return Judgement(wrong, "NaN or Infinity in json: strict readers refuse it" if constants else None)


def _not_utf8(data: memoryview) -> str | None:
    try:
        str(data, "utf-8")
    except UnicodeDecodeError as error:
        return f"not UTF-8 (byte {error.start})"
    return None
