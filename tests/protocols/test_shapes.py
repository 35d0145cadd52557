"""Shapes that people have: data frames, lists and dictionaries of counts and results."""

from __future__ import annotations

import json
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ebit

QUESTIONS = [(0, 0), (0, 1), (1, 0), (1, 1)]
ANSWERS = QUESTIONS
# Asymmetric on purpose: exchanging parties, questions or outcomes changes it.
TABLE = [[800, 190, 10, 0], [700, 90, 200, 10], [600, 100, 200, 100], [50, 450, 400, 100]]
ALICE, BOB = (0.0, pi / 2), (pi / 4, -pi / 4)


def as_qiskit(row: list[int]) -> dict[str, int]:
    """Bit strings with the first party rightmost."""
    return {f"{b}{a}": row[2 * a + b] for a, b in ANSWERS}


def counts_of(data: Any, **how: Any) -> Any:
    trials = ebit.score(data, **how).trials
    assert trials is not None
    return trials.counts


EXPECTED = np.array(TABLE).reshape(2, 2, 2, 2)


def test_list_of_dictionaries_in_the_order_of_the_questions(tmp_path: Path) -> None:
    listed = [as_qiskit(row) for row in TABLE]
    assert (counts_of(listed) == EXPECTED).all()
    path = tmp_path / "counts.json"
    path.write_text(json.dumps(listed))
    assert (counts_of(path) == EXPECTED).all()
    with pytest.raises(ebit.EbitError, match="4 questions"):
        ebit.score(listed[:3])


def test_counts_say_that_circuits_are_assumed() -> None:
    found = ebit.score({f"{x}{y}": as_qiskit(TABLE[2 * x + y]) for x, y in QUESTIONS})
    assert found.settings == "per-circuit"
    assert "assumed" in found.settings_reason


def test_data_frames() -> None:
    pandas = pytest.importorskip("pandas")
    cells = [(x, y, a, b, TABLE[2 * x + y][2 * a + b]) for x, y in QUESTIONS for a, b in ANSWERS]
    frame = pandas.DataFrame(cells, columns=[*"xyab", "count"])
    assert (counts_of(frame) == EXPECTED).all()
    rounds = [(x, y, 1 - 2 * a, 1 - 2 * b) for x, y, a, b, n in cells for _ in range(n)]
    assert (counts_of(pandas.DataFrame(rounds, columns=[*"xyab"])) == EXPECTED).all()
    with pytest.raises(ebit.EbitError, match="data frame") as caught:
        ebit.score(pandas.DataFrame({"x": [1]}))
    assert "/" not in str(caught.value).split("columns")[0]


def test_results_of_qiskit() -> None:
    from qiskit import QuantumCircuit
    from qiskit.primitives import StatevectorSampler
    from qiskit_aer import AerSimulator

    circuits = []
    for x, y in QUESTIONS:
        circuit = QuantumCircuit(2, 2)
        circuit.ry(0.7, 0)
        circuit.h(0)
        circuit.cx(0, 1)
        circuit.ry(-ALICE[x], 0)
        circuit.ry(0.3 - BOB[y], 1)
        circuit.measure([0, 1], [0, 1])
        circuits.append(circuit)
    result = StatevectorSampler(seed=1).run(circuits, shots=900).result()
    straight = counts_of(result)
    assert (counts_of(dict(zip(QUESTIONS, result, strict=True))) == straight).all()
    arrays = {q: pub.data.c for q, pub in zip(QUESTIONS, result, strict=True)}
    assert (counts_of(arrays) == straight).all()
    aer = AerSimulator(seed_simulator=3).run(circuits, shots=900).result()
    by_hand = dict(zip(QUESTIONS, aer.get_counts(), strict=True))
    assert (counts_of(aer) == counts_of(by_hand)).all()
    with pytest.raises(ebit.EbitError, match="4 questions"):
        ebit.score(AerSimulator().run(circuits[0]).result())


def test_results_of_cirq() -> None:
    import cirq

    a, b = cirq.LineQubit.range(2)
    results = []
    for x, y in QUESTIONS:
        circuit = cirq.Circuit(
            cirq.ry(0.7)(a),
            cirq.H(a),
            cirq.CNOT(a, b),
            cirq.ry(-ALICE[x])(a),
            cirq.ry(0.3 - BOB[y])(b),
            cirq.measure(a, b, key="m"),
        )
        results.append(cirq.Simulator(seed=1).run(circuit, repetitions=900))
    named = dict(zip(QUESTIONS, results, strict=True))
    assert (counts_of(named) == counts_of(results)).all()


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_separators(mark: str, tmp_path: Path) -> None:
    cells = [(x, y, a, b, TABLE[2 * x + y][2 * a + b]) for x, y in QUESTIONS for a, b in ANSWERS]
    lines = [mark.join([*"xyab", "count"]), *(mark.join(map(str, row)) for row in cells)]
    for ending in ("csv", "tsv", "txt"):
        path = tmp_path / f"counts.{ending}"
        path.write_text("\n".join(lines))
        assert (counts_of(path) == EXPECTED).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0,1,0,0\n1,1,0,1\n", "first line must name the columns"),
        ("time,x,y,a,b\n1,0,0,0,0\n", "must be removed: time"),
        ("x;y;a\n0;0;0\n", "semicolons"),
    ],
)
def test_tables_that_need_a_hint(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "rounds.csv"
    path.write_text(text)
    with pytest.raises(ebit.EbitError, match=words):
        ebit.score(path)
