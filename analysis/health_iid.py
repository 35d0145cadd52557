"""Whether samples look independent and alike: the tests of SP 800-90B section 5."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import special

from ebit.analysis.binomial import check_count
from ebit.analysis.health_estimate import as_symbols, relabelled
from ebit.analysis.health_iid_result import (
    EXTREME,
    ChiSquare,
    IidResult,
    LongestRepeat,
    PermutationStatistic,
)
from ebit.analysis.health_statistics import STATISTICS, compressed_length, quick_statistics
from ebit.analysis.health_suffix import longest_repeat
from ebit.games import ArgumentError

__all__ = ["goodness_of_fit", "iid_tests", "independence", "repeat_chance", "repeat_test"]

Samples = npt.NDArray[np.uint8]
_FEWEST = 1000
_LEAST_EXPECTED = 5.0


def _chi_square(name: str, statistic: float, df: int) -> ChiSquare:
    p = float(special.chdtrc(df, statistic)) if df > 0 else 1.0
    return ChiSquare(name, float(statistic), df, p)


def _shares(symbols: Samples, alphabet: int) -> npt.NDArray[np.float64]:
    """Shares of the symbols, added up one sample at a time as NIST's tool does.

    Bins are filled in the order of products of these, and their last digit breaks ties.
    """
    counts = np.bincount(symbols, minlength=alphabet)
    steps = np.cumsum(np.full(int(counts.max()), 1.0 / symbols.size))
    out: npt.NDArray[np.float64] = steps[counts - 1]
    return out


def _bins(expected: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.int64], list[float]]:
    """Fill bins from the rarest on until each expects at least 5; the rest joins the last."""
    bins = np.zeros(expected.size, np.int64)
    sums: list[float] = []
    now = 0.0
    for i in np.argsort(expected, kind="stable"):
        if now >= _LEAST_EXPECTED:
            sums.append(now)
            now = 0.0
        bins[i] = len(sums)
        now += float(expected[i])
    if sums and now < _LEAST_EXPECTED:
        bins[bins == len(sums)] -= 1
        sums[-1] += now
    else:
        sums.append(now)
    return bins, sums


def independence(symbols: Samples, alphabet: int) -> ChiSquare:
    """Test whether samples next to each other are independent.

    Two symbols: m-bit tuples, m at most 11 with at least 5 of the rarest expected. More: pairs
    that do not overlap.

    Args:
        symbols: from 0 on without gaps, shape (n,). alphabet: how many there are.

    Source: SP 800-90B, 5.2.1 and 5.2.3.
    """
    n = symbols.size
    if alphabet > 2:
        p = _shares(symbols, alphabet)
        bins, expected = _bins((np.outer(p, p) * (n // 2)).ravel())
        pairs = symbols[: n - n % 2].reshape(-1, 2).astype(np.int64) @ np.array([alphabet, 1])
        seen = np.bincount(bins[pairs], minlength=len(expected))
        score = float(((seen - expected) ** 2 / expected).sum())
        return _chi_square("independence", score, len(expected) - alphabet)
    p1 = int(symbols.sum()) / n
    rarest = min(p1, 1 - p1)
    m = next((m for m in range(11, 1, -1) if rarest**m * (n // m) >= _LEAST_EXPECTED), 1)
    if m < 2:
        return _chi_square("independence", 0.0, 0)
    blocks = symbols[: n // m * m].reshape(-1, m).astype(np.int64) @ (1 << np.arange(m)[::-1])
    seen = np.bincount(blocks, minlength=1 << m)
    weight = np.array([k.bit_count() for k in range(1 << m)])
    hoped = p1**weight * (1 - p1) ** (m - weight) * (n // m)
    return _chi_square("independence", float(((seen - hoped) ** 2 / hoped).sum()), (1 << m) - 2)


def goodness_of_fit(symbols: Samples, alphabet: int) -> ChiSquare:
    """Test whether ten parts of the samples have the same distribution.

    Args:
        symbols: from 0 on without gaps, shape (n,). alphabet: how many there are.

    Source: SP 800-90B, 5.2.2 and 5.2.4.
    """
    size = symbols.size // 10
    if alphabet == 2:
        ones = int(symbols.sum()) / symbols.size
        bins, expected = np.arange(2), [(1 - ones) * size, ones * size]
    else:
        bins, expected = _bins(_shares(symbols, alphabet) * size)
    score = 0.0
    for part in symbols[: 10 * size].reshape(10, size):
        seen = np.bincount(bins[part], minlength=len(expected))
        score += float(((seen - expected) ** 2 / expected).sum())
    return _chi_square("goodness of fit", score, 9 * (len(expected) - 1))


def repeat_test(symbols: Samples, alphabet: int) -> LongestRepeat:
    """Test whether the longest repeated tuple is longer than chance would have it.

    With p the collision probability of a symbol, W the length and N the pairs of places, a tuple
    so long repeats with probability 1 - (1 - p^W)^N.

    Args:
        symbols: from 0 on without gaps, shape (n,). alphabet: how many there are.

    Source: SP 800-90B, 5.2.5.
    """
    length = longest_repeat(symbols)
    p = float(((np.bincount(symbols, minlength=alphabet) / symbols.size) ** 2).sum())
    return LongestRepeat(length, p, repeat_chance(length, p, symbols.size))


def repeat_chance(length: int, p: float, n: int) -> float:
    """Return 1 - (1 - p^W)^N: the chance that a tuple of length W or longer repeats in n samples.

    Args:
        length: W. p: chance that two samples are equal, below 1. n: samples.

    Example:
        >>> round(repeat_chance(39, 0.5, 1_000_000), 4)
        0.5972

    Source: SP 800-90B, 5.2.5 step 5.
    """
    if length == 0:
        return 1.0
    places = n - length + 1
    return -math.expm1(places * (places - 1) / 2 * math.log1p(-(p**length)))


def _shuffled(
    symbols: Samples,
    raw: Samples,
    permutations: int,
    rng: np.random.Generator,
    progress: Callable[[int, int], None] | None,
) -> tuple[PermutationStatistic, ...]:
    binary = int(symbols.max()) == 1
    mean, median = int(raw.sum()) / raw.size, 0.5 if binary else float(np.median(symbols))
    values = np.unique(raw)

    def measure(now: Samples, *, quick: bool, zipped: bool) -> npt.NDArray[np.float64]:
        read, found = values[now], np.zeros(len(STATISTICS))
        if quick:
            found[:-1] = quick_statistics(now, read, mean, median, binary=binary)
        if zipped:
            found[-1] = compressed_length(read)
        return found

    first = measure(symbols, quick=True, zipped=True)
    counts = np.zeros((3, first.size), np.int64)
    open_ = np.ones(first.size, np.bool_)
    now = symbols.copy()
    for i in range(permutations):
        rng.shuffle(now)
        found = measure(now, quick=bool(open_[:-1].any()), zipped=bool(open_[-1]))
        counts += np.stack([found > first, found == first, found < first]) & open_
        open_ = np.minimum(counts[0] + counts[1], counts[1] + counts[2]) <= EXTREME
        if progress is not None:
            progress(i + 1, permutations)
        if not open_.any():
            break
    return tuple(
        PermutationStatistic(name, float(value), *(int(c) for c in column))
        for name, value, column in zip(STATISTICS, first, counts.T, strict=True)
    )


def iid_tests(
    samples: npt.ArrayLike,
    bits: int = 1,
    *,
    permutations: int = 10_000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> IidResult:
    """Test whether samples look independent and identically distributed.

    Nineteen statistics against their values after shuffles, chi-square tests of independence and
    of goodness of fit, and the longest repeated tuple. Ideal data are rejected now and then: each
    statistic errs about once in a thousand.

    Args:
        samples: symbols from 0 to 2^bits - 1, shape (n,), at least 1000.
        bits: bits per symbol, 1 to 8.
        permutations: shuffles; each statistic stops as soon as it can no longer fail.
        seed: of the shuffles.
        progress: called with (done, total).

    Raises:
        ArgumentError: a symbol of the wrong size, all equal, or fewer than 1000.

    Example:
        >>> x = np.random.default_rng(1).integers(0, 4, 2000)
        >>> iid_tests(x, 2).passed, iid_tests(np.sort(x), 2, permutations=20).passed
        (True, False)

    Source:
        NIST SP 800-90B (2018), section 5.
    """
    raw = as_symbols(samples, bits)
    permutations = check_count("permutations", permutations, low=2 * EXTREME + 2)
    if raw.size < _FEWEST:
        raise ArgumentError(
            f"The IID tests need at least {_FEWEST} samples, but there are {raw.size}; SP 800-90B "
            "asks for 1000000."
        )
    symbols, alphabet = relabelled(raw)
    if alphabet == 1:
        raise ArgumentError(
            f"All {raw.size} samples are equal to {raw[0]}: there is nothing to test."
        )
    return IidResult(
        samples=raw.size,
        permutations=permutations,
        seed=seed,
        statistics=_shuffled(symbols, raw, permutations, np.random.default_rng(seed), progress),
        chi_squares=(independence(symbols, alphabet), goodness_of_fit(symbols, alphabet)),
        longest_repeat=repeat_test(symbols, alphabet),
    )
