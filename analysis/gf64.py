"""The field GF(2^64) in plain integer arithmetic, and Cantor's basis of it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["cantor_basis", "carryless_product", "evaluation_points", "gf64_multiply"]

Words = npt.NDArray[np.uint64]
_FOLD = np.uint64(0x1B)
_M0 = np.uint64(0x1111111111111111)
_M1 = np.uint64(0x2222222222222222)
_M2 = np.uint64(0x4444444444444444)
_M3 = np.uint64(0x8888888888888888)


@njit(cache=True, inline="always")
def _low_product(a: np.uint64, b: np.uint64) -> np.uint64:
    """Lower 64 bits of the carry-less product, by ordinary products of words with holes.

    In a word with one bit in four, a place below the last collects at most fifteen ones: the sum
    stays inside the hole, and its lowest bit is the one wanted.
    """
    a0, a1, a2, a3 = a & _M0, a & _M1, a & _M2, a & _M3
    b0, b1, b2, b3 = b & _M0, b & _M1, b & _M2, b & _M3
    return (
        ((a0 * b0 ^ a1 * b3 ^ a2 * b2 ^ a3 * b1) & _M0)
        | ((a0 * b1 ^ a1 * b0 ^ a2 * b3 ^ a3 * b2) & _M1)
        | ((a0 * b2 ^ a1 * b1 ^ a2 * b0 ^ a3 * b3) & _M2)
        | ((a0 * b3 ^ a1 * b2 ^ a2 * b1 ^ a3 * b0) & _M3)
    )


@njit(cache=True, inline="always")
def _mirror(x: np.uint64) -> np.uint64:
    """The word with its bits in reverse order."""
    x = ((x >> np.uint64(1)) & np.uint64(0x5555555555555555)) | (
        (x & np.uint64(0x5555555555555555)) << np.uint64(1)
    )
    x = ((x >> np.uint64(2)) & np.uint64(0x3333333333333333)) | (
        (x & np.uint64(0x3333333333333333)) << np.uint64(2)
    )
    x = ((x >> np.uint64(4)) & np.uint64(0x0F0F0F0F0F0F0F0F)) | (
        (x & np.uint64(0x0F0F0F0F0F0F0F0F)) << np.uint64(4)
    )
    x = ((x >> np.uint64(8)) & np.uint64(0x00FF00FF00FF00FF)) | (
        (x & np.uint64(0x00FF00FF00FF00FF)) << np.uint64(8)
    )
    x = ((x >> np.uint64(16)) & np.uint64(0x0000FFFF0000FFFF)) | (
        (x & np.uint64(0x0000FFFF0000FFFF)) << np.uint64(16)
    )
    return (x >> np.uint64(32)) | (x << np.uint64(32))


@njit(cache=True)
def carryless_product(a: np.uint64, b: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Return the lower and the upper word of the product of two polynomials over GF(2).

    Args:
        a, b: 64-bit words; bit i is the coefficient of z^i.

    Example:
        >>> low, high = carryless_product(np.uint64(3), np.uint64(2**63 + 1))
        >>> hex(low), hex(high)  # (z + 1) (z^63 + 1)
        ('0x8000000000000003', '0x1')
    """
    upper = _mirror(_low_product(_mirror(a), _mirror(b))) >> np.uint64(1)
    return _low_product(a, b), upper


@njit(cache=True)
def gf64_multiply(a: np.uint64, b: np.uint64) -> np.uint64:
    """Return a b in GF(2)[z] / (z^64 + z^4 + z^3 + z + 1).

    Example:
        >>> hex(gf64_multiply(np.uint64(2**63), np.uint64(2)))
        '0x1b'
    """
    low, high = carryless_product(a, b)
    over = (high >> np.uint64(60)) ^ (high >> np.uint64(61)) ^ (high >> np.uint64(63))
    high ^= over
    product: np.uint64 = (
        low ^ high ^ (high << np.uint64(1)) ^ (high << np.uint64(3)) ^ (high << np.uint64(4))
    )
    return product


def _square(x: int) -> int:
    return int(gf64_multiply(np.uint64(x), np.uint64(x)))


@lru_cache(maxsize=1)
def cantor_basis() -> tuple[int, ...]:
    """Return v_0 = 1, v_1, ..., v_31 with v_i^2 + v_i = v_(i-1): a basis of GF(2^32) in GF(2^64).

    x -> x^2 + x is linear over GF(2); each step solves it by elimination. All v_i with i < 32 lie
    in the subfield of 2^32 elements, whose trace from GF(2^64) is zero, so that a solution exists
    whichever was taken before.

    Example:
        >>> v = cantor_basis()
        >>> v[0], _square(v[5]) ^ v[5] == v[4]
        (1, True)

    Source: D. G. Cantor, On arithmetical algorithms over finite fields, JCTA A 50, 285 (1989).
    """
    rows: list[tuple[int, int]] = []  # (image, preimage), leading bits of the images distinct
    for i in range(64):
        pair = (_square(1 << i) ^ (1 << i), 1 << i)
        pair = _reduce(pair, rows)
        if pair[0]:
            rows.append(pair)
    basis = [1]
    while len(basis) < 32:
        left, solution = _reduce((basis[-1], 0), rows)
        if left:  # cannot happen: see above
            raise ArithmeticError("x^2 + x = v has no solution in GF(2^64)")
        basis.append(solution)
    return tuple(basis)


def _reduce(pair: tuple[int, int], rows: list[tuple[int, int]]) -> tuple[int, int]:
    image, origin = pair
    for row, source in sorted(rows, reverse=True):
        if image >> (row.bit_length() - 1) & 1:
            image, origin = image ^ row, origin ^ source
    return image, origin


@lru_cache(maxsize=4)
def evaluation_points(k: int) -> Words:
    """Return the 2^k sums of v_0, ..., v_(k-1): point b is the sum of v_i over the bits i of b.

    Example:
        >>> evaluation_points(1).tolist()
        [0, 1]
    """
    points = np.zeros(1 << k, np.uint64)
    for i, v in enumerate(cantor_basis()[:k]):
        points[1 << i : 2 << i] = points[: 1 << i] ^ np.uint64(v)
    points.flags.writeable = False
    return points
