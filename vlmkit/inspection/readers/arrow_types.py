"""Which values fit a column whose type was taken from the first samples, as Hugging Face datasets fits them."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

_LARGEST = 1 << 63


def inferred(values: Sequence[Any]) -> tuple[Any, list[tuple[int, str]]]:
    """The arrow type of the values together, and place and reason of those that have none or another one."""
    wrong: list[tuple[int, str]] = []
    schema = pa.schema([("value", pa.null())])
    for place, value in enumerate(values):
        try:
            own = pa.schema([("value", pa.array([value]).type)])
            schema = pa.unify_schemas([schema, own], promote_options="default")
        except (pa.ArrowException, OverflowError) as error:
            wrong.append((place, str(error).splitlines()[0]))
    return schema.field("value").type, wrong


def departures(value: Any, kind: Any, name: str) -> Iterator[str]:
    """How a value does not fit: what is refused, changed or dropped. Nulls fit everywhere."""
    if value is None:
        return
    if pa.types.is_null(kind):
        what = f"{name} is null, or a list of nothing, in the first samples, and {_type(value)} here"
        yield f"refused: Couldn't cast to null: {what}"
    elif pa.types.is_struct(kind):
        yield from _in_struct(value, kind, name)
    elif pa.types.is_list(kind):
        yield from _in_list(value, kind, name)
    elif pa.types.is_boolean(kind):
        if not isinstance(value, bool):
            yield f"changed: {name} is true or false in the first samples, and so is {_type(value)} here"
    elif pa.types.is_string(kind):
        if not isinstance(value, str):
            yield f"changed: {name} is text in the first samples, and {_type(value)} becomes text here"
    else:
        yield from _in_number(value, pa.types.is_integer(kind), name)


def _in_struct(value: Any, kind: Any, name: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"refused: {name} is an object in the first samples, and {_type(value)} here"
        return
    known = {kind.field(place).name: kind.field(place).type for place in range(kind.num_fields)}
    for inner, item in value.items():
        if inner in known:
            yield from departures(item, known[inner], f"{name}.{inner}")
        else:
            yield f"dropped: {name}.{inner}, a name that the first samples don't have"


def _in_list(value: Any, kind: Any, name: str) -> Iterator[str]:
    if isinstance(value, str):
        yield f"changed: {name} is a list in the first samples, and text is taken apart into letters here"
    elif not isinstance(value, list):
        yield f"refused: {name} is a list in the first samples, and {_type(value)} here"
    else:
        said = (what for item in value for what in departures(item, kind.value_type, f"{name}[]"))
        yield from dict.fromkeys(said)


def _in_number(value: Any, whole: bool, name: str) -> Iterator[str]:
    what = f"{name} is {'a whole number' if whole else 'a number'} in the first samples, and {_type(value)} here"
    if isinstance(value, bool):
        yield f"changed: {what}"
    elif isinstance(value, str):
        yield f"changed: {what}" if _parses(value, whole) else f"refused: {what}"
    elif isinstance(value, float) and whole and not value.is_integer():
        yield f"changed: {what}: cut to a whole one" if math.isfinite(value) else f"refused: {what}"
    elif isinstance(value, dict | list):
        yield f"refused: {what}"
    elif whole and not -_LARGEST <= value < _LARGEST:
        yield f"refused: {name} is too large for 64 bits"


def _parses(text: str, whole: bool) -> bool:
    try:
        int(text) if whole else float(text)
    except ValueError:
        return False
    return True


def _type(value: Any) -> str:
    kinds = {
        str: "text",
        bool: "true or false",
        int: "a number",
        float: "a fraction",
        list: "a list",
        dict: "an object",
    }
    return kinds[type(value)]
