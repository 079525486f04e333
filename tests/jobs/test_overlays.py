"""A/+B/: B laid over A. A says which samples there are and in what order; B says what they are like."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest


@pytest.fixture
def base(tmp_path, picture, write_tar):
    samples = {key: {"png": picture(), "txt": f"old {key}".encode(), "cls": b"7"} for key in "abc"}
    return write_tar(tmp_path / "A/00000.tar", samples).parent


@pytest.fixture
def over(tmp_path, write_tar):
    """Writes the overlay's shard, and its table if one is given; returns A/+B/ as an input."""

    def write(samples, table=None):
        write_tar(tmp_path / "B/00000.tar", samples)
        if table is not None:
            pq.write_table(pa.table(table), tmp_path / "B/00000.parquet")
        return f"{tmp_path}/A/+{tmp_path}/B/"

    return write


@pytest.fixture
def joined(vlmkit, members):
    """What a stream of the input holds, by member, without its rows."""

    def read(source):
        done = vlmkit("cat", source, "-", "--quiet")
        assert done.status == 0, done.err
        found = {name: raw[512:].rstrip(b"\0") for name, raw in members(done.out).items()}
        return {name: data for name, data in found.items() if "vlmkit" not in name}

    return read


def summary(done):
    return json.loads(done.err.splitlines()[-1])


def test_fields_of_b_replace_those_of_a(base, over, joined, members):
    found = joined(over({"b": {"txt": b"new b", "json": b"{}"}}))
    plain = {name: raw[512:].rstrip(b"\0") for name, raw in members(base / "00000.tar").items()}
    assert list(found) == ["a.png", "a.txt", "a.cls", "b.png", "b.cls", "b.txt", "b.json", "c.png", "c.txt", "c.cls"]
    assert found == plain | {"b.txt": b"new b", "b.json": b"{}"}


def test_a_picture_replaces_a_picture_of_another_kind(over, base, joined):
    found = joined(over({"a": {"jpg": b"a jpeg"}, "b": {"0.jpg": b"one", "1.jpg": b"two"}}))
    assert [name for name in found if name[0] == "a"] == ["a.txt", "a.cls", "a.jpg"]
    assert [name for name in found if name[0] == "b"] == ["b.txt", "b.cls", "b.0.jpg", "b.1.jpg"]
    assert [name for name in found if name[0] == "c"] == ["c.png", "c.txt", "c.cls"]


def test_another_order_in_b_changes_nothing(over, base, joined):
    found = joined(over({"c": {"txt": b"new c"}, "a": {"txt": b"new a"}}))
    assert [data for name, data in found.items() if name.endswith("txt")] == [b"new a", b"old b", b"new c"]


def test_columns_of_b_win_but_for_the_place_in_the_tar(vlmkit, base, over, tmp_path, rows):
    pq.write_table(pa.table({"key": ["a", "b"], "words": [1.0, 2.0], "beauty": [0.1, 0.2]}), base / "00000.parquet")
    table = {"key": ["b"], "beauty": [0.9], "mood": ["calm"], "offset": [999], "length": [999], "kept": [True]}
    source = over({"b": {"cls": b"8"}}, table)
    vlmkit("cat", source, tmp_path / "out")
    found = rows(tmp_path / "out/00000.parquet")
    assert {name: found["b"][name] for name in ("words", "mood")} == {"words": 2.0, "mood": "calm"}
    assert found["b"]["beauty"] == pytest.approx(0.9)
    assert found["a"]["beauty"] == pytest.approx(0.1)
    assert (found["b"]["offset"], found["b"]["length"]) == (found["a"]["length"], found["a"]["length"])
    filtered = vlmkit("filter", source, tmp_path / "calm", "--where", "mood = 'calm'", "--json")
    assert summary(filtered)["reasons"] == {"no mood": 2}


def test_scores_of_a_text_or_a_picture_that_b_changes_are_computed_anew(vlmkit, base, over, picture, tmp_path, rows):
    table = {"key": list("abc"), "words": [9.0] * 3, "width": [7] * 3, "height": [7] * 3, "mood": ["calm"] * 3}
    pq.write_table(pa.table(table), base / "00000.parquet")
    source = over({"a": {"txt": b"one two three"}, "b": {"png": picture(size=(30, 40))}, "c": {"json": b"{}"}})
    vlmkit("filter", source, tmp_path / "out", "--where", "words >= 3 AND width > 0")
    found = rows(tmp_path / "out/00000.parquet")
    assert (found["a"]["words"], found["a"]["width"]) == (3.0, 7)
    assert found["b"]["reason"] == "words >= 3"
    assert found["b"]["words"] == 2.0
    assert (found["c"]["words"], found["c"]["mood"]) == (9.0, "calm")


