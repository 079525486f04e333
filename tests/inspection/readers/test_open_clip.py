"""What `check --for open_clip` says is what open_clip's own functions do with the same tar."""

import json

import pytest

training = pytest.importorskip("open_clip_train.data")


@pytest.fixture
def load():
    """The keys of the samples that come through open_clip's pipeline, up to its own transforms. What webdataset yields
    at the end of a tar since 0.2.90, which open_clip does not know, is left out."""
    import webdataset as wds
    from webdataset.tariterators import tar_file_expander, url_opener

    def run(path):
        files = tar_file_expander(url_opener([{"url": str(path)}]), handler=training.log_and_continue, eof_value=None)
        pipeline = wds.DataPipeline(
            lambda: training.group_by_keys_nothrow(files),
            wds.select(training.filter_no_caption_or_no_image),
            wds.decode("pilrgb", handler=training.log_and_continue),
            wds.rename(image="jpg;png;jpeg;webp", text="txt"),
        )
        return [sample["__key__"] for sample in pipeline if sample["image"] and isinstance(sample["text"], str)]

    return run


def test_a_sound_tar_has_no_defects(pack, picture, said, load, tmp_path):
    members = [
        ("a.jpg", picture("JPEG")),
        ("a.txt", b"a"),
        ("b.WEBP", picture("WEBP")),
        ("b.txt", b""),
        ("b.json", b"[]"),
    ]
    path = pack(tmp_path / "a.tar", members)
    assert load(path) == ["a", "b"]
    assert said("open_clip", path) == []
    assert said("open_clip", path, notes=True) == ["no sizes.json or __len__: give --train-num-samples 2"]


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"jpg": b""}, "dropped: no txt (it has jpg)"),
        ({"txt": b"", "json": b"{}"}, "dropped: no jpg, png, jpeg or webp (it has json txt)"),
        ({"gif": b"", "txt": b""}, "dropped: no jpg, png, jpeg or webp (it has gif txt)"),
        ({"0.jpg": b"", "txt": b""}, "dropped: no jpg, png, jpeg or webp (it has 0.jpg txt)"),
        ({"jpg": None, "txt": b"\xff"}, "dropped: txt can't be decoded (UnicodeDecodeError"),
        ({"jpg": None, "txt": b"", "json": b"{"}, "dropped: json can't be decoded (JSONDecodeError"),
        ({"jpg": None, "txt": b"", "cls": b"x"}, "dropped: cls can't be decoded (ValueError"),
        ({"jpg": b"no", "txt": b""}, "dropped: jpg: a picture that does not decode"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value,
)
def test_a_sample_that_is_dropped_is_named(pack, picture, said, load, tmp_path, fields, what):
    good = picture("JPEG")
    members = [("0.jpg", good), ("0.txt", b"")]
    members += [(f"1.{name}", good if data is None else data) for name, data in fields.items()]
    path = pack(tmp_path / "a.tar", members)
    assert load(path) == ["0"]
    (line,) = said("open_clip", path)
    assert line.startswith(f"1: {what}")


def test_a_field_that_comes_again_begins_a_sample(pack, picture, said, load, tmp_path):
    jpeg = picture("JPEG")
    path = pack(tmp_path / "a.tar", [("a.jpg", jpeg), ("a.txt", b""), ("a.txt", b""), ("a.jpg", jpeg), ("a.jpg", jpeg)])
    assert load(path) == ["a", "a"]
    assert said("open_clip", path) == [
        "a.txt: txt again: a new sample begins here, and the one before is as it is",
        "a.jpg: jpg again: a new sample begins here, and the one before is as it is",
        "a: dropped: no txt (it has jpg)",
    ]


def test_sizes_beside_the_tars_are_compared(pack, picture, said, tmp_path):
    path = pack(tmp_path / "a.tar", [("a.jpg", picture("JPEG")), ("a.txt", b"a"), ("b.txt", b"")])
    dropped = "b: dropped: no jpg, png, jpeg or webp (it has txt)"

    def told(name, text):
        (tmp_path / name).write_text(text)
        return said("open_clip", path)

    assert told("__len__", "1") == [dropped]
    assert training.get_dataset_size(str(path)) == (1, 1)
    wrong = "-: 2 samples according to sizes.json or __len__, and open_clip gets 1"
    assert told("sizes.json", json.dumps({"a.tar": 2})) == [dropped, wrong]
    assert training.get_dataset_size(str(path)) == (2, 1)
    assert told("sizes.json", "{}") == [dropped, "-: refused: KeyError: 'a.tar'"]
    with pytest.raises(KeyError):
        training.get_dataset_size(str(path))
