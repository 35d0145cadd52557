"""Unbiased bits from a biased coin: von Neumann's rule and Peres' repetition of it, for teaching.

Both need flips that are independent and all biased alike. A measured device has neither property for
sure, and no entropy bound replaces them: for anything but a lesson take Toeplitz hashing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ebit.analysis.binomial import check_count
from ebit.games import ArgumentError

__all__ = ["peres", "von_neumann"]

Bits = npt.NDArray[np.uint8]


def _check(bits: npt.ArrayLike) -> Bits:
    array = np.asarray(bits)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "bui"):
        raise ArgumentError(
            f"Argument `bits` must be 0 and 1 in one dimension, but was {array.dtype} of shape "
            f"{array.shape}."
        )
    if array.size and (array.min() < 0 or array.max() > 1):
        raise ArgumentError(
            f"Argument `bits` must hold only 0 and 1, but had {array.min()} to {array.max()}."
        )
    return array.astype(np.uint8)


def von_neumann(bits: npt.ArrayLike) -> Bits:
    """Return the first flip of every pair of flips that differ; an odd flip at the end is left out.

    01 and 10 have the same probability p (1 - p), whatever p is, if the flips are independent and
    identically biased; then the bits returned are uniform, p (1 - p) of them per flip.

    Args:
        bits: 0/1, of any integer type or bool, one dimension.

    Returns:
        0/1, uint8.

    Raises:
        ArgumentError: other values or another shape.

    Example:
        >>> von_neumann([0, 1, 1, 1, 1, 0, 0]).tolist()
        [0, 1]

    Source: J. von Neumann, Nat. Bur. Stand. Appl. Math. Ser. 12, 36 (1951).
    """
    flips = _check(bits)
    pairs = flips[: len(flips) // 2 * 2].reshape(-1, 2)
    return np.ascontiguousarray(pairs[pairs[:, 0] != pairs[:, 1], 0])


def peres(bits: npt.ArrayLike, *, depth: int = 10) -> Bits:
    """Return von Neumann's bits and those that his rule throws away, as far as `depth` rounds.

    Psi(x) = von Neumann(x), Psi(whether the pairs differ), Psi(the value of the pairs that agree). The
    number of bits per flip tends to the entropy h(p) with the depth. It needs the same as von
    Neumann's rule: flips that are independent and identically biased.

    Args:
        bits: 0/1, of any integer type or bool, one dimension.
        depth: rounds, 1 (von Neumann's rule alone) to 64.

    Returns:
        0/1, uint8.

    Raises:
        ArgumentError: other values or another shape, a depth out of range.

    Example:
        >>> peres([0, 1, 1, 1, 1, 0, 0, 0], depth=2).tolist()
        [0, 1, 1, 1, 1]

    Source: Y. Peres, Ann. Statist. 20, 590 (1992), eq. 2.
    """
    check_count("depth", depth, low=1, high=64)
    flips = _check(bits)
    parts: list[Bits] = []
    waiting = [(flips, depth)]
    while waiting:
        x, left = waiting.pop()
        if left == 0 or len(x) < 2:
            continue
        pairs = x[: len(x) // 2 * 2].reshape(-1, 2)
        differ = pairs[:, 0] ^ pairs[:, 1]
        parts.append(pairs[differ == 1, 0])
        waiting.append((pairs[differ == 0, 0], left - 1))
        waiting.append((differ, left - 1))
    return np.concatenate(parts) if parts else np.zeros(0, np.uint8)
