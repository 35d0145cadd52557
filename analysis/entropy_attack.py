r"""The best an eavesdropper can do at a given S: explicit strategies, to try certificates against.

Eve prepares the devices in a pure state of two qubits with real measurements and remembers which; at
the setting (0, 0) she bets on the outcomes that this preparation favours. By Jordan's lemma any
strategy with two settings and two outcomes per party is a mixture of such ones, so the best mixture
is the best strategy altogether. What she reaches at S is

.. math:: \max \langle P \rangle \;\text{at}\; \langle S \rangle = S, \qquad
          P = \tfrac14 (1 + A_0)(1 + B_0) \;\text{or}\; \tfrac12 (1 + A_0)

found by maximising <P> + t <S>, the largest eigenvalue of P + t S over the two angles, and
choosing t so that the state has the right S. With the outcomes of both turned round, which keeps S,
the same works for the opposite bet; an equal mixture of the two leaves every outcome balanced.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import optimize

from ebit.analysis.entropy_round import TSIRELSON
from ebit.games import ArgumentError

__all__ = ["GuessingAttack", "best_bet", "guessing_attack"]

Array = npt.NDArray[np.float64]

_Z = np.diag([1.0, -1.0])
_X = np.array([[0.0, 1.0], [1.0, 0.0]])
_ONE = np.eye(2)


@dataclass(frozen=True, eq=False)
class GuessingAttack:
    """A mixture of preparations, and what Eve bets on in each.

    Attributes:
        S: the CHSH value of the mixture, which is all that the users see of S.
        p_guess: how often Eve is right at setting (0, 0).
        outputs: "A" or "AB", what she guesses.
        weights: (K,) how often she chooses each preparation.
        behaviours: (K, 4, 2, 2) p(ab|xy) of each, over questions 00, 01, 10, 11.
        guesses: per preparation the outcomes that she bets on, (a,) or (a, b).
    """

    S: float
    p_guess: float
    outputs: str
    weights: Array
    behaviours: Array
    guesses: tuple[tuple[int, ...], ...]

    def __str__(self) -> str:
        return (
            f"Eve mixes {len(self.weights)} preparations to S = {self.S:.6f} and guesses "
            f"{self.outputs} at setting 00 with probability {self.p_guess:.6f}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data that JSON can hold."""
        return {
            "S": self.S,
            "p_guess": self.p_guess,
            "outputs": self.outputs,
            "weights": self.weights.tolist(),
            "behaviours": self.behaviours.tolist(),
            "guesses": [list(guess) for guess in self.guesses],
        }


def _observables(angles: Array) -> tuple[Array, Array]:
    """A0, A1 and B0, B1 as (..., 2, 2, 2): the first is Z, the second at the angle from it."""
    c, s = np.cos(angles)[..., None, None], np.sin(angles)[..., None, None]
    second = c * _Z + s * _X
    first = np.broadcast_to(_Z, second.shape)
    both = np.stack([first, second], axis=-3)
    return both[..., 0, :, :, :], both[..., 1, :, :, :]


def _kron(left: Array, right: Array) -> Array:
    out = np.einsum("...ij,...kl->...ikjl", left, right)
    return np.asarray(out.reshape(*out.shape[:-4], 4, 4))


def _operators(angles: Array, outputs: str) -> tuple[Array, Array]:
    """P and S for angles (..., 2): each (..., 4, 4)."""
    a, b = _observables(np.asarray(angles, dtype=np.float64))
    a0, a1, b0, b1 = a[..., 0, :, :], a[..., 1, :, :], b[..., 0, :, :], b[..., 1, :, :]
    bell = _kron(a0, b0 + b1) + _kron(a1, b0 - b1)
    right = (_ONE + b0) / 2 if outputs == "AB" else np.broadcast_to(_ONE, b0.shape)
    return _kron((_ONE + a0) / 2, right), bell


def _check_outputs(outputs: str) -> None:
    if outputs not in ("A", "AB"):
        raise ArgumentError(f"Argument `outputs` must be 'A' or 'AB', but was {outputs!r}.")


