"""Keys are unique within a shard, and the first of a name keeps it."""

from hypothesis import given
from hypothesis import strategies as st

from vlmkit.shards.keys import UniqueKeys

# Few names, and some that look like the repeats of others.
keys = st.lists(st.sampled_from(["a", "a~1", "a~2", "a~1~1", "b", "~1", ""]), max_size=30)


def test_the_r_th_repeat_of_a_key_gets_r():
    unique = UniqueKeys()
    assert [unique(key) for key in ["a", "b", "a", "a", "b"]] == ["a", "b", "a~1", "a~2", "b~1"]


def test_a_repeat_makes_way_for_a_key_that_is_there_already():
    unique = UniqueKeys()
    assert [unique(key) for key in ["a~1", "a", "a", "a~1", "a"]] == ["a~1", "a", "a~2", "a~1~1", "a~3"]


@given(keys)
def test_no_two_are_equal(keys):
    unique = UniqueKeys()
    named = [unique(key) for key in keys]
    assert len(set(named)) == len(named) == len(unique)
    assert all(name == key or name.startswith(f"{key}~") for key, name in zip(keys, named, strict=True))


@given(st.lists(st.text(max_size=4), unique=True))
def test_different_keys_keep_their_names(keys):
    unique = UniqueKeys()
    assert [unique(key) for key in keys] == keys


@given(keys, keys)
def test_what_comes_later_changes_no_name_given_before(before, after):
    one, other = UniqueKeys(), UniqueKeys()
    assert [one(key) for key in before + after][: len(before)] == [other(key) for key in before]


def test_a_key_repeated_a_hundred_thousand_times_takes_no_time():
    unique = UniqueKeys()
    assert [unique("a") for _ in range(100_000)][-1] == "a~99999"
