"""From Qiskit to Cirq by a closed map of gates: what is not in it is refused by name.

Qubit j becomes ``cirq.LineQubit(j)``; classical bit j the measurement key ``cj``, one key per bit,
so that no order of bits is left to be guessed. A bit that is never measured has no key.

Cirq has no barrier. Every barrier becomes a boundary between moments; operations after a labelled
barrier also carry its label as a tag, until the next labelled one, so that a compiler can be told
to leave them alone (``tags_to_ignore``) or can be given the two sides apart (`split`).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction

from ebit.circuits.canonical import condition
from ebit.circuits.layout import PREPARED
from ebit.games import ArgumentError

# Seconds in picoseconds, by Qiskit's units of delay.
_PICOSECONDS = {"s": 1e12, "ms": 1e9, "us": 1e6, "ns": 1e3, "ps": 1.0}


class Piece(NamedTuple):
    """Operations between two barriers.

    Args:
        tag: label of the last labelled barrier before it, None before the first.
        operations: Cirq operations in order, already tagged.
    """

    tag: str | None
    operations: tuple[Any, ...]


def to_cirq(circuit: QuantumCircuit) -> Any:
    """Translate a circuit to ``cirq.Circuit``, equal to it up to a global phase.

    An ``if_else`` on one bit becomes operations controlled by that bit's own key. A bit that was
    not measured yet is 0, as Qiskit has it.

    Args:
        circuit: circuit of the gates this room uses; parameters must be numbers.

    Returns:
        A ``cirq.Circuit`` on line qubits with the keys ``c0``, ``c1``, ...

    Raises:
        ArgumentError: for an operation that has no translation here, a bit measured twice, a
            condition on more than one bit, or anything but gates inside a condition.

    Example:
        >>> from ebit.circuits.states import bell
        >>> print(to_cirq(bell()))
        0: ───H───@───
                  │
        1: ───────X───
    """
    import cirq

    result = cirq.Circuit()
    for piece in pieces(circuit):
        result += cirq.Circuit(piece.operations)
    return result


def pieces(circuit: QuantumCircuit) -> tuple[Piece, ...]:
    """Translate a circuit barrier by barrier, so that each side can be compiled on its own.

    Args:
        circuit: see `to_cirq`, which raises the same errors.

    Returns:
        One piece more than the circuit has barriers.
    """
    import cirq

    qubits = {bit: cirq.LineQubit(i) for i, bit in enumerate(circuit.qubits)}
    clbits = {bit: i for i, bit in enumerate(circuit.clbits)}
    measured: set[int] = set()
    tag: str | None = None
    parts: list[tuple[str | None, list[Any]]] = [(None, [])]
    for instruction in circuit.data:
        operation = instruction.operation
        targets = [qubits[bit] for bit in instruction.qubits]
        if operation.name == "barrier":
            tag = operation.label or tag
            parts.append((tag, []))
            continue
        if operation.name == "measure":
            key = clbits[instruction.clbits[0]]
            if key in measured:
                raise ArgumentError(
                    f"measure must write each classical bit once, but writes bit {key} again: "
                    "use another bit"
                )
            measured.add(key)
            made = [cirq.measure(targets[0], key=f"c{key}")]
        elif operation.name == "if_else":
            key, value = condition(operation, clbits)
            made = _conditional(operation, targets, key, value, known=key in measured)
        else:
            made = _gates(operation, targets)
        parts[-1][1].extend(made_one.with_tags(tag) if tag else made_one for made_one in made)
    return tuple(Piece(label, tuple(operations)) for label, operations in parts)


def split(circuit: Any, *, label: str = PREPARED) -> tuple[Any, Any]:
    """Cut a translated circuit at its labelled barrier: before it, and from it on.

    Args:
        circuit: what `to_cirq` returned.
        label: the barrier's label.

    Raises:
        ArgumentError: if nothing carries the label.
    """
    for i, moment in enumerate(circuit):
        if any(label in operation.tags for operation in moment):
            return circuit[:i], circuit[i:]
    raise ArgumentError(f"circuit must have the barrier {label!r}, but nothing follows one")


def _conditional(
    operation: Any, targets: list[Any], key: int, value: int, *, known: bool
) -> list[Any]:
    import cirq

    made: list[Any] = []
    # The second block of an if_else, where there is one, runs on the other value.
    for block, wanted in zip(operation.params, (value, 1 - value), strict=False):
        if block is None:
            continue
        inner = dict(zip(block.qubits, targets, strict=True))
        gates = [
            gate
            for instruction in block.data
            for gate in _inside(instruction, [inner[bit] for bit in instruction.qubits])
        ]
        if known:
            test = (
                cirq.KeyCondition(cirq.MeasurementKey(f"c{key}"))
                if wanted
                else cirq.BitMaskKeyCondition(f"c{key}", target_value=0, equal_target=True)
            )
            made += [gate.with_classical_controls(test) for gate in gates]
        elif wanted == 0:
            made += gates
    return made


def _inside(instruction: CircuitInstruction, targets: list[Any]) -> list[Any]:
    operation = instruction.operation
    if operation.name in ("measure", "reset", "barrier", "if_else"):
        raise ArgumentError(
            f"if_else must hold gates alone to be translated to Cirq, but holds {operation.name!r}"
        )
    return _gates(operation, targets)


def _gates(operation: Any, qubits: list[Any]) -> list[Any]:
    """Return one gate as Cirq operations."""
    import cirq

    fixed = {
        "id": cirq.I,
        "h": cirq.H,
        "x": cirq.X,
        "y": cirq.Y,
        "z": cirq.Z,
        "s": cirq.S,
        "sdg": cirq.S**-1,
        "sx": cirq.X**0.5,
        "t": cirq.T,
        "tdg": cirq.T**-1,
        "cx": cirq.CNOT,
        "cz": cirq.CZ,
        "swap": cirq.SWAP,
        "reset": cirq.ResetChannel(),
    }
    rotations = {
        "rx": cirq.rx,
        "ry": cirq.ry,
        "rz": cirq.rz,
        "p": lambda angle: cirq.ZPowGate(exponent=angle / math.pi),
        "cry": lambda angle: cirq.ry(angle).controlled(),
        "crz": lambda angle: cirq.rz(angle).controlled(),
        "rzz": lambda angle: cirq.ZZPowGate(exponent=angle / math.pi, global_shift=-0.5),
    }
    name = operation.name
    if name in fixed:
        return [fixed[name].on(*qubits)]
    if name in rotations:
        try:
            angle = float(operation.params[0])
        except TypeError:
            raise ArgumentError(
                f"parameters of {name!r} must be numbers, but were {operation.params!r}: "
                "assign every free parameter first"
            ) from None
        return [rotations[name](angle).on(*qubits)]
    if name == "ecr":
        first, second = qubits
        return [cirq.S(first), (cirq.X**0.5)(second), cirq.CNOT(first, second), cirq.X(first)]
    if name == "delay":
        if operation.unit not in _PICOSECONDS:
            raise ArgumentError(
                f"delay must be in s, ms, us, ns or ps to be translated to Cirq, "
                f"but is in {operation.unit!r}"
            )
        span = cirq.Duration(picos=float(operation.params[0]) * _PICOSECONDS[operation.unit])
        return [cirq.WaitGate(span).on(*qubits)]
    known = ", ".join(sorted([*fixed, *rotations, "ecr", "delay", "measure", "barrier", "if_else"]))
    raise ArgumentError(
        f"circuit must be made of {known} to be translated to Cirq, but has {name!r}"
    )
