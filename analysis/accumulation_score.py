r"""Scores of rounds: what each outcome is worth, its range, its variance, and imperfect coins.

A round asks the pair of settings z = (x, y) with probability p(z), or, in spot-checking, asks (0, 0)
and is not scored (probability 1 - gamma; the p(z) add up to gamma). With c = 1 for a win,

.. math:: f(z, c) = k + \frac{m}{4 p(z)} (c - c_0), \qquad f(\text{not scored}) = k

has the mean k + m (w - c0), where w = (1/4) sum_z w(z) is the win rate for *uniform* settings,
whatever p is. Any affine function of w can therefore be estimated under any known p. The pivot c0
moves the range and the variance, never the mean; at p = 1/4 it has no effect.

Coins: where the past and the adversary's knowledge predict each party's setting to p + tau, the
rounds follow some p' that is not p. Then the mean is too large by

.. math:: \frac{m}{4} \sum_z \Bigl(\frac{p'(z)}{p(z)} - 1\Bigr) (w(z) - c_0)

which is at most m times the largest value of that sum over p' and 0 <= w(z) <= 1. The two coins are
independent given all that is known, so p' lies in the convex hull of the four products with each
party at p - tau or p + tau, and the sum is linear in p'. For fair coins the shift is the
total-variation distance of p' from uniform, tau + tau^2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy import optimize

from ebit.analysis.binomial import log_upper_tail
from ebit.games import ArgumentError

__all__ = ["LEAST_WIN_RATE", "MOST_WIN_RATE", "Settings", "biased_coins", "passing_threshold"]

Array = npt.NDArray[np.float64]

MOST_WIN_RATE = (2 + math.sqrt(2)) / 4
LEAST_WIN_RATE = (2 - math.sqrt(2)) / 4
_FAIR = ((0.25, 0.25), (0.25, 0.25))


def biased_coins(q: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return p(x, y) for two independent coins that each show 1 with probability q.

    Args:
        q: strictly between 0 and 1.

    Raises:
        ArgumentError: q is not in (0, 1).

    Example:
        >>> biased_coins(0.5)
        ((0.25, 0.25), (0.25, 0.25))
    """
    if not 0 < q < 1:
        raise ArgumentError(
            f"Argument `q` must lie strictly between 0 and 1, so that every pair of settings is "
            f"asked, but was {q!r}."
        )
    return ((1 - q) ** 2, (1 - q) * q), (q * (1 - q), q * q)


