"""Sources of random bits: closed forms, rates of settings, which bit is which, what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit

from ebit import games
from ebit.circuits import (
    PREPARED,
    ParallelTest,
    bell_halves_source,
    chsh,
    ghz_source,
    hadamard_source,
    magic_square,
    pair_state,
    raw_clbits,
    rounds_tested,
    spot_checked_chsh,
)
from ebit.circuits.record import program_from_bytes, program_to_bytes
from ebit.games import ArgumentError, Shots

Exact = Callable[..., Any]
ANGLES = ((0.3, 1.1), (-0.4, 0.7))


def basis(qubits: int, index: int) -> Any:
    state = np.zeros(1 << qubits)
    state[index] = 1
    return state


@pytest.mark.parametrize(
    "source", [hadamard_source(5), bell_halves_source(2), ghz_source(4)], ids=lambda s: s.name
)
def test_ideal_is_what_the_circuit_gives(source: Any, exact_behaviour: Exact) -> None:
    np.testing.assert_allclose(exact_behaviour(source), source.ideal, atol=1e-12)


@pytest.mark.parametrize("source", [hadamard_source(5), bell_halves_source(2), ghz_source(4)])
@pytest.mark.parametrize("index", [1, 6, 11])
def test_bit_j_reads_qubit_j(source: Any, index: int, exact_distribution: Exact) -> None:
    n = source.num_qubits
    found = exact_distribution(source.circuits[0], basis(n, index))
    assert found[index] == pytest.approx(1)


def test_bell_halves_pair_each_of_alice_with_one_of_bob(exact_distribution: Exact) -> None:
    found = exact_distribution(bell_halves_source(3).circuits[0])
    (support,) = np.nonzero(found > 1e-12)
    assert support.tolist() == [k | k << 3 for k in range(8)]
    np.testing.assert_allclose(found[support], 1 / 8, atol=1e-12)


@pytest.mark.parametrize("coins", ["independent", "shared"])
@pytest.mark.parametrize("gamma", [0.01, 0.3, 0.9])
def test_spot_checks_follow_the_closed_form(
    coins: Any, gamma: float, exact_distribution: Exact
) -> None:
    # A lopsided state and angles, so that no two bits can be exchanged unseen.
    test = spot_checked_chsh(gamma, coins=coins, state=0.4, angles=ANGLES)
    found = exact_distribution(test.circuits[0])
    (a, b) = ANGLES
    given = pair_state(0.4).behaviour([(a[x], b[y]) for x in (0, 1) for y in (0, 1)])
    q = 1 - math.sqrt(1 - gamma)
    expected = np.zeros_like(found)
    for index in range(len(found)):
        x, y, u, v, t = (index >> j & 1 for j in range(5))
        if coins == "independent":
            odds = (q if x else 1 - q) * (q if y else 1 - q)
        else:
            odds = gamma / 4 if t else (1 - gamma) * (x == y == 0)
        expected[index] = odds * given[2 * x + y, u, v]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("coins", ["independent", "shared"])
def test_distribution_of_settings_travels_with_the_game(
    coins: Any, exact_distribution: Exact
) -> None:
    gamma = 0.25
    test = spot_checked_chsh(gamma, coins=coins)
    probabilities = exact_distribution(test.circuits[0])
    index = np.arange(len(probabilities))
    asked = [probabilities[(index & 3) == (x | y << 1)].sum() for x, y in test.game.questions]
    np.testing.assert_allclose(test.game.distribution, asked, atol=1e-12)
    away = 1 - test.game.distribution[0]
    assert away == pytest.approx(gamma if coins == "independent" else 3 * gamma / 4)
    back = program_from_bytes(program_to_bytes(test))
    assert back.id == test.id
    np.testing.assert_array_equal(back.game.distribution, test.game.distribution)  # type: ignore[attr-defined]
    assert back.details == test.details


@pytest.mark.parametrize("coins", ["independent", "shared"])
def test_rounds_tested_reach_tsirelson(coins: Any, exact_behaviour: Exact) -> None:
    test = spot_checked_chsh(0.1, coins=coins)
    behaviour = exact_behaviour(test)
    np.testing.assert_allclose(behaviour, test.ideal, atol=1e-12)
    assert test.game.bell_value(behaviour) == pytest.approx(2 * math.sqrt(2))
    assert games.chsh().bell_value(behaviour) == pytest.approx(2 * math.sqrt(2))


@pytest.mark.parametrize("gamma", [0.05, 0.5, 0.97])
def test_floor_is_that_of_the_rates(gamma: float) -> None:
    game = spot_checked_chsh(gamma).game
    assert game.floor("none").value == pytest.approx(game.local_value())
    assert not game.uniform
    assert game.quantum_value is None


def test_uniform_coins_are_the_usual_test() -> None:
    game = spot_checked_chsh(0.75).game
    np.testing.assert_allclose(game.distribution, 0.25, atol=1e-12)


def test_small_rates_keep_their_digits() -> None:
    test = spot_checked_chsh(1e-12)
    assert test.details["coin"] == pytest.approx(5e-13, rel=1e-9)


def test_rounds_are_told_apart() -> None:
    rng = np.random.default_rng(4)
    bits = rng.integers(0, 2, (200, 5))
    alone = spot_checked_chsh(0.2)
    shared = spot_checked_chsh(0.2, coins="shared")
    found = rounds_tested(alone, Shots.from_bits([bits[:, :4]]))
    np.testing.assert_array_equal(found, (bits[:, 0] | bits[:, 1]).astype(bool))
    np.testing.assert_array_equal(
        rounds_tested(shared, Shots.from_bits([bits])), bits[:, 4].astype(bool)
    )
    trials = shared.decode(Shots.from_bits([bits]))
    settings, outcomes = trials.rounds()
    np.testing.assert_array_equal(settings, bits[:, :2])
    np.testing.assert_array_equal(outcomes, bits[:, 2:4])
    assert trials.source == "device"


def test_couplings_are_a_chain_or_a_ring() -> None:
    assert spot_checked_chsh(0.1).couplings == ((0, 1), (1, 2), (2, 3))
    shared = spot_checked_chsh(0.1, coins="shared").couplings
    assert shared == ((0, 1), (0, 4), (1, 2), (2, 3), (3, 4))


def test_sources_at_many_places() -> None:
    wide = hadamard_source(range(3, 60))
    assert isinstance(wide, ParallelTest)
    assert raw_clbits(wide) == tuple(range(57))
    assert wide.fixed == tuple(range(3, 60))
    pairs = bell_halves_source([(5, 4), (7, 8), (1, 0)])
    assert raw_clbits(pairs) == (0, 2, 4)
    (circuit,) = pairs.circuits
    first = next(item for item in circuit.data if item.operation.name == "measure")
    assert circuit.find_bit(first.qubits[0]).index == pairs.fixed.index(5)
    assert program_from_bytes(program_to_bytes(pairs)).id == pairs.id


def test_every_circuit_has_the_barrier() -> None:
    for source in (
        hadamard_source(2),
        bell_halves_source(1),
        ghz_source(2),
        spot_checked_chsh(0.1),
    ):
        labels = [item.operation.label for item in source.circuits[0].data]
        assert labels.count(PREPARED) == 1


def test_raw_bits_of_a_test_are_its_outcomes() -> None:
    assert raw_clbits(chsh(settings="per-shot")) == (2, 3)
    assert raw_clbits(spot_checked_chsh(0.1, coins="shared")) == (2, 3)
    assert raw_clbits(bell_halves_source(3)) == (0, 1, 2)


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (lambda: hadamard_source(0), "qubits must be from 1 to 62, but was 0"),
        (lambda: hadamard_source(63), "qubits must be from 1 to 62, but was 63"),
        (lambda: hadamard_source("four"), "qubits must be a whole number"),  # type: ignore[arg-type]
        (lambda: hadamard_source([1, 1]), "different physical qubits"),
        (lambda: hadamard_source([-1]), "at least 0, but was -1"),
        (lambda: hadamard_source([]), "different physical qubits"),
        (lambda: bell_halves_source(9), "pairs must be from 1 to 8, but was 9"),
        (lambda: bell_halves_source([(1, 2, 3)]), "pairs of physical qubits"),
        (lambda: bell_halves_source([1, 2]), "pairs of physical qubits"),  # type: ignore[list-item]
        (lambda: bell_halves_source([(1, 2), (2, 3)]), "different physical qubits"),
        (lambda: ghz_source(1), "n must be from 2 to 20, but was 1"),
        (lambda: spot_checked_chsh(0), "gamma must be a rate between 0 and 1"),
        (lambda: spot_checked_chsh(1.0), "but was 1"),
        (lambda: spot_checked_chsh(math.nan), "but was nan"),
        (lambda: spot_checked_chsh("often"), "but was 'often'"),  # type: ignore[arg-type]
        (lambda: spot_checked_chsh(0.1, coins="one"), "coins must be 'independent' or 'shared'"),  # type: ignore[arg-type]
        (lambda: spot_checked_chsh(0.1, state="phi"), "state must be one of"),
        (lambda: spot_checked_chsh(0.1, angles=((0, 1),)), "angles must be"),
        (lambda: spot_checked_chsh(0.1, angles=((0, 1), (2,))), "angles of Bob must be 2"),
        (lambda: raw_clbits(chsh()), "source must be of one circuit, but .* has 4"),
        (lambda: raw_clbits(magic_square()), "has 9"),
        (lambda: raw_clbits(QuantumCircuit(1)), "source must be an experiment"),  # type: ignore[arg-type]
        (lambda: rounds_tested(chsh(), Shots.from_bits([[[0, 1]]])), "spot-checked test"),
        (
            lambda: rounds_tested(spot_checked_chsh(0.1), Shots.from_bits([[[0, 1]]])),
            r"shots must have \(4,\) bits",
        ),
    ],
)
def test_bad_input_is_one_line(work: Callable[[], object], words: str) -> None:
    with pytest.raises(ArgumentError, match=words) as caught:
        work()
    assert "\n" not in str(caught.value)
