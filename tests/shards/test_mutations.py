"""Damaged tars, 2,000 of them: reading one never crashes, hangs, or takes memory, and what is whole comes out whole.

The cases are those that tests/benchmarks/shards/mutations.py runs a hundred thousand of.
"""

import sys
import tracemalloc
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks/shards"))

import damage
import mutations

COUNT = 2_000
MOST_MIB = 24  # windows of the reader, twice the largest; a size field may claim 2^88 bytes
BASES = {base.name: base for base in damage.bases()}


@pytest.mark.parametrize("name", BASES)
def test_whatever_is_damaged_the_rest_is_read(name):
    tracemalloc.start()
    try:
        for number in range(COUNT // len(BASES)):
            with mutations.limits(f"case {number}"):
                mutations.check(BASES[name], number)
        assert tracemalloc.get_traced_memory()[1] < MOST_MIB << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", BASES)
def test_undamaged_every_sample_comes_back(name):
    """Otherwise the cases would show nothing."""
    base = BASES[name]
    found = mutations.outcome(mutations.from_file(base.tar))
    assert found.samples == [content for content, _ in base.samples]
    assert (found.damaged, found.broken) == (False, False)
    assert len(found.samples) >= 4


def test_the_cases_differ_and_most_do_damage():
    base = BASES["pax"]
    tars = {damage.damaged(base, number) for number in range(200)}
    assert len(tars) > 180
    outcomes = [mutations.check(base, number) for number in range(200)]
    assert sum(one.damaged for one in outcomes) > 80
    assert sum(0 < len(one.samples) < len(base.samples) for one in outcomes) > 80
