"""A file appears under its name whole, or not at all."""

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

import pytest

from vlmkit.shards import dataset
from vlmkit.shards.dataset import committed, read_json, renamed_when_whole, write_json


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def fail(writing: AbstractContextManager[BinaryIO], error: BaseException) -> None:
    with writing as file:
        file.write(b"half")
        raise error


def test_a_file_gets_its_name_when_it_is_whole(tmp_path):
    final = tmp_path / "00000.tar"
    with committed(final, tmp_path) as file:
        file.write(b"half")
        file.flush()
        assert not final.exists()
        file.write(b" and half")
    assert final.read_bytes() == b"half and half"
    assert files(tmp_path) == ["00000.tar"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_nothing_is_left_of_a_file_that_was_not_finished(tmp_path, error):
    with pytest.raises(error):
        fail(committed(tmp_path / "00000.tar", tmp_path), error())
    assert files(tmp_path) == []


def test_the_file_that_was_there_stays_when_the_new_one_fails(tmp_path):
    final = tmp_path / "00000.parquet"
    final.write_bytes(b"old")
    with pytest.raises(ValueError, match="no"):
        fail(committed(final, tmp_path), ValueError("no"))
    assert final.read_bytes() == b"old"
    assert files(tmp_path) == ["00000.parquet"]


def test_a_rename_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="missing"), committed(tmp_path / "missing" / "x.tar", tmp_path) as file:
        file.write(b"x")
    assert files(tmp_path) == []


def test_no_half_written_file_lies_beside_the_shards(tmp_path):
    with committed(tmp_path / "00000_stats.json", tmp_path) as file:
        assert [name for name in files(tmp_path) if not name.startswith(".vlmkit/")] == []
        file.write(b"{}")


def test_two_processes_do_not_share_a_temporary_name(tmp_path, monkeypatch):
    mine = dataset.temporary_path(tmp_path / "00000.tar", tmp_path)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert dataset.temporary_path(tmp_path / "00000.tar", tmp_path) != mine


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    steps = []
    fsync, rename = os.fsync, os.rename
    monkeypatch.setattr(os, "fsync", lambda number: (steps.append("sync"), fsync(number)))
    monkeypatch.setattr(os, "rename", lambda old, new: (steps.append("rename"), rename(old, new)))
    with renamed_when_whole(tmp_path / "x.tmp", tmp_path / "x.tar") as file:
        file.write(b"x")
    assert steps == ["sync", "rename", "sync"]


def test_json_is_written_and_read(tmp_path):
    write_json(tmp_path / "a.json", {"name": "é", "values": [1, 0.1]}, tmp_path)
    assert read_json(tmp_path / "a.json") == {"name": "é", "values": [1, 0.1]}
    assert "é" in (tmp_path / "a.json").read_text("utf-8")
    assert read_json(tmp_path / "none.json") is None


def test_the_files_of_a_shard_lie_side_by_side():
    folder = Path("out")
    assert dataset.tar_path(folder, "00000") == folder / "00000.tar"
    assert dataset.table_path(folder, "00000") == folder / "00000.parquet"
    assert dataset.stats_path(folder, "00000") == folder / "00000_stats.json"
    assert dataset.plan_path(folder) == folder / ".vlmkit" / "plan.json"
    assert dataset.manifest_path(folder) == folder / ".vlmkit" / "manifest.json"
    assert [dataset.numbered_shard(number) for number in (0, 17, 123_456)] == ["00000", "00017", "123456"]
