"""Why a sample can't be had: raised while it is put together, caught where the outcome is made."""

import json
from collections.abc import Mapping
from typing import Any

from vlmkit.jobs.step import Dropped
from vlmkit.shards.sample import new_sample


class NoSample(Exception):
    """The reason that the sample is counted under, the details, and whether its bytes are at fault."""

    def __init__(self, reason: str, error: str = "", bad: bool = False) -> None:
        super().__init__(reason, error, bad)
        self.reason = reason
        self.error = error
        self.bad = bad

    def dropped(self, key: str, fields: Mapping[str, bytes]) -> Dropped:
        """The outcome, with the raw members that could be had before it failed."""
        sample = new_sample(key, fields)
        if self.error:
            sample.row["error"] = self.error
        return Dropped(sample, self.reason, self.bad)


def parse_json(data: bytes | str) -> Any:
    """JSON, with NaN and infinities as null. Raises NoSample."""
    try:
        return json.loads(data, parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        raise NoSample("unreadable json", str(error), bad=True) from error


def parse_object(data: bytes | str) -> dict[str, Any]:
    """A JSON object. Raises NoSample if it is anything else."""
    return checked_object(parse_json(data))


def checked_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NoSample("unreadable json", f"a {type(value).__name__} where an object should be", bad=True)
    return value
