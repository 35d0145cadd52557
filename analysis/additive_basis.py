"""Change of basis for the additive Fourier transform: from powers of X to products of s_i.

T = 2^t, t a power of two: s_t = X^T + X for Cantor's basis. A polynomial is expanded in powers of
s_t, its digits and the polynomial of its digits are expanded in turn, and nothing but additions
occurs: words of any width do, also words that stand for elements of GF(2^64).

Source: S. Gao and T. Mateer, IEEE Trans. Inf. Theory 56, 6265 (2010), section III, for the expansion
at X^T + X; S.-J. Lin, T. Y. Al-Naffouri, Y. S. Han and W.-H. Chung, IEEE Trans. Inf. Theory 62, 6284
(2016), for the basis.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = [
    "SMALLEST",
    "basis_steps",
    "change_basis",
    "change_basis_inverse_transposed",
    "change_basis_transposed",
]

SMALLEST = 4  # log2 of the shortest transform
_NEAR = 256  # words that stay in the nearest cache
Steps = npt.NDArray[np.int64]


def basis_steps(k: int) -> Steps:
    """Return the steps of the change of basis of 2^k coefficients: rows (block, distance).

    Each step divides, in every block, by a power of X^T + X: the upper half of the block is added
    in `distance` places lower, from the top down.

    Example:
        >>> basis_steps(2).tolist()  # X^3 = X (X^2 + X) + X^2, X^2 = (X^2 + X) + X
        [[4, 1]]

    Source: Gao and Mateer, section III; s_T = X^T + X where T = 2^t and t is a power of two.
    """
    found: list[tuple[int, int]] = []

    def expand(k: int, unit: int) -> None:
        if k < 2:
            return
        t = 1
        while 2 * t < k:
            t *= 2
        found.extend(
            (unit << j, unit * ((1 << (j - 1)) - (1 << (j - t - 1)))) for j in range(k, t, -1)
        )
        expand(k - t, unit << t)
        expand(t, unit)

    expand(k, 1)
    return np.array(found, np.int64).reshape(-1, 2)


@njit(cache=True)
def _first_local(steps: Steps) -> int:
    """The row from which on no step leaves a block of _NEAR words."""
    row = len(steps) - 4
    while row > 0 and steps[row - 1, 0] <= _NEAR:
        row -= 1
    return row


@njit(cache=True)
def _add(f: Any, to: int, start: int, count: int) -> None:
    target, source = f[to : to + count], f[start : start + count]
    for i in range(count):
        target[i] ^= source[i]


@njit(cache=True, inline="always")
def _divide(f: Any, base: int, half: int, d: int) -> None:
    """Add the upper half of a block in d places lower, from the top down."""
    _add(f, base + half, base + half + d, half - d)
    _add(f, base + half - d, base + half, d)


@njit(cache=True, inline="always")
def _spread(f: Any, base: int, half: int, d: int) -> None:
    """The inverse of the transpose of `_divide`: sources and targets change places."""
    _add(f, base + half + d, base + half, half - d)
    _add(f, base + half, base + half - d, d)


@njit(cache=True, inline="always")
def _gather(f: Any, base: int, half: int, d: int) -> None:
    """The transpose of `_divide`: the inverse of `_spread`."""
    _add(f, base + half, base + half - d, d)
    _add(f, base + half + d, base + half, half - d)


@njit(cache=True)
def change_basis(f: Any, steps: Steps) -> None:
    """Turn coefficients of powers of X into those of products of s_i, in place."""
    local = _first_local(steps)
    for row in range(local):
        for base in range(0, len(f), steps[row, 0]):
            _divide(f, base, steps[row, 0] // 2, steps[row, 1])
    size = min(len(f), _NEAR)
    for start in range(0, len(f), size):
        for row in range(local, len(steps) - 4):
            for base in range(start, start + size, steps[row, 0]):
                _divide(f, base, steps[row, 0] // 2, steps[row, 1])
        for base in range(start, start + size, 16):  # the last four steps of any transform
            _divide(f, base, 8, 6)
            _divide(f, base, 4, 3)
            _divide(f, base + 8, 4, 3)
            _divide(f, base, 8, 4)
            for i in range(base, base + 16, 4):
                _divide(f, i, 2, 1)


@njit(cache=True)
def change_basis_inverse_transposed(f: Any, steps: Steps) -> None:
    """Apply the inverse of the transpose of `change_basis`, in place."""
    local = _first_local(steps)
    for row in range(local):
        for base in range(0, len(f), steps[row, 0]):
            _spread(f, base, steps[row, 0] // 2, steps[row, 1])
    size = min(len(f), _NEAR)
    for start in range(0, len(f), size):
        for row in range(local, len(steps) - 4):
            for base in range(start, start + size, steps[row, 0]):
                _spread(f, base, steps[row, 0] // 2, steps[row, 1])
        for base in range(start, start + size, 16):
            _spread(f, base, 8, 6)
            _spread(f, base, 4, 3)
            _spread(f, base + 8, 4, 3)
            _spread(f, base, 8, 4)
            for i in range(base, base + 16, 4):
                _spread(f, i, 2, 1)


@njit(cache=True)
def change_basis_transposed(f: Any, steps: Steps) -> None:
    """Apply the transpose of `change_basis`, in place."""
    local = _first_local(steps)
    size = min(len(f), _NEAR)
    for start in range(0, len(f), size):
        for base in range(start, start + size, 16):
            for i in range(base, base + 16, 4):
                _gather(f, i, 2, 1)
            _gather(f, base, 8, 4)
            _gather(f, base, 4, 3)
            _gather(f, base + 8, 4, 3)
            _gather(f, base, 8, 6)
        for row in range(len(steps) - 5, local - 1, -1):
            for base in range(start, start + size, steps[row, 0]):
                _gather(f, base, steps[row, 0] // 2, steps[row, 1])
    for row in range(local - 1, -1, -1):
        for base in range(0, len(f), steps[row, 0]):
            _gather(f, base, steps[row, 0] // 2, steps[row, 1])
