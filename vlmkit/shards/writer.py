"""Writes samples into a tar: unchanged ones as the raw bytes they came in, neighbours in one write."""

from typing import BinaryIO

from vlmkit.shards.sample import ROW_FIELD, Member, Row, Sample, dump_json
from vlmkit.shards.tar import END_OF_ARCHIVE, encode_member

_FLUSH = 1 << 20


class TarWriter:
    """Appends to a tar in `file` and counts the bytes. Call `close` for the end marker; the file stays open."""

    def __init__(self, file: BinaryIO) -> None:
        self.offset = 0
        self._file = file
        self._pending: list[memoryview | bytes] = []
        self._pending_bytes = 0

    def write(self, sample: Sample, row: Row | None = None) -> tuple[int, int]:
        """Appends a sample, with its row as a member if one is given; returns its offset and length in bytes."""
        start = self.offset
        for block in [sample.block] if sample.block is not None else [m.block for m in sample.members]:
            self._append(block)
        if row is not None:
            self._append(Member.encode(sample.key, ROW_FIELD, dump_json(row)).block)
        return start, self.offset - start

    def add(self, name: str, data: bytes) -> None:
        self._append(encode_member(name, data))

    def close(self) -> None:
        self._append(END_OF_ARCHIVE)
        self.flush()

    def flush(self) -> None:
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        rest = memoryview(b"".join(pending))
        while rest:  # an unbuffered standard output may take less than it is given
            rest = rest[self._file.write(rest) :]
        self._file.flush()

    def _append(self, block: memoryview | bytes) -> None:
        self._pending.append(block)
        self._pending_bytes += len(block)
        self.offset += len(block)
        if self._pending_bytes >= _FLUSH:
            self.flush()
