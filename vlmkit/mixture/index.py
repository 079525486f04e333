"""Random access to the samples of a location: what is known of each is where it lies."""

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from io import BytesIO
from typing import Any

import numpy as np

from vlmkit.errors import VlmkitError
from vlmkit.jobs.counts import Counts
from vlmkit.jobs.inputs import joined, read_shard, shard_inputs
from vlmkit.jobs.step import Dropped
from vlmkit.mixture.layers import Layer, ShardLayers, find_layers
from vlmkit.mixture.open_files import OpenTar, ScoreTable
from vlmkit.shards.locations import STREAM, Location, locate
from vlmkit.shards.reader import ShardReader
from vlmkit.shards.sample import Row, Sample
from vlmkit.tables.rows import without_verdict

_OPEN = 16  # tars, and as many tables, that are kept open at a time
_OPEN_TO_JUMP = 256  # tars
_COMPRESSED = (".gz", ".tgz", ".zst")


class SampleIndex:
    """The samples that reading a location from its beginning gives, in that order, each by its number.

    `runs`: how many each shard has. `digest`: of all keys and sizes. `damage` tells of tars that break off; `dropped`
    counts, by reason, what overlays leave out. 20 bytes a sample and layer are kept, nothing of the data. Threads may
    share it; a copy that is pickled into another process opens its own files.

    Who `jumps` to another shard at every sample has more tars open, and the scores of all tables in memory.
    Raises VlmkitError for what can't be read at random: streams and compressed tars.
    """

    def __init__(self, location: str | list[Location], jumps: bool = False) -> None:
        locations = locate([location]) if isinstance(location, str) else location
        _check_plain(locations)
        self._jumps = jumps
        self.source = "-".join(found.source for found in locations)
        self._shards = shard_inputs(locations)
        found = [find_layers(shard) for shard in self._shards]
        self.runs = [len(shard.layers[0].offsets) for shard in found]
        self.damage = [line for shard in found for line in shard.damage]
        self.dropped = sum((shard.dropped for shard in found), Counter[str]())
        self.digest = sha256(b"".join(shard.digest for shard in found)).hexdigest()
        self._ends = np.cumsum(self.runs, dtype=np.int64)
        self._layers = _all_layers(found, self.runs)
        begins = self._ends - self.runs
        self._renamed = {int(b) + n: key for b, s in zip(begins, found, strict=True) for n, key in s.renamed.items()}
        self._open()

    def __len__(self) -> int:
        return sum(self.runs)

    def __getitem__(self, number: int) -> Sample:
        """Raises IndexError beyond the last; VlmkitError if the tar is not the one that was indexed."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        shard = self._shards[int(np.searchsorted(self._ends, number, side="right"))]
        sample = self._read(shard.path, self._layers[0], number)
        for path, layer in zip(shard.overlays, self._layers[1:], strict=False):
            if layer.offsets[number] >= 0:
                sample = joined(sample, self._read(path, layer, number), {})
            else:
                sample = joined(sample, None, self._row(path, layer, number))
        key = self._renamed.get(number, f"{shard.source}/{sample.key}" if shard.source else sample.key)
        sample = sample if key == sample.key else sample.renamed(key)
        sample.shard = shard.name
        return sample

    def size_bytes(self, number: int) -> int:
        """Of the sample and what is laid over it, as they lie in their tars; nothing is read."""
        return sum(max(int(layer.lengths[number]), 0) for layer in self._layers)

    def dropped_samples(self) -> Iterator[Dropped]:
        """What overlays leave out, with its reasons; the shards that have overlays are read for it."""
        for shard in self._shards if self.dropped else ():
            if shard.overlays:
                yield from (item for item in read_shard(shard, Counts()) if isinstance(item, Dropped))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_tar", "_table")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def _open(self) -> None:
        self._tar = lru_cache(maxsize=_OPEN_TO_JUMP if self._jumps else _OPEN)(OpenTar)
        self._table = lru_cache(maxsize=None if self._jumps else _OPEN)(ScoreTable)

    def _read(self, path: str, layer: Layer, number: int) -> Sample:
        """What one layer has of a sample, with its row."""
        offset, length = int(layer.offsets[number]), int(layer.lengths[number])
        found = list(ShardReader(BytesIO(self._tar(path).read(offset, length)), path))
        if len(found) != 1:
            hint = "run the command again, and leave the data alone while it works"
            raise VlmkitError(f"{path} is not the tar that it was: no sample at byte {offset}", hint)
        found[0].row = without_verdict(found[0].row or self._row(path, layer, number))
        return found[0]

    def _row(self, path: str, layer: Layer, number: int) -> Row:
        row = int(layer.rows[number])
        return {} if row < 0 else self._table(path)[row]


def _all_layers(shards: list[ShardLayers], runs: list[int]) -> list[Layer]:
    """The layers of all shards one behind the other; a shard that has fewer than others has nothing there."""
    depth = max((len(shard.layers) for shard in shards), default=0)
    return [
        Layer.joined(
            shard.layers[level] if level < len(shard.layers) else Layer.empty(run)
            for shard, run in zip(shards, runs, strict=True)
        )
        for level in range(depth)
    ]


def can_be_indexed(locations: list[Location]) -> bool:
    """Whether all that lies there can be read at random."""
    parts = [part for location in locations for part in (location, *location.overlays)]
    return not any(shard.path == STREAM or shard.path.endswith(_COMPRESSED) for part in parts for shard in part.shards)


def _check_plain(locations: list[Location]) -> None:
    for location in locations:
        if not can_be_indexed([location]):
            what = f"{location.text}: samples are read in another order, which needs plain tars, no stream"
            raise VlmkitError(what, "write them to a folder first: vlmkit cat INPUT FOLDER")