def best_bet(t: float, *, outputs: Literal["A", "AB"] = "AB") -> tuple[float, Array]:
    r"""Return the largest <P> + t <S> over pure two-qubit states and real measurements.

    With slope b = -t it is the smallest a for which the line a + b S can lie above the guessing
    probability: what no bound can beat.

    Args:
        t: price of S, at least 0.
        outputs: "AB", P = (1 + A0)(1 + B0)/4, or "A", P = (1 + A0)/2.

    Returns:
        The value, and the two angles in radians: from A0 to A1 and from B0 to B1.

    Raises:
        ArgumentError: t negative or not finite, or other outputs.

    Example:
        >>> value, angles = best_bet(1000.0)
        >>> [round(abs(float(x)), 3) for x in angles]  # near Tsirelson's: right angles
        [1.571, 1.571]

    Source:
        Jordan's lemma as in Pironio et al., New J. Phys. 11, 045021 (2009), section 2.4; the
        maximum is found on a grid and then refined.
    """
    _check_outputs(outputs)
    if not (math.isfinite(t) and t >= 0):
        raise ArgumentError(f"Argument `t` must be a finite number of at least 0, but was {t!r}.")

    def largest(angles: Array) -> Array:
        p, bell = _operators(angles, outputs)
        # Largest eigenvalue of P/(1 + t) + S t/(1 + t): the same place, a harmless scale.
        values = np.linalg.eigvalsh((p + t * bell) / (1 + t))
        return np.asarray(values[..., -1], dtype=np.float64)

    # The reflection X -> -X takes both angles to their negatives, so one need not be negative.
    first, second = np.linspace(0, math.pi, 25), np.linspace(-math.pi, math.pi, 49)
    grid = np.stack(np.meshgrid(first, second, indexing="ij"), axis=-1)
    values = largest(grid)
    middle = len(first) // 2
    # Near S = 2 whole ridges are all but level for one output, and the top is at a right angle.
    starts = (grid.reshape(-1, 2)[np.argmax(values)], grid[middle, np.argmax(values[middle])])
    found = [
        optimize.minimize(
            lambda angles: -float(largest(angles)),
            start,
            method="Nelder-Mead",
            options={"xatol": 1e-9, "fatol": 1e-15, "initial_simplex": start + _SIMPLEX},
        )
        for start in starts
    ]
    angles = np.asarray(min(found, key=lambda one: float(one.fun)).x, dtype=np.float64)
    return float(largest(angles)) * (1 + t), angles


_SIMPLEX = 0.05 * np.array([[0.0, 0.0], [1.0, 0.3], [-0.3, 1.0]])


def _state(t: float, outputs: Literal["A", "AB"]) -> tuple[float, float, Array, Array]:
    """S, <P>, the angles and the state of the best bet at price t."""
    angles = best_bet(t, outputs=outputs)[1]
    p, bell = _operators(angles, outputs)
    state = np.linalg.eigh((p + t * bell) / (1 + t))[1][:, -1]
    return float(state @ bell @ state), float(state @ p @ state), angles, state


def _behaviour(angles: Array, state: Array) -> Array:
    a, b = _observables(angles)
    sign = (1.0, -1.0)
    p = np.zeros((2, 2, 2, 2))
    for x, y, i, j in np.ndindex(2, 2, 2, 2):
        effect = np.kron((_ONE + sign[i] * a[x]) / 2, (_ONE + sign[j] * b[y]) / 2)
        p[x, y, i, j] = max(0.0, float(state @ effect @ state))
    return np.asarray((p / p.sum(axis=(2, 3), keepdims=True)).reshape(4, 2, 2))


def guessing_attack(S: float, *, outputs: Literal["A", "AB"] = "AB") -> GuessingAttack:
    """Return Eve's best strategy at S, as behaviours that can be simulated.

    Args:
        S: CHSH value of the mixture, 0 to 2 sqrt 2; up to 2 she needs no quantum state.
        outputs: what she guesses at setting (0, 0).

    Raises:
        ArgumentError: S or outputs out of range.

    Example:
        >>> attack = guessing_attack(2.6, outputs="A")
        >>> round(attack.p_guess, 6), round(attack.S, 6)  # 1/2 + sqrt(2 - 2.6^2/4)/2
        (0.778388, 2.6)

    Source:
        As `best_bet`.
    """
    _check_outputs(outputs)
    if not 0 <= S <= TSIRELSON + 1e-9:
        raise ArgumentError(f"Argument `S` must be between 0 and 2 sqrt 2, but was {S!r}.")
    if S <= 2:
        behaviours, weights = _local(S)
    else:
        angles, state = _at(min(float(S), TSIRELSON), outputs)
        one = _behaviour(angles, state)
        behaviours = np.stack([one, one[:, ::-1, ::-1]])
        weights = np.array([0.5, 0.5])
    at = behaviours[:, 0] if outputs == "AB" else behaviours[:, 0].sum(axis=2)
    flat = at.reshape(len(at), -1)
    bets = flat.argmax(axis=1)
    guesses = tuple(divmod(int(k), 2) if outputs == "AB" else (int(k),) for k in bets)
    sign = np.array([1.0, -1.0])
    correlators = np.einsum("kqab,a,b->kq", behaviours, sign, sign)
    reached = float(weights @ correlators @ np.array([1, 1, 1, -1]))
    p_guess = float(weights @ flat.max(axis=1))
    return GuessingAttack(reached, p_guess, outputs, weights, behaviours, guesses)


def _local(S: float) -> tuple[Array, Array]:
    """Both answer 0 always (S = 2), or Bob answers 1 (S = -2): deterministic either way."""
    behaviours = np.zeros((2, 4, 2, 2))
    behaviours[0, :, 0, 0] = 1
    behaviours[1, :, 0, 1] = 1
    up = (S + 2) / 4
    return behaviours, np.array([up, 1 - up])


def _at(S: float, outputs: Literal["A", "AB"]) -> tuple[Array, Array]:
    """Angles and state of the best bet whose CHSH value is S."""
    # S grows with the price t from 2, at t = 1/4 and below, to 2 sqrt 2.
    gap = TSIRELSON - S
    if gap < 1e-9:
        return _state(1e6, outputs)[2:]
    root = optimize.brentq(
        lambda log_t: _state(math.exp(log_t), outputs)[0] - S,
        math.log(0.2),
        math.log(1e6),
        xtol=1e-10,
    )
    return _state(math.exp(root), outputs)[2:]
