"""What compiled circuits say of themselves, in Qiskit's form or in Cirq's, for the contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ebit.circuits import PREPARED

__all__ = ["Form", "form_of"]


class Form(NamedTuple):
    """What a compiled circuit does, as far as it can be read off.

    Args:
        reads: physical qubit that each classical bit reads.
        touched: physical qubits that anything acts on.
        parted: whether whatever entangles comes before the labelled barrier, and whatever
            measures after it.
    """

    reads: dict[int, int]
    touched: frozenset[int]
    parted: bool


def form_of(circuit: Any, labels: Sequence[str] = ()) -> Form | None:
    """Return the form of a circuit of Qiskit or of Cirq, None for any other.

    Args:
        circuit: on physical qubits.
        labels: the provider's name of each qubit, for circuits of Cirq on grid qubits.

    Example:
        >>> from ebit.circuits import chsh
        >>> form_of(chsh().circuits[0])
        Form(reads={0: 0, 1: 1}, touched=frozenset({0, 1}), parted=True)
    """
    from qiskit import QuantumCircuit

    if isinstance(circuit, QuantumCircuit):
        return _of_qiskit(circuit)
    # Only whoever compiled it has imported Cirq.
    if type(circuit).__module__.partition(".")[0] == "cirq":
        return _of_cirq(circuit, labels)
    return None


def _of_qiskit(circuit: Any) -> Form:
    reads, touched = {}, set()
    barriers, joins, measures = [], [], []
    for i, item in enumerate(circuit.data):
        where = [circuit.find_bit(qubit).index for qubit in item.qubits]
        if item.operation.name == "barrier":
            barriers += [i] if item.operation.label == PREPARED else []
            continue
        touched.update(where)
        if item.operation.name == "measure":
            reads[circuit.find_bit(item.clbits[0]).index] = where[0]
            measures.append(i)
        elif len(where) > 1:
            joins.append(i)
    return Form(reads, frozenset(touched), _parted(barriers, joins, measures))


def _of_cirq(circuit: Any, labels: Sequence[str]) -> Form:
    import cirq

    numbers = {label: i for i, label in enumerate(labels)}
    reads, touched = {}, set()
    tagged, joins, measures = [], [], []
    for i, moment in enumerate(circuit):
        for operation in moment:
            where = [_number(qubit, numbers) for qubit in operation.qubits]
            touched.update(where)
            tagged += [i] if PREPARED in operation.tags else []
            if cirq.is_measurement(operation):
                reads[int(cirq.measurement_key_name(operation).removeprefix("c"))] = where[0]
                measures.append(i)
            elif len(where) > 1:
                joins.append(i)
    # Cirq has no barrier: the first moment that carries the label begins what follows it.
    return Form(
        reads, frozenset(touched), _parted([min(tagged) - 0.5] if tagged else [], joins, measures)
    )


def _number(qubit: Any, numbers: dict[str, int]) -> int:
    if hasattr(qubit, "x"):
        return int(qubit.x)
    name = f"{qubit.row}_{qubit.col}" if hasattr(qubit, "row") else str(qubit)
    return numbers.get(name, -1)


def _parted(barriers: Sequence[float], joins: Sequence[int], measures: Sequence[int]) -> bool:
    if len(barriers) != 1 or not joins or not measures:
        return False
    return max(joins) < barriers[0] < min(measures)
