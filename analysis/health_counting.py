"""SP 800-90B estimators that count: commonest value, collision, Markov, compression, tuples."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy import optimize

from ebit.analysis.health_result import Estimate
from ebit.analysis.health_suffix import tuple_counts

__all__ = [
    "Z_99",
    "collision",
    "compression",
    "ideal_compression",
    "markov",
    "most_common_value",
    "tuples",
    "upper_limit",
]

Samples = npt.NDArray[np.uint8]

Z_99 = 2.5758293035489008  # a normal deviate is as large in magnitude once in a hundred
_BLOCK = 6
_WARM_UP = 1000
_SPREAD = 0.5907  # of the compression statistic, SP 800-90B section 6.3.4 step 5
_FEWEST_REPEATS = 35


def upper_limit(p: float, n: int) -> float:
    """Return the upper end of the 99 % interval of a proportion, as SP 800-90B has it, at most 1.

    >>> round(upper_limit(0.5, 10_001), 6)
    0.512879
    """
    return min(1.0, p + Z_99 * math.sqrt(p * (1 - p) / (n - 1)))


def _entropy(p: float) -> float:
    return -math.log2(p) if p < 1 else 0.0


def most_common_value(samples: Samples, on: str) -> Estimate:
    """Estimate from how often the commonest symbol occurs.

    Args:
        samples: symbols, shape (n,), at least 2. on: what they are, for the result.

    Example:
        >>> most_common_value(np.array([0, 1, 1, 0, 1, 1], np.uint8), "bits").details["mode_count"]
        4

    Source: SP 800-90B, 6.3.1.
    """
    n = samples.size
    count = int(np.bincount(samples).max())
    p_u = upper_limit(count / n, n)
    details = {"mode_count": count, "p_hat": count / n, "p_u": p_u}
    return Estimate("most common value", on, "6.3.1", _entropy(p_u), details)


@njit(cache=True)
def _waits(bits):  # type: ignore[no-untyped-def]
    """Waiting times to the first repeated bit are 2 or 3; how many there are of each."""
    n, i, twos, threes = bits.size, 0, 0, 0
    while i < n - 1:
        if bits[i] == bits[i + 1]:
            twos += 1
            i += 2
        elif i < n - 2:
            threes += 1
            i += 3
        else:
            break
    return twos, threes


def collision(bits: Samples, on: str) -> Estimate:
    """Estimate from the mean waiting time until a bit value repeats.

    Its mean is 2 + 2 p (1 - p), which is solved for p at the lower 99 % limit.

    Args:
        bits: 0 or 1, shape (n,), at least 6. on: for the result.

    Source: SP 800-90B, 6.3.2.
    """
    twos, threes = _waits(bits)
    count = twos + threes
    total = 2 * twos + 3 * threes
    mean = total / count
    sigma = math.sqrt((4 * twos + 9 * threes - total * mean) / (count - 1))
    low = max(mean - Z_99 * sigma / math.sqrt(count), 2.0)
    p = 0.5 + math.sqrt(1.25 - 0.5 * low) if low < 2.5 else 0.5
    details = {"v": count, "sum": total, "mean": mean, "sigma": sigma, "low": low, "p": p}
    return Estimate("collision", on, "6.3.2", _entropy(p), details)


def markov(bits: Samples, on: str) -> Estimate:
    """Estimate from the likeliest 128 bits of a first-order Markov chain.

    Args:
        bits: 0 or 1, shape (n,), at least 2. on: for the result.

    Source: SP 800-90B, 6.3.3.
    """
    n = bits.size
    ones = int(np.count_nonzero(bits))
    both = np.bincount(2 * bits[:-1] + bits[1:], minlength=4).astype(float)
    start = (n - ones) / n, ones / n
    step = [
        [both[2 * a + b] / max(both[2 * a] + both[2 * a + 1], 1) for b in (0, 1)] for a in (0, 1)
    ]

    def log(*factors: tuple[float, int]) -> float:
        if any(p <= 0 for p, _ in factors):
            return math.inf
        return -sum(times * math.log2(p) for p, times in factors)

    (p00, p01), (p10, p11) = step
    paths = (
        log((start[0], 1), (p00, 127)),
        log((start[0], 1), (p01, 64), (p10, 63)),
        log((start[0], 1), (p01, 1), (p11, 126)),
        log((start[1], 1), (p10, 1), (p00, 126)),
        log((start[1], 1), (p10, 64), (p01, 63)),
        log((start[1], 1), (p11, 127)),
    )
    least = min(128.0, *paths)
    details = {"p_0": start[0], "p_1": start[1], "p_00": p00, "p_01": p01, "p_10": p10, "p_11": p11}
    details["p_max"] = 2.0**-least
    return Estimate("Markov", on, "6.3.3", min(least / 128, 1.0), details)


@njit(cache=True)
def _distances(bits, blocks):  # type: ignore[no-untyped-def]
    """Sum and sum of squares of log2 of the distance to the last equal block, compensated."""
    last = np.zeros(1 << _BLOCK, np.int64)
    total, lost, squares, lost2 = 0.0, 0.0, 0.0, 0.0
    for i in range(blocks):
        block = 0
        for j in range(_BLOCK):
            block = (block << 1) | bits[_BLOCK * i + j]
        if i >= _WARM_UP:
            x = math.log2(i + 1 - last[block])
            y = x - lost
            t = total + y
            lost = (t - total) - y
            total = t
            y = x * x - lost2
            t = squares + y
            lost2 = (t - squares) - y
            squares = t
        last[block] = i + 1
    return total, squares


@njit(cache=True)
def _share(z, blocks):  # type: ignore[no-untyped-def]
    """Expected log2 distance that a block value of probability z contributes: G of 6.3.4.

    With a_u = log2(u) (1-z)^(u-1) and v = blocks - d, G is z/v times
    z (v sum_{u<=d} a_u + sum_{d<u<L} (L-u) a_u) + sum_{d<u<=L} a_u.
    """
    if z <= 0.0:
        return 0.0
    tested = blocks - _WARM_UP
    power = 1.0 - z  # (1-z)^(u-1)
    inner, lost, tail, lost2 = 0.0, 0.0, 0.0, 0.0
    for u in range(2, blocks + 1):
        a = math.log2(u) * power
        y = (tested if u <= _WARM_UP else blocks - u) * a - lost
        t = inner + y
        lost = (t - inner) - y
        inner = t
        if u > _WARM_UP:
            y = a - lost2
            t = tail + y
            lost2 = (t - tail) - y
            tail = t
            if 40.0 * blocks * power < 1e-22 * inner * z:
                break
        power *= 1.0 - z
    return z / tested * (z * inner + tail)


def _expected(p: float, blocks: int) -> float:
    """Expected statistic if one block has probability p and the others share the rest."""
    others = (1 << _BLOCK) - 1
    return float(_share(p, blocks) + others * _share((1 - p) / others, blocks))


def _solve(low: float, blocks: int) -> float:
    least = 1.0 / (1 << _BLOCK)
    if _expected(least, blocks) <= low:
        return least
    if low <= 0:
        return 1.0
    return float(
        optimize.brentq(lambda p: _expected(p, blocks) - low, least, 1.0, xtol=1e-16, rtol=1e-15)
    )


def compression(bits: Samples, on: str) -> Estimate:
    """Estimate from the mean log distance between equal 6-bit blocks (Maurer's statistic).

    Args:
        bits: 0 or 1, shape (n,), at least 6012. on: for the result.

    Source: SP 800-90B, 6.3.4.
    """
    blocks = bits.size // _BLOCK
    tested = blocks - _WARM_UP
    total, squares = _distances(bits, blocks)
    mean = total / tested
    sigma = _SPREAD * math.sqrt(max(squares / (tested - 1) - mean * mean, 0.0))
    low = mean - Z_99 * sigma / math.sqrt(tested)
    p = _solve(low, blocks)
    details = {"mean": mean, "sigma": sigma, "low": low, "p": p}
    entropy = -math.log2(p) / _BLOCK if p > 1 / (1 << _BLOCK) else 1.0
    return Estimate("compression", on, "6.3.4", max(entropy, 0.0), details)


def ideal_compression(n: int) -> float:
    """Return what the compression estimate gives for n ideal bits, on average, per bit.

    The mean is the expected one, the spread that of the logarithm of a geometric waiting time.

    Args:
        n: bits, at least 6012.

    Example:
        >>> round(ideal_compression(1_000_000), 2)
        0.85
    """
    blocks = n // _BLOCK
    u = np.arange(1, 5000)
    chance = np.exp((u - 1) * math.log1p(-1 / 64)) / 64
    log = np.log2(u)
    spread = _SPREAD * math.sqrt(float((chance * log**2).sum() - (chance * log).sum() ** 2))
    low = _expected(1 / 64, blocks) - Z_99 * spread / math.sqrt(blocks - _WARM_UP)
    return -math.log2(_solve(low, blocks)) / _BLOCK


def tuples(samples: Samples, on: str) -> tuple[Estimate, Estimate]:
    """Estimate from the commonest t-tuples, and from the longest repeated ones.

    With Q_t the count of the commonest t-tuple, and P_t the share of pairs of places that hold the
    same t-tuple: the largest of (Q_t / (n-t+1))^(1/t) while Q_t is at least 35, and of P_t^(1/t)
    for all longer tuples that repeat.

    Args:
        samples: symbols, shape (n,). on: what they are.

    Returns:
        The t-tuple estimate and the LRS estimate.

    Source: SP 800-90B, 6.3.5 and 6.3.6.
    """
    found = tuple_counts(samples)
    n, v = found.n, found.longest
    enough = np.flatnonzero(found.most[1:] < _FEWEST_REPEATS)
    u = int(enough[0]) + 1 if enough.size else v + 1
    t = np.arange(1, u)
    if u > 1:
        p = float(np.max((found.most[1:u] / (n - t + 1)) ** (1 / t)))
        p_u = upper_limit(p, n)
        details = {"t": u - 1, "p_hat_max": p, "p_u": p_u}
        common = Estimate("t-tuple", on, "6.3.5", _entropy(p_u), details)
    else:
        note = f"no value occurs {_FEWEST_REPEATS} times; more samples are needed"
        common = Estimate("t-tuple", on, "6.3.5", None, {}, note)
    if v < u:
        note = f"no tuple longer than those that occur {_FEWEST_REPEATS} times repeats"
        return common, Estimate("LRS", on, "6.3.6", None, {}, note)
    t = np.arange(u, v + 1)
    pairs = (n - t) * (n - t + 1) // 2
    p = float(np.max((found.pairs[u:] / pairs) ** (1 / t)))
    p_u = upper_limit(p, n)
    details = {"u": u, "v": v, "p_hat": p, "p_u": p_u}
    return common, Estimate("LRS", on, "6.3.6", _entropy(p_u), details)
