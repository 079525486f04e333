"""A checkpoint is whole or not there, and one that could not be written takes no room."""

import errno

import pytest

from vlmkit.shards.dataset import own_folder
from vlmkit.training.checkpoints import Checkpoints, Position


class Model:
    """Writes 100 kB, and then fails as safetensors does on a full disk, or in the way that it is told."""

    def __init__(self, error=None):
        self.error = error

    def save(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.safetensors").write_bytes(bytes(100_000))
        if self.error is not None:
            raise self.error


FULL = ValueError("Error while serializing: I/O error: No space left on device (os error 28)")


def test_one_that_does_not_fit_leaves_the_last_one_and_nothing_else(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(Model(), None, Position("plan", 0, 0))
    with pytest.raises(OSError, match="No space left on device") as caught:
        checkpoints.save(Model(FULL), None, Position("plan", 8, 1))
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(own_folder(tmp_path) / "checkpoints/00000001")
    assert checkpoints.last().position.step == 0
    assert list((own_folder(tmp_path) / "tmp").iterdir()) == []
    checkpoints.save(Model(), {"state": {}}, Position("plan", 8, 1))
    assert (checkpoints.last().position.step, checkpoints.last().optimizer()) == (1, {"state": {}})


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("CUDA error")])
def test_other_failures_pass_as_they_are_and_leave_nothing(tmp_path, error):
    with pytest.raises(type(error)) as caught:
        Checkpoints(tmp_path).save(Model(error), None, Position("plan", 0, 0))
    assert caught.value is error
    assert list((own_folder(tmp_path) / "tmp").iterdir()) == []
