"""Checks one tar, from its first member to its end."""

from collections import OrderedDict
from contextlib import ExitStack

from vlmkit.inspection.crossread import CrossReader, Difference, Seen
from vlmkit.inspection.findings import Findings
from vlmkit.inspection.rules import judge_content, name_defects, name_notes, sample_defects, sample_notes
from vlmkit.inspection.tables import TableCheck
from vlmkit.inspection.walk import Found, members, open_twice
from vlmkit.shards.locations import STREAM, open_shard
from vlmkit.shards.reader import STRAYS_BETWEEN, STREAM_BEGIN, STREAM_END
from vlmkit.shards.tar import DamagedTar, TarWindow

_KEYS_REMEMBERED = 100_000  # ten times what a shard should hold; of a longer stream the last ones


class TarCheck:
    """The check of one tar; `table` is that of the rows beside it."""

    def __init__(
        self, path: str, findings: Findings, table: TableCheck | None = None, decode: bool = False, cross: bool = True
    ) -> None:
        self._path = path
        self._findings = findings
        self._table = table
        self._decode = decode
        self._files = ExitStack()
        mine, theirs = open_twice(path) if cross else (open_shard(path), None)
        self._window = TarWindow(self._files.enter_context(mine))
        self._cross = CrossReader(self._files.enter_context(theirs), path) if theirs else None
        self._keys: OrderedDict[str, tuple[int, frozenset[str]]] = OrderedDict()
        self._open_streams = 0
        self._samples = 0
        self._members = 0
        self._whole_to = 0  # the end of the last sample that was read whole
        self._end = 0

    def run(self) -> None:
        with self._files:
            try:
                self._walk()
                self._check_end()
            except DamagedTar as damage:
                self._defect(damage.offset, "", f"{damage.why}: nothing behind it is read")
                self._finish_table(self._whole_to)
        self._findings.samples += self._samples
        self._findings.size_bytes += self._end

    def _walk(self) -> None:
        group: list[Found] = []
        for found in members(self._window):
            if group and _parts(found, group):
                self._check_sample(group)
                group = []
            self._check_member(found)
            if found.key is not None:
                group.append(found)
            self._end = found.end
        if group:
            self._check_sample(group)

    def _check_member(self, found: Found) -> None:
        self._members += 1
        if found.after_marker:
            self._check_marker(found)
        for what in name_defects(found):
            self._defect(found.offset, found.name, what)
        if found.key is None:
            self._check_stray(found)
            return
        judgement = judge_content(found, self._decode)
        if judgement.wrong:
            self._defect(found.offset, found.name, judgement.wrong)
        for odd in (*name_notes(found), judgement.odd):
            if odd:
                self._note(found, odd)

    def _check_marker(self, found: Found) -> None:
        """Others stop at the marker. Of a stream made by `cat *.tar` vlmkit reads all."""
        what = "behind an end-of-archive marker: other readers have stopped"
        if self._path == STREAM:
            self._note(found, what)
        else:
            self._defect(found.offset, found.name, what)
        self._finish_cross()

    def _check_stray(self, found: Found) -> None:
        if found.is_protocol:
            self._open_streams += (found.name == STREAM_BEGIN) - (found.name == STREAM_END)
            return
        self._note(found, f"a member that is part of no sample: {found.stray}")
        if self._cross is not None and found.regular:
            self._cross.stray(found.name, found.offset)

    def _check_sample(self, group: list[Found]) -> None:
        key, offset = group[0].key or "", group[0].offset
        seen = Seen(key, frozenset(found.field for found in group), offset)
        self._samples += 1
        self._whole_to = group[-1].end
        for found, what in sample_defects(group):
            self._defect(found.offset, found.name, what)
        for what in sample_notes(group):
            self._note(group[0], what)
        if not self._check_repeat(seen, group[0].name):
            self._check_row(seen)
        if self._cross is not None:
            self._say(*self._cross.sample(seen))

    def _check_row(self, seen: Seen) -> None:
        what = self._table.sample(seen.key, seen.offset, self._whole_to - seen.offset) if self._table else None
        if what:
            self._defect(seen.offset, seen.key, what)

    def _check_repeat(self, seen: Seen, name: str) -> bool:
        """Whether the key has been there before: samples of one name, or one whose members are not adjacent."""
        before = self._keys.get(seen.key)
        if before is None:
            self._keys[seen.key] = seen.offset, seen.fields
            if len(self._keys) > _KEYS_REMEMBERED:
                self._keys.popitem(last=False)
            return False
        offset, fields = before
        apart = "the key again" if fields & seen.fields else "members of one sample that are not adjacent"
        self._defect(seen.offset, name, f"{apart}: {seen.key} was at offset {offset}")
        return True

    def _check_end(self) -> None:
        if not self._members and not self._window.marked_end:
            self._defect(0, "", "an empty file: no tar")
            return
        if not self._samples:
            self._findings.note(self._path, 0, "", "a tar without a sample")
        if not self._window.marked_end:
            self._findings.note(self._path, self._end, "", "no end-of-archive marker")
        if self._open_streams:
            self._defect(self._end, STREAM_END, "missing: the command that wrote this stream has died")
        self._finish_table()
        self._finish_cross()

    def _finish_table(self, read_to: int | None = None) -> None:
        for offset, key, what in self._table.finish(read_to) if self._table else ():
            self._defect(offset, key, what)

    def _finish_cross(self) -> None:
        if self._cross is not None:
            self._say(*self._cross.finish())

    def _say(self, *differences: Difference) -> None:
        for seen, what in differences:
            self._defect(seen.offset, seen.key, what)

    def _defect(self, offset: int, member: str, what: str) -> None:
        self._findings.defect(self._path, offset, member, what)

    def _note(self, found: Found, what: str) -> None:
        self._findings.note(self._path, found.offset, found.name, what)


def _parts(found: Found, group: list[Found]) -> bool:
    """Whether the sample ends before this member."""
    if found.key is None and not found.after_marker:
        return found.end - group[-1].end > STRAYS_BETWEEN
    return found.after_marker or found.key != group[0].key
