"""The search behind a plan: counts that honest runs reach, the leak's cap, the bias that is best."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from scipy import special

from ebit.analysis.key_asymptotic import MOST_S, binary_entropy, highest
from ebit.analysis.key_finite import FiniteBound, finite_bound

__all__ = ["MOST_ROUNDS", "VERIFICATION", "Search", "fewest_rounds", "leak_cap", "most_errors"]

MOST_ROUNDS = 10**15
VERIFICATION = 64
"""Bits of the hash that compares corrected keys."""

_WITNESS_ERROR, _MOST_WITNESS = 0.04, 0.05  # of e91: standard error of S, and what it may cost


def fewest_rounds(trials: int, p: float, failure: float) -> int:
    """Return how many of so many trials succeed at least, but for a chance `failure`.

    The largest n with P(Bin(trials, p) < n) <= failure.

    Example:
        >>> fewest_rounds(1000, 0.5, 1e-3)
        451
    """
    if p >= 1:
        return trials

    def low_enough(n: int) -> bool:  # P(X <= n - 1)
        return n <= 0 or float(special.betainc(trials - n + 1, n, 1 - p)) <= failure

    low, high = _bracket(low_enough, trials * p, trials, p)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if low_enough(middle) else (low, middle)
    return low


def most_errors(trials: int, p: float, failure: float) -> int:
    """Return how many errors so many trials have at most, but for a chance `failure`.

    The smallest e with P(Bin(trials, p) > e) <= failure.

    Example:
        >>> most_errors(1000, 0.5, 1e-3)
        549
    """
    return trials - fewest_rounds(trials, 1 - p, failure)


def _bracket(
    low_enough: Callable[[int], bool], mean: float, trials: int, p: float
) -> tuple[int, int]:
    """Return (low, high), low passing and high not, around the quantile."""
    spread = math.sqrt(mean * (1 - p)) + 2
    low = max(0, math.floor(mean - 5 * spread))
    high = min(trials + 1, math.ceil(mean) + 2)
    while not low_enough(low):
        low = max(0, low - math.ceil(20 * spread))
    while high <= trials and low_enough(high):
        high = min(trials + 1, high + math.ceil(20 * spread))
    return low, high


def leak_cap(n: int, qber: float, *, f: float = 1.06, failure: float = 2.5e-4) -> int:
    r"""Return a cap on what reconciliation of n bits tells, that honest runs keep.

    .. math:: f\,n\,h(Q) + \sqrt{n\,h(Q)} + 48, \quad Q = \text{the errors of } n \text{ bits, at most, over } n

    Cascade takes about 21 parities to see that nothing is left, 1.04 to 1.05 of the entropy, and
    scatters by a third of its root.

    Args:
        n: raw key bits. qber: expected error rate. f: factor on the entropy, at least 1.
        failure: chance that there are more errors.

    Example:
        >>> leak_cap(100_000, 0.02), round(100_000 * binary_entropy(0.02))
        (16083, 14144)
    """
    errors = most_errors(n, qber, failure)
    entropy = n * binary_entropy(min(0.5, errors / n))
    return min(n, math.ceil(f * entropy + math.sqrt(entropy) + 48))


@dataclass(frozen=True)
class Search:
    """A protocol with what is expected and demanded of it, before signals and bias are chosen.

    Attributes:
        protocol, qber, epsilon, eps_cor, theorem, f, success, S, authentication_bits: as in
            `ebit.analysis.key_plan.plan_key`.
        spare: chance that each of the four things fails that an honest run needs.
    """

    protocol: str
    qber: float
    epsilon: float
    eps_cor: float | None
    theorem: str
    f: float
    spare: float
    success: float
    S: float | None
    authentication_bits: int

    def chsh_share(self, rounds: int, p: float) -> float:
        """Share of Bob's CHSH settings: S is known to .04 if that is cheap, and to a fifth of S - 2."""
        if self.protocol != "e91":
            return 0.0
        S = self.S if self.S is not None else MOST_S * (1 - 2 * self.qber)
        # Variance of S: each of the four correlators has at most 1 over its rounds.
        unit = 4 / (rounds * p) + 4 / (rounds * (1 - p))
        wanted = min(_MOST_WITNESS, unit / _WITNESS_ERROR**2)
        needed = unit * (5 / max(0.05, S - 2)) ** 2
        fewest = 60 / (rounds * min(p, 1 - p))
        return min(0.5, max(wanted, needed, fewest))

    def odds(self, rounds: int, p: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return Alice's odds and Bob's, in the order of their bases."""
        if self.protocol == "six-state":
            three = (p, (1 - p) / 2, (1 - p) / 2)
            return three, three
        if self.protocol == "e91":
            c = self.chsh_share(rounds, p)
            return (p, 1 - p), (p * (1 - c), (1 - p) * (1 - c), c / 2, c / 2)
        return (p, 1 - p), (p, 1 - p)

    def counts(self, rounds: int, p: float) -> tuple[int, int]:
        """Return the rounds of key and test that come in all but few honest runs."""
        a, b = self.odds(rounds, p)
        return (
            fewest_rounds(rounds, a[0] * b[0] * self.success, self.spare),
            fewest_rounds(rounds, a[1] * b[1] * self.success, self.spare),
        )

    def correctness(self) -> float:
        """Return the chance that the verification hash, a Toeplitz matrix, misses a difference."""
        return max(self.eps_cor or 0.0, 2.0**-VERIFICATION)

    def bound(self, n: int, k: int) -> tuple[FiniteBound, int, int]:
        """Return the theorem's bound with its leak, the errors tolerated, the cap of the leak."""
        errors = most_errors(k, self.qber, self.spare)
        cap = leak_cap(n, self.qber, f=self.f, failure=self.spare)
        law = finite_bound(self.theorem)
        found = law(
            n,
            k,
            min(0.5, errors / k),
            eps_sec=self.epsilon,
            eps_cor=2.0**-VERIFICATION,
            leak=float(cap),
        )
        return found, errors, cap

    def bits(self, rounds: int, p: float) -> float:
        """Return the length at a bias, not rounded, below zero where there is no key."""
        n, k = self.counts(rounds, p)
        if n < 2 or k < 2:
            return -1e18 * (1 + abs(p - 0.6))
        return self.bound(n, k)[0].bits

    @lru_cache(maxsize=128)  # noqa: B019 - frozen, and few
    def best(self, rounds: int) -> tuple[float, float]:
        """Return the bias that makes the length highest, and the length."""
        # On the scale x = ln((1-p)/p), where the length has one hill.
        low, high = math.log(2e-6), math.log(2.5)
        grid = [low + (high - low) * i / 17 for i in range(18)]
        values = [self.bits(rounds, _bias(x)) for x in grid]
        top = max(range(18), key=values.__getitem__)
        left, right = grid[max(0, top - 1)], grid[min(17, top + 1)]
        x = highest(lambda x: self.bits(rounds, _bias(x)), left, right, 14)
        # Tolerated errors are whole: the length has teeth, and a few biases around are tried.
        near = [grid[top], *(x + 0.004 * i for i in range(-15, 16))]
        found = max((self.bits(rounds, _bias(x)), x) for x in near)
        return _bias(found[1]), found[0]

    def net(self, rounds: int) -> int:
        """Return the net length, also where it is not positive."""
        return math.floor(max(-1e12, self.best(rounds)[1])) - self.authentication_bits

    def needed(self, rounds: int) -> int | None:
        """Return the fewest signals, above so many and within .02 %, with a positive net length."""
        h = binary_entropy(self.qber)
        if 1 - h - self.f * h <= 0:
            return None
        low, high = rounds, max(2 * rounds, 1000)
        while self.net(high) <= 0:
            low, high = high, 4 * high
            if high > MOST_ROUNDS:
                return None
        while high - low > max(1, high // 5000):
            middle = (low + high) // 2
            low, high = (low, middle) if self.net(middle) > 0 else (middle, high)
        return high


def _bias(x: float) -> float:
    # Nine digits: both parties and the circuits read the same number.
    return round(1 / (1 + math.exp(x)), 9)
