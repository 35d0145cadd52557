"""The CHSH, chained and fringe circuits against closed forms, by exact statevectors."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import SparsePauliOp, Statevector

import ebit.circuits as c
from ebit.games import ArgumentError

ANGLE = st.floats(-7, 7)
MODES: list[dict[str, Any]] = [
    {},
    {"settings": "per-shot"},
    {"settings": "per-shot", "coins": "feed-forward"},
]


def ideal(test: c.Experiment) -> Any:
    assert test.ideal is not None
    return test.ideal


def born(state: str | float, a: float, b: float) -> Any:
    """P(outcomes) from projectors on the state's vector, q0 = Alice: no circuit is used."""
    vector = c.partial_pair_vector(state) if isinstance(state, float) else c.bell_vector(state)
    table = np.empty((2, 2))
    for i, j in product((0, 1), repeat=2):
        projectors = [
            (
                np.eye(2)
                + (-1) ** k * np.array([[math.cos(v), math.sin(v)], [math.sin(v), -math.cos(v)]])
            )
            / 2
            for k, v in ((i, a), (j, b))
        ]
        # Qubit 0 is the least significant, so the right factor.
        table[i, j] = np.vdot(vector, np.kron(projectors[1], projectors[0]) @ vector).real
    return table


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("state", c.BELL_STATES)
def test_every_bell_state_reaches_tsirelson(
    exact_behaviour: Any, state: str, swapped: bool, mode: dict[str, Any]
) -> None:
    test = c.chsh(state=state, swapped=swapped, **mode)
    behaviour = exact_behaviour(test)
    assert test.game.bell_value(behaviour) == pytest.approx(2 * math.sqrt(2), abs=1e-12)
    np.testing.assert_allclose(behaviour, ideal(test), atol=1e-12)
    # The four correlators are alike: +, +, + and - 1/sqrt 2.
    np.testing.assert_allclose(
        test.game.correlators(behaviour), np.array([1, 1, 1, -1]) / math.sqrt(2), atol=1e-12
    )


@pytest.mark.parametrize("mode", MODES)
@settings(deadline=None, max_examples=25)
@given(
    state=st.one_of(st.sampled_from(c.BELL_STATES), ANGLE),
    angles=st.tuples(st.tuples(ANGLE, ANGLE), st.tuples(ANGLE, ANGLE)),
)
def test_any_angles_follow_the_born_rule(
    exact_behaviour: Any, mode: dict[str, Any], state: Any, angles: Any
) -> None:
    test = c.chsh(state=state, angles=angles, **mode)
    expected = np.array(
        [born(state, angles[0][x], angles[1][y]) for x, y in product((0, 1), repeat=2)]
    )
    np.testing.assert_allclose(exact_behaviour(test), expected, atol=1e-10)
    np.testing.assert_allclose(ideal(test), expected, atol=1e-10)


def test_a_swapped_partial_pair_with_uneven_angles(exact_behaviour: Any) -> None:
    angles = ((0.3, 1.9), (-0.4, 2.2))
    for mode in MODES:
        straight = exact_behaviour(c.chsh(state=0.4, angles=angles, **mode))
        mirrored = exact_behaviour(c.chsh(state=0.4, angles=angles, swapped=True, **mode))
        np.testing.assert_allclose(straight, mirrored, atol=1e-12)
        # The case can tell Alice from Bob.
        assert abs(straight - straight.transpose(0, 2, 1)).max() > 0.1


@pytest.mark.parametrize("state", ["phi+", "psi-"])
@pytest.mark.parametrize("coins", ["controlled", "feed-forward"])
def test_coins_give_all_sixteen_probabilities(
    exact_distribution: Any, state: str, coins: Any
) -> None:
    (circuit,) = c.chsh(state=state, settings="per-shot", coins=coins).circuits
    found = exact_distribution(circuit)
    for x, y, a, b in product((0, 1), repeat=4):
        wins = (a ^ b) == (x & y)
        # Tsirelson: each question with 1/4, won with (2 + sqrt 2)/4, answers alone unbiased.
        expected = (2 + (1 if wins else -1) * math.sqrt(2)) / 32
        assert found[x + 2 * y + 4 * a + 8 * b] == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=30)
@given(st.floats(-1.5, 1.5))
def test_partial_pairs_reach_the_horodecki_optimum(exact_behaviour: Any, angle: float) -> None:
    test = c.chsh(state=angle)
    best = 2 * math.sqrt(1 + math.sin(2 * angle) ** 2)
    assert test.game.bell_value(exact_behaviour(test)) == pytest.approx(best, abs=1e-9)
    # A second route to the optimum: the two largest eigenvalues of T^t T.
    vector = c.partial_pair_vector(angle)
    t = np.array(
        [
            [Statevector(vector).expectation_value(SparsePauliOp(p + q)).real for p in "XYZ"]
            for q in "XYZ"
        ]
    )
    largest = np.linalg.eigvalsh(t.T @ t)[-2:].sum()
    assert best == pytest.approx(2 * math.sqrt(largest), abs=1e-9)


