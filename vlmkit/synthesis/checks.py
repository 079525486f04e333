"""What a dense caption must pass before anybody trains on it."""

import re
from dataclasses import dataclass

from vlmkit.captions.answers import cut_at_repetition, is_refusal, sentences
from vlmkit.synthesis.words import overlap, repeated_share, words

MOST_REPEATED = 0.15  # of the words, in repeated runs of five: the limit of Rae et al. (2021), there of characters

_TALK = re.compile(
    r"""\b(?:(the|this|that|your|given|original|short|provided|following|above|dense|detailed|a|an)\s+)+
        (?:(image|picture|photo|scene|short|original|detailed|dense)\s+)*(caption|prompt)s?\b
      | \b(image|picture|photo|scene)\s+(caption|description)s?\b
      | ^\W*(sure|certainly|of\ course|okay|ok|absolutely)\b\W
      | ^\W*here(['’]s|\ is|\ are)\s+(the|a|an|one|your|my)\b[^.!?\n]*\b(paragraph|description|caption|text|version)\b
      | ^\W*(caption|description|paragraph|dense\ caption)\s*:
    """,
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True)
class Checks:
    """Limits in whitespace-separated words, and the share of the seed's content words that must come back."""

    min_words: int = 50
    max_words: int = 480
    min_overlap: float = 0.5

    def failed(self, seed: str, text: str) -> str | None:
        """Why a text (as `whole` leaves it) is no dense caption of the seed: the first check that fails, else None."""
        length = len(text.split())
        checks = {
            "empty answer": length == 0,
            "refused": is_refusal(text),
            "talks about the caption": _TALK.search(text) is not None,
            f"words >= {self.min_words}": length < self.min_words,
            f"words <= {self.max_words}": length > self.max_words,
            "repeats itself": repeats(text),
            f"seed_overlap >= {self.min_overlap:g}": overlap(seed, text) < self.min_overlap,
        }
        return next((reason for reason, fails in checks.items() if fails), None)


def repeats(text: str) -> bool:
    """Whether a sentence comes twice, or too many words stand in repeated runs of five."""
    return cut_at_repetition(text) != text or repeated_share(words(text)) > MOST_REPEATED


def whole(answer: str) -> str:
    """An answer as one line, up to its last sentence that ends: the token limit cuts where it falls.

    An answer in which no sentence ends stays as it is.
    """
    parts = [sentence.strip() for _, sentence in sentences(answer.strip())]
    while len(parts) > 1 and not re.search(r"[.!?…。！？][\"'”’)\]]*$", parts[-1]):
        parts.pop()
    return " ".join(part for part in parts if part)
