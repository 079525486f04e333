"""easy-VQA: questions about one coloured shape on 64 x 64 pixels (Zhou, 2020; the package easy-vqa)."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vlmkit.errors import VlmkitError
from vlmkit.jobs.step import Kept
from vlmkit.sources.conversations import question
from vlmkit.sources.pictures import Picture, read_picture
from vlmkit.sources.samples import make_sample

_SHAPE = "(circle|rectangle|triangle)"
_COLOR = "(red|green|blue|black|gray|teal|brown|yellow)"
_ANY = rf"({_SHAPE}|{_COLOR} shape)"

# Every form of question in the data, asked of a shape or of a coloured shape, and what it is about.
_SKILLS = (
    (rf"what (color is|is the color of) the ({_SHAPE}|shape)", "color"),
    (rf"what (is the {_COLOR} shape|shape is in the image|shape is present|shape does the image contain)", "shape"),
    (rf"(does the image (not )?contain an? {_ANY}|is there (not )?an? {_ANY}( in the image)?)", "yes/no"),
    (rf"is (an?|no) {_ANY} present", "yes/no"),
)


@dataclass(frozen=True)
class EasyVqa:
    """One sample a question, in the file's order; easy-VQA asks some ten questions of each picture."""

    folder: Path
    split: str

    @property
    def name(self) -> str:
        return f"demo:easy-vqa/{self.split}"

    @property
    def total(self) -> int:
        return len(self._questions)

    @cached_property
    def _questions(self) -> list[tuple[str, str, int]]:
        return [tuple(entry) for entry in json.loads((self.folder / "questions.json").read_bytes())]

    def __iter__(self) -> Iterator[Kept]:
        seen, picture = None, None
        for number, (text, answer, image) in enumerate(self._questions):
            if picture is None or image != seen:  # the questions of one picture follow one another
                seen, picture = image, read_picture((self.folder / f"images/{image}.png").read_bytes())
            yield self._kept(number, text, answer, f"{self.split}/images/{image}.png", picture)

    def _kept(self, number: int, text: str, answer: str, file: str, picture: Picture) -> Kept:
        given = {
            "messages": question(text, answer),
            "answer": [answer],
            "task": "vqa",
            "skill": skill(text),
            "file": file,
        }
        return Kept(make_sample(f"{number:09d}", self.name, [picture], given=given))


def skill(text: str) -> str:
    """`shape`, `color`, `yes/no shape` or `yes/no color`, by the question's form.

    A yes/no question is about the color if it says `shape` (a red shape), else about the shape (a circle). Raises
    VlmkitError for a form that easy-VQA does not have.
    """
    form = text.strip().removesuffix("?")
    found = next((name for pattern, name in _SKILLS if re.fullmatch(pattern, form)), None)
    if found is None:
        raise VlmkitError(f"easy-VQA has no such form of question: {text}", "install easy-vqa==1.0b1")
    if found != "yes/no":
        return found
    return "yes/no color" if re.search(r"\bshape\b", form) else "yes/no shape"
