"""A URL list of any format, brought to one table: what to fetch, and what came with it."""

import csv
import gzip
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import quote

from vlmkit.errors import VlmkitError

ROWS_PER_SHARD = 10_000  # img2dataset's number; a row group of the table is a shard
REFUSED = "refused:"  # in front of what is no http URL: the downloader would read file: from the local disk

_URL_NAMES = ("url", "image_url")
_CAPTION_NAMES = ("caption", "text", "alt")
_KEPT = ":/?#[]@!$&'()*+,;=%"  # reserved in URLs (RFC 3986), or an escape already

Record = Mapping[str, Any]
Listing = tuple[list[str], Callable[[list[str]], Iterator[Record]]]  # column names; rows with at least those asked for


def write_table(text: str, format: str, url: str | None, caption: str | None, path: Path) -> str:
    """Writes the columns `url`, `fetch` (what to request), `caption`, `uid`; returns the digest of their contents.

    A row group holds ROWS_PER_SHARD rows. Empty values are null. Raises VlmkitError if the list can't be read or has
    no column of URLs.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    digest = hashlib.sha256()
    schema = pa.schema([(name, pa.string()) for name in ("url", "fetch", "caption", "uid")])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        rows = _rows(text, format, url, caption)
        while group := list(islice(rows, ROWS_PER_SHARD)):
            writer.write_table(pa.Table.from_pylist(group, schema))
            digest.update(json.dumps(group).encode())
    return digest.hexdigest()


def _rows(text: str, format: str, url: str | None, caption: str | None) -> Iterator[Record]:
    try:
        with _open(text) as file:
            names, records = _READERS[format](file)
            url = _column(text, names, url, _URL_NAMES, "--url-column")
            caption = _column(text, names, caption, _CAPTION_NAMES, "--caption-column", optional=True)
            columns = [name for name in (url, caption, "uid") if name in names]
            yield from (_row(record, cast(str, url), caption) for record in records(columns))
    except (OSError, ValueError, csv.Error) as error:
        raise VlmkitError(
            f"{text} can't be read as {format}: {error}", "a URL list's suffix says its format"
        ) from error


def _row(record: Record, url: str, caption: str | None) -> Record:
    address = (_text(record.get(url)) or "").strip() or None
    return {
        "url": address,
        "fetch": _request(address or ""),
        "caption": _text(record.get(caption)) if caption else None,
        "uid": _text(record.get("uid")),
    }


def _request(url: str) -> str:
    """The URL with spaces and letters beyond ASCII escaped; anything but http is refused."""
    return quote(url, safe=_KEPT) if re.match(r"https?://", url, re.IGNORECASE) else REFUSED + url


def _text(value: Any) -> str | None:
    """A cell as text; NaN, as tables write a missing value, and empty text are none."""
    if value is None or value != value:
        return None
    return str(value).encode("utf-8", "replace").decode() or None


def _column(
    text: str, names: list[str], asked: str | None, guesses: tuple[str, ...], option: str, optional: bool = False
) -> str | None:
    """The column asked for, else the first that has one of the usual names, in whatever case."""
    if asked is not None and asked in names:
        return asked
    lower = {name.lower(): name for name in reversed(names)}
    found = next((lower[guess] for guess in guesses if guess in lower), None) if asked is None else None
    if found is None and not (optional and asked is None):
        what = f"no column {asked}" if asked else "no column of URLs"
        raise VlmkitError(f"{text} has {what}", f"{option} names one of: {', '.join(names) or '(none)'}")
    return found


def _open(text: str) -> BinaryIO:
    if "://" in text:
        import fsspec

        return cast(BinaryIO, fsspec.open(text, "rb", compression="infer").open())
    return cast(BinaryIO, gzip.open(text, "rb")) if text.endswith(".gz") else open(text, "rb")


def _lines(file: BinaryIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(file, encoding="utf-8-sig", newline="")


def _read_txt(file: BinaryIO) -> Listing:
    return ["url"], lambda _: ({"url": line} for line in _lines(file) if line.strip())


def _read_csv(file: BinaryIO, delimiter: str = ",") -> Listing:
    reader = csv.DictReader(_lines(file), delimiter=delimiter)
    return list(reader.fieldnames or ()), lambda _: iter(reader)


def _read_tsv(file: BinaryIO) -> Listing:
    return _read_csv(file, "\t")


def _read_json(file: BinaryIO) -> Listing:
    value = json.load(_lines(file))
    if not isinstance(value, list):
        raise ValueError("it holds no list of objects (one object a line is .jsonl)")
    return _objects(iter(value))


def _read_jsonl(file: BinaryIO) -> Listing:
    return _objects(json.loads(line) for line in _lines(file) if line.strip())


def _objects(values: Iterator[Any]) -> Listing:
    """The first object says which columns there are; an entry that is no object has no URL."""
    records = (value if isinstance(value, dict) else {} for value in values)
    first = list(islice(records, 1))
    return [name for record in first for name in record], lambda _: chain(first, records)


def _read_parquet(file: BinaryIO) -> Listing:
    import pyarrow.parquet as pq

    table = pq.ParquetFile(file)
    return table.schema_arrow.names, lambda columns: (
        row for batch in table.iter_batches(columns=columns) for row in batch.to_pylist()
    )


_READERS: dict[str, Callable[[BinaryIO], Listing]] = {
    "txt": _read_txt,
    "csv": _read_csv,
    "tsv": _read_tsv,
    "json": _read_json,
    "jsonl": _read_jsonl,
    "parquet": _read_parquet,
}
