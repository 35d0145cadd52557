"""What a run on IBM's processors takes, from the published cost model.

A job costs about two seconds of its own and, for every shot of every circuit, the repetition delay
and the length of the circuit (IBM's guide "Workload usage").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ebit.backends.calibration import Calibration
from ebit.backends.ibm_parts import Part

__all__ = ["circuit_seconds", "quantum_seconds"]

JOB_SECONDS = 2.0
REP_DELAY = 250e-6  # where the configuration gives none


def quantum_seconds(parts: Sequence[Part], lengths: Sequence[float], rep_delay: float) -> float:
    """Seconds of quantum time that the jobs of a run are billed for, about.

    sum over jobs of [2 s + shots x sum over circuits of (repetition delay + length)].

    Args:
        parts: the jobs.
        lengths: seconds that each circuit of the run takes.
        rep_delay: seconds between two shots.

    Example:
        >>> round(quantum_seconds([Part((0, 1), 1000)], (2e-6, 4e-6), 250e-6), 3)
        2.506
    """
    return sum(
        JOB_SECONDS + part.shots * sum(rep_delay + lengths[i] for i in part.circuits)
        for part in parts
    )


def circuit_seconds(circuit: Any, calibration: Calibration) -> float:
    """Seconds that a native circuit takes: its longest chain of gates that wait for each other.

    As soon as possible and as late as possible give the same length. What the calibration gives
    no length for (frame changes, conditions) counts nothing.

    Args:
        circuit: on physical qubits.
        calibration: the processor.
    """
    free: dict[Any, float] = {}
    return _run(circuit, {q: i for i, q in enumerate(circuit.qubits)}, calibration, free)


def _run(
    circuit: Any, index: dict[Any, int], calibration: Calibration, free: dict[Any, float]
) -> float:
    """Plays a circuit; `free` holds when each qubit and classical bit is free again."""
    names = {q: ("q", index[q]) for q in circuit.qubits}
    for item in circuit.data:
        operation = item.operation
        used: list[Any] = [names[q] for q in item.qubits]
        used += [("c", circuit.find_bit(c).index) for c in item.clbits]
        begin = max((free.get(u, 0.0) for u in used), default=0.0)
        if operation.name == "if_else":
            end = begin
            for block in operation.blocks:
                inner = {b: index[q] for b, q in zip(block.qubits, item.qubits, strict=True)}
                end = max(end, begin + _run(block, inner, calibration, {}))
        else:
            where = tuple(index[q] for q in item.qubits)
            end = begin + _seconds(operation, where, calibration)
        for u in used:
            free[u] = end
    return max(free.values(), default=0.0)


def _seconds(operation: Any, where: tuple[int, ...], calibration: Calibration) -> float:
    name = operation.name
    if name == "barrier":
        return 0.0
    if name == "measure":
        read = calibration.readout[where[0]]
        return (read.duration if read is not None else None) or 0.0
    if name == "delay":
        unit = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12}.get(operation.unit)
        return float(operation.params[0]) * (unit or calibration.dt or 0.0)
    data = calibration.gates.get(name, {}).get(where)
    return (data.duration if data is not None else None) or 0.0
