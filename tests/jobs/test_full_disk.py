"""A disk that is full ends a command with one clear line; what is committed is whole, and the rerun finishes."""

import os
import shutil
import subprocess
import tarfile

import pyarrow.parquet as pq
import pytest

RULE = ("--min-words", 3, "--workers", 1)
REMEDIES = {
    "No space left on device": "free some space there",
    "File too large": "raise the limit on the size of a file (ulimit -f)",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory, picture, write_tar):
    """Four shards of 190 kB, of which a third is dropped; the fourth is twice as large."""
    folder = tmp_path_factory.mktemp("full") / "in"
    for shard in range(4):
        samples = {
            f"{shard}{n:03d}": {
                "png": picture(color=(n, shard, 0)),
                "bin": bytes([n]) * 1000,
                "txt": b"w " * (n % 3 + 2),
            }
            for n in range(120 if shard == 3 else 60)
        }
        write_tar(folder / f"{shard:05d}.tar", samples)
    return folder


@pytest.fixture(scope="module")
def undisturbed(data, content, script):
    out, rejects = data.parent / "out", data.parent / "rejects"
    subprocess.run([script, "filter", data, out, "--min-words", "3", "--rejects", rejects, "--quiet"], check=True)
    return content(out), content(rejects)


@pytest.fixture
def disk(tmp_path):
    """A file system of its own that holds so many kilobytes."""
    mounted = []

    def mount(size_kb):
        path = tmp_path / "disk"
        path.mkdir()
        options = f"size={size_kb}k"
        if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", path], capture_output=True).returncode:
            pytest.skip("this user may not mount a tmpfs")
        mounted.append(path)
        return path

    yield mount
    for path in mounted:
        subprocess.run(["umount", path], check=True)


def run(script, *arguments, limit_kb=None, **options):
    """A command, if asked for under a limit on the size of a file (which the system tells by EFBIG and SIGXFSZ)."""
    words = [script, *map(str, arguments), "--quiet"]
    limited = ["bash", "-c", f'ulimit -f {limit_kb}; exec "$@"', "bash", *words] if limit_kb else words
    return subprocess.run(limited, capture_output=True, timeout=120, **options)


def told(done):
    """The two lines of an error: what, where, and what to do."""
    assert done.returncode == 1, done.stderr
    first, second = done.stderr.decode().splitlines()
    what, _, where = first.partition(": ")[2].partition(": ")
    assert second == f"  {REMEDIES[what]} and run the same command again: it goes on from what is whole"
    return what, where


def assert_whole(there, whole):
    """Whatever has a final name has the bytes of the undisturbed run, and each committed shard has all its files."""
    files, committed = there
    assert all(whole[0][name] == data for name, data in files.items())
    for name in committed:
        shard = name.removesuffix("_stats.json")
        assert {f"{shard}.tar", f"{shard}.parquet"} <= files.keys()


@pytest.mark.parametrize("workers", [1, 2])
def test_of_a_full_disk_every_committed_shard_is_whole_and_the_rerun_finishes(
    script, data, disk, content, undisturbed, workers
):
    small = disk(900)
    out, rejects = small / "out", small / "rejects"
    command = ("filter", data, out, *RULE, "--rejects", rejects, "--workers", workers)
    what, where = told(run(script, *command))
    assert what == "No space left on device"
    assert where.startswith(str(small))
    assert_whole(content(out), undisturbed[0])
    assert_whole(content(rejects), undisturbed[1])
    assert 1 <= len(content(out)[1]) < 4
    assert not (out / ".vlmkit/manifest.json").exists()

    told(run(script, *command))
    subprocess.run(["mount", "-o", "remount,size=8m", small], check=True)
    done = run(script, *command)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (content(out), content(rejects)) == undisturbed
    for folder in (out, rejects):
        assert list((folder / ".vlmkit/tmp").iterdir()) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_limit_on_the_size_of_files_is_no_different(script, data, tmp_path, content, undisturbed, workers):
    out = tmp_path / "out"
    command = ("filter", data, out, *RULE, "--rejects", tmp_path / "rejects", "--workers", workers)
    assert told(run(script, *command, limit_kb=240)) == ("File too large", str(out / "00003.tar"))
    assert_whole(content(out), undisturbed[0])
    assert run(script, *command).returncode == 0
    assert (content(out), content(tmp_path / "rejects")) == undisturbed


