"""Dual encoders of transformers: `hf:ORG/NAME[@REVISION]`, and `path:` folders with a config.json."""

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from vlmkit.errors import VlmkitError
from vlmkit.models.devices import mixed_precision, pick_device
from vlmkit.models.dual_encoders import HINT, unit_rows
from vlmkit.models.loading import loading
from vlmkit.models.names import ModelName


class TransformersClip:
    """CLIP (Radford et al., 2021), SigLIP (Zhai et al., 2023) and whatever else has their two methods."""

    def __init__(self, name: ModelName, device: str | None = None) -> None:
        self._device = pick_device(device)
        source: dict[str, Any] = {"revision": name.revision or "main", "trust_remote_code": False}
        with loading(name, "CLIP weights", HINT):
            model = AutoModel.from_pretrained(name.id, dtype=torch.float32, **source)
            self._processor = AutoImageProcessor.from_pretrained(name.id, backend="pil", **source)
            self._tokenizer = AutoTokenizer.from_pretrained(name.id, **source)
        if not hasattr(model, "get_image_features") or self._processor.model_input_names != ["pixel_values"]:
            raise VlmkitError(f"{name} does not embed pictures and texts ({type(model).__name__})", HINT)
        self._model = model.to(self._device).eval()
        self.name = name.column()

    def prepare(self, image: Image.Image) -> Tensor:
        """One RGB picture -> normalised pixels, float32 [3, height, width]."""
        pixels: Tensor = self._processor(image, return_tensors="pt")["pixel_values"][0]
        return pixels

    @torch.inference_mode()
    def encode_images(self, batch: Tensor) -> Tensor:
        """Pixels [batch, 3, height, width] -> unit rows [batch, dim]."""
        with mixed_precision(self._device):
            return unit_rows(_pooled(self._model.get_image_features(pixel_values=batch.to(self._device))))

    @torch.inference_mode()
    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Texts [batch] -> unit rows [batch, dim]; cut at the model's context length."""
        tokens = self._tokens(texts)
        with mixed_precision(self._device):
            return unit_rows(_pooled(self._model.get_text_features(**tokens)))

    def _tokens(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Padded to the full context, so that a row does not depend on its neighbours' lengths.

        SigLIP was trained on padded texts without an attention mask, whatever its tokenizer returns.
        """
        config = self._model.config
        length = min(self._tokenizer.model_max_length, config.text_config.max_position_embeddings)
        tokens = self._tokenizer(
            list(texts), padding="max_length", truncation=True, max_length=length, return_tensors="pt"
        )
        inputs = ["input_ids"] if config.model_type.startswith("siglip") else ["input_ids", "attention_mask"]
        return {key: tokens[key].to(self._device) for key in inputs}


def _pooled(output: Any) -> Tensor:
    """[batch, dim], which older models return bare and newer ones inside an output object."""
    pooled: Tensor = output if isinstance(output, Tensor) else output.pooler_output
    return pooled
