"""The sample plan: an order that is a function of recipe and data."""

import os
import pickle
from collections import Counter
from dataclasses import replace
from itertools import islice

import pytest

from vlmkit.errors import VlmkitError
from vlmkit.mixture.plan import SamplePlan
from vlmkit.mixture.recipe import read_recipe


@pytest.fixture
def plan(texts):
    """`plan("a@0.5", "b@0.5", samples=10)` of these folders: a has 700 samples, b 300, c 10."""
    folders = {name: str(texts(name, *sizes)) for name, sizes in {"a": (400, 300), "b": (300,), "c": (4, 6)}.items()}

    def make(*parts, samples=None, seed=None):
        return SamplePlan(read_recipe([folders[part[0]] + part[1:] for part in parts], samples, seed))

    return make


def keys(plan):
    return [sample.key for sample in plan]


def test_without_weights_every_sample_comes_once(plan):
    found = plan("a", "b", "c")
    assert (len(found), found.counts()) == (1010, [700, 300, 10])
    assert len(set(keys(found))) == 1010
    assert Counter(place.repeat for place in map(found.place, range(1010))) == {0: 1010}


def test_shares_hold_in_every_prefix_and_sources_repeat_as_wholes(plan):
    found = plan("a@0.5", "b@0.3", "c@0.2", samples=5000)
    seen = Counter()
    used = [Counter(), Counter(), Counter()]
    for position in range(5000):
        part, number, repeat = found.place(position)
        assert used[part][number] == repeat
        used[part][number] += 1
        assert max(used[part].values()) - 1 <= repeat, "none is used again before all were used"
        seen[part] += 1
        for each, share in enumerate((0.5, 0.3, 0.2)):
            assert abs(seen[each] - share * (position + 1)) < 1 + 1e-9
    assert found.counts() == [seen[part] for part in range(3)] == [2500, 1500, 1000]
    assert set(used[2].values()) == {100}
    assert set(used[1].values()) == {5}


def test_with_weights_alone_it_ends_before_anything_repeats(plan):
    found = plan("a@0.5", "b@0.5")
    assert (len(found), found.counts()) == (600, [300, 300])
    assert plan("a@3", "c@1").counts() == [30, 10]


def test_weights_are_exact_and_relative(plan):
    assert plan("a@0.1", "b@0.2", samples=300_000).counts() == [100_000, 200_000]
    assert plan("a@0.1", "b@0.2", samples=99).digest == plan("a@1", "b@2", samples=99).digest


def test_a_seed_decides_the_order(plan):
    orders = [keys(plan("a", "b", seed=seed)) for seed in (None, 0, 1)]
    assert orders[0] == orders[1]
    assert sorted(orders[1]) == sorted(orders[2])
    assert sum(one == other for one, other in zip(orders[1], orders[2], strict=True)) < 20


def test_a_source_that_is_named_twice_has_two_orders(plan):
    found = plan("a", "a")
    assert found.sources == ["a", "a-2"]
    assert found.indexes[0] is found.indexes[1]
    both = Counter(keys(found))
    assert set(both.values()) == {2}
    first, second = ([found.place(p).number for p in range(1400) if found.place(p).part == part] for part in (0, 1))
    assert sorted(first) == sorted(second)
    assert first != second


def test_a_longer_plan_begins_with_the_shorter_one(plan):
    short = plan("a@0.5", "c@0.5", samples=50)
    long = short.lengthened(2000)
    assert (len(short), len(long)) == (50, 2000)
    assert [long.place(p) for p in range(50)] == [short.place(p) for p in range(50)]
    assert long.digest == short.digest
    asked = plan("a@1", "c@1", samples=2000)
    assert [long.place(p) for p in range(2000)] == [asked.place(p) for p in range(2000)]


