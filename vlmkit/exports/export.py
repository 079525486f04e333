"""What all formats for other trainers have in common: samples read into plain values, a folder that appears whole."""

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from vlmkit.exports.reading import Look
from vlmkit.exports.schema import json_of, text_of
from vlmkit.jobs.counts import Counts
from vlmkit.jobs.step import Dropped, Kept, Outcome
from vlmkit.shards.dataset import own_folder
from vlmkit.shards.disk import Naming
from vlmkit.shards.sample import Row, Sample
from vlmkit.sources.outcomes import NoSample
from vlmkit.sources.pictures import Picture, read_picture
from vlmkit.tables.rows import without_verdict

IMAGES = "images"


@dataclass(frozen=True)
class Example:
    """A sample as other formats say it. `names` are those of its json and, if wanted, of its row."""

    key: str
    pictures: list[Picture]
    text: str | None
    names: dict[str, Any]


class Export(ABC):
    """A store for samples, which `__call__` has let pass, in another format than tars.

    Everything is written to a folder inside `.vlmkit`, and moved to where it belongs when it is whole.
    """

    name: ClassVar[str]

    def __init__(self, folder: Path, embed_rows: bool = False, rekey: bool = False) -> None:
        self.room = own_folder(folder) / "tmp" / "export"
        self._folder = folder
        self._embed_rows = embed_rows
        self._rekey = rekey
        self._number = 0
        self._read: tuple[Sample, Example] | None = None  # the last one, which is stored next

    def __call__(self, sample: Sample, counts: Counts) -> Outcome:
        """Says of a sample that the format can't hold why it can't."""
        try:
            self._read = sample, self.example(sample, sample.row)
        except NoSample as why:
            sample.row["error"] = why.error
            return Dropped(sample, why.reason, why.bad)
        for field in self.left_out(sample):
            counts.notes[f"members that {self.name} has no place for: {field}"] += 1
        return Kept(sample)

    def first_pass(self) -> Look | None:
        """What must be shown all samples before the first is stored, if there is need."""
        return None

    def left_out(self, sample: Sample) -> list[str]:
        """The fields that do not come out."""
        pictures = sample.images
        return [m.field for m in sample.members if m not in pictures and m.field not in ("txt", "json")]

    def example(self, sample: Sample, row: Row) -> Example:
        """Raises NoSample for what can't be read, or has no place in this format."""
        pictures = [read_picture(bytes(member.data)) for member in sample.images]
        return Example(sample.key, pictures, text_of(sample), self.names_of(sample, row))

    def names_of(self, sample: Sample, row: Row) -> dict[str, Any]:
        """Raises NoSample."""
        return {**json_of(sample), **(without_verdict(row) if self._embed_rows else {})}

    def put(self, sample: Sample, row: Row) -> int:
        if self._number == 0:
            shutil.rmtree(self.room, ignore_errors=True)
            self.room.mkdir(parents=True)
        read = self._read
        example = read[1] if read is not None and read[0] is sample else self.example(sample, row)
        key = f"{self._number:09d}" if self._rekey else sample.key
        self._number += 1
        with Naming(self._folder):
            return self.write(replace(example, key=key), sample)

    @abstractmethod
    def write(self, example: Example, sample: Sample) -> int:
        """Returns the bytes written. The folder `room` is there."""

    @abstractmethod
    def close(self) -> None:
        """Ends what is being written."""

    def note(self, sample: Sample, row: Row) -> None:
        """There is no place here for what was dropped: it is counted, and kept by --rejects."""
        return

    def finish(self, counts: Counts | None = None) -> None:
        self.room.mkdir(parents=True, exist_ok=True)
        with Naming(self._folder):
            self.close()
        os.sync()  # once for all files: there may be millions
        for path in sorted(self.room.iterdir()):
            path.rename(self._folder / path.name)
        self.room.rmdir()

    def abandon(self) -> None:
        shutil.rmtree(self.room, ignore_errors=True)


def columns_of(names: Mapping[str, Any], taken: tuple[str, ...]) -> dict[str, str]:
    """What names of json are called beside columns of that name: `json.image`, as a condition would call it."""
    return {name: f"json.{name}" if name in taken else name for name in names}
