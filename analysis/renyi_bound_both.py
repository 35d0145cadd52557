r"""Renyi entropy of both CHSH outputs: the constant of the estimation factor, proven cell by cell.

What is wanted is the largest value, over all devices, of

.. math:: \sum_z p(z) \sum_{ab} u(z, c) Q(\rho_E^{ab|z} \| \rho_E), \qquad c = 1 \text{ if won}

(see `ebit.analysis.renyi_bound`), now without giving away what Bob's output adds.

**Two angles.** By Jordan's lemma the device is a mixture, known to the adversary, of pairs of qubits
with projective measurements in a real plane; the sum is linear in the mixture. For a state rho of the
two qubits, purified by the adversary, Q = <m| rho^{1/alpha} |m>^alpha with m the measured product
vector. That is concave in rho and homogeneous (Epstein), and the weights depend on the parity of the
answers alone, so rho may be averaged with its complex conjugate and with Y Y rho Y Y: it is real and
splits into two blocks, spanned by (Phi-, Psi+) and (Phi+, Psi-), on which A_x B_y is a reflection at
the angle beta_y + alpha_x and beta_y - alpha_x. What remains are the angle between Alice's settings
and the one between Bob's.

**A bound for given angles.** Concave and homogeneous: the sum is at most tr rho G for G its gradient at
*any* rho_0, so at most the largest eigenvalue of G. G = D(A), D the derivative of x^{1/alpha} at
rho_0, which is a positive map, and

.. math:: A = \alpha \sum_z p(z) [g_0 + (g_1 - g_0) \Pi_z], \quad g_c = u(z, c) q_c^b, \quad
    q_c = (t \pm C_z) / 4

Pi_z projects on winning parity, t = tr omega, C_z = tr omega (2 Pi_z - 1), omega = rho_0^{1/alpha}.

**Over a cell.** If every angle beta +- alpha moves by at most eta, C_z moves by at most eta R (R the
lengths of omega's two Bloch vectors) and Pi_z by eta/2 in norm. Replacing q by q + eta R/4 and adding
|g_1 - g_0| eta/2 gives an operator above A in the whole cell. Cells whose bound is above the best value
found are split. A good rho_0 comes from omega -> A^{1/b}, which never lowers the sum.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Kinds", "largest_sum", "likely_sum"]

Array = npt.NDArray[np.float64]
_CHUNK = 1 << 14
_LEAST = 60.0  # no eigenvalue of omega is below e^-60 of the largest


class Kinds(NamedTuple):
    """Kinds of rounds: which settings, how often, and what a loss and a win weigh; arrays (k,)."""

    x: npt.NDArray[np.int64]
    y: npt.NDArray[np.int64]
    p: Array
    lost: Array
    won: Array


class _State(NamedTuple):
    """Omega for n cells: the larger and smaller eigenvalue of each block, and the Bloch directions."""

    high: Array
    low: Array
    axis: Array


def _directions(kinds: Kinds, ta: Array, tb: Array) -> Array:
    """Bloch directions of s_z A_x B_y in both blocks: shape (n, k, block, 2)."""
    sign = 1.0 - 2.0 * (kinds.x * kinds.y)
    a = (kinds.x - 0.5) * ta[:, None]
    b = (kinds.y - 0.5) * tb[:, None]
    angle = np.stack([b + a, b - a], axis=-1)
    return np.asarray(sign[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1))


def _operator(
    kinds: Kinds, e: Array, state: _State, b: float, eta: float
) -> tuple[Array, Array, Array]:
    """A' as its scalar part (n,) and Bloch vectors (n, 2, 2), and the sum if eta is 0."""
    total = (state.high + state.low).sum(axis=1)[:, None]
    size = state.high - state.low
    c = np.einsum("nkbi,nbi->nk", e, size[..., None] * state.axis)
    reach = eta * size.sum(axis=1)[:, None]
    q1, q0 = np.maximum(total + c + reach, 0) / 4, np.maximum(total - c + reach, 0) / 4
    g1, g0 = kinds.won * q1**b, kinds.lost * q0**b
    gap = g1 - g0
    scalar = (1 + b) * ((g1 + g0) / 2 + np.abs(gap) * eta / 2) @ kinds.p
    vector = (1 + b) * np.einsum("nk,nkbi->nbi", gap / 2 * kinds.p, e)
    return scalar, vector, 2 * (g1 * q1 + g0 * q0) @ kinds.p


def _ascend(kinds: Kinds, e: Array, b: float, steps: int, eta: float) -> _State:
    """Repeat omega -> A'^{1/b} from the maximally mixed state, scaled so that tr omega^alpha = 1."""
    start = np.full((len(e), 2), 4.0 ** (-1 / (1 + b)))
    state = _State(start, start, np.tile([1.0, 0.0], (len(e), 2, 1)))
    for _ in range(steps):
        scalar, vector, _ = _operator(kinds, e, state, b, eta)
        size = np.hypot(vector[..., 0], vector[..., 1])
        both = np.stack([scalar[:, None] + size, scalar[:, None] - size])
        logs = np.log(np.maximum(both, 1e-300)) / b
        omega = np.exp(np.maximum(logs - logs.max(axis=(0, 2))[:, None], -_LEAST))
        omega /= (omega ** (1 + b)).sum(axis=(0, 2))[:, None] ** (1 / (1 + b))
        unit = vector / np.maximum(size, 1e-300)[..., None]
        axis = np.where(size[..., None] > 1e-300, unit, np.array([1.0, 0.0]))
        state = _State(omega[0], omega[1], axis)
    return state


