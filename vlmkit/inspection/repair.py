"""Writes a repaired dataset: what `check` names is mended where nothing must be guessed, and left out elsewhere.

It goes shard by shard and can be taken up again, as other jobs can; only its reading is its own, since a shard must be
surveyed to its end before it is known which members belong together.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from vlmkit.errors import VlmkitError
from vlmkit.inspection.findings import Finding
from vlmkit.inspection.folders import unfinished
from vlmkit.inspection.mends import Whole, arrange, safe_key
from vlmkit.inspection.survey import seekable, survey
from vlmkit.inspection.tables import existing_table
from vlmkit.jobs.counts import Counts
from vlmkit.jobs.finish import already_done, committed_counts, finish_dataset
from vlmkit.jobs.inputs import ShardInput, bytes_to_read
from vlmkit.jobs.job import is_folder
from vlmkit.jobs.options import JobOptions
from vlmkit.jobs.plan import Plan, freeze_with_rejects, uncommitted, withdraw
from vlmkit.jobs.progress import JobProgress, Ticker
from vlmkit.jobs.result import Result, closing
from vlmkit.jobs.shard_store import ShardStore
from vlmkit.jobs.step import Dropped, Kept, Outcome
from vlmkit.jobs.work import record
from vlmkit.shards.keys import UniqueKeys
from vlmkit.shards.locations import Location
from vlmkit.shards.paths import AnyPath, path_at
from vlmkit.shards.reader import ShardReader
from vlmkit.shards.sample import Row, Sample
from vlmkit.shards.tar import BLOCK
from vlmkit.tables.rows import read_rows, without_verdict

Say = Callable[[Finding], None]

_COMMAND = "check"
_REASONS = {"json": "unreadable json", "txt": "text that is not UTF-8"}  # what is looked into beside these are pictures


def repair(locations: list[Location], target: str, decode: bool, options: JobOptions, say: Say) -> int:
    """Writes the mended samples of one input into the folder `target`, and tells `say` of every mend.

    Returns 3 if something is lost: the tail of a damaged tar, samples whose bytes can't be read. Raises VlmkitError.
    """
    location = _repairable(locations, target, options)
    plan = Plan(
        _COMMAND,
        {"repair": True, "decode": decode, **options.deciding},
        tuple(ShardInput(shard.name, shard.path) for shard in location.shards),
    )
    folder, rejects = path_at(target), options.rejects_folder
    with closing("check --repair", options) as result:
        plan = freeze_with_rejects(plan, folder, rejects, options.overwrite)
        if not already_done(folder, options, result):
            _repair_shards(plan, _Mender(decode, say), folder, rejects, options)
            _finish(plan, location, folder, result, options)
    return result.status(max_bad=0.0)


def _repairable(locations: list[Location], target: str, options: JobOptions) -> Location:
    location = locations[0]
    if len(locations) > 1 or location.overlays:
        raise VlmkitError("--repair takes one dataset at a time", "repair each by itself, and join them by vlmkit cat")
    if location.is_stream:
        hint = "write it to a file first: the rest of a sample may come at the end"
        raise VlmkitError("a stream can't be repaired while it passes", hint)
    if work := unfinished(location.folder):
        raise VlmkitError(f"{location.text} is not damaged but unfinished", str(work))
    if not is_folder(target):
        raise VlmkitError(f"--repair {target}: a repaired dataset is a folder", "name a folder that is new, or empty")
    if options.rejects_tar is not None:
        raise VlmkitError(f"--rejects {options.rejects_tar}: of a repair they are a folder", "name a folder")
    return location


def _repair_shards(
    plan: Plan, mender: "_Mender", folder: AnyPath, rejects: AnyPath | None, options: JobOptions
) -> None:
    try:
        with JobProgress("check --repair", bytes_to_read(list(plan.shards)), options.quiet) as progress:
            for shard in uncommitted(list(plan.shards), folder):
                _repair_shard(shard, mender, folder, rejects, Ticker(progress.advance))
    except VlmkitError:
        withdraw(folder, rejects)
        raise


def _repair_shard(
    shard: ShardInput, mender: "_Mender", folder: AnyPath, rejects: AnyPath | None, ticker: Ticker
) -> None:
    counts = Counts()
    kept, dropped = ShardStore(folder, shard.name), ShardStore(rejects, shard.name) if rejects else None
    record(_COMMAND, mender.outcomes(shard, counts), counts, kept, dropped, ticker)
    ticker.flush(counts)


def _finish(plan: Plan, location: Location, folder: AnyPath, result: Result, options: JobOptions) -> None:
    result.counts = committed_counts(folder, [shard.name for shard in plan.shards])
    finish_dataset(folder, plan, [location], result, options.rejects_folder, options)


@dataclass(frozen=True)
class _Mender:
    """Makes samples of a shard's members. Each mend is said with its place, and counted in the notes."""

    decode: bool
    say: Say

    def outcomes(self, shard: ShardInput, counts: Counts) -> Iterator[Outcome]:
        def mend(offset: int, member: str, what: str, details: str = "") -> None:
            counts.notes[what] += 1
            self.say(Finding(shard.path, offset, member, what + details))

        with seekable(shard.path) as file:
            found = survey(file, self.decode, mend)
            counts.earlier += found.earlier
            if found.damage is not None:
                counts.damage.append(f"{shard.path}: {found.damage}")
                self.say(Finding(shard.path, found.damage.offset, "", f"{found.damage.why}: cut off here"))
            rows, unique = _rows(shard.path, mend), UniqueKeys()
            wholes = arrange(found.runs)
            reader = ShardReader(cast(BinaryIO, _Rearranged(file, wholes)), shard.path, shard.name)
            for whole, sample in zip(wholes, reader, strict=True):
                counts.bytes_in += sample.size_bytes
                yield self._outcome(whole, sample, rows if whole.alone else {}, unique, mend, shard)

    def _outcome(
        self,
        whole: Whole,
        sample: Sample,
        rows: dict[str, Row],
        unique: UniqueKeys,
        mend: Callable[..., None],
        shard: ShardInput,
    ) -> Outcome:
        first = whole.pieces[0]
        row = without_verdict(sample.row or rows.get(sample.key, {}))
        for piece in whole.moved:
            mend(piece.offset, piece.name, "not adjacent to its sample: brought there", f", at offset {first.offset}")
        key = unique(safe_key(whole.key) if whole.bad_name else whole.key)
        if whole.bad_name or key != whole.key:
            why = whole.bad_name or ("the key again" if whole.again else "the key is taken")
            mend(first.offset, first.name, f"{why}: renamed", f" to {key}")
            sample = sample.renamed(key)
        sample.row = row
        if (bad := whole.wrong) is None:
            return Kept(sample)
        self.say(Finding(shard.path, bad.offset, bad.name, f"{bad.wrong}: its sample is left out"))
        sample.row["error"] = bad.wrong
        return Dropped(sample, _REASONS.get(bad.field, "unreadable image"), bad=True)


