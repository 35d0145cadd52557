"""Exact outcome distributions of small circuits, noise and readout errors included.

A state is a list of classical records with an unnormalised density matrix each. Gates and errors
act as superoperators, a measurement splits every record in two, an `if_else` acts on the records
whose bit says so. Measurements at the end need no branches: they read the diagonal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ebit.backends.lower import Component, Op, components, gate_matrix, lower, read_bits, written
from ebit.backends.noise import Complex, DeviceNoise

Float = npt.NDArray[np.float64]

# Products of a small matrix with this many columns stay on one thread: handing pieces of such
# work to several BLAS threads costs up to a hundred times the work itself.
_COLUMNS = 64

# Records hold the classical bits below this position and, above it, which input state they
# belong to; 4^4 inputs at most.
_LABEL = 48

# Distributions of up to this many bits are kept (8 kB each at most).
_CACHED = 10


@dataclass(frozen=True, eq=False)
class Distribution:
    """Exact distribution of the classical bits of one component.

    Args:
        clbits: classical bits of the circuit, ascending.
        probabilities: shape (2^k,); bit i of the index is the value of `clbits[i]`.
    """

    clbits: tuple[int, ...]
    probabilities: Float


class _State(NamedTuple):
    records: npt.NDArray[np.int64]  # (R,) values of the bits measured so far
    rho: Complex  # (R, 2, ..., 2): row axes of the qubits, highest first, then column axes


def distributions(circuit: object, noise: DeviceNoise | None = None) -> tuple[Distribution, ...]:
    """Exact distribution of every component of a circuit.

    Args:
        circuit: a `QuantumCircuit`; with noise, on the physical qubits of the device.
        noise: errors after each gate, None for the ideal circuit.

    Returns:
        One distribution per component that writes classical bits. Classical bits that nothing
        writes stay 0 and belong to none.
    """
    ops = lower(circuit, dt=noise.dt if noise else None)
    return tuple(distribution(part, noise) for part in components(ops))


def distribution(part: Component, noise: DeviceNoise | None) -> Distribution:
    """Exact distribution of one component, cached by content where it is small."""
    table = (_cached if len(part.clbits) <= _CACHED else _table)(_local(part), noise)
    return Distribution(part.clbits, table)


def _table(part: Component, noise: DeviceNoise | None) -> Float:
    terminal = terminal_measurements(part.ops)
    ends = [part.ops[i] for i in terminal]
    body = [op for i, op in enumerate(part.ops) if i not in terminal]
    place = {q: i for i, q in enumerate(part.qubits)}
    if noise is None and all(op.name not in ("measure", "reset", "if_else") for op in body):
        psi = amplitudes(body, part.qubits)
        records = np.zeros(1, dtype=np.int64)
        diagonal = (psi.real**2 + psi.imag**2).reshape(1, -1)
    else:
        records, diagonal = _mixed(body, place, noise)
    return _normalised(_read_out(part.clbits, ends, records, diagonal, place, noise))


_cached = lru_cache(maxsize=8192)(_table)


def _local(part: Component) -> Component:
    """The component with its classical bits renumbered from 0, so that records stay short."""
    bits = dict(zip(part.clbits, range(len(part.clbits)), strict=True))
    for bit in read_bits(part.ops):
        bits.setdefault(bit, len(bits))  # read but never written: stays 0
    return Component(part.qubits, tuple(range(len(part.clbits))), _renumber(part.ops, bits))


def _renumber(ops: Sequence[Op], bits: dict[int, int]) -> tuple[Op, ...]:
    return tuple(
        op._replace(
            clbits=tuple(bits[c] for c in op.clbits),
            then=_renumber(op.then, bits),
            otherwise=_renumber(op.otherwise, bits),
        )
        if op.clbits or op.then or op.otherwise
        else op
        for op in ops
    )


def read_out_diagonal(
    part: Component, ends: Sequence[Op], diagonal: Float, noise: DeviceNoise | None
) -> Distribution:
    """Distribution of the bits of a component from the diagonal of its final density matrix.

    Args:
        part: a component whose measurements all stand at the end.
        ends: those measurements.
        diagonal: (2^n,) probabilities, first qubit of the component lowest.
        noise: for the readout errors, None for ideal.
    """
    place = {q: i for i, q in enumerate(part.qubits)}
    records = np.zeros(1, dtype=np.int64)
    table = _read_out(part.clbits, ends, records, diagonal.reshape(1, -1), place, noise)
    return Distribution(part.clbits, _normalised(table))


def _normalised(table: Float) -> Float:
    table = np.clip(table, 0.0, None)
    table /= table.sum()
    table.setflags(write=False)
    return table


def joint(parts: Sequence[Distribution], num_clbits: int) -> Float:
    """Distribution over all classical bits of a circuit, (2^num_clbits,), as a product.

    Bit i of the index is classical bit i. Meant for few bits: the result is dense.
    """
    total = np.zeros(2**num_clbits)
    total[0] = 1.0
    index = np.zeros(1, dtype=np.int64)
    weight = np.ones(1)
    for part in parts:
        where = spread(len(part.probabilities), part.clbits)
        index = (index[:, None] | where[None, :]).reshape(-1)
        weight = (weight[:, None] * part.probabilities[None, :]).reshape(-1)
    total[0] = 0.0
    total[index] = weight
    return total


def spread(size: int, clbits: Sequence[int]) -> npt.NDArray[np.int64]:
    """For every outcome of a component, the integer with its bits at the places `clbits`."""
    codes = np.arange(size, dtype=np.int64)
    out = np.zeros(size, dtype=np.int64)
    for i, bit in enumerate(clbits):
        out |= ((codes >> i) & 1) << bit
    return out


def terminal_measurements(ops: Sequence[Op]) -> frozenset[int]:
    """Positions of measurements after which neither their qubit nor their bit is used."""
    busy_qubits: set[int] = set()
    busy_bits: set[int] = set()
    found = set()
    for i in range(len(ops) - 1, -1, -1):
        op = ops[i]
        if (
            op.name == "measure"
            and op.qubits[0] not in busy_qubits
            and op.clbits[0] not in busy_bits
        ):
            found.add(i)
        busy_qubits.update(op.qubits)
        busy_bits.update(op.clbits, written((op,)), read_bits((op,)))
    return frozenset(found)


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


def _mixed(
    body: Iterable[Op],
    place: dict[int, int],
    noise: DeviceNoise | None,
    start: _State | None = None,
) -> tuple[npt.NDArray[np.int64], Float]:
    n = len(place)
    state = _ground(n) if start is None else start
    for op in body:
        state = _step(state, op, place, noise)
    size = 2**n
    diagonal = np.einsum("rii->ri", state.rho.reshape(-1, size, size)).real
    return state.records, np.ascontiguousarray(diagonal)


def _ground(n: int) -> _State:
    rho: Complex = np.zeros((1,) + (2,) * (2 * n), dtype=np.complex128)
    rho[(0,) * (2 * n + 1)] = 1.0
    return _State(np.zeros(1, dtype=np.int64), rho)


def prepared_state(ops: Sequence[Op], qubits: Sequence[int]) -> Complex:
    """Ideal density matrix (2^n, 2^n) of `qubits` after the operations, first qubit lowest."""
    place = {q: i for i, q in enumerate(qubits)}
    state = _ground(len(place))
    for op in ops:
        state = _step(state, op, place, None)
    size = 2 ** len(place)
    total: Complex = state.rho.reshape(-1, size, size).sum(axis=0)
    return total


def response(part: Component) -> Float:
    """Ideal outcome distributions of a circuit part for a complete set of input states.

    The inputs are the 4^n products of |0>, |1>, |+> and |+i>; two parts with equal responses
    measure the same thing whatever they are given.

    Returns:
        Shape (4^n, 2^k).
    """
    part = _local(part)
    n = len(part.qubits)
    single: Complex = np.array(
        [[[1, 0], [0, 0]], [[0, 0], [0, 1]], [[0.5, 0.5], [0.5, 0.5]], [[0.5, -0.5j], [0.5j, 0.5]]]
    )
    inputs: Complex = np.ones((1, 1, 1), dtype=np.complex128)
    for _ in range(n):
        inputs = np.einsum("aij,bkl->abikjl", inputs, single).reshape(
            len(inputs) * 4, inputs.shape[1] * 2, inputs.shape[2] * 2
        )
    labels = np.arange(4**n, dtype=np.int64) << _LABEL
    start = _State(labels, inputs.reshape((4**n,) + (2,) * (2 * n)))
    place = {q: i for i, q in enumerate(part.qubits)}
    terminal = terminal_measurements(part.ops)
    ends = [part.ops[i] for i in terminal]
    body = [op for i, op in enumerate(part.ops) if i not in terminal]
    records, diagonal = _mixed(body, place, None, start)
    table = _read_out(part.clbits, ends, records, diagonal, place, None, inputs=4**n)
    return table.reshape(4**n, -1)


def _step(state: _State, op: Op, place: dict[int, int], noise: DeviceNoise | None) -> _State:
    if op.name == "measure":
        return _measure(state, op, place, noise)
    if op.name == "if_else":
        bit = (state.records >> op.clbits[0]) & 1
        taken = bit == int(op.params[0])
        parts = []
        for mask, ops in ((taken, op.then), (~taken, op.otherwise)):
            if mask.any():
                part = _State(state.records[mask], state.rho[mask])
                for inner in ops:
                    part = _step(part, inner, place, noise)
                parts.append(part)
        return _merge(parts)
    matrix = _superoperator(op, noise)
    if matrix is None:
        return state
    n = len(place)
    rows = _axes(op.qubits, place, n)
    return _State(state.records, _apply(matrix, state.rho, [*rows, *(axis + n for axis in rows)]))


def _measure(state: _State, op: Op, place: dict[int, int], noise: DeviceNoise | None) -> _State:
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
        parts.append(_State(records, rho))
    return _merge(parts)


def _merge(parts: Sequence[_State]) -> _State:
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
    return _State(records[alive], rho[alive])


@lru_cache(maxsize=16384)
def _superoperator(op: Op, noise: DeviceNoise | None) -> Complex | None:
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


def _read_out(
    clbits: tuple[int, ...],
    ends: Sequence[Op],
    records: npt.NDArray[np.int64],
    diagonal: Float,
    place: dict[int, int],
    noise: DeviceNoise | None,
    inputs: int = 1,
) -> Float:
    """Probabilities over the bits of the component from the diagonal of every record."""
    n, k = len(place), len(ends)
    cube = diagonal.reshape((-1,) + (2,) * n)
    ends = sorted(ends, key=lambda op: op.clbits[0])
    axes = [n - place[op.qubits[0]] for op in ends]
    others = tuple(a for a in range(1, n + 1) if a not in axes)
    cube = cube.sum(axis=others)
    kept = sorted(axes)
    # Highest classical bit first, so that the flat index is little-endian.
    order = [1 + kept.index(a) for a in reversed(axes)]
    cube = cube.transpose([0, *order])
    for position, op in enumerate(reversed(ends)):
        flip = noise.assignment(op.qubits[0]) if noise else None
        if flip is not None:
            cube = np.moveaxis(np.tensordot(flip, cube, axes=(1, position + 1)), 0, position + 1)
    place_of = {c: i for i, c in enumerate(clbits)}
    measured = spread(2**k, [place_of[op.clbits[0]] for op in ends])
    earlier = np.zeros(len(records), dtype=np.int64)
    ended = {op.clbits[0] for op in ends}
    for c, i in place_of.items():
        if c not in ended:
            earlier |= ((records >> c) & 1) << i
    earlier |= (records >> _LABEL) << len(clbits)
    table = np.zeros(inputs * 2 ** len(clbits))
    np.add.at(table, earlier[:, None] | measured[None, :], cube.reshape(len(records), -1))
    return table