def _bound(kinds: Kinds, e: Array, state: _State, b: float, eta: float) -> Array:
    """Largest eigenvalue of D(A')."""
    scalar, vector, _ = _operator(kinds, e, state, b, eta)
    along = (vector * state.axis).sum(axis=-1)
    across = vector[..., 1] * state.axis[..., 0] - vector[..., 0] * state.axis[..., 1]
    alpha, ratio = 1 + b, state.low / state.high
    # Derivative of x^(1/alpha) at omega^alpha: at one eigenvalue, and between the two of a block.
    apart = ratio < 1 - 1e-7
    power = -np.expm1(alpha * np.log(np.where(apart, ratio, 0.5)))
    between = np.where(apart, (1 - ratio) / power, (1 + b * (1 - ratio) / 2) / alpha)
    up = (scalar[:, None] + along) * state.high**-b / alpha
    down = (scalar[:, None] - along) * state.low**-b / alpha
    top = (up + down) / 2 + np.hypot((up - down) / 2, across * state.high**-b * between)
    return np.asarray(top.max(axis=1))


def likely_sum(kinds: Kinds, b: float) -> float:
    """Return the largest sum found on a few angles, refined: to choose parameters by, no proof.

    Args:
        kinds: rounds and weights.
        b: alpha - 1.

    Example:
        >>> one = np.ones(4)
        >>> kinds = Kinds(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), one / 4, one, 1.05 * one)
        >>> round(likely_sum(kinds, 0.02), 9)  # a deterministic device is best
        1.0375
    """
    a, c = _pairs(np.linspace(0, np.pi, 5), np.linspace(-np.pi, np.pi, 9))
    wide, found, rounds = np.pi / 4, _deterministic(kinds), 5
    if _alike(kinds):  # the fixed point of its symmetries with most entanglement
        a, c, rounds = np.array([np.pi / 2]), np.array([np.pi / 2]), 1
    for _ in range(rounds):
        e = _directions(kinds, a, c)
        value = _operator(kinds, e, _ascend(kinds, e, b, 12, 0.0), b, 0.0)[2]
        found = max(found, float(value.max()))
        best = np.argsort(value)[-2:]
        wide /= 3
        step = np.asarray(wide * np.arange(-2, 3), dtype=np.float64)
        near = _pairs(step, step)
        a = (a[best, None] + near[0]).reshape(-1)
        c = (c[best, None] + near[1]).reshape(-1)
    return found


def _deterministic(kinds: Kinds) -> float:
    """The largest sum of devices that give fixed answers: what an adversary may know entirely."""
    found = 0.0
    for a0, a1, b0, b1 in product((0, 1), repeat=4):
        parity = np.where(kinds.x == 1, a1, a0) ^ np.where(kinds.y == 1, b1, b0)
        won = parity == kinds.x * kinds.y
        found = max(found, float(np.where(won, kinds.won, kinds.lost) @ kinds.p))
    return found


def _pairs(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[Array, Array]:
    one, two = np.meshgrid(np.asarray(first, np.float64), np.asarray(second, np.float64))
    return one.reshape(-1), two.reshape(-1)


def _alike(kinds: Kinds) -> bool:
    """Whether the kinds are the four settings, each as frequent and weighed as the others."""
    four = sorted(zip(kinds.x.tolist(), kinds.y.tolist(), strict=True))
    same = all(np.all(row == row[0]) for row in (kinds.p, kinds.lost, kinds.won))
    return same and four == [(0, 0), (0, 1), (1, 0), (1, 1)]


def largest_sum(kinds: Kinds, b: float, *, tolerance: float, steps: int = 6) -> float:
    """Return a proven upper bound of the sum over all quantum devices.

    Cells of the two angles, Alice's in [0, pi] and Bob's in [-pi, pi] (turning both planes over
    changes the sign of both), are split in four until none has a bound above the best value found
    plus the tolerance. Where all four settings are alike, exchanging Alice's settings together with
    Bob's second answer (and the same with the parties exchanged) maps the game to itself, and
    [0, pi/2] and [-pi/2, pi/2] are enough.

    Args:
        kinds: rounds and weights, weights positive.
        b: alpha - 1, in (0, 1].
        tolerance: how far above the best value the result may lie. The number of cells grows as
            (b / tolerance)^1 or so: about 4e5 at 0.001 b.
        steps: steps towards a good state in each cell; few make it slow, never wrong.

    Example:
        >>> one = np.ones(4)
        >>> kinds = Kinds(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), one / 4, one, 1.05 * one)
        >>> 1.0375 <= largest_sum(kinds, 0.02, tolerance=1e-3) < 1.0386
        True

    Source:
        See the module. Concavity: Epstein, Commun. Math. Phys. 31, 317 (1973); Carlen, Lieb, Lett.
        Math. Phys. 83, 107 (2008), theorem 1.1.
    """
    half = np.pi / 16
    reach = 4 if _alike(kinds) else 8
    odd = np.asarray(half * (np.arange(-reach, reach) * 2 + 1), dtype=np.float64)
    a, c = _pairs(odd[reach:], odd)
    best = 0.0
    while a.size:
        eta = half * (1 + 1e-9)
        bounds = np.empty(a.size)
        for start in range(0, a.size, _CHUNK):
            part = slice(start, start + _CHUNK)
            e = _directions(kinds, a[part], c[part])
            state = _ascend(kinds, e, b, steps, eta)
            best = max(best, float(_operator(kinds, e, state, b, 0.0)[2].max()))
            bounds[part] = _bound(kinds, e, state, b, eta)
        keep = bounds > best + tolerance
        half /= 2
        near = _pairs(np.array([-half, half]), np.array([-half, half]))
        a = (a[keep, None] + near[0]).reshape(-1)
        c = (c[keep, None] + near[1]).reshape(-1)
    # 1e-13 covers the rounding of some fifty operations on numbers of order 1.
    return (best + tolerance) * (1 + 1e-13)
