"""Behaviours of two qubits, and what a probability estimation factor must satisfy on each."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ebit.games import ArgumentError

__all__ = [
    "check_pef",
    "constraint",
    "extreme_products",
    "extreme_settings",
    "powers",
    "two_qubit_behaviour",
]

Floats = npt.NDArray[np.float64]


def two_qubit_behaviour(theta: float, alice: npt.ArrayLike, bob: npt.ArrayLike) -> Floats:
    r"""Return p(ab|xy) of cos(theta/2)|00> + sin(theta/2)|11> measured in the X-Z plane.

    .. math:: p(ab|xy) = \tfrac14[1 + a c \cos\alpha_x + b c \cos\beta_y
        + ab(\cos\alpha_x \cos\beta_y + s \sin\alpha_x \sin\beta_y)],\; c, s = \cos\theta, \sin\theta

    Args:
        theta: 0 (product) to pi/2 (maximally entangled).
        alice: alpha_x, (2,) radians from the Z axis.
        bob: beta_y, (2,).

    Returns:
        float64 (2, 2, 2, 2) indexed [x, y, a, b], outcome 0 for a = +1 and 1 for a = -1.

    Example:
        >>> p = two_qubit_behaviour(np.pi / 2, [0, np.pi / 2], [np.pi / 4, -np.pi / 4])
        >>> round(float(p[0, 0, 0, 0] + p[0, 0, 1, 1]), 6)
        0.853553

    Source:
        Born's rule.
    """
    c, s = math.cos(theta), math.sin(theta)
    al, be = np.asarray(alice, np.float64), np.asarray(bob, np.float64)
    sign = np.array([1.0, -1.0])
    a, b = sign[:, None], sign[None, :]
    ca, cb = np.cos(al)[:, None, None, None], np.cos(be)[None, :, None, None]
    joint = ca * cb + s * np.sin(al)[:, None, None, None] * np.sin(be)[None, :, None, None]
    return np.asarray(0.25 * (1 + c * (a * ca + b * cb) + a * b * joint), dtype=np.float64)


def constraint(factors: npt.ArrayLike, beta: float, q: npt.ArrayLike, p: npt.ArrayLike) -> float:
    r"""Return sum_xy q(xy) sum_ab F(xy, won?) p(ab|xy)^(1+beta) for one behaviour.

    CHSH: a round is won when the outcomes differ at x = y = 1 and agree otherwise.

    Args:
        factors: F, (2, 2, 2) indexed [x, y, won]: 0 for lost, 1 for won.
        beta: the power, above 0.
        q: probability of each question, (2, 2).
        p: behaviour, (2, 2, 2, 2) indexed [x, y, a, b].

    Example:
        >>> certain = np.zeros((2, 2, 2, 2))
        >>> certain[:, :, 0, 0] = 1  # wins three questions of four
        >>> constraint(np.tile([0.5, 1.5], (2, 2, 1)), 0.1, np.full((2, 2), 0.25), certain)
        1.25

    Source:
        arXiv:1812.07786, definition of a PEF.
    """
    return float(np.sum(np.asarray(q)[:, :, None] * np.asarray(factors) * powers(p, beta)))


def powers(p: npt.ArrayLike, beta: float) -> Floats:
    """Return sum of p(ab|xy)^(1+beta) over lost and over won outcomes: (..., 2, 2, 2).

    Args:
        p: behaviours, (..., 2, 2, 2, 2) indexed [x, y, a, b].
        beta: the power.

    Example:
        >>> powers(np.full((2, 2, 2, 2), 0.25), 1.0)[0, 0].tolist()
        [0.125, 0.125]

    Source:
        The definition.
    """
    raised = np.maximum(np.asarray(p, np.float64), 0) ** (1 + beta)
    agree = raised[..., 0, 0] + raised[..., 1, 1]
    differ = raised[..., 0, 1] + raised[..., 1, 0]
    out = np.stack([differ, agree], axis=-1)
    out[..., 1, 1, :] = out[..., 1, 1, ::-1].copy()
    return out


def extreme_settings(tau: float) -> list[Floats]:
    """Return the extreme laws of two setting bits that can be predicted up to tau, up to symmetry.

    Each bit, given everything before it and the other bit or not, is 1 with a probability in
    [1/2 - tau, 1/2 + tau]. Whichever is drawn first, the laws form a polytope whose corners have each
    conditional probability at an end. For a factor that only knows won or lost, CHSH looks the same
    when either party's questions are swapped or the parties are, which leaves two corners.

    Args:
        tau: predictability of each bit beyond 1/2, in [0, 1/2).

    Returns:
        laws (2, 2) indexed [x, y]; the uniform one alone at tau = 0.

    Example:
        >>> [law.tolist() for law in extreme_settings(0.1)]
        [[[0.36, 0.24], [0.24, 0.16]], [[0.36, 0.24], [0.16, 0.24]]]

    Source:
        arXiv:1709.06159, on settings with biases that are bounded (polytopes of settings laws).
    """
    if not 0 <= tau < 0.5:
        raise ArgumentError(f"Argument `tau` must lie in [0, 0.5), but was {tau!r}.")
    if tau == 0:
        return [np.full((2, 2), 0.25)]
    high, low = 0.5 + tau, 0.5 - tau
    rows = np.array([[high, low], [low, high]])
    laws = (np.array([high, low])[:, None] * rows[0], np.array([high, low])[:, None] * rows)
    return [np.round(law, 15) for law in laws]


def extreme_products(law: npt.ArrayLike, tau: float) -> list[Floats]:
    """Return the extreme laws of two independent coins that are predictable to tau beyond their law.

    The constraint is linear in each coin's probability, so its maximum is at one of the four corners.

    Args:
        law: (2, 2) indexed [x, y], a product.
        tau: predictability of each coin beyond it.

    Raises:
        ArgumentError: a law that is no product, or a tau that could make a setting absent.

    Example:
        >>> [law.tolist() for law in extreme_products([[0.72, 0.18], [0.08, 0.02]], 0.05)][0]
        [[0.6375, 0.2125], [0.1125, 0.0375]]

    Source:
        arXiv:1709.06159, on settings with biases that are bounded.
    """
    q = np.asarray(law, dtype=np.float64)
    rows, columns = q.sum(axis=1), q.sum(axis=0)
    if np.abs(np.outer(rows, columns) - q).max() > 1e-9:
        raise ArgumentError(
            "Argument `tau` is understood for two independent coins, so `settings` must be a product, "
            f"but was {q.tolist()}."
        )
    rarest = float(min(rows.min(), columns.min()))
    if not 0 <= tau < rarest:
        raise ArgumentError(
            f"Argument `tau` must be smaller than the rarest setting's probability {rarest:g}, but was "
            f"{tau!r}: that setting could be absent."
        )
    move = np.array([-tau, tau])
    return [
        np.asarray(np.round(np.outer(rows + i * move, columns + j * move), 15), dtype=np.float64)
        for i in (1, -1)
        for j in (1, -1)
    ]


def check_pef(factors: npt.ArrayLike, beta: float, q: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return F and q as arrays, or raise.

    Args:
        factors: F, (2, 2, 2) indexed [x, y, won].
        beta: the power.
        q: (2, 2).

    Raises:
        ArgumentError: F of another shape, negative or infinite, beta not above 0, q no distribution.
    """
    table, asked = np.asarray(factors, np.float64), np.asarray(q, np.float64)
    if table.shape != (2, 2, 2) or not np.isfinite(table).all() or (table < 0).any():
        raise ArgumentError(
            "Argument `factors` must be (2, 2, 2) finite numbers of at least 0, indexed "
            f"[x, y, won], but had shape {table.shape} and least {table.min() if table.size else 0}."
        )
    if not 0 < beta < math.inf:
        raise ArgumentError(f"Argument `beta` must be above 0, but was {beta!r}.")
    total = float(asked.sum())
    if asked.shape != (2, 2) or not (asked >= 0).all() or abs(total - 1) > 1e-9:
        raise ArgumentError(
            "Argument `q` must be the probabilities of four questions, (2, 2) with sum 1, but had "
            f"shape {asked.shape} and sum {total:.9g}."
        )
    return table, asked
