"""The short options of the filter, as the conditions that they stand for."""

from vlmkit.tables.conditions import Condition, parse_conditions

_SHORT = {
    "min_words": "words >= {}",
    "max_words": "words <= {}",
    "min_side": "min_side >= {}",
    "max_aspect": "aspect <= {}",
    "clip_min": "clip >= {}",
}


def conditions(where: str | None, **short: float | None) -> tuple[Condition, ...]:
    """Cheap rules first, then `where`, then what runs a model. Raises VlmkitError if `where` is no condition."""
    given = {name: value for name, value in short.items() if value is not None}
    texts = [_SHORT[name].format(given[name]) for name in _SHORT if name in given and name != "clip_min"]
    texts += [where] if where else []
    texts += [_SHORT["clip_min"].format(given["clip_min"])] if "clip_min" in given else []
    return tuple(condition for text in texts for condition in parse_conditions(text))
