"""Checks that circuits compiled for a Google processor are what was asked, before anything runs.

The same comparison as for every other compiler (`ebit.backends.guard`): native circuits are read as
operations on logical qubits. Readouts may have moved to the end (deferred measurement): whatever
state is given, the outcomes are then the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cirq

from ebit.backends.cirq_device import Chip
from ebit.backends.cirq_lower import lower_cirq
from ebit.backends.equal import Mismatch, worst
from ebit.backends.guard import WORDS, compare_parts, cut_at_barrier
from ebit.backends.lower import Op
from ebit.backends.model import GuardReport
from ebit.circuits import PREPARED
from ebit.games import ArgumentError, GuardError

if TYPE_CHECKING:
    from ebit.circuits.program import Program

__all__ = ["TOLERANCE", "guard_native"]

# Cirq's decompositions stop at 1e-8, and Google's protocol rounds angles to single precision.
TOLERANCE = 1e-6


def guard_native(
    experiment: Program,
    compiled: Sequence[Any],
    qubits: Sequence[int],
    chip: Chip,
    *,
    tolerance: float = TOLERANCE,
) -> GuardReport:
    """Compare native Cirq circuits with the experiment's.

    Args:
        experiment: what was asked.
        compiled: one circuit per circuit of the experiment, on grid qubits.
        qubits: physical qubit of each logical one.
        chip: the processor, which has to accept every circuit.
        tolerance: largest difference of a matrix element.

    Raises:
        GuardError: a circuit is not what was asked; the text names it and what is wrong.

    Example:
        >>> from ebit.backends.cirq_compile import native_circuits
        >>> from ebit.backends.cirq_device import virtual_chip
        >>> from ebit.circuits import chsh
        >>> chip, test = virtual_chip("willow_pink"), chsh()
        >>> guard_native(test, native_circuits(test, chip, (0, 1))[0], (0, 1), chip).status
        'exact'
    """
    if len(compiled) != len(experiment.circuits):
        raise GuardError(
            f"compiling {experiment.name!r} gave {len(compiled)} circuits instead of "
            f"{len(experiment.circuits)}"
        )
    logical = {chip.grid[q]: i for i, q in enumerate(qubits)}
    pairs = {frozenset(pair) for pair in experiment.couplings}
    found = []
    for source, native in zip(experiment.circuits, compiled, strict=True):
        try:
            chip.device.validate_circuit(native)
            made = _native(native, logical, pairs)
            asked = cut_at_barrier(source, range(len(qubits)))
            if len(asked) != len(made):
                raise Mismatch(
                    f"it has {len(made) - 1} labelled boundaries instead of {len(asked) - 1}"
                )
            found += list(compare_parts(asked, made, tolerance=tolerance))
        except (Mismatch, ArgumentError, ValueError) as wrong:
            raise GuardError(
                f"compiled circuit {source.name!r} is not what was asked: {' '.join(str(wrong).split())}"
            ) from None
    total = worst(found)
    return GuardReport(total.status, total.gap, WORDS[total.status])


def _native(
    circuit: Any, logical: dict[Any, int], pairs: set[frozenset[int]]
) -> list[tuple[Op, ...]]:
    """Operations before and after the labelled boundary, on logical qubits."""
    sides: list[list[Any]] = [[], []]
    after = False
    for moment in circuit:
        tagged = [PREPARED in op.tags for op in moment]
        if any(tagged) and not all(tagged):
            raise Mismatch("a moment has operations from both sides of the labelled boundary")
        if after and not all(tagged):
            raise Mismatch("an operation without the label stands behind the labelled boundary")
        after = after or any(tagged)
        sides[after] += list(moment)
    if not sides[0] and not sides[1]:
        raise Mismatch("it is empty")
    for op in (*sides[0], *sides[1]):
        stranger = [q for q in op.qubits if q not in logical]
        if stranger:
            raise Mismatch(f"{op.gate} on {stranger[0]} touches a qubit that was not asked for")
        where = frozenset(logical[q] for q in op.qubits)
        if len(where) > 1 and where not in pairs:
            names = ",".join(str(q) for q in op.qubits)
            raise Mismatch(f"{op.gate} on {names} joins a pair that was not asked for")
    parts = [lower_cirq(side, logical) for side in sides]
    if any(op.name == "measure" for op in parts[0]) and after:
        raise Mismatch("a qubit is read before the labelled boundary")
    read = [op for side in sides for op in side if cirq.is_measurement(op)]
    if len({cirq.measurement_key_name(op) for op in read}) < len(read):
        raise Mismatch("a bit is read twice")
    return parts if after else [tuple(parts[0])]
