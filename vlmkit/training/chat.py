"""What a sample says as a conversation: its `messages`, or its caption as the answer to its picture."""

from typing import Any

from vlmkit.shards.sample import Sample

Messages = list[dict[str, Any]]

_ROLES = ("system", "user", "assistant")


class NotTrainable(Exception):
    """Why a sample has nothing to learn from; `bad` if its bytes can't be read."""

    def __init__(self, reason: str, bad: bool = False) -> None:
        super().__init__(reason, bad)
        self.reason, self.bad = reason, bad


def chat_of(sample: Sample, caption_prompt: str = "") -> Messages:
    """The sample's `messages`, else its `txt` as the assistant's answer to its pictures and `caption_prompt`.

    Every content is a list of items, and there is an image item for each picture. Raises NotTrainable.
    """
    try:
        given = sample.json.get("messages")
        chat = _checked(given) if given else _captioned(sample, caption_prompt)
    except ValueError as error:  # no JSON, or no UTF-8
        raise NotTrainable("unreadable json" if "json" in sample.fields else "unreadable text", bad=True) from error
    if sum(item["type"] == "image" for message in chat for item in message["content"]) != len(sample.images):
        raise NotTrainable("other images than the messages say")
    if not any(message["role"] == "assistant" for message in chat):
        raise NotTrainable("no answer to learn")
    return chat


def chat_texts(chat: Messages) -> list[str]:
    return [item["text"] for message in chat for item in message["content"] if item["type"] == "text"]


def _checked(given: Any) -> Messages:
    """Messages with nothing in them but roles, texts and images; a bare string as content is one text."""
    if not isinstance(given, list):
        raise NotTrainable("unreadable messages", bad=True)
    return [_message(message) for message in given]


def _message(message: Any) -> dict[str, Any]:
    role = message.get("role") if isinstance(message, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    items = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if role not in _ROLES or not isinstance(items, list):
        raise NotTrainable("unreadable messages", bad=True)
    return {"role": role, "content": [_item(item) for item in items]}


def _item(item: Any) -> dict[str, str]:
    match item:
        case {"type": "image"}:
            return {"type": "image"}
        case {"type": "text", "text": str(text)}:
            return {"type": "text", "text": text}
    raise NotTrainable("unreadable messages", bad=True)


def _captioned(sample: Sample, prompt: str) -> Messages:
    if "txt" not in sample.fields:
        raise NotTrainable("no text")
    if not sample.images:
        raise NotTrainable("no image")
    asked: list[dict[str, str]] = [{"type": "image"} for _ in sample.images]
    asked += [{"type": "text", "text": prompt}] if prompt else []
    caption = str(sample["txt"], "utf-8").strip()
    if not caption:
        raise NotTrainable("no text")
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": [{"type": "text", "text": caption}]}]
