"""What a VLM is asked for a caption. Named after the prompts that VILA² compares (Fang et al., 2024); our own words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from vlmkit.errors import VlmkitError

PROMPTS = {
    "brief": "Describe this image in one short sentence.",
    "detail": "Describe this image in detail.",
    "elaborate": "Describe everything that this image shows, and what seems to be going on in it, as fully as you can.",
    "certain": "Describe this image in detail. Say only what can be seen for certain, in plain sentences and without "
    "a list, and leave out what is a matter of taste.",
}


@dataclass(frozen=True)
class Prompt:
    """`name` is what the user gave, and what `captions` tells: a name of a set, or the text itself."""

    name: str
    text: str

    @classmethod
    def parse(cls, given: str, named: Mapping[str, str] = PROMPTS) -> "Prompt":
        """Raises VlmkitError for a single word that is no name: it is more likely misspelt than meant."""
        if given in named:
            return cls(given, named[given])
        if re.fullmatch(r"[\w-]*", given):
            raise VlmkitError(f"no prompt is called {given!r}", f"use {', '.join(named)}, or a text of several words")
        return cls(given, given)
