"""What is wrong with a model's answer: nothing in it, no wish to answer, the same again and again."""

import re

_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？])|\n+")
_REFUSAL_SPAN = 200  # characters from the start within which a refusal says that it is one
_REFUSALS = re.compile(
    r"""\b(
        i['’ ]?a?m\ (sorry|afraid|unable\ to|not\ able\ to)
      | (sorry|unfortunately),?\ (but\ )?i\b
      | i\ (can\ ?not|can['’]t|could\ not|couldn['’]t|won['’]t|(do\ not|don['’]t)\ have\ the\ ability\ to)
        \ (see|view|open|access|describe|identify|help|assist|provide|comply|fulfil|create|generate|write|do\ that)
      | as\ an?\ (ai|artificial\ intelligence|(large\ )?language)(\ (language\ )?(model|assistant))?,?\ i\b
      | (no\ image|image\ (was\ not|wasn['’]t))\ (is\ |was\ |has\ been\ )?(attached|provided|uploaded|given|visible)
    )""",
    re.IGNORECASE | re.VERBOSE,
)


def is_refusal(text: str) -> bool:
    """Whether the beginning of an answer says, in English, that there will be none."""
    return _REFUSALS.search(text[:_REFUSAL_SPAN]) is not None


def cut_at_repetition(text: str) -> str:
    """The text before the first sentence that repeats one before it; case and punctuation count for nothing."""
    seen = set()
    for start, sentence in sentences(text):
        plain = " ".join(re.findall(r"\w+", sentence.casefold()))
        if plain and plain in seen:
            return text[:start].rstrip()
        seen.add(plain)
    return text


def sentences(text: str) -> list[tuple[int, str]]:
    """The sentences of a text, each with the place where it starts."""
    starts = [0, *(match.end() for match in _SENTENCE_END.finditer(text))]
    return [(start, text[start:end]) for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
