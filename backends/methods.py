"""Which way of simulating a component is cheapest, from measured costs.

The constants are seconds on one core of a 2020s laptop; only their ratios matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ebit.backends.clifford import to_stim
from ebit.backends.exact import terminal_measurements
from ebit.backends.lower import Component, Op, written
from ebit.backends.noise import DeviceNoise
from ebit.games import ArgumentError

EXACT = "exact"
DENSITY = "density_matrix"
STIM = "stim"
STATEVECTOR = "statevector"
MPS = "matrix_product_state"

WORDS = {
    EXACT: "exact distribution computed once, shots drawn by numpy",
    DENSITY: "Aer density matrix once, shots drawn by numpy",
    STIM: "stim stabiliser sampling",
    STATEVECTOR: "Aer statevector",
    MPS: "Aer matrix product state",
}

_MAX_MIXED = 2**22  # entries of all density matrices together (64 MB)
_MAX_PURE = 18  # qubits by amplitudes in numpy
_MAX_BITS = 20  # classical bits of one component
_MAX_DENSITY = 13  # qubits of Aer's density matrix (1 GB)
_MAX_AMPLITUDES = 26  # qubits of Aer's state vector (1 GB)
_MAX_BOND = 2**9
_CHEAP = 0.1  # below this no other simulator is worth importing


@dataclass(frozen=True)
class Plan:
    """How one component will be simulated.

    Args:
        method: one of `WORDS`.
        seconds: estimated time, drawing included.
    """

    method: str
    seconds: float


def plan(part: Component, noise: DeviceNoise | None, shots: int) -> Plan:
    """The cheapest method that can simulate a component.

    Args:
        part: the component.
        noise: device noise, None for ideal.
        shots: shots that will be taken.

    Raises:
        ArgumentError: no method can.
    """
    n, ops = len(part.qubits), _count(part.ops)
    ends = terminal_measurements(part.ops)
    body = [op for i, op in enumerate(part.ops) if i not in ends]
    middle = _middle_bits(body)
    straight = all(op.name not in ("measure", "reset", "if_else") for op in body)
    pure = noise is None and straight
    drawing = 2e-8 * shots
    found: list[Plan] = []
    if pure and n <= _MAX_PURE and len(part.clbits) <= _MAX_BITS:
        found.append(Plan(EXACT, drawing + ops * (1e-5 + 5e-9 * 2**n)))
    # Records are integers, and the result has 2^bits entries.
    if not pure and len(part.clbits) <= _MAX_BITS and 4**n * 2**middle <= _MAX_MIXED:
        found.append(Plan(EXACT, drawing + ops * (2.5e-5 + 8e-9 * 4**n * 2**middle)))
    if found and found[0].seconds < _CHEAP:
        return found[0]
    if noise is not None and straight and n <= _MAX_DENSITY:
        found.append(Plan(DENSITY, 0.6 + drawing + ops * (1e-4 + 6e-9 * 4**n)))
    if noise is None and n > 1 and to_stim(part.ops, {q: i for i, q in enumerate(part.qubits)}):
        found.append(Plan(STIM, 0.05 + 4e-9 * ops * shots))
    if n <= _MAX_AMPLITUDES:
        once = ops * 2e-9 * 2**n + shots * (4e-6 + 5e-12 * 2**n)
        each = shots * ops * (5e-6 + 1.5e-8 * 2**n)
        found.append(Plan(STATEVECTOR, 0.5 + (once if pure else each)))
    bond = bond_bound(part)
    if bond <= _MAX_BOND:
        step = 2e-5 * (1 + (bond / 8) ** 3)
        once = ops * 5 * step + shots * n * 4e-6 * (1 + (bond / 16) ** 2)
        found.append(Plan(MPS, 0.5 + (once if pure else shots * ops * step)))
    if not found:
        raise ArgumentError(
            f"no simulator can run a connected part of {n} qubits with {ops} operations"
            f"{' under noise' if noise else ''}: take fewer qubits or less entanglement"
        )
    return min(found, key=lambda p: p.seconds)


def bond_bound(part: Component) -> int:
    """Bound on the bond dimension along the chain of qubits, from the gates that cross each cut."""
    place = {q: i for i, q in enumerate(part.qubits)}
    n = len(part.qubits)
    crossing = [0] * max(n - 1, 1)
    stack = list(part.ops)
    while stack:
        op = stack.pop()
        stack += [*op.then, *op.otherwise]
        if op.name not in ("measure", "reset", "delay", "if_else") and len(op.qubits) == 2:
            low, high = sorted(place[q] for q in op.qubits)
            for cut in range(low, high):
                crossing[cut] += 2 if op.name == "swap" else 1
    exponent = max(min(c, i + 1, n - 1 - i) for i, c in enumerate(crossing)) if n > 1 else 0
    return int(2 ** min(exponent, 62))


def _count(ops: Sequence[Op]) -> int:
    return sum(1 + _count(op.then) + _count(op.otherwise) for op in ops)


def _middle_bits(body: Sequence[Op]) -> int:
    return len(set(written(body)))
