"""Irreducible polynomials over GF(2), found and proved by Rabin's test.

A polynomial is a whole number: bit i is the coefficient of z^i.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from ebit.analysis.binomial import check_count
from ebit.games import ArgumentError

__all__ = ["irreducible_polynomial", "is_irreducible", "polynomial_remainder"]


def polynomial_remainder(a: int, f: int) -> int:
    """Return a modulo f.

    Example:
        >>> bin(polynomial_remainder(0b10000, 0b10011))  # z^4 modulo z^4 + z + 1
        '0b11'
    """
    degree = f.bit_length()
    while (excess := a.bit_length() - degree) >= 0:
        a ^= f << excess
    return a


def _square(a: int, w: int, low: list[int]) -> int:
    """a^2 modulo z^w + sum of z^k, k in `low`."""
    # Squaring puts a zero between any two coefficients: binary digits read to base four.
    a = int(f"{a:b}", 4)
    while over := a >> w:
        a ^= over << w
        for k in low:
            a ^= over << k
    return a


def _gcd(a: int, b: int) -> int:
    while b:
        a, b = b, polynomial_remainder(a, b)
    return a


def is_irreducible(f: int) -> bool:
    """Say whether a polynomial over GF(2) of degree w >= 1 is irreducible.

    It is if and only if z^(2^w) = z modulo f, and z^(2^(w/p)) - z has no factor in common with f for
    each prime p that divides w.

    Raises:
        ArgumentError: a constant.

    Example:
        >>> is_irreducible(0b10011), is_irreducible(0b10101)  # the second is (z^2 + z + 1)^2
        (True, False)

    Source: M. O. Rabin, SIAM J. Comput. 9, 273 (1980), lemma 1.
    """
    w = f.bit_length() - 1
    if w < 1:
        raise ArgumentError(f"Argument `f` must be a polynomial of degree 1 or more, but was {f}.")
    checks = {w // p for p in range(2, w + 1) if w % p == 0 and all(p % q for q in range(2, p))}
    checks |= {i for i in (5, 6, 7, 8) if i < w}  # finds most others early
    low = [k for k in range(w) if f >> k & 1]
    z = polynomial_remainder(0b10, f)
    power = z
    for i in range(1, w + 1):
        power = _square(power, w, low)
        if i in checks and _gcd(f, power ^ z) != 1:
            return False
    return power == z


def _candidates(w: int) -> Iterator[int]:
    """Binomials, trinomials, then pentanomials of degree w with a constant term, the smallest first.

    An even number of terms has the root 1, so that only z + 1 is irreducible among those.
    """
    ends = 1 << w | 1
    if w == 1:
        yield ends
    for a in range(1, w):
        yield ends | 1 << a
    for a in range(3, w):
        for b in range(2, a):
            for c in range(1, b):
                yield ends | 1 << a | 1 << b | 1 << c


@lru_cache(maxsize=256)
def irreducible_polynomial(w: int) -> int:
    """Return the irreducible polynomial of degree w with the fewest terms, the smallest of those.

    There is one with at most five terms for every degree allowed here; each is proved when found.

    Args:
        w: degree, 1 to 1024.

    Raises:
        ArgumentError: out of range.

    Example:
        >>> f"{irreducible_polynomial(8):b}"  # z^8 + z^4 + z^3 + z + 1
        '100011011'
    """
    check_count("w", w, low=1, high=1024)
    for f in _candidates(w):
        if is_irreducible(f):
            return f
    raise ArithmeticError(f"no irreducible polynomial of degree {w} with at most five terms")
