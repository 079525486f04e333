"""What scorers read of a sample: its text, its picture's size, its picture."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from PIL import Image

from vlmkit.errors import VlmkitError
from vlmkit.jobs.step import Dropped
from vlmkit.pictures.decode import decode, stored_size
from vlmkit.shards.sample import Sample


@dataclass(frozen=True)
class Missing:
    """Why a sample has no value: it lacks what the scorer reads or, if `bad`, that can't be decoded."""

    reason: str
    bad: bool = False
    error: str | None = None

    def dropped(self, sample: Sample) -> Dropped:
        """How a step drops a sample for which this value decides."""
        if self.error:
            sample.row["error"] = self.error
        return Dropped(sample, self.reason, self.bad)


@dataclass(frozen=True)
class Input:
    """One thing that a scorer reads; `read` gives None where the sample has none, and raises if it can't be decoded."""

    name: str
    read: Callable[[Sample], Any]

    def of(self, sample: Sample) -> Any | Missing:
        try:
            value = self.read(sample)
        except (MemoryError, VlmkitError):
            raise
        except Exception as error:  # noqa: BLE001 - decoders raise what they like, and one sample must not end a job
            return Missing(f"unreadable {self.name}", bad=True, error=told(error))
        return Missing(f"no {self.name}") if value is None else value


def told(error: Exception) -> str:
    """What was raised, without the addresses in memory that Pillow names: tables are the same from run to run."""
    return re.sub(r" at 0x[0-9a-f]+", "", f"{type(error).__name__}: {error}")


def image_size(sample: Sample) -> tuple[int, int] | None:
    """Width and height of the (first) picture in pixels, as stored: read from its header, and kept in the row."""
    if "width" not in sample.row or "height" not in sample.row:
        images = sample.images
        if not images:
            return None
        sample.row["width"], sample.row["height"] = stored_size(images[0].data)
    return sample.row["width"], sample.row["height"]


def image_pixels(sample: Sample) -> Image.Image | None:
    """The (first) picture, as `decode` makes it."""
    images = sample.images
    return decode(images[0].data) if images else None


TEXT = Input("text", attrgetter("text"))
SIZE = Input("image", image_size)
PIXELS = Input("image", image_pixels)
