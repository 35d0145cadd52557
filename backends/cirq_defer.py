"""Circuits whose measurements all come last, for processors without feed-forward.

A measured qubit that later acts only as a control has the same statistics when it is measured at
the end, and a gate conditioned on its bit is then the gate controlled by the qubit itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cirq
import numpy as np

from ebit.backends.cirq_lower import bit_of_key
from ebit.circuits.cirq_map import Piece
from ebit.games import ArgumentError

LATE = (
    "coins are read at the end of the circuit (deferred measurement): settings and outcomes come "
    "from one simultaneous readout"
)
CONTROLLED = (
    "gates conditioned on a bit are done as gates controlled by its qubit (deferred measurement): "
    "the device has no feed-forward"
)


@dataclass(frozen=True)
class Deferred:
    """A circuit in two parts: unitary pieces, then all measurements at once.

    Args:
        pieces: operations between barriers, measurements taken out.
        measured: classical bit and qubit of every measurement, in order.
        tag: what the measurements are tagged with.
        assumptions: what deferring took for granted, empty where nothing was deferred.
    """

    pieces: tuple[Piece, ...]
    measured: tuple[tuple[int, Any], ...]
    tag: str | None
    assumptions: tuple[str, ...]


def defer(pieces: Sequence[Piece], name: str) -> Deferred:
    """Move every measurement to the end.

    Args:
        pieces: what `ebit.circuits.cirq_map.pieces` returned.
        name: of the circuit, for people.

    Raises:
        ArgumentError: a measured qubit is used again other than as a control.

    Example:
        >>> from ebit.circuits import chsh
        >>> from ebit.circuits.cirq_map import pieces
        >>> [coins] = chsh(settings="per-shot").circuits
        >>> late = defer(pieces(coins), coins.name)
        >>> len(late.measured), len(late.assumptions)
        (4, 1)
    """
    read: dict[Any, int] = {}
    owner: dict[int, Any] = {}
    found: dict[str, None] = {}
    out = []
    for piece in pieces:
        kept = []
        for operation in piece.operations:
            if cirq.is_measurement(operation):
                (qubit,) = operation.qubits
                if qubit in read:
                    raise ArgumentError(_reused(name, qubit))
                bit = bit_of_key(cirq.measurement_key_name(operation))
                read[qubit], owner[bit] = bit, qubit
                continue
            if operation.classical_controls:
                operation = _quantum_control(operation, owner)
                found[LATE] = found[CONTROLLED] = None
            for position, qubit in enumerate(operation.qubits):
                if qubit in read:
                    if not _only_controls(operation.gate, position):
                        raise ArgumentError(_reused(name, qubit))
                    if len(operation.qubits) > 1:
                        found[LATE] = None
            kept.append(operation)
        out.append(Piece(piece.tag, tuple(kept)))
    measured = tuple((bit, qubit) for qubit, bit in read.items())
    return Deferred(tuple(out), measured, pieces[-1].tag, tuple(found))


def _quantum_control(operation: Any, owner: dict[int, Any]) -> Any:
    (test,) = operation.classical_controls
    wanted = 1
    if isinstance(test, cirq.BitMaskKeyCondition):
        wanted = int(test.target_value)
    control = owner[bit_of_key(test.keys[0].name)]
    inner = operation.without_classical_controls().untagged
    controlled = inner.controlled_by(control, control_values=[wanted])
    return controlled.with_tags(*operation.tags)


def _reused(name: str, qubit: Any) -> str:
    return (
        f"circuit {name!r} must use a measured qubit only as a control, because Google's devices "
        f"measure at the end alone, but uses qubit {qubit.x} otherwise after measuring it"
    )


@lru_cache(maxsize=1024)
def _only_controls(gate: Any, position: int) -> bool:
    """Whether a gate leaves the computational basis of one of its qubits alone."""
    if not cirq.has_unitary(gate):
        return False
    n = cirq.num_qubits(gate)
    cube = np.moveaxis(cirq.unitary(gate).reshape((2,) * (2 * n)), (position, n + position), (0, 1))
    return bool(max(np.abs(cube[0, 1]).max(), np.abs(cube[1, 0]).max()) < 1e-9)
