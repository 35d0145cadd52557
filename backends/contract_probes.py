"""Circuits for the contract of backends: their outcomes are certain, and no two bits alike.

Each probe is a `Program` whose ideal outcome is one known bit string per circuit, written with bit
0 first. Whatever mixes up bits, circuits, shares or angles gives another string.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter

from ebit.circuits.canonical import canonical, digest, number
from ebit.circuits.layout import blank, prepared
from ebit.circuits.program import Program

__all__ = ["GATE_PROBES", "Probe"]

_HALF = math.pi / 2
_Step = tuple[Any, ...]


class Probe(Program):
    """Circuits whose ideal outcomes are known.

    Args:
        name: short name for people.
        circuits: of the same number of qubits.
        expected: per circuit its bits, bit 0 first; empty where the outcome is random.
        weights: share of the shots of each circuit.

    Example:
        >>> probe = one_hot(3, order=(2, 0, 1))
        >>> probe.expected
        ('001', '100', '010')
    """

    def __init__(
        self,
        name: str,
        circuits: Sequence[QuantumCircuit],
        expected: Sequence[str] = (),
        *,
        weights: Sequence[float] = (),
    ) -> None:
        self.name = name
        self.circuits = tuple(circuits)
        self.roles = tuple(f"q{i}" for i in range(self.num_qubits))
        self.weights = tuple(weights) or (1.0,) * len(self.circuits)
        self.details = {}
        self.expected = tuple(expected)

    @cached_property
    def id(self) -> str:
        """Content hash over gates and weights."""
        return digest(
            [
                "ebit probe 1",
                [
                    [canonical(circuit), number(weight / sum(self.weights))]
                    for circuit, weight in zip(self.circuits, self.weights, strict=True)
                ],
            ]
        )


def one_hot(n: int, *, order: Sequence[int] | None = None) -> Probe:
    """Return n circuits, circuit k with qubit k flipped; qubit i is read into bit order[i]."""
    bits = tuple(range(n)) if order is None else tuple(order)
    circuits, expected = [], []
    for k in range(n):
        circuit = _flipped(n, [k], n, name=f"qubit {k} of {n}")
        circuit.measure(range(n), bits)
        circuits.append(circuit)
        expected.append(_string(n, [bits[k]]))
    return Probe(f"one of {n} flipped", circuits, expected)


def counted(n: int, circuits: int) -> Probe:
    """Return many circuits of different widths, circuit k showing k + 1 in binary.

    Their names run against their order, and two neighbours share each name: neither may serve as
    a key.
    """
    made, expected = [], []
    for k in range(circuits):
        ones = [i for i in range(n) if (k + 1) >> i & 1]
        width = n + k % 4
        circuit = _flipped(n, ones, width, name=f"circuit {(circuits - k) // 2:03d}")
        circuit.measure(range(n), range(n))
        made.append(circuit)
        expected.append(_string(width, ones))
    return Probe(f"{circuits} circuits", made, expected)


def wide() -> Probe:
    """Return three qubits read into bits 69, 64 and 9 of 70; all others are never written."""
    circuit = _flipped(3, [0, 2], 70, name="seventy bits")
    circuit.measure([0, 1, 2], [69, 64, 9])
    other = _flipped(3, [1, 2], 9, name="nine bits")
    other.measure([0, 1, 2], [0, 8, 3])
    return Probe("wide registers", [circuit, other], [_string(70, [69, 9]), _string(9, [8, 3])])


def registers() -> Probe:
    """Return a circuit with two classical registers of different size, the later one named first.

    Bits count as Qiskit counts them: in the order in which the registers were added.
    """
    circuit = QuantumCircuit(
        QuantumRegister(3, "q"), ClassicalRegister(2, "z"), ClassicalRegister(3, "a"), name="two"
    )
    circuit.x([0, 1])
    circuit.barrier(label="ebit:prepared")
    circuit.measure([0, 1, 2], [0, 4, 3])
    return Probe("two registers", [circuit], [_string(5, [0, 4])])


def bound() -> Probe:
    """Return circuits whose angles were free parameters that were bound afterwards."""
    theta, phi = Parameter("theta"), Parameter("phi")
    made, expected = [], []
    for k, (first, second) in enumerate([(math.pi, 0.0), (0.0, math.pi), (-math.pi, 2 * math.pi)]):
        state = blank(2)
        state.rx(theta, 0)
        state.ry(phi / 2, 1)
        state.ry(phi / 2, 1)
        made.append(_read(state.assign_parameters({theta: first, phi: second}), f"bound {k}"))
        expected.append(("10", "01", "10")[k])
    return Probe("bound parameters", made, expected)


def free() -> Probe:
    """Return a circuit with a parameter ``unbound`` that no device can run."""
    state = blank(2)
    state.rx(Parameter("unbound"), 0)
    return Probe("a free parameter", [_read(state, "free")])


def conditioned(n: int = 2) -> Probe:
    """Return circuits that measure in the middle and act on the bit."""
    made = []
    for k, (flip, value) in enumerate([(True, 1), (False, 1), (False, 0)]):
        circuit = _flipped(n, [0] if flip else [], 3, name=f"condition {k}")
        circuit.measure(0, 2)
        with circuit.if_test((circuit.clbits[2], value)):
            circuit.x(1)
        circuit.measure(1, 0)
        made.append(circuit)
    return Probe("a condition on one bit", made, ["101", "000", "100"])


def twins() -> Probe:
    """Return a Bell pair read twice in Z: bits 2 and 0 are fair and equal, bit 1 is never written."""
    made = []
    for name in ("twins", "twins again"):
        state = blank(2)
        state.h(0)
        state.cx(0, 1)
        circuit = prepared(state, 3, name=name)
        circuit.measure([0, 1], [2, 0])
        made.append(circuit)
    return Probe("equal random bits", made)


def shared(weights: Sequence[float]) -> Probe:
    """Return circuits of one qubit and unequal weights; circuit k is flipped where k is odd."""
    made = []
    for k in range(len(weights)):
        circuit = _flipped(2, [0] if k % 2 else [], 2, name=f"share {k}")
        circuit.measure([0, 1], [0, 1])
        made.append(circuit)
    return Probe(
        "unequal shares", made, ["10" if k % 2 else "00" for k in range(len(made))], weights=weights
    )


def small() -> Probe:
    """Return one circuit of two qubits: bits 1, 0."""
    circuit = _flipped(2, [0], 2, name="small")
    circuit.measure([0, 1], [0, 1])
    return Probe("one circuit", [circuit], ["10"])


def gate_probe(names: Sequence[str]) -> Probe:
    """Return one circuit for each of the gates named, from `GATE_PROBES`."""
    made = []
    for name in names:
        state = blank(2)
        for step in GATE_PROBES[name][0]:
            _apply(state, step)
        made.append(_read(state, f"gate {name}"))
    return Probe("gates", made, [GATE_PROBES[name][1] for name in names])


GATE_PROBES: dict[str, tuple[tuple[_Step, ...], str]] = {
    "id": ((("x", 0), ("id", 0)), "10"),
    "h": ((("h", 0), ("z", 0), ("h", 0)), "10"),
    "x": ((("x", 1),), "01"),
    "y": ((("y", 0),), "10"),
    "z": ((("h", 1), ("z", 1), ("h", 1)), "01"),
    "s": ((("rx", -_HALF, 0), ("s", 0), ("h", 0)), "10"),
    "sdg": ((("rx", _HALF, 0), ("sdg", 0), ("h", 0)), "10"),
    "sx": ((("sx", 1), ("sdg", 1), ("h", 1)), "01"),
    "t": ((("rx", -_HALF, 0), ("t", 0), ("t", 0), ("h", 0)), "10"),
    "tdg": ((("rx", _HALF, 1), ("tdg", 1), ("tdg", 1), ("h", 1)), "01"),
    "rx": ((("rx", _HALF, 0), ("sdg", 0), ("h", 0)), "10"),
    "ry": ((("ry", -_HALF, 1), ("h", 1)), "01"),
    "rz": ((("h", 0), ("rz", _HALF, 0), ("s", 0), ("h", 0)), "10"),
    "p": ((("h", 1), ("p", _HALF, 1), ("s", 1), ("h", 1)), "01"),
    "cx": ((("x", 0), ("cx", 0, 1), ("x", 0)), "01"),
    "cz": ((("x", 0), ("h", 1), ("cz", 0, 1), ("h", 1), ("x", 0)), "01"),
    "cry": ((("x", 0), ("cry", -_HALF, 0, 1), ("h", 1), ("x", 0)), "01"),
    "crz": ((("x", 0), ("h", 1), ("crz", _HALF, 0, 1), ("s", 1), ("h", 1), ("x", 0)), "01"),
    "swap": ((("x", 0), ("swap", 0, 1)), "01"),
    "rzz": ((("x", 0), ("h", 1), ("rzz", -_HALF, 0, 1), ("s", 1), ("h", 1), ("x", 0)), "01"),
    "ecr": ((("x", 0), ("ecr", 0, 1), ("s", 1), ("h", 1)), "01"),
    "reset": ((("x", 0), ("reset", 0), ("x", 1)), "01"),
    "delay": ((("x", 0), ("delay", 100.0, 0)), "10"),
    "barrier": ((("h", 0), ("barrier",), ("z", 0), ("barrier",), ("h", 0)), "10"),
}
"""Per gate a preparation on two qubits and its certain outcome.

Signs of angles, directions of controls and factors of two each change it.
"""


def _apply(circuit: QuantumCircuit, step: _Step) -> None:
    name, *arguments = step
    if name == "delay":
        circuit.delay(*arguments, unit="ns")
    else:
        getattr(circuit, name)(*arguments)


def _flipped(n: int, ones: Sequence[int], width: int, *, name: str) -> QuantumCircuit:
    state = blank(n)
    for qubit in ones:
        state.x(qubit)
    return prepared(state, width, name=name)


def _read(state: QuantumCircuit, name: str) -> QuantumCircuit:
    circuit = prepared(state, state.num_qubits, name=name)
    circuit.measure(range(state.num_qubits), range(state.num_qubits))
    return circuit


def _string(width: int, ones: Sequence[int]) -> str:
    return "".join("1" if j in ones else "0" for j in range(width))
