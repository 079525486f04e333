"""The learning rate of every step: a function of the step alone, so that there is nothing to save."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class CosineSchedule:
    """Linear warm-up over the share `warmup` of the steps, then half a cosine down to 0 (Loshchilov & Hutter, 2017)."""

    highest: float
    steps: int
    warmup: float

    def __call__(self, step: int) -> float:
        """Of a step, counted from 0."""
        rising = max(1, round(self.warmup * self.steps))
        if step < rising:
            return self.highest * (step + 1) / rising
        done = (step - rising) / max(1, self.steps - rising)
        return self.highest * 0.5 * (1 + math.cos(math.pi * done))
