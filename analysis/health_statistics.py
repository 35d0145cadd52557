"""The 19 statistics of SP 800-90B section 5.1 that a shuffle should leave as they are."""

from __future__ import annotations

import bz2

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["LAGS", "STATISTICS", "compressed_length", "quick_statistics"]

Samples = npt.NDArray[np.uint8]

LAGS = (1, 2, 8, 16, 32)
STATISTICS = (
    "excursion",
    "number of directional runs",
    "longest directional run",
    "increases or decreases",
    "number of runs about the median",
    "longest run about the median",
    "mean collision time",
    "longest collision time",
    *(f"periodicity, lag {lag}" for lag in LAGS),
    *(f"covariance, lag {lag}" for lag in LAGS),
    "compressed length",
)
_WORDS = [str(value).encode() for value in range(256)]


@njit(cache=True)
def _eights(bits):  # type: ignore[no-untyped-def]
    """Ones per eight bits, and the eight bits as a number; the last ones padded with zeros."""
    size = (bits.size + 7) // 8
    ones = np.zeros(size, np.uint8)
    number = np.zeros(size, np.uint8)
    for i in range(bits.size):
        ones[i >> 3] += bits[i]
        number[i >> 3] |= bits[i] << np.uint8(7 - (i & 7))
    return ones, number


@njit(cache=True)
def _excursion(raw, mean):  # type: ignore[no-untyped-def]
    total, furthest = 0.0, 0.0
    for i in range(raw.size):
        total += raw[i]
        furthest = max(furthest, abs(total - (i + 1) * mean))
    return furthest


@njit(cache=True)
def _directions(x):  # type: ignore[no-untyped-def]
    """Runs of steps down, and of steps that are not down."""
    runs, run, longest, up = 0, 0, 0, 0
    before = 2
    for i in range(x.size - 1):
        step = 0 if x[i] > x[i + 1] else 1
        up += step
        if step == before:
            run += 1
        else:
            runs += 1
            run = 1
        longest = max(longest, run)
        before = step
    return runs, longest, max(up, x.size - 1 - up)


@njit(cache=True)
def _median_runs(x, median):  # type: ignore[no-untyped-def]
    runs, run, longest = 0, 0, 0
    before = 2
    for i in range(x.size):
        side = 0 if x[i] < median else 1
        if side == before:
            run += 1
        else:
            runs += 1
            run = 1
        longest = max(longest, run)
        before = side
    return runs, longest


@njit(cache=True)
def _collisions(x):  # type: ignore[no-untyped-def]
    """Mean and longest number of samples until one repeats; what is unfinished is left out."""
    seen = np.full(256, -1, np.int64)
    times, total, longest, start = 0, 0, 0, 0
    for i in range(x.size):
        if seen[x[i]] >= start:
            wait = i - start + 1
            times += 1
            total += wait
            longest = max(longest, wait)
            start = i + 1
        else:
            seen[x[i]] = i
    return (total / times if times else 0.0), longest


@njit(cache=True)
def _lagged(x, y, lag):  # type: ignore[no-untyped-def]
    """How often x repeats after a lag, and the sum of products of y with y after the lag."""
    same, products = np.int64(0), np.int64(0)
    for i in range(x.size - lag):
        same += np.int64(x[i] == x[i + lag])
        products += np.int64(y[i]) * np.int64(y[i + lag])
    return same, products


def quick_statistics(
    symbols: Samples, raw: Samples, mean: float, median: float, *, binary: bool
) -> npt.NDArray[np.float64]:
    """Return all statistics but the compressed length, in the order of `STATISTICS`.

    Args:
        symbols: numbered from 0 on without gaps, shape (n,). raw: the same as they were read.
        mean: of ``raw``. median: of ``symbols``; 0.5 for two symbols.
        binary: two symbols: some statistics are taken on eights of bits.

    Source: SP 800-90B, 5.1.1 to 5.1.10.
    """
    out = np.zeros(len(STATISTICS) - 1)
    ones, numbers = _eights(symbols) if binary else (symbols, symbols)
    products = ones if binary else raw
    out[0] = _excursion(raw, mean)
    out[1:4] = _directions(ones)
    out[4:6] = _median_runs(symbols, median)
    out[6:8] = _collisions(numbers)
    for i, lag in enumerate(LAGS):
        out[8 + i], out[13 + i] = _lagged(ones, products, lag)
    return out


def compressed_length(raw: Samples) -> int:
    """Return the length in bytes after bzip2 of the samples as decimal numbers with spaces.

    Source: SP 800-90B, 5.1.11; block size 5 as in NIST's tool.

    Example:
        >>> compressed_length(np.zeros(1000, np.uint8)) < 60
        True
    """
    if raw.max() > 9:
        return len(bz2.compress(b" ".join(map(_WORDS.__getitem__, raw.tolist())), 5))
    digits = np.full(2 * raw.size - 1, ord(" "), np.uint8)
    digits[::2] = raw + ord("0")
    return len(bz2.compress(digits.tobytes(), 5))
