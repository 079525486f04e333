"""Random access gives what reading from the beginning gives."""

import json
import os
import pickle
import shutil
import tarfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vlmkit.errors import VlmkitError
from vlmkit.jobs.counts import Counts
from vlmkit.jobs.inputs import read_shard, shard_inputs
from vlmkit.jobs.step import Dropped
from vlmkit.mixture import places
from vlmkit.mixture.index import SampleIndex
from vlmkit.shards.locations import locate


def said(sample):
    members = [(member.field, bytes(member.block), bytes(member.data)) for member in sample.members]
    return sample.shard, sample.key, members, sample.row


def read(location):
    """What every other command reads: samples, and what an overlay drops."""
    items = [item for shard in shard_inputs(locate([location])) for item in read_shard(shard, Counts())]
    return [item for item in items if not isinstance(item, Dropped)], [i for i in items if isinstance(i, Dropped)]


def check(location):
    """The index gives the same samples, asked for in any order; returns it."""
    samples, dropped = read(str(location))
    index = SampleIndex(str(location))
    assert len(index) == len(samples) == sum(index.runs)
    for number in reversed(range(len(samples))):
        assert said(index[number]) == said(samples[number])
        assert index.size_bytes(number) >= samples[number].size_bytes
    assert [(said(d.sample), d.reason) for d in index.dropped_samples()] == [
        (said(d.sample), d.reason) for d in dropped
    ]
    assert index.dropped.total() == len(dropped)
    return index


@pytest.fixture
def walks(monkeypatch):
    """The tars that were walked because no table told where their samples lie."""
    seen = []
    walk = places._walk
    monkeypatch.setattr(places, "_walk", lambda tar: seen.append(os.path.basename(tar)) or walk(tar))
    return seen


@pytest.fixture
def scored(vlmkit, texts, tmp_path):
    """A folder that vlmkit made, with scores, and rows of samples that were dropped (one word too few)."""
    texts("raw", 5, 4, 3, say="one {} three")
    done = vlmkit("filter", tmp_path / "raw", tmp_path / "scored", "--where", "words >= 3 AND json.n IS NULL")
    assert done.status == 0
    return tmp_path / "scored"


def test_tars_of_others(texts, tmp_path, walks):
    index = check(texts("a", 5, 4))
    assert (len(index), index.runs, index.source, walks) == (9, [5, 4], "a", ["00000.tar", "00001.tar"])
    check(tmp_path / "a/00001.tar")
    check(tmp_path / "a/{00000..00001}.tar")
    check(tmp_path / "a/*.tar")


def test_a_folder_with_row_tables_is_not_walked(scored, walks):
    index = check(scored)
    assert walks == []
    assert index[0].row == {"words": 3.0}


def test_rows_of_dropped_samples_are_no_samples(vlmkit, texts, tmp_path, walks):
    texts("raw", 6, say="a")
    vlmkit("cat", texts("long", 3, say="one two three"), tmp_path / "raw", tmp_path / "both")
    vlmkit("filter", tmp_path / "both", tmp_path / "out", "--min-words", 2)
    assert len(check(tmp_path / "out")) == 3
    assert walks == []


def test_a_table_that_tells_of_another_tar_is_not_believed(scored, texts, walks):
    shutil.copy(texts("other", 7) / "00000.tar", scored / "00001.tar")
    assert len(check(scored)) == 5 + 7 + 3
    assert walks == ["00001.tar"]


def test_a_table_of_others_gives_columns(texts, walks):
    folder = texts("a", 3)
    table = {"key": ["a-0-2", "a-0-0"], "offset": ["x", "y"], "nsfw": [0.5, float("nan")], "tags": [["p"], None]}
    pq.write_table(pa.table(table), folder / "00000.parquet")
    index = check(folder)
    assert [index[number].row for number in range(3)] == [{}, {}, {"nsfw": 0.5, "tags": '["p"]'}]


def test_rows_inside_tars(vlmkit, scored, tmp_path):
    vlmkit("cat", scored, tmp_path / "inside.tar")
    assert check(tmp_path / "inside.tar")[0].row == {"words": 3.0}


def test_keys_that_repeat_in_a_tar(vlmkit, tmp_path):
    (tmp_path / "in").mkdir()
    with tarfile.open(tmp_path / "in/00000.tar", "w") as tar:
        for key in ("a", "b", "a", "a~1", "a", "b"):
            info = tarfile.TarInfo(f"{key}.txt")
            info.size = 1
            tar.addfile(info, BytesIO(b"x"))
    index = check(tmp_path / "in")
    assert [index[number].key for number in range(6)] == ["a", "b", "a~1", "a~1~1", "a~2", "b~1"]
    check(f"{tmp_path}/in::{tmp_path}/in")
    check(f"{tmp_path}/in/+{tmp_path}/in/")


def test_members_of_no_sample_in_between(tmp_path, write_tar):
    samples = {"a": {"txt": b"1"}, "._a": {"": b"mac"}, "b": {"png": b"2", "txt": b"3"}, "__x__": {"y": b""}}
    write_tar(tmp_path / "a.tar", samples)
    check(tmp_path / "a.tar")


def test_several_inputs_are_kept_apart(texts, scored):
    index = check(f"{texts('a', 2, 1)}::{scored}")
    assert (index.source, index[0].key, index[3].key[:7]) == ("a-scored", "a/a-0-0", "scored/")


