"""`vlmkit stats` as it is called: a report, a table, a history, JSON."""

import json
import os
import subprocess

import pytest


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_tar, script):
    """`raw/`: 10 samples with 1 to 10 words; `clean/`: through a pipe, the 7 of them that have 4 and more."""
    folder = tmp_path_factory.mktemp("stats")
    write_tar(folder / "raw/00000.tar", {f"[red]{n}": {"txt": b"word " * (n + 1)} for n in range(10)})
    line = f"{script} cat raw - --quiet | {script} filter - clean --min-words 4 --quiet"
    subprocess.run(["sh", "-ec", line], cwd=folder, check=True)
    return folder


@pytest.fixture
def stats(vlmkit):
    return lambda *arguments, **how: vlmkit("stats", *arguments, **how)


def test_one_dataset_gives_a_report_of_80_columns(folder, script):
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    done = subprocess.run([script, "stats", folder / "clean"], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert max(map(len, lines)) <= 80
    assert "samples  7 (from manifest.json)" in lines
    assert "  words >= 4   3  30.0%" in lines
    assert "kept           7  70.0%" in lines
    assert "txt  7" in lines
    assert ["words", "1", "@@@@@@@@@@", "10", "10", "0"] in [line.split() for line in lines]
    assert ["words", "1.09", "1.45", "3.25", "5.5", "7.75", "9.55", "9.91"] in [line.split() for line in lines]


def test_several_datasets_give_a_line_each(folder, stats):
    header, raw, clean, *_ = stats(folder / "raw", folder / "clean").out.decode().splitlines()
    assert header.split() == ["dataset", "command", "in", "out", "seconds", "reasons"]
    assert raw.split() == ["raw", "10"]
    assert clean.split()[:4] == ["clean", "filter", "10", "7"]
    assert clean.rstrip().endswith("words >= 4 3")
    assert stats("--table", folder / "clean").out.decode().split()[:6] == header.split()


def test_lineage_tells_every_stage_of_the_pipe(folder, stats):
    lines = stats("--lineage", folder / "clean").out.decode().splitlines()
    assert lines[:2] == ["1. vlmkit cat raw - --quiet", "   in 10, out 10"]
    assert lines[3:] == ["2. vlmkit filter - clean --min-words 4 --quiet", "   in 10, out 7; words >= 4: 3"]
    (found,) = json.loads(stats("--lineage", "--json", folder / "clean").out)["datasets"]
    assert [step["command"] for step in found["history"]] == ["cat", "filter"]


def test_json_says_everything(folder, stats):
    raw, clean = json.loads(stats("--json", folder / "raw", folder / "clean").out)["datasets"]
    assert (raw["samples"], raw["source"], raw["fields"]) == (10, "the tars", {"txt": 10})
    assert (clean["samples_in"], clean["samples_out"], clean["reasons"]) == (10, 7, {"words >= 4": 3})
    assert clean["columns"]["words"]["median"] == 5.5
    assert clean["bytes"] == sum(path.stat().st_size for path in (folder / "clean").glob("*.tar"))
    assert len(clean["history"]) == 2


def test_a_page_has_all_of_it_and_runs_nothing(folder, stats, tmp_path):
    done = stats("--html", tmp_path / "new/stats.html", folder / "raw", folder / "clean")
    assert (done.status, done.out) == (0, b"")
    page = (tmp_path / "new/stats.html").read_text()
    assert "words &gt;= 4" in page
    assert page.count("text characters") == 2
    assert page.count("<h1>") == 2
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert "src=" not in page


def test_a_terminal_gets_block_characters(folder, script):
    environment = {**os.environ, "COLUMNS": "100", "PYTHONUTF8": "1", "TERM": "xterm"}
    line = ["script", "-qec", f"{script} stats {folder / 'clean'}", "/dev/null"]
    done = subprocess.run(line, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL)
    assert "\u2588" * 10 in done.stdout


def test_what_stands_in_data_is_not_markup(stats, write_tar, tmp_path):
    path = write_tar(
        tmp_path / "a.tar", {"a": {"[red]x": b"", "json": b'{"[bold]n": 1, "\\u001b[31m": 2, "\\ud83d": 3}'}}
    )
    out = stats(path).out.decode()
    assert "[red]x" in out
    assert "[bold]n" in out
    assert "\x1b[31m" not in out
    assert json.loads(stats("--json", path).out)["datasets"][0]["json"]["\x1b[31m"] == {"integer": 1}


def test_a_damaged_tar_gives_status_3_and_a_broken_stream_1(folder, stats, tmp_path):
    data = (folder / "raw/00000.tar").read_bytes()[:4500]
    (tmp_path / "a.tar").write_bytes(data)
    done = stats(tmp_path / "a.tar")
    assert done.status == 3
    assert "cut off inside a header, behind [red]3.txt, at byte" in " ".join(done.out.decode().split())
    done = stats("-", stdin=data)
    assert done.status == 1
    assert done.err.startswith("vlmkit stats: the stream breaks off")


def test_a_users_mistakes(folder, stats, tmp_path):
    done = stats(tmp_path)
    assert (done.status, done.out) == (1, b"")
    assert done.err.startswith(f"vlmkit stats: no tars in {tmp_path}\n  ")
    done = stats("--lineage", folder / "raw")
    assert done.status == 1
    assert done.err.startswith(f"vlmkit stats: {folder}/raw has no history\n  ")
