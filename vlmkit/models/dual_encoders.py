"""Models that embed pictures and texts in one space, so that a cosine says how well they match."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch
from PIL import Image
from torch import Tensor

from vlmkit.errors import VlmkitError
from vlmkit.models.names import ModelName


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


def load_dual_encoder(name: ModelName, device: str | None = None) -> DualEncoder:
    """Load the dual encoder of this name onto a device (see `pick_device`).

    Raises VlmkitError if the name names no dual encoder, or its weights can't be had.
    """
    match name.kind:
        case "builtin" if name.id == "conse":
            from vlmkit.models.conse import ConSE

            return ConSE(device)
        case "open_clip":
            from vlmkit.models.open_clip import OpenClip

            return OpenClip(name, device)
        case "hf":
            from vlmkit.models.transformers_clip import TransformersClip

            return TransformersClip(name, device)
        case "path":
            return _load_folder(name, device)
    raise VlmkitError(
        f"{name} does not embed pictures and texts",
        "use builtin:conse, open_clip:ARCH/TAG, hf:ORG/NAME or path:FOLDER",
    )


def _load_folder(name: ModelName, device: str | None) -> DualEncoder:
    """A folder as open_clip or as transformers saves it: told apart by the config file."""
    if (Path(name.id) / "open_clip_config.json").is_file():
        from vlmkit.models.open_clip import OpenClip

        return OpenClip(name, device)
    if (Path(name.id) / "config.json").is_file():
        from vlmkit.models.transformers_clip import TransformersClip

        return TransformersClip(name, device)
    raise VlmkitError(
        f"no model in {name.id}", "path: names a folder with config.json or open_clip_config.json, and weights"
    )


def unit_rows(vectors: Tensor) -> Tensor:
    """[batch, dim] on any device -> rows of length 1, float32 on the CPU."""
    return torch.nn.functional.normalize(vectors.float(), dim=-1).cpu()
