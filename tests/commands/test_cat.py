"""vlmkit cat: joins and slices datasets, into a stream, a tar, or new shards."""

import json
import tarfile

import pytest


@pytest.fixture
def texts(members):
    """Member names and what they hold."""

    def read(tar):
        found = members(tar).items()
        return {name: raw[512:].rstrip(b"\0").decode() for name, raw in found if not name.startswith("__")}

    return read


@pytest.fixture
def scored(vlmkit, two, tmp_path):
    vlmkit("filter", two[0], tmp_path / "scored", "--min-words", 1)
    return tmp_path / "scored"


def test_one_input_keeps_its_keys_and_a_repeated_one_gets_a_number(vlmkit, two, tmp_path, texts):
    done = vlmkit("cat", two[0], tmp_path / "out")
    assert done.status == 0
    assert texts(tmp_path / "out/00000.tar") == {
        "a.txt": "one 0 a",
        "b.txt": "one 0 b",
        "a~1.txt": "one 1 a",
        "b~1.txt": "one 1 b",
    }


@pytest.mark.parametrize("join", ["arguments", "colons", "list"])
def test_several_inputs_are_told_apart_by_their_names(vlmkit, two, tmp_path, texts, join):
    (tmp_path / "list.txt").write_text(f"# two sets\n{two[0]}\n\n{two[1]}/00001.tar\n")
    inputs = {
        "arguments": [two[0], two[1] / "00001.tar"],
        "colons": [f"{two[0]}/::{two[1]}/00001.tar"],
        "list": [f"@{tmp_path}/list.txt"],
    }
    vlmkit("cat", *inputs[join], tmp_path / "out")
    assert texts(tmp_path / "out/00000.tar") == {
        "one/a.txt": "one 0 a",
        "one/b.txt": "one 0 b",
        "one/a~1.txt": "one 1 a",
        "one/b~1.txt": "one 1 b",
        "00001/a.txt": "two 1 a",
        "00001/b.txt": "two 1 b",
    }


def test_inputs_of_one_name_are_told_apart_by_a_number(vlmkit, two, tmp_path, texts):
    (tmp_path / "deep").mkdir()
    two[1].rename(tmp_path / "deep/one")
    tar = two[0] / "00000.tar"
    vlmkit("cat", tar, tmp_path / "deep/one/00000.tar", tar, tmp_path / "out.tar")
    assert list(texts(tmp_path / "out.tar")) == [
        "00000/a.txt",
        "00000/b.txt",
        "00000-2/a.txt",
        "00000-2/b.txt",
        "00000-3/a.txt",
        "00000-3/b.txt",
    ]


def test_ranges_and_globs_are_one_input(vlmkit, two, tmp_path, texts):
    for pattern in ("{00000..00001}.tar", "*.tar", "0000[01].tar"):
        done = vlmkit("cat", f"{two[0]}/{pattern}", "-", "--quiet")
        assert list(texts(done.out)) == ["a.txt", "b.txt", "a~1.txt", "b~1.txt"], pattern


def test_a_filter_of_several_inputs_numbers_its_shards(vlmkit, two, tmp_path, texts):
    vlmkit("filter", *two, tmp_path / "out", "--min-words", 3)
    assert sorted(path.name for path in (tmp_path / "out").glob("*.tar")) == [f"{n:05d}.tar" for n in range(4)]
    assert texts(tmp_path / "out/00002.tar") == {"two/a.txt": "two 0 a", "two/b.txt": "two 0 b"}


def test_a_filter_of_one_input_keeps_its_shards_names(vlmkit, two, tmp_path):
    vlmkit("filter", two[0] / "00001.tar", tmp_path / "out", "--min-words", 3)
    assert [path.name for path in (tmp_path / "out").glob("*.tar")] == ["00001.tar"]


def test_new_shards_hold_so_many_samples(vlmkit, two, tmp_path, rows, texts):
    vlmkit("cat", two[0], tmp_path / "out", "--samples-per-shard", 3)
    assert [len(texts(tmp_path / f"out/0000{n}.tar")) for n in range(2)] == [3, 1]
    assert list(rows(tmp_path / "out/00001.parquet")) == ["b"]
    stats = [json.loads((tmp_path / f"out/0000{n}_stats.json").read_text()) for n in range(2)]
    assert [(said["samples_in"], said["samples_out"]) for said in stats] == [(3, 3), (1, 1)]


def test_new_shards_hold_so_many_bytes(vlmkit, two, tmp_path):
    vlmkit("cat", two[0], tmp_path / "out", "--bytes-per-shard", "2KiB")
    sizes = [path.stat().st_size for path in sorted((tmp_path / "out").glob("*.tar"))]
    assert sizes == [2048 + 1024, 2048 + 1024], "two samples of 1,024 bytes, and the end marker"


def test_other_sizes_are_another_dataset(vlmkit, two, tmp_path):
    assert vlmkit("cat", two[0], tmp_path / "out", "--bytes-per-shard", "2KiB").status == 0
    assert "already done" in vlmkit("cat", two[0], tmp_path / "out", "--bytes-per-shard", "2048").err
    other = vlmkit("cat", two[0], tmp_path / "out", "--bytes-per-shard", "3KiB")
    assert (other.status, "bytes_per_shard was 2048 and is now 3072" in other.err) == (1, True)


