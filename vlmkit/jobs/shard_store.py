"""Stores samples as shards of a folder: tar, row table, stats."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass

from vlmkit.jobs.counts import Counts
from vlmkit.shards.dataset import committed, numbered_shard, stats_path, table_path, tar_path, write_json
from vlmkit.shards.disk import NamedTarWriter
from vlmkit.shards.keys import UniqueKeys
from vlmkit.shards.paths import AnyPath
from vlmkit.shards.sample import Member, Row, Sample
from vlmkit.shards.writer import TarWriter
from vlmkit.tables.rows import RowTable, without_verdict

SAMPLES_PER_SHARD = 10_000
BYTES_PER_SHARD = 1_000_000_000

Wanted = Callable[[Member], bool]


@dataclass(frozen=True)
class ShardSize:
    """When a new shard is full: it holds so many samples, or at least so many bytes of tar, whichever comes first."""

    samples: int = SAMPLES_PER_SHARD
    size_bytes: int = BYTES_PER_SHARD

    def reached(self, samples: int, size_bytes: int) -> bool:
        return samples >= self.samples or size_bytes >= self.size_bytes


@dataclass(frozen=True)
class ShardForm:
    """How samples are written: `only` picks their members, `embed_rows` puts each row into the tar as well, `rekey`
    makes the numbers of shard and sample their keys (shards that are made anew have numbers).
    """

    only: Wanted | None = None
    embed_rows: bool = False
    rekey: bool = False


class ShardStore:
    """One shard, under temporary names until `finish` commits tar, table and stats in that order. One that keeps
    nothing gets no tar. `digits` are those of a sample's number in a new key.
    """

    def __init__(self, folder: AnyPath, shard: str, form: ShardForm = ShardForm(), digits: int = 4) -> None:
        self.shard = shard
        self.rows = RowTable()
        self.written = Counts()
        self._folder = folder
        self._form = form
        self._digits = digits
        self._unique = UniqueKeys()
        self._files = ExitStack()
        self._tar: TarWriter | None = None
        self._opened = time.monotonic()

    def put(self, sample: Sample, row: Row) -> int:
        sample = self._as_written(sample)
        row["key"] = sample.key
        self.written.samples_in += 1
        self.written.samples_out += 1
        length = 0
        if sample.members:  # else --only left nothing of it: the row is all there is
            tar = self._tar or self._open()
            row["offset"], length = tar.write(sample, without_verdict(row) if self._form.embed_rows else None)
            row["length"] = length
            self.written.bytes_out = tar.offset
        self.rows.add(row)
        return length

    def note(self, sample: Sample, row: Row) -> None:
        self.rows.add({**row, "key": self._unique(sample.key)})

    def finish(self, counts: Counts | None = None) -> None:
        if self._tar is not None:
            self._tar.close()
        self._files.close()
        with committed(table_path(self._folder, self.shard), self._folder) as file:
            self.rows.write(file)
        counts = counts or self.written
        counts.seconds = time.monotonic() - self._opened
        write_json(stats_path(self._folder, self.shard), counts.as_json(), self._folder)

    def abandon(self) -> None:
        self._files.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)

    def _open(self) -> TarWriter:
        path = tar_path(self._folder, self.shard)
        self._tar = NamedTarWriter(self._files.enter_context(committed(path, self._folder)), path)
        return self._tar

    def _as_written(self, sample: Sample) -> Sample:
        """The sample as it stands in this shard. It is told its key and shard, since a step may name it later."""
        key = self._unique(self._number() if self._form.rekey else sample.key)
        stored = sample if key == sample.key else sample.renamed(key)
        sample.key, sample.shard = key, self.shard
        return stored if self._form.only is None else stored.only(self._form.only)

    def _number(self) -> str:
        return f"{self.shard}{self.written.samples_in:0{self._digits}d}"


class RollingStore:
    """As many shards as it takes, with running numbers. `counts` are the job's own, of which each shard's stats
    get their share; without them the stats say what was written."""

    def __init__(
        self,
        folder: AnyPath,
        size: ShardSize,
        counts: Counts | None = None,
        form: ShardForm = ShardForm(),
    ) -> None:
        self._folder = folder
        self._size = size
        self._counts = counts
        self._before = Counts()
        self._form = form
        self._number = 0
        self._shard = self._next()

    def put(self, sample: Sample, row: Row) -> int:
        written = self._shard.written
        if self._size.reached(written.samples_out, written.bytes_out):
            self._commit()
            self._shard = self._next()
        return self._shard.put(sample, row)

    def note(self, sample: Sample, row: Row) -> None:
        self._shard.note(sample, row)

    def finish(self, counts: Counts | None = None) -> None:
        if self._shard.rows:
            self._commit()

    def abandon(self) -> None:
        self._shard.abandon()

    def _commit(self) -> None:
        if self._counts is None:
            self._shard.finish()
            return
        self._shard.finish(self._counts.since(self._before))
        self._before = deepcopy(self._counts)

    def _next(self) -> ShardStore:
        digits = max(4, len(str(self._size.samples - 1)))  # as img2dataset numbers its samples
        shard = ShardStore(self._folder, numbered_shard(self._number), self._form, digits)
        self._number += 1
        return shard