@dataclass(frozen=True)
class Settings:
    """How rounds are asked: p(x, y) of scored rounds, how many are scored, how good the coins are.

    Attributes:
        law: p(x, y) of a scored round, rows x, columns y; adds up to 1, nothing 0.
        gamma: share of rounds that are scored; the others ask (0, 0).
        tau: how much better than by its law each party's setting can be predicted.

    Raises:
        ArgumentError: not a distribution, gamma not in (0, 1], tau too large for the law.

    Example:
        >>> Settings().scored.tolist()
        [0.25, 0.25, 0.25, 0.25]
        >>> round(Settings(tau=0.01).shift(0.5), 10)  # tau + tau^2
        0.0101
    """

    law: tuple[tuple[float, float], tuple[float, float]] = _FAIR
    gamma: float = 1.0
    tau: float = 0.0

    def __post_init__(self) -> None:
        p = np.asarray(self.law, dtype=np.float64)
        if p.shape != (2, 2) or not np.all(p > 0) or not abs(p.sum() - 1) < 1e-9:
            raise ArgumentError(
                "Argument `settings` must be a 2 x 2 table p(x, y) that adds up to 1 without a "
                f"zero, since unasked settings show nothing, but was {p.tolist()!r}."
            )
        if not 0 < self.gamma <= 1:
            raise ArgumentError(
                f"Argument `gamma`, the share of rounds that are scored, must be in (0, 1], but "
                f"was {self.gamma!r}."
            )
        if not 0 <= self.tau < 0.5:
            raise ArgumentError(
                f"Argument `tau` must be in [0, 0.5): a coin known to 1/2 + tau, but was "
                f"{self.tau!r}."
            )
        if self.tau:
            rows, columns = p.sum(axis=1), p.sum(axis=0)
            if np.abs(np.outer(rows, columns) - p).max() > 1e-9:
                raise ArgumentError(
                    "Argument `tau` is understood for two independent coins, so `settings` must be "
                    f"a product, but was {p.tolist()!r}."
                )
            rarest = float(min(rows.min(), columns.min()))
            if self.tau >= rarest:
                raise ArgumentError(
                    f"Argument `tau` must be smaller than the rarest setting's probability "
                    f"{rarest:g}, but was {self.tau:g}: that setting could be absent."
                )

    @cached_property
    def scored(self) -> Array:
        """Probabilities of the four scored kinds of round, in the order 00, 01, 10, 11."""
        return self.gamma * np.asarray(self.law, dtype=np.float64).reshape(4)

    @property
    def uniform(self) -> bool:
        """Whether every round is scored with fair settings: then only the wins count."""
        return self.gamma == 1 and bool(np.all(self.scored == 0.25))

    @cached_property
    def ratios(self) -> Array:
        """p'(z) / p(z) at the corners of what the coins may do, shape (corners, 4)."""
        if not self.tau:
            return np.ones((1, 4))
        p = np.asarray(self.law, dtype=np.float64)
        rows, columns = p.sum(axis=1), p.sum(axis=0)
        move = np.array([-self.tau, self.tau])
        corners = [
            np.outer(rows + a * move, columns + b * move) / p for a, b in product((1, -1), repeat=2)
        ]
        return np.array(corners).reshape(4, 4)

    def shift(self, pivot: float, *, down: bool = False) -> float:
        """Return the largest rise (or, with ``down``, fall) of the estimated win rate by the coins.

        Args:
            pivot: c0.
            down: the most negative change instead.

        Example:
            >>> Settings().shift(0.3)
            0.0
        """
        excess = (self.ratios - 1) / 4
        ends = np.stack([excess * (1 - pivot), -excess * pivot])
        return float(
            ends.min(axis=0).sum(axis=1).min() if down else ends.max(axis=0).sum(axis=1).max()
        )

    def most(self, pivot: float) -> float:
        """Return the largest f - k for slope m = 1."""
        top = (1 - pivot) / (4 * float(self.scored.min()))
        return max(top, 0.0) if self.gamma < 1 else top

    def variance(self, pivot: float) -> float:
        r"""Return a bound on the variance of f over all quantum devices, for slope m = 1.

        The mean square distance from any constant v is at least the variance; here it is the
        largest over w(z) in [0, 1] and over what the coins may do, at the best v found:

        .. math:: \min_v \max \sum_z p'(z) [w(z) (s_z (1-c_0) - v)^2 + (1-w(z)) (s_z c_0 + v)^2]
            + (1-\gamma) v^2, \quad s_z = 1/(4 p(z)).

        Every v gives a bound, so nothing depends on the search. With fair settings in every round
        it is 1/4.

        Args:
            pivot: c0.

        Example:
            >>> round(Settings().variance(0.7), 9)
            0.25
        """
        scale = 1 / (4 * self.scored)
        weights = self.ratios * self.scored

        def spread(v: float) -> float:
            worst = np.maximum((scale * (1 - pivot) - v) ** 2, (scale * pivot + v) ** 2)
            return float((weights @ worst).max()) + (1 - self.gamma) * v * v

        edge = float(scale.max())
        found = optimize.minimize_scalar(spread, bounds=(-edge, edge), method="bounded")
        return min(spread(float(found.x)), spread(0.0), spread(0.5 - pivot))

    def values(self, k: float, m: float, pivot: float) -> Array:
        """Return f(z, c): four rows z, columns loss and win.

        Args:
            k: what a round that is not scored is worth.
            m: slope against the win rate.
            pivot: c0.
        """
        scale = m / (4 * self.scored)
        return np.stack([k - scale * pivot, k + scale * (1 - pivot)], axis=1)

    def probabilities(self, win_rate: float) -> Array:
        """Return the chances of z and c for a device that wins each z equally often; shape (4, 2)."""
        return np.stack([self.scored * (1 - win_rate), self.scored * win_rate], axis=1)


def passing_threshold(
    values: Sequence[float] | Array,
    probabilities: Sequence[float] | Array,
    n: int,
    completeness: float | None,
) -> tuple[float, float]:
    r"""Return a threshold for the mean score of n rounds, and how surely independent rounds reach it.

    With two different values it is exact: the largest threshold that the binomial law reaches with
    the wanted probability. Otherwise Bernstein's inequality,

    .. math:: P(\bar f \le \mu - t) \le e^{-n t^2 / (2 \sigma^2 + 2 R t / 3)},

    R the largest fall below the mean.

    Args:
        values: what the kinds of round are worth. probabilities: how often they occur.
        n: rounds.
        completeness: probability to pass that is wanted; None takes the mean itself.

    Returns:
        The threshold, and a probability (a lower bound of it, by Bernstein) to reach it; the latter
        is nan where the threshold is the mean and there is no exact law.

    Example:
        >>> passing_threshold([0.0, 1.0], [0.5, 0.5], 3, 0.8)  # at least one of three
        (0.3333333333333333, 0.875)
    """
    f, p = np.asarray(values, np.float64).reshape(-1), np.asarray(probabilities, np.float64)
    p = p.reshape(-1)
    mean = float(f @ p)
    different = np.unique(f[p > 0])
    if len(different) == 2:
        low, high = (float(v) for v in different)
        share = float(p[f == high].sum())
        if completeness is None:
            wins = math.ceil((mean - low) / (high - low) * n - 1e-9 * n**0.5)
        else:
            wins = _most_wins(n, share, completeness)
        reached = math.exp(log_upper_tail(wins, n, share))
        threshold = mean if completeness is None else low + (high - low) * wins / n
        return threshold, reached
    if completeness is None:
        return mean, math.nan
    variance = float(p @ (f - mean) ** 2)
    fall = mean - float(f[p > 0].min())
    level = -math.log1p(-completeness) / n
    t = fall * level / 3 + math.sqrt((fall * level / 3) ** 2 + 2 * variance * level)
    return mean - t, completeness


def _most_wins(n: int, share: float, chance: float) -> int:
    """The largest k with P(Bin(n, share) >= k) >= chance."""
    low, high, wanted = 0, n + 1, math.log(chance)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if log_upper_tail(middle, n, share) >= wanted else (low, middle)
    return low
