"""Parquet as Hugging Face writes it: `load_dataset("parquet", data_files="out/*.parquet")` decodes the pictures."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from vlmkit.exports.export import Example, Export, columns_of
from vlmkit.exports.image_folder import safe_path, with_suffix
from vlmkit.exports.reading import Look
from vlmkit.exports.schema import Schema, text_of
from vlmkit.exports.values import ListOf, ObjectOf, Scalar, Type
from vlmkit.jobs.shard_store import ShardSize
from vlmkit.shards.sample import Sample
from vlmkit.sources.outcomes import NoSample

_GROUP_BYTES = 64 << 20  # a row group is held in memory, here and by whoever reads it
_GROUP_ROWS = 1000
_KEY = "__key__"  # not `key`, by which vlmkit knows a row table
_IMAGE = pa.struct({"bytes": pa.binary(), "path": pa.string()})
_ARROW = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "string": pa.string()}
_HUGGING_FACE = {"bool": "bool", "int": "int64", "float": "float64", "string": "string"}


class ParquetExport(Export):
    """`__key__`; `image`, or `images` if any sample has several; `txt`; the names of json as typed columns, null where
    a sample has none; other members as bytes. Files are train-00000-of-0000N.parquet, each with as many samples as a
    new shard would have.
    """

    name: ClassVar[str] = "parquet"

    def __init__(self, folder: Path, size: ShardSize, embed_rows: bool = False, rekey: bool = False) -> None:
        super().__init__(folder, embed_rows, rekey)
        self._size = size
        self._seen = Schema()
        self._columns: _Columns | None = None
        self._file: pq.ParquetWriter | None = None
        self._files = 0
        self._rows: list[dict[str, Any]] = []
        self._rows_bytes = self._in_file = self._file_bytes = 0

    def first_pass(self) -> Look:
        return self._look

    def _look(self, sample: Sample) -> None:
        try:
            text_of(sample)
            self._seen.see(sample, self.names_of(sample, sample.row))
        except NoSample:  # it will be dropped
            return

    def left_out(self, sample: Sample) -> list[str]:
        return []

    def write(self, example: Example, sample: Sample) -> int:
        self._columns = self._columns or _Columns(self._seen)
        size_bytes = sum(len(member.data) for member in sample.members)
        self._rows.append(self._columns.row(example, sample))
        self._rows_bytes += size_bytes
        self._in_file += 1
        self._file_bytes += size_bytes
        full = self._size.reached(self._in_file, self._file_bytes)
        if full or len(self._rows) >= _GROUP_ROWS or self._rows_bytes >= _GROUP_BYTES:
            self._flush()
        if full:
            self._end_file()
        return size_bytes

    def close(self) -> None:
        self._columns = self._columns or _Columns(self._seen)
        if self._rows or not self._files:
            self._flush()
        self._end_file()
        for number, path in enumerate(sorted(self.room.iterdir())):
            path.rename(self.room / f"train-{number:05d}-of-{self._files:05d}.parquet")

    def abandon(self) -> None:
        self._end_file()
        super().abandon()

    def _flush(self) -> None:
        assert self._columns is not None
        schema = self._columns.schema
        if self._file is None:
            self._file = pq.ParquetWriter(self.room / f"{self._files:08d}", schema, compression="zstd")
            self._files += 1
        self._file.write_table(pa.Table.from_pylist(self._rows, schema), row_group_size=_GROUP_ROWS)
        self._rows, self._rows_bytes = [], 0

    def _end_file(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._in_file, self._file_bytes = None, 0, 0


class _Columns:
    """The columns that a dataset needs, and its samples as rows of them."""

    def __init__(self, seen: Schema) -> None:
        self._image = "images" if seen.most_pictures > 1 else "image" if seen.most_pictures else ""
        self._others = tuple(sorted(field for field in seen.fields if field not in ("txt", "json")))
        fixed = [_KEY, *filter(None, [self._image]), *(["txt"] if seen.fields["txt"] else []), *self._others]
        self._names = seen.names
        self._called = columns_of(self._names.names, tuple(fixed))
        self._fixed = tuple(fixed)

    @property
    def schema(self) -> pa.Schema:
        fields = [pa.field(name, self._fixed_type(name)) for name in self._fixed]
        fields += [pa.field(self._called[name], _arrow(kind)) for name, kind in self._names.names.items()]
        features = {field.name: self._feature(field.name) for field in fields}
        said = json.dumps({"info": {"features": features}})
        return pa.schema(fields, metadata={"huggingface": said})

    def row(self, example: Example, sample: Sample) -> dict[str, Any]:
        fitted = ObjectOf(self._names.names).fit(example.names, False, Counter())
        row = {self._called[name]: value for name, value in fitted.items()}
        row |= {name: bytes(sample[name]) for name in self._others if name in sample.fields}
        pictures = list(_pictures(example))
        if self._image:
            row[self._image] = pictures if self._image == "images" else pictures[0] if pictures else None
        return row | {_KEY: example.key} | ({"txt": example.text} if "txt" in self._fixed else {})

    def _fixed_type(self, name: str) -> Any:
        if name in (_KEY, "txt"):
            return pa.string()
        return pa.binary() if name != self._image else pa.list_(_IMAGE) if name == "images" else _IMAGE

    def _feature(self, column: str) -> Any:
        if column == self._image:
            image = {"_type": "Image"}
            return [image] if column == "images" else image
        if column in self._fixed:
            return {"dtype": "string" if column in (_KEY, "txt") else "binary", "_type": "Value"}
        return _hugging_face(next(kind for name, kind in self._names.names.items() if self._called[name] == column))


def _pictures(example: Example) -> Iterator[dict[str, Any]]:
    several = len(example.pictures) > 1
    for number, picture in enumerate(example.pictures):
        name = safe_path(f"{example.key}.{number}" if several else example.key)
        yield {"bytes": picture.data, "path": with_suffix(name, picture.field)}


def _arrow(kind: Type) -> Any:
    if isinstance(kind, Scalar):
        return _ARROW[kind.kind]
    if isinstance(kind, ListOf):
        return pa.list_(_arrow(kind.item))
    return pa.struct({name: _arrow(inner) for name, inner in kind.names.items()})


def _hugging_face(kind: Type) -> Any:
    """As every version of datasets reads it: a list is written as a list of one."""
    if isinstance(kind, Scalar):
        return {"dtype": _HUGGING_FACE[kind.kind], "_type": "Value"}
    if isinstance(kind, ListOf):
        return [_hugging_face(kind.item)]
    return {name: _hugging_face(inner) for name, inner in kind.names.items()}
