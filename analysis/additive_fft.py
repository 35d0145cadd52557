"""The additive Fourier transform over GF(2^64): forward, transposed, and inverse transposed.

f = sum_j f_j X_j of degree below 2^k is evaluated at all sums of v_0, ..., v_(k-1), Cantor's basis.
With s_i(X) the product of X + u over the sums u of v_0, ..., v_(i-1), which is linear and has
s_i(v_j) = v_(j-i), X_j is the product of the s_i with bit i of j set. Then f = f_0 + s_(k-1) f_1,
and the values of f on one half of the points and on the other follow from those of f_0 and f_1 by
butterflies: p + c q and p + c q + q, c the same for a whole block.

Source: S.-J. Lin, W.-H. Chung and Y. S. Han, Novel polynomial basis and its application to
Reed-Solomon erasure codes, FOCS 2014, arXiv:1404.3458, section III.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ebit.analysis.clmul import HARDWARE, LANES, butterfly, inner_butterfly
from ebit.analysis.clmul import pointwise as _pointwise
from ebit.analysis.gf64 import Words, gf64_multiply

__all__ = ["add_products", "forward", "inverse_transposed", "transposed"]

_LANES = max(LANES, 2)
_BLOCK = 13  # log2 of the words that are finished before the next ones are begun
_FORWARD, _TRANSPOSED, _INVERSE_TRANSPOSED = 0, 1, 2
_f, _f1, _f2, _f4 = butterfly("forward"), *(inner_butterfly("forward", h) for h in (1, 2, 4))
_t, _t1, _t2, _t4 = butterfly("transposed"), *(inner_butterfly("transposed", h) for h in (1, 2, 4))
_i, _i1, _i2, _i4 = (
    butterfly("inverse_transposed"),
    *(inner_butterfly("inverse_transposed", h) for h in (1, 2, 4)),
)


@njit(cache=True)
def _forward_hardware(f: Any, points: Any) -> None:
    n = len(f)
    step = min(n, 1 << _BLOCK)
    half = n // 2
    while half >= step:
        for b in range(n // (2 * half)):
            base, c = 2 * half * b, points[2 * b]
            for j in range(base, base + half, _LANES):
                _f(f, j, j + half, c)
        half //= 2
    for start in range(0, n, step):
        half = step // 2
        while half >= _LANES:
            for base in range(start, start + step, 2 * half):
                c = points[base // half]
                for j in range(base, base + half, _LANES):
                    _f(f, j, j + half, c)
            half //= 2
        for j in range(start, start + step, _LANES):
            if _LANES > 4:
                _f4(f, j, points, j // 4)
            if _LANES > 2:
                _f2(f, j, points, j // 2)
            _f1(f, j, points, j)


@njit(cache=True)
def _inverse_transposed_hardware(f: Any, points: Any) -> None:
    n = len(f)
    step = min(n, 1 << _BLOCK)
    half = n // 2
    while half >= step:
        for b in range(n // (2 * half)):
            base, c = 2 * half * b, points[2 * b]
            for j in range(base, base + half, _LANES):
                _i(f, j, j + half, c)
        half //= 2
    for start in range(0, n, step):
        half = step // 2
        while half >= _LANES:
            for base in range(start, start + step, 2 * half):
                c = points[base // half]
                for j in range(base, base + half, _LANES):
                    _i(f, j, j + half, c)
            half //= 2
        for j in range(start, start + step, _LANES):
            if _LANES > 4:
                _i4(f, j, points, j // 4)
            if _LANES > 2:
                _i2(f, j, points, j // 2)
            _i1(f, j, points, j)


@njit(cache=True)
def _transposed_hardware(f: Any, points: Any) -> None:
    n = len(f)
    step = min(n, 1 << _BLOCK)
    for start in range(0, n, step):
        for j in range(start, start + step, _LANES):
            _t1(f, j, points, j)
            if _LANES > 2:
                _t2(f, j, points, j // 2)
            if _LANES > 4:
                _t4(f, j, points, j // 4)
        half = _LANES
        while half < step:
            for base in range(start, start + step, 2 * half):
                c = points[base // half]
                for j in range(base, base + half, _LANES):
                    _t(f, j, j + half, c)
            half *= 2
    half = step
    while half < n:
        for b in range(n // (2 * half)):
            base, c = 2 * half * b, points[2 * b]
            for j in range(base, base + half, _LANES):
                _t(f, j, j + half, c)
        half *= 2


@njit(cache=True)
def _add_products_hardware(out: Any, a: Any, b: Any) -> None:
    for i in range(0, len(out), _LANES):
        _pointwise(out, a, b, i)


@njit(cache=True)
def _multiples(table: Any, c: np.uint64) -> None:
    """Fill table[16 i + d] with c d z^(4 i) in the field, d the 16 polynomials of degree < 4."""
    power = c
    for i in range(0, 256, 16):
        table[i] = 0
        for bit in (1, 2, 4, 8):
            for d in range(bit):
                table[i + bit + d] = table[i + d] ^ power
            power = (power << np.uint64(1)) ^ ((power >> np.uint64(63)) * np.uint64(0x1B))


@njit(cache=True)
def _by_table(table: Any, x: np.uint64) -> np.uint64:
    total = np.uint64(0)
    for i in range(16):
        total ^= table[16 * i + ((x >> np.uint64(4 * i)) & np.uint64(15))]
    return total


@njit(cache=True)
def _portable(f: Any, points: Any, mode: int) -> None:
    """All levels, in plain integer arithmetic; a wide block multiplies by way of a table."""
    n = len(f)
    table = np.empty(256, np.uint64)
    half = 1 if mode == _TRANSPOSED else n // 2
    while 0 < half < n:
        for base in range(0, n, 2 * half):
            c = points[base // half]
            wide = half >= 16
            if wide:
                _multiples(table, c)
            for i in range(base, base + half):
                p, q = f[i], f[i + half]
                taken = q if mode == _FORWARD else (p ^ q if mode == _TRANSPOSED else p)
                product = _by_table(table, taken) if wide else gf64_multiply(taken, c)
                if mode == _FORWARD:
                    f[i] = p ^ product
                    f[i + half] = p ^ product ^ q
                elif mode == _TRANSPOSED:
                    f[i] = taken
                    f[i + half] = product ^ q
                else:
                    f[i] = product ^ q ^ p
                    f[i + half] = product ^ q
        half = half * 2 if mode == _TRANSPOSED else half // 2


@njit(cache=True)
def _add_products_portable(out: Any, a: Any, b: Any) -> None:
    for i in range(len(out)):
        out[i] ^= gf64_multiply(a[i], b[i])


def forward(f: Words, points: Words, *, hardware: bool = HARDWARE) -> None:
    """Turn coefficients in the basis X_j into values at the points, in place.

    Args:
        f: uint64 (2^k,), k at least 4.
        points: `evaluation_points(k)`.
        hardware: whether to use the processor's carry-less multiplication; it must have it.

    Example:
        >>> from ebit.analysis.gf64 import evaluation_points
        >>> f = np.zeros(16, np.uint64)
        >>> f[1] = 1  # the polynomial X
        >>> forward(f, evaluation_points(4))
        >>> (f == evaluation_points(4)).all()
        np.True_
    """
    _forward_hardware(f, points) if hardware else _portable(f, points, _FORWARD)


def transposed(f: Words, points: Words, *, hardware: bool = HARDWARE) -> None:
    """Apply the transpose of `forward`, in place; arguments as there.

    Example:
        >>> from ebit.analysis.gf64 import evaluation_points
        >>> f = np.ones(16, np.uint64)
        >>> transposed(f, evaluation_points(4))
        >>> int(f[0])  # the sum of sixteen ones
        0
    """
    _transposed_hardware(f, points) if hardware else _portable(f, points, _TRANSPOSED)


def inverse_transposed(f: Words, points: Words, *, hardware: bool = HARDWARE) -> None:
    """Undo `transposed`, in place; arguments as in `forward`.

    Example:
        >>> from ebit.analysis.gf64 import evaluation_points
        >>> f = np.arange(16, dtype=np.uint64)
        >>> transposed(f, evaluation_points(4))
        >>> inverse_transposed(f, evaluation_points(4))
        >>> (f == np.arange(16)).all()
        np.True_
    """
    if hardware:
        _inverse_transposed_hardware(f, points)
    else:
        _portable(f, points, _INVERSE_TRANSPOSED)


def add_products(out: Words, a: Words, b: Words, *, hardware: bool = HARDWARE) -> None:
    """Add a b, word by word in GF(2^64), to `out`, in place; lengths are multiples of 16.

    Example:
        >>> out = np.zeros(16, np.uint64)
        >>> add_products(out, out + np.uint64(3), out + np.uint64(3))
        >>> int(out[0])  # (z + 1)^2
        5
    """
    _add_products_hardware(out, a, b) if hardware else _add_products_portable(out, a, b)
