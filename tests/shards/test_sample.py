"""A sample: how names make keys and fields, which members are its images, and what a change leaves alone."""

import io
import json
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmkit.shards.sample import Sample, dump_json, message_parts, new_sample, split_name

PICTURE = b"not decoded here"


def foreign(**fields: bytes) -> bytes:
    """A tar of one sample `k` whose headers carry what vlmkit never writes."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for field, data in fields.items():
            info = tarfile.TarInfo(f"k.{field}")
            info.size, info.mtime, info.uname = len(data), 1_700_000_000.5, "someone"
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def blocks(sample: Sample) -> dict[str, bytes]:
    return {member.field: bytes(member.block) for member in sample.members}


# Names


@pytest.mark.parametrize(
    ("name", "key", "field"),
    [
        ("a.jpg", "a", "jpg"),
        ("a.seg.PNG", "a", "seg.png"),
        ("train/a.0.jpg", "train/a", "0.jpg"),
        ("v1.0/a.jpg", "v1.0/a", "jpg"),
        ("./a.jpg", "./a", "jpg"),
        ("a b/é ü.Json", "a b/é ü", "json"),
        ("a..jpg", "a", ".jpg"),
    ],
)
def test_a_key_ends_at_the_first_dot_of_the_base_name(name, key, field):
    assert split_name(name) == (key, field)


@pytest.mark.parametrize(
    "name", ["README", ".hidden", "a/.hidden.jpg", "v1.0/README", "a.", "a.d/", "", "/", ".", ".."]
)
def test_a_name_without_key_or_field_is_part_of_no_sample(name):
    assert split_name(name) is None


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_key_and_field_make_up_the_name(name):
    parts = split_name(name)
    if parts is None:
        base = name.rpartition("/")[2]
        assert "." not in base[1:-1] or base.startswith(".")
    else:
        key, field = parts
        assert f"{key}." == name[: len(key) + 1]
        assert field == name[len(key) + 1 :].lower()
        assert "." not in key.rpartition("/")[2]


# Images


def test_an_image_is_known_by_its_kind_and_not_by_one_extension():
    for field in ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"):
        sample = new_sample("a", {"mask.png": b"", "txt": b"", field: PICTURE, "depth.jpg": b""})
        assert [image.field for image in sample.images] == [field]


def test_a_mask_is_no_image():
    assert new_sample("a", {"mask.png": b"", "seg.0.png": b"", "jpg.txt": b"", "0.txt": b""}).images == []


def test_numbered_images_come_in_number_order():
    fields = ["10.jpg", "2.png", "0.webp", "txt", "x.jpg", "1.jpg"]
    sample = new_sample("a", dict.fromkeys(fields, PICTURE))
    assert [image.field for image in sample.images] == ["0.webp", "1.jpg", "2.png", "10.jpg"]


def test_a_plain_image_stands_before_numbered_ones():
    sample = new_sample("a", {"0.jpg": b"", "png": PICTURE, "1.jpg": b""})
    assert [bytes(image.data) for image in sample.images] == [PICTURE]


# Changes


def test_a_change_leaves_the_other_members_byte_for_byte(read):
    (sample,), _ = read(foreign(jpg=PICTURE, txt=b"old", json=b"{}", **{"seg.png": b"x"}))
    sample.row = {"clip": 0.5}
    changed = sample.changed({"txt": b"new text", "cls": b"1"})
    assert list(changed.fields) == ["jpg", "txt", "json", "seg.png", "cls"]
    assert bytes(changed["txt"]) == b"new text"
    assert bytes(changed["cls"]) == b"1"
    for field in ("jpg", "json", "seg.png"):
        assert blocks(changed)[field] == blocks(sample)[field]
    assert (changed.key, changed.shard, changed.row, changed.block) == ("k", "x", {"clip": 0.5}, None)
    assert bytes(sample["txt"]) == b"old"


def test_a_selection_keeps_members_byte_for_byte(read):
    (sample,), _ = read(foreign(jpg=PICTURE, txt=b"old", json=b"{}"))
    selected = sample.only(lambda member: member.field != "jpg")
    assert blocks(selected) == {field: block for field, block in blocks(sample).items() if field != "jpg"}
    assert selected.block is None


def test_a_selection_of_everything_is_the_sample_itself(read):
    (sample,), _ = read(foreign(jpg=PICTURE, txt=b"old"))
    assert sample.only(lambda member: True) is sample


def test_a_new_key_takes_all_members_along(read, contents):
    (sample,), _ = read(foreign(jpg=PICTURE, txt=b"old"))
    sample.row = {"clip": 0.5}
    renamed = sample.renamed("source/k~1")
    assert contents([renamed]) == [("source/k~1", [("jpg", PICTURE), ("txt", b"old")])]
    assert renamed.row == {"clip": 0.5}


def test_an_unchanged_sample_is_one_run_of_its_tar(read):
    tar = foreign(jpg=PICTURE, txt=b"old")
    (sample,), _ = read(tar)
    assert bytes(sample.block) == tar[: sample.size_bytes]
    assert b"".join(blocks(sample).values()) == bytes(sample.block)
    assert sample.changed({}).size_bytes == sample.size_bytes


# Text and json


def test_text_is_txt_else_all_messages_else_nothing():
    messages = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "what?"}]},
        {"role": "assistant", "content": "a cat"},
    ]
    meta = json.dumps({"messages": messages}).encode()
    assert new_sample("a", {"txt": "é".encode(), "json": meta}).text == "é"
    assert new_sample("a", {"json": meta}).text == "what?\na cat"
    assert new_sample("a", {"json": b"{}"}).text is None
    assert new_sample("a", {"jpg": PICTURE}).text is None
    assert new_sample("a", {"jpg": PICTURE}).json == {}


@pytest.mark.parametrize("data", [b"[]", b"1", b"{", b"\xff\xfe\xfd", b"", b"[" * 100_000, b'{"a":' * 100_000])
def test_json_that_is_no_object_is_a_value_error(data):
    with pytest.raises(ValueError, match=r"json|Expecting|utf"):
        _ = new_sample("a", {"json": data}).json


def test_text_that_is_no_utf8_is_a_value_error():
    with pytest.raises(UnicodeDecodeError):
        _ = new_sample("a", {"txt": b"\xff"}).text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["messages", "content", "a"]), JSON))
def test_messages_of_any_shape_are_no_reason_to_stop(meta):
    for part in message_parts(meta):
        assert isinstance(part, dict)


@given(st.dictionaries(st.text(st.characters(), max_size=5), JSON | st.text(st.characters()), max_size=4))
def test_json_comes_back_as_it_went(value):
    """Half a surrogate pair, which captions from the web do contain, too."""
    data = dump_json(value)
    assert data.decode("utf-8")
    assert json.loads(data) == value
    assert dump_json(json.loads(data)) == data


def test_json_keeps_the_order_of_names_and_writes_them_plainly():
    assert dump_json({"b": "é", "a": [1, 0.1]}) == '{"b":"é","a":[1,0.1]}'.encode()
