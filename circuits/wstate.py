"""The fidelity of a W state from local measurements, exactly: which settings, and how they add."""

from __future__ import annotations

from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt

from ebit.circuits.experiment import Experiment, Readout
from ebit.circuits.layout import (
    check_size,
    measure_paulis,
    one_qubit_each,
    party_names,
    prepared,
)
from ebit.circuits.states import w_state
from ebit.games import Game, TableRule

_LETTERS = "XYZ"


def w_fidelity(n: int, *, layout: Literal["chain", "tree"] = "chain") -> Experiment:
    r"""Build the measurements that give the fidelity of a W state of n qubits.

    .. math:: F = \frac1n \Big[\sum_i P(e_i) + \sum_{i<j} 2 \mathrm{Re}\, \rho_{e_i e_j}\Big],
              \quad 2 \mathrm{Re}\, \rho_{e_i e_j}
              = \langle \tfrac12 (X_i X_j + Y_i Y_j) \otimes |0..0\rangle\langle 0..0| \rangle

    with e_i the string whose only 1 is qubit i: one circuit with every qubit in Z, and for each
    pair one with both in X and one with both in Y, the rest in Z: 1 + n(n-1) circuits.
    `w_fidelity_weights` adds them up. Settings 0 = X, 1 = Y, 2 = Z; qubit j belongs to party j, and
    bit j is its outcome.

    The game: in Z exactly one outcome is 1; in X or Y the two agree, unless some other qubit
    reads 1. A W state always wins.

    Args:
        n: number of qubits, 2 to 12.
        layout: how the state is made, ``chain`` or ``tree``.

    Returns:
        An experiment; ``details["fidelity_weights"]`` holds the weights.

    Raises:
        ArgumentError: for n out of range or an unknown layout.

    Example:
        >>> len(w_fidelity(3).circuits)
        7

    Source:
        Derived: XX + YY = 2 (|01><10| + |10><01|), and <W| rho |W> is 1/n times the sum of all
        rho_{e_i e_j}.
    """
    n = check_size(n, name="n", least=2, most=12)
    questions = _questions(n)
    answers = np.indices((2,) * n).reshape(n, -1)
    winning = np.empty((len(questions), answers.shape[1]), dtype=np.bool_)
    for q, question in enumerate(questions):
        pair = [i for i, setting in enumerate(question) if setting != 2]
        if pair:
            elsewhere = answers.sum(axis=0) > answers[pair].sum(axis=0)
            winning[q] = elsewhere | (answers[pair[0]] == answers[pair[1]])
        else:
            winning[q] = answers.sum(axis=0) == 1
    state = w_state(n, layout=layout)
    circuits = []
    for question in questions:
        paulis = "".join(_LETTERS[setting] for setting in question)
        circuit = prepared(state, n, name=f"w {paulis}")
        measure_paulis(circuit, paulis)
        circuits.append(circuit)
    game = Game(
        name=f"w-fidelity-{n}",
        questions=np.array(questions, dtype=np.uint8),
        distribution=np.full(len(questions), 1 / len(questions)),
        settings=(3,) * n,
        outcomes=(2,) * n,
        rule=TableRule(winning.reshape(-1, *(2,) * n)),
        quantum_value=1.0,
        quantum_source="a W state always wins",
        labels=(("X", "Y", "Z"),) * n,
    )
    return Experiment(
        name=game.name,
        game=game,
        circuits=tuple(circuits),
        readouts=tuple(Readout(q, ((),) * n, one_qubit_each(n)) for q in range(len(questions))),
        parties=one_qubit_each(n),
        roles=party_names(n),
        details={"state": f"w-{n}", "fidelity_weights": w_fidelity_weights(n)},
    )


def w_fidelity_weights(n: int) -> npt.NDArray[np.float64]:
    """Return c with F = sum over questions and answers of c[q, answer] P(answer | q).

    Args:
        n: number of qubits, 2 to 12.

    Returns:
        (1 + n(n-1), 2, ..., 2): 1/n at the strings with one 1 for the Z question, and
        +-1/(2n), by parity of the pair, where the rest reads 0, for the others.

    Example:
        >>> w_fidelity_weights(2)[0].tolist()
        [[0.0, 0.5], [0.5, 0.0]]
    """
    n = check_size(n, name="n", least=2, most=12)
    questions = _questions(n)
    weights = np.zeros((len(questions), *(2,) * n))
    for q, question in enumerate(questions):
        pair = [i for i, setting in enumerate(question) if setting != 2]
        if pair:
            block = tuple(slice(None) if i in pair else 0 for i in range(n))
            weights[(q, *block)] = np.array([[1.0, -1.0], [-1.0, 1.0]]) / (2 * n)
        else:
            for i in range(n):
                weights[(q, *(int(j == i) for j in range(n)))] = 1 / n
    return weights


def _questions(n: int) -> list[list[int]]:
    """Return all Z, then X and Y on each pair of qubits with Z elsewhere."""
    questions = [[2] * n]
    for pair in combinations(range(n), 2):
        questions += [[letter if i in pair else 2 for i in range(n)] for letter in (0, 1)]
    return questions
