"""One type for all values of a place, and values that fit it."""

import json
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmkit.exports.values import MOST_NAMES, ObjectOf, Scalar, Seen

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


def fitted(*values, fills=True):
    seen = Seen()
    for value in values:
        seen.see(value)
    notes = Counter()
    kind = seen.type_at("")
    return [kind.fit(value, fills, notes) for value in values], kind, notes


@pytest.mark.parametrize(
    ("values", "fits"),
    [
        ([{"a": 1}, {"a": 2.5}], [{"a": 1.0}, {"a": 2.5}]),
        ([{"a": 1}, {"b": "x"}], [{"a": 1, "b": ""}, {"a": 0, "b": "x"}]),
        ([{"a": 1}, {"a": "x"}], [{"a": "1"}, {"a": "x"}]),
        ([{"a": True}, {"a": 1}], [{"a": "true"}, {"a": "1"}]),
        ([{"a": [1]}, {"a": []}, {}], [{"a": [1]}, {"a": [0]}, {"a": [0]}]),
        ([{"a": [1]}, {"a": {"b": 1}}], [{"a": "[1]"}, {"a": '{"b": 1}'}]),
        ([{"a": None}, {"a": 3}], [{"a": 0}, {"a": 3}]),
        ([{"a": None, "b": [], "c": {}, "d": 1}], [{"d": 1}]),
        ([{"a": 2**53 + 1}, {"a": 0.5}], [{"a": str(2**53 + 1)}, {"a": "0.5"}]),
        ([{"a": 2**64}, {"a": 1}], [{"a": str(2**64)}, {"a": "1"}]),
        ([{"a": float("inf")}, {"a": 1.5}], [{"a": 0.0}, {"a": 1.5}]),
        (
            [{"m": [{"type": "image"}, {"type": "text", "text": "x"}]}, {"m": [{"type": "text", "text": "y"}]}],
            [
                {"m": [{"type": "image", "text": ""}, {"type": "text", "text": "x"}]},
                {"m": [{"type": "text", "text": "y"}]},
            ],
        ),
    ],
)
def test_types_are_joined_and_gaps_filled(values, fits):
    assert fitted(*values)[0] == fits


def test_gaps_can_stay_gaps():
    found, _, notes = fitted({"a": 1, "b": ["x"]}, {"b": []}, {}, fills=False)
    assert found == [{"a": 1, "b": ["x"]}, {"a": None, "b": []}, {"a": None, "b": None}]
    assert not notes


def test_what_was_done_is_counted():
    *_, notes = fitted({"a": {"b": 1}}, {"a": {"b": "x"}}, {"a": {"b": [2]}}, {})
    assert notes == {
        "values written as text, since their types differ: a.b": 2,
        "places in json without a value, filled with an empty one": 1,
    }


def test_an_object_with_data_for_names_becomes_text():
    many = {f"word{n}": n for n in range(MOST_NAMES + 1)}
    found, kind, _ = fitted({"counts": many})
    assert kind == ObjectOf({"counts": Scalar("string", "counts")})
    assert json.loads(found[0]["counts"]) == many


@given(st.lists(st.dictionaries(st.sampled_from("xyz"), VALUES, max_size=3), min_size=1, max_size=5))
def test_whatever_comes_each_value_alone_shows_the_one_type(values):
    seen = Seen()
    for value in values:
        seen.see(value)
    kind = seen.type_at("")
    if kind is None:
        return
    found = [kind.fit(value, True, Counter()) for value in values]
    assert len({str(pa.array([value]).type) for value in found}) == 1
    assert "null" not in str(pa.array(found).type)
    assert [kind.fit(value, True, Counter()) for value in found] == found, "what fits is left alone"
