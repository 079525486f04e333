"""The captioner: each distinct picture is answered once, in batches, and every sample gets its answer in its place."""

import io

import pytest
from PIL import Image

from vlmkit.captions import captioner as module
from vlmkit.captions.captioner import Captioner
from vlmkit.scores.inputs import Missing
from vlmkit.shards.sample import new_sample


class Scripted:
    """Says the red value of every picture; notes what it was given; fails on blue ones."""

    def __init__(self):
        self.batches = []

    def generate(self, pictures, prompts, max_new_tokens):
        self.batches.append([[picture.getpixel((0, 0))[0] for picture in own] for own in pictures])
        if any(picture.getpixel((0, 0))[2] for own in pictures for picture in own):
            raise RuntimeError("blue")
        return [f"{prompt} {reds}" for prompt, reds in zip(prompts, self.batches[-1], strict=True)]


@pytest.fixture
def make(picture):
    def sample(key, *reds, **fields):
        pictures = [picture(color=(red, 0, 0)) for red in reds]
        names = ["png"] if len(pictures) == 1 else [f"{n}.png" for n in range(len(pictures))]
        return new_sample(key, {**dict(zip(names, pictures, strict=True)), **fields})

    return sample


def answers(samples, batch_size=2):
    vlm = Scripted()
    found = list(Captioner(vlm, "say", 8, batch_size)(samples))
    assert [sample.key for sample, _ in found] == [sample.key for sample in samples]
    return [answer for _, answer in found], vlm


def test_each_distinct_picture_is_seen_once(make):
    reds = [7, 7, 8, 7, 9, 8, 10, 9, 9, 7]
    found, vlm = answers([make(str(n), red) for n, red in enumerate(reds)])
    assert found == [f"say [{red}]" for red in reds]
    assert vlm.batches == [[[7], [8]], [[9], [10]]]


def test_several_pictures_are_one_question(make):
    found, vlm = answers([make("a", 1, 2), make("b", 2, 1), make("c", 1), make("d", 1, 2)], batch_size=8)
    assert found == ["say [1, 2]", "say [2, 1]", "say [1]", "say [1, 2]"]
    assert vlm.batches == [[[1, 2], [2, 1], [1]]]


def test_what_has_no_picture_or_a_broken_one_says_so(make):
    samples = [make("text", txt=b"x"), make("good", 5), make("rep", **{"rep.npy": b"x"}), make("bad", jpg=b"no")]
    found, vlm = answers([*samples, make("again", jpg=b"no")])
    assert found[0] == found[2] == Missing("no image")
    assert found[1] == "say [5]"
    assert (found[3].reason, found[3].bad) == ("unreadable image", True)
    assert found[4] == found[3]
    assert vlm.batches == [[[5]]]


def test_the_picture_that_the_model_fails_on_takes_no_other_with_it(make, picture):
    blue = new_sample("blue", {"png": picture(color=(0, 0, 9))})
    found, _ = answers([make("a", 1), blue, make("b", 2), make("c", 3)], batch_size=4)
    assert found[1] == Missing("model failed", bad=True, error="RuntimeError: blue")
    assert [found[0], *found[2:]] == ["say [1]", "say [2]", "say [3]"]


def test_pictures_stand_upright(picture):
    """The red pixel at the top left is stored at the bottom right, and EXIF says so."""
    image = Image.new("RGB", (8, 8))
    image.putpixel((7, 7), (200, 0, 0))
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 3  # turned by 180 degrees
    image.save(file, "PNG", exif=exif)
    found, _ = answers([new_sample("a", {"png": file.getvalue()})])
    assert found == ["say [200]"]


def test_repeats_without_end_do_not_pile_up(make, monkeypatch):
    monkeypatch.setattr(module, "_WAITING", 5)
    taken, vlm = [], Scripted()

    def stream():
        for number in range(40):
            taken.append(number)
            yield make(str(number), 7)

    first = next(iter(Captioner(vlm, "say", 8, 2)(stream())))
    assert first[1] == "say [7]"
    assert len(taken) <= 5 + 2 * 2


def test_a_forgotten_picture_is_asked_again(make, monkeypatch):
    monkeypatch.setattr(module, "_REMEMBERED", 2)
    found, vlm = answers([make(str(n), red) for n, red in enumerate([1, 2, 3, 1])], batch_size=8)
    assert found == ["say [1]", "say [2]", "say [3]", "say [1]"]
    assert vlm.batches == [[[1], [2], [3], [1]]]
