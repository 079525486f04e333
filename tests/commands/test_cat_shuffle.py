"""vlmkit cat --shuffle, --skip and --rekey: which samples come, in which order, under which keys."""

import json
import subprocess
import tracemalloc

import numpy as np
import pyarrow.parquet as pq
import pytest

SAMPLES = 10_000


@pytest.fixture(scope="module")
def many(tmp_path_factory, write_tar):
    """10,000 small samples in five shards: their texts are their numbers."""
    folder = tmp_path_factory.mktemp("many")
    for shard in range(5):
        numbers = range(shard * 2000, (shard + 1) * 2000)
        write_tar(folder / f"{shard:05d}.tar", {f"{n:05d}": {"txt": b"%d" % n} for n in numbers})
    return folder


def keys(folder):
    return [key for path in sorted(folder.glob("*.parquet")) for key in pq.read_table(path)["key"].to_pylist()]


def texts(folder, members):
    found = [pair for path in sorted(folder.glob("*.tar")) for pair in members(path).items()]
    return {name: raw[512:].rstrip(b"\0").decode() for name, raw in found if name.endswith(".txt")}


def chi_square(order):
    """Of the counts of samples that went from one tenth of the dataset to another: 81 degrees of freedom."""
    tenth = len(order) // 10
    moved = np.zeros((10, 10))
    np.add.at(moved, (order // tenth, np.arange(len(order)) // tenth), 1)
    return ((moved - tenth / 10) ** 2 / (tenth / 10)).sum()


def test_a_shuffle_is_a_uniform_permutation(vlmkit, many, tmp_path):
    assert vlmkit("cat", many, tmp_path / "out", "--shuffle", "--seed", 3).status == 0
    order = np.array(keys(tmp_path / "out"), int)
    assert sorted(order) == list(range(SAMPLES))
    assert 45 < chi_square(order) < 126, "99.8 % of all permutations"
    neighbours = np.abs(np.diff(order))
    assert neighbours.mean() == pytest.approx(SAMPLES / 3, rel=0.03), "samples that lay together are torn apart"
    assert (neighbours == 1).sum() < 12, "two are expected"
    assert (order == np.arange(SAMPLES)).sum() < 8, "one is expected"
    assert len({*order[:10] // 2000}) > 1, "the first ones come from several shards"


def test_members_keep_their_bytes_and_rows_their_scores(vlmkit, two, tmp_path, members, rows):
    vlmkit("filter", two[0], tmp_path / "scored", "--min-words", 1)
    vlmkit("filter", tmp_path / "scored", tmp_path / "more", "--max-words", 9)
    assert vlmkit("cat", tmp_path / "more", tmp_path / "out", "--shuffle").status == 0
    came = [raw[512:] for shard in range(2) for raw in members(two[0] / f"0000{shard}.tar").values()]
    assert sorted(raw[512:] for raw in members(tmp_path / "out/00000.tar").values()) == sorted(came)
    assert [row["words"] for row in rows(tmp_path / "out/00000.parquet").values()] == [3.0] * 4


def test_the_seed_decides_the_order_and_a_stream_is_shuffled_too(vlmkit, many, tmp_path):
    orders = {}
    for name, seed in {"a": 1, "b": 1, "c": 2}.items():
        vlmkit("cat", many, tmp_path / name, "--shuffle", "--seed", seed)
        orders[name] = keys(tmp_path / name)
    for name in ("00000.tar", "00000.parquet"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert orders["a"] != orders["c"]
    assert "already done" in vlmkit("cat", many, tmp_path / "a", "--shuffle", "--seed", 1).err
    other = vlmkit("cat", many, tmp_path / "a", "--shuffle", "--seed", 2)
    assert (other.status, "shuffle was 1 and is now 2" in other.err) == (1, True)
    stream = vlmkit("cat", many, "-", "--quiet").out
    done = vlmkit("cat", "-", tmp_path / "streamed", "--shuffle", "--seed", 1, stdin=stream)
    assert (done.status, "kept in a temporary folder" in done.err) == (0, True)
    assert sorted(keys(tmp_path / "streamed")) == sorted(orders["a"])
    assert keys(tmp_path / "streamed") == orders["a"]
    history = json.loads((tmp_path / "streamed/.vlmkit/manifest.json").read_text())["history"]
    assert [(stage["command"], stage["counts"]["samples_out"]) for stage in history] == [("cat", SAMPLES)]
    assert vlmkit("cat", many, "-", "--shuffle", "--seed", 1, "--quiet").out != stream


def test_several_inputs_are_shuffled_into_one_another(vlmkit, two, tmp_path, members, rows):
    assert vlmkit("cat", *two, tmp_path / "out", "--shuffle").status == 0
    found = texts(tmp_path / "out", members)
    assert sorted(found.values()) == sorted(
        f"{name} {n} {key}" for name in ("one", "two") for n in "01" for key in "ab"
    )
    assert sorted(found) == sorted(f"{name}/{key}.txt" for name in ("one", "two") for key in ("a", "b", "a~1", "b~1"))


def test_a_shuffle_holds_little_of_the_data(vlmkit, tmp_path, write_tar):
    for shard in range(4):
        write_tar(tmp_path / f"in/{shard:05d}.tar", {f"{shard}{n:03d}": {"bin": bytes(60_000)} for n in range(250)})
    vlmkit("cat", tmp_path / "in", tmp_path / "warm", "--shuffle", "--limit", 3)
    tracemalloc.start()
    vlmkit("cat", tmp_path / "in", tmp_path / "out.tar", "--shuffle")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "out.tar").stat().st_size > 60_000_000
    assert peak < 16_000_000


def test_what_an_overlay_drops_is_counted_and_a_slice_counts_it(vlmkit, many, tmp_path):
    vlmkit("filter", many, tmp_path / "even", "--where", "CAST(key AS INTEGER) % 2 = 0", "--only", "json")
    done = vlmkit("cat", f"{many}/+{tmp_path}/even", tmp_path / "out", "--shuffle", "--json")
    said = json.loads(done.err.splitlines()[-1])
    assert (said["samples_in"], said["samples_out"], list(said["reasons"].values())) == (10_000, 5000, [5000])
    vlmkit("cat", f"{many}/+{tmp_path}/even", tmp_path / "cut", "--shuffle", "--skip", 10, "--limit", 6)
    kept = [row for row in pq.read_table(tmp_path / "cut/00000.parquet").to_pylist() if row["kept"]]
    assert sorted(row["key"] for row in kept) == ["00010", "00012", "00014"]


def test_a_slice_is_of_the_input_in_its_order(vlmkit, many, tmp_path):
    slices = {"plain": [], "shuffled": ["--shuffle"]}
    for name, options in slices.items():
        done = vlmkit("cat", many, tmp_path / name, "--skip", 1995, "--limit", 10, "--json", *options)
        assert json.loads(done.err.splitlines()[-1])["samples_in"] == 10
        slices[name] = keys(tmp_path / name)
    assert slices["plain"] == [f"{n:05d}" for n in range(1995, 2005)]
    assert slices["shuffled"] != slices["plain"]
    assert sorted(slices["shuffled"]) == slices["plain"]
    stream = vlmkit("cat", many, "-", "--quiet").out
    vlmkit("cat", "-", tmp_path / "streamed", "--skip", 9990, stdin=stream)
    assert keys(tmp_path / "streamed") == [f"{n:05d}" for n in range(9990, 10_000)]
    assert vlmkit("cat", many, tmp_path / "none", "--skip", 10_000).status == 0


def test_new_keys_are_the_numbers_of_shard_and_sample(vlmkit, two, tmp_path, members, rows):
    vlmkit("cat", two[0], tmp_path / "out", "--rekey", "--samples-per-shard", 3)
    assert texts(tmp_path / "out", members) == {
        "000000000.txt": "one 0 a",
        "000000001.txt": "one 0 b",
        "000000002.txt": "one 1 a",
        "000010000.txt": "one 1 b",
    }
    assert rows(tmp_path / "out/00001.parquet")["000010000"]["source_key"] == "00001/b"
    vlmkit("cat", two[0], tmp_path / "wide", "--rekey", "--samples-per-shard", 20_000)
    assert keys(tmp_path / "wide")[:2] == ["0000000000", "0000000001"]


def test_new_keys_tell_the_input_and_travel_in_tars(vlmkit, two, tmp_path, members, rows):
    vlmkit("cat", *two, tmp_path / "out", "--rekey", "--embed-rows", "--shuffle")
    told = {row["source"] + "/" + row["source_key"]: key for key, row in rows(tmp_path / "out/00000.parquet").items()}
    found = texts(tmp_path / "out", members)
    assert {key.replace("/0000", " ").replace("/", " "): found[f"{new}.txt"] for key, new in told.items()} == {
        text: text for text in found.values()
    }
    raw = members(tmp_path / "out/00000.tar")["000000003.vlmkit.json"]
    assert set(json.loads(raw[512:].rstrip(b"\0"))) == {"source", "source_key"}
    streamed = vlmkit("cat", two[0], "-", "--rekey", "--quiet").out
    assert [name for name in members(streamed) if name.endswith("txt")] == [f"00000000{n}.txt" for n in range(4)]
    vlmkit("cat", "-", tmp_path / "again", "--rekey", stdin=vlmkit("cat", two[0], "-", "--quiet").out)
    assert [row["source_key"] for row in rows(tmp_path / "again/00000.parquet").values()] == ["a", "b", "a~1", "b~1"]


@pytest.mark.parametrize("options", [["--shuffle"], ["--uniform", "png"], ["--to", "parquet"], ["--to", "jsonl"]])
def test_a_stream_that_breaks_off_leaves_nothing(vlmkit, many, tmp_path, options):
    stream = vlmkit("cat", many, "-", "--quiet").out
    done = vlmkit("cat", "-", tmp_path / "out", *options, "--quiet", stdin=stream[: len(stream) // 2])
    assert (done.status, "ends before its last member" in done.err) == (1, True), done.err
    assert not (tmp_path / "out").exists()


def test_it_works_in_a_pipe(script, two, tmp_path):
    line = "$0 cat one two - --shuffle | $0 filter - - --min-words 1 | $0 cat - out --shuffle --rekey --rejects bad"
    done = subprocess.run(["sh", "-c", line, script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    table = pq.read_table(tmp_path / "out/00000.parquet").to_pylist()
    assert [row["key"] for row in table] == [f"{n:09d}" for n in range(8)]
    assert {row["source_key"] for row in table} == {
        f"{s}/{k}" for s in ("one", "two") for k in ("a", "b", "a~1", "b~1")
    }


def test_a_seed_without_a_shuffle_is_refused(vlmkit, two, tmp_path):
    done = vlmkit("cat", two[0], tmp_path / "out", "--seed", 1)
    assert (done.status, "--seed orders nothing without --shuffle" in done.err) == (1, True)
