"""Mermin, magic square, agreement, stabilisers and W fidelity, by exact statevectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qiskit.quantum_info import Statevector

import ebit.circuits as c
from ebit.circuits.layout import measure_paulis, prepared
from ebit.games import ArgumentError

RING = [(0, 1), (1, 2), (2, 3), (3, 0)]
STAR = [(0, 1), (0, 2), (0, 3)]


def ideal(test: c.Experiment) -> Any:
    assert test.ideal is not None
    return test.ideal


def random_state(n: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    vector = rng.normal(size=1 << n) + 1j * rng.normal(size=1 << n)
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("pauli", ["X", "Y", "Z", "I"])
def test_outcome_zero_is_the_eigenvalue_plus_one(exact_distribution: Any, pauli: str) -> None:
    circuit = prepared(c.bell(), 2, name="test")
    measure_paulis(circuit, pauli + "Z")
    matrix = {"X": [[0, 1], [1, 0]], "Y": [[0, -1j], [1j, 0]]}.get(pauli, [[1, 0], [0, -1]])
    values, vectors = np.linalg.eigh(np.array(matrix))
    for value, vector in zip(values, vectors.T, strict=True):
        # Qubit 0 in an eigenstate, qubit 1 in |1>: bit 0 follows the sign, bit 1 is 1.
        found = exact_distribution(circuit, np.kron([0, 1], vector))
        assert found[2 + int(value < 0)] == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("n", "layout"), [(3, "chain"), (3, "tree"), (4, "tree"), (4, STAR), (5, "chain"), (6, "tree")]
)
def test_ghz_always_wins_mermins_game(exact_behaviour: Any, n: int, layout: Any) -> None:
    test = c.mermin_ghz(n, layout=layout)
    assert len(test.circuits) == 2 ** (n - 1)
    behaviour = exact_behaviour(test)
    assert test.game.value(behaviour) == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(behaviour, ideal(test), atol=1e-12)


def test_mermin_can_lose(exact_behaviour: Any) -> None:
    test = c.mermin_ghz(3)
    other = c.ghz_vector(3).copy()
    other[-1] *= -1
    assert test.game.value(exact_behaviour(test, other)) == pytest.approx(0, abs=1e-12)
    other[-1] *= 1j
    assert test.game.value(exact_behaviour(test, other)) == pytest.approx(0.5, abs=1e-12)


def test_two_bell_pairs_always_win_the_magic_square(exact_behaviour: Any) -> None:
    test = c.magic_square()
    behaviour = exact_behaviour(test)
    assert test.game.value(behaviour) == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(behaviour, ideal(test), atol=1e-12)
    # Every single question is won, not only their mean.
    wins = (behaviour * test.game.table()).reshape(9, -1).sum(axis=1)
    np.testing.assert_allclose(wins, 1, atol=1e-12)
    assert test.couplings == ((0, 1), (0, 2), (1, 3), (2, 3))


def test_magic_square_can_lose(exact_behaviour: Any) -> None:
    test = c.magic_square()
    zero = np.zeros(16)
    zero[0] = 1
    assert test.game.value(exact_behaviour(test, zero)) < 8 / 9


@pytest.mark.parametrize("state", c.BELL_STATES)
@pytest.mark.parametrize("bases", ["XZ", "XYZ"])
def test_bell_states_agree_in_their_own_way(exact_behaviour: Any, bases: Any, state: str) -> None:
    test = c.bases_agree(bases, state=state)
    behaviour = exact_behaviour(test)
    assert test.game.value(behaviour) == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(behaviour, ideal(test), atol=1e-12)
    # Another Bell state disagrees in two bases out of three.
    if bases == "XYZ":
        other = next(name for name in c.BELL_STATES if name != state)
        lost = test.game.value(exact_behaviour(test, c.bell_vector(other)))
        assert lost == pytest.approx(1 / 3, abs=1e-12)


@pytest.mark.parametrize("which", ["all", "generators", [0, 5, 7]])
@pytest.mark.parametrize(
    ("edges", "n", "layout"),
    [
        ("ghz", 3, "chain"),
        ("ghz", 4, "tree"),
        ("ghz", None, STAR),
        (RING, None, "chain"),
        (STAR, 4, "chain"),
    ],
)
def test_states_pass_their_stabilisers(
    exact_behaviour: Any, edges: Any, n: int | None, layout: Any, which: Any
) -> None:
    test = c.stabilisers(edges, n, which=which, layout=layout)
    behaviour = exact_behaviour(test)
    wins = (behaviour * test.game.table()).reshape(test.game.n_questions, -1).sum(axis=1)
    np.testing.assert_allclose(wins, 1, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_all_stabilisers_give_the_fidelity_of_any_state(exact_behaviour: Any, seed: int) -> None:
    for edges, target in (
        ("ghz", c.ghz_vector(3)),
        ([(0, 1), (1, 2)], c.graph_vector([(0, 1), (1, 2)])),
    ):
        test = c.stabilisers(edges, 3)  # type: ignore[arg-type]
        state = random_state(3, seed)
        passed = test.game.value(exact_behaviour(test, state))
        assert 2 * passed - 1 == pytest.approx(abs(np.vdot(target, state)) ** 2, abs=1e-12)


def test_a_sample_of_stabilisers_is_weighted_by_how_often_each_was_drawn(
    exact_behaviour: Any,
) -> None:
    test = c.stabilisers("ghz", 3, sample=40, rng=np.random.default_rng(5))
    assert sum(test.weights) == 40
    assert len(test.circuits) == len(test.weights) <= 8
    np.testing.assert_allclose(test.game.distribution, np.array(test.weights) / 40)
    drawn = np.random.default_rng(5).integers(0, 2, size=(40, 3)) @ [1, 2, 4]
    assert test.details["which"] == sorted(set(drawn.tolist()))
    assert test.weights == tuple(np.bincount(drawn)[test.details["which"]])
    # The mean over the sample is the mean of its members' pass rates.
    state = random_state(3, 8)
    full = c.stabilisers("ghz", 3)
    per_element = (exact_behaviour(full, state) * full.game.table()).reshape(8, -1).sum(axis=1)
    assert test.game.value(exact_behaviour(test, state)) == pytest.approx(
        per_element[drawn].mean(), abs=1e-12
    )
    assert c.stabilisers("ghz", 3, sample=40, rng=np.random.default_rng(5)).id == test.id


def test_a_sample_of_a_wide_state_is_cheap() -> None:
    test = c.stabilisers("ghz", 20, sample=6, rng=np.random.default_rng(1))
    assert len(test.circuits) == 6
    assert test.circuits[0].num_qubits == 20


@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("layout", ["chain", "tree"])
def test_w_fidelity_is_one_for_w(exact_behaviour: Any, n: int, layout: Any) -> None:
    test = c.w_fidelity(n, layout=layout)
    assert len(test.circuits) == 1 + n * (n - 1)
    behaviour = exact_behaviour(test)
    assert float((c.w_fidelity_weights(n) * behaviour).sum()) == pytest.approx(1, abs=1e-12)
    assert test.game.value(behaviour) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n", [2, 3, 4])
def test_w_fidelity_is_right_for_any_state(exact_behaviour: Any, n: int, seed: int) -> None:
    test = c.w_fidelity(n)
    weights = test.details["fidelity_weights"]
    # A random state near enough to W for the answer to be far from zero.
    state = random_state(n, seed) + (seed - 2) * c.w_vector(n)
    state /= np.linalg.norm(state)
    expected = abs(np.vdot(c.w_vector(n), state)) ** 2
    assert float((weights * exact_behaviour(test, state)).sum()) == pytest.approx(
        expected, abs=1e-12
    )


def test_w_fidelity_of_a_mixture_is_the_mean(exact_behaviour: Any) -> None:
    # White noise: F = 1/2^n. The behaviour is linear in the state.
    weights = c.w_fidelity_weights(3)
    basis = np.eye(8)
    mixed = np.mean([exact_behaviour(c.w_fidelity(3), basis[i]) for i in range(8)], axis=0)
    assert float((weights * mixed).sum()) == pytest.approx(1 / 8, abs=1e-12)


def test_every_circuit_separates_preparation_from_measurement() -> None:
    tests = [
        c.chsh(),
        c.chsh(settings="per-shot"),
        c.mermin_ghz(3),
        c.magic_square(),
        c.bases_agree("XYZ"),
        c.chained_chsh(2),
        c.fringe(points=3),
        c.stabilisers(RING),
        c.w_fidelity(3),
    ]
    for test in tests:
        for circuit in test.circuits:
            labels = [
                (g.operation.label, len(g.qubits))
                for g in circuit.data
                if g.operation.name == "barrier"
            ]
            assert labels == [(c.PREPARED, circuit.num_qubits)]
            before = [g.operation.name for g in circuit.data]
            assert "measure" not in before[: before.index("barrier")]
            assert [r.name for r in circuit.qregs] == ["q"]
            assert [r.name for r in circuit.cregs] == ["c"]
            assert {g.operation.name for g in circuit.data} <= c.GATES
        # All circuits of a test prepare the same state.
        states = []
        for circuit in test.circuits:
            preparation = circuit.copy_empty_like()
            for gate in circuit.data:
                if gate.operation.name == "barrier":
                    break
                preparation.append(gate)
            preparation.remove_final_measurements()
            states.append(Statevector(preparation).data)
        assert all(np.allclose(state, states[0]) for state in states)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: c.stabilisers("star", 3), "edges must be pairs of vertices or 'ghz'"),  # type: ignore[arg-type]
        (lambda: c.stabilisers("ghz", 3, sample=5), "rng must be given"),
        (lambda: c.stabilisers("ghz", 3, sample=0, rng=np.random.default_rng()), "sample must be"),
        (lambda: c.w_fidelity(13), "n must be from 2 to 12"),
        (lambda: c.mermin_ghz(2), "n must be a whole number from 3"),
        (lambda: c.mermin_ghz(4, layout=[(0, 1), (2, 3)]), "none leads from"),
        (lambda: c.bases_agree("XY"), "bases must be"),  # type: ignore[arg-type]
        (lambda: c.bases_agree("XZ", state="ghz"), "state must be"),
    ],
)
def test_wrong_arguments_are_named(call: Any, text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        call()
