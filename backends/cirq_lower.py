"""Native Cirq circuits as lists of `Op`, so that one guard serves every compiler.

Single-qubit gates become rotations of Qiskit's standard gates, two-qubit gates their equals there;
what is refused by name cannot have been compiled by this program.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import cirq
import cirq_google

from ebit.backends.lower import Op, written
from ebit.games import ArgumentError

_Template = tuple[tuple[str, tuple[int, ...], tuple[float, ...]], ...]


def lower_cirq(operations: Iterable[Any], index: Mapping[Any, int]) -> tuple[Op, ...]:
    """Operations of a native circuit, equal to it up to a global phase.

    Args:
        operations: Cirq operations in order of time; measurement keys c0, c1, ...
        index: number of each qubit.

    Raises:
        ArgumentError: an operation is not native, a key has another form, or a qubit no number.

    Example:
        >>> import cirq
        >>> a, b = cirq.LineQubit.range(2)
        >>> lower_cirq([cirq.CZ(a, b), cirq.measure(b, key="c0")], {a: 0, b: 1})[1].clbits
        (0,)
    """
    return tuple(_each(operations, index))


def _each(operations: Iterable[Any], index: Mapping[Any, int]) -> Iterator[Op]:
    for operation in operations:
        gate = operation.gate
        if gate is None or any(q not in index for q in operation.qubits):
            raise ArgumentError(f"a native circuit must not hold {operation}")
        where = tuple(index[q] for q in operation.qubits)
        if isinstance(gate, cirq.MeasurementGate):
            if len(where) != 1 or any(gate.full_invert_mask()) or gate.confusion_map:
                raise ArgumentError(f"a measurement must read one qubit as it is, but is {gate!r}")
            yield Op("measure", where, clbits=(bit_of_key(cirq.measurement_key_name(gate)),))
        elif isinstance(gate, cirq.ResetChannel):
            yield Op("reset", where)
        elif isinstance(gate, cirq.WaitGate):
            seconds = gate.duration.total_picos() * 1e-12
            yield from (Op("delay", (q,), (seconds,)) for q in where)
        else:
            for name, at, params in _template(gate):
                yield Op(name, tuple(where[i] for i in at), params)


def bit_of_key(key: str) -> int:
    """The classical bit of a measurement key."""
    if not (key.startswith("c") and key[1:].isdecimal()):
        raise ArgumentError(f"measurement keys must be c0, c1, ..., but one is {key!r}")
    return int(key[1:])


@lru_cache(maxsize=4096)
def _template(gate: Any) -> _Template:
    if isinstance(gate, cirq.CZPowGate):
        whole = abs(gate.exponent - 1) < 1e-12
        return (("cz", (0, 1), ()),) if whole else (("cp", (0, 1), (math.pi * gate.exponent,)),)
    if isinstance(gate, cirq.ISwapPowGate):
        return (("xx_plus_yy", (0, 1), (-math.pi * gate.exponent, 0.0)),)
    if isinstance(gate, cirq_google.SycamoreGate | cirq.FSimGate):
        turn = ("xx_plus_yy", (0, 1), (2 * float(gate.theta), 0.0))
        return (turn, ("cp", (0, 1), (-float(gate.phi),)))
    if cirq.num_qubits(gate) == 1 and cirq.has_unitary(gate):
        return _turns(gate)
    raise ArgumentError(f"a native circuit must not hold {gate}")


def _turns(gate: Any) -> _Template:
    """One qubit's gate as rotations about Z, X and Z; those by nothing are left out."""
    if not isinstance(gate, cirq.PhasedXZGate):
        gate = cirq.PhasedXZGate.from_matrix(cirq.unitary(gate))
    axis, x, z = (
        float(value) for value in (gate.axis_phase_exponent, gate.x_exponent, gate.z_exponent)
    )
    angles = (("rz", -axis), ("rx", x), ("rz", axis + z)) if x else (("rz", z),)
    return tuple((name, (0,), (math.pi * angle,)) for name, angle in angles if angle)


def alike(asked: Sequence[Op], made: Sequence[Op]) -> list[tuple[tuple[Op, ...], tuple[Op, ...]]]:
    """Both lists cut into parts that share no qubit and no bit, numbered from 0 in each part.

    Parts of the same shape come out equal, so that a chip full of equal pairs is compared once.
    """
    parent: dict[int, int] = {}

    def root(node: int) -> int:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    touched: list[list[list[int]]] = []
    for side in (asked, made):
        touched.append([[*op.qubits, *(-1 - b for b in _bits(op))] for op in side])
        for nodes in touched[-1]:
            for node in nodes:
                parent[root(node)] = root(nodes[0])
    parts: dict[int, tuple[list[Op], list[Op]]] = {}
    for s, side in enumerate((asked, made)):
        for op, nodes in zip(side, touched[s], strict=True):
            if nodes:
                parts.setdefault(root(nodes[0]), ([], []))[s].append(op)
    return [_numbered(*pair) for pair in parts.values()]


def _bits(op: Op) -> tuple[int, ...]:
    return (*op.clbits, *written(op.then), *written(op.otherwise))


def _numbered(asked: list[Op], made: list[Op]) -> tuple[tuple[Op, ...], tuple[Op, ...]]:
    both = [*asked, *made]
    qubits = {q: i for i, q in enumerate(sorted({q for op in both for q in op.qubits}))}
    bits = {b: i for i, b in enumerate(sorted({b for op in both for b in _bits(op)}))}
    return _renamed(asked, qubits, bits), _renamed(made, qubits, bits)


def _renamed(
    ops: Iterable[Op], qubits: Mapping[int, int], bits: Mapping[int, int]
) -> tuple[Op, ...]:
    return tuple(
        Op(
            op.name,
            tuple(qubits[q] for q in op.qubits),
            op.params,
            tuple(bits[b] for b in op.clbits),
            _renamed(op.then, qubits, bits),
            _renamed(op.otherwise, qubits, bits),
        )
        for op in ops
    )
