"""Pictures are found by what they are, and stored as they came."""

import hashlib
import io
import struct
import zlib

import pytest
from PIL import Image

from vlmkit.sources.outcomes import NoSample
from vlmkit.sources.pictures import picture_fields, read_picture
from vlmkit.sources.samples import make_sample


@pytest.mark.parametrize(
    ("kind", "field"),
    [("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp"), ("GIF", "gif"), ("BMP", "bmp"), ("TIFF", "tif")],
)
def test_the_header_says_kind_and_size(picture, kind, field):
    data = picture(kind, (33, 21))
    found = read_picture(data)
    assert (found.field, found.width, found.height, found.data) == (field, 33, 21, data)


def test_a_phones_double_jpeg_is_a_jpeg():
    file = io.BytesIO()
    left, right = Image.new("RGB", (16, 8), "red"), Image.new("RGB", (16, 8), "blue")
    left.save(file, "MPO", save_all=True, append_images=[right])
    assert Image.open(file).format == "MPO"
    assert read_picture(file.getvalue()).field == "jpg"


def test_nothing_is_decoded(picture):
    data = picture("JPEG", (400, 300))
    assert read_picture(data[: len(data) // 2]).width == 400


def test_a_header_that_says_too_much_is_unreadable(picture):
    header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    with pytest.raises(NoSample) as error:
        read_picture(picture("PNG")[:12] + header + struct.pack(">I", zlib.crc32(header)) + picture("PNG")[33:])
    assert (error.value.reason, error.value.bad) == ("unreadable image", True)
    assert "DecompressionBomb" in error.value.error


@pytest.mark.parametrize("data", [b"", b"<html>404</html>", b"\xff\xd8\xff", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\x89PNG"])
def test_other_bytes_are_unreadable_in_words_that_never_change(data):
    with pytest.raises(NoSample) as error:
        read_picture(data)
    assert error.value.reason == "unreadable image"
    assert "0x" not in error.value.error


def test_several_pictures_are_numbered(picture):
    pictures = [read_picture(picture("JPEG")), read_picture(picture("PNG"))]
    assert list(picture_fields(pictures)) == ["0.jpg", "1.png"]
    assert list(picture_fields(pictures[1:])) == ["png"]
    assert picture_fields([]) == {}


def test_a_sample_has_the_names_that_every_sample_has(picture):
    data = picture("PNG", (12, 34))
    sample = make_sample("k", "demo:x", [read_picture(data)], b"a cat", {"license": None, "tags": [], "stars": 0})
    assert sample.json == {
        "uid": hashlib.sha256(data + b"\0a cat").hexdigest()[:32],
        "image_id": hashlib.sha256(data).hexdigest(),
        "width": 12,
        "height": 34,
        "source": "demo:x",
        "stars": 0,
    }
    assert sample.row == {"width": 12, "height": 34}
    assert bytes(sample["png"]) == data


def test_a_uid_and_a_source_that_came_along_stay_and_a_stated_size_does_not(picture):
    given = {"uid": "abc", "source": "elsewhere", "width": 1, "height": "tall", "image_id": 7}
    found = make_sample("k", "s", [read_picture(picture())], given=given).json
    assert (found["uid"], found["source"], found["width"], found["height"]) == ("abc", "elsewhere", 40, 30)
    assert len(found["image_id"]) == 64


def test_without_a_picture_the_uid_is_of_the_text_alone():
    messages = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}, {"role": "assistant", "content": "yes"}]
    assert (
        make_sample("k", "s", given={"messages": messages}).json["uid"] == hashlib.sha256(b"\0hi\nyes").hexdigest()[:32]
    )


def test_of_a_url_the_uid_is_of_the_url_and_the_text(picture):
    sample = make_sample("k", "s", [read_picture(picture())], b"a cat", url="http://host/a.jpg")
    assert sample.json["uid"] == hashlib.sha256(b"http://host/a.jpg\0a cat").hexdigest()[:32]
