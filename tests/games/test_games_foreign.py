"""Results of Qiskit and Cirq: bit orders by asymmetric circuits, and what is no result."""

from types import SimpleNamespace
from typing import Any

import cirq
import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.primitives import StatevectorSampler

from ebit.games import (
    ArgumentError,
    Trials,
    as_trials,
    chsh,
    magic_square,
    mermin_ghz,
    trials_from_cirq,
    trials_from_dict,
    trials_from_qiskit,
)


def bell_number(trials: Trials) -> float:
    counts = trials.game_counts(chsh())
    means = (counts * np.array([[1, -1], [-1, 1]])).sum(axis=(1, 2)) / counts.sum(axis=(1, 2))
    return float(means @ [1, 1, 1, -1])


def _asymmetric(n: int, ones: tuple[int, ...]) -> QuantumCircuit:
    """Qubits in another order than classical bits: bit j reads qubit n - 1 - j."""
    circuit = QuantumCircuit(QuantumRegister(n, "q"), ClassicalRegister(n, "c"))
    for j in ones:
        circuit.x(n - 1 - j)
    for j in range(n):
        circuit.measure(n - 1 - j, j)
    return circuit


@pytest.mark.parametrize(("n", "ones"), [(2, (0,)), (3, (0, 1)), (9, (0, 8)), (12, (3, 4, 9))])
def test_qiskit_classical_bit_j_is_party_j(n: int, ones: tuple[int, ...]) -> None:
    questions = [tuple(int(i == k) for i in range(n)) for k in range(2)]
    circuits = [_asymmetric(n, ones), _asymmetric(n, (1,))]
    result = StatevectorSampler(seed=1).run(circuits, shots=5).result()
    trials = trials_from_qiskit(result, questions=questions)
    asked, answered = trials.rounds()
    assert asked.tolist() == [list(questions[0])] * 5 + [list(questions[1])] * 5
    assert answered[:5].tolist() == [[int(j in ones) for j in range(n)]] * 5
    assert answered[5:].tolist() == [[int(j == 1) for j in range(n)]] * 5
    assert (trials.chosen, trials.source, trials.ordered) == ("per-circuit", "host", True)
    # The same by the dictionaries that people take out of it.
    counts = {q: pub.data.c.get_counts() for q, pub in zip(questions, result, strict=True)}
    assert np.array_equal(trials_from_dict(counts).counts, trials.counts)
    whole = {q: pub.data.c.get_int_counts() for q, pub in zip(questions, result, strict=True)}
    assert np.array_equal(trials_from_dict(whole).counts, trials.counts)