def test_two_epochs_are_each_everything_once_in_different_orders(plan):
    found = plan("a", "b")
    two = found.lengthened(2 * len(found))
    places = [two.place(position) for position in range(2000)]
    first, second = ([place[:2] for place in epoch] for epoch in (places[:1000], places[1000:]))
    assert sorted(first) == sorted(second) == sorted(set(first))
    assert first != second
    assert {place.repeat for place in places[1000:]} == {1}


def test_samples_say_where_they_are_from(plan, tmp_path):
    found = plan("a", "b")
    for position in range(0, 1000, 83):
        place, sample = found.place(position), found[position]
        there = found.indexes[place.part][place.number]
        assert (sample.key, bytes(sample["txt"])) == (there.key, there.key.encode())
        assert sample.row == {"source": "ab"[place.part], "source_key": f"{there.shard}/{there.key}"}
        assert found.size_bytes(position) == sample.size_bytes == 1024


def test_every_worker_sees_the_same_plan(plan):
    """A copy in another process that reads every fourth sample, beginning in the middle."""
    found = plan("a@0.5", "b@0.3", "c@0.2", samples=3000)
    whole = keys(found)
    for rank in range(4):
        copied = pickle.loads(pickle.dumps(found))
        assert [copied[position].key for position in range(1500 + rank, 3000, 4)] == whole[1500 + rank :: 4]


def test_a_pickled_plan_is_small(plan):
    assert len(pickle.dumps(plan("a", "b", "c"))) < 1010 * 20 + 4_000


@pytest.mark.parametrize("position", [-1, 1010, 10**15])
def test_there_is_nothing_beyond_the_end(plan, position):
    with pytest.raises(IndexError):
        plan("a", "b", "c")[position]


def test_iterating_ends(plan):
    assert len(list(plan("c"))) == 10
    assert len(list(islice(plan("c", samples=10**12), 25))) == 25


def test_the_digest_tells_of_data_weights_and_seed_and_of_nothing_else(plan, texts, tmp_path):
    digest = plan("a@1", "b@2", seed=3).digest
    os.utime(tmp_path / "a", (1, 1))
    for tar in (tmp_path / "a").glob("*.tar"):
        os.utime(tar, (1, 1))
    assert plan("a@1", "b@2", seed=3).digest == digest
    others = {
        "seed": plan("a@1", "b@2", seed=4).digest,
        "weights": plan("a@1", "b@3", seed=3).digest,
        "order of sources": plan("b@2", "a@1", seed=3).digest,
        "sources": plan("a@1", "c@2", seed=3).digest,
    }
    texts("b", 299, 1)
    others["shards"] = plan_again(tmp_path, "a@1", "b@2").digest
    texts("b", 300)
    (tmp_path / "b/00001.tar").unlink()
    assert plan_again(tmp_path, "a@1", "b@2").digest == digest
    texts("b", 300, say="{}" + "x" * 600)
    others["sizes"] = plan_again(tmp_path, "a@1", "b@2").digest
    assert len({digest, *others.values()}) == 7


def plan_again(folder, *parts):
    return SamplePlan(read_recipe([f"{folder}/{part}" for part in parts], seed=3))


def test_one_sample_is_a_mix(plan):
    found = plan("a@0.999", "c@0.001", samples=1)
    assert found.counts() == [1, 0]
    assert [sample.row["source"] for sample in found] == ["a"]


@pytest.mark.parametrize("weights", [("@1", "@1"), ("", "")])
def test_a_source_without_samples_is_refused(plan, tmp_path, vlmkit, weights):
    plan("a")
    vlmkit("filter", tmp_path / "a", tmp_path / "empty", "--min-words", 99)
    with pytest.raises(VlmkitError, match=f"{tmp_path}/empty has no samples"):
        SamplePlan(read_recipe([f"{tmp_path}/a{weights[0]}", f"{tmp_path}/empty{weights[1]}"]))


def test_a_recipe_that_is_changed_is_another_plan(plan):
    found = plan("a", "b", samples=40)
    assert len(SamplePlan(replace(found.recipe, samples=60))) == 60
