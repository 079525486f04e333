"""Writes samples into a tar: unchanged ones as the raw bytes they came in, neighbours in one copy."""

from typing import BinaryIO

from vlmkit.shards.copying import COPIED_WELL, LONGEST_COPY, Output
from vlmkit.shards.sample import ROW_FIELD, Member, Row, Sample, dump_json
from vlmkit.shards.source import Extent, Window
from vlmkit.shards.tar import END_OF_ARCHIVE, encode_member


class TarWriter:
    """Appends to a tar in `file` and counts the bytes. Call `close` for the end marker; the file stays open.

    What goes to a plain file from plain files is copied by the kernel, and never seen here. Raises VlmkitError if a
    file became shorter since its members were found, OSError for what the output refuses.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.offset = 0
        self._output = Output(file)
        self._run: Extent | None = None  # what is to be written next: it grows while its neighbours come

    def write(self, sample: Sample, row: Row | None = None) -> tuple[int, int]:
        """Appends a sample, with its row as a member if one is given; returns its offset and length in bytes."""
        start = self.offset
        if (block := sample.block) is not None:
            self._append(block.window, block.start, block.end)
        else:
            for member in sample.members:
                self._append(member.entry.window, member.entry.start, member.entry.end)
        if row is not None:
            self._append_member(Member.encode(sample.key, ROW_FIELD, dump_json(row)))
        return start, self.offset - start

    def add(self, name: str, data: bytes) -> None:
        self._append_bytes(encode_member(name, data))

    def close(self) -> None:
        self._append_bytes(END_OF_ARCHIVE)
        self.flush()

    def flush(self) -> None:
        self._end_run()
        self._output.flush()

    def _append_member(self, member: Member) -> None:
        self._append(member.entry.window, member.entry.start, member.entry.end)

    def _append_bytes(self, data: bytes) -> None:
        self._append(Window(data), 0, len(data))

    def _append(self, window: Window, start: int, end: int) -> None:
        self.offset += end - start
        run = self._run
        if run is not None:
            same = run.window is window or (window.file is not None and window.file is run.window.file)
            if same and run.end == start:
                run.end = end
                if end - run.start >= LONGEST_COPY:
                    self._write_most(run)
                return
            self._output.write(run)
        self._run = Extent(window, start, end)

    def _write_most(self, run: Extent) -> None:
        """Writes a long run up to a place from which the kernel copies well; what is behind it may still grow."""
        cut = max(run.end - run.end % COPIED_WELL, run.start)
        self._output.write(Extent(run.window, run.start, cut))
        run.start = cut

    def _end_run(self) -> None:
        if self._run is not None:
            self._output.write(self._run)
            self._run = None
