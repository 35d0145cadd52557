"""Density evolution: the error rate up to which codes of given degrees and unlimited length decode.

The density of the log odds that bits send to checks is followed on a grid, without approximation but
that of the grid, on which every value is split between its two neighbours so that the mean is kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numba import njit

from ebit.analysis.binomial import check_probability
from ebit.games import ArgumentError

__all__ = ["decodes", "threshold"]

Reals = npt.NDArray[np.float64]
_POINTS, _STEP, _LENGTH = 420, 0.06, 1 << 15


def decodes(edges: Mapping[int, float], share: float, qber: float, *, sweeps: int = 400) -> bool:
    """Return whether codes of unlimited length decode an error rate.

    Args:
        edges: share of all edges that belongs to bits of each degree; they add up to 1.
        share: checks for every bit; checks have two degrees at most, next to each other.
        qber: the error rate, strictly between 0 and 1/2.
        sweeps: after which it is given up.

    Raises:
        ArgumentError: edges that do not add up to 1 or have degrees outside 2 to 40; qber out of range.

    Example:
        >>> decodes({3: 1.0}, 0.5, 0.080), decodes({3: 1.0}, 0.5, 0.088)
        (True, False)

    Source:
        Richardson, Shokrollahi, Urbanke, IEEE Trans. Inf. Theory 47, 619 (2001), for the method; Chung,
        Forney, Richardson, Urbanke, IEEE Commun. Lett. 5, 58 (2001), for the grid.
    """
    check_probability("qber", qber, open_ends=True)
    if abs(sum(edges.values()) - 1) > 1e-3 or not all(2 <= d <= 40 for d in edges):
        raise ArgumentError(
            "Argument `edges` must map degrees of 2 to 40 to shares that add up to 1, but was "
            f"{dict(edges)}."
        )
    total = sum(edges.values())
    mean = total / sum(part / d for d, part in edges.items()) / share
    low = math.floor(mean + 1e-9)
    upper = max((1 / low - 1 / mean) / (1 / low - 1 / (low + 1)), 0.0)
    channel = _channel(qber)
    spectrum = np.fft.rfft(_around(channel))
    density, last = channel, 1.0
    for _ in range(sweeps):
        answers = np.fft.rfft(_around(_checks(density, low, upper)))
        told = sum(part / total * answers ** (d - 1) for d, part in edges.items())
        density = _folded(np.fft.irfft(spectrum * told, _LENGTH))
        density /= density.sum()
        wrong = float(density[:_POINTS].sum() + density[_POINTS] / 2)
        if wrong < 1e-6:
            return True
        if wrong > last * (1 - 2e-5):
            return False
        last = wrong
    return False


def threshold(edges: Mapping[int, float], share: float, low: float, high: float) -> float:
    """Return the largest error rate that decodes, between two that enclose it, to 1 in 300 of those.

    Example:
        >>> round(threshold({3: 1.0}, 0.5, 0.08, 0.09), 3)
        0.084
    """
    width = (high - low) / 256
    while high - low > width:
        middle = (low + high) / 2
        low, high = (middle, high) if decodes(edges, share, middle) else (low, middle)
    return low


def _channel(qber: float) -> Reals:
    """The density that the channel gives: +L with 1 - q, -L with q."""
    at = min(math.log((1 - qber) / qber) / _STEP, _POINTS - 1e-9)
    whole, part = int(at), at - int(at)
    found = np.zeros(2 * _POINTS + 1)
    for sign, chance in ((1, 1 - qber), (-1, qber)):
        found[_POINTS + sign * whole] += chance * (1 - part)
        found[_POINTS + sign * (whole + 1)] += chance * part
    return found


def _around(density: Reals) -> Reals:
    """A density on a circle, its zero first, for the Fourier transform."""
    found = np.zeros(_LENGTH)
    found[: _POINTS + 1], found[-_POINTS:] = density[_POINTS:], density[:_POINTS]
    return found


def _folded(circle: Reals) -> Reals:
    """A density from a circle, what lies beyond the grid put on its ends."""
    found = np.concatenate([circle[-_POINTS:], circle[: _POINTS + 1]])
    found[-1] += circle[_POINTS + 1 : _LENGTH // 2].sum()
    found[0] += circle[_LENGTH // 2 : -_POINTS].sum()
    return found.clip(0.0)


def _checks(density: Reals, low: int, upper: float) -> Reals:
    """The density that checks answer; a share `upper` of the edges has degree low + 1, the rest low."""
    both = density[_POINTS:] + density[_POINTS::-1]
    signed = density[_POINTS:] - density[_POINTS::-1]
    both[0] /= 2
    first = power = (both, signed)
    left = low - 2
    found = first
    while left:
        if left & 1:
            found = _pair(*found, *power, *_grid())
        left >>= 1
        if left:
            power = _pair(*power, *power, *_grid())
    more = _pair(*found, *first, *_grid()) if upper > 1e-9 else found
    sums, differences = ((1 - upper) * f + upper * m for f, m in zip(found, more, strict=True))
    answer = np.zeros(2 * _POINTS + 1)
    answer[_POINTS:], answer[_POINTS::-1] = (sums + differences) / 2, (sums - differences) / 2
    answer[_POINTS] = sums[0]
    return answer


@lru_cache(maxsize=1)
def _grid() -> tuple[npt.NDArray[np.int32], Reals]:
    """For each pair of sizes, what a check answers: the grid point below, and the part beyond it."""
    x = np.arange(_POINTS + 1) * _STEP
    a, b = x[:, None], x[None, :]
    answer = np.minimum(a, b) + np.log1p(np.exp(-(a + b))) - np.log1p(np.exp(-np.abs(a - b)))
    answer[0], answer[:, 0] = 0.0, 0.0
    answer /= _STEP
    whole = np.minimum(answer.astype(np.int32), _POINTS - 1)
    return whole, answer - whole


@njit(cache=True)
def _pair(both, signed, other, other_signed, whole, part):  # type: ignore[no-untyped-def]
    """Combine two messages at a check: densities of the size, plain and weighted by the sign."""
    n = both.size
    sums, differences = np.zeros(n + 1), np.zeros(n + 1)
    for a in range(n):
        if both[a] < 1e-14:
            continue
        for b in range(n):
            i, f = whole[a, b], part[a, b]
            p, q = both[a] * other[b], signed[a] * other_signed[b]
            sums[i] += p * (1 - f)
            sums[i + 1] += p * f
            differences[i] += q * (1 - f)
            differences[i + 1] += q * f
    return sums[:n], differences[:n]
