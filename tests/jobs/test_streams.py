"""Streams: samples with their rows in one tar, and a last member without which it does not count."""

import json
import os
import pty
import struct
import subprocess
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

SCORE = 0.1  # no float32 is exactly this


@pytest.fixture
def data(tmp_path, write_tar, picture):
    """Two shards of three samples, with a table of scores and words."""
    for shard in range(2):
        keys = [f"{shard}{key}" for key in "abc"]
        write_tar(tmp_path / f"in/{shard:05d}.tar", {key: {"png": picture(), "txt": key.encode()} for key in keys})
        table = {
            "key": keys,
            "clip:toy": pa.array([SCORE, None, 0.5], pa.float32()),
            "mood": ["calm", 'a "q" é', None],
            "width": pa.array([8, 8, None], pa.int32()),
        }
        pq.write_table(pa.table(table), tmp_path / f"in/{shard:05d}.parquet")
    return tmp_path / "in"


@pytest.fixture
def stream(vlmkit, data):
    return vlmkit("cat", data, "-", "--quiet").out


def names(tar):
    return [name for name in tar if "vlmkit" not in name]


def last(members, stream):
    return json.loads(members(stream)["__vlmkit_end__"][512:].rstrip(b"\0"))


def history(folder):
    return json.loads((folder / ".vlmkit/manifest.json").read_text())["history"]


def test_a_stream_begins_and_ends_with_what_was_done(data, stream, members):
    found = members(stream)
    order = list(found)
    assert (order[0], order[-1]) == ("__vlmkit__", "__vlmkit_end__")
    (begun,) = json.loads(found["__vlmkit__"][512:].rstrip(b"\0"))["history"]
    (ended,) = last(members, stream)["history"]
    assert ended == begun | {"counts": ended["counts"]}
    assert (ended["command"], ended["counts"]["samples_out"]) == ("cat", 6)
    assert stream.endswith(bytes(1024))
    assert not stream.endswith(bytes(512 * 4)), "the marker stands there once"


def test_members_are_those_of_the_folder(data, stream, members):
    came = members(data / "00000.tar") | members(data / "00001.tar")
    found = members(stream)
    assert {name: found[name] for name in names(found)} == came
    assert [name for name in found if name.startswith("0a")] == ["0a.png", "0a.txt", "0a.vlmkit.json"]


def test_the_bytes_of_a_stream_do_not_depend_on_the_hour(vlmkit, data, stream):
    assert vlmkit("cat", data, "-", "--quiet").out == stream


def test_rows_travel_exactly_and_come_back_into_the_table(vlmkit, data, stream, tmp_path, rows):
    vlmkit("filter", "-", tmp_path / "out", "--min-words", 1, stdin=stream)
    table = pq.read_table(tmp_path / "out/00000.parquet")
    assert table.schema.field("clip:toy").type == pa.float32()
    found = rows(tmp_path / "out/00000.parquet")
    (bits,) = {struct.pack("<f", found[key]["clip:toy"]) for key in ("0a", "1a")}
    assert bits == struct.pack("<f", SCORE)
    assert (found["0b"]["mood"], found["0b"]["width"]) == ('a "q" é', 8)
    assert "clip:toy" not in found["0b"]
    assert "mood" not in found["0c"]
    streamed = vlmkit("filter", "-", "-", "--min-words", 1, "--quiet", stdin=stream).out
    assert b'"clip:toy":0.10000000149011612' in streamed


def test_a_score_travels_as_the_table_would_hold_it(vlmkit, tmp_path, write_tar, picture):
    write_tar(tmp_path / "in/00000.tar", {"a": {"png": picture(size=(4, 3))}})
    stream = vlmkit("filter", tmp_path / "in", "-", "--max-aspect", 2, "--quiet").out
    (aspect,) = struct.unpack("<f", struct.pack("<f", 4 / 3))
    assert f'"aspect":{aspect!r}'.encode() in stream


def test_no_row_member_reaches_the_tar_of_a_folder(vlmkit, stream, tmp_path, members, data):
    vlmkit("cat", "-", tmp_path / "out", stdin=stream)
    came = members(data / "00000.tar") | members(data / "00001.tar")
    assert members(tmp_path / "out/00000.tar") == came


def test_reasons_of_earlier_stages_reach_the_last_manifest(vlmkit, stream, tmp_path):
    second = vlmkit("filter", "-", "-", "--where", "mood <> 'x'", "--quiet", stdin=stream).out
    vlmkit("dedup", "-", tmp_path / "out", stdin=second)
    assert [(stage["command"], stage["counts"]["reasons"]) for stage in history(tmp_path / "out")] == [
        ("cat", {}),
        ("filter", {"no mood": 2}),
    ]
    manifest = json.loads((tmp_path / "out/.vlmkit/manifest.json").read_text())
    assert manifest["counts"]["reasons"] == {"duplicate pixels": 3}


