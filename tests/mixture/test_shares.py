"""Which source stands where: shares that hold in every prefix."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmkit.mixture.shares import Shares

LENGTH = 10_000  # more than two windows


def laid_out(shares, length=LENGTH):
    return np.array([shares.place(position) for position in range(length)])


def deviations(weights, parts):
    """[positions, parts]: counts in each prefix, less the shares, times the sum of the weights: whole numbers."""
    counts = np.cumsum(parts[:, None] == np.arange(len(weights)), axis=0)
    return counts * sum(weights) - np.arange(1, len(parts) + 1)[:, None] * np.array(weights)


WEIGHTS = [[1], [1, 1], [5, 3, 2], [1, 1, 1, 1, 1, 1, 1], [997, 1, 1, 1], [333, 334, 333], [50] + [1] * 50, [1, 4096]]


@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
def test_every_prefix_has_the_shares_to_within_less_than_one(weights):
    parts = laid_out(Shares(weights))[:, 0]
    assert np.abs(deviations(weights, parts)).max() < sum(weights)


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=8).filter(lambda w: min(w) * 4096 >= sum(w)))
def test_every_prefix_has_any_shares(weights):
    parts = laid_out(Shares(weights), 5000)[:, 0]
    assert np.abs(deviations(weights, parts)).max() < sum(weights)


@pytest.mark.parametrize("weights", [[1, 1, 1, 10**5], [3, 1, 2, 10**9, 10**9], [1, 2] * 5 + [10**6]], ids=str)
def test_several_tiny_shares_hold_to_within_less_than_two(weights):
    parts = laid_out(Shares(weights))[:, 0]
    assert np.abs(deviations(weights, parts)).max() < 2 * sum(weights)


@pytest.mark.parametrize("weights", [[38_575, 9_673, 1], [1, 2, 10**5], [1, 10**6], [7, 7]], ids=str)
def test_weights_by_size_come_out_exactly(weights):
    assert Shares(weights).counts(sum(weights)) == weights
    assert Shares(weights).counts(3 * sum(weights)) == [3 * weight for weight in weights]


@pytest.mark.parametrize("weights", [[5, 3, 2], [1, 1, 1, 10**5]], ids=str)
def test_turns_and_counts_tell_what_was_before(weights):
    shares, before = Shares(weights), [0] * len(weights)
    for position in range(LENGTH):
        part, turn = shares.place(position)
        assert turn == before[part]
        before[part] += 1
        if position % 997 == 0:
            assert shares.counts(position + 1) == before


def test_a_place_far_out_is_found_at_once():
    """A trillion samples on, the shares still hold, and what stands there follows from nothing before it."""
    weights, far = [5, 3, 2, 1], 10**12 + 7
    counts = [Shares(weights).counts(far + step) for step in range(50)]
    assert all(abs(n * 11 - w * (far + 49)) < 11 for n, w in zip(counts[-1], weights, strict=True))
    for step, (now, then) in enumerate(pairwise(counts)):
        part, turn = Shares(weights).place(far + step)
        assert (turn, now[part] + 1) == (now[part], then[part])


def test_sources_alternate_evenly():
    assert laid_out(Shares([1, 1]), 8)[:, 0].tolist() == [0, 1] * 4
    assert laid_out(Shares([2, 1]), 9)[:, 0].tolist() == [0, 1, 0] * 3


def test_a_pickled_copy_goes_on_the_same():
    shares = Shares([5, 3, 2])
    shares.place(0)
    assert (laid_out(pickle.loads(pickle.dumps(shares)), 100) == laid_out(shares, 100)).all()