def test_a_disk_that_is_full_from_the_start(script, data, disk, content, undisturbed):
    small = disk(1000)
    filler = small / "filler"
    filler.write_bytes(bytes(1000 << 10))
    out = small / "out"
    assert told(run(script, "filter", data, out, *RULE))[1] == str(out / ".vlmkit/plan.json")
    assert content(out) == ({}, [])
    filler.unlink()
    assert run(script, "filter", data, out, *RULE).returncode == 0
    assert content(out) == undisturbed[0]


@pytest.mark.parametrize(
    ("command", "where"),
    [
        (("cat", "{data}", "{disk}/out"), "{disk}/out/00000.tar"),
        (("cat", "{data}", "{disk}/x.tar"), "{disk}/.x.tar."),
        (
            ("filter", "{data}", "{other}", "--min-words", "9", "--workers", "1", "--rejects", "{disk}/r.tar"),
            "{disk}/.r.tar.",
        ),
        (("filter", "{data}", "-", "--min-words", "9", "--rejects", "{disk}/rejects"), "{disk}/rejects/00000.tar"),
        (("dedup", "{data}", "{disk}/out", "--workers", "1"), "{disk}/out/00000.tar"),
        (("mix", "{data}", "{disk}/out"), "{disk}/out/00000.tar"),
        (("download", "folder:{pictures}", "{disk}/out"), "{disk}/out/00000.tar"),
    ],
    ids=["shards", "tar", "rejects-tar", "rejects-of-a-stream", "dedup", "mix", "download"],
)
def test_whatever_is_written_its_name_is_told(script, data, disk, tmp_path, command, where):
    """And of what can't be taken up in the middle nothing is left, on the disk or under another name."""
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        (tmp_path / f"pictures/{number}.bmp").write_bytes(bmp(number))
    small = disk(150)
    names = {"data": data, "disk": small, "other": tmp_path / "other", "pictures": tmp_path / "pictures"}
    done = run(script, *(word.format(**names) for word in command))
    assert told(done)[1].startswith(where.format(**names))
    assert not list(small.rglob("*.tar*"))


def bmp(number):
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (200, 200), (number, 0, 0)).save(file, "BMP")
    return file.getvalue()


def test_a_table_that_does_not_fit_is_told_by_its_name(script, tmp_path, write_tar):
    """No tar is written at all: the table is what fills the disk."""
    samples = {f"{n:06d}" + os.urandom(40).hex(): {"txt": b"w"} for n in range(2000)}
    data = write_tar(tmp_path / "in/00000.tar", samples).parent
    done = run(script, "filter", data, tmp_path / "out", *RULE, limit_kb=60)
    assert told(done) == ("File too large", str(tmp_path / "out/00000.parquet"))
    assert list((tmp_path / "out").glob("*.parquet")) == []
    assert run(script, "filter", data, tmp_path / "out", *RULE).returncode == 0
    assert pq.read_metadata(tmp_path / "out/00000.parquet").num_rows == 2000


def test_standard_output_that_takes_no_more(script, data):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([script, "cat", data, "-", "--quiet"], stdout=full, stderr=subprocess.PIPE)
    assert told(done) == ("No space left on device", "standard output")


def test_a_pipe_into_a_full_disk_fails_at_both_ends(script, data, disk):
    """The last command says what is wrong; the first, whose output nobody reads any more, says nothing."""
    small = disk(150)
    pipe = '"$0" cat "$1" "$1" "$1" "$1" - --quiet | "$0" cat - "$2/o" --quiet; echo ${PIPESTATUS[@]}'
    done = subprocess.run(["bash", "-c", pipe, script, data, small], capture_output=True, text=True)
    assert done.stdout.split() == ["141", "1"]
    assert done.stderr.splitlines()[0] == f"vlmkit cat: No space left on device: {small}/o/00000.tar"


def test_what_a_killed_command_left_makes_room_for_the_rerun(script, data, disk, content, undisturbed):
    """The half shard of a process that is no more would fill the disk again."""
    small = disk(1100)
    out = small / "out"
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert run(script, "filter", data, out, *RULE, "--part", "0/4").returncode == 0
    half = out / f".vlmkit/tmp/00001.tar.{os.uname().nodename}.{gone.pid}"
    half.write_bytes(bytes(shutil.disk_usage(small).free - (50 << 10)))
    assert run(script, "filter", data, out, *RULE).returncode == 0
    assert content(out) == undisturbed[0]
    with tarfile.open(out / "00001.tar") as tar:
        assert len(tar.getnames()) == 3 * 40
