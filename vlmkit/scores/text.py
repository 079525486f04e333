"""Scores of a sample's text."""

from vlmkit.scores.inputs import TEXT
from vlmkit.scores.scorer import scorer


@scorer("words", reads=TEXT)
def words(text: str) -> int:
    """Number of words, as white space parts them."""
    return len(text.split())
