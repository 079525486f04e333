"""The options that every job has, whatever its step."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmkit.errors import VlmkitError
from vlmkit.jobs.slurm import Part
from vlmkit.jobs.work import OnlyFields


@dataclass(frozen=True)
class JobOptions:
    """`max_bad` is the share of unreadable samples that still counts as success; `only` the fields to write."""

    limit: int | None = None
    only: str | None = None
    rejects: str | None = None
    max_bad: float = 0.05
    dry_run: bool = False
    overwrite: bool = False
    workers: int | None = None
    part: str | None = None
    report: Path | None = None
    quiet: bool = False
    json: bool = False

    def __post_init__(self) -> None:
        if self.overwrite and self.part:
            raise VlmkitError("--overwrite would remove the other parts' work", "remove the output folder first")
        if self.part:
            Part.parse(self.part)  # a wrong one shows before anything is made

    @property
    def deciding(self) -> dict[str, Any]:
        """Those that decide the result, for the plan. The others say how it is come by."""
        rejects = str(Path(self.rejects).absolute()) if self.rejects else None
        return {"limit": self.limit, "only": self.only, "rejects": rejects}

    @property
    def only_fields(self) -> OnlyFields | None:
        return OnlyFields(frozenset(self.only.lower().split(","))) if self.only else None

    @property
    def explicit_part(self) -> Part | None:
        return Part.parse(self.part) if self.part else None

    @property
    def rejects_folder(self) -> Path | None:
        return Path(self.rejects) if self.rejects and not self.rejects_tar else None

    @property
    def rejects_tar(self) -> Path | None:
        return Path(self.rejects) if self.rejects and self.rejects.endswith(".tar") else None
