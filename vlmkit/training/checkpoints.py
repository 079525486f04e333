"""Checkpoints of an unfinished run: a folder each, whole or not there, the last two kept."""

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlmkit.jobs.counts import Counts
from vlmkit.shards.dataset import own_folder, temporary_path
from vlmkit.shards.disk import Naming

_STATE, _OPTIMIZER = "position.json", "optimizer.pt"
_KEPT = 2


@dataclass(frozen=True)
class Position:
    """How far a run has come: `position` samples of the plan with this digest, in `step` steps; what was counted."""

    plan: str
    position: int
    step: int
    counts: Counts = field(default_factory=Counts)


@dataclass(frozen=True)
class Checkpoint:
    """A folder that transformers loads, with the optimizer's state beside (none before the first step)."""

    folder: Path

    @property
    def position(self) -> Position:
        said = json.loads((self.folder / _STATE).read_text())
        return Position(said["plan"], said["position"], said["step"], Counts.from_json(said["counts"]))

    def optimizer(self) -> dict[str, Any] | None:
        import torch

        path = self.folder / _OPTIMIZER
        return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None

    @property
    def model_files(self) -> list[Path]:
        return sorted(path for path in self.folder.iterdir() if path.name not in (_STATE, _OPTIMIZER))


class Checkpoints:
    """Those of the run whose output is `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._room = own_folder(folder) / "checkpoints"

    def last(self) -> Checkpoint | None:
        found = sorted(self._room.glob("*")) if self._room.exists() else []
        return Checkpoint(found[-1]) if found else None

    def save(self, trainee: Any, optimizer: dict[str, Any] | None, position: Position) -> None:
        """Writes all files under a temporary name, syncs and renames; then drops what is older than the last two."""
        import torch

        final = self._room / f"{position.step:08d}"
        if final.exists():
            return
        temporary = temporary_path(final, self._folder)
        said = {"plan": position.plan, "position": position.position, "step": position.step}
        try:
            with Naming(final):
                trainee.save(temporary)
                if optimizer is not None:
                    with open(temporary / _OPTIMIZER, "wb") as file:
                        torch.save(optimizer, file)
                (temporary / _STATE).write_text(json.dumps({**said, "counts": position.counts.as_json()}))
                _commit(temporary, final)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        for old in sorted(self._room.glob("*"))[:-_KEPT]:
            shutil.rmtree(old)

    def publish(self) -> list[str]:
        """Puts the last checkpoint's model into the output folder itself; returns the names of its files."""
        last = self.last()
        assert last is not None
        for path in last.model_files:
            temporary = temporary_path(self._folder / path.name, self._folder)
            shutil.copyfile(path, temporary)
            _sync(temporary)
            os.replace(temporary, self._folder / path.name)
        return [path.name for path in last.model_files]

    def clear(self) -> None:
        """Once the model is published nothing is left to resume."""
        shutil.rmtree(self._room, ignore_errors=True)
        shutil.rmtree(own_folder(self._folder) / "tmp", ignore_errors=True)


def _commit(temporary: Path, final: Path) -> None:
    """As `commit` of one file: a folder that appears under its name is whole, even if the power fails."""
    for path in (*temporary.iterdir(), temporary):
        _sync(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    os.rename(temporary, final)
    _sync(final.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
