"""Other programs' results: bit orders by asymmetric circuits, tables, dictionaries."""

import json
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
    trials_from_json,
    trials_from_qiskit,
    trials_from_table,
)

# NIST's published counts (Shalm et al. 2015 data as released by CURBy): rows ab, ab', a'b, a'b';
# columns 00, 01, 10, 11. The source prints S = 2.0024148629 with the minus on ab.
NIST = [
    [32266283, 600862, 580732, 18985],
    [32801781, 70119, 404229, 195257],
    [32803817, 422004, 61941, 197106],
    [33128142, 94035, 89267, 171053],
]


def bell_number(trials: Trials, signs: list[int]) -> float:
    counts = trials.game_counts(chsh()).astype(float)
    means = (counts * np.array([[1, -1], [-1, 1]])).sum(axis=(1, 2)) / counts.sum(axis=(1, 2))
    return float(means @ signs)


def test_nist_counts_as_a_table() -> None:
    for trials in (
        trials_from_table(NIST),
        trials_from_table(np.array(NIST)),
        trials_from_table([[float(v) for v in row] for row in NIST]),
        trials_from_json(json.dumps(NIST)),
        trials_from_json(json.dumps({"counts": NIST, "chosen": "per-shot"})),
        as_trials(NIST),
        as_trials(np.array(NIST), game=chsh()),
    ):
        assert bell_number(trials, [-1, 1, 1, 1]) == pytest.approx(2.0024148629, abs=5e-11)
        assert trials.n == sum(map(sum, NIST))
        assert trials.table(0, 1).tolist() == [[32801781, 70119], [404229, 195257]]
    assert trials_from_json(json.dumps({"counts": NIST, "chosen": "per-shot"})).chosen == "per-shot"
    assert trials_from_table(NIST).chosen == "unknown"


@pytest.mark.parametrize("bits", ["qiskit", "cirq"])
@pytest.mark.parametrize("keys", ["01", "0,1", "tuple"])
def test_nist_counts_as_dictionaries(bits: str, keys: str) -> None:
    """Qiskit writes party 0 rightmost, Cirq leftmost."""
    answers = ["00", "01", "10", "11"] if bits == "cirq" else ["00", "10", "01", "11"]
    questions: list[Any] = {
        "01": ["00", "01", "10", "11"],
        "0,1": ["0,0", "0, 1", "1,0", "x=1,y=1"],
        "tuple": [(0, 0), (0, 1), (1, 0), (1, 1)],
    }[keys]
    counts = {
        q: dict(zip(answers, row, strict=True)) for q, row in zip(questions, NIST, strict=True)
    }
    trials = trials_from_dict(counts, bits=bits)
    assert trials.counts.reshape(4, 4).tolist() == NIST
    assert trials.chosen == "per-circuit"
    assert trials_from_dict(counts, bits=bits, chosen="per-shot").chosen == "per-shot"
    assert as_trials(counts, bits=bits, source="host").source == "host"
    if keys != "tuple":
        text = json.dumps(counts)
        assert trials_from_json(text, bits=bits).counts.reshape(4, 4).tolist() == NIST
        beside = json.dumps({"counts": counts, "bits": bits, "chosen": "per-block"})
        found = trials_from_json(beside.encode("utf-8-sig"))
        assert found.counts.reshape(4, 4).tolist() == NIST
        assert found.chosen == "per-block"


def test_answers_in_every_shape() -> None:
    """Alice 1, Bob 0 and Charlie 0 only: 001 in Qiskit's string, 100 in Cirq's."""
    for bits, keys in {
        "qiskit": [
            "001",
            "0 0 1",
            "0x1",
            1,
            np.int64(1),
            (1, 0, 0),
            [1, 0, 0],
            np.array([1, 0, 0]),
        ],
        "cirq": ["100", "1 00", "0x4", 4, np.uint8(4), (1, 0, 0)],
    }.items():
        for key in keys:
            answers = {key if not isinstance(key, (list, np.ndarray)) else tuple(key): 7}
            trials = trials_from_dict({"011": answers}, bits=bits)
            assert trials.table(0, 1, 1)[1, 0, 0] == 7
            assert trials.n == 7


def test_games_fix_the_shape_of_dictionaries() -> None:
    trials = trials_from_dict({(0, 2): {(3, 1): 5}}, game=magic_square())
    assert trials.settings == (3, 3)
    assert trials.table(0, 2)[3, 1] == 5
    with pytest.raises(ArgumentError, match=r"tuple of outcomes below \(4, 4\)"):
        trials_from_dict({(0, 2): {"11": 5}}, game=magic_square())
    with pytest.raises(ArgumentError, match=r"outcomes below \(4, 4\), but was \(4, 0\)"):
        trials_from_dict({(0, 2): {(4, 0): 5}}, game=magic_square())
    with pytest.raises(ArgumentError, match="questions must name settings below"):
        trials_from_dict({"02": {"11": 5}}, game=chsh())
    with pytest.raises(ArgumentError, match="questions must name settings below"):
        trials_from_dict({"00": {"11": 5}}, game=mermin_ghz(3))


