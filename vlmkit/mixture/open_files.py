"""What random access keeps open: tars that are read at any offset, and the tables beside them."""

import math
import os
from typing import Any

import pyarrow.parquet as pq

from vlmkit.mixture.places import table_beside
from vlmkit.shards.sample import Row
from vlmkit.tables.rows import VERDICT, as_text


class OpenTar:
    """Read by several threads at once; closed when nobody holds it any more."""

    def __init__(self, path: str) -> None:
        self._descriptor = -1
        self._descriptor = os.open(path, os.O_RDONLY)

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, offset)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


class ScoreTable:
    """The columns that samples carry on, of the row table beside a tar: kept as arrow has them, since rows as
    dictionaries would take ten times the memory."""

    def __init__(self, tar: str) -> None:
        path = table_beside(tar)
        names = [name for name in pq.read_schema(path).names if name != "key" and name not in VERDICT]
        table = pq.read_table(path, columns=names)
        self._columns = {name: table[name].combine_chunks() for name in names}

    def __getitem__(self, row: int) -> Row:
        """What `read_rows` gives of this row, without its verdict."""
        values = {name: column[row].as_py() for name, column in self._columns.items()}
        return {name: _plain(value) for name, value in values.items() if _says(value)}


def _says(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float) else as_text(value)
