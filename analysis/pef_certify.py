r"""A proven upper limit of a probability estimation factor's constraint over all quantum behaviours.

A factor F with power beta must satisfy

.. math:: G(p) = \sum_{xy} q(xy) \sum_{ab} F(abxy)\, p(ab|xy)^{1+\beta} \le 1

for every quantum behaviour p. How the limit is proven:

1. G is convex in p (F >= 0), so its maximum over the quantum set lies at extreme points. With two
   settings and two outcomes a side, each party's two observables are jointly block diagonal with
   blocks of size one and two (Jordan's lemma), so a behaviour is a mixture of those of two qubits, or
   fewer, measured in one real plane each. Statistics of real observables see only the real part of
   the state; that is a mixture of real pure states; the Schmidt form of a real vector is reached by
   real rotations and reflections, which keep the planes. What is left is theta in [0, pi/2] and four
   angles: `two_qubit_behaviour`. A block of size one (an observable that is plus or minus one there)
   is theta = 0 with an angle of 0 or pi; local deterministic behaviours are among these.
2. Let Psi(p) = p max(p, f)^beta for some f > 0. It is at least p^(1+beta), convex, rises, and its slope
   lies in [f^beta, 1+beta]. Put H for G with Psi in place of the power.
3. In each of the five coordinates u, p is a constant m plus a sinusoid of period 2 pi, so
   d2p/du2 = m - p. In the second derivative of H the part with Psi'' is not negative; the rest is at
   least -M_u, with M_u the sum of q R / 2 over the questions that contain u and

   .. math:: R(xy) = (1+\beta) \max F(xy) - f^\beta \min F(xy).

   For, one question's p - m sum to 0 over ab and their sizes to at most 1, so that
   sum F Psi'(p) (p - m) <= R / 2. (For Alice's angle m is half of Bob's marginal p(b), so the sizes
   are at most p(b)/2 twice. For theta, p - m = (a X + b Y + ab W)/4 with X = c cos alpha,
   Y = c cos beta, W = s sin alpha sin beta, and the sizes sum to
   max(|X|, |Y|, |W|, (|X| + |Y| + |W|)/2), where |X| + |Y| + |W| <=
   sqrt((|cos alpha| + |cos beta|)^2 + sin^2 alpha sin^2 beta) = 1 + |cos alpha cos beta| <= 2.)
   Every question contains three coordinates: the M_u sum to 3/2 sum q R.
4. A function with f'' >= -M lies at most M h^2 / 8 above its chord over a step h. One coordinate after
   the other: over a cell, H is at most its largest value at the corners plus the sum of M h^2 / 8.
5. Given theta and Bob's two angles, H splits into a part for each of Alice's angles, so the largest
   corner of all Alice's cells costs two searches along a line. Cells whose limit is above the target
   are halved, the others are done. G does not change when all angles are reflected, nor when all
   are turned by pi (every outcome flips), so Bob's first angle runs over one right angle.

Source:
    Masanes, quant-ph/0512100 (Jordan's lemma); arXiv:1709.06159 and arXiv:1812.07786 (the constraint).
    The limit is derived above.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from ebit.analysis.pef_constraint import check_pef, constraint, two_qubit_behaviour
from ebit.games import ArgumentError

__all__ = ["Certificate", "certify"]

_FIRST = 8  # cells per right angle at the coarsest level
_LEVELS = 13
_ROUNDING = 1e-12  # relative; sums of 16 powers in double precision lose far less


@dataclass(frozen=True)
class Certificate:
    """A proven limit of sum q(xy) F(abxy) p(ab|xy)^(1+beta) over every quantum behaviour.

    Attributes:
        bound: no quantum behaviour exceeds it.
        found: the largest value met on the grid: the true maximum lies in [found, bound].
        point: theta, Alice's two angles and Bob's two, in radians, where it was met.
        step: the finest grid step in radians.
        cells: cells examined.
    """

    bound: float
    found: float
    point: tuple[float, float, float, float, float]
    step: float
    cells: int


@numba.njit(cache=True)
def _term(
    c: float,
    s: float,
    ca: float,
    sa: float,
    cb: float,
    sb: float,
    w_agree: float,
    w_differ: float,
    beta: float,
    floor: float,
    slope: float,
) -> float:
    """One question's part, with p^(1+beta) replaced by its chord below `floor`."""
    one, two, three = c * ca, c * cb, ca * cb + s * sa * sb
    agree = differ = 0.0
    p = 0.25 * (1 + one + two + three)
    agree += p * (slope if p < floor else math.exp(beta * math.log(p)))
    p = 0.25 * (1 - one - two + three)
    agree += p * (slope if p < floor else math.exp(beta * math.log(p)))
    p = 0.25 * (1 + one - two - three)
    differ += p * (slope if p < floor else math.exp(beta * math.log(p)))
    p = 0.25 * (1 - one + two - three)
    differ += p * (slope if p < floor else math.exp(beta * math.log(p)))
    return w_agree * agree + w_differ * differ


