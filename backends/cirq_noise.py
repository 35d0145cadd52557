"""Google's own noise models as lists of superoperators, each computed once.

The model adds to every moment the errors of its gates, and to every qubit the decay of as long as
the moment takes, waiting qubits included. Both depend on nothing but the gate and the length of its
moment, so that they are asked of the model once for every gate on every qubit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import cirq
import numpy as np

from ebit.backends.noise import Complex
from ebit.games import ArgumentError

__all__ = ["MomentNoise"]

Step = tuple[tuple[Any, ...], Complex]
"""Qubits, least significant first, and the superoperator on their density matrix."""

_PHYSICAL = cirq.devices.noise_utils.PHYSICAL_GATE_TAG


class MomentNoise:
    """A noise model of cirq-google, remembered gate by gate.

    Args:
        model: a `cirq_google.NoiseModelFromGoogleNoiseProperties`.

    Raises:
        ArgumentError: the model is made of other parts than decay and errors that follow gates.
    """

    def __init__(self, model: Any) -> None:
        parts = list(model.noise_models)
        self._thermal = [m for m in parts if isinstance(m, cirq.devices.ThermalNoiseModel)]
        insertions = [m for m in parts if isinstance(m, cirq.devices.InsertionNoiseModel)]
        self._errors = [_by_qubits(model) for model in insertions]
        if len(self._thermal) + len(self._errors) < len(parts):
            raise ArgumentError(
                "model must be made of thermal and insertion noise models, but has "
                f"{', '.join(type(m).__name__ for m in parts)}"
            )
        self._virtual = model.is_virtual
        self._lengths = dict(model._noise_properties.gate_times_ns)
        self._gates: dict[tuple[Any, tuple[Any, ...]], tuple[Step, ...]] = {}
        self._decays: dict[tuple[Any, float], tuple[Step, ...]] = {}

    def steps(self, circuit: Any) -> Iterator[Step]:
        """Everything that happens before the readout at the end, in order of time.

        Args:
            circuit: native, with all its measurements in the last moment.
        """
        qubits = sorted(circuit.all_qubits())
        moments = [part for moment in circuit for part in _split(moment, self._virtual)]
        spans = [
            0.0 if all(map(self._virtual, m)) else max(map(self._span, m), default=0.0)
            for m in moments
        ]
        self._learn_gates(op for moment in moments for op in moment)
        self._learn_decays((q, span) for span in spans if span for q in qubits)
        for moment, span in zip(moments, spans, strict=True):
            for op in moment:
                yield from self._gates[op.gate, op.qubits]
            for q in qubits if span else ():
                op = moment.operation_at(q)
                if op is None or not cirq.is_measurement(op):
                    yield from self._decays[q, span]

    def _span(self, op: Any) -> float:
        """Nanoseconds of a gate, looked up as Cirq's thermal noise model does."""
        for kind, span in self._lengths.items():
            if issubclass(type(op.gate), kind):
                return float(span)
        if isinstance(op.gate, cirq.WaitGate):
            return float(op.gate.duration.total_nanos())
        return 0.0

    def _learn_gates(self, operations: Iterable[Any]) -> None:
        """Gates with the errors that follow (or, for a readout, precede) them."""
        for op in operations:
            key = op.gate, op.qubits
            if key in self._gates:
                continue
            moments = [cirq.Moment(op.untagged.with_tags(_PHYSICAL))]
            for errors in () if self._virtual(op) else self._errors:
                # Looked up by qubits first: the model itself tries every entry it has.
                model = errors.get(op.qubits, errors[()])
                moments = [m for old in moments for m in model.noisy_moment(old, ())]
            self._gates[key] = tuple(
                _step(one) for m in moments for one in m if not cirq.is_measurement(one)
            )

    def _learn_decays(self, wanted: Iterable[tuple[Any, float]]) -> None:
        """What happens to a qubit in a moment of some length."""
        todo: dict[float, list[Any]] = {}
        for q, span in dict.fromkeys(wanted):
            if (q, span) not in self._decays:
                todo.setdefault(span, []).append(q)
        for span, qubits in todo.items():
            wait = cirq.WaitGate(cirq.Duration(nanos=span))
            moment = cirq.Moment(wait.on(q).with_tags(_PHYSICAL) for q in qubits)
            found: dict[Any, list[Step]] = {q: [] for q in qubits}
            for model in self._thermal:
                for op in cirq.Circuit(model.noisy_moment(moment, qubits)).all_operations():
                    if not isinstance(op.gate, cirq.WaitGate):
                        found[op.qubits[0]].append(_step(op))
            self._decays.update({(q, span): tuple(steps) for q, steps in found.items()})


def _by_qubits(model: Any) -> dict[tuple[Any, ...], Any]:
    """An insertion noise model for each tuple of qubits, and for all others under ()."""
    entries: dict[tuple[Any, ...], list[Any]] = {(): []}
    for identifier in model.ops_added:
        entries.setdefault(identifier.qubits, [])
    for identifier, added in model.ops_added.items():
        where = [identifier.qubits] if identifier.qubits else list(entries)
        for qubits in where:
            entries[qubits].append((identifier, added))
    return {
        qubits: cirq.devices.InsertionNoiseModel(
            ops_added=dict(found),
            prepend=model.prepend,
            require_physical_tag=model.require_physical_tag,
        )
        for qubits, found in entries.items()
    }


def _step(op: Any) -> Step:
    return tuple(reversed(op.qubits)), superoperator(op.gate)


def _split(moment: Any, virtual: Callable[[Any], bool]) -> list[Any]:
    """Virtual turns first, in a moment that takes no time, as the model has it."""
    turns = [op for op in moment if virtual(op)]
    rest = [op for op in moment if not virtual(op)]
    return [cirq.Moment(ops) for ops in (turns, rest) if ops]


def superoperator(gate: Any) -> Complex:
    """A gate or channel on row-major density matrices, first qubit most significant as in Cirq."""
    total = None
    for kraus in cirq.kraus(gate):
        one = np.kron(kraus, np.conj(kraus))
        total = one if total is None else total + one
    out: Complex = np.asarray(total, dtype=np.complex128)
    out.setflags(write=False)
    return out