def _chsh_circuit(x: int, y: int) -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.ry(-np.pi / 2 * x, 0)
    circuit.ry(-np.pi / 4 + np.pi / 2 * y, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def test_qiskit_chsh_in_order_of_the_game() -> None:
    circuits = [_chsh_circuit(x, y) for x in (0, 1) for y in (0, 1)]
    result = StatevectorSampler(seed=3).run(circuits, shots=4000).result()
    for trials in (
        trials_from_qiskit(result),
        trials_from_qiskit(list(result), game=chsh()),
        as_trials(result, game=chsh()),
        as_trials(result),
    ):
        assert bell_number(trials) == pytest.approx(2 * np.sqrt(2), abs=0.1)


def test_qiskit_parameter_sweep_is_a_circuit_per_element() -> None:
    """One PUB with an array of angles, as Qiskit's own CHSH lesson does."""
    theta, phi = Parameter("theta"), Parameter("phi")
    circuit = QuantumCircuit(2, 2)
    circuit.ry(theta, 0)
    circuit.ry(phi, 1)
    circuit.measure([0, 1], [0, 1])
    angles = np.pi * np.array([[[0, 0], [0, 1]], [[1, 0], [1, 1]]])
    values = {(theta, phi): angles}
    result = StatevectorSampler(seed=1).run([(circuit, values)], shots=3).result()
    trials = trials_from_qiskit(result)
    asked, answered = trials.rounds()
    assert np.array_equal(asked, answered)
    assert trials.n == 12


def test_qiskit_registers_by_name() -> None:
    circuit = QuantumCircuit(
        QuantumRegister(3), ClassicalRegister(1, "check"), ClassicalRegister(2, "out")
    )
    circuit.x(1)
    circuit.measure([0, 1, 2], [0, 1, 2])
    result = StatevectorSampler(seed=1).run([circuit], shots=2).result()
    trials = trials_from_qiskit(result, questions=[(1, 1)], register="out")
    assert trials.rounds()[1].tolist() == [[1, 0]] * 2
    with pytest.raises(ArgumentError, match="register must be given, one of check, out"):
        trials_from_qiskit(result, questions=[(1, 1)])
    with pytest.raises(ArgumentError, match="one of check, out, but was 'in'"):
        trials_from_qiskit(result, questions=[(1, 1)], register="in")
    with pytest.raises(ArgumentError, match=r"one bit per party \(2\), but one has 1"):
        trials_from_qiskit(result, questions=[(1, 1)], register="check")


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (None, "PrimitiveResult"),
        (5, "PrimitiveResult"),
        ([], "no circuits"),
        ([1], "none found"),
        ([SimpleNamespace(data=None)], "none found"),
        ([SimpleNamespace(data={"meas": 5})], "none found"),
        ({"00": 5}, "none found"),
    ],
)
def test_what_is_no_qiskit_result(result: Any, text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        trials_from_qiskit(result)


@pytest.mark.parametrize(
    ("questions", "text"),
    [
        ([(0, 0)], "each of the 2 results, but named 1"),
        ([(0, 0), (0, 1, 0)], "one setting per party"),
        ([(0, 0), (0, -1)], "a question must"),
        ([(0, 0), (0, 0.5)], "a question must"),
        ([(0, 0), 5], "a question must"),
        ([(0, 0), (0, 300)], "settings of party 2 must lie in 0..255"),
        ([(0, 0, 0), (0, 0, 1)], "one bit per party"),
        (None, "each of the 2 results, but named 4"),
    ],
)
def test_bad_questions(questions: Any, text: str) -> None:
    result = StatevectorSampler(seed=1).run([_asymmetric(2, ())] * 2, shots=3).result()
    with pytest.raises(ArgumentError, match=text):
        trials_from_qiskit(result, questions=questions)


def test_qiskit_with_a_game() -> None:
    result = StatevectorSampler(seed=1).run([_asymmetric(3, (0,))] * 4, shots=3).result()
    trials = trials_from_qiskit(result, game=mermin_ghz(3))
    assert trials.table(0, 1, 1)[1, 0, 0] == 3
    with pytest.raises(ArgumentError, match="each of the 4 results, but named 9"):
        trials_from_qiskit(result, game=magic_square())


def _cirq_ones(n: int, ones: tuple[int, ...], keys: list[str] | None) -> cirq.Circuit:
    qubits = cirq.LineQubit.range(n)
    circuit = cirq.Circuit(cirq.X(qubits[i]) for i in ones)
    if keys is None:
        circuit.append(cirq.measure(*qubits, key="m"))
    else:
        circuit.append(cirq.measure(q, key=k) for q, k in zip(qubits, keys, strict=True))
    return circuit


@pytest.mark.parametrize(("n", "ones"), [(2, (0,)), (3, (0, 1)), (12, (0, 2, 3))])
@pytest.mark.parametrize("kind", ["one key", "a key each", "letters"])
def test_cirq_bit_orders(n: int, ones: tuple[int, ...], kind: str) -> None:
    """Keys a0 .. a11 count by number: a10 comes after a9, not after a1."""
    keys = {
        "one key": None,
        "a key each": [f"a{i}" for i in range(n)],
        "letters": list("abcdefghijkl"[:n]),
    }[kind]
    circuits = [_cirq_ones(n, ones, keys), _cirq_ones(n, (1,), keys)]
    results = [cirq.Simulator(seed=1).run(c, repetitions=4) for c in circuits]
    questions = [(0,) * n, (1,) + (0,) * (n - 1)]
    trials = trials_from_cirq(results, questions=questions)
    assert trials.rounds()[1].tolist() == (
        [[int(j in ones) for j in range(n)]] * 4 + [[int(j == 1) for j in range(n)]] * 4
    )
    assert (trials.chosen, trials.source) == ("per-circuit", "host")
    if keys is None:
        counts = {q: dict(r.histogram(key="m")) for q, r in zip(questions, results, strict=True)}
        assert np.array_equal(trials_from_dict(counts, bits="cirq").counts, trials.counts)
    else:
        counts = {
            q: dict(r.multi_measurement_histogram(keys=keys))
            for q, r in zip(questions, results, strict=True)
        }
        assert np.array_equal(trials_from_dict(counts).counts, trials.counts)
        back = trials_from_cirq(results, questions=questions, keys=keys[::-1])
        assert np.array_equal(back.rounds()[1], trials.rounds()[1][:, ::-1])


def test_cirq_kinds_of_results() -> None:
    """One result alone; int8 and uint8 measurements; through the general door."""
    result = cirq.Simulator(seed=1).run(_cirq_ones(2, (0,), None), repetitions=3)
    assert trials_from_cirq(result, questions=[(1, 0)]).table(1, 0)[1, 0] == 3
    for kind in (np.int8, np.uint8, np.int64, bool):
        made = cirq.ResultDict(
            params=cirq.ParamResolver({}), measurements={"m": np.array([[1, 0]] * 2, dtype=kind)}
        )
        assert as_trials([made] * 4, game=chsh()).table(1, 1)[1, 0] == 2


@pytest.mark.parametrize(
    ("results", "words", "text"),
    [
        (None, {}, "cirq.Result"),
        (5, {}, "cirq.Result"),
        ([1], {}, "cirq.Result"),
        ([], {}, "no results"),
        ([SimpleNamespace(measurements={})], {}, "keys must be among"),
        ("fine", {"keys": ["a", "z"]}, "keys must be among a, b"),
        ("fine", {"keys": []}, "keys must be among a, b"),
        ("fine", {"keys": ["a"]}, r"one bit per party \(2\), but one has 1"),
        ("fine", {"questions": [(0, 0), (1, 1)]}, "each of the 1 results, but named 2"),
    ],
)
def test_what_is_no_cirq_result(results: Any, words: dict[str, Any], text: str) -> None:
    if results == "fine":
        results = cirq.Simulator(seed=1).run(_cirq_ones(2, (0,), ["a", "b"]), repetitions=3)
        words = {"questions": [(0, 0)], **words}
    with pytest.raises(ArgumentError, match=text):
        trials_from_cirq(results, **words)


def test_cirq_repeated_keys_are_refused() -> None:
    qubit = cirq.LineQubit(0)
    circuit = cirq.Circuit([cirq.measure(qubit, key="m"), cirq.measure(qubit, key="m")])
    result = cirq.Simulator(seed=1).run(circuit, repetitions=2)
    with pytest.raises(ArgumentError, match="each key measured once"):
        trials_from_cirq(result, questions=[(0, 0)])


def test_anything_else_is_refused() -> None:
    for data in (None, 5, object(), (c for c in "ab"), b"bytes", [], ["a"], {1, 2}):
        with pytest.raises(ArgumentError) as caught:
            as_trials(data)
        assert "\n" not in str(caught.value)


def test_trials_pass_through() -> None:
    trials = Trials.from_rounds(np.repeat([[0, 0], [0, 1]], 50, axis=0), np.zeros((100, 2)))
    assert as_trials(trials) is trials
    assert as_trials(trials, chosen="unknown").chosen == "unknown"
    assert as_trials(trials, source="device").source == "device"
    with pytest.raises(ArgumentError, match="declared per-shot"):
        as_trials(trials, chosen="per-shot")
    with pytest.raises(ArgumentError, match="does not exist"):
        as_trials("none.csv")
