"""Entropy of one round: the table of formulas section 9, and each closed form by a second route."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebit.analysis.entropy_attack import guessing_attack
from ebit.analysis.entropy_round import (
    TSIRELSON,
    guessing_both,
    guessing_no_signalling,
    guessing_one,
    min_entropy_both,
    min_entropy_one,
    min_entropy_one_slope,
    no_signalling_min_entropy,
    von_neumann_entropy_one,
    von_neumann_entropy_one_slope,
    von_neumann_entropy_one_wins,
)
from ebit.analysis.guessing import no_signalling_guessing
from ebit.games import ArgumentError

Array = npt.NDArray[np.float64]

# Formulas section 9: S, H_min(A), H_vN(A), H_min(AB); against quantum side information.
TABLE = [
    (2.2, 0.082515, 0.157288, 0.09593),
    (2.4, 0.194021, 0.346112, 0.23548),
    (2.6, 0.361438, 0.581580, 0.44561),
    (2.8, 0.736966, 0.918531, 0.91052),
    (TSIRELSON, 1.0, 1.0, 1.2284),
]
ALL: list[Callable[..., float]] = [
    guessing_one,
    min_entropy_one,
    min_entropy_one_slope,
    von_neumann_entropy_one,
    von_neumann_entropy_one_slope,
    guessing_no_signalling,
    no_signalling_min_entropy,
    guessing_both,
    min_entropy_both,
]
inside = st.floats(2.0, TSIRELSON)


@pytest.mark.parametrize(("s", "one", "neumann", "both"), TABLE)
def test_table_of_formulas(s: float, one: float, neumann: float, both: float) -> None:
    assert min_entropy_one(s) == pytest.approx(one, abs=5e-7)
    assert von_neumann_entropy_one(s) == pytest.approx(neumann, abs=5e-7)
    assert von_neumann_entropy_one_wins(0.5 + s / 8) == pytest.approx(neumann, abs=5e-7)
    assert both - 1e-3 < min_entropy_both(s) < both + 5e-5


@pytest.mark.parametrize("function", ALL)
def test_shapes_signs_and_the_local_bound(function: Callable[..., float]) -> None:
    values = np.array([[0.0, -1.7, 2.0], [2.3, -2.3, TSIRELSON + 1e-10]])
    with np.errstate(all="raise"):
        found = np.asarray(function(values))
        assert found.shape == values.shape
        for s, one in zip(values.ravel(), found.ravel(), strict=True):
            alone = function(float(s))
            assert type(alone) is float
            assert alone == one
    odd = -1 if "slope" in function.__name__ else 1
    assert found[1, 1] == odd * found[1, 0]
    if function not in (min_entropy_one_slope, von_neumann_entropy_one_slope):
        assert set(found[0]) == {1.0 if "guessing" in function.__name__ else 0.0}


@pytest.mark.parametrize("function", ALL)
@pytest.mark.parametrize("s", [2.83, -2.9, 4.1, math.nan, math.inf, np.array([2.1, math.nan])])
def test_beyond_quantum_is_a_fault_of_the_data(function: Callable[..., float], s: float) -> None:
    with pytest.raises(ArgumentError, match="a fault of the data"):
        function(s)


def test_tolerance_is_stated_and_checked() -> None:
    assert min_entropy_one(2.83, tolerance=0.01) == 1.0
    with pytest.raises(ArgumentError, match=r"tolerance.*was 1\.5"):
        min_entropy_one(2.5, tolerance=1.5)
    with pytest.raises(ArgumentError, match=r"at most 2\.828427.*was 2\.840000"):
        min_entropy_one(2.84, tolerance=0.01)
    with pytest.raises(ArgumentError, match="fault"):
        von_neumann_entropy_one_wins(0.86)
    assert no_signalling_min_entropy(4.0, most=4) == 1.0
    with pytest.raises(ArgumentError, match="the most that probability allows"):
        no_signalling_min_entropy(4.1, most=4)


@given(inside)
def test_order_of_the_adversaries(s: float) -> None:
    # An adversary free of quantum mechanics knows more; two outputs hold no less than one.
    assert no_signalling_min_entropy(s) <= min_entropy_one(s) + 1e-12
    assert min_entropy_one(s) <= min_entropy_both(s) + 7e-4
    assert no_signalling_min_entropy(s) <= min_entropy_both(s) + 2e-7
    assert min_entropy_one(s) <= von_neumann_entropy_one(s) + 1e-12


@given(st.floats(2.001, 2.827))
def test_slopes_are_derivatives(s: float) -> None:
    d = 1e-6
    for curve, slope in (
        (min_entropy_one, min_entropy_one_slope),
        (von_neumann_entropy_one, von_neumann_entropy_one_slope),
    ):
        numeric = (curve(s + d) - curve(s - d)) / (2 * d)
        assert slope(s) == pytest.approx(numeric, rel=1e-4)
    # Convex in S: tangents lie below.
    at = np.linspace(2, TSIRELSON, 50)
    tangent = von_neumann_entropy_one(s) + von_neumann_entropy_one_slope(s) * (at - s)
    assert np.all(tangent <= von_neumann_entropy_one(at) + 1e-12)


def test_slopes_at_the_ends() -> None:
    assert von_neumann_entropy_one_slope(2.0) == pytest.approx(2 / (4 * math.log(2)))
    assert min_entropy_one_slope(2.0) == pytest.approx(2 / (8 * math.log(2)))
    assert min_entropy_one_slope(TSIRELSON) == math.inf
    assert von_neumann_entropy_one_slope(TSIRELSON) > 5


@pytest.mark.parametrize("s", [2.0, 2.05, 2.4, 2.8, TSIRELSON])
def test_one_output_is_reached_by_a_strategy(s: float) -> None:
    attack = guessing_attack(s, outputs="A")
    assert abs(attack.S - s) < 1e-6
    assert guessing_one(attack.S) == pytest.approx(attack.p_guess, abs=1e-9)


def entropy(rho: npt.NDArray[np.complex128]) -> float:
    values = np.linalg.eigvalsh(rho)
    values = values[values > 1e-15]
    return float(-(values * np.log2(values)).sum())


def spin(angle: float) -> Array:
    return np.array(
        [[math.cos(angle), math.sin(angle)], [math.sin(angle), -math.cos(angle)]], dtype=float
    )


def held_back(rho: npt.NDArray[np.complex128], a: Array) -> float:
    """H(A|E) when Eve holds the purification: her state given a has the spectrum of AB's."""
    total = -entropy(rho)
    for sign in (1, -1):
        effect = np.kron((np.eye(2) + sign * a) / 2, np.eye(2))
        part = effect @ rho @ effect
        p = float(np.trace(part).real)
        if p > 1e-12:
            total += -p * math.log2(p) + p * entropy(part / p)
    return total