@pytest.fixture
def captions(tmp_path, write_tar):
    """An overlay in another order that lacks a sample and has one too many, and lacks the second shard."""

    def make(folder):
        tops = {f"raw-0-{n}": {"txt": b"caption %d" % n, "json": b'{"at":%d}' % n} for n in (3, 1, 0, 9, 2)}
        return write_tar(tmp_path / folder / "00000.tar", tops).parent

    return make


def test_an_overlay(scored, captions, walks):
    index = check(f"{scored}/+{captions('caps')}/")
    assert [bytes(index[number]["txt"]) for number in (0, 4)] == [b"caption 0", b"one raw-0-4 three"]
    assert walks == ["00000.tar"]


def test_an_overlay_with_rows_and_drops(vlmkit, scored, captions, tmp_path, walks):
    """A filter of the captions drops one: it is dropped below, too. Of the others its columns win."""
    vlmkit("filter", captions("caps"), tmp_path / "top", "--where", "at <> 3 AND words < 10")
    index = check(f"{scored}/+{tmp_path / 'top'}/")
    assert index.dropped == {'"at" <> 3': 1}
    assert [index[number].key for number in range(4)] == [f"raw-0-{number}" for number in (0, 1, 2, 4)]
    assert [index[number].row["words"] for number in (0, 3)] == [2.0, 3.0]
    assert walks == []


def test_two_overlays_and_one_that_keeps_nothing(vlmkit, scored, captions, tmp_path):
    vlmkit("filter", scored, tmp_path / "none", "--where", "words > 99")
    vlmkit("filter", scored, tmp_path / "same", "--only", "json", "--min-words", 1)
    check(f"{scored}/+{captions('caps')}/+{tmp_path / 'same'}/")
    assert len(check(f"{scored}/+{captions('caps')}/+{tmp_path / 'none'}/")) == 0


def test_an_image_of_an_overlay_replaces_the_image(tmp_path, write_tar, picture):
    write_tar(tmp_path / "a/0.tar", {"k": {"png": picture(), "txt": b"t"}})
    write_tar(tmp_path / "b/0.tar", {"k": {"bmp": picture("BMP")}})
    index = check(f"{tmp_path}/a/+{tmp_path}/b/")
    assert set(index[0].fields) == {"txt", "bmp"}


def test_a_cut_tar_gives_its_whole_samples_and_tells(texts):
    tar = texts("a", 5) / "00000.tar"
    tar.write_bytes(tar.read_bytes()[: 3 * 1024 + 300])
    index = check(tar.parent)
    assert len(index) == 2, "the third may lack members"
    assert [line.startswith(str(tar)) for line in index.damage] == [True]


def test_a_pickled_copy_and_threads_read_the_same(scored):
    index = SampleIndex(str(scored))
    wanted = [said(index[number]) for number in range(len(index))]
    copied = pickle.loads(pickle.dumps(index))
    with ThreadPoolExecutor(4) as pool:
        assert [said(sample) for sample in pool.map(copied.__getitem__, [*range(len(index))] * 20)] == wanted * 20


def test_more_tars_than_may_be_open(texts):
    before = len(os.listdir("/proc/self/fd"))
    index = SampleIndex(str(texts("a", *[1] * 50)))
    assert [index[number].key for number in range(50)] == [f"a-{number}-0" for number in range(50)]
    assert len(os.listdir("/proc/self/fd")) - before <= 16
    del index
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("number", [-1, 9])
def test_there_is_nothing_beyond_the_ends(texts, number):
    with pytest.raises(IndexError):
        SampleIndex(str(texts("a", 5, 4)))[number]


def test_a_tar_that_was_changed_meanwhile(texts):
    index = SampleIndex(str(texts("a", 5)))
    tar = texts("a", 0) / "00000.tar"
    with pytest.raises(VlmkitError, match=f"{tar} is not the tar that it was"):
        index[4]


@pytest.mark.parametrize("kind", ["-", "{}/a.tar.gz"])
def test_what_can_not_be_read_at_random_is_refused(tmp_path, kind):
    (tmp_path / "a.tar.gz").write_bytes(b"")
    location = kind.format(tmp_path)
    with pytest.raises(VlmkitError, match="needs plain tars") as raised:
        SampleIndex(location)
    assert location in raised.value.message


def test_the_digest_is_of_keys_and_sizes(vlmkit, scored, texts, tmp_path):
    """Whether a table or a walk told them, and wherever the data lie."""
    digest = SampleIndex(str(scored)).digest
    moved = shutil.copytree(scored, tmp_path / "moved")
    os.utime(moved, (1, 1))
    for table in moved.glob("*.parquet"):
        table.unlink()
    assert SampleIndex(str(moved)).digest == digest
    longer = texts("longer", 5, 4, 3, say="one {} three" + "!" * 600)
    renamed = texts("rbw", 5, 4, 3, say="one {} three")
    fewer = texts("raw", 5, 4, 2, say="one {} three")
    assert len({digest, *(SampleIndex(str(folder)).digest for folder in (longer, renamed, fewer))}) == 4


def test_the_json_of_a_sample_is_its_own(tmp_path, write_tar):
    """Numbers far apart in the tar, of different lengths."""
    samples = {f"{n:05d}": {"json": json.dumps({"n": n, "x": "y" * (n * 37 % 3000)}).encode()} for n in range(300)}
    write_tar(tmp_path / "a.tar", samples)
    index = SampleIndex(str(tmp_path / "a.tar"))
    assert all(index[n].json["n"] == n for n in (299, 0, 150, 7))
