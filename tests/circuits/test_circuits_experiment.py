"""Decoding, exact behaviour and sharing of shots."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit import QuantumCircuit

import ebit.circuits as c
from ebit.games import ArgumentError, Game, Shots, TableRule
from ebit.games import chsh as chsh_game


def two_party(
    circuits: list[QuantumCircuit], readouts: list[c.Readout], **more: Any
) -> c.Experiment:
    return c.Experiment(
        name="test",
        game=more.pop("game", chsh_game()),
        circuits=tuple(circuits),
        readouts=tuple(readouts),
        parties=more.pop("parties", ((0,), (1,))),
        roles=more.pop("roles", ("A", "B")),
        **more,
    )


def one_circuit(qubits: int = 2, clbits: int = 4) -> QuantumCircuit:
    return QuantumCircuit(qubits, clbits)


COINS = c.Readout(None, ((0,), (1,)), ((2,), (3,)))


# --- decode


def reference_decode(test: c.Experiment, shots: Shots) -> tuple[list[list[int]], list[list[int]]]:
    """Decode one shot and one bit at a time."""
    settings, outcomes = [], []
    for i, readout in enumerate(test.readouts):
        for row in shots.bits(i).tolist():
            if readout.question is None:
                settings.append(
                    [sum(row[j] << k for k, j in enumerate(b)) for b in readout.settings]
                )
            else:
                settings.append(test.game.questions[readout.question].tolist())
            outcomes.append([sum(row[j] << k for k, j in enumerate(b)) for b in readout.outcomes])
    return settings, outcomes


@pytest.mark.parametrize("per_circuit", [3, 200])
@pytest.mark.parametrize(
    "build",
    [
        c.chsh,
        lambda: c.chsh(settings="per-shot"),
        c.magic_square,
        lambda: c.mermin_ghz(4),
        lambda: c.stabilisers("ghz", 3),
        lambda: c.fringe(points=5),
        lambda: c.stabilisers("ghz", 18, which="generators"),
        lambda: c.stabilisers("ghz", 10, which="generators"),
    ],
)
def test_decode_is_the_slow_decode(build: Any, per_circuit: int) -> None:
    test = build()
    rng = np.random.default_rng(3)
    # Different numbers of shots per circuit, and every bit pattern as likely: nothing symmetric.
    shots = Shots.from_bits(
        [
            rng.integers(0, 2, size=(per_circuit + i, circuit.num_clbits))
            for i, circuit in enumerate(test.circuits)
        ]
    )
    trials = test.decode(shots)
    settings, outcomes = trials.rounds()
    expected = reference_decode(test, shots)
    assert settings.tolist() == expected[0]
    assert outcomes.tolist() == expected[1]
    assert trials.ordered
    assert trials.source == test.source


def test_many_shots_of_more_than_a_byte_are_decoded_alike() -> None:
    # Past 2^9 shots a table of all strings is used, here of two bytes.
    test = c.stabilisers("ghz", 9, which=[1, 300])
    rng = np.random.default_rng(6)
    shots = Shots.from_bits([rng.integers(0, 2, size=(700, 9)) for _ in range(2)])
    settings, outcomes = test.decode(shots).rounds()
    expected = reference_decode(test, shots)
    assert settings.tolist() == expected[0]
    assert outcomes.tolist() == expected[1]


def test_decode_keeps_the_order_and_passes_on_how_settings_were_chosen() -> None:
    test = c.chsh()
    bits = [np.array([[q & 1, q >> 1]] * (q + 1)) for q in range(4)]
    trials = test.decode(Shots.from_bits(bits))
    settings, outcomes = trials.rounds()
    assert settings.tolist() == [[0, 0]] + [[0, 1]] * 2 + [[1, 0]] * 3 + [[1, 1]] * 4
    assert outcomes.tolist() == [[0, 0]] + [[1, 0]] * 2 + [[0, 1]] * 3 + [[1, 1]] * 4
    assert (trials.chosen, trials.source, trials.ordered) == ("per-circuit", "host", True)


def test_fresh_coins_are_per_shot_and_stuck_ones_are_not() -> None:
    test = c.chsh(settings="per-shot")
    rng = np.random.default_rng(11)
    fresh = rng.integers(0, 2, size=(4000, 4))
    trials = test.decode(Shots.from_bits([fresh]))
    assert (trials.chosen, trials.source) == ("per-shot", "device")
    stuck = fresh.copy()
    stuck[:, :2] = np.repeat(fresh[:40, :2], 100, axis=0)
    assert test.decode(Shots.from_bits([stuck])).chosen == "per-block"


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_few_shots_of_coins_are_taken_at_their_word(n: int) -> None:
    bits = np.zeros((n, 4), dtype=np.uint8)
    assert c.chsh(settings="per-shot").decode(Shots.from_bits([bits])).chosen == "per-shot"


def test_decoded_counts_agree_with_the_distribution(exact_distribution: Any) -> None:
    for test in (c.chsh(state="psi-", settings="per-shot"), c.w_fidelity(3)):
        rng = np.random.default_rng(2)
        drawn = []
        for circuit in test.circuits:
            codes = rng.choice(1 << circuit.num_clbits, 20000, p=exact_distribution(circuit))
            drawn.append((codes[:, None] >> np.arange(circuit.num_clbits)) & 1)
        counts = test.decode(Shots.from_bits(drawn)).game_counts(test.game)
        flat = counts.reshape(len(counts), -1)
        rates = flat / flat.sum(axis=1, keepdims=True)
        exact = test.behaviour([exact_distribution(q) for q in test.circuits]).reshape(rates.shape)
        spread = np.sqrt(exact * (1 - exact) / flat.sum(axis=1, keepdims=True))
        assert (abs(rates - exact) <= 5 * spread + 1e-9).all()


@pytest.mark.parametrize("coins", ["controlled", "feed-forward"])
def test_aer_decodes_to_the_ideal_behaviour(coins: Any) -> None:
    from qiskit_aer import AerSimulator

    test = c.chsh(state="psi+", settings="per-shot", coins=coins, swapped=True)
    result = AerSimulator(seed_simulator=7).run(test.circuits[0], shots=8000, memory=True).result()
    # Aer writes the highest bit first.
    rows = np.array([[int(ch) for ch in reversed(text)] for text in result.get_memory()])
    counts = test.decode(Shots.from_bits([rows])).game_counts(test.game)
    totals = counts.reshape(4, -1).sum(axis=1)
    assert abs(totals / 8000 - 0.25).max() < 5 * math.sqrt(0.25 * 0.75 / 8000)
    rates = counts / totals[:, None, None]
    assert test.ideal is not None
    assert abs(rates - test.ideal).max() < 5 * math.sqrt(0.25 / totals.min())


def test_decode_refuses_shots_of_another_experiment() -> None:
    shots = Shots.from_bits([np.zeros((5, 2), dtype=np.uint8)] * 3)
    with pytest.raises(ArgumentError, match=r"shots must have \(2, 2, 2, 2\) bits"):
        c.chsh().decode(shots)


# --- behaviour


def test_biased_coins_are_conditioned_on() -> None:
    test = c.chsh(settings="per-shot")
    rng = np.random.default_rng(4)
    joint = rng.random(16)
    joint /= joint.sum()
    behaviour = test.behaviour([joint])
    for question, (x, y) in enumerate(product((0, 1), repeat=2)):
        cell = np.array([[joint[x + 2 * y + 4 * a + 8 * b] for b in (0, 1)] for a in (0, 1)])
        np.testing.assert_allclose(behaviour[question], cell / cell.sum(), atol=1e-12)


def test_circuits_of_one_question_are_averaged_by_weight() -> None:
    readouts = [c.Readout(q, ((), ()), ((0,), (1,))) for q in (0, 0, 1, 2, 3)]
    test = two_party([one_circuit(2, 2)] * 5, readouts, weights=(3.0, 1.0, 1.0, 1.0, 1.0))
    sure, other = np.eye(4)[0], np.eye(4)[1]
    behaviour = test.behaviour([sure, other, sure, sure, sure])
    np.testing.assert_allclose(behaviour[0], [[0.75, 0], [0.25, 0]])
    assert test.allocate(70) == (30, 10, 10, 10, 10)


def test_settings_the_game_never_asks_are_left_out() -> None:
    game = Game(
        name="two of four",
        questions=np.array([(0, 0), (1, 1)], dtype=np.uint8),
        distribution=np.full(2, 0.5),
        settings=(2, 2),
        outcomes=(2, 2),
        rule=TableRule(np.ones((2, 2, 2), dtype=np.bool_)),
    )
    test = two_party([one_circuit()], [COINS], game=game, chosen="per-shot")
    joint = np.zeros(16)
    joint[[0, 1, 3 + 4]] = [0.2, 0.5, 0.3]
    np.testing.assert_allclose(test.behaviour([joint]), [[[1, 0], [0, 0]], [[0, 0], [1, 0]]])


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        ([np.full(16, 1 / 16)] * 2, "one per circuit"),
        ([np.full(8, 1 / 8)], "must hold 16 probabilities"),
        ([np.full(16, 1 / 8)], "with sum 1"),
        ([np.array([2.0, -1.0] + [0.0] * 14)], "minimum -1"),
        ([np.full(16, np.nan)], "must be probabilities"),
        ([np.eye(16)[0]], r"never ask \[0, 1\]"),
    ],
)
def test_what_is_no_distribution_is_refused(given_: Any, text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        c.chsh(settings="per-shot").behaviour(given_)


# --- allocate


@given(st.integers(1, 64), st.integers(1, 10**9))
def test_equal_weights_get_equal_shots(count: int, shots: int) -> None:
    readouts = [c.Readout(0, ((), ()), ((0,), (1,)))] * count
    test = two_party([one_circuit(2, 2)] * count, readouts, weights=(1 / count,) * count)
    if shots < count:
        with pytest.raises(ArgumentError, match=f"shots must be at least {count}"):
            test.allocate(shots)
    else:
        assert test.allocate(shots) == (shots // count,) * count


@given(st.lists(st.integers(1, 50), min_size=2, max_size=20), st.integers(1, 10**8))
def test_whole_shares_lose_no_shot_to_rounding(parts: list[int], times: int) -> None:
    total = sum(parts)
    readouts = [c.Readout(0, ((), ()), ((0,), (1,)))] * len(parts)
    weights = tuple(p / total for p in parts)
    test = two_party([one_circuit(2, 2)] * len(parts), readouts, weights=weights)
    assert test.allocate(total * times) == tuple(p * times for p in parts)
    if min(parts) * (total * times + 1) >= total:
        assert sum(test.allocate(total * times + 1)) <= total * times + 1


@pytest.mark.parametrize("shots", [0, -4, 2.5, True, "10", None, 3])
def test_wrong_numbers_of_shots_are_refused(shots: Any) -> None:
    with pytest.raises(ArgumentError, match="shots must be"):
        c.chsh().allocate(shots)
    counted: Any = np.int64(9)
    assert c.chsh().allocate(counted) == (2, 2, 2, 2)


# --- the rest


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: two_party([], []), "circuits must be at least one"),
        (lambda: two_party([one_circuit()], []), "readouts must be one per circuit"),
        (
            lambda: two_party([one_circuit()], [COINS], weights=(1.0, 2.0)),
            "weights must be one per",
        ),
        (lambda: two_party([one_circuit()], [COINS], weights=(0.0,)), "weights must be positive"),
        (lambda: two_party([one_circuit(3)], [COINS]), "as many qubits as roles"),
        (lambda: two_party([one_circuit()], [COINS], parties=((0,), (0,))), "share no qubit"),
        (
            lambda: two_party([one_circuit()], [COINS], parties=((0,), (5,))),
            "must hold qubits 0 to 1",
        ),
        (lambda: two_party([one_circuit(2, 3)], [COINS]), "bits 0 to 2, but had bit 3"),
        (
            lambda: two_party([one_circuit()], [c.Readout(4, ((), ()), ((0,), (1,)))]),
            "a question from 0 to 3, but had 4",
        ),
        (
            lambda: two_party([one_circuit()], [c.Readout(0, ((0,), ()), ((0,), (1,)))]),
            "not both",
        ),
        (
            lambda: two_party([one_circuit()], [c.Readout(0, ((), ()), ((0, 1), (2,)))]),
            "the 2 outcomes of party 0, but read 2 bits",
        ),
        (
            lambda: two_party([one_circuit()], [c.Readout(None, ((0, 1), (1,)), ((2,), (3,)))]),
            "the 2 settings of party 0, but read 2 bits",
        ),
        (
            lambda: two_party([one_circuit()], [c.Readout(0, ((),), ((0,),))]),
            "outcomes of 2 parties",
        ),
        (
            lambda: two_party([one_circuit()], [COINS], ideal=np.ones((4, 2))),
            "ideal must have shape",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(make: Any, text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        make()


def test_copies_can_be_changed_and_the_experiment_cannot() -> None:
    test = c.chsh()
    test.to_qiskit()[0].x(0)
    assert test.id == c.chsh().id
    assert test.circuits[0] == c.chsh().circuits[0]


def test_drawing_names_questions_and_roles() -> None:
    text = c.chsh(settings="per-shot").draw()
    assert "q0 = coin A, q1 = A, q2 = B, q3 = coin B" in text
    assert "settings drawn in every shot" in text
    assert "circuit 3: x=1, y=1" in c.chsh().draw()
    assert "circuit 0: X X X" in c.mermin_ghz(3).draw()
    assert c.PREPARED in text


def test_repr_is_one_line() -> None:
    assert repr(c.chsh()) == (
        f"Experiment('chsh:phi+:per-circuit', 4 circuits of 2 qubits, settings per-circuit by the "
        f"host, id {c.chsh().id})"
    )
