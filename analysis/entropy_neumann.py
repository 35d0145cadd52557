r"""Von Neumann entropy of both outputs at a given S: the exact curve from below, by proven lines.

A line (c, t) says H(AB|E) >= c + t S in every quantum realisation, for the outcomes at the setting
(0, 0). The best constant at slope t is found in four steps.

1. Jordan: devices with two settings of two outcomes are mixtures of pairs of qubits with
   A0 = B0 = Z, A1 = cos(u) Z + sin(u) X, B1 = cos(v) Z + sin(v) X, u and v in [0, pi]. Eve may know which,
   and both sides of the inequality are averages over them.
2. For one pair in the state rho, purified by Eve, H(AB|E) = D(rho || diag rho), and the smallest of
   D(rho || s) - t <S> over rho is -log2 tr exp(ln s + t ln2 S) (Gibbs). What is left is the smallest of
   that over diagonal s. Turning all outcomes round is a symmetry, so s = (p, q, q, p), p + q = 1/2.
3. With s fixed this is concave in the operator S, which is affine in the vector (cos u, sin u) and in
   (cos v, sin v): over two arcs it is no smaller than over the corners of two triangles that contain
   them. At a corner it is convex in p (Lieb), so two tangents bound it from below.
4. Pairs of arcs are halved until the bound of each is within `gap` of the smallest value seen.

What comes out is a lower bound, and within `gap` of the best that is possible. S commutes with Y Y, so
that matrices are 2 x 2 and all of it is closed form.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ebit.analysis.entropy_round import TOLERANCE, TSIRELSON, checked_size
from ebit.analysis.entropy_table import NEUMANN_LINES
from ebit.games import ArgumentError

__all__ = ["neumann_both_constant", "von_neumann_entropy_both"]

Array = npt.NDArray[np.float64]
_Like = TypeVar("_Like", float, Array)

_LN2 = math.log(2)
_SPLITS = 40
_LOW = 1e-13


def _value(p: Array, t: float, corner: Array) -> tuple[Array, Array]:
    """-ln tr exp(ln s + t S), t in nats, and its derivative in p.

    Args:
        p: (...), s = (p, q, q, p) with q = 1/2 - p.
        t: price of S.
        corner: (..., 4), the vectors that stand for A1 and B1.
    """
    (ax, ay), (bx, by) = (corner[..., 0], corner[..., 1]), (corner[..., 2], corner[..., 3])
    zz, xx = 1 + bx + ax * (1 - bx), -ay * by
    zx, xz = by * (1 - ax), ay * (1 - bx)
    q = 0.5 - p
    half = 0.5 * np.log(p / q)
    # The blocks where Y Y is +1 (Phi-, Psi+) and -1 (Phi+, Psi-).
    u, v = half + t * (zz - xx), half + t * (zz + xx)
    r = np.hypot(u, t * (zx + xz)), np.hypot(v, t * (zx - xz))
    top = np.maximum(*r)
    up = [np.exp(one - top) for one in r]
    down = [np.exp(-one - top) for one in r]
    total = up[0] + down[0] + up[1] + down[1]
    value = -(0.5 * np.log(p * q) + top + np.log(total))
    # sinh(r)/r has the limit 1 at r = 0, where the factor before it is 0.
    tilt = sum(
        (a - b) * x / np.maximum(one, 1e-300)
        for a, b, x, one in zip(up, down, (u, v), r, strict=True)
    )
    rise = 0.5 * (1 / p + 1 / q)
    slope = -(0.5 * (1 / p - 1 / q) + rise * tilt / total)
    return value, np.asarray(slope)


def _least(t: float, corner: Array) -> tuple[Array, Array]:
    """Least over p: a lower bound by tangents, and a value that is reached."""
    # Bisection on the logit, since p or q may be tiny.
    low = np.full(corner.shape[:-1], math.log(_LOW))
    high = -low
    for _ in range(_SPLITS):
        middle = (low + high) / 2
        falling = _value(_share(middle), t, corner)[1] < 0
        low, high = np.where(falling, middle, low), np.where(falling, high, middle)
    left, right = _share(low), _share(high)
    at_left, at_right = _value(left, t, corner), _value(right, t, corner)
    # Convex: the least inside the bracket is above either tangent at the far end, or, where the
    # bracket is at an end of [0, 1/2], above the tangent carried on to that end.
    first = at_left[0] + np.where(
        at_left[1] < 0, at_left[1] * (right - left), -np.abs(at_left[1]) * left
    )
    second = at_right[0] - np.where(
        at_right[1] > 0, at_right[1] * (right - left), np.abs(at_right[1]) * (0.5 - right)
    )
    bound = np.where(
        at_left[1] >= 0, first, np.where(at_right[1] <= 0, second, np.maximum(first, second))
    )
    return bound, np.minimum(at_left[0], at_right[0])


def _share(logit: Array) -> Array:
    return 0.5 / (1 + np.exp(-logit))


def _triangles(centre: Array, width: float) -> Array:
    """(..., 3, 2): ends of the arc of that half width, and where their tangents meet."""
    angle = centre[..., None] + width * np.array([-1.0, 1.0, 0.0])
    radius = np.array([1.0, 1.0, 1 / math.cos(width)])
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)


def neumann_both_constant(t: float, *, gap: float = 1e-4) -> float:
    r"""Return c such that H(AB|E) >= c + t S always, within gap of the largest such c.

    .. math:: c = \min_{u, v, s} -\log_2 \mathrm{tr} \exp(\ln s + t \ln 2\, S(u, v))

    up to `gap`, from below.

    Args:
        t: slope in bits per unit of S, 0 to 1000.
        gap: how far below the best constant the result may lie, in bits; at least 1e-7.

    Raises:
        ArgumentError: arguments out of range.

    Example:
        >>> c = neumann_both_constant(2.0, gap=1e-3)
        >>> round(c + 2.0 * 2.6, 2)
        0.85

    Source:
        Derived above; Jordan's lemma as in Pironio et al., New J. Phys. 11, 045021 (2009); the
        quantity and its numerical values: Bhavsar, Ragy, Colbeck, New J. Phys. 25, 093035 (2023).
    """
    if not 0 <= t <= 1000:
        raise ArgumentError(f"Argument `t` must be between 0 and 1000 bits, but was {t!r}.")
    if not 1e-7 <= gap <= 1:
        raise ArgumentError(f"Argument `gap` must be between 1e-7 and 1 bit, but was {gap!r}.")
    nats, spare = t * _LN2, gap * _LN2
    width = math.pi / 32
    one = width * (2 * np.arange(16) + 1)
    u, v = (x.reshape(-1) for x in np.meshgrid(one, one))
    seen = math.inf
    while len(u):
        middle = np.stack([np.cos(u), np.sin(u), np.cos(v), np.sin(v)], axis=-1)
        seen = min(seen, float(_least(nats, middle)[1].min()))
        a, b = _triangles(u, width), _triangles(v, width)
        corners = np.concatenate(
            [
                np.broadcast_to(a[:, :, None, :], (len(u), 3, 3, 2)),
                np.broadcast_to(b[:, None, :, :], (len(u), 3, 3, 2)),
            ],
            axis=-1,
        ).reshape(len(u), 9, 4)
        open_ = _least(nats, corners)[0].min(axis=1) < seen - spare
        width /= 2
        u, v = (
            (x[open_, None] + width * np.array(step)).reshape(-1)
            for x, step in ((u, [-1, -1, 1, 1]), (v, [-1, 1, -1, 1]))
        )
    # Every pair of arcs was closed at a bound of at least the last `seen` minus the gap.
    return (seen - spare) / _LN2 - 1e-11


def von_neumann_entropy_both(S: _Like, *, tolerance: float = TOLERANCE) -> _Like:
    r"""Return a proven von Neumann entropy of both outputs in bits, against quantum side information.

    The largest of a table of lines, each of which lies below H(AB|E) at every S; 0 at ``|S| <= 2``.
    For the outcomes at any one pair of settings that Eve knows. Within 0.002 bits of the exact curve.

    Args:
        S: CHSH value.
        tolerance: values of up to 2 sqrt 2 + tolerance are taken as 2 sqrt 2.

    Raises:
        ArgumentError: S is larger than that, or not a number.

    Example:
        >>> round(von_neumann_entropy_both(2.6), 2), round(von_neumann_entropy_both(2.828427), 2)
        (0.85, 1.6)

    Source:
        As `neumann_both_constant`; 1.6009 bits at 2 sqrt 2 as in Brown, Fawzi, Fawzi, Quantum 8,
        1445 (2024).
    """
    size = checked_size(S, tolerance, TSIRELSON)
    constant, slope = np.array(NEUMANN_LINES).T
    # 1e-12 covers the rounding of a product and a sum of numbers below 1000.
    best = (constant - 1e-12 + slope * size[..., None]).max(axis=-1)
    result = np.where(size <= 2, 0.0, np.maximum(best, 0.0))
    return result if isinstance(S, np.ndarray) else float(result)
