"""A calibration out of a Qiskit `Target`, whoever made it."""

from __future__ import annotations

from typing import Any

from qiskit.circuit import Gate

from ebit.backends.calibration import Calibration, GateData, ReadoutData


def from_target(name: str, target: Any, properties: Any, *, date: str, source: str) -> Calibration:
    """A calibration out of a Qiskit `Target` and, where there are any, backend properties.

    The target gives gates, lengths, T1 and T2; the properties give the two assignment errors of
    each qubit, which the target merges into one. Errors that are not reported count as 0.
    """
    n = target.num_qubits
    physical = target.qubit_properties or [None] * n
    gates: dict[str, dict[tuple[int, ...], GateData]] = {}
    for op in target.operation_names:
        operation, table = target.operation_from_name(op), target[op]
        # `measure_2` and the like are variants that circuits here never use.
        if not (op == "reset" or isinstance(operation, Gate)) or None in table:
            continue
        gates[op] = {
            tuple(q): GateData(None, None) if p is None else GateData(p.error, p.duration)
            for q, p in sorted(table.items())
        }
    measure = target["measure"]
    return Calibration(
        name=name,
        date=date,
        source=source,
        num_qubits=n,
        dt=target.dt,
        t1=tuple(None if p is None else p.t1 for p in physical),
        t2=tuple(None if p is None else p.t2 for p in physical),
        readout=tuple(_readout(measure, properties, q) for q in range(n)),
        gates=gates,
    )


def _readout(measure: Any, properties: Any, qubit: int) -> ReadoutData | None:
    if (qubit,) not in measure and None not in measure:
        return None
    entry = measure.get((qubit,))
    error = (entry.error if entry is not None else None) or 0.0
    duration = entry.duration if entry is not None else None
    values: dict[str, float] = {}
    if properties is not None:
        values = {item.name: item.value for item in properties.qubits[qubit]}
    p10 = values.get("prob_meas1_prep0", error)
    p01 = values.get("prob_meas0_prep1", error)
    return ReadoutData(error, p10, p01, duration)
