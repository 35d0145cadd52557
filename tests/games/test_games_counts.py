"""Counts in the shapes people have: tables, dictionaries in both bit orders, JSON."""

import json
from typing import Any

import numpy as np
import pytest

from ebit.games import (
    ArgumentError,
    Trials,
    as_trials,
    chsh,
    magic_square,
    mermin_ghz,
    trials_from_dict,
    trials_from_json,
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
