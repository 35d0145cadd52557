"""An experiment with certain outcomes: whatever comes out in another order is seen at once."""

from __future__ import annotations

from ebit.circuits import Experiment, Readout
from ebit.circuits.layout import PREPARED, blank
from ebit.games import chsh


def certain(bits: str) -> Experiment:
    """Circuits of two qubits: bit j of circuit i is ``bits.split()[i][j]``."""
    circuits = []
    for i, (a, b) in enumerate(bits.split()):
        circuit = blank(2, 2, name=f"certain {i}")
        if a == "1":
            circuit.x(0)
        if b == "1":
            circuit.x(1)
        circuit.barrier(label=PREPARED)
        circuit.measure([0, 1], [0, 1])
        circuits.append(circuit)
    readouts = tuple(Readout(q, ((), ()), ((0,), (1,))) for q in range(len(circuits)))
    return Experiment("certain", chsh(), tuple(circuits), readouts, ((0,), (1,)), ("A", "B"))
