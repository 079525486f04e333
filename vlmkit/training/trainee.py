"""The model that is trained: loaded or begun by its name, with its processor; what of it is frozen."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForImageTextToText, AutoProcessor

from vlmkit.errors import VlmkitError
from vlmkit.models.loading import loading, quiet_loading
from vlmkit.models.names import ModelName
from vlmkit.training.batches import Inputs
from vlmkit.training.examples import IGNORED
from vlmkit.training.options import TrainOptions

HINT = "use builtin:nano-vlm, path:FOLDER of a checkpoint, hf:ORG/NAME, or --vision and --llm"

_MODULES = {"vision": "vision_tower", "projector": "multi_modal_projector", "language": "language_model"}


@dataclass(frozen=True)
class Trainee:
    """A model of transformers in float32, and the processor that belongs to it."""

    model: Any
    processor: Any

    @property
    def context(self) -> int:
        """The most tokens that a sequence may have."""
        places = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return int(min(places or 1 << 30, self.processor.tokenizer.model_max_length))

    @property
    def pad(self) -> int:
        token = self.processor.tokenizer.pad_token_id
        return 0 if token is None else int(token)  # masked, so any will do

    def save(self, folder: Path) -> None:
        with quiet_loading():
            self.model.save_pretrained(folder)
            self.processor.save_pretrained(folder)

    def freeze(self, parts: Iterable[str]) -> None:
        """Takes parts out of the training. Raises VlmkitError for a model that is not built as LLaVA's are."""
        for part in parts:
            module = getattr(self.model.model, _MODULES[part], None)
            if module is None:
                raise VlmkitError(f"{type(self.model).__name__} has no {_MODULES[part]}", "leave out --freeze")
            module.requires_grad_(False)
        if "language" in parts:
            self.model.get_output_embeddings().requires_grad_(False)


class SummedLoss(nn.Module):
    """A model with its loss as the output, so that launchers may wrap both."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Inputs) -> Tensor:
        """The sum of the cross-entropies of the targets, in nats. Logits are made only where a target stands."""
        logits = self.model(**inputs.model, logits_to_keep=inputs.kept, use_cache=False).logits.float()
        targets = inputs.targets[:, inputs.kept]
        return nn.functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum"
        )


def begin(options: TrainOptions, texts: Iterable[str], seed: int) -> Trainee:
    """The model that a run starts from; `texts` teach a tokenizer where the model brings none. Raises VlmkitError."""
    if options.vision is not None and options.llm is not None:
        from vlmkit.training.compose import compose

        return compose(ModelName.parse(options.vision), ModelName.parse(options.llm), seed)
    name = ModelName.parse(options.model or "builtin:nano-vlm")
    if str(name) == "builtin:nano-vlm":
        from vlmkit.training.nano import nano_vlm

        return Trainee(*nano_vlm(texts, seed))
    return load(name)


def load(name: ModelName) -> Trainee:
    """A checkpoint, as transformers saves it, of a hub or in a folder. Raises VlmkitError."""
    if name.kind not in ("hf", "path"):
        raise VlmkitError(f"{name} is no vision-language model that can be trained", HINT)
    source: dict[str, Any] = {"revision": name.revision or "main", "trust_remote_code": False}
    with loading(name, "model", HINT):
        processor = AutoProcessor.from_pretrained(name.id, backend="pil", **source)
        model = AutoModelForImageTextToText.from_pretrained(name.id, dtype=torch.float32, **source)
    return Trainee(model, processor)
