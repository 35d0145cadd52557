"""Circuits as plain lists: what an experiment's id is computed from, and which gates it may use."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction, Clbit, Qubit

from ebit.games import ArgumentError

# fmt: off
GATES = frozenset([
    "id", "h", "x", "y", "z", "s", "sdg", "sx", "t", "tdg", "rx", "ry", "rz", "p",
    "cx", "cz", "cry", "crz", "swap", "rzz", "ecr",
    "measure", "reset", "barrier", "delay",
])
# fmt: on
"""Names of the operations a circuit of this room may contain, besides ``if_else`` on one bit."""

Plain = list[Any]


def canonical(circuit: QuantumCircuit) -> Plain:
    """Return a circuit as nested lists of strings and whole numbers, the same in every process.

    Each operation is ``[name, qubits, clbits, parameters, condition, blocks]``: parameters as
    text with 12 significant digits, a condition as ``[clbit, value]``, the blocks of an
    ``if_else`` as lists of operations.

    Raises:
        ArgumentError: for an operation that is not in `GATES`, a free parameter, or a condition on
            anything but one bit. The message names it.

    Example:
        >>> from ebit.circuits.states import bell
        >>> canonical(bell())[2][1]
        ['cx', [0, 1], [], [], [], []]
    """
    qubits = {bit: i for i, bit in enumerate(circuit.qubits)}
    clbits = {bit: i for i, bit in enumerate(circuit.clbits)}
    return [len(qubits), len(clbits), _block(circuit.data, qubits, clbits)]


def digest(content: object) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of nested lists.

    >>> digest(["a", 1])
    '135f17a475a61afd'
    """
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:16]


def number(value: float) -> str:
    """Return a number as text with 12 significant digits; below 1e-12 in size it is zero.

    >>> number(0.1 + 0.2), number(-0.0)
    ('3.00000000000e-01', '0.00000000000e+00')
    """
    return f"{0.0 if abs(value) < 1e-12 else value:.11e}"


def condition(operation: Any, clbits: Mapping[Clbit, int]) -> tuple[int, int]:
    """Return the bit that an ``if_else`` looks at and the value it must have.

    Raises:
        ArgumentError: if it compares a register, or evaluates an expression.
    """
    asked = operation.condition
    if not (isinstance(asked, tuple) and isinstance(asked[0], Clbit)):
        raise ArgumentError(
            f"if_else must test one classical bit, but tests {asked!r}: "
            "write if_test((bit, 0 or 1))"
        )
    return clbits[asked[0]], int(asked[1])


def _block(
    data: Sequence[CircuitInstruction],
    qubits: Mapping[Qubit, int],
    clbits: Mapping[Clbit, int],
) -> Plain:
    return [_operation(instruction, qubits, clbits) for instruction in data]


def _operation(
    instruction: CircuitInstruction, qubits: Mapping[Qubit, int], clbits: Mapping[Clbit, int]
) -> Plain:
    operation = instruction.operation
    on_qubits = [qubits[bit] for bit in instruction.qubits]
    on_clbits = [clbits[bit] for bit in instruction.clbits]
    if operation.name == "if_else":
        blocks = [
            _block(
                block.data,
                dict(zip(block.qubits, on_qubits, strict=True)),
                dict(zip(block.clbits, on_clbits, strict=True)),
            )
            for block in operation.params
            if block is not None
        ]
        return ["if_else", on_qubits, on_clbits, [], list(condition(operation, clbits)), blocks]
    if operation.name not in GATES:
        raise ArgumentError(
            f"circuits may not contain {operation.name!r}; they may contain if_else on one bit "
            f"and {', '.join(sorted(GATES))}"
        )
    try:
        parameters = [number(float(p)) for p in operation.params]
    except (TypeError, ValueError):
        raise ArgumentError(
            f"parameters of {operation.name!r} must be numbers, but were {operation.params!r}: "
            "assign every free parameter first"
        ) from None
    if operation.name == "barrier" and operation.label:
        parameters = [operation.label]
    elif operation.name == "delay":
        parameters.append(operation.unit)
    return [operation.name, on_qubits, on_clbits, parameters, [], []]
