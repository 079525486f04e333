"""Nothing in the loop trains on a held-out question."""

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from vlmkit.flywheel.held_out import REASON, NotHeldOut, held_out_questions, question_digest
from vlmkit.jobs.step import Dropped
from vlmkit.shards.sample import Sample, new_sample
from vlmkit.shards.writer import TarWriter


def picture(colour: str, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, kind)
    return file.getvalue()


def asking(key: str, question: str, image: bytes, field: str = "png", answer: str = "red") -> Sample:
    messages = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]},
        {"role": "assistant", "content": [{"type": "text", "text": answer}]},
    ]
    return new_sample(key, {field: image, "json": json.dumps({"messages": messages}).encode()})


@pytest.fixture
def test_set(tmp_path: Path) -> Path:
    folder = tmp_path / "test"
    folder.mkdir()
    with open(folder / "00000.tar", "wb") as file:
        tar = TarWriter(file)
        tar.write(asking("t0", "What color is it?", picture("red")))
        tar.write(asking("t1", "What shape is it?", picture("blue")))
        tar.close()
    return folder


def test_a_planted_leak_is_found_whatever_its_file_and_answer(test_set: Path) -> None:
    leaks = [
        asking("same", "What color is it?", picture("red")),
        asking("re-encoded", "what  color is it? ", picture("red", "BMP"), "bmp", answer="blue"),
    ]
    clean = [
        asking("other question", "What shape is it?", picture("red")),
        asking("other picture", "What color is it?", picture("green")),
    ]
    step = NotHeldOut(held_out_questions([str(test_set)]))
    outcomes = list(step([*leaks, *clean]))
    dropped = [outcome.sample.key for outcome in outcomes if isinstance(outcome, Dropped) and outcome.reason == REASON]
    assert dropped == ["same", "re-encoded"]
    assert len(outcomes) == 4


def test_a_broken_picture_is_dropped_as_bad(test_set: Path) -> None:
    (outcome,) = NotHeldOut(held_out_questions([str(test_set)]))([asking("bad", "What?", b"no picture")])
    assert isinstance(outcome, Dropped)
    assert outcome.bad


def test_a_sample_without_a_question_is_no_leak() -> None:
    assert question_digest(new_sample("k", {"txt": b"a caption"})) is None


def test_the_plan_tells_one_held_out_set_from_another(test_set: Path) -> None:
    some = NotHeldOut(held_out_questions([str(test_set)]))
    assert some.options() != NotHeldOut(frozenset()).options()
