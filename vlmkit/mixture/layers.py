"""Where the samples of one input shard lie, in its own tar and in those that are laid over it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from vlmkit.jobs.inputs import ShardInput
from vlmkit.mixture.places import Array, Places, TableKeys, find_places, table_keys
from vlmkit.shards.keys import UniqueKeys

NOWHERE = -1


@dataclass(frozen=True)
class Layer:
    """For each sample its byte offset and length in one tar, and its row in the table beside; NOWHERE (-1) if it has
    none there. All of shape [samples]."""

    offsets: Array
    lengths: Array
    rows: Array

    def at(self, samples: Array) -> "Layer":
        return Layer(self.offsets[samples], self.lengths[samples], self.rows[samples])

    @classmethod
    def joined(cls, layers: Iterable["Layer"]) -> "Layer":
        parts = list(layers)
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("offsets", "lengths", "rows")))

    @classmethod
    def empty(cls, samples: int) -> "Layer":
        return cls(*(np.full(samples, NOWHERE, kind) for kind in (np.int64, np.int64, np.int32)))


@dataclass(frozen=True)
class ShardLayers:
    """`layers`: the tar's own, then its overlays'. `renamed`: the keys of samples that a repeated key has renamed, by
    number. `dropped`: the samples that an overlay's table leaves out, by reason. `digest`: of all keys and sizes."""

    layers: list[Layer]
    renamed: dict[int, str]
    dropped: Counter[str]
    damage: list[str]
    digest: bytes


def find_layers(shard: ShardInput) -> ShardLayers:
    """Agrees with `read_shard` on which samples there are and what is laid over each. Raises VlmkitError."""
    table = table_keys(shard.path)
    base = find_places(shard.path, table)
    rows = table.row_of
    numbers = np.array([rows.get(key, NOWHERE) for key in base.keys], np.int32)
    layers, damage = [Layer(base.offsets, base.lengths, numbers)], [base.damage]
    reasons: list[str | None] = [None] * len(base.keys)
    for path in shard.overlays:
        above = table_keys(path)
        places = find_places(path, above)
        reasons = _dropped(base.keys, reasons, above)
        layers.append(_laid_over(base.keys, reasons, above, places))
        damage.append(places.damage)
    kept = np.array([reason is None for reason in reasons], bool)
    layers = [layer.at(np.flatnonzero(kept)) for layer in layers]
    return ShardLayers(
        layers,
        _renamed(base.keys, kept, shard.source),
        Counter(reason for reason in reasons if reason is not None),
        [line for line in damage if line],
        _digest([key for key, stays in zip(base.keys, kept, strict=True) if stays], layers),
    )


def _dropped(keys: list[str], reasons: list[str | None], table: TableKeys) -> list[str | None]:
    """Why each sample does not come out, None if it does; the lowest overlay that drops it says it."""
    told = zip(table.keys, table.kept, table.reasons, strict=True)
    dropped = {key: reason or "dropped" for key, kept, reason in told if kept is False}
    return [reason or dropped.get(key) for key, reason in zip(keys, reasons, strict=True)]


def _laid_over(keys: list[str], reasons: list[str | None], table: TableKeys, places: Places) -> Layer:
    """The layer of one overlay. Samples are found as a reader finds them that goes along with the base, also where
    keys repeat."""
    rows, found = table.row_of, Layer.empty(len(keys))
    upper, waiting = iter(enumerate(places.keys)), dict[str, int]()
    for number, (key, reason) in enumerate(zip(keys, reasons, strict=True)):
        if reason is not None:
            continue
        row = found.rows[number] = rows.get(key, NOWHERE)
        if rows and (row == NOWHERE or (table.kept[row] is not None and table.offsets[row] == NOWHERE)):
            continue
        while key not in waiting and (entry := next(upper, None)) is not None:
            waiting[entry[1]] = entry[0]
        if (place := waiting.pop(key, None)) is not None:
            found.offsets[number], found.lengths[number] = places.offsets[place], places.lengths[place]
    return found


def _renamed(keys: list[str], kept: Array, source: str) -> dict[int, str]:
    """The keys that are not as they stand in the tar because they repeat there, by number among the kept."""
    if len(set(keys)) == len(keys):
        return {}
    unique, numbers = UniqueKeys(), np.cumsum(kept) - 1
    wanted = [f"{source}/{key}" if source else key for key in keys]
    names = [unique(name) for name in wanted]
    return {int(numbers[at]): name for at, name in enumerate(names) if kept[at] and name != wanted[at]}


def _digest(keys: list[str], layers: list[Layer]) -> bytes:
    found = sha256("\n".join(keys).encode())
    for layer in layers:
        found.update(layer.lengths.astype("<i8").tobytes())
    return found.digest()
