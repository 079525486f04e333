"""What a score and a difference of scores are worth: intervals and tests for answers that share pictures.

Questions about one picture are right or wrong together, so pictures are drawn and flipped, never single answers
(Cameron, Gelbach and Miller, 2008). All is exact resampling, with a seed, and depends on no order of the answers.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

CONFIDENCE = 0.95
RESAMPLES = 10_000
POWER = 0.8

Floats = NDArray[np.float64]

_TAIL = (1 - CONFIDENCE) / 2
_DRAWS_AT_ONCE = 1_000_000  # bounds the memory
_MULTINOMIAL_COST = 8  # of one kind, in drawn clusters


@dataclass(frozen=True)
class PairedResult:
    """How much better b is than a (mean of b minus mean of a), its interval, and the p-value of no difference."""

    difference: float
    low: float
    high: float
    p: float


def interval(correct: ArrayLike, clusters: Sequence[Hashable], seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mean of `correct`, values in [0, 1], by a bootstrap over clusters. Both have length n."""
    sums, sizes = _totals(np.asarray(correct, float), clusters)
    return _bootstrap(sums, sizes, (0.0, 1.0), seed)


def paired_test(a: ArrayLike, b: ArrayLike, clusters: Sequence[Hashable], seed: int = 0) -> PairedResult:
    """Whether b is better or worse than a on the same questions, marks in [0, 1], all of length n.

    The interval is a bootstrap over clusters; the p-value, two-sided, comes from flipping the sign of each cluster's
    difference, as may be done if a and b are equally good.
    """
    sums, sizes = _totals(np.asarray(b, float) - np.asarray(a, float), clusters)
    low, high = _bootstrap(sums, sizes, (-1.0, 1.0), seed)
    return PairedResult(float(sums.sum() / sizes.sum()), low, high, _sign_flips(sums, seed))


def smallest_difference(a: ArrayLike, b: ArrayLike, clusters: Sequence[Hashable]) -> float:
    """The difference that a paired test at 5 % on as many clusters would show in 80 of 100 cases, if a and b
    disagree as often as they do here (of none that disagrees, as seldom as that allows).
    """
    sums, sizes = _totals(np.asarray(b, float) - np.asarray(a, float), clusters)
    normal = NormalDist()
    error = _standard_error(sums, sizes)
    if error < 1e-12:
        return _unseen(len(sums))
    return min(1.0, (normal.inv_cdf(1 - _TAIL) + normal.inv_cdf(POWER)) * error)


def _totals(values: Floats, clusters: Sequence[Hashable]) -> tuple[Floats, Floats]:
    """Sum and number of the values of each cluster, [clusters] each, in an order that depends on themselves only."""
    assert values.shape == (len(clusters),)
    assert len(clusters) > 0
    numbers: dict[Hashable, int] = {}
    places = np.array([numbers.setdefault(cluster, len(numbers)) for cluster in clusters])
    sums = np.bincount(places, values).astype(np.float64)
    sizes = np.bincount(places).astype(np.float64)
    order = np.lexsort((sums, sizes))
    return sums[order], sizes[order]


def _bootstrap(sums: Floats, sizes: Floats, limits: tuple[float, float], seed: int) -> tuple[float, float]:
    """Percentiles of the mean over redrawn clusters, widened for their small number (Hesterberg, 2015).

    Without any spread among the clusters a bootstrap says nothing; then the interval allows for those not seen.
    """
    count, means = len(sums), sums / sizes
    if np.ptp(means) < 1e-12:
        mean, unseen = float(means[0]), _unseen(count)
        return mean - unseen * (mean - limits[0]), mean + unseen * (limits[1] - mean)
    redrawn = _redrawn_totals(np.column_stack([sums, sizes]), np.random.default_rng(seed))
    tail = NormalDist().cdf(-math.sqrt(count / (count - 1)) * _student(1 - _TAIL, count - 1))
    low, high = np.quantile(redrawn[:, 0] / redrawn[:, 1], [tail, 1 - tail])
    return float(low), float(high)


def _redrawn_totals(totals: Floats, generator: np.random.Generator) -> Floats:
    """Sums over as many clusters drawn with replacement, [RESAMPLES, 2], of totals [clusters, 2].

    Clusters with equal totals are alike: where there are few kinds, how often each is drawn is one multinomial draw.
    """
    count = len(totals)
    kinds, members = np.unique(totals, axis=0, return_counts=True)
    if len(kinds) * _MULTINOMIAL_COST < count:
        return generator.multinomial(count, members / count, RESAMPLES) @ kinds
    block = max(1, _DRAWS_AT_ONCE // count)
    sizes = [min(block, RESAMPLES - start) for start in range(0, RESAMPLES, block)]
    drawn = (generator.integers(0, count, (size, count)) for size in sizes)
    columns = np.ascontiguousarray(totals.T)
    return np.concatenate([np.column_stack([column[places].sum(axis=1) for column in columns]) for places in drawn])


def _sign_flips(sums: Floats, seed: int) -> float:
    """The share of sign flips with a total as far from 0 as the one seen, itself among them (Phipson and Smyth, 2010).

    Of c clusters with the same absolute difference v, a binomial number stays positive.
    """
    kinds, members = np.unique(np.abs(sums[np.abs(sums) > 1e-12]), return_counts=True)
    positive = np.random.default_rng(seed).binomial(members, 0.5, (RESAMPLES, len(kinds)))
    totals = np.abs((2 * positive - members) @ kinds)
    return float((1 + np.sum(totals >= abs(sums.sum()) - 1e-9)) / (1 + RESAMPLES))


def _standard_error(sums: Floats, sizes: Floats) -> float:
    """Of a mean over clusters of unequal size, by linearisation; inf from a single cluster."""
    count = len(sums)
    if count == 1:
        return math.inf
    residuals = sums - sums.sum() / sizes.sum() * sizes
    return float(math.sqrt(count / (count - 1) * np.sum(residuals**2)) / sizes.sum())


def _unseen(count: int) -> float:
    """The largest share of other clusters of which `count` draws show none in 2.5 of 100 cases (Clopper-Pearson)."""
    return float(1 - _TAIL ** (1 / count))


def _student(quantile: float, degrees: int) -> float:
    """A quantile of Student's t by its Cornish-Fisher expansion; within 1 % from 4 degrees of freedom on."""
    z = NormalDist().inv_cdf(quantile)
    terms = (z, (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384)
    return float(sum(term / degrees**power for power, term in enumerate(terms)))