def test_what_b_dropped_is_dropped_under_bs_reason(vlmkit, base, over, tmp_path, rows):
    table = {"key": ["a", "b"], "kept": [True, False], "reason": [None, "clip >= 0.28"], "clip": [0.5, 0.1]}
    source = over({"a": {"cls": b"8"}}, table)
    done = vlmkit("filter", source, tmp_path / "out", "--min-words", 1, "--rejects", tmp_path / "rejects", "--json")
    assert (summary(done)["reasons"], summary(done)["samples_out"]) == ({"clip >= 0.28": 1}, 2)
    found = rows(tmp_path / "out/00000.parquet")
    assert list(found) == ["a", "b", "c"]
    assert (found["b"]["kept"], found["b"]["reason"]) == (False, "clip >= 0.28")
    assert list(rows(tmp_path / "rejects/00000.parquet")) == ["b"]
    streamed = vlmkit("cat", source, "-", "--json")
    assert (summary(streamed)["reasons"], summary(streamed)["samples_out"]) == ({"clip >= 0.28": 1}, 2)


def test_a_filters_output_over_its_input_is_that_output(vlmkit, base, tmp_path, joined):
    """So a table alone can stand for a filtered copy: --only keeps the pictures from being copied."""
    vlmkit("filter", base, tmp_path / "full", "--where", "key <> 'b'")
    vlmkit("filter", base, tmp_path / "thin", "--where", "key <> 'b'", "--only", "txt")
    assert joined(f"{base}/+{tmp_path}/thin/") == joined(tmp_path / "full")
    vlmkit("filter", base, tmp_path / "none", "--where", "key = 'x'")
    assert not (tmp_path / "none/00000.tar").exists()
    assert joined(f"{base}/+{tmp_path}/none/") == {}, "a shard that kept nothing has a table only"


def test_keys_that_only_b_has_are_counted_and_ignored(vlmkit, base, over, tmp_path):
    done = vlmkit("cat", over({"a": {"txt": b"new"}, "x": {"txt": b"x"}, "y": {"txt": b"y"}}), "-", "--json")
    assert summary(done)["samples_out"] == 3
    assert summary(done)["notes"] == {"overlay samples without a sample below": 2}


def test_the_last_overlay_lies_on_top(vlmkit, base, over, tmp_path, write_tar, joined):
    write_tar(tmp_path / "C/00000.tar", {"a": {"txt": b"top"}, "c": {"txt": b"top"}})
    source = over({"a": {"txt": b"middle"}, "b": {"txt": b"middle"}}) + f"+{tmp_path}/C/"
    texts = [data for name, data in joined(source).items() if name.endswith("txt")]
    assert texts == [b"top", b"middle", b"top"]


def test_shards_are_joined_by_name(vlmkit, base, tmp_path, write_tar, joined):
    shutil.copy(base / "00000.tar", base / "00001.tar")
    write_tar(tmp_path / "B/00001.tar", {"a": {"txt": b"new"}})
    assert [data for name, data in joined(f"{base}/+{tmp_path}/B/").items() if name.startswith("a")].count(b"new") == 1


def test_the_history_of_both_goes_on(vlmkit, base, tmp_path):
    vlmkit("cat", base, tmp_path / "below")
    vlmkit("filter", tmp_path / "below", tmp_path / "above", "--min-words", 1)
    vlmkit("cat", f"{tmp_path}/below/+{tmp_path}/above/", tmp_path / "out")
    manifest = json.loads((tmp_path / "out/.vlmkit/manifest.json").read_text())
    assert [stage["command"] for stage in manifest["history"]] == ["cat", "filter"]
    assert [given["location"] for given in manifest["inputs"]] == [
        f"{tmp_path}/below/+{tmp_path}/above/",
        f"{tmp_path}/above/",
    ]


def test_repeated_keys_get_a_number(vlmkit, tmp_path, write_tar, rows, members):
    """Two runs of members with one key are two samples; a name that is taken is not given again."""
    for part, keys in ("one", ["a", "a~1", "b"]), ("two", ["a", "b"]):
        write_tar(tmp_path / f"{part}.tar", {key: {"txt": f"{part} {key}".encode()} for key in keys})
    tars = [(tmp_path / f"{part}.tar").read_bytes().rstrip(b"\0") for part in ("one", "two")]
    whole = b"".join(tar + bytes(-len(tar) % 512) for tar in tars) + bytes(1024)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/00000.tar").write_bytes(whole)
    done = vlmkit("filter", tmp_path / "in", tmp_path / "out", "--min-words", 1, "--json")
    assert list(rows(tmp_path / "out/00000.parquet")) == ["a", "a~1", "b", "a~2", "b~1"]
    assert members(tmp_path / "out/00000.tar")["a~2.txt"][512:].rstrip(b"\0") == b"two a"
    assert summary(done)["notes"] == {"samples renamed, since their keys repeat in a shard": 2}
