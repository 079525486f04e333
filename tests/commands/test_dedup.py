"""vlmkit dedup: one of each group of equal samples stays, whatever way the data comes."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vlmkit.errors import RunAgain
from vlmkit.jobs.work import Work

RED, GREEN, BLUE = (200, 0, 0), (0, 200, 0), (0, 0, 200)


@pytest.fixture
def data(tmp_path, picture, write_tar):
    """Three shards with red, red, green | green, blue, red | a text, another, the first again."""
    shards = [
        {"a": {"png": picture(color=RED)}, "b": {"bmp": picture("BMP", color=RED)}, "c": {"png": picture(color=GREEN)}},
        {
            "a": {"bmp": picture("BMP", color=GREEN)},
            "b": {"png": picture(color=BLUE)},
            "c": {"png": picture(color=RED)},
        },
        {"a": {"txt": b"a house"}, "b": {"txt": b"a tree"}, "c": {"txt": b"a  house\n"}},
    ]
    for number, samples in enumerate(shards):
        write_tar(tmp_path / f"in/{number:05d}.tar", samples)
    return tmp_path / "in"


@pytest.fixture
def duplicates(rows):
    """`SHARD/KEY` of every dropped sample in a folder to that of the one it repeats."""

    def read(folder):
        found = {}
        for table in sorted(folder.glob("*.parquet")):
            for key, row in rows(table).items():
                if not row["kept"]:
                    assert row["similarity"] == 1.0
                    found[f"{table.stem}/{key}"] = row["duplicate_of"]
        return found

    return read


FIRST = {"00000/b": "00000/a", "00001/a": "00000/c", "00001/c": "00000/a", "00002/c": "00002/a"}


def test_the_first_stays_across_shards_and_the_others_name_it(vlmkit, data, tmp_path, duplicates, members):
    done = vlmkit("dedup", data, tmp_path / "out", "--json")
    assert done.status == 0
    assert duplicates(tmp_path / "out") == FIRST
    said = json.loads(done.err.splitlines()[-1])
    assert said["reasons"] == {"duplicate pixels": 3, "duplicate text": 1}
    assert (said["samples_in"], said["samples_out"], said["bad"]) == (9, 5, 0)
    for shard, names in ("00000", ["a.png", "c.png"]), ("00001", ["b.png"]), ("00002", ["a.txt", "b.txt"]):
        came, stayed = (members(folder / f"{shard}.tar") for folder in (data, tmp_path / "out"))
        assert stayed == {name: came[name] for name in names}


@pytest.mark.slow
def test_two_workers_find_what_one_finds(vlmkit, data, tmp_path):
    for workers in (1, 2):
        assert vlmkit("dedup", data, tmp_path / f"by-{workers}", "--workers", workers).status == 0
    names = sorted(path.name for path in (tmp_path / "by-1").glob("*.[tp]ar*"))
    assert len(names) == 6
    for name in names:
        assert (tmp_path / "by-1" / name).read_bytes() == (tmp_path / "by-2" / name).read_bytes(), name


def test_a_stream_keeps_what_a_folder_keeps(vlmkit, data, tmp_path, rows, members, write_tar):
    """The rows name the samples as they lie in the new shard, where repeated keys have got new names."""
    stream = vlmkit("cat", data, "-", "--quiet").out
    assert vlmkit("dedup", "-", tmp_path / "streamed", stdin=stream).status == 0
    vlmkit("dedup", data, tmp_path / "out")
    kept = [raw for shard in range(3) for raw in members(tmp_path / f"out/{shard:05d}.tar").values()]
    streamed = members(tmp_path / "streamed/00000.tar")
    assert [raw[512:] for raw in streamed.values()] == [raw[512:] for raw in kept]
    found = rows(tmp_path / "streamed/00000.parquet")
    assert {key: row["duplicate_of"] for key, row in found.items() if not row["kept"]} == {
        "b": "00000/a",
        "a~1": "00000/c",
        "c~1": "00000/a",
        "c~2": "00000/a~2",
    }
    assert set(found) == {"a", "b", "c"} | {f"{key}~{n}" for key in "abc" for n in (1, 2)}


def test_several_inputs_are_one_whole_also_if_one_is_a_stream(vlmkit, data, tmp_path, duplicates):
    """Both ways every sample of the second input repeats one of the first."""
    stream = vlmkit("cat", data, "-", "--quiet").out
    for name, second, stdin in ("twice", data, b""), ("streamed", "-", stream):
        done = vlmkit("dedup", data, second, tmp_path / name, "--json", stdin=stdin)
        assert json.loads(done.err.splitlines()[-1])["samples_out"] == 5
    assert duplicates(tmp_path / "twice")["00003/in-2/a"] == "00000/in/a"
    assert duplicates(tmp_path / "streamed")["00000/stdin/a"] == "00000/in/a"


@pytest.fixture
def scored(data):
    """The same with a table beside each shard: the second red one, the last green and the last text are the best."""
    scores = {"00000": [0.1, 0.9, None], "00001": [0.3, 0.5, 0.9], "00002": [None, 0.2, 0.1]}
    for shard, values in scores.items():
        table = pa.table({"key": ["a", "b", "c"], "clip:builtin:conse": pa.array(values, pa.float32())})
        pq.write_table(table, data / f"{shard}.parquet")
    return data


BEST = {"00000/a": "00000/b", "00000/c": "00001/a", "00001/c": "00000/b", "00002/a": "00002/c"}


def test_the_best_stays_of_equals_the_first_and_without_a_value_last(vlmkit, scored, tmp_path, duplicates, rows):
    vlmkit("dedup", scored, tmp_path / "out", "--keep", "best:clip")
    assert duplicates(tmp_path / "out") == BEST
    assert rows(tmp_path / "out/00001.parquet")["a"]["clip:builtin:conse"] == pytest.approx(0.3), "scores go on"


def test_the_best_by_a_score_that_is_computed(vlmkit, tmp_path, picture, write_tar, duplicates):
    samples = {key: {"png": picture(), "txt": b"word " * n} for key, n in (("a", 1), ("b", 3), ("c", 3))}
    write_tar(tmp_path / "in/00000.tar", samples)
    vlmkit("dedup", tmp_path / "in", tmp_path / "out", "--keep", "best:words")
    assert duplicates(tmp_path / "out") == {"00000/a": "00000/b", "00000/c": "00000/b"}


def test_the_best_by_a_name_of_the_json(vlmkit, tmp_path, picture, write_tar, duplicates):
    samples = {key: {"png": picture(), "json": json.dumps({"n": n}).encode()} for key, n in (("a", 1), ("b", 2.5))}
    write_tar(tmp_path / "in/00000.tar", samples)
    vlmkit("dedup", tmp_path / "in", tmp_path / "out", "--keep", "best:n")
    assert duplicates(tmp_path / "out") == {"00000/a": "00000/b"}


def test_the_best_of_a_stream_needs_all_of_it_and_says_so(vlmkit, scored, tmp_path, rows):
    stream = vlmkit("cat", scored, "-", "--quiet").out
    done = vlmkit("dedup", "-", tmp_path / "out", "--keep", "best:clip", stdin=stream)
    assert done.status == 0
    assert "the stream was kept in a temporary folder until its end" in done.err
    dropped = {key: row["duplicate_of"] for key, row in rows(tmp_path / "out/00000.parquet").items() if not row["kept"]}
    assert dropped == {"a": "00000/b", "c": "00000/a~1", "c~1": "00000/b", "a~2": "00000/c~2"}
    quiet = vlmkit("dedup", "-", "-", "--keep", "best:clip", "--quiet", stdin=stream)
    assert quiet.err == ""


def test_the_best_of_a_stream_a_second_time(vlmkit, scored, tmp_path):
    """Finished with the same: done. The stages before it come to their end."""
    best = ("dedup", "-", tmp_path / "out", "--keep", "best:clip")
    stream = vlmkit("cat", scored, "-", "--quiet").out
    vlmkit(*best, stdin=stream)
    again = vlmkit(*best, stdin=stream)
    assert (again.status, "already done" in again.err) == (0, True), again.err
    (tmp_path / "out/.vlmkit/manifest.json").unlink()
    (tmp_path / "out/00000_stats.json").unlink()
    before = (tmp_path / "out/00000.tar").read_bytes()
    (tmp_path / "out/00000.tar").write_bytes(b"half")
    assert vlmkit(*best, stdin=stream).status == 0
    assert (tmp_path / "out/00000.tar").read_bytes() == before


def test_the_history_of_a_stream_that_was_kept_is_that_of_the_stream(vlmkit, scored, tmp_path, members):
    stream = vlmkit("filter", scored, "-", "--where", "key <> 'b'", "--quiet").out
    vlmkit("dedup", "-", tmp_path / "out", "--keep", "best:clip", stdin=stream)
    manifest = json.loads((tmp_path / "out/.vlmkit/manifest.json").read_text())
    assert [(stage["command"], stage["counts"]["samples_out"]) for stage in manifest["history"]] == [("filter", 6)]
    assert manifest["inputs"] == [{"location": "-", "shards": 1}]
    streamed = vlmkit("dedup", "-", "-", "--keep", "best:clip", "--quiet", stdin=stream).out
    said = json.loads(members(streamed)["__vlmkit_end__"][512:].rstrip(b"\0"))["history"]
    assert [(stage["command"], stage["inputs"][0]["location"]) for stage in said] == [
        ("filter", str(scored)),
        ("dedup", "-"),
    ]


@pytest.mark.parametrize("interrupted", range(6))
def test_an_interruption_anywhere_changes_nothing(vlmkit, data, tmp_path, monkeypatch, interrupted):
    """Three shards in two passes: six moments."""
    vlmkit("dedup", data, tmp_path / "whole")
    left, run = [None] * interrupted, Work.run

    def stopped(work, shard, tick):
        if not left:
            raise RunAgain("interrupted by SIGTERM")
        left.pop()
        return run(work, shard, tick)

    with monkeypatch.context() as patch:
        patch.setattr(Work, "run", stopped)
        assert vlmkit("dedup", data, tmp_path / "out").status == 75
    assert len(list((tmp_path / "out").glob("*_stats.json"))) == max(interrupted - 3, 0)
    assert vlmkit("dedup", data, tmp_path / "out").status == 0
    for path in (tmp_path / "whole").glob("*.[tp]ar*"):
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes(), path.name


def test_unreadable_pictures_are_dropped_as_bad_and_equal_nothing(vlmkit, tmp_path, picture, write_tar, rows, members):
    samples = {key: {"png": b"no picture"} for key in "ab"} | {f"good-{n}": {"png": picture()} for n in range(2)}
    write_tar(tmp_path / "in/00000.tar", samples)
    done = vlmkit("dedup", tmp_path / "in", tmp_path / "out", "--rejects", tmp_path / "rejects", "--json")
    assert done.status == 3
    said = json.loads(done.err.splitlines()[-1])
    assert (said["bad"], said["reasons"]) == (2, {"unreadable image": 2, "duplicate pixels": 1})
    row = rows(tmp_path / "out/00000.parquet")["a"]
    assert (row["reason"], row["error"]) == (
        "unreadable image",
        "UnidentifiedImageError: cannot identify image file <_io.BytesIO object>",
    )
    assert "duplicate_of" not in row
    assert list(members(tmp_path / "rejects/00000.tar")) == ["a.png", "b.png", "good-1.png"]
    stream = vlmkit("cat", tmp_path / "in", "-", "--quiet").out
    streamed = vlmkit("dedup", "-", tmp_path / "streamed", "--json", stdin=stream)
    assert json.loads(streamed.err.splitlines()[-1])["reasons"] == said["reasons"]


def test_samples_with_nothing_to_compare_all_stay(vlmkit, tmp_path, write_tar, members):
    write_tar(tmp_path / "in/00000.tar", {key: {"cls": b"7"} for key in "abc"})
    vlmkit("dedup", tmp_path / "in", tmp_path / "out")
    assert len(members(tmp_path / "out/00000.tar")) == 3


def test_a_limit_comes_before_the_choice(vlmkit, scored, tmp_path, duplicates, members):
    """Of the first three samples the best red one is the second; the fourth is not there."""
    vlmkit("dedup", scored, tmp_path / "out", "--keep", "best:clip", "--limit", 3)
    assert duplicates(tmp_path / "out") == {"00000/a": "00000/b"}
    streamed = vlmkit("dedup", scored, "-", "--keep", "best:clip", "--limit", 3, "--quiet").out
    assert [name for name in members(streamed) if "vlmkit" not in name] == ["b.bmp", "c.png"]


def test_a_dataset_that_kept_nothing_has_no_duplicates(vlmkit, data, tmp_path):
    vlmkit("filter", data, tmp_path / "none", "--min-words", 100)
    for way in ("out", "x.tar"):
        done = vlmkit("dedup", tmp_path / "none", tmp_path / way, "--json")
        assert done.status == 0
        assert json.loads(done.err.splitlines()[-1])["samples_in"] == 0


def test_a_dry_run_finds_them_too(vlmkit, data, tmp_path):
    done = vlmkit("dedup", data, tmp_path / "out", "--dry-run", "--json")
    assert json.loads(done.err.splitlines()[-1])["reasons"] == {"duplicate pixels": 3, "duplicate text": 1}
    assert not (tmp_path / "out").exists()


def test_the_first_pass_leaves_nothing_behind(vlmkit, data, tmp_path):
    vlmkit("dedup", data, tmp_path / "out")
    own = sorted(path.name for path in (tmp_path / "out/.vlmkit").iterdir())
    assert own == ["manifest.json", "plan.json", "report.html", "tmp"]
    assert list((tmp_path / "out/.vlmkit/tmp").iterdir()) == []
