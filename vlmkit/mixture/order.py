"""The order of the samples inside one source: shuffled, and still read in runs."""

import hashlib
from functools import lru_cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_BLOCK = 256  # samples that lie one behind the other in a shard
_POOL = 16  # blocks, from anywhere, whose samples are shuffled together


class SourceOrder:
    """An endless sequence over the samples of a source: all of them, then all again in another order, and so on.

    A pass takes the source's blocks in random order and shuffles the samples of 16 at a time (CorgiPile; Xu et al.,
    2022), so what is in use at a time is a few runs of a few shards. Nothing is drawn: an order sorts the hashes of
    numbers and seed, so any place can be asked for, on any machine, with any version of numpy.
    """

    def __init__(self, runs: list[int], seed: str) -> None:
        """`runs`: the number of samples of each shard; together more than 0."""
        starts = np.concatenate([np.arange(0, run, _BLOCK) for run in runs])
        blocks = [-(-run // _BLOCK) for run in runs]
        self._block_starts = starts + np.repeat(np.cumsum([0, *runs[:-1]]), blocks)
        self._block_ends = self._block_starts + np.minimum(np.repeat(runs, blocks) - starts, _BLOCK)
        self._samples = sum(runs)
        self._seed = seed
        self._forget()

    def place(self, taken: int) -> tuple[int, int]:
        """The sample that comes after `taken` others, and how often it has come before."""
        repeat, within = divmod(taken, self._samples)
        _, ends = self._passed(repeat)
        pool = int(np.searchsorted(ends, within, side="right"))
        shuffled = self._pooled(repeat, pool)
        return int(shuffled[within - (ends[pool - 1] if pool else 0)]), repeat

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_passed", "_pooled")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def _forget(self) -> None:
        self._passed = lru_cache(maxsize=2)(self._pass)
        self._pooled = lru_cache(maxsize=4)(self._pool)

    def _pass(self, repeat: int) -> tuple[Array, Array]:
        """[blocks] the blocks in the order of a pass, and [pools] the samples up to the end of each pool."""
        order = shuffled(len(self._block_starts), f"{self._seed} {repeat}")
        sizes = (self._block_ends - self._block_starts)[order]
        return order, np.cumsum(np.add.reduceat(sizes, np.arange(0, len(order), _POOL)))

    def _pool(self, repeat: int, pool: int) -> Array:
        """[samples of the pool] in their order."""
        blocks = self._passed(repeat)[0][pool * _POOL : (pool + 1) * _POOL]
        samples = np.concatenate([np.arange(self._block_starts[b], self._block_ends[b]) for b in blocks])
        return np.asarray(samples[shuffled(len(samples), f"{self._seed} {repeat} {pool}")])


def shuffled(length: int, seed: str) -> Array:
    """[length]: the numbers below `length` in an order that the seed decides, sorted by SplitMix64's hashes of them
    (Steele, Lea and Flood, 2014)."""
    state = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big")
    value = (np.arange(1, length + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)) + np.uint64(state)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.argsort(value ^ (value >> np.uint64(31)))
