"""What is in a damaged tar: its members, where each lies, and what can't stay as it is."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import Any, BinaryIO, cast

from vlmkit.inspection.mends import Piece, safe_key
from vlmkit.inspection.rules import judge_content, name_defects
from vlmkit.inspection.walk import Found, members
from vlmkit.shards.locations import open_shard
from vlmkit.shards.reader import STRAYS_BETWEEN, STREAM_BEGIN, STREAM_END
from vlmkit.shards.sample import ROW_FIELD
from vlmkit.shards.tar import DamagedTar, TarWindow

Say = Callable[[int, str, str, str], None]  # offset, member, what is mended, and details for the line


@dataclass
class Survey:
    """`runs` are the adjacent members of one key; `damage` says where a tar breaks off: the run before it is left out,
    since nobody knows whether it is whole. `earlier` is the history that streams in it tell."""

    runs: list[list[Piece]] = field(default_factory=list)
    damage: DamagedTar | None = None
    earlier: list[dict[str, Any]] = field(default_factory=list)


def survey(file: BinaryIO, decode: bool, say: Say) -> Survey:
    """Walks a tar to its end or to where it breaks off; tells `say` of what will not come out as it is."""
    found = Survey()
    window, end, open_streams = TarWindow(file), 0, 0
    try:
        for member in members(window):
            if member.after_marker:
                say(member.offset, member.name, "an end-of-archive marker in the middle: taken out", "")
            if member.is_protocol:
                open_streams += (member.name == STREAM_BEGIN) - (member.name == STREAM_END)
                found.earlier += _history(member) if member.name == STREAM_END else []
            elif member.key is None:
                say(member.offset, member.name, f"left out: {member.stray}", "")
            else:
                _take(found, member, decode, say)
            end = member.end
    except DamagedTar as damage:
        found.damage = damage
        for piece in found.runs.pop() if found.runs else ():
            say(piece.offset, piece.name, "left out: what followed is damaged, and may have been of this sample", "")
    if found.damage is None and not window.marked_end:
        say(end, "", "no end-of-archive marker: added" if end else "an empty file: nothing is in it", "")
    if open_streams:
        say(end, STREAM_END, "missing: the command that wrote this stream had died; what it had written is kept", "")
    return found


@contextmanager
def seekable(path: str) -> Iterator[BinaryIO]:
    """A tar from which any part can be read: itself, or what a decompressor makes of it, as far as that comes."""
    with open_shard(path) as file:
        if file.seekable():
            yield file
            return
        with TemporaryFile() as copy:
            try:
                shutil.copyfileobj(file, copy)
            except OSError:
                copy.write(b"?")  # no tar ends so: where nothing more comes out, the survey finds it cut off
            copy.seek(0)
            yield cast(BinaryIO, copy)


def _take(found: Survey, member: Found, decode: bool, say: Say) -> None:
    wrong = judge_content(member, decode).wrong
    if wrong and member.field == ROW_FIELD:
        say(member.offset, member.name, "left out: a row that is no JSON", "")
        return
    key = member.key or ""
    bad_name = next(name_defects(member), None if safe_key(key) == key else "a name that readers stumble over")
    piece = Piece(member.name, key, member.field, member.offset, member.end, bad_name, wrong)
    if found.runs and not member.after_marker and found.runs[-1][-1].key == key:
        last = found.runs[-1]
        if member.offset - last[-1].end <= STRAYS_BETWEEN:
            last.append(piece)
            return
    found.runs.append([piece])


def _history(member: Found) -> list[dict[str, Any]]:
    try:
        told = json.loads(bytes(member.data)).get("history", [])
    except (ValueError, AttributeError, RecursionError):
        return []
    return [entry for entry in told if isinstance(entry, dict)] if isinstance(told, list) else []
