"""Errors for want of room name their file; what processes that are no more left behind is removed."""

import errno
import os
import subprocess

import pytest

from vlmkit.shards.dataset import sweep_orphans, temporary_beside, temporary_path
from vlmkit.shards.disk import Naming


def raised(error, path="x.tar"):
    with pytest.raises(type(error)) as caught, Naming(path):
        raise error
    return caught.value


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_an_error_for_want_of_room_names_the_file(number):
    assert raised(OSError(number, os.strerror(number))).filename == "x.tar"


def test_the_innermost_name_stays():
    with Naming("outer"):
        assert raised(OSError(errno.ENOSPC, "full"), "inner").filename == "inner"
    assert raised(OSError(errno.ENOSPC, "full", "its own")).filename == "its own"


@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "broken"), BrokenPipeError(errno.EPIPE, "closed"), ValueError("x")]
)
def test_other_errors_pass_as_they_are(error):
    found = raised(error)
    assert found is error
    assert getattr(found, "filename", None) is None


def test_what_other_libraries_make_of_it_is_seen_through():
    """safetensors says it in words; torch raises its own error while the system's is on its way."""
    import torch

    said = "Error while serializing: I/O error: No space left on device (os error 28)"
    with pytest.raises(OSError, match="No space left on device: 'x'") as caught, Naming("x"):
        raise ValueError(said)
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(OSError, match="No space left on device: 'x'"), Naming("x"), open("/dev/full", "wb") as file:
        torch.save({"a": torch.zeros(100_000)}, file)


@pytest.fixture
def gone():
    """The id of a process that is no more."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_only_what_dead_processes_of_this_machine_left_is_removed(tmp_path, gone):
    node, room = os.uname().nodename, tmp_path / ".vlmkit/tmp"
    mine = temporary_path(tmp_path / "00000.tar", tmp_path)
    left = [f"00001.tar.{node}.{gone}", f"plan.json.{node}.{gone}"]
    kept = [mine.name, f"00001.tar.{node}.1", f"00001.tar.elsewhere.{gone}", f"00001.tar.{node}.", "notes"]
    for name in left + kept:
        (room / name).write_bytes(b"half")
    (room / f"00000010.{node}.{gone}").mkdir()
    (room / f"00000010.{node}.{gone}/model.safetensors").write_bytes(b"half")
    sweep_orphans(tmp_path)
    assert sorted(path.name for path in room.iterdir()) == sorted(kept)


def test_a_folder_without_temporary_files_has_nothing_to_sweep(tmp_path):
    sweep_orphans(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_beside_a_tar_only_what_dead_processes_left_of_it_is_removed(tmp_path, gone):
    node, final = os.uname().nodename, tmp_path / "x[1].tar"
    left = tmp_path / f".x[1].tar.{node}.{gone}"
    kept = [tmp_path / f".x[1].tar.{node}.1", tmp_path / f".x1.tar.{node}.{gone}", final]
    for path in (left, *kept):
        path.write_bytes(b"")
    assert temporary_beside(final).parent == tmp_path
    assert sorted(tmp_path.iterdir()) == sorted(kept)
