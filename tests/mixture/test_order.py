"""The order inside one source."""

import pickle

import numpy as np
import pytest

from vlmkit.mixture.order import SourceOrder, shuffled

RUNS = [1000, 0, 3, 10_000, 257, 256]
ALL = sum(RUNS)


def one_pass(order, repeat=0, samples=ALL):
    places = [order.place(repeat * samples + taken) for taken in range(samples)]
    assert {again for _, again in places} == {repeat}
    return [number for number, _ in places]


@pytest.mark.parametrize("runs", [RUNS, [1], [0, 1, 0], [256], [257, 255], [1] * 40], ids=str)
def test_each_pass_has_every_sample_once(runs):
    order = SourceOrder(runs, "0")
    for repeat in (0, 1, 5):
        assert sorted(one_pass(order, repeat, sum(runs))) == list(range(sum(runs)))


def test_each_pass_and_each_seed_has_an_order_of_its_own():
    orders = [one_pass(SourceOrder(RUNS, seed), repeat) for seed, repeat in (("0", 0), ("0", 1), ("1", 0))]
    for here, there in ((0, 1), (0, 2), (1, 2)):
        same = sum(a == b for a, b in zip(orders[here], orders[there], strict=True))
        assert same < 12, "of 11,516, one is expected to stay in its place"
    assert one_pass(SourceOrder(RUNS, "0")) == orders[0]


def test_neighbours_do_not_stay_together_and_few_runs_are_in_use():
    pool, samples = 16 * 256, 24 * 16 * 256
    order = np.array(one_pass(SourceOrder([samples], "7"), samples=samples))
    assert np.mean(np.abs(np.diff(order)) == 1) < 0.001
    assert {len(set(read.tolist())) for read in (order // 256).reshape(-1, pool)} == {16}
    assert abs(np.corrcoef(np.arange(samples), order)[0, 1]) < 0.2


def test_the_place_of_a_sample_is_even():
    """Over many seeds each sample is first equally often: chi-square with 49 degrees, far below its 0.999 quantile."""
    firsts = np.bincount([SourceOrder([50], f"{seed} 0").place(0)[0] for seed in range(5000)], minlength=50)
    assert ((firsts - 100) ** 2 / 100).sum() < 85.4


def test_a_shuffle_is_the_same_for_ever():
    """Written down: a new version of numpy, or another machine, must not change the order of a running training."""
    assert shuffled(12, "0 0 0").tolist() == [1, 7, 2, 3, 6, 5, 9, 4, 8, 0, 10, 11]


def test_any_place_follows_from_nothing_before_it():
    order, fresh = SourceOrder(RUNS, "3"), SourceOrder(RUNS, "3")
    wanted = {taken: order.place(taken) for taken in range(2 * ALL)}
    copied = pickle.loads(pickle.dumps(order))
    for taken in range(2 * ALL - 1, 0, -613):
        assert fresh.place(taken) == copied.place(taken) == wanted[taken]
