"""Exact distributions by deferred measurement: every bit is a further qubit, nothing is sampled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector

from ebit.circuits import PREPARED, Experiment

Floats = npt.NDArray[np.float64]


def distribution_of(circuit: QuantumCircuit, start: npt.ArrayLike | None = None) -> Floats:
    """Return 2**clbits probabilities; with a start, what follows the labelled barrier acts on it."""
    n, m = circuit.num_qubits, circuit.num_clbits
    where = {bit: i for i, bit in enumerate(circuit.qubits)}
    bits = {bit: n + i for i, bit in enumerate(circuit.clbits)}
    wide = QuantumCircuit(n + m)
    for instruction in circuit.data:
        operation = instruction.operation
        on = [where[q] for q in instruction.qubits]
        if operation.name == "barrier":
            if operation.label == PREPARED and start is not None:
                wide = QuantumCircuit(n + m)
        elif operation.name == "measure":
            wide.cx(on[0], bits[instruction.clbits[0]])
        elif operation.name == "if_else":
            bit, value = operation.condition
            for block, wanted in zip(operation.params, (value, 1 - value), strict=False):
                for inner in block.data if block else ():
                    inside = [on[block.find_bit(q).index] for q in inner.qubits]
                    gate = inner.operation.control(1, ctrl_state=int(wanted))
                    wide.append(gate, [bits[bit], *inside])
        else:
            wide.append(operation, on)
    if start is None:
        final = Statevector(wide)
    else:
        zero = np.zeros(1 << m)
        zero[0] = 1
        final = Statevector(np.kron(zero, np.asarray(start))).evolve(wide)
    return np.asarray(final.probabilities(range(n, n + m)), dtype=np.float64)


def behaviour_of(experiment: Experiment, start: npt.ArrayLike | None = None) -> Floats:
    return experiment.behaviour([distribution_of(c, start) for c in experiment.circuits])


@pytest.fixture(scope="session")
def exact_distribution() -> Callable[..., Any]:
    return distribution_of


@pytest.fixture(scope="session")
def exact_behaviour() -> Callable[..., Any]:
    return behaviour_of