def test_the_history_of_a_folder_goes_into_the_stream(vlmkit, data, tmp_path):
    vlmkit("filter", data, tmp_path / "one", "--min-words", 1)
    stream = vlmkit("cat", tmp_path / "one", "-", "--quiet").out
    vlmkit("cat", "-", tmp_path / "two", stdin=stream)
    assert [stage["command"] for stage in history(tmp_path / "two")] == ["filter", "cat"]


@pytest.mark.parametrize("cut", [0.3, 0.7, "before-the-end", "in-the-end", "in-the-marker"])
def test_a_stream_that_breaks_off_commits_nothing_further(vlmkit, stream, tmp_path, cut):
    end = stream.index(b"__vlmkit_end__")
    where = {"before-the-end": end, "in-the-end": end + 600, "in-the-marker": len(stream) - 1024}
    size = where[cut] if cut in where else int(len(stream) * cut)
    for target in ("out", "out.tar"):
        done = vlmkit("cat", "-", tmp_path / target, "--quiet", stdin=stream[:size])
        assert done.status == 1
        message, _ = done.err.splitlines()
        assert "the stream breaks off" in message or "the command that wrote it has died" in message
        assert not (tmp_path / target).exists()
    streamed = vlmkit("cat", "-", "-", "--quiet", stdin=stream[:size])
    assert streamed.status == 1
    assert b"__vlmkit_end__" not in streamed.out
    small = ("--samples-per-shard", 1)
    assert vlmkit("cat", "-", tmp_path / "small", *small, "--quiet", stdin=stream[:size]).status == 1
    assert len(list((tmp_path / "small").glob("*_stats.json"))) < 6, "what was whole before stays"
    assert not (tmp_path / "small/.vlmkit/manifest.json").exists()


