"""Where the values of a condition's names come from: rows that have them, scorers, `json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vlmkit.scores.inputs import Missing
from vlmkit.scores.scorer import ModelScorer, Scorer, find_scorer
from vlmkit.shards.sample import Sample
from vlmkit.tables.conditions import Name, pick_column
from vlmkit.tables.rows import FIXED, as_stored

_NOWHERE = object()


@dataclass(frozen=True)
class Column:
    """The row column that a name means; `scorer` computes it where a row lacks it, by `model` if it runs one."""

    name: str
    scorer: Scorer | None = None
    model: str | None = None


def resolve(name: str, carried: frozenset[str], models: Mapping[str, str]) -> Column:
    """What `name` means for an input whose rows carry these columns. A model that was asked for goes first, then a
    column that is there, then the scorer's default model. Raises VlmkitError if two columns match."""
    scorer = find_scorer(name)
    if scorer is not None and scorer.model is None:
        return Column(name, scorer)
    if name not in models and (column := pick_column(name, carried)):
        return Column(column)
    if scorer is None or scorer.model is None:
        return Column(name)
    from vlmkit.models.names import ModelName

    model = ModelName.parse(models.get(name, scorer.model))
    return Column(f"{name}:{model.column()}", scorer, str(model))


@dataclass
class Values:
    """Looks up, or computes and puts into the rows, the values of names."""

    columns: Mapping[str, Column]
    device: str | None = None
    batch_size: int = 64
    _running: dict[str, ModelScorer] = field(default_factory=dict, repr=False)

    def new_shard(self) -> None:
        for scorer in self._running.values():
            scorer.new_shard()

    def of(self, name: Name, samples: Sequence[Sample]) -> list[Any | Missing]:
        """The value of `name` for each sample, or why there is none."""
        if name.in_json:
            return [_json_value(sample, name.name) for sample in samples]
        if name.name == "key":
            return [sample.key for sample in samples]
        column = self.columns[name.name]
        missing = self._score(column, [sample for sample in samples if column.name not in sample.row])
        found = [sample.row.get(column.name, _NOWHERE) for sample in samples]
        if _NOWHERE not in found:
            return found
        return [
            missing.get(id(sample)) or _json_value(sample, name.name) if value is _NOWHERE else value
            for sample, value in zip(samples, found, strict=True)
        ]

    def _score(self, column: Column, samples: list[Sample]) -> dict[int, Missing]:
        """Scores samples into their rows; returns why some have no score, by the samples' identity."""
        if column.scorer is None or not samples:
            return {}
        values = self._scorer(column)(samples) if column.model else [column.scorer.score(s) for s in samples]
        missing = {}
        for sample, value in zip(samples, values, strict=True):
            if isinstance(value, Missing):
                missing[id(sample)] = value
            elif (stored := value if column.name in FIXED else as_stored(value)) is not None:
                sample.row[column.name] = stored  # as the table will hold it: decisions agree with what is stored
        return missing

    def _scorer(self, column: Column) -> ModelScorer:
        if column.name not in self._running:
            assert column.scorer is not None
            self._running[column.name] = column.scorer.function(column.model, self.device, self.batch_size)
        return self._running[column.name]


def _json_value(sample: Sample, name: str) -> Any | Missing:
    try:
        value = sample.json.get(name)
    except ValueError as error:
        return Missing("unreadable json", bad=True, error=str(error))
    return Missing(f"no {name}") if value is None or value != value else value  # NaN is no value
