"""What a training run is told."""

from dataclasses import asdict, dataclass
from typing import Any

from vlmkit.errors import VlmkitError

PARTS = ("vision", "projector", "language")


@dataclass(frozen=True)
class TrainOptions:
    """`model` continues a checkpoint or begins a built-in one; `vision` and `llm`, in its place, are put together.

    `samples` and `epochs` say how long: samples go first. `batch_size` is the number of samples of one step over all
    processes, `device_batch` how many of them a device computes at once. `lr` is the highest learning rate, reached
    after the share `warmup` of the steps. `max_tokens` None: what the model's context holds.
    """

    model: str | None = None
    vision: str | None = None
    llm: str | None = None
    freeze: tuple[str, ...] = ()
    epochs: float = 1.0
    samples: int | None = None
    batch_size: int = 32
    device_batch: int | None = None
    lr: float | None = None
    warmup: float = 0.05
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    max_tokens: int | None = None
    caption_prompt: str = ""
    seed: int | None = None
    save_every: int = 200

    def __post_init__(self) -> None:
        if (self.vision is None) != (self.llm is None):
            raise VlmkitError("--vision and --llm belong together", "give both, or --model")
        if self.model is not None and self.vision is not None:
            raise VlmkitError("--model is whole, and --vision and --llm make another", "give --model, or the two")
        if unknown := [part for part in self.freeze if part not in PARTS]:
            raise VlmkitError(f"--freeze {unknown[0]}: no such part", f"there are {', '.join(PARTS)}")
        if set(self.freeze) == set(PARTS):
            raise VlmkitError("everything is frozen, and nothing is left to train", "leave a part out of --freeze")

    @property
    def deciding(self) -> dict[str, Any]:
        """Those that decide the result, for the plan: samples stand for epochs, and how much a device does at once or
        how often is saved does not decide."""
        left_out = ("epochs", "device_batch", "save_every")
        return {name: value for name, value in asdict(self).items() if name not in left_out}
