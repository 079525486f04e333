"""What holds of every model that embeds pictures and texts."""

import pytest
import torch

from vlmkit.models.load import load_dual_encoder
from vlmkit.models.names import ModelName

TEXTS = ["a cat", "a photo of the cat on the red mat of the dog", "many words " * 100, ""]


@pytest.fixture(params=["open_clip", "clip", "siglip"], scope="module")
def model(request):
    if request.param == "open_clip":
        pytest.importorskip("open_clip")
    folder = request.getfixturevalue(f"{request.param}_folder")
    return load_dual_encoder(ModelName("path", str(folder)), "cpu")


def test_its_rows_are_unit_vectors_in_one_space(model, pictures):
    images = model.encode_images(torch.stack([model.prepare(picture) for picture in pictures]))
    texts = model.encode_texts(TEXTS)
    assert (len(images), len(texts)) == (len(pictures), len(TEXTS))
    assert images.shape[1] == texts.shape[1]
    torch.testing.assert_close(torch.cat([images, texts]).norm(dim=1), torch.ones(10))


def test_a_row_does_not_depend_on_its_batch(model, pictures):
    prepared = [model.prepare(picture) for picture in pictures]
    alone = torch.cat([model.encode_images(pixels[None]) for pixels in prepared])
    torch.testing.assert_close(model.encode_images(torch.stack(prepared)), alone, atol=1e-5, rtol=0)
    alone = torch.cat([model.encode_texts([text]) for text in TEXTS])
    torch.testing.assert_close(model.encode_texts(TEXTS), alone, atol=1e-5, rtol=0)
