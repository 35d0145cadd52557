"""Intervals that cover at their stated rate: exact, or from a bound that is proven."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from scipy import special

from ebit.analysis.binomial import (
    PValue,
    check_count,
    check_level,
    check_probability,
    log_upper_tail,
)
from ebit.analysis.coverage import (
    CONFIDENCE_SHARE,
    Array,
    Design,
    Moments,
    chernoff_limit,
    chernoff_log_tail,
    safe_limits,
)
from ebit.games import ArgumentError

__all__ = [
    "Interval",
    "betting_interval",
    "correlator_interval",
    "mean_interval",
    "mean_tail",
    "sum_interval",
    "sum_tail",
]

_POOLED = "pooled Clopper-Pearson"
_BOUNDED = "Chernoff, Berry-Esseen and Bennett bounds, inverted"
# Short of 1, so that one observation of zero does not end the game.
_LARGEST_BET = 0.99
# Confidence sets are computed down to errors of about 1e-297.
_SMALLEST_LOG_ERROR = -680.0


@dataclass(frozen=True)
class Interval:
    """A confidence interval and how it was found.

    Attributes:
        low: lower limit.
        high: upper limit.
        level: confidence level, such as 0.95; each side errs with at most (1 - level) / 2.
        method: what makes it cover.
    """

    low: float
    high: float
    level: float
    method: str

    def affine(self, slope: float, shift: float = 0.0) -> Interval:
        """Return the interval of slope * x + shift; a negative slope swaps the ends.

        >>> Interval(0.25, 0.5, 0.95, "example").affine(8, -4)
        Interval(low=-2.0, high=0.0, level=0.95, method='example')
        """
        ends = sorted((float(slope * self.low + shift), float(slope * self.high + shift)))
        return Interval(ends[0], ends[1], self.level, self.method)

    def __contains__(self, value: float) -> bool:
        """Whether the value lies inside, ends included."""
        return self.low <= value <= self.high


def mean_interval(wins: int, n: int, level: float = 0.95) -> Interval:
    """Return an interval for the mean win probability of n independent rounds.

    Clopper-Pearson, P(Bin(n, low) >= k) = P(Bin(n, high) <= k) = (1 - level) / 2. It covers
    also when the rounds are not alike (Hoeffding 1956): that needs limits at least 1/n away
    from k/n, which holds for every level of at least 1/2 but at one win or one loss, where the
    limit (1 - level) / (2 n) from the end takes its place.

    Args:
        wins: rounds won. n: rounds. level: confidence, in [0.5, 1).

    Returns:
        The interval; [0, 1] at n = 0.

    Raises:
        ArgumentError: counts or level out of range.

    >>> interval = mean_interval(196, 245)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.7444, 0.8482)

    Source: Clopper and Pearson 1934; Hoeffding, Ann. Math. Stat. 27, 713 (1956), theorem 4.
    """
    n = check_count("n", n)
    k = check_count("wins", wins, high=n)
    error = (1 - check_level(level)) / 2
    low, high = safe_limits(
        np.array([float(k)]), np.array([float(n)]), low_error=error, high_error=error
    )
    return Interval(float(low[0]), float(high[0]), level, "Clopper-Pearson")


def mean_tail(wins: int, n: int, bound: float | Fraction) -> PValue:
    """Return a bound on P(at least so many wins) for independent rounds of mean <= bound.

    The binomial tail P(Bin(n, bound) >= k) where k >= n bound + 1 (Hoeffding 1956), else 1.
    Rounds need not be alike, but must be independent: for devices with memory every round must
    obey the bound, see `ebit.analysis.evidence.memory_p_value`.

    Args:
        wins: rounds won. n: rounds. bound: largest mean win probability under the null.

    >>> round(mean_tail(196, 245, 0.75).value, 5)
    0.03908
    >>> mean_tail(184, 245, 0.75).value  # 184 < 245 * 0.75 + 1
    1.0

    Source: Hoeffding, Ann. Math. Stat. 27, 713 (1956), theorem 4.
    """
    n = check_count("n", n)
    k = check_count("wins", wins, high=n)
    method = "binomial tail for independent rounds (Hoeffding 1956)"
    if k < n * Fraction(check_probability("bound", bound)) + 1:
        return PValue.from_log(0.0, method)
    return PValue.from_log(log_upper_tail(k, n, bound), method)


def correlator_interval(plus: int, n: int, level: float = 0.95) -> Interval:
    """Return an interval for a correlator E = 2 P(product = +1) - 1.

    Args:
        plus: rounds whose product of outcomes was +1. n: rounds. level: confidence.

    >>> interval = correlator_interval(85, 100)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.5294, 0.8271)

    Source: `mean_interval`.
    """
    return mean_interval(plus, n, level).affine(2, -1)


def _betting_lower(values: Array, multiplicity: Array, error: float) -> float:
    """The largest m that the mixture of bets on a mean above m rejects at this error."""
    n = float(multiplicity.sum())
    mean = float(multiplicity @ values) / n
    if mean <= 0:
        return 0.0
    smallest = 2 * math.sqrt(2 * math.log(1 / error) / n)
    rungs = max(0, math.ceil(math.log2(_LARGEST_BET / min(smallest, _LARGEST_BET))))
    bets = _LARGEST_BET * 2.0 ** -np.arange(rungs + 1)
    weights = np.array([1.0]) if rungs == 0 else np.array([0.5] + [0.5 / rungs] * rungs)
    low, high = 0.0, mean
    for _ in range(60):
        middle = 0.5 * (low + high)
        gains = np.log1p(bets[:, None] * (values / middle - 1)) @ multiplicity
        if special.logsumexp(gains, b=weights) >= -math.log(error):
            low = middle
        else:
            high = middle
    return low


def betting_interval(x: npt.ArrayLike, level: float = 0.95) -> Interval:
    """Return an interval for the mean of independent observations in [0, 1], by betting.

    A mean of m is rejected from below when sum_j w_j prod_i (1 + f_j (x_i / m - 1)) reaches
    1 / error; from above, the same with 1 - x. Bets f_j: 0.99 with weight 1/2, and halves of it
    down to 2 sqrt(2 ln(1/error) / n), the best bet for observations as spread as coins, sharing
    the other half: they depend on n and level only. The product is monotone in m, so
    the accepted means form an interval.

    Valid for the average of the means of independent observations (by the inequality of
    arithmetic and geometric means, prod_i (1 + f (m_i / m - 1)) <= 1 when the m_i average to m:
    drift is allowed) and for observations that depend on the past with one conditional mean.
    The order does not matter. It adapts to small variance: for means of blocks or clusters.
    Predictable plug-in bets (Waudby-Smith and Ramdas) can be narrower by a fifth, but depend
    on the order and do not allow drift.

    Args:
        x: (N,) observations in [0, 1]. level: confidence, in [0.5, 1).

    Returns:
        The interval for the mean; [0, 1] at N = 0.

    Raises:
        ArgumentError: values outside [0, 1] or NaN, level out of range.

    >>> interval = betting_interval([0.84, 0.86, 0.85, 0.87, 0.83] * 100)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.8425, 0.852)

    Source: Waudby-Smith and Ramdas, J. R. Stat. Soc. B 86, 1 (2024), section 4; the fixed
    mixture and its validity under drift are derived above.
    """
    data = np.asarray(x, np.float64).ravel()
    error = (1 - check_level(level)) / 2
    if not np.all((data >= 0) & (data <= 1)):
        raise ArgumentError("Argument `x` must hold numbers in [0, 1]; some are outside, or NaN.")
    if data.size == 0:
        return Interval(0.0, 1.0, level, "betting")
    values, multiplicity = np.unique(data, return_counts=True)
    weights = multiplicity.astype(np.float64)
    low = _betting_lower(values, weights, error)
    return Interval(low, 1 - _betting_lower(1 - values, weights, error), level, "betting")


@dataclass(frozen=True, eq=False)
class _Problem:
    """A weighted sum with its signs removed: theta = shift + scale * sum_q share_q p_q."""

    wins: Array
    design: Design
    shift: float
    scale: float

    @property
    def estimate(self) -> float:
        """sum_q share_q k_q / n_q, in [0, 1]."""
        return float(self.design.steps @ self.wins)

    @property
    def pooled(self) -> bool:
        """Whether every win adds the same amount, so that only their number counts."""
        steps = self.design.steps
        return bool(steps.max() - steps.min() <= 1e-12 * steps.max())

    def mirrored(self) -> _Problem:
        """The same sum counted in losses."""
        return _Problem(self.design.counts - self.wins, self.design, self.shift, self.scale)


def _problem(wins: npt.ArrayLike, counts: npt.ArrayLike, weights: npt.ArrayLike) -> _Problem:
    k, n, c = (np.atleast_1d(np.asarray(v, np.float64)) for v in (wins, counts, weights))
    if not k.shape == n.shape == c.shape or k.ndim != 1:
        raise ArgumentError(
            "Arguments `wins`, `counts` and `weights` must be of one length, but were of shapes "
            f"{k.shape}, {n.shape} and {c.shape}."
        )
    if not (np.all(k == np.floor(k)) and np.all(n == np.floor(n))):
        raise ArgumentError("Arguments `wins` and `counts` must be whole numbers; some are not.")
    if np.any(k < 0) or np.any(k > n):
        raise ArgumentError("Argument `wins` must lie between 0 and `counts`; some do not.")
    used = c != 0
    if not (np.all(np.isfinite(c)) and used.any()):
        raise ArgumentError("Argument `weights` must be finite and not all zero.")
    if np.any(n[used] == 0):
        missing = [int(q) for q in np.flatnonzero(used & (n == 0))]
        raise ArgumentError(
            f"Argument `counts` must be positive where `weights` is not zero, but was 0 at {missing}."
        )
    k, n, c = k[used], n[used], c[used]
    scale = float(np.abs(c).sum())
    k = np.where(c < 0, n - k, k)
    return _Problem(k, Design(n, np.abs(c) / scale), float(c[c < 0].sum()), scale)


def _lower_limit(problem: _Problem, error: float) -> float:
    """The largest theta0 such that all theta <= theta0 are rejected at this error."""
    design, t = problem.design, problem.estimate
    if t <= 0:
        return 0.0
    threshold = math.log((1 - CONFIDENCE_SHARE) * error)
    moments = Moments.at(design, problem.wins, CONFIDENCE_SHARE * error)
    low, high = max(float(design.weights @ moments.low), 0.0), t
    for _ in range(32):
        middle = 0.5 * (low + high)
        if moments.log_tail(t - middle, middle) <= threshold:
            low = middle
        else:
            high = middle
    return max(low, chernoff_limit(design, t, threshold))


def sum_interval(
    wins: npt.ArrayLike, counts: npt.ArrayLike, weights: npt.ArrayLike, level: float = 0.95
) -> Interval:
    """Return an interval for theta = sum_q c_q p_q from independent rounds in Q settings.

    Where all |c_q| / n_q are equal, the pooled Clopper-Pearson interval (`mean_interval`).
    Otherwise the inversion of the smaller of two tail bounds, each proven for the worst case of
    the nuisance parameters p_q: Chernoff over all of them (any size), and the smaller of
    Berry-Esseen with the constant 0.56 and Bennett over a confidence set of them (Berger and
    Boos; large sizes), which is paid for with 1 % of the error. Probabilities may drift inside a setting; p_q is their mean.

    At p = .85 and slightly unequal counts it is wider than the normal interval by 29, 16, 4.4
    and 0.3 % at 4e3, 1e4, 1e5 and 1e8 rounds.

    Args:
        wins: (Q,) rounds won per setting. counts: (Q,) rounds per setting.
        weights: (Q,) c_q, of either sign; zeros are left out.
        level: confidence, in [0.5, 1).

    Returns:
        The interval for theta, within its algebraic range.

    Raises:
        ArgumentError: lengths that differ, counts out of range, a weighted setting never asked.

    S of a CHSH test, from the number of +1 products and the signs (sum_q s_q (2 p_q - 1)):

    >>> signs = np.array([1, 1, 1, -1])
    >>> plus, rounds = [850, 853, 848, 151], [1000, 1000, 1000, 1000]
    >>> s = sum_interval(plus, rounds, 2 * signs).affine(1, -signs.sum())
    >>> round(s.low, 4), round(s.high, 4), s.method
    (2.7084, 2.8875, 'pooled Clopper-Pearson')
    >>> s = sum_interval(plus, [1000, 1010, 990, 1000], 2 * signs).affine(1, -signs.sum())
    >>> round(s.low, 4), round(s.high, 4)
    (2.6853, 2.9136)

    Source: Hoeffding 1956; Shevtsova 2010; Berger and Boos, JASA 89, 1012 (1994);
    `ebit.analysis.coverage` derives the bounds.
    """
    error = (1 - check_level(level)) / 2
    problem = _problem(wins, counts, weights)
    if problem.pooled:
        total, n = int(problem.wins.sum()), int(problem.design.counts.sum())
        share = mean_interval(total, n, level)
        pooled = Interval(share.low, share.high, level, _POOLED)
        return pooled.affine(problem.scale, problem.shift)
    low = _lower_limit(problem, error)
    high = 1 - _lower_limit(problem.mirrored(), error)
    return Interval(low, high, level, _BOUNDED).affine(problem.scale, problem.shift)


def sum_tail(
    wins: npt.ArrayLike, counts: npt.ArrayLike, weights: npt.ArrayLike, bound: float
) -> PValue:
    """Return a proven p-value for sum_q c_q p_q <= bound, for independent rounds.

    The smallest alpha at which `sum_interval`'s one-sided test rejects: pooled, the binomial
    tail of `mean_tail`; else the smaller of the Chernoff bound / 0.99 and the alpha at which the
    bound over the confidence set of error alpha / 100 is 0.99 alpha. Rejection is
    monotone in alpha, so the p-value is valid although the better bound is taken.

    Args:
        wins: (Q,) rounds won per setting. counts: (Q,) rounds per setting.
        weights: (Q,) c_q, of either sign. bound: largest theta under the null.

    Returns:
        The p-value, its log10, and which bound gave it.

    Raises:
        ArgumentError: as `sum_interval`.

    Is S above 2, with one minus sign?

    >>> signs = np.array([1, 1, 1, -1])
    >>> tail = sum_tail([850, 853, 848, 151], [1000, 1010, 990, 1000], 2 * signs, 2 + signs.sum())
    >>> round(tail.log10, 2), tail.method
    (-51.73, 'Chernoff bound')

    Source: as `sum_interval`.
    """
    problem = _problem(wins, counts, weights)
    limit = (bound - problem.shift) / problem.scale
    if limit >= 1 or problem.estimate <= limit:
        return PValue.from_log(0.0, "estimate within the bound")
    if limit < 0:
        return PValue.from_log(-math.inf, "bound below the algebraic minimum")
    if problem.pooled:
        total, n = int(problem.wins.sum()), int(problem.design.counts.sum())
        return mean_tail(total, n, limit)
    design, t = problem.design, problem.estimate
    spare = math.log1p(-CONFIDENCE_SHARE)
    chernoff = chernoff_log_tail(design, t, limit) - spare

    def rejects(log_error: float) -> bool:
        moments = Moments.at(design, problem.wins, CONFIDENCE_SHARE * math.exp(log_error))
        return moments.log_tail(t - limit, limit) <= log_error + spare

    moment = _smallest_rejected(rejects, _SMALLEST_LOG_ERROR, min(chernoff, 0.0))
    if moment < chernoff:
        return PValue.from_log(moment, "Berry-Esseen and Bennett bounds over a confidence set")
    return PValue.from_log(chernoff, "Chernoff bound")


def _smallest_rejected(rejects: Callable[[float], bool], low: float, high: float) -> float:
    """The smallest log error at which a monotone test rejects, or infinity if not at `high`."""
    if low >= high or not rejects(high):
        return math.inf
    if rejects(low):
        return low
    for _ in range(36):
        middle = 0.5 * (low + high)
        if rejects(middle):
            high = middle
        else:
            low = middle
    return high
