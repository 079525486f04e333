"""vlmkit cat --to parquet: what Hugging Face's loader makes of it."""

import json

import pyarrow.parquet as pq
import pytest

CHAT = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What?"}]}]


@pytest.mark.parametrize("streaming", [False, True])
def test_hugging_face_decodes_pictures_and_types(vlmkit, dataset, picture, tmp_path, load, streaming):
    samples = [
        {"png": picture(size=(9, 8)), "json": {"n": 1, "messages": CHAT, "key": "k", "image": "of json"}},
        {"txt": b"no picture", "json": {"n": 2.5, "tags": ["a"], "mixed": 1}},
        {"jpg": picture("JPEG"), "cls": b"7", "json": {"mixed": "x", "tags": []}},
    ]
    folder = dataset("in", samples)
    done = vlmkit("cat", folder, tmp_path / "out", "--to", "parquet")
    assert done.status == 0, done.err
    assert [path.name for path in (tmp_path / "out").glob("*.parquet")] == ["train-00000-of-00001.parquet"]
    features, rows = load("parquet", "out/*.parquet", streaming)
    names = ["__key__", "image", "txt", "cls", "n", "messages", "key", "json.image", "tags", "mixed"]
    assert list(features) == names
    assert [row["__key__"] for row in rows] == ["0000", "0001", "0002"]
    assert [row["image"] and row["image"].size for row in rows] == [(9, 8), None, (8, 8)]
    assert [row["n"] for row in rows] == [1.0, 2.5, None]
    assert [row["tags"] for row in rows] == [None, ["a"], []]
    assert [row["mixed"] for row in rows] == [None, "1", "x"]
    assert [(row["txt"], row["cls"], row["json.image"]) for row in rows] == [
        (None, None, "of json"),
        ("no picture", None, None),
        (None, b"7", None),
    ]
    said = rows[0]["messages"][0]
    assert said["role"] == "user"
    assert [item["text"] for item in said["content"]] == [None, "What?"]
    assert "values written as text" not in done.err or "mixed" in done.err


def test_several_pictures_are_a_list(vlmkit, dataset, picture, tmp_path, load):
    folder = dataset("in", [{"0.png": picture(), "1.jpg": picture("JPEG", (4, 5))}, {"png": picture()}, {"txt": b"x"}])
    vlmkit("cat", folder, tmp_path / "out", "--to", "parquet")
    _, rows = load("parquet", "out/*.parquet")
    assert [[image.size for image in row["images"]] for row in rows] == [[(8, 8), (4, 5)], [(8, 8)], []]
    table = pq.read_table(tmp_path / "out/train-00000-of-00001.parquet").to_pylist()
    assert [image["path"] for image in table[0]["images"]] == ["0000.0.png", "0000.1.jpg"]
    assert table[1]["images"][0]["bytes"] == picture()


def test_files_and_row_groups_are_bounded(vlmkit, dataset, tmp_path, monkeypatch):
    folder = dataset("in", [{"bin": bytes(1000), "json": {"n": n}} for n in range(7)])
    stream = vlmkit("cat", folder, "-", "--quiet").out
    monkeypatch.setattr("vlmkit.exports.parquet._GROUP_BYTES", 2000)
    sizes = ("--samples-per-shard", 3)
    assert vlmkit("cat", "-", tmp_path / "out", "--to", "parquet", *sizes, stdin=stream).status == 0
    files = sorted((tmp_path / "out").glob("*.parquet"))
    assert [path.name for path in files] == [f"train-{n:05d}-of-00003.parquet" for n in range(3)]
    assert [
        [pq.read_metadata(p).row_group(g).num_rows for g in range(pq.read_metadata(p).num_row_groups)] for p in files
    ] == [
        [2, 1],
        [2, 1],
        [1],
    ]
    assert [n for path in files for n in pq.read_table(path)["n"].to_pylist()] == list(range(7))
    vlmkit("cat", folder, tmp_path / "bytes", "--to", "parquet", "--bytes-per-shard", "4KB")
    assert len(list((tmp_path / "bytes").glob("*.parquet"))) == 2


def test_rows_go_along_if_asked(vlmkit, dataset, picture, tmp_path):
    vlmkit("filter", dataset("in", [{"png": picture(), "txt": b"a b"}]), tmp_path / "scored", "--min-words", 1)
    vlmkit("cat", tmp_path / "scored", tmp_path / "out", "--to", "parquet", "--embed-rows")
    (row,) = pq.read_table(tmp_path / "out/train-00000-of-00001.parquet").to_pylist()
    assert row["words"] == 2.0
    assert "kept" not in row


def test_an_export_is_not_taken_for_row_tables(vlmkit, dataset, picture, tmp_path):
    """Neither as an input, nor when a shard of that name lies beside."""
    vlmkit(
        "cat",
        dataset("in", [{"png": picture(), "json": {"key": "x", "kept": False}}]),
        tmp_path / "out",
        "--to",
        "parquet",
    )
    done = vlmkit("stats", tmp_path / "out", "--lineage")
    assert "cat" in done.out.decode() + done.err
    refused = vlmkit("cat", tmp_path / "out", "-")
    assert (refused.status, "holds no shards" in refused.err) == (1, True)


def test_what_can_not_be_read_is_dropped(vlmkit, dataset, picture, tmp_path):
    folder = dataset("in", [{"png": b"none"}, {"png": picture(), "json": b"[]"}, {"txt": b"\xff"}, {"txt": b"fine"}])
    done = vlmkit("cat", folder, tmp_path / "out", "--to", "parquet", "--max-bad", "1", "--json")
    said = json.loads(done.err.splitlines()[-1])
    assert (said["samples_out"], said["bad"]) == (1, 3)
    assert set(said["reasons"]) == {"unreadable image", "unreadable json", "unreadable text"}
    table = pq.read_table(tmp_path / "out/train-00000-of-00001.parquet")
    assert table.to_pylist() == [{"__key__": "0003", "image": None, "txt": "fine"}]
