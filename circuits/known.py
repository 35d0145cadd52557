"""Circuits that prepare a known state, so that readout errors are measured in the same job."""

from __future__ import annotations

from dataclasses import replace

from ebit.circuits.experiment import Experiment
from ebit.circuits.layout import blank, prepared

__all__ = ["with_readout"]


def with_readout(experiment: Experiment) -> Experiment:
    """Add two circuits that prepare all qubits in 0 and all in 1, and measure each.

    They take as many shots as an average circuit of the experiment, play no round, and change no
    score: `ebit.protocols.readout` shows a corrected value beside the raw one.

    Bit j of each reads qubit j.

    Example:
        >>> from ebit.circuits import chsh
        >>> test = with_readout(chsh())
        >>> [c.name for c in test.circuits[4:]], test.readouts[4:]
        (['readout of 0', 'readout of 1'], (None, None))
    """
    n = experiment.num_qubits
    made = []
    for value in (0, 1):
        state = blank(n)
        if value:
            state.x(range(n))
        circuit = prepared(state, n, name=f"readout of {value}")
        circuit.measure(range(n), range(n))
        made.append(circuit)
    mean = sum(experiment.weights) / len(experiment.weights)
    return replace(
        experiment,
        name=f"{experiment.name}:readout",
        circuits=(*experiment.circuits, *made),
        readouts=(*experiment.readouts, None, None),
        weights=(*experiment.weights, mean, mean),
    )
