"""One image format: bytes that have it stay, others are decoded and encoded again."""

import io

import numpy as np
import pytest
from PIL import Image

from vlmkit.exports.formats import FORMATS, as_format
from vlmkit.sources.outcomes import NoSample


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def opened(data):
    return Image.open(io.BytesIO(data))


@pytest.fixture
def noise():
    values = np.linspace(0, 255, 24 * 40 * 3).reshape(24, 40, 3).astype(np.uint8)
    return Image.fromarray(values)


@pytest.mark.parametrize("field", FORMATS)
def test_bytes_that_have_the_format_stay(noise, field):
    data = encoded(noise, {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[field])
    assert as_format(data, field).data == data


def test_png_loses_nothing_and_jpeg_little(noise):
    assert np.array_equal(opened(as_format(encoded(noise, "BMP"), "png").data), noise)
    made = as_format(encoded(noise, "PNG"), "jpg")
    assert (made.field, made.width, made.height) == ("jpg", 40, 24)
    image = opened(made.data)
    assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3, "4:4:4"
    assert np.abs(np.asarray(image, int) - np.asarray(noise, int)).mean() < 3


def test_a_picture_stands_upright(noise):
    exif = Image.Exif()
    exif[0x0112] = 6
    made = as_format(encoded(noise, "JPEG", exif=exif, quality=95), "png")
    assert (made.width, made.height) == (24, 40)
    assert not opened(made.data).getexif().get(0x0112)


def test_transparency_is_kept_or_becomes_white():
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert opened(as_format(encoded(clear, "PNG"), "webp").data).mode == "RGBA"
    assert opened(as_format(encoded(clear, "PNG"), "jpg").data).getpixel((1, 1)) == (255, 255, 255)
    keyed = encoded(Image.new("RGB", (4, 4), "red"), "PNG", transparency=(255, 0, 0))
    assert opened(as_format(keyed, "jpg").data).getpixel((1, 1)) == (255, 255, 255)
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([9, 9, 9])
    assert opened(as_format(encoded(palette, "GIF", transparency=0), "jpg").data).getpixel((1, 1)) == (255, 255, 255)


def test_odd_modes_are_converted():
    deep = Image.fromarray(np.full((4, 4), 257 * 100, np.uint16))
    assert opened(as_format(encoded(deep, "PNG"), "jpg").data).getpixel((0, 0)) == (100, 100, 100)
    assert opened(as_format(encoded(deep, "TIFF"), "png").data).getpixel((0, 0)) == 25_700
    ink = Image.new("CMYK", (4, 4), (0, 0, 0, 0))
    assert opened(as_format(encoded(ink, "TIFF"), "png").data).getpixel((0, 0)) == (255, 255, 255)
    frames = [Image.new("RGB", (4, 4), color) for color in ("white", "black")]
    moving = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    still = opened(as_format(moving, "png").data)
    assert (getattr(still, "n_frames", 1), still.convert("RGB").getpixel((0, 0))) == (1, (255, 255, 255))


def test_a_colour_profile_stays(noise):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert opened(as_format(encoded(noise, "PNG", icc_profile=profile), "jpg").data).info["icc_profile"] == profile
    for field in ("png", "webp"):
        ink = encoded(Image.new("CMYK", (4, 4)), "JPEG", icc_profile=profile)
        assert "icc_profile" not in opened(as_format(ink, field).data).info, "it was of other colours"


@pytest.mark.parametrize("cut", [0, 40, -60])
def test_what_can_not_be_decoded_has_its_reason(noise, cut):
    with pytest.raises(NoSample) as error:
        as_format(encoded(noise, "PNG")[:cut], "jpg")
    assert (error.value.reason, error.value.bad) == ("unreadable image", True)
