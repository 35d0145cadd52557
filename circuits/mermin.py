"""Mermin's test of GHZ states as circuits: one circuit per question."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ebit import games
from ebit.circuits.experiment import Experiment, Readout
from ebit.circuits.ghz_states import GhzLayout, ghz
from ebit.circuits.layout import measure_paulis, one_qubit_each, party_names, prepared


def mermin_ghz(n: int = 3, *, layout: GhzLayout = "chain") -> Experiment:
    """Build Mermin's test on a GHZ state: every party measures X (setting 0) or Y (setting 1).

    With k parties asked for Y, k even, the product of the outcomes is (-1)^(k/2), always.
    Qubit j belongs to party j, and bit j is its outcome.

    Args:
        n: number of parties, 3 or more.
        layout: how the state is made: ``chain``, ``tree``, or coupled pairs of qubits.

    Returns:
        An experiment of 2^(n-1) circuits on the game ``ebit.games.mermin_ghz(n)``.

    Raises:
        ArgumentError: for n out of range or a layout that cannot be used.

    Example:
        >>> test = mermin_ghz(3)
        >>> test.game.value(test.ideal), len(test.circuits)
        (1.0, 4)

    Source:
        N. D. Mermin, PRL 65, 1838 (1990).
    """
    game = games.mermin_ghz(n)
    state = ghz(n, layout=layout)
    circuits = []
    for question in game.questions.tolist():
        paulis = "".join("XY"[setting] for setting in question)
        circuit = prepared(state, n, name=f"mermin {paulis}")
        measure_paulis(circuit, paulis)
        circuits.append(circuit)
    return Experiment(
        name=game.name,
        game=game,
        circuits=tuple(circuits),
        readouts=tuple(Readout(q, ((),) * n, one_qubit_each(n)) for q in range(len(circuits))),
        parties=one_qubit_each(n),
        roles=party_names(n),
        ideal=_ideal(game),
        details={"state": f"ghz-{n}"},
    )


def _ideal(game: games.Game) -> npt.NDArray[np.float64]:
    """Return (1 + (-1)^(k/2) (-1)^parity) / 2^n: a GHZ state hides every smaller correlation."""
    answers = np.indices(game.outcomes).reshape(game.n_parties, -1)
    parity = 1.0 - 2.0 * (answers.sum(axis=0) % 2)
    value = 1.0 - (game.questions.sum(axis=1, dtype=np.int64) % 4)
    table = (1 + np.outer(value, parity)) / 2**game.n_parties
    return np.asarray(table.reshape(game.n_questions, *game.outcomes), dtype=np.float64)