class _Rearranged(io.RawIOBase):
    """A tar whose members are those of another, in another order. A block of zeros, where a sample ends for sure,
    stands behind each sample, so that two of one key stay two."""

    def __init__(self, file: BinaryIO, wholes: list[Whole]) -> None:
        self._file = file
        self._rest = _extents(wholes)
        self._at, self._left = 0, 0
        self._zeros = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._left and not self._zeros:
            extent = next(self._rest, None)
            if extent is None:
                return 0
            self._at, self._left, self._zeros = extent
        if not self._left:
            size = min(len(buffer), self._zeros)
            buffer[:size] = bytes(size)
            self._zeros -= size
            return size
        self._file.seek(self._at)
        data = self._file.read(min(len(buffer), self._left))
        data = data or bytes(min(len(buffer), self._left))  # some writers leave the last padding out
        buffer[: len(data)] = data
        self._at, self._left = self._at + len(data), self._left - len(data)
        return len(data)


def _extents(wholes: list[Whole]) -> Iterator[tuple[int, int, int]]:
    """Where to read next, how much, and how many zeros follow; adjacent members are read in one go."""
    for whole in wholes:
        start, end = whole.pieces[0].offset, whole.pieces[0].end
        for piece in whole.pieces[1:]:
            if piece.offset != end:
                yield start, end - start, 0
                start = piece.offset
            end = piece.end
        yield start, end - start, BLOCK


def _rows(path: str, mend: Callable[..., None]) -> dict[str, Row]:
    beside = existing_table(path)
    try:
        return read_rows(beside) if beside is not None else {}
    except VlmkitError:
        mend(0, "", "the table beside it can't be read: its scores are left out")
        return {}
