"""Weak designs: sets of seed positions that overlap little, for Trevisan's extractor."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from ebit.analysis.binomial import check_count
from ebit.games import ArgumentError

__all__ = ["block_design", "block_sizes", "design_seed_length", "overlap", "polynomial_design"]

Sets = npt.NDArray[np.int64]
OVERLAP = 2 * math.e  # of the polynomial design


def _check_prime(t: int) -> int:
    t = check_count("t", t, low=2, high=1 << 24)
    if any(t % p == 0 for p in range(2, math.isqrt(t) + 1)):
        raise ArgumentError(f"Argument `t` must be a prime number, but was {t}.")
    return t


def polynomial_design(m: int, t: int) -> Sets:
    """Return m sets of t positions out of t^2: the graphs of polynomials over the field of t elements.

    Set i holds the positions t p_i(a) + a for a = 0 to t - 1; the coefficients of p_i are the digits
    of i to base t, the constant first. Two polynomials of degree below c meet in fewer than c points,
    and sum_(j<i) 2^|S_i and S_j| <= 2 e m for every i.

    Args:
        m: sets, 1 to t^t.
        t: positions per set, a prime.

    Returns:
        int64 (m, t), positions below t^2.

    Raises:
        ArgumentError: t not prime, m out of range.

    Example:
        >>> polynomial_design(5, 3).tolist()
        [[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 4, 8], [3, 7, 2]]

    Source: Mauerer, Portmann and Scholz, arXiv:1212.0520, section on the basic construction, after
    T. Hartman and R. Raz, Random Struct. Algorithms 23, 235 (2003).
    """
    t = _check_prime(t)
    m = check_count("m", m, low=1, high=t**t)
    points = np.arange(t, dtype=np.int64)
    index = np.arange(m, dtype=np.int64)[:, None]
    values = np.zeros((m, t), np.int64)
    digits = 1
    while t**digits < m:
        digits += 1
    for k in range(digits - 1, -1, -1):  # Horner's rule, the highest coefficient first
        values = (values * points + index // t**k % t) % t
    return values * t + points


def block_sizes(m: int, t: int) -> tuple[int, ...]:
    """Return how many sets the blocks of a block design with r = 1 have.

    Blocks use disjoint stretches of the seed, so that sets of different blocks add 1 each to the sum.
    With M sets before a block of s, a set of the block collects at most M + 2 e s, which is at most m
    if s <= (m - M) / (2 e). Up to t sets that are graphs of constants do not meet: M + s - 1 < m.

    Example:
        >>> block_sizes(100, 11)
        (18, 15, 12, 11, 11, 11, 11, 11)

    Source: arXiv:1212.0520, section on block designs; the sizes here are taken greedily, and the
    condition above is theirs.
    """
    sizes: list[int] = []
    left = m
    while left:
        # The slack is far more than the rounding of a quotient below 2^53.
        size = max(math.floor(left / OVERLAP * (1 - 1e-12)), min(t, left))
        size = min(size, t ** min(t, 20))  # polynomials there are; 20^20 is more than anyone asks
        sizes.append(size)
        left -= size
    return tuple(sizes)


def design_seed_length(m: int, t: int, *, block: bool = True) -> int:
    """Return the seed bits of a design: t^2 for each block.

    Example:
        >>> design_seed_length(100, 11), design_seed_length(100, 11, block=False)
        (968, 121)
    """
    t, m = _check_prime(t), check_count("m", m, low=1)
    return (len(block_sizes(m, t)) if block else 1) * t * t


def block_design(m: int, t: int) -> Sets:
    """Return m sets of t positions with sum_(j<i) 2^|S_i and S_j| <= m for every i: r = 1.

    Args:
        m: sets.
        t: positions per set, a prime.

    Returns:
        int64 (m, t), positions below `design_seed_length(m, t)`.

    Raises:
        ArgumentError: t not prime, m out of range.

    Example:
        >>> sets = block_design(100, 11)
        >>> overlap(sets) <= 1
        True

    Source: as `block_sizes`.
    """
    t, m = _check_prime(t), check_count("m", m, low=1)
    parts = [
        polynomial_design(size, t) + block * t * t for block, size in enumerate(block_sizes(m, t))
    ]
    return np.concatenate(parts)


def overlap(sets: Sets) -> float:
    """Return the r of a weak design by counting: the largest sum_(j<i) 2^|S_i and S_j|, over m.

    Args:
        sets: int64 (m, t), distinct positions in each row.

    Example:
        >>> overlap(np.array([[0, 1], [0, 2], [1, 2]]))
        1.3333333333333333
    """
    sets = np.ascontiguousarray(sets, np.int64)
    return float(_largest_sum(sets, int(sets.max()) + 1)) / len(sets)


@njit(cache=True)
def _largest_sum(sets: Sets, size: int) -> float:
    inside = np.zeros(size, np.bool_)
    largest = 0.0
    for i in range(len(sets)):
        inside[:] = False
        for position in sets[i]:
            inside[position] = True
        total = 0.0
        for j in range(i):
            common = 0
            for position in sets[j]:
                common += inside[position]
            total += 2.0**common
        largest = max(largest, total)
    return largest
