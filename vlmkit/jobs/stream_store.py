"""Stores samples as one tar stream, rows inside: on standard output, or in a file that is a stream under a name."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from vlmkit.errors import VlmkitError
from vlmkit.jobs.counts import Counts
from vlmkit.jobs.shard_store import SAMPLES_PER_SHARD, Wanted
from vlmkit.shards.dataset import committed
from vlmkit.shards.disk import NamedTarWriter
from vlmkit.shards.keys import UniqueKeys
from vlmkit.shards.locations import STREAM
from vlmkit.shards.paths import path_at
from vlmkit.shards.reader import STREAM_BEGIN, STREAM_END
from vlmkit.shards.sample import Row, Sample, dump_json
from vlmkit.tables.rows import without_verdict


class StreamStore:
    """Says `history` (the manifests so far, this command's last) in the stream's first member and, once all has gone
    well, the same with all counts in its last: a reader that misses the last knows that this command has died.
    With `verdicts` (for rejects) rows also say why a sample was dropped; with `rekey` the running number is the key.
    """

    def __init__(
        self,
        file: BinaryIO,
        history: list[dict[str, Any]],
        only: Wanted | None = None,
        verdicts: bool = False,
        rekey: bool = False,
    ) -> None:
        self._tar = NamedTarWriter(file, "standard output" if file is sys.stdout.buffer else file.name)
        self._history = history
        self._only = only
        self._verdicts = verdicts
        self._rekey = rekey
        self._written = Counts()
        self._unique = UniqueKeys()
        self._last_key = ""
        self._tar.add(STREAM_BEGIN, dump_json({"history": history}))

    def put(self, sample: Sample, row: Row) -> int:
        sample = self._apart(sample)
        stored = sample if self._only is None else sample.only(self._only)
        self._written.samples_in += 1
        self._written.samples_out += 1
        return self._tar.write(stored, self._carried(sample.key, row) or None)[1]

    def note(self, sample: Sample, row: Row) -> None:
        """A stream has no place for the rows of dropped samples: their counts travel in its last member."""

    def finish(self, counts: Counts | None = None) -> None:
        counts = counts or self._written
        *before, own = self._history
        history = [*before, *counts.earlier, {**own, "counts": counts.without_times()}]
        self._tar.add(STREAM_END, dump_json({"history": history}))
        self._tar.close()

    def abandon(self) -> None:
        """Without its last member the stream is seen to be broken."""

    def _carried(self, key: str, row: Row) -> Row:
        """Where the sample lay in a folder means nothing here."""
        if not self._verdicts:
            return without_verdict(row)
        return {name: value for name, value in row.items() if name not in ("offset", "length")} | {"key": key}

    def _apart(self, sample: Sample) -> Sample:
        """Equal keys must not meet in a stream. As many are remembered as a shard would hold."""
        wanted = f"{self._written.samples_in:09d}" if self._rekey else sample.key
        if len(self._unique) >= SAMPLES_PER_SHARD:
            self._unique = UniqueKeys()
            self._unique(self._last_key)
        key = self._last_key = self._unique(wanted)
        stored = sample if key == sample.key else sample.renamed(key)
        sample.key, sample.shard = key, STREAM
        return stored


@contextmanager
def stream_target(target: str) -> Iterator[BinaryIO]:
    """Standard output, or a tar that appears under its name when it is whole."""
    if target != STREAM:
        with committed(path_at(target)) as file:
            yield file
    elif sys.stdout.isatty():
        raise VlmkitError("a tar is not written to a terminal", "pipe it into a command, or name a folder or x.tar")
    else:
        yield sys.stdout.buffer
