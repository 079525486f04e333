"""Intervals hold the truth as often as they say, and equal models are called different as seldom as they say."""

import json
import subprocess
import sys

import numpy as np
import pytest

from vlmkit.evaluation.statistics import interval, paired_test, smallest_difference

TRIALS = 300


def questions(random, pictures, most, rate):
    """Marks of questions about pictures, of which some are hard and some easy: a rate each, `rate` on average."""
    sizes = random.integers(1, most + 1, pictures)
    rates = random.beta(3 * rate, 3 * (1 - rate), pictures)
    clusters = np.repeat(np.arange(pictures), sizes)
    return random.random(len(clusters)) < rates[clusters], clusters.tolist()


@pytest.mark.parametrize(("pictures", "most", "rate"), [(40, 10, 0.5), (120, 4, 0.75)])
def test_the_interval_holds_the_truth_in_95_of_100_test_sets(pictures, most, rate):
    random = np.random.default_rng(1)
    held = 0
    for trial in range(TRIALS):
        low, high = interval(*questions(random, pictures, most, rate), trial)
        held += low <= rate <= high
    assert 0.92 <= held / TRIALS <= 0.98


def test_an_interval_that_took_questions_for_independent_would_be_too_narrow():
    """Each picture's ten questions are right or wrong together, so there are 50 observations and not 500."""
    random = np.random.default_rng(2)
    correct = np.repeat(random.random(50) < 0.6, 10)
    low, high = interval(correct, np.repeat(np.arange(50), 10).tolist())
    naive_low, naive_high = interval(correct, list(range(500)))
    assert high - low > 2.8 * (naive_high - naive_low)


@pytest.mark.parametrize(("pictures", "most"), [(40, 1), (60, 6)])
def test_models_of_equal_skill_are_called_different_in_5_of_100_test_sets(pictures, most):
    random = np.random.default_rng(3)
    alarms = held = 0
    for trial in range(TRIALS):
        a, clusters = questions(random, pictures, most, 0.6)
        # With half of the pictures each model has luck of its own, or has not, for all questions about one.
        keeps, luck = random.random(pictures)[clusters] < 0.5, random.random((2, pictures))[:, clusters] < 0.6
        result = paired_test(np.where(keeps, a, luck[0]), np.where(keeps, a, luck[1]), clusters, trial)
        alarms += result.p < 0.05
        held += result.low <= 0 <= result.high
    assert 0.02 <= alarms / TRIALS <= 0.08
    assert 0.91 <= held / TRIALS <= 0.98


def test_the_smallest_difference_is_found_in_80_of_100_test_sets():
    random = np.random.default_rng(4)
    found = smallest = 0.0
    for trial in range(TRIALS):
        a = random.random(400) < 0.5
        b = np.where(random.random(400) < 0.12, True, a)  # half of these were right before: a gain of 0.06
        b = np.where(random.random(400) < 0.08, random.random(400) < 0.5, b)
        found += paired_test(a, b, list(range(400)), trial).p < 0.05
        smallest += smallest_difference(a, b, list(range(400))) / TRIALS
    shown = found / TRIALS  # at a gain of about 0.055
    assert 0.035 < smallest < 0.055
    assert shown > 0.8


def test_known_differences():
    """Ten pictures, all of them better: of 2**10 sign flips two are as extreme."""
    result = paired_test([0] * 10, [1] * 10, list(range(10)))
    assert result.difference == 1
    assert result.p == pytest.approx(2 / 1024, abs=0.0015)
    assert paired_test([1] * 10, [0] * 10, list(range(10))).difference == -1
    same = paired_test([1, 0, 1], [1, 0, 1], ["x", "y", "z"])
    assert (same.difference, same.p) == (0, 1)
    assert same.low < 0 < same.high
    # Two pictures with five questions each are two observations: nothing can be significant.
    assert paired_test([0] * 10, [1] * 10, [0] * 5 + [1] * 5).p > 0.4


def test_what_was_never_seen_may_still_happen():
    """No wrong answer among 100 pictures leaves room for a few in a hundred (the rule of three, at 97.5 %)."""
    assert interval([1] * 100, list(range(100))) == pytest.approx((1 - 0.0362, 1), abs=1e-4)
    assert interval([0] * 100, list(range(100))) == pytest.approx((0, 0.0362), abs=1e-4)
    assert interval([0] * 100, [0] * 100) == pytest.approx((0, 0.975))
    assert smallest_difference([1, 1], [1, 1], [0, 1]) > 0.8


def test_marks_between_0_and_1_count_by_their_size():
    random = np.random.default_rng(5)
    low, high = interval(random.random(2000), list(range(2000)))
    assert low < 0.5 < high
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(1 / 12 / 2000), rel=0.05)


def test_the_order_of_the_questions_does_not_matter_and_the_seed_does():
    correct, clusters = questions(np.random.default_rng(6), 30, 5, 0.5)
    order = np.random.default_rng(7).permutation(len(clusters))
    shuffled = correct[order], [clusters[place] for place in order]
    assert interval(*shuffled, seed=3) == interval(correct, clusters, seed=3)
    assert interval(correct, clusters, seed=4) != interval(correct, clusters, seed=3)
    others = np.roll(correct, 1)
    assert paired_test(shuffled[0], others[order], shuffled[1], 3) == paired_test(correct, others, clusters, 3)


def test_many_questions_are_quick_and_fit_into_memory():
    random = np.random.default_rng(8)
    a, b = random.random(100_000) < 0.7, random.random(100_000) < 0.71
    result = paired_test(a, b, list(range(100_000)))
    assert result.low < b.mean() - a.mean() < result.high


def test_statistics_need_nothing_heavy():
    script = "import sys, json; import vlmkit.evaluation.statistics; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"torch", "scipy", "pandas", "lm_eval", "transformers"} & set(json.loads(done.stdout))
