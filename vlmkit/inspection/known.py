"""How many samples a dataset has, from what lies beside its tars: nothing is scanned."""

import ast
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vlmkit.errors import VlmkitError
from vlmkit.jobs.counts import Counts
from vlmkit.jobs.report.stages import Stage
from vlmkit.shards.dataset import committed_shards, manifest_path, read_json, stats_path
from vlmkit.shards.locations import Location, shard_name
from vlmkit.shards.paths import AnyPath, path_at
from vlmkit.shards.store import for_all

_YAML_COUNT = re.compile(r"\s+[\"']?(.+?)[\"']?:\s*(\d+)\s*")


@dataclass(frozen=True)
class Known:
    """`source` names the file that tells, `last` the command that made the dataset, with what came in and why some
    of it did not come out, and `seconds` the time it took; None if that is not told."""

    samples: int
    source: str
    last: Stage | None = None
    seconds: float | None = None
    notes: tuple[str, ...] = ()


def known_counts(location: Location) -> Known | None:
    """The number of samples, from the first of the sidecars that has it: vlmkit's manifest, vlmkit's or img2dataset's
    stats of every shard, open_clip's sizes.json or __len__, Energon's index. None if there is none, and for streams
    and tars with others laid over them. Raises VlmkitError for a sidecar that makes no sense."""
    if location.overlays or location.is_stream:
        return None
    sources = (_manifest, _shard_stats, _sizes, _length, _energon)
    try:
        return next((known for source in sources if (known := source(location))), None)
    except (ValueError, KeyError, TypeError, AttributeError, SyntaxError) as error:
        what = f"what lies beside the shards of {location.text} can't be understood ({error!r})"
        raise VlmkitError(what, "--scan reads the tars instead; vlmkit check says what is wrong") from error


def count_notes(counts: Counts) -> tuple[str, ...]:
    """What counts tell beside numbers and reasons."""
    bad = [f"{counts.bad:,} samples could not be read or decoded"] if counts.bad else []
    return (*counts.damage, *bad, *(f"{number:,} {what}" for what, number in counts.notes.items()))


def _manifest(location: Location) -> Known | None:
    manifest = read_json(manifest_path(location.folder)) if location.folder else None
    if manifest is None:
        return None
    counts = Counts.from_json(manifest["counts"])
    return Known(counts.samples_out, "manifest.json", Stage.told(manifest), manifest["seconds"], count_notes(counts))


def _shard_stats(location: Location) -> Known | None:
    """For a folder also the shards that have no tar, since they keep nothing."""
    places = {(str(path_at(shard.path).parent), shard_name(shard.path)) for shard in location.shards}
    if folder := location.folder:
        places |= {(str(folder), name) for name in committed_shards(folder)}
    stats = for_all(lambda place: read_json(stats_path(path_at(place[0]), place[1])), sorted(places))
    found = [value for value in stats if value is not None]
    if not found or len(found) < len(stats):
        return None
    if all("samples_out" in value for value in found):
        return _summed("vlmkit", [Counts.from_json(value) for value in found])
    if all("successes" in value for value in found):
        return _summed("img2dataset", [_img2dataset(value) for value in found])
    return None


def _summed(command: str, stats: list[Counts]) -> Known:
    counts = Counts.total(stats)
    last = Stage(command, "", counts.samples_in, counts.samples_out, counts.reasons)
    return Known(counts.samples_out, "*_stats.json", last, round(counts.seconds, 3), count_notes(counts))


def _img2dataset(stats: Mapping[str, Any]) -> Counts:
    reasons = Counter({reason: n for reason, n in (stats.get("status_dict") or {}).items() if reason != "success"})
    seconds = float(stats.get("duration") or 0)
    return Counts(int(stats.get("count") or 0), int(stats["successes"]), reasons=reasons, seconds=seconds)


def _sizes(location: Location) -> Known | None:
    """open_clip: the number of samples of each tar, by its base name."""
    for folder in _folders(location):
        sizes = read_json(folder / "sizes.json") or {}
        names = [path_at(shard.path).name for shard in location.shards]
        if names and all(name in sizes for name in names):
            return Known(sum(int(sizes[name]) for name in names), "sizes.json")
    return None


def _length(location: Location) -> Known | None:
    """open_clip: one number for the whole folder."""
    path = location.folder / "__len__" if location.folder else None
    if path is None or not path.is_file():
        return None
    return Known(int(ast.literal_eval(path.read_text())), "__len__")


def _energon(location: Location) -> Known | None:
    """Megatron-Energon: `shard_counts` by the tar's path below the dataset's folder, as JSON or, formerly, YAML."""
    for folder in (folder for start in _folders(location) for folder in (start, start.parent, start.parent.parent)):
        for name in (".info.json", ".info.yaml"):
            path = folder / ".nv-meta" / name
            counts = dict(_shard_counts(path)) if path.is_file() else {}
            tars = [shard.path.removeprefix(f"{folder}/") for shard in location.shards] if counts else []
            if tars and all(tar in counts for tar in tars):
                return Known(sum(counts[tar] for tar in tars), f".nv-meta/{name}")
    return None


def _shard_counts(path: AnyPath) -> Iterable[tuple[str, int]]:
    if path.suffix == ".json":
        return json.loads(path.read_text()).get("shard_counts", {}).items()  # type: ignore[no-any-return]
    return _yaml_counts(path.read_text().splitlines())


def _yaml_counts(lines: list[str]) -> Iterator[tuple[str, int]]:
    """The flat mapping `shard_counts` of a YAML file, which needs no YAML library."""
    inside = False
    for line in lines:
        if not line.startswith((" ", "\t")):
            inside = line.startswith("shard_counts:")
        elif inside and (match := _YAML_COUNT.fullmatch(line)):
            yield match[1], int(match[2])


def _folders(location: Location) -> list[AnyPath]:
    """The folder of the tars, if they are all in one."""
    folders = {path_at(shard.path).parent for shard in location.shards}
    return list(folders) if len(folders) == 1 else []