@numba.njit(cache=True)
def _level(nodes, cos, sin, agree, differ, beta, floor, error, target, gap):  # type: ignore[no-untyped-def]
    """Bound every cell of a level; return the children of those above target, and the largest values."""
    slope = math.exp(beta * math.log(floor))
    out = np.empty((max(1024, 2 * len(nodes)), 7), dtype=np.int32)
    filled = 0
    full = len(cos) - 1
    f = np.empty((8, 2, full + 1))
    top = np.empty((8, 2))
    runs = np.empty((2, full + 1, 2), dtype=np.int32)
    count = np.zeros(2, dtype=np.int64)
    best, worst = -1.0, -1.0
    where = np.zeros(5, dtype=np.int32)
    for k in range(len(nodes)):
        node = nodes[k]
        largest = -1.0
        for corner in range(8):
            it = node[0] + (corner & 1)
            c, s = cos[it], sin[it]
            j0, j1 = node[1] + ((corner >> 1) & 1), node[2] + (corner >> 2)
            at = np.zeros(2, dtype=np.int32)
            for x in range(2):
                high = -1.0
                for i in range(node[3 + 2 * x], node[4 + 2 * x] + 1):
                    value = _term(
                        c,
                        s,
                        cos[i],
                        sin[i],
                        cos[j0],
                        sin[j0],
                        agree[x, 0],
                        differ[x, 0],
                        beta,
                        floor,
                        slope,
                    )
                    value += _term(
                        c,
                        s,
                        cos[i],
                        sin[i],
                        cos[j1],
                        sin[j1],
                        agree[x, 1],
                        differ[x, 1],
                        beta,
                        floor,
                        slope,
                    )
                    f[corner, x, i] = value
                    if value > high:
                        high = value
                        at[x] = i
                top[corner, x] = high
            total = top[corner, 0] + top[corner, 1]
            largest = max(largest, total)
            if total > best:
                best = total
                where[0], where[1], where[2], where[3], where[4] = it, at[0], at[1], j0, j1
                target = max(target, best + gap)
        if largest + error <= target:
            continue
        worst = max(worst, largest + error)
        for x in range(2):
            count[x] = 0
            inside = False
            for i in range(node[3 + 2 * x], node[4 + 2 * x]):
                alive = False
                for corner in range(8):
                    here = max(f[corner, x, i], f[corner, x, i + 1]) + top[corner, 1 - x]
                    if here + error > target:
                        alive = True
                        break
                if alive and not inside:
                    runs[x, count[x], 0] = i
                    count[x] += 1
                if alive:
                    runs[x, count[x] - 1, 1] = i + 1
                inside = alive
        need = filled + 8 * count[0] * count[1]
        if need > len(out):
            larger = np.empty((2 * need, 7), dtype=np.int32)
            larger[:filled] = out[:filled]
            out = larger
        for r0 in range(count[0]):
            for r1 in range(count[1]):
                for child in range(8):
                    out[filled, 0] = 2 * node[0] + (child & 1)
                    out[filled, 1] = 2 * node[1] + ((child >> 1) & 1)
                    out[filled, 2] = 2 * node[2] + (child >> 2)
                    out[filled, 3] = 2 * runs[0, r0, 0]
                    out[filled, 4] = 2 * runs[0, r0, 1]
                    out[filled, 5] = 2 * runs[1, r1, 0]
                    out[filled, 6] = 2 * runs[1, r1, 1]
                    filled += 1
    return out[:filled], best, worst, where, target