def test_rejects_and_the_shards_of_a_stream_are_sized_too(vlmkit, two, tmp_path, rows):
    stream = vlmkit("cat", *two, "-", "--quiet").out
    sizes = ("--samples-per-shard", 3)
    vlmkit("filter", "-", tmp_path / "out", "--where", "key LIKE 'one%'", *sizes, stdin=stream)
    vlmkit("filter", "-", tmp_path / "none", "--min-words", 9, "--rejects", tmp_path / "bad", *sizes, stdin=stream)
    vlmkit("download", f"llava:{_llava(tmp_path, 4)}", tmp_path / "chats", *sizes)
    vlmkit("mix", *two, tmp_path / "mixed", *sizes)
    for folder, counts in {"out": [3, 1], "bad": [3, 3, 2], "chats": [3, 1], "mixed": [3, 3, 2]}.items():
        tables = [rows(path).values() for path in sorted((tmp_path / folder).glob("*.parquet"))]
        assert [sum("offset" in row for row in table) for table in tables] == counts, folder


def _llava(folder, entries):
    turns = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
    (folder / "chat.json").write_text(json.dumps([{"id": str(n), "conversations": turns} for n in range(entries)]))
    return folder / "chat.json"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["filter", "one", "out", "--min-words", 1, "--samples-per-shard", 3], "keeps the shards that it reads"),
        (["cat", "one", "-", "--samples-per-shard", 3], "--samples-per-shard: - is one stream"),
        (["cat", "one", "out.tar", "--bytes-per-shard", "1MB"], "--bytes-per-shard: out.tar is one stream"),
        (["mix", "one", "out.yaml", "--samples-per-shard", 3], "--samples-per-shard has no place in a recipe"),
        (["cat", "one", "out", "--bytes-per-shard", "many"], "--bytes-per-shard many is no size"),
    ],
)
def test_sizes_that_would_do_nothing_are_refused(vlmkit, two, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    done = vlmkit(*arguments)
    assert (done.status, message in done.err) == (1, True), done.err
    assert not any(path.name.startswith("out") for path in tmp_path.iterdir())


@pytest.mark.slow
def test_the_ten_thousandth_sample_is_the_last_of_its_shard(vlmkit, tmp_path, write_tar, rows):
    write_tar(tmp_path / "in/00000.tar", {f"{n:05d}": {"cls": b"1"} for n in range(10_001)})
    vlmkit("cat", tmp_path / "in", tmp_path / "out")
    assert len(rows(tmp_path / "out/00000.parquet")) == 10_000
    assert list(rows(tmp_path / "out/00001.parquet")) == ["10000"]


def test_rows_go_with_their_samples(vlmkit, scored, tmp_path, rows):
    vlmkit("cat", scored, tmp_path / "out")
    vlmkit("cat", scored, tmp_path / "out.tar")
    vlmkit("cat", tmp_path / "out.tar", tmp_path / "back")
    for folder in ("out", "back"):
        found = rows(tmp_path / folder / "00000.parquet")
        assert [row["words"] for row in found.values()] == [3.0] * 4
        assert {row["step"] for row in found.values()} == {"cat"}


def test_rows_can_be_put_into_the_tars_for_others(vlmkit, scored, tmp_path, texts, rows):
    vlmkit("cat", scored, tmp_path / "out", "--embed-rows")
    found = texts(tmp_path / "out/00000.tar")
    assert list(found)[:2] == ["a.txt", "a.vlmkit.json"]
    assert json.loads(found["a.vlmkit.json"]) == {"words": 3.0}
    row = rows(tmp_path / "out/00000.parquet")["a"]
    assert (row["words"], row["offset"], row["length"]) == (3.0, 0, 2048)
    vlmkit("cat", tmp_path / "out", tmp_path / "plain")
    assert "a.vlmkit.json" not in texts(tmp_path / "plain/00000.tar")


def test_limit_cuts_and_only_thins(vlmkit, tmp_path, write_tar, picture, texts, members):
    samples = {key: {"png": picture(), "txt": b"a house", "cls": b"7"} for key in "abc"}
    write_tar(tmp_path / "in/00000.tar", samples)
    vlmkit("cat", tmp_path / "in", tmp_path / "out", "--limit", 2, "--only", "image,cls")
    came = members(tmp_path / "in/00000.tar")
    assert members(tmp_path / "out/00000.tar") == {name: came[name] for name in ("a.png", "a.cls", "b.png", "b.cls")}


def test_a_second_time_it_is_done(vlmkit, two, tmp_path):
    assert "already done" not in vlmkit("cat", two[0], tmp_path / "out").err
    before = (tmp_path / "out/00000.tar").stat().st_mtime_ns
    again = vlmkit("cat", two[0], tmp_path / "out")
    assert (again.status, "already done" in again.err) == (0, True)
    assert (tmp_path / "out/00000.tar").stat().st_mtime_ns == before
    other = vlmkit("cat", two[0], tmp_path / "out", "--embed-rows")
    assert (other.status, "embed_rows was None and is now True" in other.err) == (1, True)


def test_members_of_no_sample_are_counted_and_left_out(vlmkit, tmp_path, write_tar, texts):
    path = write_tar(tmp_path / "in/00000.tar", {"a": {"txt": b"a"}})
    with tarfile.open(path, "a") as tar:
        for name, kind in (("readme", tarfile.REGTYPE), ("folder", tarfile.DIRTYPE), ("__meta__", tarfile.REGTYPE)):
            info = tarfile.TarInfo(name)
            info.type = kind
            tar.addfile(info)
    done = vlmkit("cat", tmp_path / "in", "-", "--json")
    assert (done.status, texts(done.out)) == (0, {"a.txt": "a"})
    assert json.loads(done.err.splitlines()[-1])["notes"] == {
        "members that belong to no sample: without a field": 1,
        "members that belong to no sample: no plain file": 1,
    }
