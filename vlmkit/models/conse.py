"""ConSE, an image-text similarity that needs no CLIP weights and no training: `builtin:conse`."""

from collections.abc import Sequence
from functools import cached_property

import torch
from PIL import Image
from torch import Tensor

from vlmkit.models.dual_encoders import unit_rows
from vlmkit.models.efficientnet import EfficientNetLite
from vlmkit.models.minilm import MiniLM
from vlmkit.models.packaged import packaged

TOP = 10


class ConSE:
    """Convex combination of semantic embeddings (Norouzi et al., 2014), a DualEncoder.

    A picture's embedding is the mean of its TOP likeliest classes' sentence embeddings, weighted by probability.
    It ranks texts for one picture better than it compares pictures. Raises VlmkitError without its packages.
    """

    name = "builtin:conse"

    def __init__(self, device: str | None = None) -> None:
        self._classifier = EfficientNetLite(device)
        self._sentences = MiniLM(device)

    def prepare(self, image: Image.Image) -> Tensor:
        """One RGB picture -> uint8 [3, 224, 224]."""
        return self._classifier.prepare(image)

    @torch.inference_mode()
    def encode_images(self, batch: Tensor) -> Tensor:
        """Prepared pictures [batch, 3, 224, 224] -> unit rows [batch, 384]."""
        weights, classes = self._classifier.probabilities(batch).topk(TOP, dim=-1)
        return unit_rows((weights.unsqueeze(-1) * self._class_embeddings[classes]).sum(dim=1))

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Texts [batch] -> unit rows [batch, 384]."""
        return self._sentences.encode_texts(texts)

    @cached_property
    def _class_embeddings(self) -> Tensor:
        """[1000, 384], in the order of the classifier's outputs."""
        return self._sentences.encode_texts([f"a photo of {name}" for name in imagenet_classes()])


def imagenet_classes() -> list[str]:
    """The 1000 classes' WordNet names, with synonyms ("tabby, tabby cat"), in the order classifiers use.

    timm's data files have them; timm itself is never imported, because that imports torchvision.
    """
    synsets = packaged("timm", "data/_info/imagenet_synsets.txt").read_text().split()
    lemmas = packaged("timm", "data/_info/imagenet_synset_to_lemma.txt").read_text().splitlines()
    names = dict(line.split("\t", maxsplit=1) for line in lemmas)
    return [names[synset] for synset in synsets]
