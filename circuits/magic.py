"""The magic square as circuits: two Bell pairs, nine questions."""

from __future__ import annotations

import numpy as np
from qiskit import QuantumCircuit

from ebit import games
from ebit.circuits.experiment import Experiment, Readout
from ebit.circuits.layout import blank, prepared


def magic_square() -> Experiment:
    """Build the magic square test on two Bell pairs, Alice's q0, q1 and Bob's q2, q3.

    The pairs are q0-q2 and q1-q3, each in phi+. Cells, the first letter on a party's first qubit:

    ======  ======  =====
    I Z     Z I     Z Z
    X I     I X     X X
    -X Z    -Z X    Y Y
    ======  ======  =====

    Rows multiply to +1 and columns to -1, and phi+ correlates each cell perfectly with itself.
    Alice measures the first two cells of row x into c0, c1, Bob those of column y into c2, c3;
    an outcome is 2 * (first bit) + (second bit), as ``ebit.games.magic_square`` has it.

    Returns:
        An experiment of nine circuits on the game ``ebit.games.magic_square()``.

    Example:
        >>> test = magic_square()
        >>> round(test.game.value(test.ideal), 12)
        1.0

    Source:
        A. Peres, PLA 151, 107 (1990); N. D. Mermin, PRL 65, 3373 (1990); P. K. Aravind,
        quant-ph/0206070.
    """
    game = games.magic_square()
    state = blank(4)
    for alice, bob in ((0, 2), (1, 3)):
        state.h(alice)
        state.cx(alice, bob)
    circuits, readouts = [], []
    for question, (x, y) in enumerate(game.questions.tolist()):
        circuit = prepared(state, 4, name=f"magic square x={x} y={y}")
        first_a, second_a = _row(circuit, x)
        first_b, second_b = _column(circuit, y)
        circuit.measure([first_a, second_a, first_b, second_b], range(4))
        circuits.append(circuit)
        # Settings and outcomes are little-endian, and the first bit of a line counts two.
        readouts.append(Readout(question, ((), ()), ((1, 0), (3, 2))))
    return Experiment(
        name="magic-square",
        game=game,
        circuits=tuple(circuits),
        readouts=tuple(readouts),
        parties=((0, 1), (2, 3)),
        roles=("A", "A", "B", "B"),
        # The shared cell is the only correlation: the eight winning answers are equally likely.
        ideal=np.asarray(game.table() / 8, dtype=np.float64),
        details={"state": "phi+ phi+"},
    )


def _row(circuit: QuantumCircuit, x: int) -> tuple[int, int]:
    """Turn row x into Z measurements of Alice's qubits; return those of the first two cells."""
    if x == 0:
        return 1, 0
    if x == 2:
        # CZ takes X I to X Z and I X to Z X; the X gates after H give both their minus.
        circuit.cz(0, 1)
    circuit.h([0, 1])
    if x == 2:
        circuit.x([0, 1])
    return 0, 1


def _column(circuit: QuantumCircuit, y: int) -> tuple[int, int]:
    """Turn column y into Z measurements of Bob's qubits; return those of the first two cells."""
    if y == 0:
        circuit.h(2)
        return 3, 2
    if y == 1:
        circuit.h(3)
        return 2, 3
    circuit.cx(2, 3)
    circuit.h(2)
    return 3, 2
