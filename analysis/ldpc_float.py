"""Exponential, logarithm and the tanh rule in float32 that the compiler turns into vector code.

The library functions would be called once per number; these are polynomials without branches, so a
loop over an array runs on 8 or 16 numbers at once. Errors are below 2e-6 of the value, far below what
belief propagation notices.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["log_ratio", "tanh_half"]

_ir = cgutils.ir
_F = np.float32
_ZERO, _ONE, _SHARE, _LN2, _HALF3 = _F(0), _F(1), _F(1 / 32), _F(math.log(2)), _F(1.5)
_FARTHEST = _F(18)  # beyond it, tanh(x/2) is 1 in float32
_NEAREST_ONE = _F(1 - 2**-24)


def _fitted(low: float, high: float, degree: int, exponential: bool) -> list[np.float32]:
    """Coefficients of exp(-x) in x, or of log(x + 1.5) in x, interpolated at Chebyshev points."""
    points = np.cos(np.pi * (np.arange(400) + 0.5) / 400)
    x = low + (points + 1) * (high - low) / 2
    y = np.exp(-x) if exponential else np.log(x + 1.5)
    return [_F(c) for c in np.polynomial.polynomial.polyfit(x, y, degree)]


_E0, _E1, _E2, _E3, _E4, _E5 = _fitted(0.0, 18 / 32, 5, True)
_L0, _L1, _L2, _L3, _L4, _L5, _L6, _L7, _L8 = _fitted(-0.5, 0.5, 8, False)


@intrinsic
def _exponent(typing: Any, x: Any) -> Any:
    """The binary exponent of a positive float32, as float32."""

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        word = _ir.IntType(32)
        raw = builder.lshr(builder.bitcast(given[0], word), _ir.Constant(word, 23))
        return builder.sitofp(builder.sub(raw, _ir.Constant(word, 127)), _ir.FloatType())

    return types.float32(types.float32), emit


@intrinsic
def _mantissa(typing: Any, x: Any) -> Any:
    """The mantissa of a positive float32, in [1, 2)."""

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        word = _ir.IntType(32)
        kept = builder.and_(builder.bitcast(given[0], word), _ir.Constant(word, 0x7FFFFF))
        return builder.bitcast(builder.or_(kept, _ir.Constant(word, 0x3F800000)), _ir.FloatType())

    return types.float32(types.float32), emit


@njit(inline="always", error_model="numpy")
def tanh_half(x):  # type: ignore[no-untyped-def]
    """Return tanh(x / 2) of a float32, with |x| cut at 18."""
    size = x if x > _ZERO else -x
    size = size if size < _FARTHEST else _FARTHEST
    y = size * _SHARE
    p = _E0 + y * (_E1 + y * (_E2 + y * (_E3 + y * (_E4 + y * _E5))))
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    t = (_ONE - p) / (_ONE + p)
    return t if x > _ZERO else -t


@njit(inline="always", error_model="numpy")
def log_ratio(t):  # type: ignore[no-untyped-def]
    """Return log((1 + t) / (1 - t)) = 2 artanh(t) of a float32, with |t| cut at 1 - 2^-24."""
    size = t if t > _ZERO else -t
    size = size if size < _NEAREST_ONE else _NEAREST_ONE
    v = (_ONE + size) / (_ONE - size)
    m = _mantissa(v) - _HALF3
    low = _L4 + m * (_L5 + m * (_L6 + m * (_L7 + m * _L8)))
    found = _exponent(v) * _LN2 + _L0 + m * (_L1 + m * (_L2 + m * (_L3 + m * low)))
    return found if t > _ZERO else -found
