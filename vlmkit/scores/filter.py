"""The filter: keeps the samples for which all conditions hold, and says of the others which one failed first."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from vlmkit.jobs.step import Dropped, Kept, Outcome, Step, chunks
from vlmkit.scores.columns import Values, resolve
from vlmkit.scores.inputs import Missing
from vlmkit.shards.sample import Sample
from vlmkit.tables.conditions import Condition

_CHUNK_SAMPLES = 1024  # as many as make a condition or a batch worth its start


@dataclass(frozen=True)
class Filter(Step):
    """Conditions are tried in order, each only on the samples that passed those before it, so that a costly score
    is computed only where it decides. `models` says which model a scorer runs, by the scorer's name.
    """

    conditions: tuple[Condition, ...]
    models: Mapping[str, str] = field(default_factory=dict)
    device: str | None = None
    batch_size: int = 64
    values: Values = field(default_factory=lambda: Values({}))
    name = "filter"

    def options(self) -> Mapping[str, Any]:
        scores = [column.name for column in self.values.columns.values() if column.model]
        batch_size = {"batch_size": self.batch_size} if scores else {}
        return {"conditions": [condition.sql for condition in self.conditions], "scores": scores} | batch_size

    def bound(self, columns: frozenset[str]) -> Self:
        names = {name.name for condition in self.conditions for name in condition.names if not name.in_json}
        resolved = {name: resolve(name, columns, self.models) for name in sorted(names)}
        return replace(self, values=Values(resolved, self.device, self.batch_size))

    def processes(self) -> int | None:
        if not any(column.model for column in self.values.columns.values()):
            return None
        from vlmkit.models.devices import process_count

        return process_count(self.device)

    def __call__(self, samples: Iterable[Sample]) -> Iterator[Outcome]:
        self.values.new_shard()
        for chunk in chunks(samples, _CHUNK_SAMPLES):
            outcomes = self._decide(chunk)
            del chunk  # or two of them would be in memory while the next is gathered
            yield from outcomes
            del outcomes

    def _decide(self, chunk: list[Sample]) -> Iterator[Outcome]:
        dropped: dict[int, Dropped] = {}
        for condition in self.conditions:
            alive = [sample for sample in chunk if id(sample) not in dropped] if dropped else chunk
            if alive:
                dropped |= {id(drop.sample): drop for drop in _failures(condition, alive, self.values)}
        if not dropped:
            return map(Kept, chunk)
        return (dropped.get(id(sample)) or Kept(sample) for sample in chunk)


def _failures(condition: Condition, samples: list[Sample], values: Values) -> Iterator[Dropped]:
    """How the samples for which the condition does not hold are dropped. A value that is missing fails by its name."""
    found = {name: values.of(name, samples) for name in condition.names}
    known = {name: [None if isinstance(v, Missing) else v for v in column] for name, column in found.items()}
    answers = condition.answers(known)
    for place in (place for place, holds in enumerate(answers) if not holds):
        missing = next((column[place] for column in found.values() if isinstance(column[place], Missing)), None)
        if answers[place] is None and missing is not None:
            yield missing.dropped(samples[place])
        else:
            yield Dropped(samples[place], condition.sql)
