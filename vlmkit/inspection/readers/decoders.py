"""The decoders of text, numbers and JSON that webdataset has, and Hugging Face datasets has copied, by suffix."""

import json
from typing import Any

_TEXTS = ("txt", "text", "transcript")
_NUMBERS = ("cls", "cls2", "index", "inx", "id")
_JSONS = ("json", "jsn")


def decoded(kind: str, data: memoryview) -> Any:
    """What a field of this suffix says, None for kinds that are not looked into. Raises ValueError, RecursionError."""
    if kind in _TEXTS:
        return str(data, "utf-8")
    if kind in _NUMBERS:
        return int(bytes(data))
    return json.loads(bytes(data)) if kind in _JSONS else None
