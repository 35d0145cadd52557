"""The shape every circuit of the room has: one register of qubits, one of bits, one barrier."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence

from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister

from ebit.games import ArgumentError

PREPARED = "ebit:prepared"
"""Label of the barrier between the preparation of a state and its measurement."""

Edge = tuple[int, int]


def blank(qubits: int, clbits: int = 0, *, name: str | None = None) -> QuantumCircuit:
    """Return an empty circuit with the registers ``q`` and, if it has bits, ``c``.

    >>> blank(2, 1).num_clbits
    1
    """
    registers: list[QuantumRegister | ClassicalRegister] = [QuantumRegister(qubits, "q")]
    if clbits:
        registers.append(ClassicalRegister(clbits, "c"))
    return QuantumCircuit(*registers, name=name)


def prepared(state: QuantumCircuit, clbits: int, *, name: str) -> QuantumCircuit:
    """Return a copy of a preparation with room for bits, closed by the labelled barrier.

    The barrier spans every qubit, so that no compiler merges a preparation with the rotations
    that choose a measuring basis.

    Args:
        state: circuit without classical bits that prepares a state.
        clbits: number of classical bits of the result.
        name: name of the result.
    """
    circuit = blank(state.num_qubits, clbits, name=name)
    circuit.compose(state, qubits=range(state.num_qubits), inplace=True)
    circuit.barrier(label=PREPARED)
    return circuit


def measure_paulis(circuit: QuantumCircuit, paulis: str) -> None:
    """Measure qubit j in the basis ``paulis[j]`` into bit j, in place: outcome 0 is eigenvalue +1.

    Args:
        circuit: circuit with as many bits as qubits.
        paulis: one letter of X, Y, Z, I per qubit; I is measured as Z, and its bit means nothing.
    """
    for qubit, pauli in enumerate(paulis):
        if pauli == "Y":
            circuit.sdg(qubit)
        if pauli in "XY":
            circuit.h(qubit)
    for qubit in range(len(paulis)):
        circuit.measure(qubit, qubit)


def check_size(value: int, *, name: str, least: int, most: int | None = None) -> int:
    """Return a count as a Python int, or refuse it with the range it must lie in."""
    bounds = f"at least {least}" if most is None else f"from {least} to {most}"
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise ArgumentError(f"{name} must be a whole number, {bounds}, but was {value!r}") from None
    if number < least or (most is not None and number > most):
        raise ArgumentError(f"{name} must be {bounds}, but was {number}")
    return number


def check_edges(edges: Iterable[Sequence[int]], n: int | None) -> tuple[int, tuple[Edge, ...]]:
    """Return the number of vertices and the edges, each once, smaller vertex first, sorted.

    Args:
        edges: pairs of vertices 0 ... n-1, in any order and direction.
        n: number of vertices; the largest vertex plus one when None.

    Raises:
        ArgumentError: for a pair that is not an edge, or a vertex out of range.
    """
    found: set[Edge] = set()
    for edge in edges:
        try:
            a, b = (operator.index(vertex) for vertex in edge)
        except (TypeError, ValueError):
            raise ArgumentError(f"edges must be pairs of vertices, but had {edge!r}") from None
        if a == b or min(a, b) < 0:
            raise ArgumentError(
                f"edges must join two different vertices from 0 up, but had {edge!r}"
            )
        found.add((min(a, b), max(a, b)))
    size = max((b for _, b in found), default=0) + 1
    if n is None:
        if not found:
            raise ArgumentError("edges must have at least one edge when `n` is not given")
        return size, tuple(sorted(found))
    n = check_size(n, name="n", least=1)
    if size > n:
        raise ArgumentError(
            f"edges must use the vertices 0 to {n - 1}, but had the vertex {size - 1}"
        )
    return n, tuple(sorted(found))


def party_names(n: int) -> tuple[str, ...]:
    """Return A, B, C ... for n parties, and "party 27" and so on after Z."""
    return tuple(chr(65 + i) if i < 26 else f"party {i + 1}" for i in range(n))


def one_qubit_each(n: int) -> tuple[tuple[int, ...], ...]:
    """Return the qubits (or bits) of n parties that hold one each: ((0,), (1,), ...)."""
    return tuple((i,) for i in range(n))
