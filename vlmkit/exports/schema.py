"""What the samples of a dataset have in common: how many pictures, which fields, which names in json of which types."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vlmkit.errors import VlmkitError
from vlmkit.exports.values import MOST_NAMES, ObjectOf, Seen
from vlmkit.shards.sample import Sample
from vlmkit.sources.outcomes import NoSample, parse_object


@dataclass
class Schema:
    """Of the samples that `see` was shown. `fields` counts members other than pictures, under their names."""

    samples: int = 0
    most_pictures: int = 0
    fields: Counter[str] = field(default_factory=Counter)
    json: Seen = field(default_factory=Seen)

    def see(self, sample: Sample, names: Mapping[str, Any]) -> None:
        """`names` are those of the sample's json, and whatever else is to stand among them."""
        pictures = sample.images
        self.samples += 1
        self.most_pictures = max(self.most_pictures, len(pictures))
        self.fields.update(member.field for member in sample.members if member not in pictures)
        self.json.see(names)

    @property
    def names(self) -> ObjectOf:
        """The type of json. Raises VlmkitError if its names are data themselves."""
        kind = self.json.type_at("")
        if kind is None:
            return ObjectOf({})
        if not isinstance(kind, ObjectOf):
            hint = "--only image,txt leaves json out"
            raise VlmkitError(f"json has more than {MOST_NAMES} different names: no set of columns", hint)
        return kind

    def in_all(self, name: str) -> bool:
        return self.fields[name] == self.samples


def json_of(sample: Sample) -> dict[str, Any]:
    """What the `json` member says, NaN as null; {} without one. Raises NoSample."""
    return parse_object(bytes(sample["json"])) if "json" in sample.fields else {}


def text_of(sample: Sample) -> str | None:
    """The `txt` member. Raises NoSample if it is not UTF-8."""
    try:
        return str(sample["txt"], "utf-8") if "txt" in sample.fields else None
    except UnicodeDecodeError as error:
        raise NoSample("unreadable text", str(error), bad=True) from error
