"""Exact distributions of many components of the same shape at once.

A chip full of equal pairs differs only in its errors: every step is one product of small matrices,
one matrix per pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ebit.backends.evolve import superoperator
from ebit.backends.exact import (
    Distribution,
    distribution,
    read_out_diagonal,
    terminal_measurements,
)
from ebit.backends.lower import Component, Op, components, lower
from ebit.backends.noise import Complex, DeviceNoise
from ebit.backends.parts import renamed

__all__ = ["Step", "distributions_of", "evolve_batch", "expected_of"]

_FEW = 4  # below this, one after another costs no more
_WIDEST = 5  # qubits: 4^n entries for each member
Float = npt.NDArray[np.float64]

Step = tuple[tuple[int, ...], Complex]
"""Qubits of a step, least significant first, and its superoperators: (d^2, d^2) for all members, or
(members, d^2, d^2)."""


def evolve_batch(steps: Sequence[Step], num_qubits: int, members: int) -> Float:
    """Diagonals of the density matrices of many systems that undergo the same steps.

    Args:
        steps: in order of time; superoperators act on row-major vectors as in `DeviceNoise`.
        num_qubits: qubits of each system, which begins in |0...0>.
        members: number of systems.

    Returns:
        (members, 2^n), qubit 0 the least significant bit of the index.

    Example:
        >>> flip = np.kron([[0, 1], [1, 0]], [[0, 1], [1, 0]]).astype(complex)
        >>> evolve_batch([((1,), flip)], 2, 3).tolist()[0]
        [0.0, 0.0, 1.0, 0.0]
    """
    n = num_qubits
    rho: Complex = np.zeros((members,) + (2,) * (2 * n), dtype=np.complex128)
    rho[(slice(None),) + (0,) * (2 * n)] = 1.0
    for qubits, matrices in steps:
        rows = [n - q for q in reversed(qubits)]
        front = [0, *rows, *(axis + n for axis in rows)]
        order = [*front, *(axis for axis in range(2 * n + 1) if axis not in front)]
        moved = rho.transpose(order)
        flat = moved.reshape(members, matrices.shape[-1], -1)
        back = np.argsort(order)
        rho = (matrices @ flat).reshape(moved.shape).transpose(back)
    size = 2**n
    diagonal = np.einsum("bii->bi", rho.reshape(members, size, size)).real
    return np.ascontiguousarray(diagonal)


def distributions_of(
    members: Sequence[Component], noise: DeviceNoise | None
) -> tuple[Distribution, ...]:
    """Exact distributions of components, those of the same shape together.

    Args:
        members: of one circuit or of several.
        noise: errors after each gate, None for ideal.

    Example:
        >>> from ebit.backends.lower import components, lower
        >>> from ebit.circuits import chsh
        >>> parts = [c for circuit in chsh().circuits for c in components(lower(circuit))]
        >>> [round(float(d.probabilities[0]), 4) for d in distributions_of(parts, None)]
        [0.4268, 0.4268, 0.4268, 0.0732]
    """
    shapes: dict[tuple[Op, ...], list[int]] = {}
    for i, part in enumerate(members):
        shapes.setdefault(_shape(part), []).append(i)
    out: list[Distribution | None] = [None] * len(members)
    for shape, where in shapes.items():
        alike = [members[i] for i in where]
        if len(alike) < _FEW or noise is None or not _simple(shape, alike[0]):
            found = [distribution(part, noise) for part in alike]
        else:
            found = _together(alike, noise)
        for i, one in zip(where, found, strict=True):
            out[i] = one
    return tuple(one for one in out if one is not None)


def expected_of(
    circuits: Sequence[Any], noise: DeviceNoise | None
) -> tuple[tuple[Distribution, ...], ...]:
    """Exact distributions of the components of many circuits.

    Args:
        circuits: on physical qubits where there is noise.
        noise: errors after each gate, None for ideal.
    """
    dt = noise.dt if noise else None
    found = [components(lower(circuit, dt=dt)) for circuit in circuits]
    flat = iter(distributions_of([part for parts in found for part in parts], noise))
    return tuple(tuple(next(flat) for _ in parts) for parts in found)


def _shape(part: Component) -> tuple[Op, ...]:
    qubits = {q: i for i, q in enumerate(part.qubits)}
    bits = {b: i for i, b in enumerate(part.clbits)}
    for op in part.ops:
        for bit in op.clbits:  # a bit that is read but never written
            bits.setdefault(bit, len(bits))
    return renamed(part.ops, qubits, _Default(bits))


class _Default(dict[int, int]):
    """Bits inside conditions get any number: such parts are not evolved together."""

    def __missing__(self, bit: int) -> int:
        self[bit] = len(self)
        return self[bit]


def _simple(shape: tuple[Op, ...], part: Component) -> bool:
    """Whether all measurements stand at the end and nothing depends on them."""
    measured = sum(op.name == "measure" for op in shape)
    return (
        len(part.qubits) <= _WIDEST
        and measured == len(terminal_measurements(shape))
        and all(op.name != "if_else" for op in shape)
    )


def _together(members: Sequence[Component], noise: DeviceNoise) -> list[Distribution]:
    first = members[0]
    place = {q: i for i, q in enumerate(first.qubits)}
    steps: list[Step] = []
    for k, op in enumerate(first.ops):
        if op.name == "measure":
            continue
        made = [superoperator(part.ops[k], noise) for part in members]
        if all(matrix is None for matrix in made):
            continue
        unit = np.eye(4 ** len(op.qubits), dtype=np.complex128)
        matrices = np.stack([unit if m is None else m for m in made])
        steps.append((tuple(place[q] for q in op.qubits), matrices))
    diagonals = evolve_batch(steps, len(first.qubits), len(members))
    return [
        read_out_diagonal(part, [op for op in part.ops if op.name == "measure"], row, noise)
        for part, row in zip(members, diagonals, strict=True)
    ]
