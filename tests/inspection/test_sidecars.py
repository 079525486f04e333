"""What lies beside a tar must agree with it: the row table, the stats, the plan, the manifest."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest


@pytest.fixture
def clean(made, tmp_path) -> Path:
    return Path(shutil.copytree(made / "clean", tmp_path / "clean"))


def change_rows(path: Path, change) -> None:
    table = pq.read_table(path)
    pq.write_table(pa.Table.from_pylist(change(table.to_pylist()), table.schema), path)


def change_json(path: Path, **values) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_dataset_that_vlmkit_wrote_is_clean(made, inspect):
    assert inspect(made / "clean", made / "rejects")[0] == []


def test_a_row_that_is_missing(clean, lines):
    change_rows(clean / "00001.parquet", lambda rows: rows[:2] + rows[3:])  # 10002, the first of this shard
    assert lines(clean) == [
        "00001.tar: offset 0: 10002: not in 00001.parquet",
        "00001_stats.json: offset 0: -: samples_in is 40, and 00001.parquet has 39 rows",
        "00001_stats.json: offset 0: -: samples_out is 24, and 00001.parquet keeps 23",
    ]


def test_a_sample_that_is_missing_in_the_tar(clean, lines):
    change_rows(clean / "00001.parquet", lambda rows: [*rows, {**rows[2], "key": "ghost", "offset": 999936}])
    assert lines(clean)[0] == "00001.tar: offset 999936: ghost: in 00001.parquet, not in the tar"


def test_a_sample_that_was_dropped_and_is_in_the_tar(clean, lines):
    def drop(rows):
        return [
            {**r, "kept": False, "reason": "r", "offset": None, "length": None} if r["key"] == "10002" else r
            for r in rows
        ]

    change_rows(clean / "00001.parquet", drop)
    assert lines(clean)[0] == "00001.tar: offset 0: 10002: 00001.parquet says that this sample was not written"
    assert lines(clean)[-1] == "00001_stats.json: offset 0: -: the reasons are not those of 00001.parquet"


def test_an_offset_that_points_elsewhere(clean, lines):
    place = {}

    def move(rows):
        place.update(rows[3])
        return [*rows[:3], {**rows[3], "offset": rows[3]["offset"] + 512}, *rows[4:]]

    change_rows(clean / "00001.parquet", move)
    start, length = place["offset"], place["length"]
    assert lines(clean) == [
        f"00001.tar: offset {start}: 10003: 00001.parquet has it at offset {start + 512}, length {length}; "
        f"its length is {length}"
    ]


def test_a_key_twice_in_a_table(clean, lines):
    change_rows(clean / "00001.parquet", lambda rows: [*rows, rows[0]])
    assert "00001.tar: offset 0: 10000: twice in 00001.parquet" in lines(clean)


def test_samples_behind_damage_are_counted_together(clean, lines):
    path = clean / "00001.tar"
    rows = [row for row in pq.read_table(clean / "00001.parquet").to_pylist() if row["kept"]]
    path.write_bytes(path.read_bytes()[: rows[10]["offset"] + 100])
    assert lines(clean) == [  # nobody knows whether the last sample before the cut was whole
        f"00001.tar: offset {rows[10]['offset']}: -: cut off inside a header: nothing behind it is read",
        f"00001.tar: offset {rows[9]['offset']}: -: 15 samples of 00001.parquet can't be read",
    ]


def test_a_tar_that_is_missing(clean, lines):
    (clean / "00001.tar").unlink()
    assert lines(clean) == ["00001.tar: offset 0: -: no such tar: 24 samples of 00001.parquet can't be read"]


def test_a_shard_that_keeps_nothing_needs_no_tar(made, lines):
    assert not list((made / "none").glob("*.tar"))
    assert lines(made / "none") == []


def test_a_finished_dataset_has_table_and_stats_of_every_shard(clean, lines):
    (clean / "00001.parquet").unlink()
    (clean / "00002_stats.json").unlink()
    assert lines(clean) == [
        "00001.parquet: offset 0: -: missing: the shard is not committed",
        "00002_stats.json: offset 0: -: missing: the shard is not committed",
        "manifest.json: offset 0: -: samples_in is 120, and the shards' stats add up to 80",
        "manifest.json: offset 0: -: samples_out is 72, and the shards' stats add up to 48",
    ]


def test_sidecars_that_cant_be_read(clean, lines):
    (clean / "00000.parquet").write_bytes(b"PAR1")
    (clean / "00001_stats.json").write_text("{")
    found = lines(clean)
    assert found[0].startswith("00000.parquet: offset 0: -: can't be read (")
    assert found[1].startswith("00001_stats.json: offset 0: -: can't be read (")


def test_an_unfinished_dataset(made, lines):
    (line,) = lines(made / "half")
    assert line.startswith("plan.json: offset 0: -: unfinished: 2 of 3 shards are done; run again: vlmkit filter")


def test_a_dataset_of_which_nothing_is_committed_yet(made, lines, tmp_path):
    own = tmp_path / "begun/.vlmkit"
    own.mkdir(parents=True)
    shutil.copy(made / "clean/.vlmkit/plan.json", own)
    (line,) = lines(tmp_path / "begun")
    assert "unfinished: 0 of 3 shards are done" in line


def test_img2datasets_table_holds_the_failures_too(pack, lines, tmp_path):
    pack(tmp_path / "00000.tar", [("000000000.txt", b""), ("000000002.txt", b"")])
    status = ["success", "failed_to_download", "success"]
    rows = [{"key": f"00000000{n}", "status": status[n], "url": "u"} for n in range(3)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "00000.parquet")
    (tmp_path / "00000_stats.json").write_text(json.dumps({"count": 3, "successes": 2}))
    assert lines(tmp_path) == []
    (tmp_path / "00000_stats.json").write_text(json.dumps({"count": 3, "successes": 3}))
    assert lines(tmp_path) == ["00000_stats.json: offset 0: -: successes is 3, and 00000.parquet keeps 2"]
