"""Exact outcome distributions of small circuits, noise and readout errors included.

Every connected component is computed on its own. Measurements at the end of a component need no
branches: they read the diagonal of its density matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ebit.backends.evolve import State, amplitudes, evolve
from ebit.backends.lower import Component, Op, components, lower, read_bits, written
from ebit.backends.noise import Complex, DeviceNoise

Float = npt.NDArray[np.float64]

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


def distributions(circuit: Any, noise: DeviceNoise | None = None) -> tuple[Distribution, ...]:
    """Exact distribution of every component of a circuit.

    Args:
        circuit: a `QuantumCircuit`; with noise, on the physical qubits of the device.
        noise: errors after each gate, None for the ideal circuit.

    Returns:
        One distribution per component that writes classical bits. Classical bits that nothing
        writes stay 0 and belong to none.

    Raises:
        ArgumentError: the circuit holds something without a matrix.

    Example:
        >>> from ebit.circuits import chsh
        >>> [pair] = distributions(chsh().circuits[0])
        >>> pair.clbits, [round(float(p), 4) for p in pair.probabilities]
        ((0, 1), [0.4268, 0.0732, 0.0732, 0.4268])
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
        records, diagonal = evolve(body, place, noise)
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

    Example:
        >>> coin = Distribution((1,), np.array([0.25, 0.75]))
        >>> joint([coin], 2).tolist()
        [0.25, 0.0, 0.75, 0.0]
    """
    total = np.zeros(2**num_clbits)
    index = np.zeros(1, dtype=np.int64)
    weight = np.ones(1)
    for part in parts:
        where = spread(len(part.probabilities), part.clbits)
        index = (index[:, None] | where[None, :]).reshape(-1)
        weight = (weight[:, None] * part.probabilities[None, :]).reshape(-1)
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
    start = State(labels, inputs.reshape((4**n,) + (2,) * (2 * n)))
    place = {q: i for i, q in enumerate(part.qubits)}
    terminal = terminal_measurements(part.ops)
    ends = [part.ops[i] for i in terminal]
    body = [op for i, op in enumerate(part.ops) if i not in terminal]
    records, diagonal = evolve(body, place, None, start)
    table = _read_out(part.clbits, ends, records, diagonal, place, None, inputs=4**n)
    return table.reshape(4**n, -1)


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
