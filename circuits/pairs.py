"""Pairs of qubits measured in the XZ plane: the states, their exact behaviour, the best angles.

An angle a means the observable cos(a) Z + sin(a) X: 0 is Z, pi/2 is X. It is measured by RY(-a)
followed by a Z measurement, outcome 0 being the eigenvalue +1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit

from ebit.circuits.states import BELL_STATES, bell, partial_pair
from ebit.games import ArgumentError

# <ZZ> and <XX> of each Bell state.
_BELL_CORRELATIONS = {"phi+": (1, 1), "phi-": (1, -1), "psi+": (-1, 1), "psi-": (-1, -1)}


@dataclass(frozen=True, eq=False)
class PairState:
    """A two-qubit state, described by what measurements in the XZ plane can see of it.

    Attributes:
        name: ``phi+``, ``phi-``, ``psi+``, ``psi-``, ``product`` or ``partial:T``.
        circuit: prepares it on qubits 0 and 1.
        zz: the correlation <ZZ>.
        xx: the correlation <XX>.
        z: the mean <Z> of each qubit alone (<X>, <XZ> and <ZX> are zero).
    """

    name: str
    circuit: QuantumCircuit
    zz: float
    xx: float
    z: float

    def correlator(self, a: npt.ArrayLike, b: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return <ZZ> cos a cos b + <XX> sin a sin b for angles in radians."""
        return np.asarray(
            self.zz * np.cos(a) * np.cos(b) + self.xx * np.sin(a) * np.sin(b), dtype=np.float64
        )

    def behaviour(self, angles: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return P(a, b) for each pair of angles.

        P = (1 + (-1)^a z cos(alpha) + (-1)^b z cos(beta) + (-1)^(a+b) E(alpha, beta)) / 4.

        Args:
            angles: (Q, 2), Alice's and Bob's angle in radians.

        Returns:
            (Q, 2, 2) probabilities, Alice's outcome first.
        """
        alpha, beta = np.asarray(angles, dtype=np.float64).T
        sign = np.array([1.0, -1.0])
        alice = self.z * np.cos(alpha)[:, None, None] * sign[:, None]
        bob = self.z * np.cos(beta)[:, None, None] * sign
        both = self.correlator(alpha, beta)[:, None, None] * np.outer(sign, sign)
        return np.asarray((1 + alice + bob + both) / 4, dtype=np.float64)

    def mirrored(self, angle: float) -> float:
        """Return Bob's angle that gives this Bell state the correlations of phi+ at ``angle``."""
        return math.atan2(self.xx * math.sin(angle), self.zz * math.cos(angle))

    def chsh_angles(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the angles ((a0, a1), (b0, b1)) of the largest S with the minus on (1, 1).

        Alice measures Z and X, Bob at +c and -c with tan c = <XX>/<ZZ>:
        S = 2 sqrt(<ZZ>^2 + <XX>^2). The product state |00> is measured at the angles of phi+,
        where S = sqrt 2, the most that product states reach at orthogonal settings.

        Source: R., P. and M. Horodecki, Phys. Lett. A 200, 340 (1995).
        """
        c = math.pi / 4 if self.name == "product" else math.atan2(self.xx, self.zz)
        return (0.0, math.pi / 2), (c, -c)


def pair_state(state: str | float) -> PairState:
    """Return a pair by name: a Bell state, ``product`` (|00>), or a partially entangled pair.

    Args:
        state: ``phi+``, ``phi-``, ``psi+``, ``psi-``, ``product``, ``partial:T`` or the number T
            itself: cos(T)|00> + sin(T)|11>, T in radians.

    Raises:
        ArgumentError: for anything else.

    Example:
        >>> pair_state("psi-").correlator(0.0, 0.0).item()
        -1.0
    """
    if state == "product":
        return PairState("product", partial_pair(0.0), 1.0, 0.0, 1.0)
    if isinstance(state, str) and state in BELL_STATES:
        zz, xx = _BELL_CORRELATIONS[state]
        return PairState(state, bell(state), float(zz), float(xx), 0.0)
    named = isinstance(state, str)
    try:
        # A bare number in quotes is no name: "0.3" is refused, "partial:0.3" and 0.3 are not.
        prefix, _, text = str(state).rpartition(":")
        angle = float(text) if prefix == ("partial" if named else "") else math.nan
    except ValueError:
        angle = math.nan
    if not math.isfinite(angle):
        raise ArgumentError(
            f"state must be one of {', '.join(BELL_STATES)}, product, or partial:T with an angle T "
            f"in radians, but was {state!r}"
        )
    return PairState(
        f"partial:{angle:.6g}",
        partial_pair(angle),
        1.0,
        math.sin(2 * angle),
        math.cos(2 * angle),
    )


def measure_in_plane(circuit: QuantumCircuit, qubit: int, clbit: int, angle: float) -> None:
    """Measure cos(angle) Z + sin(angle) X of a qubit into a bit, in place."""
    turn(circuit, qubit, angle)
    circuit.measure(qubit, clbit)


def turn(circuit: QuantumCircuit, qubit: int, angle: float) -> None:
    """Turn the basis at an angle into the Z basis, in place; nothing is added at angle 0."""
    if abs(angle) > 1e-12:
        circuit.ry(-angle, qubit)


def check_angles(angles: Sequence[float], *, name: str, count: int | None = None) -> list[float]:
    """Return angles as floats, or refuse them: a wrong number of them, or one not finite."""
    try:
        values = [float(angle) for angle in angles]
    except (TypeError, ValueError):
        values = [math.nan]
    wrong_count = not values or (count is not None and len(values) != count)
    if wrong_count or not all(map(math.isfinite, values)):
        raise ArgumentError(
            f"{name} must be {count or 'one or more'} finite angles in radians, but was {angles!r}"
        )
    return values
