"""Exact binomial and hypergeometric tails, however deep, and the exact binomial interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy import special

from ebit.games import ArgumentError

__all__ = [
    "PValue",
    "binomial_tail",
    "check_count",
    "check_level",
    "check_probability",
    "clopper_pearson",
    "deviance",
    "hypergeometric_log_tail",
    "log_binomial_pmf",
    "log_lower_tail",
    "log_upper_tail",
    "series_log_sum",
    "stirling_error",
]

Counts = npt.NDArray[np.int64] | npt.NDArray[np.float64] | int | float
_Real = TypeVar("_Real", float, Fraction, float | Fraction)
_LN10 = math.log(10)


@dataclass(frozen=True)
class PValue:
    """A probability that may be too small for a float, with its logarithm and how it was found.

    `value` is 0.0 where the probability is below the smallest float; `log10` is right always.
    """

    value: float
    log10: float
    method: str

    @classmethod
    def from_log(cls, natural: float, method: str) -> PValue:
        """Make one from a natural logarithm; anything above log(1) = 0 is cut to 1.

        >>> tiny = PValue.from_log(-1e6, "example")
        >>> tiny.value, round(tiny.log10, 6)
        (0.0, -434294.481903)
        """
        natural = min(natural, 0.0)
        return cls(math.exp(natural), natural / _LN10, method)


def check_count(name: str, value: int, *, low: int = 0, high: int | None = None) -> int:
    """Return a whole number within [low, high] as int, or raise with the argument's name.

    Args:
        name: what the caller calls the argument.
        value: the number; numpy integers and floats without a fraction pass.
        low: smallest value allowed.
        high: largest value allowed; None is no limit.

    Raises:
        ArgumentError: not whole, or out of range.

    >>> check_count("wins", 196, high=245)
    196
    """
    limits = f"a whole number of at least {low}" + ("" if high is None else f", at most {high}")
    try:
        whole = int(value)
    except (TypeError, ValueError, OverflowError):
        raise ArgumentError(f"Argument `{name}` must be {limits}, but was {value!r}.") from None
    if whole != value or whole < low or (high is not None and whole > high):
        raise ArgumentError(f"Argument `{name}` must be {limits}, but was {value!r}.")
    return whole


def check_probability(name: str, value: _Real, *, open_ends: bool = False) -> _Real:
    """Return a probability, or raise with the argument's name.

    Args:
        name: what the caller calls the argument.
        value: the number.
        open_ends: whether 0 and 1 themselves are refused.

    Raises:
        ArgumentError: not a number in [0, 1], or in (0, 1) with open ends.

    >>> check_probability("p0", 0.75)
    0.75
    """
    inside = 0 < value < 1 if open_ends else 0 <= value <= 1
    if not inside:
        kind = "strictly between 0 and 1" if open_ends else "between 0 and 1"
        raise ArgumentError(f"Argument `{name}` must be a number {kind}, but was {value!r}.")
    return value


def check_level(level: float) -> float:
    """Return a confidence level in [0.5, 1), or raise.

    Raises:
        ArgumentError: outside [0.5, 1): below one half the error bounds used here do not hold.

    >>> check_level(0.95)
    0.95
    """
    if not 0.5 <= level < 1:
        raise ArgumentError(
            f"Argument `level` must be in [0.5, 1), such as 0.95, but was {level!r}."
        )
    return float(level)


def stirling_error(n: int) -> float:
    """Return log n! minus Stirling's formula, (n + 1/2) log n - n + log(2 pi) / 2.

    >>> round(stirling_error(1), 12)
    0.081061466795
    """
    if n < 16:
        return math.lgamma(n + 1) - (
            (n + 0.5) * math.log(n) - n + 0.5 * math.log(2 * math.pi) if n else 0.0
        )
    inverse = 1.0 / (float(n) * float(n))
    series = 1 / 1260 - inverse * (1 / 1680 - inverse / 1188)
    return (1 / 12 - inverse * (1 / 360 - inverse * series)) / n


def deviance(difference: float, mean: float) -> float:
    """Return x log(x / m) - (x - m) for x = m + difference, without cancellation.

    Args:
        difference: x - m, exact to the last bit if the result is to be.
        mean: m > 0.

    >>> round(deviance(1.0, 1e8) * 1e9, 12)
    4.999999983333
    """
    d = difference / mean
    if d <= -1:
        return mean
    if abs(d) > 0.3:
        return mean * ((1 + d) * math.log1p(d) - d)
    total, power = 0.0, d
    for j in range(2, 60):
        power *= -d
        term = power / (j * (j - 1))
        total -= term
        if abs(term) <= 1e-17 * abs(total):
            break
    return mean * total


def log_binomial_pmf(k: int, n: int, p: float | Fraction) -> float:
    """Return log P(Bin(n, p) = k), relatively accurate to about 1e-15.

    The saddle-point form log P = e(n) - e(k) - e(n-k) - D(k, np) - D(n-k, nq)
    + log(n / (2 pi k (n-k))) / 2, with e the Stirling error and D the deviance, has no large
    terms that cancel; k - np is formed in exact arithmetic.

    Args:
        k: wins. n: rounds. p: win probability; a float is taken as the exact binary number.

    >>> round(math.exp(log_binomial_pmf(1, 2, 0.5)), 12)
    0.5

    Source: C. Loader, Fast and accurate computation of binomial probabilities (2000).
    """
    exact = Fraction(p)
    if k < 0 or k > n:
        return -math.inf
    if exact == 0 or exact == 1:
        return 0.0 if k == exact * n else -math.inf
    if k == 0:
        return n * math.log1p(-float(exact))
    if k == n:
        return n * (math.log(exact) if exact < 0.5 else math.log1p(-float(1 - exact)))
    difference = float(k - n * exact)
    return (
        stirling_error(n)
        - stirling_error(k)
        - stirling_error(n - k)
        - deviance(difference, float(n * exact))
        - deviance(-difference, float(n * (1 - exact)))
        + 0.5 * math.log(n / (2 * math.pi * k * (n - k)))
    )


def series_log_sum(
    numerators: tuple[int, ...], denominators: tuple[int, ...], odds: float
) -> float:
    """Return log(1 + r_0 + r_0 r_1 + ...), the tail of a discrete law over its first term.

    r_j = odds * prod_a (a - j) / prod_b (b + j), with a from `numerators` and b from
    `denominators`: two consecutive probabilities of a binomial or hypergeometric law. The
    ratios fall, so what is left after a term is at most a geometric series; summing stops when
    that is below 1e-17 of the sum, or when a ratio reaches zero at the end of the support.

    Args:
        numerators: a at the first term; the smallest ends the support.
        denominators: b at the first term. odds: the constant factor.

    >>> round(series_log_sum((1,), (2,), 1.0), 6)  # Bin(2, 1/2): P(X >= 1) / P(X = 1) = 3/2
    0.405465
    """
    last = min(numerators)
    total, term, start, size = 1.0, 1.0, 0, 64
    while start < last:
        j = np.arange(start, min(start + size, last), dtype=np.float64)
        ratio = np.full(j.shape, odds)
        for top, bottom in zip(numerators, denominators, strict=True):
            ratio *= (top - j) / (bottom + j)
        terms = term * np.cumprod(ratio)
        total += float(terms.sum())
        term = float(terms[-1])
        falling = float(ratio[-1])
        if falling < 1 and term * falling <= 1e-17 * (1 - falling) * total:
            break
        start, size = start + size, min(2 * size, 1 << 17)
    return math.log(total)


def _log_far_tail(k: int, n: int, p: Fraction) -> float:
    """Log P(Bin(n, p) >= k) for k above n p, where the ratios of the series are below one."""
    odds = float(p / (1 - p)) if p < 1 else math.inf
    return log_binomial_pmf(k, n, p) + series_log_sum((n - k,), (k + 1,), odds)


def _log_complement(log_p: float) -> float:
    """Log(1 - exp(log_p))."""
    if log_p >= 0:
        return -math.inf
    return math.log1p(-math.exp(log_p)) if log_p < -0.7 else math.log(-math.expm1(log_p))


def log_upper_tail(wins: int, n: int, p: float | Fraction) -> float:
    """Return the natural logarithm of P(Bin(n, p) >= wins), exact at any depth.

    Above the mean it is the logarithm of the first term plus that of a convergent series of
    ratios; below the mean, the complement. Good to 1e-10 of the probability itself while its
    logarithm is above -1e5, and to 1e-14 of the logarithm always, for n up to 1e10.

    Args:
        wins: k, 0 to n. n: rounds. p: win probability per round.

    Raises:
        ArgumentError: wins, n or p out of range.

    >>> round(log_upper_tail(2, 3, 0.5), 12) == round(math.log(0.5), 12)
    True
    """
    n = check_count("n", n)
    k = check_count("wins", wins, high=n)
    exact = Fraction(check_probability("p", p))
    if k == 0:
        return 0.0
    if exact in (0, 1):
        return 0.0 if exact == 1 else -math.inf
    if k > n * exact:
        return min(_log_far_tail(k, n, exact), 0.0)
    return _log_complement(_log_far_tail(n - k + 1, n, 1 - exact))


def log_lower_tail(wins: int, n: int, p: float | Fraction) -> float:
    """Return the natural logarithm of P(Bin(n, p) <= wins): `log_upper_tail` of the losses.

    >>> round(math.exp(log_lower_tail(0, 2, 0.5)), 12)
    0.25
    """
    n = check_count("n", n)
    k = check_count("wins", wins, high=n)
    return log_upper_tail(n - k, n, 1 - Fraction(check_probability("p", p)))


def binomial_tail(wins: int, n: int, p: float | Fraction) -> PValue:
    """Return P(Bin(n, p) >= wins), the chance of at least so many wins in n rounds.

    Args:
        wins: observed wins, 0 to n. n: rounds. p: win probability per round; a Fraction is
            taken exactly.

    Returns:
        The probability and its log10 (right where the probability itself underflows).

    Raises:
        ArgumentError: wins, n or p out of range.

    >>> round(binomial_tail(196, 245, 0.75).value, 5)  # Delft 2015, settings unpredictable
    0.03908

    Source: exact sum; check-point Hensen et al., Nature 526, 682 (2015), p = 0.039.
    """
    return PValue.from_log(log_upper_tail(wins, n, p), "exact binomial tail")


def hypergeometric_log_tail(k: int, total: int, marked: int, drawn: int) -> float:
    """Return log P(X >= k) for the number of marked among those drawn without replacement.

    The first term is Bin(k; marked, p) Bin(drawn - k; total - marked, p) / Bin(drawn; total, p) at
    p = drawn / total, where no logarithm is large; the others follow by their ratios. Below the
    mean the complement is taken.

    Args:
        k: the fewest marked.
        total: things in all.
        marked: those that count.
        drawn: how many are drawn.

    Example:
        >>> round(math.exp(hypergeometric_log_tail(8, 16, 9, 10)), 6)  # 9 (7 over 2) / (16 over 10)
        0.024476

    Source:
        The law's definition; the form of its first term follows C. Loader (2000).
    """
    if k <= max(0, drawn + marked - total):
        return 0.0
    if k > min(drawn, marked):
        return -math.inf
    if k * total <= drawn * marked:
        rest = hypergeometric_log_tail(drawn - k + 1, total, total - marked, drawn)
        return math.log1p(-math.exp(rest)) if rest < 0 else -math.inf
    p = Fraction(drawn, total)
    first = (
        log_binomial_pmf(k, marked, p)
        + log_binomial_pmf(drawn - k, total - marked, p)
        - log_binomial_pmf(drawn, total, p)
    )
    ratios = (marked - k, drawn - k), (k + 1, total - marked - drawn + k + 1)
    return min(first + series_log_sum(*ratios, 1.0), 0.0)


def clopper_pearson(
    wins: Counts, n: Counts, *, low_error: float, high_error: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the exact limits of a binomial proportion, elementwise.

    `low` solves P(Bin(n, low) >= k) = low_error (0 at k = 0) and `high` solves
    P(Bin(n, high) <= k) = high_error (1 at k = n).

    Args:
        wins: k, whole numbers, any shape. n: rounds, broadcast against k; n = 0 gives [0, 1].
        low_error: chance allowed for the lower limit to lie above the proportion.
        high_error: the same for the upper limit; 0 gives 1.

    Returns:
        low and high, arrays of the broadcast shape.

    Raises:
        ArgumentError: counts not whole, negative, or k > n.

    >>> low, high = clopper_pearson(196, 245, low_error=0.025, high_error=0.025)
    >>> round(float(low), 6), round(float(high), 6)
    (0.74436, 0.848222)

    Source: Clopper and Pearson, Biometrika 26, 404 (1934).
    """
    k, size = np.broadcast_arrays(np.asarray(wins, np.float64), np.asarray(n, np.float64))
    if not (np.all(k == np.floor(k)) and np.all(size == np.floor(size))):
        raise ArgumentError("Arguments `wins` and `n` must be whole numbers; some are not.")
    if np.any(k < 0) or np.any(k > size):
        raise ArgumentError("Argument `wins` must lie between 0 and `n`; some do not.")
    with np.errstate(invalid="ignore", divide="ignore"):
        low = special.betaincinv(k, size - k + 1, low_error)
        high = 1 - special.betaincinv(size - k, k + 1, high_error)
    return np.where(k == 0, 0.0, low), np.where(k == size, 1.0, high)
