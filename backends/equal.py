"""Comparison of two circuits given as operations on the same logical qubits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from ebit.backends.clifford import observables, outcome_subspace, stabilisers
from ebit.backends.evolve import amplitudes, prepared_state
from ebit.backends.exact import distribution, response
from ebit.backends.lower import Component, Op, components
from ebit.backends.model import Status

TOLERANCE = 1e-9
ORDER: tuple[Status, ...] = ("exact", "stabiliser", "unchecked")

# Sizes up to which a comparison by matrices stays well below a second.
_AMPLITUDES = 14
_MATRICES = 6
_RESPONSES = 4


class Mismatch(Exception):
    """Two circuits differ; the text says in what."""


class Finding(NamedTuple):
    """How far a comparison went, and the largest difference it saw."""

    status: Status
    gap: float = 0.0


def worst(found: Iterable[Finding]) -> Finding:
    """The weakest of several findings, and the largest difference."""
    items = list(found)
    return Finding(
        max((f.status for f in items), key=ORDER.index, default="exact"),
        max((f.gap for f in items), default=0.0),
    )


def compare_outcomes(
    asked: tuple[Op, ...], made: tuple[Op, ...], tolerance: float = TOLERANCE
) -> Finding:
    """Outcome distributions of whole circuits, component by component.

    Raises:
        Mismatch: a distribution differs, or other bits are written.
    """
    return worst(_outcomes(a, b, tolerance) for a, b in matched(asked, made))


def _outcomes(a: Component, b: Component, tolerance: float) -> Finding:
    pure = all(_is_pure(p) for p in (a, b))
    if len(a.qubits) <= (_AMPLITUDES if pure else _MATRICES):
        gap = np.abs(distribution(a, None).probabilities - distribution(b, None).probabilities)
        return _within(gap.max(), f"the outcome distribution of bits {_bits(a)}", tolerance)
    place = {q: j for j, q in enumerate(a.qubits)}
    left, right = outcome_subspace(a.ops, place), outcome_subspace(b.ops, place)
    if left is None or right is None:
        return Finding("unchecked")
    if not np.array_equal(left, right):
        raise Mismatch(f"bits {_bits(a)} have another set of outcomes")
    return Finding("stabiliser")


def compare_measurements(
    asked: tuple[Op, ...], made: tuple[Op, ...], tolerance: float = TOLERANCE
) -> Finding:
    """What two circuit parts measure, whatever state they are given.

    Raises:
        Mismatch: for some input state the outcomes differ.
    """
    return worst(_measurements(a, b, tolerance) for a, b in matched(asked, made))


def _measurements(a: Component, b: Component, tolerance: float) -> Finding:
    if len(a.qubits) <= _RESPONSES:
        gap = np.abs(response(a) - response(b)).max()
        return _within(gap, f"what bits {_bits(a)} measure", tolerance)
    place = {q: j for j, q in enumerate(a.qubits)}
    left, right = observables(a.ops, place), observables(b.ops, place)
    if left is None or right is None:
        return Finding("unchecked")
    if left != right:
        bit = min(c for c in left if left[c] != right.get(c))
        raise Mismatch(f"bit {bit} measures {right.get(bit)} instead of {left[bit]}")
    return Finding("stabiliser")


def compare_states(
    asked: tuple[Op, ...],
    made: tuple[Op, ...],
    num_qubits: int,
    tolerance: float = TOLERANCE,
) -> Finding:
    """The states two preparations make from |0...0>, up to a global phase.

    Raises:
        Mismatch: the states differ.
    """
    found = []
    for block in _blocks((*asked, *made), num_qubits):
        a, b = ([op for op in ops if set(op.qubits) <= set(block)] for ops in (asked, made))
        found.append(_states(a, b, block, tolerance))
    return worst(found)


def _states(a: Sequence[Op], b: Sequence[Op], qubits: Sequence[int], tolerance: float) -> Finding:
    unitary = all(op.name not in ("measure", "reset", "if_else") for op in (*a, *b))
    what = f"the state of logical qubits {','.join(map(str, qubits))} before the barrier"
    if unitary and len(qubits) <= _AMPLITUDES:
        left, right = amplitudes(a, qubits), amplitudes(b, qubits)
        overlap = complex(np.vdot(right, left))
        phase = overlap / abs(overlap) if abs(overlap) > 0.5 else 1.0
        return _within(np.abs(left - phase * right).max(), what, tolerance)
    if len(qubits) <= _MATRICES:
        gap = np.abs(prepared_state(a, qubits) - prepared_state(b, qubits)).max()
        return _within(gap, what, tolerance)
    place = {q: i for i, q in enumerate(qubits)}
    generators = stabilisers(a, place), stabilisers(b, place)
    if None in generators:
        return Finding("unchecked")
    if generators[0] != generators[1]:
        raise Mismatch(f"{what} has other stabilisers")
    return Finding("stabiliser")


def _within(gap: float, what: str, tolerance: float) -> Finding:
    if not gap <= tolerance:
        raise Mismatch(f"{what} differs by {gap:.3g}")
    return Finding("exact", float(gap))


def _is_pure(part: Component) -> bool:
    """Unitary, with measurements at the end only."""
    if any(op.name in ("reset", "if_else") for op in part.ops):
        return False
    ended: set[int] = set()
    for op in part.ops:
        if ended & set(op.qubits):
            return False
        if op.name == "measure":
            ended.add(op.qubits[0])
    return True


def _blocks(ops: Sequence[Op], num_qubits: int) -> list[tuple[int, ...]]:
    """Qubits grouped by the operations that join them, untouched qubits left out."""
    groups: list[set[int]] = [{q} for q in range(num_qubits)]
    for op in ops:
        hit = [g for g in groups if g & set(op.qubits)]
        if len(hit) > 1:
            groups = [g for g in groups if g not in hit] + [set().union(*hit)]
    touched = {q for op in ops for q in op.qubits}
    return [tuple(sorted(g)) for g in groups if g & touched]


def matched(asked: tuple[Op, ...], made: tuple[Op, ...]) -> list[tuple[Component, Component]]:
    """Components of both circuits, merged until they write the same bits on the same qubits.

    Raises:
        Mismatch: the circuits write different classical bits.
    """
    left, right = list(components(asked)), list(components(made))
    bits = [sorted(c for part in side for c in part.clbits) for side in (left, right)]
    if bits[0] != bits[1]:
        raise Mismatch(f"it writes the classical bits {bits[1]} instead of {bits[0]}")
    groups: list[set[int]] = []
    for part in (*left, *right):
        hit = [g for g in groups if g & set(part.clbits)]
        groups = [g for g in groups if g not in hit] + [set(part.clbits).union(*hit)]
    out = []
    for group in sorted(groups, key=min):
        pair = [[p for p in side if set(p.clbits) <= group] for side in (left, right)]
        qubits = tuple(sorted({q for side in pair for p in side for q in p.qubits}))
        a, b = (
            Component(qubits, tuple(sorted(group)), tuple(op for p in side for op in p.ops))
            for side in pair
        )
        out.append((a, b))
    return out


def _bits(part: Component) -> str:
    return ",".join(map(str, part.clbits))
