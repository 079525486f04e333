"""`vlmkit check` as it is called: defects on stdout, words on stderr, the status."""

import json
import subprocess

import pytest


@pytest.fixture
def folder(tmp_path, write_tar):
    """A shard with an odd suffix and one whose json is broken."""
    write_tar(tmp_path / "in/00000.tar", {"0": {"JSON": b"{}"}})
    write_tar(tmp_path / "in/00001.tar", {"1": {"json": b"{"}})
    return tmp_path / "in"


@pytest.fixture
def check(vlmkit):
    return lambda *arguments, **how: vlmkit("check", "--no-webdataset", *arguments, **how)


def test_defects_go_to_stdout_and_words_to_stderr(folder, check):
    done = check(folder)
    (line,) = done.out.decode().splitlines()
    assert line.startswith(f"{folder}/00001.tar: offset 0: 1.json: no JSON (")
    note, summary = done.err.splitlines()
    assert note.startswith("note: 1 x an upper-case suffix")
    assert summary == "vlmkit check: 1 defect in 1 file; 2 shards, 2 samples, 2,048 bytes"
    assert done.status == 3


def test_status_0_where_nothing_is_wrong(folder, check):
    done = check(folder / "00000.tar", "--quiet")
    assert (done.status, done.out, done.err) == (0, b"", "")


def test_the_summary_as_json(folder, check):
    said = json.loads(check(f"{folder}/{{00000..00001}}.tar", "--json", "--quiet").err)
    assert (said["defects"], said["shards"], said["samples"], sum(said["notes"].values())) == (1, 2, 2, 1)


def test_pictures_are_decoded_to_the_end_only_if_asked(check, write_tar, picture, tmp_path):
    path = write_tar(tmp_path / "a.tar", {"a": {"jpg": picture("JPEG", (400, 300))[:-200]}})
    assert check(path).status == 0
    assert check(path, "--decode").status == 3


def test_a_stream_is_checked(folder, check):
    done = check("-", stdin=(folder / "00001.tar").read_bytes())
    assert done.out.startswith(b"-: offset 0: 1.json: no JSON")
    assert done.status == 3


def test_a_users_mistake_is_one_line_and_a_hint(check, tmp_path):
    done = check(tmp_path / "nowhere")
    assert done.status == 1
    message, hint = done.err.splitlines()
    assert message == f"vlmkit check: no such folder or tar: {tmp_path}/nowhere"
    assert hint.startswith("  check the path")


def test_a_closed_pipe_ends_quietly(script, write_tar, tmp_path):
    """With more defects than a pipe holds."""
    path = write_tar(tmp_path / "a.tar", {f"{n}": {"json": b"{"} for n in range(2000)})
    line = f"{script} check --no-webdataset {path} | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 141
    assert done.stdout.startswith(f"{path}: offset 0: 0.json: no JSON")
    assert done.stderr == ""


def test_webdatasets_reading_is_compared_unless_told_not_to(vlmkit, write_tar, tmp_path):
    path = write_tar(tmp_path / "a.tar", {"x/": {"hidden": b""}})
    assert vlmkit("check", path).out.decode() == f"{path}: offset 0: x/: a sample for webdataset only (hidden)\n"
    assert vlmkit("check", "--no-webdataset", path).out == b""


def test_a_repair_names_its_mends_and_leaves_no_defects(check, write_tar, tmp_path):
    path = write_tar(tmp_path / "in/a.tar", {"a": {"txt": b"1"}, "b": {"txt": b"2"}})
    path.write_bytes(path.read_bytes()[:2048] * 2)  # no end marker, and all keys again
    assert check(path).status == 3
    done = check(path, "--repair", tmp_path / "out")
    assert done.status == 0
    assert done.out.decode().splitlines() == [
        f"{path}: offset 4096: -: no end-of-archive marker: added",
        f"{path}: offset 2048: a.txt: the key again: renamed to a~1",
        f"{path}: offset 3072: b.txt: the key again: renamed to b~1",
    ]
    assert "2 the key again: renamed" in done.err
    assert check(tmp_path / "out").status == 0
    assert json.loads(check(path, "--repair", tmp_path / "out", "--quiet", "--json").err)["samples_out"] == 4


def test_what_a_repair_cannot_save_gives_status_3(check, folder, tmp_path):
    done = check(folder, "--repair", tmp_path / "out", "--rejects", tmp_path / "left", "--quiet")
    assert (done.status, done.err) == (3, "")
    assert done.out.endswith(b": its sample is left out\n")
    assert (tmp_path / "left/00001.tar").exists()


def test_rejects_are_for_repairs(check, folder, tmp_path):
    done = check(folder, "--rejects", tmp_path / "left")
    assert done.status == 1
    assert done.err.startswith("vlmkit check: --rejects and --overwrite are for --repair")


def test_a_reader_is_asked_for_by_name(vlmkit, write_tar, picture, tmp_path):
    samples = {f"{n}": {"jpg": picture("JPEG"), "txt": b""} for n in range(5)} | {"9": {"png": picture(), "txt": b""}}
    path = write_tar(tmp_path / "a.tar", samples)
    assert vlmkit("check", path).status == 0
    assert vlmkit("check", path, "--for", "open_clip").status == 0
    done = vlmkit("check", path, "--for", "hf")
    assert done.status == 3
    assert done.out.decode().endswith(": 9: dropped: png, which the first samples don't have; their jpg is None here\n")
    summary, hint = done.err.splitlines()
    assert summary.startswith("vlmkit check: 1 defect in 1 file; 1 shard, 6 samples, ")
    assert hint.startswith("  vlmkit cat --uniform ")
    assert vlmkit("check", path, "--for", "tar").err.startswith(
        "vlmkit check: --for tar: no such reader\n  --for takes"
    )
    assert vlmkit("check", path, "--for", "hf", "--repair", tmp_path / "out").status == 1
