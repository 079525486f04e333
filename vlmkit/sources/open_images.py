"""Open Images: 1,000 photos of 120 pixels, CC BY 2.0, without text (Kuznetsova et al., 2020; the package sakuhart)."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vlmkit.jobs.step import Kept
from vlmkit.sources.pictures import read_picture
from vlmkit.sources.samples import make_sample


@dataclass(frozen=True)
class OpenImages:
    """One sample a photo, sorted by file name; the package's ATTRIBUTION.md names the photographers."""

    folder: Path

    name = "demo:openimages"

    @property
    def total(self) -> int:
        return len(self._photos)

    @cached_property
    def _photos(self) -> list[Path]:
        return sorted(self.folder.glob("*.jpg"))

    def __iter__(self) -> Iterator[Kept]:
        return (self._kept(number, photo) for number, photo in enumerate(self._photos))

    def _kept(self, number: int, photo: Path) -> Kept:
        picture = read_picture(photo.read_bytes())
        return Kept(make_sample(f"{number:09d}", self.name, [picture], given={"file": photo.name}))