def test_von_neumann_entropy_is_reached_and_never_undercut() -> None:
    # Acin et al., PRL 98, 230501 (2007): the collective attack that reaches the bound.
    phi = np.zeros((2, 4))
    phi[:, [0, 3]] = [[1, 1], [1, -1]]
    phi /= math.sqrt(2)
    for s in (2.1, 2.4, 2.7, 2.82):
        c = math.sqrt(s * s / 4 - 1)
        rho = (1 + c) / 2 * np.outer(phi[0], phi[0]) + (1 - c) / 2 * np.outer(phi[1], phi[1])
        a, b = (spin(0), spin(math.pi / 2)), (spin(math.atan(c)), spin(-math.atan(c)))
        bell = np.kron(a[0], b[0] + b[1]) + np.kron(a[1], b[0] - b[1])
        assert np.trace(rho @ bell) == pytest.approx(s)
        assert held_back(rho.astype(complex), a[0]) == pytest.approx(von_neumann_entropy_one(s))
    rng = np.random.default_rng(1)
    above = 0
    for _ in range(3000):
        angles = rng.normal(0, 0.3, 4) + np.array([0, math.pi / 2, math.pi / 4, -math.pi / 4])
        a, b = (spin(angles[0]), spin(angles[1])), (spin(angles[2]), spin(angles[3]))
        noise = rng.normal(size=(4, 3)) + 1j * rng.normal(size=(4, 3))
        mixed = noise @ noise.conj().T
        v = rng.uniform(0.7, 1)
        rho = v * np.outer(phi[0], phi[0]) + (1 - v) * mixed / np.trace(mixed).real
        bell = np.kron(a[0], b[0] + b[1]) + np.kron(a[1], b[0] - b[1])
        s = float(np.trace(rho @ bell).real)
        above += s > 2
        # One state of given S need not be the best for Eve, who may also mix: the curve is convex.
        assert held_back(rho, a[0]) >= von_neumann_entropy_one(s) - 1e-9
    assert above > 300


@pytest.mark.parametrize("outputs", ["A", "B", "AB"])
@pytest.mark.parametrize("s", [-2.6, 0.0, 1.9, 2.0, 2.3, TSIRELSON, 3.5, 4.0])
def test_no_signalling_by_linear_program(outputs: str, s: float) -> None:
    found = no_signalling_guessing(s, outputs=outputs, setting=(1, 0), most=4)  # type: ignore[arg-type]
    assert found.p_guess == pytest.approx(guessing_no_signalling(s, most=4), abs=1e-9)