def certify(
    factors: npt.ArrayLike,
    beta: float,
    q: npt.ArrayLike,
    *,
    tolerance: float = 3e-4,
    most: int = 3_000_000,
) -> Certificate:
    """Return a proven limit of the constraint over all quantum behaviours; see the module.

    The limit lies above the largest value found by tolerance * beta, or not by more; its cost is
    tolerance / ln 2 bits per round. If the cells become too many the limit is wider, never wrong.

    Args:
        factors: F, (2, 2, 2) indexed [x, y, won], not negative.
        beta: the power, above 0.
        q: probability of each question, (2, 2).
        tolerance: how far above the maximum the limit may lie, in units of beta.
        most: cells left over at a level at which refining stops.

    Returns:
        The limit, the largest value found, and where.

    Raises:
        ArgumentError: a table of another shape, negative or infinite factors, beta or tolerance not
            above 0, or q no distribution.

    Example:
        >>> fair = np.full((2, 2), 0.25)
        >>> c = certify(np.tile([0.98, 1.0066], (2, 2, 1)), 0.003, fair, tolerance=0.01)
        >>> c.found <= c.bound <= c.found + 0.01 * 0.003 + 1e-9
        True

    Source:
        Derived in the module's docstring.
    """
    table, asked = check_pef(factors, beta, q)
    if not 0 < tolerance < math.inf:
        raise ArgumentError(f"Argument `tolerance` must be above 0, but was {tolerance!r}.")
    agree, differ = asked * table[:, :, 1], asked * table[:, :, 0]
    agree[1, 1], differ[1, 1] = asked[1, 1] * table[1, 1, 0], asked[1, 1] * table[1, 1, 1]
    gap = tolerance * beta
    target, cells, found, limit = gap, 0, -1.0, math.inf
    point: tuple[float, ...] = (0.0,) * 5
    n = _FIRST
    nodes = _first_cells(n, symmetric=_bob_symmetric(table, asked))
    for level in range(_LEVELS):
        h = math.pi / 2 / n
        floor = h * h / 8
        spread = table.max(axis=2) * (1 + beta) - table.min(axis=2) * floor**beta
        error = 3 / 2 * float(np.sum(asked * spread)) * (h * (1 + 1e-9)) ** 2 / 8
        error += _ROUNDING * float(table.max())
        grid = np.arange(4 * n + 1) * h
        cells += len(nodes)
        nodes, best, limit, at, target = _level(
            nodes, np.cos(grid), np.sin(grid), agree, differ, beta, floor, error, target, gap
        )
        if best > found:
            found, point = float(best), tuple(float(u) for u in grid[at])
        limit = max(float(limit), target)
        if not len(nodes) or len(nodes) > most or level == _LEVELS - 1:
            break
        n *= 2
    exact = constraint(table, beta, asked, two_qubit_behaviour(point[0], point[1:3], point[3:]))
    return Certificate(limit, exact, (point[0], point[1], point[2], point[3], point[4]), h, cells)


def _first_cells(n: int, *, symmetric: bool) -> npt.NDArray[np.int32]:
    """Cells of the coarsest level: theta, Bob's two angles, and windows of Alice's two."""
    it, j0, j1 = (k.ravel() for k in np.meshgrid(range(n), range(n), range(4 * n), indexing="ij"))
    if symmetric:
        folded = j1 % (2 * n)
        folded = np.minimum(folded, 2 * n - 1 - folded)
        keep = folded >= j0
        it, j0, j1 = it[keep], j0[keep], j1[keep]
    nodes = np.zeros((len(it), 7), dtype=np.int32)
    nodes[:, 0], nodes[:, 1], nodes[:, 2] = it, j0, j1
    nodes[:, 4] = nodes[:, 6] = 4 * n
    return nodes


def _bob_symmetric(table: npt.NDArray[np.float64], q: npt.NDArray[np.float64]) -> bool:
    """Whether swapping Bob's questions, and flipping Alice's outcome at x = 1, changes nothing."""
    return bool((table[:, 0] == table[:, 1]).all() and (q[:, 0] == q[:, 1]).all())
