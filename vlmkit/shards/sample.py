"""A sample: raw tar members under one key, and one row of what steps have learnt about them."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vlmkit.shards.source import BLOCK, Extent, Window
from vlmkit.shards.tar import Entry, encode_member

IMAGE_FIELDS = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff")
ROW_FIELD = "vlmkit.json"  # in a stream a sample's row travels as its last member

_NUMBERED_IMAGE = re.compile(rf"(\d+)\.(?:{'|'.join(IMAGE_FIELDS)})")

Row = dict[str, Any]


class Member:
    """One file of a sample. Its bytes stay where they are until they are asked for."""

    __slots__ = ("entry", "field")

    def __init__(self, field: str, entry: Entry) -> None:
        self.field = field
        self.entry = entry

    @classmethod
    def encode(cls, key: str, field: str, data: bytes) -> "Member":
        name = f"{key}.{field}"
        block = encode_member(name, data)
        start = len(block) - len(data) - -len(data) % BLOCK
        return cls(field, Entry(name, 0, start, len(data), len(block), True, Window(block)))

    @property
    def data(self) -> memoryview:
        """What the file holds. Read anew each time if it lies in a plain file, away from its header."""
        entry = self.entry
        return entry.window.view(entry.data, entry.data + entry.size)

    @property
    def size(self) -> int:
        return self.entry.size

    @property
    def block(self) -> Extent:
        """The whole run of tar bytes (headers, data, padding), copied as it is."""
        return Extent(self.entry.window, self.entry.start, self.entry.end)

    @property
    def is_image(self) -> bool:
        return self.field in IMAGE_FIELDS or _NUMBERED_IMAGE.fullmatch(self.field) is not None


class Sample:
    """The unit that steps work on. Nothing is read, decoded or copied until it is asked for.

    `shard` names the shard it came from; `block` is its run of bytes there, if there is one: nothing in it has
    changed, and its members stand side by side.
    """

    __slots__ = ("_fields", "_json", "_text", "block", "key", "members", "row", "shard")

    def __init__(
        self, key: str, members: list[Member], shard: str = "", row: Row | None = None, block: Extent | None = None
    ) -> None:
        self.key = key
        self.members = members
        self.shard = shard
        self.row: Row = {} if row is None else row
        self.block = block
        self._fields: dict[str, Member] | None = None
        self._json: dict[str, Any] | None = None
        self._text: str | None = None

    def __repr__(self) -> str:
        return f"Sample({self.shard}/{self.key}: {' '.join(member.field for member in self.members)})"

    @property
    def fields(self) -> dict[str, Member]:
        if self._fields is None:
            self._fields = {member.field: member for member in self.members}
        return self._fields

    def __getitem__(self, field: str) -> memoryview:
        return self.fields[field].data

    @property
    def size_bytes(self) -> int:
        """Of the members as they lie in a tar."""
        if self.block is not None:
            return self.block.end - self.block.start
        return sum([member.entry.end - member.entry.start for member in self.members])

    @property
    def images(self) -> list[Member]:
        """The pictures by kind: the one under a plain image field, else the numbered ones in number order."""
        single = [member for member in self.members if member.field in IMAGE_FIELDS]
        if single:
            return single[:1]
        numbered = [(m, match) for m in self.members if (match := _NUMBERED_IMAGE.fullmatch(m.field))]
        return [member for member, match in sorted(numbered, key=lambda pair: int(pair[1][1]))]

    @property
    def json(self) -> dict[str, Any]:
        """What the `json` member says, {} without one. Raises ValueError if it is no JSON object in UTF-8."""
        if self._json is None:
            member = self.fields.get("json")
            self._json = {} if member is None else _parsed(member.data)
        return self._json

    @property
    def text(self) -> str | None:
        """`txt`, else all message texts joined by newlines, else None. Raises ValueError if it is not UTF-8."""
        if self._text is None:
            member = self.fields.get("txt")
            self._text = _message_text(self.json) if member is None else str(member.data, "utf-8")
        return self._text

    def changed(self, fields: Mapping[str, bytes]) -> "Sample":
        """This sample with some fields replaced or added; the other members stay byte for byte."""
        members = [Member.encode(self.key, m.field, fields[m.field]) if m.field in fields else m for m in self.members]
        members += [Member.encode(self.key, f, data) for f, data in fields.items() if f not in self.fields]
        return Sample(self.key, members, self.shard, self.row)

    def renamed(self, key: str) -> "Sample":
        members = [Member.encode(key, member.field, bytes(member.data)) for member in self.members]
        return Sample(key, members, self.shard, self.row)

    def only(self, wanted: Callable[[Member], bool]) -> "Sample":
        """This sample with just the members that are wanted."""
        members = [member for member in self.members if wanted(member)]
        return self if len(members) == len(self.members) else Sample(self.key, members, self.shard, self.row)

    def with_row(self, row: Row) -> "Sample":
        """The same members with another row."""
        return Sample(self.key, self.members, self.shard, row, self.block)


def new_sample(key: str, fields: Mapping[str, bytes], shard: str = "") -> Sample:
    return Sample(key, [Member.encode(key, field, data) for field, data in fields.items()], shard)


def split_name(name: str) -> tuple[str, str] | None:
    """Key and field of a member's name: the key ends at the first dot of the base name. None: part of no sample."""
    if "/" not in name and name[:1] != "_":  # as most are
        key, _, field = name.partition(".")
        return (key, field.lower()) if key and field else None
    base = name.rfind("/") + 1
    dot = name.find(".", base)
    if dot <= base or dot == len(name) - 1 or (name.startswith("__") and name.endswith("__")):
        return None
    return name[:dot], name[dot + 1 :].lower()


def message_parts(meta: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """The content items of all `messages`, in order; foreign shapes (a bare string as content) are one text item."""
    messages = meta.get("messages")
    for message in messages if isinstance(messages, list) else []:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, str):
            yield {"type": "text", "text": content}
        elif isinstance(content, list):
            yield from (part for part in content if isinstance(part, dict))


def _message_text(meta: Mapping[str, Any]) -> str | None:
    texts = [part["text"] for part in message_parts(meta) if isinstance(part.get("text"), str)]
    return "\n".join(texts) if texts else None


def _parsed(data: memoryview) -> dict[str, Any]:
    try:
        value = json.loads(bytes(data))
    except RecursionError as error:
        raise ValueError("json is nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("json holds no object")
    return value


def dump_json(value: Mapping[str, Any]) -> bytes:
    """One way to write `json` members: UTF-8, no spaces that carry nothing, names in the order given.

    Half a surrogate pair, which UTF-8 can't say, stays the `\\ud83d` that it was.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "backslashreplace")
