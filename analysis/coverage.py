"""Provable tail bounds for weighted sums of independent rounds: why the intervals cover.

Notation. Setting q was asked n_q times; X_i in {0, 1} are independent, with any win
probabilities p_i, also drifting inside a setting; p_q is their mean in setting q. With weights
c_q > 0 and d_q = c_q / n_q, the estimate T = sum_i d_q(i) X_i has the mean theta = sum_q c_q p_q.
Every bound holds for all p with theta <= theta0: the p_q are nuisance parameters, and the worst
of them is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import special

from ebit.analysis.binomial import clopper_pearson

__all__ = [
    "BERRY_ESSEEN",
    "CONFIDENCE_SHARE",
    "Design",
    "Moments",
    "bennett_log_tail",
    "chernoff_limit",
    "chernoff_log_tail",
    "safe_limits",
]

Array = npt.NDArray[np.float64]

# sup_x |P(Z < x) - Phi(x)| <= 0.56 sum E|X_i - p_i|^3 / sigma^3 for independent summands that
# need not be identical: Shevtsova, Doklady Mathematics 82, 862 (2010).
BERRY_ESSEEN = 0.56

# The part of every error probability that pays for the confidence set of the nuisance
# parameters. A fixed share of alpha, not a fixed amount, keeps rejection monotone in alpha.
CONFIDENCE_SHARE = 0.01

# More corners than this only sharpen the price, which may be any number.
_MOST_CORNERS = 512
# Beyond this the bound loses digits: s T is the size of the terms that cancel.
_LARGEST_SCALE = 1e8
_CELLS = np.concatenate([[0.0], np.linspace(0.3, 1.0, 71)])


@dataclass(frozen=True, eq=False)
class Design:
    """The known side of a weighted sum: how often each setting was asked, and its weight.

    Attributes:
        counts: (Q,) n_q > 0.
        weights: (Q,) c_q > 0.
    """

    counts: Array
    weights: Array

    @cached_property
    def steps(self) -> Array:
        """(Q,) d_q = c_q / n_q, what one win in each setting adds to the estimate."""
        return self.weights / self.counts

    @cached_property
    def largest(self) -> float:
        """The largest step: no centred summand exceeds it."""
        return float(self.steps.max())


def safe_limits(
    wins: Array, counts: Array, *, low_error: float, high_error: float
) -> tuple[Array, Array]:
    """Return limits for the mean of independent, not identical, Bernoulli probabilities.

    Clopper-Pearson limits, except that at one win the lower limit is low_error / n, and at one
    loss the upper limit is 1 - high_error / n.

    For S a sum of n independent Bernoulli with mean probability p, Hoeffding's theorem 4 gives
    P(S >= k) <= P(Bin(n, p) >= k) when k >= n p + 1. The lower limit fails to cover p only if
    S >= k*, the smallest count whose limit exceeds p. For k* >= 2 the limit at k* is below
    (k* - 1)/n, because P(Bin(n, (k-1)/n) >= k) >= 1/4 >= low_error, so k* >= n p + 1 and the
    theorem applies. At k* = 1 it does not; there Markov's P(S >= 1) <= n p takes its place.

    Args:
        wins: (Q,) k. counts: (Q,) n. low_error, high_error: in (0, 1/4].

    >>> low, high = safe_limits(np.array([1.0]), np.array([10.0]), low_error=0.025,
    ...                         high_error=0.025)
    >>> round(float(low[0]), 6), round(float(high[0]), 6)
    (0.0025, 0.445016)

    Source: Hoeffding, Annals of Mathematical Statistics 27, 713 (1956), theorem 4.
    """
    low, high = clopper_pearson(wins, counts, low_error=low_error, high_error=high_error)
    low = np.where(wins == 1, low_error / np.maximum(counts, 1), low)
    high = np.where(counts - wins == 1, 1 - high_error / np.maximum(counts, 1), high)
    return low, high


@dataclass(frozen=True, eq=False)
class _WorstCase:
    """The p that maximise sum_q [n_q log(1 + p m_q) - r c_q p], m_q = exp(s d_q) - 1.

    They are 1 / (r d_q) - 1 / m_q, cut to [0, 1]. One row per pair (s, r); everything is formed
    from logarithms, so that no s overflows.

    Attributes:
        growth: (S,) sum_q n_q log(1 + p m_q).
        spent: (S,) r sum_q c_q p_q.
        theta: (S,) sum_q c_q p_q.
    """

    growth: Array
    spent: Array
    theta: Array

    @classmethod
    def at(cls, design: Design, scale: Array, log_price: Array) -> _WorstCase:
        """Evaluate it at (S,) scales s and (S,) logarithms of prices r."""
        log_steps = np.log(design.steps)
        x = scale[:, None] * design.steps
        log_cost = log_price[:, None] + log_steps  # log(r d)
        # log(1 + p m) in the interior, where 1 + p m = m / (r d).
        excess = x + np.log(-np.expm1(-x)) - log_cost
        with np.errstate(over="ignore"):
            cost = np.exp(log_cost)
        inner = -np.expm1(-np.maximum(excess, 0.0))  # r d p in the interior
        whole = (cost < 1) & (inner >= cost)  # p = 1
        p = np.where(whole, 1.0, inner * np.exp(-log_cost))
        logs = np.where(whole, x, np.maximum(excess, 0.0))
        spent = np.where(whole, cost, inner)
        return cls(logs @ design.counts, spent @ design.counts, p @ design.weights)


def _scan(
    design: Design,
    evaluate: Callable[[Array, Array], Array],
    too_cheap: Callable[[Array, _WorstCase], npt.NDArray[np.bool_]],
    share: float,
    distance: float,
) -> float:
    """The smallest value of `evaluate` over scales s, each with its best price r.

    The best price is bracketed by bisection (the excess of p falls as r rises), the scale by
    zooming into a grid (the value is unimodal in s, as a log-moment generating function is
    convex). Every value of every pair is a valid bound: a poor optimum costs width only.
    """
    steps = design.steps
    share = min(max(share, 0.02), 0.98)
    normal = distance / (float(design.weights @ steps) * share * (1 - share))
    ceiling = math.log(_LARGEST_SCALE)
    centre, half, best = min(math.log(normal), ceiling - 1), 6.0, math.inf
    for _ in range(6):
        grid = np.minimum(np.linspace(centre - half, centre + half, 25), ceiling)
        scale = np.exp(grid)
        x = scale[:, None] * steps
        cheapest = np.log(-np.expm1(-x)) - np.log(steps)
        low, high = cheapest.min(axis=1), (cheapest + x).max(axis=1)
        for _ in range(42):
            middle = 0.5 * (low + high)
            cheap = too_cheap(scale, _WorstCase.at(design, scale, middle))
            low, high = np.where(cheap, middle, low), np.where(cheap, high, middle)
        values = evaluate(scale, high)
        at = int(np.nanargmin(values))
        best = min(best, float(values[at]))
        centre = float(grid[at])
        if 0 < at < len(grid) - 1 or centre == ceiling:
            half /= 10
    return best


def chernoff_log_tail(design: Design, estimate: float, bound: float) -> float:
    """Return a proven upper bound on log P(T >= estimate) over all p with theta <= bound.

    For every s >= 0, P(T >= t) <= exp(-s t) prod_i (1 - p_i + p_i exp(s d_i)), whose logarithm
    is concave in p: drift inside a setting only lowers it, and by duality the worst case over
    theta <= theta0 is at most r theta0 + sum_q max_p [n_q log(1 + p m_q) - r c_q p] for every
    price r >= 0, m_q = exp(s d_q) - 1. Both s and r are optimised numerically, and whatever
    they are, the value is a bound.

    Args:
        design: counts and weights. estimate: t. bound: theta0.

    >>> one = Design(np.array([100.0]), np.array([1.0]))
    >>> round(chernoff_log_tail(one, 0.9, 0.75), 6)  # -100 D(0.9 || 0.75), in nats
    -7.246033

    Source: the dual is derived above.
    """
    if estimate <= bound:
        return 0.0
    if bound <= 0:
        return -math.inf

    def evaluate(scale: Array, log_price: Array) -> Array:
        worst = _WorstCase.at(design, scale, log_price)
        with np.errstate(over="ignore"):
            budget = bound * np.exp(log_price)
        return np.asarray(budget + worst.growth - worst.spent - scale * estimate)

    def too_cheap(scale: Array, worst: _WorstCase) -> npt.NDArray[np.bool_]:
        return np.asarray(worst.theta > bound)

    share = bound / float(design.weights.sum())
    return min(0.0, _scan(design, evaluate, too_cheap, share, estimate - bound))


def chernoff_limit(design: Design, estimate: float, log_error: float) -> float:
    """Return the largest theta0 that `chernoff_log_tail` rejects at exp(log_error).

    Theta0 is rejected when r theta0 + G(s, r) - s t <= log_error for some s and r, so for every
    s and r, (log_error + s t - G(s, r)) / r is a valid limit, and the best one is the answer.
    The best r for a given s has sum_q n_q log(1 + p_q m_q) = log_error + s t.

    Args:
        design: counts and weights. estimate: t. log_error: natural log of the error allowed.

    >>> one = Design(np.array([100.0]), np.array([1.0]))
    >>> round(chernoff_limit(one, 0.9, -7.246033), 5)
    0.75
    """
    if estimate <= 0:
        return 0.0

    def evaluate(scale: Array, log_price: Array) -> Array:
        worst = _WorstCase.at(design, scale, log_price)
        left = log_error + scale * estimate - worst.growth
        return np.asarray(-(worst.theta + left * np.exp(-log_price)))

    def too_cheap(scale: Array, worst: _WorstCase) -> npt.NDArray[np.bool_]:
        return np.asarray(worst.growth > log_error + scale * estimate)

    share = estimate / float(design.weights.sum())
    distance = math.sqrt(-log_error * float(design.weights @ design.steps) / 2)
    best = -_scan(design, evaluate, too_cheap, share, distance)
    return min(max(best, 0.0), estimate)


def bennett_log_tail(distance: Array | float, variance: Array | float, largest: float) -> Array:
    """Return log of Bennett's bound on P(T - theta >= distance) for a variance of at most this.

    -(v / M^2) h(M x / v), h(u) = (1 + u) log(1 + u) - u, for independent centred summands of at
    most M each. It grows with v, so an upper bound on the variance will do.

    >>> round(float(bennett_log_tail(2.0, 1.0, 1e-3)), 3)  # nearly exp(-2^2 / 2)
    -1.999

    Source: Bennett, Journal of the American Statistical Association 57, 33 (1962).
    """
    v = np.maximum(variance, 1e-300)
    u = largest * np.asarray(distance, np.float64) / v
    small = u * u * (0.5 - u / 6 + u * u / 12)
    h = np.where(u < 1e-4, small - u**5 / 20, (1 + u) * np.log1p(u) - u)
    return np.asarray(-(v / largest**2) * h)


@dataclass(frozen=True, eq=False)
class Moments:
    """What a confidence rectangle for the p_q says of the variance and third moment of T.

    Attributes:
        design: counts and weights.
        low: (Q,) lower corner of the rectangle.
        high: (Q,) upper corner.
    """

    design: Design
    low: Array
    high: Array

    @classmethod
    def at(cls, design: Design, wins: Array, error: float) -> Moments:
        """Build the rectangle that holds all p_q at once except with probability `error`."""
        each = error / (2 * len(wins))
        low, high = safe_limits(wins, design.counts, low_error=each, high_error=each)
        return cls(design, low, high)

    @cached_property
    def _prices(self) -> tuple[Array, Array]:
        """Prices at which some p of `variance` reaches a corner, and theta there, rising."""
        steps, weights = self.design.steps, self.design.weights
        corners = np.sort(np.concatenate([(1 - 2 * self.low) * steps, (1 - 2 * self.high) * steps]))
        if len(corners) > _MOST_CORNERS:
            corners = corners[np.linspace(0, len(corners) - 1, _MOST_CORNERS).astype(np.intp)]
        corners = corners[::-1]
        p = np.clip(0.5 - 0.5 * corners[:, None] / steps, self.low, self.high)
        return corners, p @ weights

    def variance(self, bound: float) -> float:
        """Return an upper bound on Var T over the p of the rectangle with theta = bound.

        Var T <= sum_q c_q d_q p_q (1 - p_q) (drift inside a setting lowers it). For every
        price r: max <= r theta0 + sum_q max_{low <= p <= high} [c_q d_q p (1 - p) - r c_q p],
        at p = (1 - r / d_q) / 2 cut to the rectangle. The best r has theta = theta0, and theta
        is linear in r between the corners.
        """
        steps, weights = self.design.steps, self.design.weights
        corners, theta = self._prices
        price = float(np.interp(bound, theta, corners))
        p = np.clip(0.5 - 0.5 * price / steps, self.low, self.high)
        value = weights * p * (steps * (1 - p) - price)
        return max(price * bound + float(value.sum()), 0.0)

    @cached_property
    def _third_dual(self) -> tuple[Array, Array]:
        """Prices r and sum_q max_x [(d_q - r) x - 2 x^2 / (n_q d_q)], 0 <= x <= its cap."""
        d, n = self.design.steps, self.design.counts
        p = np.clip(0.5, self.low, self.high)
        cap = n * d * d * p * (1 - p)
        price = np.linspace(-1.0, 1.0, 65) * self.design.largest
        gain = d - price[:, None]
        x = np.clip(gain * n * d / 4, 0.0, cap)
        return price, np.asarray((gain * x - 2 * x * x / (n * d)).sum(axis=1))

    def third(self, variance: Array) -> Array:
        """Return an upper bound on sum_i d_i^3 E|X_i - p_i|^3 when Var T is exactly this.

        For a Bernoulli of variance v, E|X - p|^3 = v (1 - 2 v), concave in v: a setting's share
        is largest when its rounds share its variance x_q alike, d_q x_q - 2 x_q^2 / (n_q d_q).
        The maximum over sum_q x_q = Var T is bounded by duality over a grid of prices. As a
        function of the variance the bound is concave and 0 at 0, so bound / variance^(3/2) falls.

        Args:
            variance: any shape.
        """
        price, best = self._third_dual
        return np.asarray((np.asarray(variance)[..., None] * price + best).min(axis=-1))

    def log_tail(self, distance: float, bound: float) -> float:
        """Return log of a bound on P(T >= bound + distance) over the rectangle, theta <= bound.

        With sigma the true spread, unknown in (0, sigma_max]: Berry-Esseen gives
        1 - Phi(x / sigma) + 0.56 third / sigma^3, Bennett an exponential; the smaller holds.
        The largest over sigma is taken over cells, on each of which the normal tail and Bennett
        are largest at the upper edge and the Berry-Esseen term at the lower.

        The value at theta = theta0 also bounds every theta < theta0: the largest variance V is
        concave in theta, so x / sqrt(V) rises as theta falls, and with sigma = s sqrt(V) each
        of the three terms falls.

        Args:
            distance: x = t - theta0. bound: theta0.
        """
        if distance <= 0:
            return 0.0
        spread = np.sqrt(self.variance(bound)) * _CELLS
        if spread[-1] == 0:
            return -np.inf
        lower, upper = spread[:-1], spread[1:]
        bennett = bennett_log_tail(distance, upper**2, self.design.largest)
        with np.errstate(divide="ignore", invalid="ignore"):
            term = BERRY_ESSEEN * self.third(lower**2) / lower**3
        term = np.where(lower > 0, term, np.inf)
        esseen = np.log(special.ndtr(-distance / upper) + term)
        return min(0.0, float(np.minimum(bennett, esseen).max()))
