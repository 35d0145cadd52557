"""Evolution of small states: amplitudes, or density matrices with a classical record each.

A state is a list of classical records with an unnormalised density matrix each. Gates and errors
act as superoperators, a measurement splits every record in two, an `if_else` acts on the records
whose bit says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import gcd
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ebit.backends.lower import Op, gate_matrix
from ebit.backends.noise import Complex, DeviceNoise

Float = npt.NDArray[np.float64]

# Products of a small matrix with this many columns stay on one thread: handing pieces of such
# work to several BLAS threads costs up to a hundred times the work itself.
_COLUMNS = 64


class State(NamedTuple):
    """Classical records and what goes with each.

    Args:
        records: (R,) values of the bits measured so far, little-endian.
        rho: (R, 2, ..., 2): row axes of the qubits, highest first, then column axes.
    """

    records: npt.NDArray[np.int64]
    rho: Complex


def amplitudes(ops: Iterable[Op], qubits: Sequence[int]) -> Complex:
    """Ideal amplitudes (2^n,) after unitary operations on |0...0>, first qubit lowest."""
    n = len(qubits)
    place = {q: i for i, q in enumerate(qubits)}
    psi: Complex = np.zeros((1,) + (2,) * n, dtype=np.complex128)
    psi[(0,) * (n + 1)] = 1.0
    for op in ops:
        if op.name != "delay":
            psi = _apply(gate_matrix(op.name, op.params), psi, _axes(op.qubits, place, n))
    return psi.reshape(-1)


def evolve(
    body: Iterable[Op],
    place: dict[int, int],
    noise: DeviceNoise | None,
    start: State | None = None,
) -> tuple[npt.NDArray[np.int64], Float]:
    """Records (R,) and the diagonal of their density matrices, (R, 2^n), after the operations.

    Args:
        body: operations.
        place: position of every qubit, 0 the least significant.
        noise: errors after each gate, None for ideal.
        start: state to begin with, |0...0> by default.
    """
    n = len(place)
    state = _ground(n) if start is None else start
    for op in body:
        state = _step(state, op, place, noise)
    size = 2**n
    diagonal = np.einsum("rii->ri", state.rho.reshape(-1, size, size)).real
    return state.records, np.ascontiguousarray(diagonal)


def _ground(n: int) -> State:
    rho: Complex = np.zeros((1,) + (2,) * (2 * n), dtype=np.complex128)
    rho[(0,) * (2 * n + 1)] = 1.0
    return State(np.zeros(1, dtype=np.int64), rho)


def prepared_state(ops: Sequence[Op], qubits: Sequence[int]) -> Complex:
    """Ideal density matrix (2^n, 2^n) of `qubits` after the operations, first qubit lowest."""
    place = {q: i for i, q in enumerate(qubits)}
    state = _ground(len(place))
    for op in ops:
        state = _step(state, op, place, None)
    size = 2 ** len(place)
    total: Complex = state.rho.reshape(-1, size, size).sum(axis=0)
    return total


def _step(state: State, op: Op, place: dict[int, int], noise: DeviceNoise | None) -> State:
    if op.name == "measure":
        return _measure(state, op, place, noise)
    if op.name == "if_else":
        bit = (state.records >> op.clbits[0]) & 1
        taken = bit == int(op.params[0])
        parts = []
        for mask, ops in ((taken, op.then), (~taken, op.otherwise)):
            if mask.any():
                part = State(state.records[mask], state.rho[mask])
                for inner in ops:
                    part = _step(part, inner, place, noise)
                parts.append(part)
        return _merge(parts)
    matrix = superoperator(op, noise)
    if matrix is None:
        return state
    n = len(place)
    rows = _axes(op.qubits, place, n)
    return State(state.records, _apply(matrix, state.rho, [*rows, *(axis + n for axis in rows)]))


def _measure(state: State, op: Op, place: dict[int, int], noise: DeviceNoise | None) -> State:
    n = len(place)
    row = _axes(op.qubits, place, n)[0]
    flip = noise.assignment(op.qubits[0]) if noise else None
    if flip is None:
        flip = np.eye(2)
    collapsed = []
    for true in (0, 1):
        keep = np.zeros_like(state.rho)
        where: list[slice | int] = [slice(None)] * keep.ndim
        where[row] = where[row + n] = true
        keep[tuple(where)] = state.rho[tuple(where)]
        collapsed.append(keep)
    bit = 1 << op.clbits[0]
    parts = []
    for recorded in (0, 1):
        # The record may be wrong; the state has collapsed to what is true.
        rho = flip[recorded, 0] * collapsed[0] + flip[recorded, 1] * collapsed[1]
        records = (state.records & ~bit) | (bit if recorded else 0)
        parts.append(State(records, rho))
    return _merge(parts)


def _merge(parts: Sequence[State]) -> State:
    """One state whose records are distinct and possible."""
    records = np.concatenate([p.records for p in parts])
    rho = np.concatenate([p.rho for p in parts])
    unique, inverse = np.unique(records, return_inverse=True)
    if len(unique) < len(records):
        summed = np.zeros((len(unique), *rho.shape[1:]), dtype=np.complex128)
        np.add.at(summed, inverse, rho)
        records, rho = unique, summed
    size = int(np.sqrt(rho[0].size))
    weight = np.einsum("rii->r", rho.reshape(-1, size, size)).real
    alive = weight > 0
    return State(records[alive], rho[alive])


@lru_cache(maxsize=16384)
def superoperator(op: Op, noise: DeviceNoise | None) -> Complex | None:
    """What an operation does to rho, its error included; None for nothing."""
    if op.name == "delay":
        return noise.delay(op.qubits[0], op.params[0]) if noise else None
    if op.name == "reset":
        gate = np.zeros((4, 4), dtype=np.complex128)
        gate[0, 0] = gate[0, 3] = 1.0
    else:
        unitary = gate_matrix(op.name, op.params)
        gate = np.kron(unitary, unitary.conj()).astype(np.complex128)
    error = noise.channel(op.name, op.qubits) if noise else None
    return gate if error is None else error @ gate


def _axes(qubits: Sequence[int], place: dict[int, int], n: int) -> list[int]:
    """Row axes of qubits, most significant first (axis 0 holds the records)."""
    return [n - place[q] for q in reversed(qubits)]


def _apply(matrix: Complex, array: Complex, axes: Sequence[int]) -> Complex:
    m = len(matrix)
    front = [*axes, *(i for i in range(array.ndim) if i not in axes)]
    moved = array.transpose(front)
    flat = moved.reshape(m, -1)
    columns = flat.shape[1]
    if m * columns > 16 * _COLUMNS:
        blocks = flat.reshape(m, -1, gcd(columns, _COLUMNS)).transpose(1, 0, 2)
        out = (matrix @ blocks).transpose(1, 0, 2).reshape(moved.shape)
    else:
        out = (matrix @ flat).reshape(moved.shape)
    back = [0] * array.ndim
    for position, axis in enumerate(front):
        back[axis] = position
    turned: Complex = out.transpose(back)
    return turned
