"""What a command line asks of cat, and what of it does not go together."""

from dataclasses import dataclass
from typing import Any

from vlmkit.errors import VlmkitError
from vlmkit.exports.formats import FORMATS
from vlmkit.jobs.job import is_folder
from vlmkit.jobs.options import JobOptions
from vlmkit.shards.locations import STREAM

EXPORTS = ("llava", "parquet", "jsonl")


@dataclass(frozen=True)
class CatOptions:
    """What cat does to its samples besides joining them. Raises VlmkitError for what is not to be had."""

    skip: int = 0
    shuffle: bool = False
    seed: int | None = None
    rekey: bool = False
    uniform: str | None = None
    embed_rows: bool = False
    to: str | None = None

    def __post_init__(self) -> None:
        if self.seed is not None and not self.shuffle:
            raise VlmkitError("--seed orders nothing without --shuffle", "add --shuffle, or leave --seed out")
        if self.uniform not in (None, *FORMATS):
            raise VlmkitError(f"--uniform {self.uniform} is no format to write", f"choose of {', '.join(FORMATS)}")
        if self.to not in (None, *EXPORTS):
            raise VlmkitError(f"--to {self.to} is no format to write", f"choose of {', '.join(EXPORTS)}")
        if self.uniform and self.to:
            raise VlmkitError(f"--uniform is for tars, and --to {self.to} has its own fields", "choose one of them")
        if self.uniform and self.embed_rows:
            raise VlmkitError("rows in the tars would be fields that differ again", "--uniform without --embed-rows")

    def check_output(self, target: str, options: JobOptions) -> None:
        """Raises VlmkitError for an output that can't be what was asked for."""
        if self.to and not is_folder(target):
            raise VlmkitError(f"--to {self.to} writes several files, and {target} is one", "name a folder")
        if self.to in ("llava", "jsonl") and options.sizes_shards:
            raise VlmkitError(f"--to {self.to} makes one file: no {options.sizes_shards}", "leave it out")
        if self.uniform and not is_folder(target) and target != STREAM:
            hint = "--uniform writes to a folder, or to -"
            raise VlmkitError(f"{target} would hold rows, fields that differ from sample to sample", hint)

    @property
    def deciding(self) -> dict[str, Any]:
        """What was asked for, for the plan."""
        asked = {
            "skip": self.skip,
            "rekey": self.rekey,
            "uniform": self.uniform,
            "embed_rows": self.embed_rows,
            "to": self.to,
        }
        given = {name: value for name, value in asked.items() if value}
        return given | ({"shuffle": self.order} if self.shuffle else {})

    @property
    def order(self) -> int | None:
        """The seed of the order; None: as it comes."""
        return (self.seed or 0) if self.shuffle else None
