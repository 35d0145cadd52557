"""The corrected value of a run that measured its own readout errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ebit.analysis.corrected import Corrected, correct_readout

if TYPE_CHECKING:
    from ebit.circuits import Experiment
    from ebit.games import Shots

__all__ = ["corrected_of"]


def corrected_of(experiment: Experiment, shots: Shots) -> Corrected | None:
    """Return the value of a run corrected by the readout errors that it measured itself.

    Returns:
        None where the experiment has no circuits that measure them.
    """
    known = [i for i, readout in enumerate(experiment.readouts) if readout is None]
    if len(known) != 2:
        return None
    game = experiment.game
    played = [i for i, readout in enumerate(experiment.readouts) if readout is not None]
    tables = [_table(shots, i) for i in played]
    ones = np.array([shots.bits(i).sum(axis=0, dtype=np.int64) for i in known])

    def value(frequencies: Sequence[Any]) -> tuple[float, float | None]:
        whole: list[Any] = [np.zeros(1)] * len(experiment.circuits)
        for i, table in zip(played, frequencies, strict=True):
            whole[i] = table
        behaviour = experiment.behaviour(whole, quasi=True)
        return game.value(behaviour), game.bell_value(behaviour) if game.is_parity else None

    reads = [_reads(experiment.circuits[i]) for i in played]
    return correct_readout(tables, reads, ones, shots.counts[known[0]], value)


def _table(shots: Shots, circuit: int) -> Any:
    width = shots.widths[circuit]
    weights = 1 << np.arange(width, dtype=np.int64)
    return np.bincount(shots.bits(circuit) @ weights, minlength=1 << width)


def _reads(circuit: Any) -> list[int]:
    """The qubit that each classical bit reads."""
    found: dict[int, int] = {}
    for item in circuit.data:
        if item.operation.name == "measure":
            bit, qubit = (
                circuit.find_bit(item.clbits[0]).index,
                circuit.find_bit(item.qubits[0]).index,
            )
            found[bit] = qubit
    return [found[bit] for bit in range(circuit.num_clbits)]
