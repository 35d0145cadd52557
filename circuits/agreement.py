"""Do the bases agree? Both halves of a Bell pair measured in the same basis."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ebit import games
from ebit.circuits.experiment import Experiment, Readout
from ebit.circuits.layout import measure_paulis, prepared
from ebit.circuits.states import bell


def bases_agree(bases: Literal["XZ", "XYZ"] = "XYZ", *, state: str = "phi+") -> Experiment:
    """Build the agreement test of a Bell state on q0 = Alice, q1 = Bob.

    Both measure the same letter of ``bases``; setting j is its j-th letter. Outcomes agree or
    differ by the state: phi+ differs in Y, phi- in X, psi+ in Z, psi- in all three; the game
    counts what the state should do as a win. Bits: c0 = a, c1 = b.

    Args:
        bases: ``XZ`` or ``XYZ``.
        state: ``phi+``, ``phi-``, ``psi+`` or ``psi-``.

    Returns:
        An experiment of one circuit per basis on ``ebit.games.bases_agree(bases, state=state)``.

    Example:
        >>> test = bases_agree("XYZ", state="psi-")
        >>> test.game.value(test.ideal)
        1.0
    """
    game = games.bases_agree(bases, state=state)
    circuits = []
    for letter in bases:
        circuit = prepared(bell(state), 2, name=f"agree {letter}{letter}")
        measure_paulis(circuit, 2 * letter)
        circuits.append(circuit)
    # Each outcome alone is a fair coin, so winning answers share the probability equally.
    return Experiment(
        name=f"bases-agree-{bases.lower()}:{state}",
        game=game,
        circuits=tuple(circuits),
        readouts=tuple(Readout(q, ((), ()), ((0,), (1,))) for q in range(len(bases))),
        parties=((0,), (1,)),
        roles=("A", "B"),
        ideal=np.asarray(game.table() / 2, dtype=np.float64),
        details={"state": state},
    )
