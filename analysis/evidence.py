"""Evidence against players limited to a floor, whatever their devices remember."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from ebit.analysis.binomial import (
    PValue,
    binomial_tail,
    check_count,
    check_probability,
    clopper_pearson,
)
from ebit.games import ArgumentError

__all__ = [
    "EvidencePath",
    "coin_bias_limit",
    "convention_cost",
    "e_process",
    "efficiency_floor",
    "final_e_value",
    "local_win_bound",
    "memory_p_value",
    "no_click_as_plus",
]

# The stake is spread over win rates p0 + (1 - p0) f. Three rungs are for games that entanglement
# nearly always wins; from 0.4, close to CHSH at Tsirelson's bound (f = .414), a geometric grid goes
# down to weak violations, so that any has a point within a factor sqrt 2 of the best bet. A factor
# of e in a share is one nat of evidence lost, so shares fall slowly. Evidence 10^6 at Tsirelson's
# bound takes 457 rounds on average, 431 with the bet known; other games lose at most a fifth.
_RUNGS = np.arange(31)
_FRACTIONS = np.r_[0.97, 0.8, 0.6, 0.4 * 2.0 ** (-_RUNGS / 2)]
_PRIOR = np.r_[0.3, 0.25, 0.25, (1.0 + _RUNGS) ** -1.5]
_PRIOR = _PRIOR / _PRIOR.sum()
_LN10 = math.log(10)
_POINTS = 2000


@dataclass(frozen=True, eq=False)
class EvidencePath:
    """How evidence grew with the rounds.

    Attributes:
        rounds: int64 (K,), the numbers of rounds at which it was looked at; the last is the end.
        log10_e: float (K,), decimal logarithm of the e-value there.
    """

    rounds: npt.NDArray[np.int64]
    log10_e: npt.NDArray[np.float64]

    @property
    def final(self) -> float:
        """The last log10 e."""
        return float(self.log10_e[-1])

    @property
    def largest(self) -> float:
        """Largest log10 e on the way (0 at the start)."""
        return max(0.0, float(self.log10_e.max(initial=0.0)))

    @property
    def anytime_log10_p(self) -> float:
        """Logarithm of a p-value that is valid whenever one stops: 1 / largest e."""
        return -self.largest

    @property
    def p_value(self) -> PValue:
        """The p-value that is valid whenever one stops, 1 / largest e (Ville)."""
        return PValue.from_log(-self.largest * _LN10, "1 / largest e-value")


def local_win_bound(local_value: float, tau: float = 0.0, coins: int = 2) -> float:
    r"""Return the most often that local players win when settings can be partly predicted.

    .. math:: \xi = 1 - (1 - \omega)(1 - 2\tau)^{c}

    Every question is drawn by c fair bits, each of which is guessed with probability at most
    1/2 + tau given everything before (the earlier bits included). By the chain rule every question
    keeps a probability of at least ``(1/2 - tau)^c = (1 - 2 tau)^c 2^-c``: with probability
    (1 - 2 tau)^c it is as good as drawn fairly, and then a local strategy wins at most omega; the
    rest it may win. CHSH, c = 2: 3/4 + tau - tau^2, which the strategy that loses only the rarest
    question attains.

    Args:
        local_value: omega, the local value with fair settings.
        tau: predictability of each setting bit beyond 1/2, in [0, 1/2).
        coins: number c of setting bits per round, 2^c equally likely questions.

    Raises:
        ArgumentError: a number out of range.

    Example:
        >>> local_win_bound(0.75, 0.01)
        0.7599

    Source:
        Derived above; Hensen et al. 2015 use the looser 3/4 + 3 (tau + tau^2).
    """
    if not 0 <= tau < 0.5:
        raise ArgumentError(f"tau must lie in [0, 0.5), but was {tau}")
    if not 0 <= local_value <= 1:
        raise ArgumentError(f"local_value must lie in [0, 1], but was {local_value}")
    coins = check_count("coins", coins)
    return float(1 - (1 - local_value) * (1 - 2 * tau) ** coins)


def coin_bias_limit(ones: int, n: int, error: float = 1e-6) -> float:
    """Return an upper limit on abs(p - 1/2) of a coin that gave so many ones in n throws.

    Clopper-Pearson on both sides, each erring with at most error / 2. It bounds the bias of
    throws that are alike, not what a device with memory could tell of a single one.

    Args:
        ones: throws that gave one.
        n: throws; 1/2 is returned at n = 0.
        error: chance that the limit is exceeded.

    Raises:
        ArgumentError: counts out of range, error not in (0, 1).

    Example:
        >>> round(coin_bias_limit(50_100, 100_000), 4)
        0.0087

    Source:
        Clopper and Pearson, Biometrika 26, 404 (1934).
    """
    check_probability("error", error, open_ends=True)
    n = check_count("n", n)
    k = check_count("ones", ones, high=n)
    low, high = clopper_pearson(k, n, low_error=error / 2, high_error=error / 2)
    return min(0.5, max(float(high) - 0.5, 0.5 - float(low)))


def memory_p_value(wins: int, n: int, bound: float | Fraction) -> PValue:
    r"""Return P(Bin(n, bound) >= wins): a p-value against devices that remember everything.

    If, whatever happened before, a round is won with probability at most ``bound``, the number of
    wins is dominated by the binomial law: they can be coupled to independent rounds of win
    probability ``bound`` that are won whenever they are. Needs settings drawn afresh in every round
    and n fixed beforehand; the order of the rounds does not matter.

    Args:
        wins: rounds won.
        n: rounds.
        bound: largest win probability of any round given the past, see `local_win_bound`.

    Raises:
        ArgumentError: a number out of range.

    Example:
        >>> round(memory_p_value(196, 245, local_win_bound(0.75, 1.08e-5)).value, 4)
        0.0391

    Source:
        Bierhorst, J. Phys. A 48, 195302 (2015); Elkouss and Wehner, npj Quantum Inf. 2, 16026
        (2016); the numbers: Hensen et al., Nature 526, 682 (2015).
    """
    n = check_count("n", n, low=1)
    return binomial_tail(check_count("wins", wins, high=n), n, bound)


def _log_mixture(
    wins: npt.NDArray[np.integer], losses: npt.NDArray[np.integer], p0: float
) -> npt.NDArray[np.float64]:
    up, down = np.log1p(_FRACTIONS * ((1 - p0) / p0)), np.log1p(-_FRACTIONS)
    return np.asarray(
        logsumexp(np.log(_PRIOR) + np.outer(wins, up) + np.outer(losses, down), axis=1)
    )


def final_e_value(wins: int, n: int, p0: float) -> float:
    """Return log10 of the e-value of so many wins in n rounds against a win rate of at most p0.

    The value at the end of `e_process`; the order of the rounds does not matter to it. Needs n
    fixed beforehand, since only the end is looked at.

    Args:
        wins: rounds won.
        n: rounds.
        p0: the null's largest win probability, in (0, 1).

    Example:
        >>> round(final_e_value(196, 245, 0.75), 2)
        0.19
    """
    _check_floor(p0)
    n = check_count("n", n, low=1)
    k = check_count("wins", wins, high=n)
    return float(_log_mixture(np.array([k]), np.array([n - k]), p0)[0] / _LN10)


def e_process(
    won: npt.NDArray[np.bool_] | npt.NDArray[np.integer], p0: float, *, points: int = _POINTS
) -> EvidencePath:
    r"""Return how evidence against "each round is won with probability at most p0" grew.

    .. math:: W_n = \sum_j \pi_j \prod_{i \le n}
              \Big(\frac{p_j}{p_0}\Big)^{x_i} \Big(\frac{1-p_j}{1-p_0}\Big)^{1-x_i}, \quad p_j > p_0

    A bet that is fair or worse at every round under the null, whatever happened before, so that
    P(W_n >= 1/alpha for any n) <= alpha, with devices that remember everything. The path is looked
    at on a fixed grid of rounds, which can only make its supremum smaller.

    Args:
        won: (N,), which rounds were won, in order: bools, or integers 0 and 1.
        p0: the null's largest win probability, in (0, 1).
        points: at most so many rounds at which to look.

    Raises:
        ArgumentError: no rounds, other values than 0 and 1, p0 out of range.

    Example:
        >>> path = e_process(np.ones(80, dtype=bool), 0.75)
        >>> round(path.final, 2)
        8.74

    Source:
        Ville 1939; Zhang, Glancy, Knill, PRA 84, 062118 (2011); Ramdas et al., arXiv:2210.01948.
    """
    _check_floor(p0)
    rounds = np.asarray(won)
    if rounds.ndim != 1 or rounds.dtype.kind not in "bui":
        raise ArgumentError(
            "won must be one axis of bools or of integers 0 and 1, but was "
            f"{rounds.dtype} of shape {rounds.shape}"
        )
    n = len(rounds)
    if not n:
        raise ArgumentError("won must have at least one round")
    if rounds.min() < 0 or rounds.max() > 1:
        raise ArgumentError("won must hold 0 and 1 only, but other values were found")
    step = -(-n // check_count("points", points, low=1))
    # One slice at a time: no array of the size of all rounds is made.
    wins = np.cumsum([np.count_nonzero(rounds[i : i + step]) for i in range(0, n, step)])
    at = np.minimum(np.arange(1, len(wins) + 1, dtype=np.int64) * step, n)
    return EvidencePath(at, _log_mixture(wins, at - wins, p0) / _LN10)


def convention_cost(log10: float, conventions: int, *, kind: Literal["p", "e"]) -> float:
    """Return log10 of a p- or e-value after paying for a convention chosen from the data.

    A p-value is multiplied by the number of conventions there were to choose from (at most 1); an
    e-value is divided by it, as only that share of the stake was on the one chosen.

    Args:
        log10: decimal logarithm of the best value over the conventions.
        conventions: how many there were; 1 where it was declared beforehand.
        kind: "p" or "e".

    Example:
        >>> round(10 ** convention_cost(math.log10(0.0391), 8, kind="p"), 3)  # Delft, if chosen
        0.313
    """
    cost = math.log10(check_count("conventions", conventions, low=1))
    return min(log10 + cost, 0.0) if kind == "p" else log10 - cost


def efficiency_floor(eta: float) -> float:
    r"""Return the local win rate on kept coincidences at detection efficiency eta.

    .. math:: S \le 4/\eta - 2, \qquad w \le 1/2 + (4/\eta - 2)/8, \text{ at most } 1

    Example:
        >>> round(8 * efficiency_floor(0.95) - 4, 4)
        2.2105

    Source:
        Garg and Mermin, PRD 35, 3831 (1987); Larsson, PRA 57, 3304 (1998).
    """
    if not 0 < eta <= 1:
        raise ArgumentError(f"efficiency must lie in (0, 1], but was {eta}")
    return min(1.0, 0.5 + (4 / eta - 2) / 8)


def no_click_as_plus(eta: float) -> float:
    r"""Return the quantum S when every lost detection counts as +1.

    .. math:: S = 2\sqrt2\,\eta^2 + 2 (1-\eta)^2

    Example:
        >>> round(no_click_as_plus(2 * (2**0.5 - 1)), 4)
        2.0

    Source:
        Garg and Mermin, PRD 35, 3831 (1987): a violation needs eta > 2 (sqrt 2 - 1) = .8284.
    """
    if not 0 <= eta <= 1:
        raise ArgumentError(f"efficiency must lie in [0, 1], but was {eta}")
    return 2 * math.sqrt(2) * eta**2 + 2 * (1 - eta) ** 2


def _check_floor(p0: float) -> None:
    if not 0 < p0 < 1:
        raise ArgumentError(f"p0 must lie strictly between 0 and 1, but was {p0}")
