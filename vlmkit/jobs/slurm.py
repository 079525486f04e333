"""Which part of the work is this task's, by what SLURM says in the environment."""

from collections.abc import Mapping
from dataclasses import dataclass

from vlmkit.errors import VlmkitError


@dataclass(frozen=True)
class Array:
    """How an array numbers its tasks, as the plan freezes it: ids from `first` in steps of `step`, each task running
    `ranks` processes under srun. A retry of some ids (--array=3,7,12) says another minimum and count: the plan decides.
    """

    first: int
    step: int
    count: int
    ranks: int

    def __str__(self) -> str:
        return f"{self.count} tasks from {self.first} in steps of {self.step}, {self.ranks} processes each"


@dataclass(frozen=True)
class Part:
    """Part `index`, from 0, of `count`: the shards whose place in the plan leaves `index` when divided by `count`."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Part":
        index, slash, count = text.partition("/")
        if not (slash and index.isdigit() and count.isdigit() and int(index) < int(count)):
            raise VlmkitError(f"--part {text} is no part", "write I/N, I from 0 to N-1, such as --part 0/4")
        return cls(int(index), int(count))

    def has(self, place: int) -> bool:
        return place % self.count == self.index


def array_of(environment: Mapping[str, str]) -> Array | None:
    """The array that this process belongs to, as its first tasks see it. Raises VlmkitError for a sparse one, whose
    count says nothing of how the work was divided."""
    if "SLURM_ARRAY_TASK_ID" not in environment:
        return None
    first, last = (int(environment[f"SLURM_ARRAY_TASK_{which}"]) for which in ("MIN", "MAX"))
    step, count = int(environment.get("SLURM_ARRAY_TASK_STEP", 1)) or 1, int(environment["SLURM_ARRAY_TASK_COUNT"])
    if (last - first) // step + 1 != count:
        raise VlmkitError(
            f"a job can't begin with the sparse array {first}..{last} of {count} tasks",
            "submit the whole array first; retries of some of its ids then follow its plan",
        )
    return Array(first, step, count, _ranks(environment))


def part_of(environment: Mapping[str, str], array: Array | None) -> Part | None:
    """This process's part. `array` is the plan's, if an array made the plan. None: all that is left is its work."""
    rank = int(environment["SLURM_PROCID"]) if _ranks(environment) > 1 else 0
    if "SLURM_ARRAY_TASK_ID" not in environment or array is None:
        return Part(rank, _ranks(environment)) if _ranks(environment) > 1 else None
    place, odd = divmod(int(environment["SLURM_ARRAY_TASK_ID"]) - array.first, array.step)
    if odd or not 0 <= place < array.count or _ranks(environment) != array.ranks:
        here = f"task {environment['SLURM_ARRAY_TASK_ID']} with {_ranks(environment)} processes"
        raise VlmkitError(
            f"{here} is not of the array that began this work ({array})",
            "submit ids of that array, or run the command once without an array: it does all that is left",
        )
    return Part(place * array.ranks + rank, array.count * array.ranks)


def is_divided(environment: Mapping[str, str]) -> bool:
    """Whether other tasks do the same work at the same time."""
    return int(environment.get("SLURM_ARRAY_TASK_COUNT") or 1) > 1 or _ranks(environment) > 1


def _ranks(environment: Mapping[str, str]) -> int:
    """The processes that srun started; 1 in a plain batch script, which sees SLURM_NTASKS and runs only once, and in
    the shell of an allocation, a step of one task that sees it too.
    """
    tasks = environment.get("SLURM_STEP_NUM_TASKS") or environment.get("SLURM_NTASKS") or 1
    return int(tasks) if environment.get("SLURM_STEP_ID") else 1
