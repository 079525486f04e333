"""Counts of foreign datasets, from the index that each project writes."""

import json

import pytest

from vlmkit.errors import VlmkitError
from vlmkit.inspection.folders import find
from vlmkit.inspection.known import known_counts


@pytest.fixture
def folder(pack, tmp_path):
    """Two tars, whose index need not tell the truth."""
    for shard in range(2):
        pack(tmp_path / f"data/{shard:05d}.tar", [("a.txt", b"")])
    return tmp_path / "data"


def known(*places):
    found = known_counts(find([str(place) for place in places])[0])
    return found and (found.samples, found.source)


def test_nothing_is_known_without_an_index(folder):
    assert known(folder) is None


def test_open_clips_sizes_count_the_shards_that_are_named(folder):
    (folder / "sizes.json").write_text('{"00000.tar": 10, "00001.tar": 20, "00002.tar": 40}')
    assert known(folder) == (30, "sizes.json")
    assert known(folder / "{00001..00001}.tar") == (20, "sizes.json")
    (folder / "sizes.json").write_text('{"00000.tar": 10}')
    assert known(folder) is None


def test_open_clips_length_is_that_of_the_whole_folder(folder):
    (folder / "__len__").write_text("1234\n")
    assert known(folder) == (1234, "__len__")
    assert known(folder / "00000.tar") is None


def test_img2datasets_stats_tell_why_downloads_failed(folder):
    for shard in range(2):
        status = {"success": 7, "HTTP Error 404: Not Found": 2, "timed out": 1}
        stats = {"count": 10, "successes": 7, "duration": 1.5, "status_dict": status}
        (folder / f"{shard:05d}_stats.json").write_text(json.dumps(stats))
    found = known_counts(find([str(folder)])[0])
    assert (found.samples, found.source, found.seconds) == (14, "*_stats.json", 3.0)
    assert (found.last.command, found.last.samples_in) == ("img2dataset", 20)
    assert found.last.reasons == {"HTTP Error 404: Not Found": 4, "timed out": 2}
    (folder / "00001_stats.json").unlink()
    assert known(folder) is None


@pytest.mark.parametrize("name", [".info.json", ".info.yaml"])
def test_energons_index_counts_by_path(folder, name):
    index = folder.parent / ".nv-meta"
    index.mkdir()
    if name.endswith("json"):
        text = json.dumps({"energon_version": "7", "shard_counts": {"data/00000.tar": 3, "data/00001.tar": 4}})
    else:
        text = "energon_version: '5'\nshard_counts:\n  data/00000.tar: 3\n  data/00001.tar: 4\nother:\n  x: 9\n"
    (index / name).write_text(text)
    assert known(folder) == (7, f".nv-meta/{name}")
    assert known(folder / "00000.tar") == (3, f".nv-meta/{name}")


def test_an_index_that_makes_no_sense_is_an_error(folder):
    (folder / "__len__").write_text("many")
    with pytest.raises(VlmkitError, match="can't be understood"):
        known(folder)
