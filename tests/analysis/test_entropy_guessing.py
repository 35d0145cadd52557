"""Guessing probabilities by programs: the solver, what it proves, and adversaries free of quantum."""

from __future__ import annotations

import json
import math
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebit.analysis import npa
from ebit.analysis.entropy_attack import guessing_attack
from ebit.analysis.entropy_round import (
    TSIRELSON,
    guessing_both,
    guessing_no_signalling,
    guessing_one,
)
from ebit.analysis.guessing import (
    behaviour_moments,
    guessing_probability,
    no_signalling_guessing,
)
from ebit.analysis.npa import BASIS, MONOMIALS, OBSERVED, best_functional, bet_projectors
from ebit.games import ArgumentError, MissingExtraError, chsh

Array = npt.NDArray[np.float64]


def behaviour(moments: Array) -> Array:
    """p(ab|xy) from the nine moments, the other way round from `behaviour_moments`."""
    _, b0, b1, a0, e00, e01, a1, e10, e11 = moments
    a, b, e = (a0, a1), (b0, b1), ((e00, e01), (e10, e11))
    p = np.empty((2, 2, 2, 2))
    for x, y, i, j in product((0, 1), repeat=4):
        s, t = 1 - 2 * i, 1 - 2 * j
        p[x, y, i, j] = (1 + s * a[x] + t * b[y] + s * t * e[x][y]) / 4
    return p


def isotropic(s: float) -> Array:
    return behaviour(np.array([1, 0, 0, 0, s / 4, s / 4, 0, s / 4, -s / 4]))


def random_quantum(rng: np.random.Generator) -> Array:
    """A behaviour of two qubits with some noise, away from the boundary and from fair outcomes."""
    state = rng.normal(size=4)
    state /= np.linalg.norm(state)
    rho = 0.95 * np.outer(state, state) + 0.05 * np.eye(4) / 4
    party = [
        [np.array([[math.cos(t), math.sin(t)], [math.sin(t), -math.cos(t)]]) for t in pair]
        for pair in rng.uniform(0, 2 * math.pi, (2, 2))
    ]
    words = [[np.eye(2), *side] for side in party]
    return np.array([np.trace(rho @ np.kron(u, v)) for u in words[0] for v in words[1]])


def test_moments() -> None:
    assert len(MONOMIALS) == 17  # 25 products of two words each, their adjoints taken as one
    assert MONOMIALS[:OBSERVED] == BASIS
    rng = np.random.default_rng(5)
    moments = random_quantum(rng)
    assert np.allclose(behaviour_moments(behaviour(moments)), moments)
    assert np.allclose(behaviour_moments(behaviour(moments).reshape(4, 2, 2)), moments)
    for outputs, bets in (("A", 2), ("B", 2), ("AB", 4)):
        projectors = bet_projectors(outputs, (1, 0))
        assert np.allclose(projectors.sum(axis=0), np.eye(OBSERVED)[0])
        p = behaviour(moments)[1, 0]
        want = {"A": p.sum(axis=1), "B": p.sum(axis=0), "AB": p.ravel()}[outputs]
        assert len(projectors) == bets
        assert np.allclose(projectors @ moments, want)


@pytest.mark.parametrize(
    ("s", "both"),
    [(2.2, 0.09593), (2.4, 0.23548), (2.6, 0.44561), (2.8, 0.91052)],  # formulas section 9
)
def test_solver_gives_the_published_values(s: float, both: float) -> None:
    assert guessing_probability(s).min_entropy == pytest.approx(both, abs=5e-6)
    for outputs in ("A", "B"):
        one = guessing_probability(s, outputs=outputs, setting=(1, 1))  # type: ignore[arg-type]
        assert one.p_guess == pytest.approx(guessing_one(s), abs=2e-7)
    for setting in ((0, 1), (1, 1)):
        moved = guessing_probability(-s, setting=setting)
        assert moved.min_entropy == pytest.approx(both, abs=5e-6)


def test_table_follows_the_solver() -> None:
    # The table never promises more than the solver finds, and at most .001 bits less.
    for s in np.linspace(2.001, 2.8281, 25):
        solver = guessing_probability(float(s)).p_guess
        loss = math.log2(guessing_both(float(s)) / solver)
        assert -1e-6 < loss < 1e-3
    # At the end the chance is cos^2(pi/8)/2; the solver itself stops short there.
    exact = math.cos(math.pi / 8) ** 2 / 2
    assert 0 < math.log2(guessing_both(TSIRELSON) / exact) < 1e-3
    assert 0 < guessing_probability(TSIRELSON).p_guess - exact < 2e-4


