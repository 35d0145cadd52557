"""Gates of key rounds: bases turned by hand, by a bit or by a qubit, and coins of any odds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from qiskit import QuantumCircuit

from ebit.games import ArgumentError

Wiring = Literal["feed-forward", "controlled"]
Gates = tuple[tuple[str, float], ...]

_QUARTER = math.pi / 4
_PLANE = {"Z": 0.0, "X": 2 * _QUARTER, "D+": _QUARTER, "D-": -_QUARTER}

BREIDBART = "D+"
"""The basis half way between Z and X."""


def measuring(basis: str) -> Gates:
    """Return the gates that turn a basis into Z.

    >>> measuring("Y")
    (('rz', -1.5707963267948966), ('ry', -1.5707963267948966))
    """
    if basis == "Y":
        return (("rz", -math.pi / 2), ("ry", -math.pi / 2))
    angle = _PLANE[basis]
    return (("ry", -angle),) if angle else ()


def inverse(gates: Gates) -> Gates:
    """Return the gates that undo others: they prepare what those measure."""
    return tuple((name, -angle) for name, angle in reversed(gates))


def apply(circuit: QuantumCircuit, gates: Gates, qubit: int) -> None:
    """Append gates on a qubit."""
    for name, angle in gates:
        getattr(circuit, name)(angle, qubit)


def apply_if(
    circuit: QuantumCircuit, gates: Gates, qubit: int, *, bit: int, coin: int, wiring: Wiring
) -> None:
    """Append gates on a qubit that act where a coin showed 1.

    Args:
        circuit: to append to.
        gates: what to do.
        qubit: on what.
        bit: the classical bit of the coin, which has been measured.
        coin: its qubit.
        wiring: ``feed-forward`` acts on the bit, ``controlled`` on the qubit.
    """
    if not gates:
        return
    if wiring == "feed-forward":
        with circuit.if_test((circuit.clbits[bit], 1)):
            apply(circuit, gates, qubit)
    else:
        for name, angle in gates:
            getattr(circuit, f"c{name}")(angle, coin, qubit)


def turns(bases: Sequence[str]) -> tuple[Gates, tuple[Gates, ...]]:
    """Return measuring gates for all choices, and those that each coin adds.

    Basis number b0 + 2 b1 is measured by the first gates, those of coin 0 if b0, and those of coin
    1 if b1.

    >>> turns(("Z", "X"))
    ((), ((('ry', -1.5707963267948966),),))
    """
    start = measuring(bases[0])
    if "Y" in bases:
        return start, tuple(measuring(basis) for basis in bases[1:3])
    first = _PLANE[bases[0]]
    return start, tuple((("ry", first - _PLANE[basis]),) for basis in bases[1:3])


@dataclass(frozen=True)
class Coins:
    """Coins that choose one of up to four values.

    Attributes:
        qubits: none for one value, one for two, two for more.
        bits: classical bit of each; their little-endian integer is the value.
        angles: of RY on each qubit.
        more: of RY on the second qubit where the first shows 1.
    """

    qubits: tuple[int, ...]
    bits: tuple[int, ...]
    angles: tuple[float, ...]
    more: float

    def prepare(self, circuit: QuantumCircuit) -> None:
        """Append the turns that do not depend on one another."""
        for qubit, angle in zip(self.qubits, self.angles, strict=True):
            circuit.ry(angle, qubit)

    def toss(self, circuit: QuantumCircuit, wiring: Wiring) -> None:
        """Append the measurements."""
        for i, (qubit, bit) in enumerate(zip(self.qubits, self.bits, strict=True)):
            if i == 1 and abs(self.more) > 1e-12:
                first, where = self.qubits[0], self.bits[0]
                apply_if(circuit, (("ry", self.more),), qubit, bit=where, coin=first, wiring=wiring)
            circuit.measure(qubit, bit)

    def choose(
        self, circuit: QuantumCircuit, gates: Sequence[Gates], qubit: int, wiring: Wiring
    ) -> None:
        """Append the gates of every coin that showed 1."""
        for i, added in enumerate(gates):
            apply_if(circuit, added, qubit, bit=self.bits[i], coin=self.qubits[i], wiring=wiring)


def coins(odds: Sequence[float], new_qubit: Callable[[], int], new_bit: Callable[[], int]) -> Coins:
    """Return coins that show value j with probability odds[j].

    Args:
        odds: 1 to 4 probabilities.
        new_qubit: gives the next free qubit.
        new_bit: gives the next free bit.

    Example:
        >>> both = coins((0.25, 0.25, 0.5), iter([0, 1]).__next__, iter([0, 1]).__next__)
        >>> round(both.angles[0] / math.pi, 6), both.qubits
        (0.333333, (0, 1))
    """
    if not 1 <= len(odds) <= 4:
        raise ArgumentError(f"odds must be of 1 to 4 choices, but were {len(odds)}")
    p = [*odds, *[0.0] * (4 - len(odds))]
    if len(odds) == 1:
        return Coins((), (), (), 0.0)
    if len(odds) == 2:
        return Coins((new_qubit(),), (new_bit(),), (_angle(p[1], p[0]),), 0.0)
    first = _angle(p[1] + p[3], p[0] + p[2])
    second, other = _angle(p[2], p[0]), _angle(p[3], p[1])
    return Coins(
        (new_qubit(), new_qubit()), (new_bit(), new_bit()), (first, second), other - second
    )


def _angle(one: float, zero: float) -> float:
    """The angle of RY whose qubit shows 1 and 0 in these proportions."""
    return 2 * math.atan2(math.sqrt(one), math.sqrt(zero))
