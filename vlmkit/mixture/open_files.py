"""What random access keeps open: tars that are read at any offset, and the tables beside them."""

import math
import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from vlmkit.jobs.inputs import table_beside
from vlmkit.shards.paths import path_at
from vlmkit.shards.remote import RemoteObject
from vlmkit.shards.remote_path import RemotePath
from vlmkit.shards.sample import Row
from vlmkit.tables.rows import VERDICT, as_text, reading


class OpenTar:
    """Read by several threads at once; closed when nobody holds it any more. Of a store each read is a request."""

    def __init__(self, tar: str) -> None:
        self._descriptor = -1
        path = path_at(tar)
        self._remote = RemoteObject(tar) if isinstance(path, RemotePath) else None
        if isinstance(path, Path):
            self._descriptor = os.open(path, os.O_RDONLY)

    def read(self, offset: int, length: int) -> bytes:
        if self._remote is not None:
            return self._remote.read(offset, offset + length)
        return os.pread(self._descriptor, length, offset)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


class ScoreTable:
    """The columns that samples carry on, of the row table beside a tar: kept as arrow has them, since rows as
    dictionaries would take ten times the memory."""

    def __init__(self, tar: str) -> None:
        with reading(table_beside(tar)) as file:
            parquet = pq.ParquetFile(file)
            names = [name for name in parquet.schema_arrow.names if name != "key" and name not in VERDICT]
            table = parquet.read(columns=names)
        self._columns = {name: table[name].combine_chunks() for name in names}

    def __getitem__(self, row: int) -> Row:
        """What `read_rows` gives of this row, without its verdict."""
        values = {name: column[row].as_py() for name, column in self._columns.items()}
        return {name: _plain(value) for name, value in values.items() if _says(value)}


def _says(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float) else as_text(value)