def test_a_bound_holds_however_bad_the_solver() -> None:
    # Any positive matrices and any proposal are made into a bound by the repair.
    rng = np.random.default_rng(6)
    bets = bet_projectors("AB", (0, 1))
    for size in (0.1, 1.0, 30.0):
        half = rng.normal(size=(4, 9, 9)) * size
        junk = half - half.transpose(0, 2, 1) * rng.uniform(-1, 1)
        found = npa._repaired(rng.normal(size=9) * size, junk, bets)
        for _ in range(50):
            moments = random_quantum(rng)
            assert found.value(moments) >= float((bets @ moments).max())
        attack = guessing_attack(2.5)
        at = behaviour_moments(np.tensordot(attack.weights, attack.behaviours, 1))
        assert found.value(at) >= attack.p_guess


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["A", "AB"]))
def test_the_behaviour_tells_no_less_than_s(seed: int, outputs: Any) -> None:
    rng = np.random.default_rng(seed)
    moments = random_quantum(rng)
    p = behaviour(moments)
    whole = guessing_probability(p, outputs=outputs)
    s = float(moments[[4, 5, 7]].sum() - moments[8])
    alone = guessing_probability(s, outputs=outputs)
    limited = no_signalling_guessing(p, outputs=outputs)
    likeliest = float((bet_projectors(outputs, (0, 0)) @ moments).max())
    assert likeliest - 1e-9 <= whole.p_guess <= min(alone.p_guess, limited.p_guess) + 1e-6
    # The functional is a bound for other behaviours too, not for this one alone.
    other = random_quantum(rng)
    for bound in (whole, alone, limited):
        value = float((bound.functional * behaviour(other).reshape(4, 2, 2)).sum())
        assert value >= float((bet_projectors(outputs, (0, 0)) @ other).max()) - 1e-9


@pytest.mark.parametrize("outputs", ["A", "AB"])
@pytest.mark.parametrize("s", [2.4, 2.75])
def test_the_best_attack_is_exactly_as_good_as_its_behaviour_allows(outputs: Any, s: float) -> None:
    attack = guessing_attack(s, outputs=outputs)
    seen = np.tensordot(attack.weights, attack.behaviours, 1)
    bound = guessing_probability(seen, outputs=outputs)
    assert bound.p_guess == pytest.approx(attack.p_guess, abs=1e-5)
    assert bound.p_guess >= attack.p_guess - 1e-9
    assert chsh().value(seen) == pytest.approx(0.5 + attack.S / 8)


def test_functional_of_a_negative_s() -> None:
    for solve in (guessing_probability, no_signalling_guessing):
        bound = solve(-2.5)  # type: ignore[operator]
        p = isotropic(-2.5)
        assert float((bound.functional * p.reshape(4, 2, 2)).sum()) == pytest.approx(bound.p_guess)


def test_no_signalling_by_the_vertices() -> None:
    # A box mixed with white noise: as from S alone, since she may know each of 16 deterministic
    # behaviours that add up to noise.
    for s in (1.0, 2.0, 2.6, 3.0, 4.0):
        bound = no_signalling_guessing(isotropic(s), outputs="A")
        assert bound.p_guess == pytest.approx(guessing_no_signalling(s, most=4), abs=1e-9)
    # A biased deterministic mixture is known to her all the same.
    mixed = behaviour(np.array([1, 0.2, 0.2, 0.6, 0.5, 0.5, 0.6, 0.5, 0.5]))
    assert no_signalling_guessing(mixed).p_guess == pytest.approx(1)
    assert no_signalling_guessing(mixed).min_entropy == 0


def test_results_say_what_they_are() -> None:
    bound = no_signalling_guessing(2.6)
    assert bound.adversary == "no-signalling"
    assert "against a no-signalling adversary" in str(bound)
    plain = json.loads(json.dumps(bound.to_dict()))
    assert plain["given"] == "S"
    assert plain["setting"] == [0, 0]
    assert any("n rounds" in line for line in plain["not_given"])
    assert "against a quantum adversary" in str(guessing_probability(2.6, outputs="A"))


def test_bad_input() -> None:
    with pytest.raises(ArgumentError, match="'A', 'B' or 'AB', but was 'C'"):
        guessing_probability(2.5, outputs="C")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"two bits \(x, y\), but was \(0, 2\)"):
        guessing_probability(2.5, setting=(0, 2))
    with pytest.raises(ArgumentError, match=r"at most 2\.828427.*was 2\.9: a fault of the data"):
        guessing_probability(2.9)
    with pytest.raises(ArgumentError, match=r"at most 2\.828427.*was nan"):
        no_signalling_guessing(math.nan)
    with pytest.raises(ArgumentError, match=r"shape \(4, 2, 2\).*has \(2, 2\)"):
        guessing_probability(np.ones((2, 2)))
    with pytest.raises(ArgumentError, match="probabilities"):
        guessing_probability(np.full((4, 2, 2), 0.3))
    with pytest.raises(ArgumentError, match="probabilities"):
        guessing_probability(np.full((4, 2, 2), math.nan))
    signalling = isotropic(2.5)
    signalling[0, 0] = [[0.5, 0.5], [0, 0]]
    with pytest.raises(ArgumentError, match=r"must not signal.*moves by 0\.5"):
        no_signalling_guessing(signalling)
    with pytest.raises(ArgumentError, match="quantum mechanics allows"):
        guessing_probability(isotropic(3.2))


def test_without_the_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(npa, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r"ebit\[sdp\]"):
        best_functional(np.eye(OBSERVED)[0], bet_projectors("A", (0, 0)))
    assert no_signalling_guessing(2.5).p_guess == pytest.approx(0.875)
    assert guessing_both(2.5) < 0.8
