"""Exact middle products of 0/1 sequences by a floating-point FFT whose rounding is bounded.

The bound is for any transform that runs in passes over factors of its length, each factor at most 11,
in IEEE doubles, whatever the order of the additions inside a pass; scipy's does for the lengths used
here. With u = 2^-53 and gamma_q = q u / (1 - q u):

- A pass of radix r sums r inputs with factors of modulus at most 1; each term meets at most r + 6
  roundings, an inexact table included. So a result errs by at most 2 gamma_(r+6) times the sum of
  the moduli of its r inputs, and in the 2-norm, relative to the results, by 2 sqrt(r) gamma_(r+6).
- The twiddle factor multiplies by 1 + d with |d| <= (sqrt 5 + 4) u: the product itself, and a table
  that is good to 4 u.
- t passes of exact maps of equal scale, each with relative error e, err by (1 + e)^t - 1: for the
  forward transforms in the 2-norm. By Cauchy's inequality the pointwise products err in the 1-norm by
  E N ||a|| ||b||, 1 + E = (1 + e)^(2t) (1 + sqrt 5 u).
- In the inverse transform the inputs that a final result depends on meet in disjoint groups, so that
  each pass adds at most e' times the 1-norm of its input: at most (1 + e')^t - 1 in all.

Each result of the convolution is therefore within ((1 + E)(1 + e')^t (1 + u) - 1) ||a|| ||b|| of the
truth (the last rounding is the scaling by 1/N), and 0/1 sequences have norms of at most the root of
their lengths.

Source: N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., theorem 24.2, and R. Brent,
C. Percival and P. Zimmermann, Math. Comp. 76, 1469 (2007), theorem 5.1, for radix 2; the derivation
above is for mixed radices and looser.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import fft

from ebit.analysis.binomial import check_count
from ebit.games import ArgumentError

__all__ = ["fft_middle_product", "largest_piece", "rounding_bound"]

Bits = npt.NDArray[np.uint8]
_UNIT = 2.0**-53
_RADIX = 11
_ALLOWED = 0.25
_PIECE = 1 << 25  # bits of x at once, for the sake of memory


def rounding_bound(length: int, first: int, second: int) -> float:
    """Return a proven bound on the error of every result of a cyclic convolution by FFT.

    Args:
        length: of the transforms, without a prime factor above 11.
        first: how many 0/1 values the first sequence has.
        second: the same of the second.

    Raises:
        ArgumentError: a length with another factor: the derivation does not cover it.

    Example:
        >>> bound = rounding_bound(2**24, 10**7, 15 * 10**6)
        >>> 1e-7 < bound < 1e-4
        True

    Source: see the module.
    """
    check_count("length", length, low=1)
    rest, passes = length, 0
    for prime in (2, 3, 5, 7, 11):
        while rest % prime == 0:
            rest //= prime
            passes += 1
    if rest != 1:
        raise ArgumentError(
            f"Argument `length` must have no prime factor above 11, but was {length}."
        )
    gamma = (_RADIX + 6) * _UNIT / (1 - (_RADIX + 6) * _UNIT)
    twiddle = math.log1p((math.sqrt(5) + 4) * _UNIT)
    norm = math.log1p(2 * math.sqrt(_RADIX) * gamma) + twiddle
    each = math.log1p(2 * gamma) + twiddle
    # A transform of real values has a pass more, which takes two halves apart.
    passes += 1
    total = 2 * passes * norm + math.log1p(math.sqrt(5) * _UNIT) + passes * each + math.log1p(_UNIT)
    return math.expm1(total) * math.sqrt(first) * math.sqrt(second)


def largest_piece(n: int, m: int) -> int:
    """Return how many of n bits go through one transform so that its errors stay below 1/4.

    Example:
        >>> largest_piece(10**6, 500_000)
        1000000
    """
    piece = min(n, max(_PIECE, m))
    while rounding_bound(_length(piece + m - 1), piece, piece + m - 1) >= _ALLOWED:
        if piece == 1:
            raise ArgumentError(
                f"Argument `m` must be smaller for the FFT route, but was {m}: no split of the input "
                "keeps the rounding errors below 1/4; take method 'product'."
            )
        piece = (piece + 1) // 2
    return piece


def fft_middle_product(seed: Bits, x: Bits, m: int) -> Bits:
    """Return y with y_i = XOR over j of seed_(i - j + n - 1) x_j, by real FFTs.

    Args:
        seed: 0/1, uint8 (n + m - 1,).
        x: 0/1, uint8 (n,).
        m: bits of y.

    Returns:
        0/1, uint8 (m,).

    Raises:
        ArgumentError: no split keeps the proven bound below 1/4.
        ArithmeticError: a result lies 1/4 or more away from a whole number, or the sum of all
            results is not the product of the sums: the FFT library does not do what it should.

    Example:
        >>> fft_middle_product(np.array([1, 0, 0, 1], np.uint8), np.array([0, 1, 1], np.uint8), 2).tolist()
        [1, 0]
    """
    n = len(x)
    piece = largest_piece(n, m)
    total = np.zeros(m, np.uint8)
    for start in range(0, n, piece):
        part = x[start : start + piece]
        stop = start + len(part)
        stretch = seed[n - stop : n - start + m - 1]
        total ^= _one_piece(stretch, part, m)
    return total


def _length(least: int) -> int:
    """The shortest length of 2-, 3- and 5-smooth numbers: what real transforms do in passes."""
    return int(fft.next_fast_len(least, real=True))


def _one_piece(seed: Bits, x: Bits, m: int) -> Bits:
    length = _length(len(seed))
    spectrum = fft.rfft(seed.astype(np.float64), length)
    spectrum *= fft.rfft(x.astype(np.float64), length)
    result = fft.irfft(spectrum, length, overwrite_x=True)
    del spectrum
    # Results before the first wanted one wrap around and are sums of two: whole numbers as well.
    check_distance(result, int(np.count_nonzero(seed)) * int(np.count_nonzero(x)))
    wanted = np.rint(result[len(x) - 1 : len(x) - 1 + m])
    odd: Bits = (wanted.astype(np.int64) & 1).astype(np.uint8)
    return odd


def check_distance(result: npt.NDArray[np.float64], total: int) -> float:
    """Return the largest distance of a convolution's results to a whole number, or raise.

    Args:
        result: all results of a cyclic convolution of whole numbers.
        total: what they must add up to.

    Raises:
        ArithmeticError: a distance of 1/4 or more, or another total.

    Example:
        >>> check_distance(np.array([1.0, 2.125]), 3)
        0.125
    """
    rounded = np.rint(result)
    distance = float(np.max(np.abs(result - rounded)))
    if not distance < _ALLOWED:
        raise ArithmeticError(
            f"a result of the FFT lies {distance:.3g} from a whole number, where less than 1/4 is proven: "
            "take method 'product'"
        )
    found = int(rounded.astype(np.int64).sum())
    if found != total:
        raise ArithmeticError(
            f"the results of the FFT add up to {found}, but must to {total}: take method 'product'"
        )
    return distance
