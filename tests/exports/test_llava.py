"""vlmkit cat --to llava: what download read comes back, and other datasets become what LLaVA reads."""

import json

import pytest


def turns(*values):
    return [{"from": who, "value": value} for who, value in zip(("human", "gpt") * 9, values, strict=False)]


@pytest.fixture
def chat(tmp_path, picture):
    """A LLaVA file beside its pictures: one, several, a shared one, none, an odd notation, other names."""
    images = tmp_path / "photos"
    for name, kind in {"coco/1.jpg": "JPEG", "coco/2.JPEG": "JPEG", "3.png": "PNG", "v1.2/4.webp": "WEBP"}.items():
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        (images / name).write_bytes(picture(kind, color=(len(name), 9, 9)))
    entries = [
        {"id": "a", "image": "coco/1.jpg", "conversations": turns("<image>\nWhat?", "A cat.", "Sure?", "Yes.")},
        {"id": "b", "image": "coco/1.jpg", "conversations": turns("The same\n<image>", "Yes."), "model": "x"},
        {"id": "c", "image": ["coco/2.JPEG", "3.png"], "conversations": turns("<image>\n<image>\nSame?", "No.")},
        {"id": "d", "image": ["v1.2/4.webp"], "conversations": turns("<image>", "Fine."), "tags": ["x", "y"]},
        {"id": "e", "conversations": turns("No picture", "None.")},
        {"id": "f/../g", "image": "3.png", "conversations": turns("Is <image> it?", "Yes.")},
        {"id": "a", "image": "3.png", "conversations": [{"from": "system", "value": "Be kind <image>"}]},
        {"id": "h", "conversations": turns("ünï \U0001f600", "\n\n")},
    ]
    (tmp_path / "chat.json").write_text(json.dumps(entries))
    return tmp_path / "chat.json", images, entries


def test_a_file_that_went_in_comes_out_equal(vlmkit, chat, tmp_path):
    file, images, entries = chat
    vlmkit("download", f"llava:{file}", tmp_path / "shards", "--images", images)
    done = vlmkit("cat", tmp_path / "shards", tmp_path / "out", "--to", "llava")
    assert done.status == 0, done.err
    assert json.loads((tmp_path / "out/llava.json").read_text()) == entries
    stored = {str(path.relative_to(images)): path.read_bytes() for path in images.rglob("*") if path.is_file()}
    assert stored == {
        str(path.relative_to(tmp_path / "out/images")): path.read_bytes()
        for path in (tmp_path / "out/images").rglob("*")
        if path.is_file()
    }
    again = ("download", f"llava:{tmp_path}/out/llava.json", tmp_path / "again", "--images", tmp_path / "out/images")
    assert vlmkit(*again).status == 0
    vlmkit("cat", tmp_path / "again", tmp_path / "twice", "--to", "llava")
    assert (tmp_path / "twice/llava.json").read_bytes() == (tmp_path / "out/llava.json").read_bytes()


def test_other_datasets_become_conversations(vlmkit, dataset, picture, tmp_path, rows):
    chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What?"}]}]
    samples = [
        {"png": picture(), "txt": b"a house", "cls": b"1"},
        {"jpg": picture("JPEG"), "json": {"messages": chat, "width": 8, "k": 1}},
        {"txt": b"no picture"},
        {"png": picture()},
        {"json": {"messages": chat}},
        {"json": {"messages": [{"role": "tool", "content": "x"}]}},
        {"json": {"messages": [{"role": "user", "content": "plain"}]}},
        {"0.png": picture(), "1.jpg": picture("JPEG"), "txt": b"two"},
        {"json": b"{broken"},
    ]
    folder = dataset("in", samples)
    done = vlmkit("cat", folder, tmp_path / "out", "--to", "llava", "--rejects", tmp_path / "bad", "--max-bad", "1")
    assert done.status == 0
    assert json.loads((tmp_path / "out/llava.json").read_text()) == [
        {"id": "0000", "image": "0000.png", "conversations": turns("<image>", "a house")},
        {"id": "0001", "image": "0001.jpg", "conversations": turns("<image>\nWhat?"), "k": 1},
        {"id": "0006", "conversations": turns("plain")},
        {"id": "0007", "image": ["0007.0.png", "0007.1.jpg"], "conversations": turns("<image>\n<image>", "two")},
    ]
    assert {key: row["reason"] for key, row in rows(tmp_path / "bad/00000.parquet").items()} == {
        "0002": "no text",
        "0003": "no text",
        "0004": "image count",
        "0005": "unreadable messages",
        "0008": "unreadable json",
    }
    assert "1 members that llava has no place for: cls" in done.err


def test_an_empty_dataset_is_an_empty_list(vlmkit, dataset, tmp_path):
    assert vlmkit("cat", dataset("in", [{"txt": b"a"}]), tmp_path / "out", "--to", "llava").status == 0
    assert json.loads((tmp_path / "out/llava.json").read_text()) == []
