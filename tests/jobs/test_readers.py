"""What vlmkit writes is read by others: by tar, the webdataset library, Hugging Face datasets."""

import json
import shutil
import subprocess

import pytest


@pytest.fixture
def samples(picture):
    """Two shards of pictures, texts of 0 to 5 words, and metadata with one set of names."""

    def sample(n):
        said = json.dumps({"n": n, "skill": "color"}).encode()
        return {"png": picture(size=(20 + n, 30)), "txt": b" ".join([b"word"] * n), "json": said}

    return [{f"{shard}{n}": sample(n) for n in range(6)} for shard in range(2)]


@pytest.fixture
def out(vlmkit, tmp_path, write_tar, samples):
    """What a filter makes of them that wants two words."""
    for number, shard in enumerate(samples):
        write_tar(tmp_path / f"in/{number:05d}.tar", shard)
    assert vlmkit("filter", tmp_path / "in", tmp_path / "out", "--min-words", 2).status == 0
    return tmp_path / "out"


@pytest.fixture
def expected(samples):
    return {key: fields for shard in samples for key, fields in shard.items() if len(fields["txt"].split()) >= 2}


@pytest.mark.skipif(not shutil.which("tar"), reason="no tar command")
def test_tar_unpacks_it(out, expected, tmp_path):
    for path in sorted(out.glob("*.tar")):
        subprocess.run(["tar", "xf", path, "-C", tmp_path], check=True)
    unpacked = {f"{key}.{field}": data for key, fields in expected.items() for field, data in fields.items()}
    assert {name: (tmp_path / name).read_bytes() for name in unpacked} == unpacked
    assert len(expected) == 8


def test_the_webdataset_library_reads_it(out, expected):
    webdataset = pytest.importorskip("webdataset")
    shards = sorted(str(path) for path in out.glob("*.tar"))
    found = {
        sample["__key__"]: {name: data for name, data in sample.items() if not name.startswith("__")}
        for sample in webdataset.WebDataset(shards, shardshuffle=False)
    }
    assert found == expected
    assert list(found) == list(expected)


def test_the_webdataset_library_skips_a_streams_own_members(vlmkit, out, expected, tmp_path):
    webdataset = pytest.importorskip("webdataset")
    vlmkit("cat", out, tmp_path / "x.tar")
    found = {sample["__key__"]: sample for sample in webdataset.WebDataset(str(tmp_path / "x.tar"), shardshuffle=False)}
    assert list(found) == list(expected)
    assert all(found[key]["png"] == fields["png"] for key, fields in expected.items())


@pytest.mark.slow
def test_hugging_face_datasets_reads_it(out, expected, tmp_path):
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset(
        "webdataset", data_files=f"{out}/*.tar", split="train", cache_dir=str(tmp_path / "cache")
    )
    raw = loaded.cast_column("png", datasets.Image(decode=False))
    assert {row["__key__"]: row["png"]["bytes"] for row in raw} == {key: one["png"] for key, one in expected.items()}
    assert [row["txt"].encode() for row in raw] == [fields["txt"] for fields in expected.values()]
    assert [row["json"] for row in raw] == [json.loads(fields["json"]) for fields in expected.values()]
    assert loaded[0]["png"].size == (22, 30)