FINE: dict[Any, Any] = {"00": {"00": 1}}


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({}, "not empty"),
        ([], "not empty"),
        (None, "not empty"),
        ({"00": 5}, "must have a dictionary"),
        ({"00": [1, 2]}, "must have a dictionary"),
        ({"00": {}}, "all be zero"),
        ({"00": {"00": 0}}, "all be zero"),
        ({"00": {"00": -1}}, "negative"),
        ({"00": {"00": 0.5}}, "whole number, but was 0.5"),
        ({"00": {"00": float("nan")}}, "whole number, but was nan"),
        ({"00": {"00": float("inf")}}, "whole number, but was inf"),
        ({"00": {"00": None}}, "whole number, but was None"),
        ({"00": {"00": "5"}}, "whole number, but was '5'"),
        ({"00": {"00": True}}, "whole number, but was True"),
        ({"00": {"00": 2**60}}, "at most 2"),
        ({"00": {"00": 1e300}}, "at most 2"),
        ({"00": {"00": 10**5000}}, "at most 2.*a very large int"),
        ({"00": {"0": 1}}, "2 bits"),
        ({"00": {"000": 1}}, "2 bits"),
        ({"00": {"02": 1}}, "2 bits"),
        ({"00": {"٠٠": 1}}, "2 bits"),
        ({"00": {"0xg": 1}}, "2 bits"),
        ({"00": {"0x4": 1}}, "2 bits"),
        ({"00": {4: 1}}, "2 bits"),
        ({"00": {-1: 1}}, "2 bits"),
        ({"00": {10**5000: 1}}, "2 bits"),
        ({"00": {(0,): 1}}, "2 outcomes"),
        ({"00": {(0, 2): 1}}, "2 outcomes"),
        ({"00": {(0, -1): 1}}, "2 outcomes"),
        ({"00": {(0, 0.5): 1}}, "2 outcomes"),
        ({"00": {None: 1}}, "2 outcomes"),
        ({"": {"00": 1}}, "a question must"),
        ({"ab": {"00": 1}}, "a question must"),
        ({"٠٠": {"00": 1}}, "a question must"),
        ({"0,1234": {"00": 1}}, "a question must"),
        ({"-1,0": {"00": 1}}, "a question must"),
        ({(-1, 0): {"00": 1}}, "a question must"),
        ({(0.5, 0): {"00": 1}}, "a question must"),
        ({("0", "1"): {"00": 1}}, "a question must"),
        ({(): {"00": 1}}, "a question must"),
        ({7: {"00": 1}}, "a question must"),
        ({None: {"00": 1}}, "a question must"),
        ({(0, 300): {"00": 1}}, "1 to 256"),
        ({(255, 255, 255, 255): {"0000": 1}}, "too large"),
        ({**FINE, "010": {"000": 1}}, "one setting per party"),
    ],
)
def test_bad_dictionaries(counts: Any, text: str) -> None:
    with pytest.raises(ArgumentError, match=text) as caught:
        trials_from_dict(counts)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("bits", ["little", "", None, 0])
def test_bad_bit_orders(bits: Any) -> None:
    with pytest.raises(ArgumentError, match="bits must be 'qiskit' or 'cirq'"):
        trials_from_dict(FINE, bits=bits)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([], "had 0 rows of no counts"),
        ([[1] * 4] * 3, "had 3 rows of 4 counts"),
        ([[1] * 4] * 3 + [[1] * 3], "had 4 rows of 3 or 4 counts"),
        ([[1] * 3] * 4, "of 3 counts"),
        ([[[1] * 2] * 2] * 4, "of 2 counts"),
        ([1, 2, 3, 4], "must have rows, but one is 1"),
        (["1234"] * 4, "must have rows, but one is '1234'"),
        ("1234", "list of rows"),
        (5, "list of rows"),
        ({"a": 1}, "list of rows"),
        ([["1"] * 4] * 4, "whole number, but was '1'"),
        ([[1, 2, 3, None]] * 4, "whole number, but was None"),
        ([[1, 2, 3, float("nan")]] * 4, "whole number, but was nan"),
        ([[1, 2, 3, 0.25]] * 4, "whole number, but was 0.25"),
        ([[1, 2, 3, -4]] * 4, "negative"),
        ([[0] * 4] * 4, "all be zero"),
        (np.full((4, 4), np.nan), "whole number"),
        (np.ones((2, 2, 2, 2)), "had 2 rows"),
        (np.array(5), "list of rows"),
    ],
)
def test_bad_tables(rows: Any, text: str) -> None:
    with pytest.raises(ArgumentError, match=text) as caught:
        trials_from_table(rows)
    assert "\n" not in str(caught.value)


def test_tables_of_other_games() -> None:
    trials = trials_from_table(np.arange(144).reshape(9, 16), game=magic_square())
    assert trials.table(1, 2).tolist() == np.arange(80, 96).reshape(4, 4).tolist()
    with pytest.raises(ArgumentError, match=r"9 rows \(settings\) of 16 counts"):
        trials_from_table(NIST, game=magic_square())


@pytest.mark.parametrize(
    "text", ["", "{", "nul", "[1, 2", b"\xff", "\ufeff[]", '{"a": NaN', "[" * 10**6]
)
def test_bad_json_names_its_place(text: Any) -> None:
    with pytest.raises(ArgumentError, match=r"^my notes: not JSON, or cut short") as caught:
        trials_from_json(text, "my notes")
    assert "\n" not in str(caught.value)
    assert str(caught.value).count("my notes") == 1


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
        assert bell_number(trials, [1, 1, 1, -1]) == pytest.approx(2 * np.sqrt(2), abs=0.1)


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