def test_an_unfinished_folder_from_a_stream_starts_from_zero(vlmkit, stream, tmp_path, members, data):
    command = ("cat", "-", tmp_path / "out", "--samples-per-shard", 3, "--quiet")
    vlmkit(*command, stdin=stream[: len(stream) * 9 // 10])
    assert [path.name for path in (tmp_path / "out").glob("*.tar")] == ["00000.tar"]
    (tmp_path / "out/00000.tar").write_bytes(b"of the run before")
    (tmp_path / "out/00007.parquet").write_bytes(b"of the run before")
    (tmp_path / "out/notes.txt").write_text("mine")
    assert vlmkit(*command, stdin=stream).status == 0
    for name in ("00000.tar", "00001.tar"):
        assert members(tmp_path / "out" / name) == members(data / name)
    assert not (tmp_path / "out/00007.parquet").exists()
    assert (tmp_path / "out/notes.txt").read_text() == "mine"


def test_a_finished_folder_from_a_stream_is_done(vlmkit, stream, tmp_path):
    vlmkit("cat", "-", tmp_path / "out", stdin=stream)
    before = (tmp_path / "out/00000.tar").stat().st_mtime_ns
    again = vlmkit("cat", "-", tmp_path / "out", stdin=stream)
    assert (again.status, "already done" in again.err) == (0, True)
    assert (tmp_path / "out/00000.tar").stat().st_mtime_ns == before


def test_a_foreign_stream_ends_at_its_marker_and_not_without(vlmkit, data, tmp_path, members):
    whole = (data / "00000.tar").read_bytes()
    assert vlmkit("cat", "-", tmp_path / "out", stdin=whole).status == 0
    assert members(tmp_path / "out/00000.tar") == members(whole)
    bare = whole.rstrip(b"\0")
    bare += bytes(-len(bare) % 512)
    done = vlmkit("cat", "-", tmp_path / "bare", stdin=bare)
    assert (done.status, "breaks off without the end-of-archive marker" in done.err) == (1, True)
    assert not (tmp_path / "bare").exists()


def test_concatenated_streams_are_one(vlmkit, data, stream, tmp_path, rows):
    """`cat *.tar |` gives markers in the middle; so do two commands in one pair of parentheses."""
    tars = (data / "00000.tar").read_bytes() + (data / "00001.tar").read_bytes()
    assert vlmkit("cat", "-", tmp_path / "foreign", stdin=tars).status == 0
    assert list(rows(tmp_path / "foreign/00000.parquet")) == ["0a", "0b", "0c", "1a", "1b", "1c"]
    assert vlmkit("cat", "-", tmp_path / "own", stdin=stream + stream).status == 0
    assert len(rows(tmp_path / "own/00000.parquet")) == 12
    assert [stage["counts"]["samples_out"] for stage in history(tmp_path / "own")] == [6, 6]
    half = stream[: stream.index(b"__vlmkit_end__")]
    assert vlmkit("cat", "-", tmp_path / "half", stdin=half + stream).status == 1


def test_a_stage_with_too_many_bad_samples_ends_its_stream_properly(vlmkit, tmp_path, write_tar, picture, members):
    write_tar(tmp_path / "in/00000.tar", {"a": {"png": b"no picture"}, "b": {"png": picture()}})
    first = vlmkit("filter", tmp_path / "in", "-", "--min-side", 1, "--quiet")
    assert first.status == 3
    assert vlmkit("cat", "-", tmp_path / "out", stdin=first.out).status == 0
    (stage,) = history(tmp_path / "out")
    assert (stage["counts"]["bad"], stage["counts"]["reasons"]) == (1, {"unreadable image": 1})


@pytest.fixture
def cut_off(tmp_path, write_tar):
    """A shard that ends in the middle of its third sample, and a whole one."""
    path = write_tar(tmp_path / "in/00000.tar", {key: {"txt": b"x", "json": b" " * 700 + b"{}"} for key in "abc"})
    write_tar(tmp_path / "in/00001.tar", {"d": {"txt": b"x"}})
    with tarfile.open(path) as tar:
        offset = tar.getmember("c.json").offset_data
    path.write_bytes(path.read_bytes()[: offset + 300])
    return tmp_path / "in", offset


@pytest.mark.parametrize("target", ["out", "out.tar", "-"])
def test_of_a_truncated_tar_the_whole_samples_stay(vlmkit, cut_off, tmp_path, members, target):
    folder, offset = cut_off
    done = vlmkit("filter", folder, target if target == "-" else tmp_path / target, "--min-words", 1)
    assert done.status == 3
    assert f"note: {folder}/00000.tar: c.json is cut off, behind c.txt, at byte {offset}" in done.err.splitlines()
    if target == "out":
        assert list(members(tmp_path / "out/00000.tar")) == ["a.txt", "a.json", "b.txt", "b.json"]
        assert list(members(tmp_path / "out/00001.tar")) == ["d.txt"]
        assert (tmp_path / "out/.vlmkit/manifest.json").exists()
    else:
        found = members(done.out if target == "-" else tmp_path / "out.tar")
        assert names(found) == ["a.txt", "a.json", "b.txt", "b.json", "d.txt"]
        assert list(found)[-1] == "__vlmkit_end__"


def test_a_second_shard_that_is_no_tar_is_damage_and_the_first_goes_on(vlmkit, data, tmp_path):
    (data / "00001.tar").write_bytes(b"no tar " * 200)
    done = vlmkit("filter", data, tmp_path / "out", "--min-words", 1, "--json")
    said = json.loads(done.err.splitlines()[-1])
    assert (done.status, said["samples_out"]) == (3, 3)
    assert said["damage"] == [f"{data}/00001.tar: not a tar header at byte 0"]


def test_a_tar_without_its_marker_is_read_whole_with_a_note(vlmkit, data, tmp_path):
    path = data / "00000.tar"
    whole = path.read_bytes().rstrip(b"\0")
    path.write_bytes(whole + bytes(-len(whole) % 512))
    done = vlmkit("cat", data, tmp_path / "out")
    assert done.status == 0
    assert "note: 1 tars without the end-of-archive marker" in done.err.splitlines()


def test_a_tar_as_output_is_a_stream_under_a_name(vlmkit, data, stream, tmp_path, rows):
    out = tmp_path / "deep/x.tar"
    assert vlmkit("cat", data, out).status == 0
    assert len(out.read_bytes()) == pytest.approx(len(stream), abs=1024)
    assert [path.name for path in out.parent.iterdir()] == ["x.tar"]
    before = out.read_bytes()
    refused = vlmkit("filter", data, out, "--where", "mood = 'calm'")
    assert (refused.status, f"{out} exists" in refused.err) == (1, True)
    assert out.read_bytes() == before
    assert vlmkit("filter", data, out, "--where", "mood = 'calm'", "--overwrite").status == 0
    vlmkit("cat", out, tmp_path / "back")
    found = rows(tmp_path / "back/00000.parquet")
    assert {key: (row["mood"], row["width"]) for key, row in found.items()} == {"0a": ("calm", 8), "1a": ("calm", 8)}
    assert [stage["command"] for stage in history(tmp_path / "back")] == ["filter"]


def test_a_tar_as_output_appears_when_it_is_whole(vlmkit, data, tmp_path):
    done = vlmkit("filter", data, tmp_path / "x.tar", "--where", "mood > 3")
    assert done.status == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_rejects_beside_a_stream_are_a_whole_dataset(vlmkit, data, tmp_path, rows):
    rejects = tmp_path / "rejects"
    for _ in range(2):
        done = vlmkit("filter", data, "-", "--where", "mood = 'calm'", "--rejects", rejects, "--quiet")
        assert done.status == 0
        assert list(rows(rejects / "00000.parquet")) == ["0b", "0c", "1b", "1c"]
        assert list((rejects / ".vlmkit/tmp").iterdir()) == []
    assert vlmkit("cat", rejects, tmp_path / "out").status == 0
    assert rows(tmp_path / "out/00000.parquet")["0b"]["mood"] == 'a "q" é'


def test_a_tar_is_not_written_to_a_terminal(script, data):
    terminal, other_end = pty.openpty()
    command = [script, "cat", data, "-", "--quiet"]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=other_end, stderr=subprocess.PIPE, text=True, timeout=60
    )
    os.close(other_end)
    os.close(terminal)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "vlmkit cat: a tar is not written to a terminal",
        "  pipe it into a command, or name a folder or x.tar",
    ]
