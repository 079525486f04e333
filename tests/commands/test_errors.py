"""What a user can get wrong ends in one line that says what it is, a hint that says what to do, and status 1."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

RULE = ("--min-words", 1)


@pytest.fixture
def data(tmp_path, write_tar, picture):
    samples = {"a": {"png": picture(), "txt": b"one two", "json": b'{"n": 1}'}, "b": {"txt": b"one"}}
    return write_tar(tmp_path / "in/00000.tar", samples).parent


@pytest.fixture
def refused(vlmkit, tmp_path):
    """Runs a command that must be refused; returns its message. Nothing may have come of it."""

    def run(command, *arguments, stdin=b"", hint=True, makes_nothing=True):
        before = sorted(tmp_path.rglob("*"))
        done = vlmkit(command, *arguments, "--quiet", stdin=stdin)
        assert done.status == 1
        assert done.out == b""
        message, *rest = done.err.splitlines()
        assert message.startswith(f"vlmkit {command}: ")
        assert len(rest) == hint, done.err
        assert all(line.startswith("  ") and line.strip() for line in rest)
        assert not makes_nothing or sorted(tmp_path.rglob("*")) == before
        return done.err

    return run


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("none", "no such folder or tar"),
        ("none.tar", "no such folder or tar"),
        ("empty", "no tars in"),
        ("n*.tar", "no file matches"),
        ("{000..", "unbalanced braces"),
        ("@none.txt", "no list of inputs"),
        ("text.tar", "not a tar"),
        ("text.tar.gz", "not a tar"),
        ("in/::none/", "no such folder or tar"),
        ("in/+none/", "no such folder or tar"),
    ],
)
def test_an_input_that_is_none(refused, data, tmp_path, monkeypatch, source, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.tar").write_text("url,caption\n" * 200)
    (tmp_path / "text.tar.gz").write_bytes(gzip.compress(b"url,caption\n" * 200))
    message = refused("filter", source, tmp_path / "out", *RULE)
    assert says in message


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("http://127.0.0.1:9/out", "nothing is written over HTTP"),
        ("out.tar.gz", "a compressed tar is not written"),
        ("strange", "is not empty, and vlmkit did not make it"),
        ("file.txt", "is a file"),
        ("file.txt/out", "file.txt"),
        ("file.txt/x.tar", "file.txt"),
        ("there.tar", "exists"),
    ],
)
def test_an_output_that_can_not_be_written(refused, data, tmp_path, monkeypatch, target, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange/thesis.doc").write_text("mine")
    (tmp_path / "file.txt").write_text("mine")
    (tmp_path / "there.tar").write_text("mine")
    assert says in refused("filter", data, target, *RULE)
    assert (tmp_path / "there.tar").read_text() == (tmp_path / "strange/thesis.doc").read_text() == "mine"


@pytest.mark.parametrize("command", [("filter", *RULE), ("dedup",), ("cat",)])
def test_an_output_that_is_also_an_input_is_left_alone(refused, vlmkit, data, tmp_path, command):
    """Even with --overwrite, which else would remove the shards before they are read."""
    name, *options = command
    vlmkit("filter", data, tmp_path / "made", *RULE)
    below = tmp_path / "made/../made"
    assert "is also an input" in refused(name, tmp_path / "made", below, *options, "--overwrite")
    assert "is also an input" in refused(name, tmp_path / "made/00000.tar", below, *options, "--overwrite")
    assert "is also an input" in refused(name, f"{data}/+{tmp_path}/made", below, *options, "--overwrite")
    other = tmp_path / "out"
    assert "is also an input" in refused(name, below, other, *options, "--rejects", tmp_path / "made", "--overwrite")


@pytest.mark.parametrize("place", ["out", "out.tar"])
def test_kept_and_dropped_need_two_places(refused, vlmkit, data, tmp_path, place):
    stream, same = vlmkit("cat", data, "-", "--quiet").out, (tmp_path / place, *RULE, "--rejects", tmp_path / place)
    assert "is also the output" in refused("filter", data, *same)
    assert "is also the output" in refused("filter", "-", *same, stdin=stream)


@pytest.mark.parametrize("target", ["out", "out.tar"])
def test_rejects_of_a_run_that_failed_stand_in_nobodys_way(refused, vlmkit, data, tmp_path, target):
    to = (tmp_path / target, "--rejects", tmp_path / "rejects")
    assert "words > 'many'" in refused("filter", data, *to, "--where", "words > 'many'")
    assert vlmkit("filter", data, *to, *RULE).status == 0


def test_rejects_that_can_not_be_written_hold_back_no_output(refused, vlmkit, data, tmp_path):
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange/thesis.doc").write_text("mine")
    refused("filter", data, tmp_path / "out", *RULE, "--rejects", tmp_path / "strange")
    assert vlmkit("filter", data, tmp_path / "out", *RULE, "--rejects", tmp_path / "rejects").status == 0


def test_no_rule(refused, data, tmp_path):
    assert "nothing to filter by" in refused("filter", data, tmp_path / "out")


@pytest.mark.parametrize("where", ["words >=", "n > 'many'", "1 = 1", "count(n) > 1", "n = (SELECT 1)", "a.n > 1"])
def test_a_condition_that_is_none(refused, data, tmp_path, where):
    message = refused("filter", data, tmp_path / "out", "--where", where)
    assert where.split()[0].split("(")[0] in message


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("beauty", "not a model name: beauty"),
        ("open_clip:ViT-B-33/openai", "open_clip has no architecture called ViT-B-33"),
        ("open_clip:ViT-B-32/openia", "open_clip has no weights of ViT-B-32 called openia"),
        (
            "open_clip:ViT-B-32/laion2b_s34b_b79k",
            "no CLIP weights: open_clip:ViT-B-32/laion2b_s34b_b79k is not on this",
        ),
        ("hf:nobody/nothing", "no CLIP weights: hf:nobody/nothing is not on this machine and the hub does not answer"),
        ("path:none", "no model weights in none"),
        ("builtin:beauty", "does not embed pictures and texts"),
    ],
)
def test_a_model_that_is_none(refused, data, tmp_path, monkeypatch, model, says):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    message = refused("filter", data, tmp_path / "out", "--clip-min", 0.3, "--clip-model", model, "--device", "cpu")
    assert says in message


def test_no_hub_names_a_model_that_needs_none(refused, data, tmp_path, monkeypatch):
    message = refused("filter", data, tmp_path / "out", "--clip-min", 0.3, "--device", "cpu")
    assert message.splitlines() == [
        "vlmkit filter: no CLIP weights: open_clip:ViT-B-32/laion2b_s34b_b79k is not on this machine "
        "and the hub does not answer",
        "  use --clip-model builtin:conse (no download), or --clip-model path:FOLDER",
    ]


def test_a_device_that_is_not_there(refused, data, tmp_path, monkeypatch, open_clip_folder):
    model = ("--clip-min", 0, "--clip-model", f"path:{open_clip_folder}")
    assert "not a device: gpu" in refused("filter", data, tmp_path / "out", *model, "--device", "gpu")


def test_two_scores_of_one_name(refused, data, tmp_path):
    columns = {"key": ["a"], "clip:builtin:conse": [0.3], "clip:open_clip:ViT-B-32/openai": [0.2]}
    pq.write_table(pa.table(columns), data / "00000.parquet")
    message = refused("filter", data, tmp_path / "out", "--clip-min", 0.3)
    assert "clip could mean clip:builtin:conse or clip:open_clip:ViT-B-32/openai" in message
    assert 'write "clip:builtin:conse" or ' in message
    message = refused("dedup", data, tmp_path / "out", "--keep", "best:clip")
    assert "clip could mean" in message


def test_a_table_that_is_none(refused, data, tmp_path):
    (data / "00000.parquet").write_text("not a table")
    assert "00000.parquet" in refused("filter", data, tmp_path / "out", *RULE)


@pytest.mark.parametrize("part", ["1", "2/2", "-1/2", "a/b", "0/0"])
def test_a_part_that_is_none(refused, data, tmp_path, part):
    assert f"--part {part} is no part" in refused("filter", data, tmp_path / "out", *RULE, "--part", part)


def test_parts_that_can_not_be(refused, data, tmp_path):
    out = tmp_path / "out"
    assert "--part does not divide" in refused("filter", data, "-", *RULE, "--part", "0/2")
    assert "--overwrite" in refused("filter", data, out, *RULE, "--part", "0/2", "--overwrite")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--by", "smell"), "--by smell is not known"),
        (("--kind", "smell"), "--kind smell is not known"),
        (("--keep", "last"), "--keep last is not known"),
        (("--keep", "best:"), "--keep best: is not known"),
        (("--keep", "best:caption"), "--keep best:caption: 'x' is no number"),
    ],
)
def test_dedups_own_options(refused, tmp_path, write_tar, picture, options, says):
    data = write_tar(tmp_path / "in/00000.tar", {"a": {"png": picture(), "json": b'{"caption": "x"}'}}).parent
    assert says in refused("dedup", data, tmp_path / "out", *options)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("folder:none", "no such folder: none"),
        ("demo:none", "demo:none: no such demo set"),
        ("smell:rose", "smell:rose: no such source"),
        ("none.csv", "none.csv"),
        ("llava:none.json", "none.json"),
    ],
)
def test_a_source_that_is_none(refused, tmp_path, monkeypatch, source, says):
    monkeypatch.chdir(tmp_path)
    assert says in refused("download", source, tmp_path / "out")


def test_a_stream_that_is_none(refused, tmp_path):
    assert "the stream breaks off" in refused("filter", "-", tmp_path / "out", *RULE, stdin=b"hello " * 300)
    assert "without the end-of-archive marker" in refused("filter", "-", tmp_path / "out", *RULE, stdin=b"")


USAGE = {
    "no-such-command": ("flter",),
    "no-input": ("filter",),
    "no-output": ("filter", "in"),
    "no-such-option": ("filter", "in", "out", "--min-word", "3"),
    "no-value": ("dedup", "in", "out", "--limit"),
    "no-number": ("filter", "in", "out", "--min-words", "three"),
    "out-of-range": ("filter", "in", "out", "--limit", "-1"),
}


@pytest.mark.parametrize("arguments", USAGE.values(), ids=USAGE)
def test_what_is_no_command_line_is_usage(vlmkit, arguments):
    done = vlmkit(*arguments)
    assert done.status == 2
    assert "Error: " in done.err
    assert "Traceback" not in done.err
