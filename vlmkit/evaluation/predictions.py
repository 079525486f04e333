"""Reads predictions, as eval writes them, without their pictures."""

from dataclasses import dataclass
from typing import Any

from vlmkit.errors import VlmkitError
from vlmkit.jobs.counts import Counts
from vlmkit.jobs.inputs import read_shard, shard_inputs
from vlmkit.jobs.plan import existing_plan
from vlmkit.jobs.step import Dropped
from vlmkit.shards.locations import Location, locate
from vlmkit.shards.sample import Sample

GROUPS = ("bench", "task", "source", "skill")

_HINT = "vlmkit eval MODEL BENCH OUT makes predictions: samples whose json says prediction, metric and correct"


@dataclass(frozen=True)
class Marked:
    """One answered question. `picture` is what its interval is clustered by: the image_id, or the sample itself
    without one. `groups` holds those of GROUPS that it belongs to.
    """

    shard: str
    key: str
    prediction: str
    metric: str
    correct: float
    answers: tuple[str, ...]
    picture: str
    groups: dict[str, str]

    @property
    def place(self) -> str:
        return f"{self.shard}/{self.key}"


def read_predictions(text: str) -> list[Marked]:
    """All answered questions of one location, in order. Raises VlmkitError if it holds none."""
    locations = locate([text])
    benches = {name: bench for location in locations for name, bench in _benches(location).items()}
    found = [
        _marked(item, benches.get(item.shard, ""), text)
        for shard in shard_inputs(locations)
        for item in read_shard(shard, Counts())
        if not isinstance(item, Dropped)
    ]
    if not found:
        raise VlmkitError(f"{text} holds no predictions", _HINT)
    return found


def _benches(location: Location) -> dict[str, str]:
    """Which benchmark each shard comes from, if eval was given several."""
    plan = existing_plan(location.folder) if location.folder else None
    return {shard.name: shard.source for shard in plan.shards} if plan and plan.command == "eval" else {}


def _marked(sample: Sample, bench: str, text: str) -> Marked:
    meta = _meta(sample, text)
    correct, prediction = meta.get("correct"), meta.get("prediction")
    if not isinstance(prediction, str) or not isinstance(correct, int | float) or not 0 <= correct <= 1:
        raise VlmkitError(f"{text} holds no predictions: {sample.shard}/{sample.key} has no prediction and mark", _HINT)
    answers = meta.get("answer")
    groups = {"bench": bench} | {name: sample.row.get(name) or meta.get(name) for name in GROUPS[1:]}
    return Marked(
        sample.shard,
        sample.key,
        prediction,
        str(meta.get("metric")),
        float(correct),
        tuple(answers) if isinstance(answers, list) else (),
        str(meta.get("image_id") or f"{sample.shard}/{sample.key}"),
        {name: str(value) for name, value in groups.items() if value},
    )


def _meta(sample: Sample, text: str) -> dict[str, Any]:
    try:
        return sample.json
    except ValueError as error:
        raise VlmkitError(f"{text}: {sample.shard}/{sample.key}: {error}", _HINT) from error
