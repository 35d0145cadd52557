r"""Intervals for a fidelity by betting: values between bounds, and random samples of stabilisers.

An e-value for "the fidelity is at most F0" is a function of the data that is never negative and
whose mean is at most 1 if that is so; by Markov it exceeds 1/alpha with probability at most
alpha, and an average of several is one as well. Both e-values below are products of bets whose
sizes are fixed before the data.

**Bounded values.** F = u sum_q mu_q, where round i of question q gives a value v_i in [a_q, b_q]
with a mean that may differ from round to round; mu_q is their average over the n_q rounds. For
fixed m_q = F0 t_q with u sum_q t_q = 1 and x_q = l u / n_q small enough that no factor is
negative,

.. math:: E = \prod_q \prod_{i \in q} (1 + x_q (v_i - m_q))

has the mean prod (1 + x_q (mu_i - m_q)) <= exp(sum_q n_q x_q (mu_q - m_q)) = exp(l (F - F0)),
at most 1 when F <= F0. Each factor falls with F0, so the fidelities that are rejected are an
interval.

**A sample of stabilisers.** N = 2^n stabilisers, of which M = N - 1 have to be measured. Stabiliser
g passes with the probability p_g; the state is in the target with probability F and then always
passes, so that F <= p_g <= 1, and the mean of p_g over the M is 1 - w (1 - F), w = N/(2M). Let h be
convex, increasing and not negative in the share of passes Y = K/s. For independent shots
E h(Y_g) <= H(p_g), H(p) = E h(Bin(s, p)/s), alike or not (Hoeffding 1956), and H is convex: its
mean over g is at most w H(F) + (1 - w) H(1), which grows with F. Draws without replacement are
negatively associated (Joag-Dev and Proschan 1983), so the product of h over a random sample has a
mean of at most 1 as soon as w H(F0) + (1 - w) H(1) <= 1. Taken here:

.. math:: h = 1 - f + f \frac{(Y - c)_+}{a - c}, \quad
          a - c = w\, E(\mathrm{Bin}(s, F_0)/s - c)_+ + (1 - w)(1 - c)

with 0 <= f <= 1 and c three standard deviations below F0, so that clipping costs next to
nothing. Against "at least F0" the pass shares bet the other way, h = 1 - f + f (1-Y)/(w (1-F0)).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from ebit.analysis.binomial import PValue, check_level
from ebit.analysis.intervals import Interval
from ebit.games import ArgumentError

__all__ = ["BoundedMeans", "StabiliserSample"]

Array = npt.NDArray[np.float64]

_WIDE = 2.0 ** (-np.arange(28) / 2)
_AIMED = 2.0 ** (np.arange(-2, 3) / 2)
# With few stabilisers only the largest bets can win enough, so they weigh most.
_SHARES = 2.0 ** (-np.arange(12) / 2)
_SHARE_LOGS = np.log(_SHARES / _SHARES.sum())
# Fidelities at which a sample of stabilisers is tested: the limits are among them.
_GRID = np.arange(1, 1000) / 1000


@dataclass(frozen=True, eq=False)
class BoundedMeans:
    """Rounds that return one of a few values per question, and how the means add to a fidelity.

    Attributes:
        values: (V,) the values.
        counts: (Q, V) how often each came.
        allowed: (Q, V) bool, which values a question can return.
        centre: (Q,) t_q, the mean that the target itself would give.
        spread: (Q,) a guess of each question's variance; it decides widths, not validity.
        unit: u, so that the fidelity is u times the sum of the means.
    """

    values: Array
    counts: Array
    allowed: npt.NDArray[np.bool_]
    centre: Array
    spread: Array
    unit: float

    @property
    def estimate(self) -> float:
        """The fidelity, from the mean of each question."""
        return float(self.unit * (self.counts @ self.values / self.counts.sum(axis=1)).sum())

    def _bets(self, error: float, side: int) -> tuple[Array, Array]:
        """Sizes of the bets and their log weights: half near the best guess, half anywhere."""
        n = self.counts.sum(axis=1)
        if side > 0:
            low = np.where(self.allowed, self.values, np.inf).min(axis=1)
            room = self.centre - low
        else:
            room = np.where(self.allowed, self.values, -np.inf).max(axis=1)
        # At the largest bet no factor is below 1/1000, whatever F0 in [0, 1].
        most = 0.999 * float((n / np.maximum(room, 1e-9)).min()) / self.unit
        variance = self.unit**2 * float((self.spread / n).sum())
        aim = math.sqrt(-2 * math.log(error) / variance)
        sizes = np.concatenate([most * _WIDE, np.minimum(aim * _AIMED, most)])
        weights = np.concatenate(
            [np.full(len(_WIDE), 0.5 / len(_WIDE)), np.full(len(_AIMED), 0.5 / len(_AIMED))]
        )
        return sizes, np.log(weights)

    def log_e(self, bound: float, error: float, side: int = 1) -> float:
        """Return the log of the e-value against F <= bound (side 1) or F >= bound (side -1)."""
        return self._log_e(bound, *self._bets(error, side), side)

    def _log_e(self, bound: float, sizes: Array, weights: Array, side: int) -> float:
        question, value = np.nonzero(self.counts)
        times = self.counts[question, value]
        step = self.unit / self.counts.sum(axis=1)[question]
        gain = side * step * (self.values[value] - bound * self.centre[question])
        total = np.log1p(sizes[:, None] * gain) @ times
        return float(special.logsumexp(total + weights))

    def interval(self, level: float) -> Interval:
        """Return an interval for the fidelity, within [0, 1]; each side errs by (1 - level)/2.

        Args:
            level: confidence, in [0.5, 1).
        """
        error = (1 - check_level(level)) / 2
        ends = []
        for side in (1, -1):
            rejected, kept = (0.0, 1.0) if side > 0 else (1.0, 0.0)
            bets = self._bets(error, side)
            if self._log_e(rejected, *bets, side) >= -math.log(error):
                for _ in range(40):
                    middle = 0.5 * (rejected + kept)
                    if self._log_e(middle, *bets, side) >= -math.log(error):
                        rejected = middle
                    else:
                        kept = middle
            ends.append(rejected)
        return Interval(ends[0], ends[1], level, "betting on bounded values")

    def tail(self, bound: float, error: float) -> PValue:
        """Return a p-value against F <= bound, the inverse of an e-value.

        Args:
            bound: the largest fidelity under the null. error: at which the bets are aimed.
        """
        return PValue.from_log(-self.log_e(bound, error), "inverse of an e-value")


@dataclass(frozen=True, eq=False)
class StabiliserSample:
    """Passes of stabilisers that were drawn at random, without replacement, identity left out.

    Attributes:
        passes: (m,) rounds that passed, per stabiliser.
        shots: (m,) rounds.
        qubits: n.
    """

    passes: Array
    shots: Array
    qubits: int

    def __post_init__(self) -> None:
        if not 1 <= len(self.passes) <= 2**self.qubits - 1 or np.any(self.shots < 1):
            raise ArgumentError(
                f"sample must be 1 to {2**self.qubits - 1} stabilisers with shots each, but had "
                f"{len(self.passes)} with at least {self.shots.min():.0f}"
            )

    @property
    def _low_share(self) -> float:
        """w: what part of the pass rates would be as low as F in the worst case."""
        size = 2.0**self.qubits
        return size / (2 * (size - 1))

    @property
    def estimate(self) -> float:
        """The fidelity, from the mean pass rate of the sample."""
        return 1 - (1 - float((self.passes / self.shots).mean())) / self._low_share

    def log_e(self, bounds: Array, side: int = 1) -> Array:
        """Return logs of the e-values against F <= bound (side 1) or F >= bound (side -1).

        Args:
            bounds: (G,), below 1.
        """
        table, times = np.unique(
            np.stack([self.passes, self.shots], axis=1), axis=0, return_counts=True
        )
        bound = np.asarray(bounds, dtype=np.float64)[:, None]
        rate, shots = table[:, 0] / table[:, 1], table[:, 1]
        w = self._low_share
        if side > 0:
            cut = np.maximum(bound - 3 * np.sqrt(bound * (1 - bound) / shots), 0.0)
            scale = w * _excess(bound, cut, shots) + (1 - w) * (1 - cut)
            payoff = np.maximum(rate - cut, 0.0) / (scale * (1 + 1e-12))
        else:
            payoff = (1 - rate) / (w * (1 - bound))
        with np.errstate(divide="ignore"):
            logs = [(times * np.log(1 - f + f * payoff)).sum(axis=1) for f in _SHARES]
        return np.asarray(
            special.logsumexp(np.stack(logs, axis=-1) + _SHARE_LOGS, axis=-1), dtype=np.float64
        )

    def interval(self, level: float) -> Interval:
        """Return an interval for the fidelity; each side errs by (1 - level)/2.

        Fidelities .001, .002 ... .999 are tested, so nothing need be assumed in between: a limit
        is the last of an unbroken run of rejected ones, from 0 up or from 1 down.

        Args:
            level: confidence, in [0.5, 1).
        """
        threshold = -math.log((1 - check_level(level)) / 2)
        up = self.log_e(_GRID) >= threshold
        down = self.log_e(_GRID, -1)[::-1] >= threshold
        ends = []
        for rejected, grid, end in ((up, _GRID, 0.0), (down, _GRID[::-1], 1.0)):
            run = len(rejected) if rejected.all() else int(np.argmin(rejected))
            ends.append(float(grid[run - 1]) if run else end)
        return Interval(ends[0], ends[1], level, "betting on a random sample of stabilisers")

    def tail(self, bound: float) -> PValue:
        """Return a p-value against F <= bound, the inverse of an e-value."""
        log_e = float(self.log_e(np.array([bound]))[0])
        return PValue.from_log(-log_e, "inverse of an e-value")


def _excess(p: Array, cut: Array, shots: Array) -> Array:
    """E(Bin(s, p)/s - c)_+, from two binomial tails."""
    first = np.floor(shots * cut) + 1

    def tail(k: Array, n: Array) -> Array:
        inside = (k > 0) & (k <= n)
        value = special.betainc(np.where(inside, k, 1), np.where(inside, n - k + 1, 1), p)
        return np.where(inside, value, np.where(k <= 0, 1.0, 0.0))

    return np.asarray(p * tail(first - 1, shots - 1) - cut * tail(first, shots), dtype=np.float64)