def test_the_product_state_scores_root_two(exact_behaviour: Any) -> None:
    for mode in MODES:
        test = c.chsh(state="product", **mode)
        assert test.game.bell_value(exact_behaviour(test)) == pytest.approx(math.sqrt(2), abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(st.tuples(*[st.floats(0, 2 * math.pi)] * 4), st.sampled_from(c.BELL_STATES))
def test_no_product_state_beats_root_two_at_the_default_angles(
    exact_behaviour: Any, at: tuple[float, ...], state: str
) -> None:
    one, other = (
        np.array([math.cos(theta / 2), np.exp(1j * phi) * math.sin(theta / 2)])
        for theta, phi in (at[:2], at[2:])
    )
    test = c.chsh(state=state)
    behaviour = exact_behaviour(test, np.kron(other, one))
    # quant-ph/0604145: S <= sqrt 2 for separable states at orthogonal settings.
    assert abs(test.game.bell_value(behaviour)) <= math.sqrt(2) + 1e-9


@pytest.mark.parametrize("state", c.BELL_STATES)
@pytest.mark.parametrize("m", [2, 3, 5])
def test_chained(exact_behaviour: Any, m: int, state: str) -> None:
    test = c.chained_chsh(m, state=state)
    behaviour = exact_behaviour(test)
    wins = test.game.table() * behaviour
    np.testing.assert_allclose(
        wins.reshape(2 * m, -1).sum(axis=1), 0.5 + 0.5 * math.cos(math.pi / (2 * m)), atol=1e-12
    )
    np.testing.assert_allclose(behaviour, ideal(test), atol=1e-12)


@pytest.mark.parametrize(
    ("state", "curve"),
    [
        ("phi+", lambda a, b: math.cos(a - b)),
        ("phi-", lambda a, b: math.cos(a + b)),
        ("psi+", lambda a, b: -math.cos(a + b)),
        ("psi-", lambda a, b: -math.cos(a - b)),
        ("product", lambda a, b: math.cos(a) * math.cos(b)),
    ],
)
def test_fringe(exact_behaviour: Any, state: str, curve: Any) -> None:
    alice = 0.7
    test = c.fringe(state=state, alice=alice, points=9)
    expected = [curve(alice, 2 * math.pi * j / 8) for j in range(9)]
    behaviour = exact_behaviour(test)
    np.testing.assert_allclose(test.game.correlators(behaviour), expected, atol=1e-12)
    np.testing.assert_allclose(test.details["curve"], expected, atol=1e-12)
    np.testing.assert_allclose(behaviour, ideal(test), atol=1e-12)
    assert test.game.settings == (1, 9)
    assert test.game.label(2) == "a=40.11 deg b=90 deg"


def test_fringe_at_given_angles(exact_behaviour: Any) -> None:
    test = c.fringe(angles=[0.25, -1.5], state=0.3)
    expected = [math.cos(0.25), math.cos(-1.5)]
    np.testing.assert_allclose(test.game.correlators(exact_behaviour(test)), expected, atol=1e-12)


def test_layout_and_bits_of_the_coin_circuit() -> None:
    for coins in ("controlled", "feed-forward"):
        straight = c.chsh(settings="per-shot", coins=coins)
        assert straight.roles == ("coin A", "A", "B", "coin B")
        assert straight.parties == ((0, 1), (2, 3))
        mirrored = c.chsh(settings="per-shot", coins=coins, swapped=True)
        assert mirrored.roles == ("coin B", "B", "A", "coin A")
        assert mirrored.parties == ((2, 3), (0, 1))
        for test in (straight, mirrored):
            (circuit,) = test.circuits
            names = [g.operation.name for g in circuit.data]
            # Coins are measured right after the barrier, before any basis is turned.
            assert names[names.index("barrier") + 1 :][:2] == ["measure", "measure"]
            measured = {
                circuit.find_bit(g.clbits[0]).index: circuit.find_bit(g.qubits[0]).index
                for g in circuit.data
                if g.operation.name == "measure"
            }
            by_role = [test.roles[measured[bit]] for bit in range(4)]
            assert by_role == ["coin A", "coin B", "A", "B"]
            assert (test.chosen, test.source) == ("per-shot", "device")
    assert c.chsh(settings="per-shot").couplings == ((0, 1), (1, 2), (2, 3))
    assert c.chsh(settings="per-shot", coins="feed-forward").couplings == ((1, 2),)
    assert c.chsh().couplings == ((0, 1),)


def test_rotations_of_coins_take_the_short_way() -> None:
    for state in c.BELL_STATES:
        (circuit,) = c.chsh(state=state, settings="per-shot").circuits
        turns = [g.operation.params[0] for g in circuit.data if g.operation.name == "cry"]
        np.testing.assert_allclose(np.abs(turns), math.pi / 2, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: c.chsh(state="bell"), "state must be one of .* but was 'bell'"),
        (lambda: c.chsh(state="0.3"), "state must be one of"),
        (lambda: c.chsh(state="partial:x"), "state must be one of"),
        (lambda: c.chsh(state=math.inf), "state must be one of"),
        (lambda: c.chsh(state=True), "state must be one of"),
        (lambda: c.chsh(settings="random"), "settings must be 'per-circuit' or 'per-shot'"),  # type: ignore[arg-type]
        (lambda: c.chsh(settings="per-shot", coins="real"), "coins must be"),  # type: ignore[arg-type]
        (lambda: c.chsh(angles=(1, 2, 3)), "angles must be"),  # type: ignore[arg-type]
        (lambda: c.chsh(angles=((0, 1), (2,))), "angles of Bob must be 2 finite"),
        (lambda: c.chsh(angles=((0, math.nan), (2, 1))), "angles of Alice must be 2 finite"),
        (lambda: c.chained_chsh(1), "m must be at least 2"),
        (lambda: c.chained_chsh(3, state="product"), "state must be one of"),
        (lambda: c.fringe(points=1), "points must be at least 2"),
        (lambda: c.fringe(angles=[]), "angles must be one or more finite"),
        (lambda: c.fringe(points=300), "number of angles must be from 1 to 256"),
    ],
)
def test_wrong_arguments_are_named(call: Any, text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        call()


def test_a_partial_pair_has_one_name_however_it_is_given() -> None:
    assert c.chsh(state="partial:0.3").id == c.chsh(state=0.3).id
    assert c.chsh(state=np.float64(0.3)).name == "chsh:partial:0.3:per-circuit"
