"""Circuits as short hashable lists of operations, and their connected components.

A Qiskit circuit is read once into tuples of `Op`; simulators, the guard and the caches work on
those. Qubits and classical bits keep their indices in the circuit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ebit.games import ArgumentError

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "ps": 1e-12}


class Op(NamedTuple):
    """One operation.

    Args:
        name: gate name, or "measure", "reset", "delay", "if_else".
        qubits: qubits acted on; for "if_else" those of both bodies.
        params: angles; for "delay" the seconds; for "if_else" the value that takes `then`.
        clbits: bit written by "measure", or read by "if_else".
        then: body of an "if_else" when the bit has the value.
        otherwise: body when it has not.
    """

    name: str
    qubits: tuple[int, ...]
    params: tuple[float, ...] = ()
    clbits: tuple[int, ...] = ()
    then: tuple[Op, ...] = ()
    otherwise: tuple[Op, ...] = ()


class Component(NamedTuple):
    """A part of a circuit that shares neither qubits nor classical bits with the rest.

    Args:
        qubits: in ascending order.
        clbits: in ascending order.
        ops: its operations in circuit order.
    """

    qubits: tuple[int, ...]
    clbits: tuple[int, ...]
    ops: tuple[Op, ...]


def lower(circuit: Any, *, dt: float | None = None) -> tuple[Op, ...]:
    """Operations of a Qiskit circuit, barriers left out.

    Args:
        circuit: a `QuantumCircuit` without free parameters.
        dt: sample time in seconds, for delays given in samples.

    Raises:
        ArgumentError: the circuit holds something that has no matrix or an unsupported condition.
    """
    if circuit.parameters:
        names = ", ".join(sorted(p.name for p in circuit.parameters))
        raise ArgumentError(f"circuit {circuit.name!r} must have no free parameters: bind {names}")
    qubits = {bit: i for i, bit in enumerate(circuit.qubits)}
    clbits = {bit: i for i, bit in enumerate(circuit.clbits)}
    return tuple(_read(circuit, qubits, clbits, dt))


def _read(
    circuit: Any, qubits: Mapping[Any, int], clbits: Mapping[Any, int], dt: float | None
) -> Iterator[Op]:
    known = standard_gates()
    for item in circuit.data:
        op = item.operation
        where = tuple(qubits[q] for q in item.qubits)
        if op.name == "barrier":
            continue
        if op.name == "measure":
            yield Op("measure", where, clbits=(clbits[item.clbits[0]],))
        elif op.name == "reset":
            yield Op("reset", where)
        elif op.name == "delay":
            yield Op("delay", where, (_seconds(op, dt),))
        elif op.name == "if_else":
            yield _condition(circuit, item, qubits, clbits, dt)
        elif op.name in known:
            yield Op(op.name, where, tuple(float(p) for p in op.params))
        elif getattr(op, "definition", None) is not None:
            inner = op.definition
            yield from _read(
                inner,
                {b: where[i] for i, b in enumerate(inner.qubits)},
                {b: clbits[item.clbits[i]] for i, b in enumerate(inner.clbits)},
                dt,
            )
        else:
            raise ArgumentError(
                f"circuit {circuit.name!r} must hold gates, measure, reset, delay and if_else on "
                f"one bit only, but holds {op.name!r}"
            )


def _condition(
    circuit: Any, item: Any, qubits: Mapping[Any, int], clbits: Mapping[Any, int], dt: float | None
) -> Op:
    condition = item.operation.condition
    if not isinstance(condition, tuple):
        raise ArgumentError(
            f"circuit {circuit.name!r}: an if_else must test one classical bit, not an expression"
        )
    target, value = condition
    if target in clbits:
        bit = clbits[target]
    elif len(list(target)) == 1:
        bit = clbits[next(iter(target))]
    else:
        raise ArgumentError(
            f"circuit {circuit.name!r}: an if_else must test one classical bit, not a register"
        )
    bodies: list[tuple[Op, ...]] = []
    for body in item.operation.blocks:
        inner_q = {b: qubits[item.qubits[i]] for i, b in enumerate(body.qubits)}
        inner_c = {b: clbits[item.clbits[i]] for i, b in enumerate(body.clbits)}
        bodies.append(tuple(_read(body, inner_q, inner_c, dt)))
    where = tuple(sorted({q for body in bodies for op in body for q in op.qubits}))
    otherwise = bodies[1] if len(bodies) > 1 else ()
    return Op("if_else", where, (float(int(value)),), (bit,), bodies[0], otherwise)


def _seconds(op: Any, dt: float | None) -> float:
    if op.unit == "dt":
        # Without a device, time has no effect, so its unit does not matter.
        return float(op.duration) * (dt or 0.0)
    return float(op.duration) * _SECONDS[op.unit]


@lru_cache(maxsize=1)
def standard_gates() -> dict[str, Any]:
    """Qiskit's standard gates by name."""
    from qiskit.circuit.library import get_standard_gate_name_mapping

    other = {"measure", "reset", "delay", "barrier"}
    return {k: v for k, v in get_standard_gate_name_mapping().items() if k not in other}


@lru_cache(maxsize=4096)
def gate_matrix(name: str, params: tuple[float, ...]) -> npt.NDArray[np.complex128]:
    """Unitary of a standard gate, (2^m, 2^m), its first qubit the least significant bit."""
    gate = standard_gates()[name].base_class(*params)
    matrix: npt.NDArray[np.complex128] = np.asarray(gate.to_matrix(), dtype=np.complex128)
    matrix.setflags(write=False)
    return matrix


def written(ops: Iterable[Op]) -> Iterator[int]:
    """Classical bits that the operations write, bodies included, in order."""
    for op in ops:
        if op.name == "measure":
            yield op.clbits[0]
        elif op.name == "if_else":
            yield from written(op.then)
            yield from written(op.otherwise)


def read_bits(ops: Iterable[Op]) -> Iterator[int]:
    """Classical bits that conditions read, bodies included."""
    for op in ops:
        if op.name == "if_else":
            yield op.clbits[0]
            yield from read_bits(op.then)
            yield from read_bits(op.otherwise)


def components(ops: Iterable[Op]) -> tuple[Component, ...]:
    """Connected components that write classical bits; qubits nobody measures are left out.

    Qubits connect through gates, and through the classical bits that conditions read.
    """
    parent: dict[int, int] = {}

    def root(node: int) -> int:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    items = tuple(ops)
    nodes: list[list[int]] = []
    for op in items:
        # Classical bits are negative nodes: -1 - index.
        bits = {*op.clbits, *written((op,)), *read_bits((op,))}
        nodes.append([*op.qubits, *(-1 - b for b in sorted(bits))])
        for node in nodes[-1][1:]:
            parent[root(node)] = root(nodes[-1][0])
    groups: dict[int, list[Op]] = {}
    for op, touched in zip(items, nodes, strict=True):
        if touched:
            groups.setdefault(root(touched[0]), []).append(op)
    out = []
    for group in groups.values():
        clbits = tuple(sorted(set(written(group))))
        if clbits:
            qubits = tuple(sorted({q for op in group for q in op.qubits}))
            out.append(Component(qubits, clbits, tuple(group)))
    return tuple(sorted(out, key=lambda c: c.clbits))
