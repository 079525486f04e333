"""--uniform: one image format and one set of fields, for readers that expect the first samples to show all there is.

Hugging Face's webdataset loader takes fields and types from the first five samples: it refuses fields that differ
among them, drops names of json that appear later without a word, and rounds a later 2.5 to 2 where it has seen whole
numbers (datasets 5.2, packaged_modules/webdataset). So here every sample has every field and every name of json, each
name of one type; what has no value gets a neutral one of its type, never null and never an empty list.
"""

import hashlib
from collections import defaultdict
from typing import Any

from vlmkit.exports.formats import as_format
from vlmkit.exports.reading import Look
from vlmkit.exports.schema import Schema, json_of, text_of
from vlmkit.exports.values import ObjectOf
from vlmkit.jobs.counts import Counts
from vlmkit.jobs.step import Dropped, Kept, Outcome
from vlmkit.shards.sample import Sample, dump_json, new_sample
from vlmkit.sources.outcomes import NoSample
from vlmkit.sources.pictures import Picture, picture_fields


class Uniform:
    """Shown every sample by its first pass, it then makes each like the others.

    All have as many pictures as most samples that have any; a sample with another number of them is dropped. `txt` is
    there, maybe empty, if any sample has one; so is `json`. Of other fields those stay that every sample has.
    """

    def __init__(self, image_format: str) -> None:
        self._format = image_format
        self._schemas: dict[int, Schema] = defaultdict(Schema)  # by the number of pictures
        self._settled: tuple[int, Schema, ObjectOf] | None = None

    def first_pass(self) -> Look:
        return self._look

    def _look(self, sample: Sample) -> None:
        try:
            text_of(sample)
            names = json_of(sample)
        except NoSample:  # it will be dropped
            return
        self._schemas[len(sample.images)].see(sample, names)

    def __call__(self, sample: Sample, counts: Counts) -> Outcome:
        try:
            return Kept(self._made(sample, counts))
        except NoSample as why:
            sample.row["error"] = why.error
            return Dropped(sample, why.reason, why.bad)

    def _made(self, sample: Sample, counts: Counts) -> Sample:
        pictures, schema, kind = self._common()
        text, names = text_of(sample), json_of(sample)
        found = [bytes(member.data) for member in sample.images]
        if len(found) != pictures:
            raise NoSample(f"pictures = {pictures}", f"it has {len(found)}")
        made = [as_format(data, self._format) for data in found]
        again = sum(new.data != old for new, old in zip(made, found, strict=True))
        if again:
            counts.notes[f"pictures encoded anew as {self._format}"] += again
        fields = picture_fields(made)
        if schema.fields["txt"]:
            fields["txt"] = (text or "").encode()
        row = {**sample.row, **(_stored(made, sample.row) if again else {})}
        if kind.names:
            told = {**names, **(_stored(made, names) if again else {})}
            fields["json"] = dump_json(kind.fit(told, True, counts.notes))
        fields |= self._others(sample, fields, counts)
        new = new_sample(sample.key, fields, sample.shard)
        new.row = row
        return new

    def _common(self) -> tuple[int, Schema, ObjectOf]:
        """How many pictures the samples have, and what else those samples have."""
        if self._settled is None:
            most = max(self._schemas, key=lambda pictures: (pictures > 0, self._schemas[pictures].samples), default=0)
            self._settled = most, self._schemas[most], self._schemas[most].names
        return self._settled

    def _others(self, sample: Sample, taken: dict[str, bytes], counts: Counts) -> dict[str, bytes]:
        _, schema, _ = self._common()
        pictures, others = sample.images, {}
        for member in sorted(sample.members, key=lambda member: member.field):
            if member in pictures or member.field in ("txt", "json"):
                continue
            if schema.in_all(member.field) and member.field not in taken:
                others[member.field] = bytes(member.data)
            else:
                counts.notes[f"members left out, since not every sample has one: {member.field}"] += 1
        return others


def _stored(pictures: list[Picture], told: dict[str, Any]) -> dict[str, Any]:
    """Of what is said of the stored image, that which is no longer true once it is encoded anew."""
    said: dict[str, Any] = {"image_id": hashlib.sha256(b"".join(picture.data for picture in pictures)).hexdigest()}
    if len(pictures) == 1:
        said |= {"width": pictures[0].width, "height": pictures[0].height}
    return {name: value for name, value in said.items() if name in told}
