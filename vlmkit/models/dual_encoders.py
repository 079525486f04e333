"""Models that embed pictures and texts in one space, so that a cosine says how well they match."""

from collections.abc import Sequence
from typing import Protocol

import torch
from PIL import Image
from torch import Tensor

HINT = "use --clip-model builtin:conse (no download), or --clip-model path:FOLDER"


class DualEncoder(Protocol):
    """An image encoder and a text encoder with a common space (Radford et al., 2021)."""

    name: str
    """What stands for the model in a column, `ModelName.column()`."""

    def prepare(self, image: Image.Image) -> Tensor:
        """One RGB picture -> what `encode_images` takes a batch of. CPU work; several threads may call it."""
        ...

    def encode_images(self, batch: Tensor) -> Tensor:
        """Prepared pictures, stacked [batch, ...] -> unit rows [batch, dim], float32 on the CPU."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Texts [batch] -> unit rows [batch, dim], float32 on the CPU; what is too long is cut."""
        ...


def unit_rows(vectors: Tensor) -> Tensor:
    """[batch, dim] on any device -> rows of length 1, float32 on the CPU."""
    return torch.nn.functional.normalize(vectors.float(), dim=-1).cpu()
