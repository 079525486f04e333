"""A line of JSON a sample, in data.jsonl beside images/."""

from typing import Any, ClassVar

from vlmkit.exports.export import IMAGES, Example, columns_of
from vlmkit.exports.lines import TextExport
from vlmkit.shards.sample import Sample


class JsonlExport(TextExport):
    """`id`, `image` (a path from the file's folder) or `images` (several), `txt`, then the names of json as they are.
    A name of json that is taken is called `json.NAME`.
    """

    name: ClassVar[str] = "jsonl"
    file_name: ClassVar[str] = "data.jsonl"

    def entry(self, example: Example, sample: Sample) -> dict[str, Any]:
        paths = [f"{IMAGES}/{name}" for name in self.stored(example)]
        known: dict[str, Any] = {} if "id" in example.names else {"id": example.key}
        if paths:
            known |= {"image": paths[0]} if len(paths) == 1 else {"images": paths}
        if example.text is not None:
            known["txt"] = example.text
        called = columns_of(example.names, tuple(known))
        return known | {called[name]: value for name, value in example.names.items()}
