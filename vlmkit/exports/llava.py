"""LLaVA's format (Liu et al., 2023): llava.json beside images/, which `download llava:FILE --images` reads back."""

from collections.abc import Mapping
from typing import Any, ClassVar

from vlmkit.exports.export import Example
from vlmkit.exports.lines import TextExport
from vlmkit.shards.sample import Row, Sample
from vlmkit.sources.conversations import IMAGE, SPEAKERS, to_llava
from vlmkit.sources.outcomes import NoSample
from vlmkit.sources.samples import sample_names

_OURS = ("id", "file", "files", "image", "messages", "conversations", "width", "height", "image_id")


class LlavaExport(TextExport):
    """One list of `{"id", "image", "conversations"}` and the other names of json. Paths start from `images/`, which is
    LLaVA's `--image_folder`.

    Turns are those of `messages`; of a sample that has only `txt`, one about the picture and the text. A picture has
    the name that it came with, else the key. What `download` has added is left out, so that a file that went in comes
    out equal.
    """

    name: ClassVar[str] = "llava"
    file_name: ClassVar[str] = "llava.json"
    before, between, after = b"[\n", b",\n", b"\n]\n"

    def example(self, sample: Sample, row: Row) -> Example:
        example = super().example(sample, row)
        _conversations(example)
        return example

    def entry(self, example: Example, sample: Sample) -> dict[str, Any]:
        images = self.stored(example, _given_files(example.names))
        known: dict[str, Any] = {"id": example.key if self._rekey else example.names.get("id") or example.key}
        if images:
            known["image"] = images if len(images) > 1 or "files" in example.names else images[0]
        return {**known, "conversations": _conversations(example), **_rest(example, sample)}


def _given_files(names: Mapping[str, Any]) -> list[str] | None:
    files = names.get("files", [names.get("file")])
    return files if isinstance(files, list) and all(isinstance(file, str) for file in files) else None


def _rest(example: Example, sample: Sample) -> dict[str, Any]:
    rest = {name: value for name, value in example.names.items() if name not in _OURS}
    if str(rest.get("source", "")).startswith("llava:"):
        del rest["source"]
    url, text = example.names.get("url", ""), bytes(sample["txt"]) if "txt" in sample.fields else None
    given = {"messages": example.names.get("messages")}
    if rest.get("uid") == sample_names("", example.pictures, text, given, url)["uid"]:
        del rest["uid"]
    return rest


def _conversations(example: Example) -> list[dict[str, Any]]:
    """LLaVA's turns. Raises NoSample if there are none, or none that LLaVA could read."""
    turns = example.names.get("conversations") or _turns(example)
    if not isinstance(turns, list) or not all(isinstance(t, dict) and isinstance(t.get("value"), str) for t in turns):
        raise NoSample("unreadable messages", "conversations are no turns of from and value", bad=True)
    named = sum(turn["value"].count(IMAGE) for turn in turns)
    if named != len(example.pictures):
        raise NoSample("image count", f"{named} {IMAGE} for {len(example.pictures)} images")
    return turns


def _turns(example: Example) -> Any:
    messages = example.names.get("messages")
    if messages:
        return to_llava(_checked(messages))
    if example.text is None or not example.pictures:
        raise NoSample("no text", "neither messages nor a text about a picture")
    images = "\n".join([IMAGE] * len(example.pictures))
    return [{"from": "human", "value": images}, {"from": "gpt", "value": example.text}]


def _checked(messages: Any) -> list[dict[str, Any]]:
    """Messages whose content is a list of images and texts, as vlmkit writes them; a bare string is one text."""
    found = []
    for message in messages if isinstance(messages, list) else [None]:
        role, content = (message.get("role"), message.get("content")) if isinstance(message, dict) else (None, None)
        items = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if role not in SPEAKERS or not isinstance(items, list) or not all(map(_is_item, items)):
            raise NoSample("unreadable messages", "roles, or items other than images and texts", bad=True)
        found.append({"role": role, "content": items})
    return found


def _is_item(item: Any) -> bool:
    if not isinstance(item, dict):
        return False
    return item.get("type") == "image" or (item.get("type") == "text" and isinstance(item.get("text"), str))
