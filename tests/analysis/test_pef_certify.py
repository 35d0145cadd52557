"""The proven limit of a PEF's constraint: against brute force, higher dimensions, and its lemmas."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from ebit.analysis import pef_certify
from ebit.analysis.pef_certify import certify
from ebit.analysis.pef_constraint import constraint, extreme_settings, powers, two_qubit_behaviour
from ebit.analysis.pef_design import fit_factor, starting_behaviours
from ebit.games import ArgumentError, chsh

Floats = npt.NDArray[np.float64]
FAIR = np.full((2, 2), 0.25)
SIGN = np.array([1.0, -1.0])
# The optimum at S = 2.6, n = 10^6, epsilon = 2^-64, before any proof.
GOOD = np.tile([0.97601510, 1.00799496], (2, 2, 1))


def tables() -> list[tuple[Floats, float, Floats]]:
    rng = np.random.default_rng(11)
    out = [(GOOD, 0.003, FAIR), (GOOD, 0.003, extreme_settings(0.02)[1])]
    for beta in (0.05, 0.5):
        q = rng.dirichlet(np.ones(4) * 3).reshape(2, 2)
        out.append((np.exp(beta * rng.normal(0, 2, (2, 2, 2))), beta, q))
    return out


def many(rng: np.random.Generator, n: int) -> Floats:
    """n behaviours of two qubits in a plane each, a third of them near local deterministic ones."""
    theta = rng.uniform(0, math.pi / 2, n)
    angles = rng.uniform(0, 2 * math.pi, (4, n))
    near = rng.random(n) < 1 / 3
    theta[near] = np.abs(rng.normal(0, 0.1, near.sum()))
    angles[:, near] = rng.integers(0, 2, (4, near.sum())) * math.pi
    angles += rng.normal(0, 0.05, angles.shape)
    c, s = np.cos(theta), np.sin(theta)
    al, be = angles[:2].T, angles[2:].T
    a, b = SIGN[:, None], SIGN[None, :]
    ca, cb = np.cos(al)[:, :, None, None, None], np.cos(be)[:, None, :, None, None]
    sa, sb = np.sin(al)[:, :, None, None, None], np.sin(be)[:, None, :, None, None]
    c, s = c[:, None, None, None, None], s[:, None, None, None, None]
    return np.asarray(0.25 * (1 + c * (a * ca + b * cb) + a * b * (ca * cb + s * sa * sb)))


def climbed(table: Floats, beta: float, q: Floats, starts: Floats) -> float:
    def fall(v: Floats) -> float:
        p = two_qubit_behaviour(v[0], v[1:3], v[3:])
        return (1 - constraint(table, beta, q, p)) / beta

    return max(1 - beta * float(optimize.minimize(fall, v, method="BFGS").fun) for v in starts)


@pytest.mark.parametrize("case", range(4))
def test_brute_force_stays_below_and_comes_near(case: int) -> None:
    table, beta, q = tables()[case]
    proof = certify(table, beta, q, tolerance=1e-3)
    rng = np.random.default_rng(case)
    values = np.einsum("xyk,xy,nxyk->n", table, q, powers(many(rng, 100_000), beta))
    starts = np.r_[rng.uniform(0, 2 * math.pi, (30, 5)), [np.array(proof.point)]]
    best = max(climbed(table, beta, q, starts), float(values.max()))
    assert best <= proof.bound
    assert proof.bound <= best + 1.2e-3 * beta
    assert proof.found <= best + 1e-12


def test_the_target_is_the_precision_asked_for() -> None:
    for tolerance in (0.1, 0.01, 0.001):
        proof = certify(GOOD, 0.003, FAIR, tolerance=tolerance)
        assert proof.bound - proof.found <= tolerance * 0.003 * (1 + 1e-6)
        assert proof.found == pytest.approx(1, abs=1e-7)


def random_behaviour(rng: np.random.Generator, dims: tuple[int, int]) -> Floats:
    """Any pure or mixed state, any projective measurements in complex space, by Born's rule."""

    def observables(d: int) -> list[npt.NDArray[np.complex128]]:
        out = []
        for _ in range(2):
            u, _ = np.linalg.qr(rng.normal(size=(d, d)) + 1j * rng.normal(size=(d, d)))
            out.append((u * rng.choice([-1.0, 1.0], d)) @ u.conj().T)
        return out

    d = dims[0] * dims[1]
    m = rng.normal(size=(d, rng.integers(1, 3))) + 1j * rng.normal(size=(d, 1))
    rho = m @ m.conj().T
    rho /= np.trace(rho).real
    alice, bob = observables(dims[0]), observables(dims[1])
    p = np.empty((2, 2, 2, 2))
    for x, y, a, b in product(range(2), repeat=4):
        left = (np.eye(dims[0]) + SIGN[a] * alice[x]) / 2
        right = (np.eye(dims[1]) + SIGN[b] * bob[y]) / 2
        p[x, y, a, b] = np.trace(rho @ np.kron(left, right)).real
    return p


@pytest.mark.parametrize("case", range(4))
def test_larger_systems_and_complex_measurements_stay_below(case: int) -> None:
    table, beta, q = tables()[case]
    bound = certify(table, beta, q, tolerance=0.01).bound
    rng = np.random.default_rng(100 + case)
    for dims in ((2, 2), (2, 3), (3, 3), (4, 4)):
        for _ in range(60):
            assert constraint(table, beta, q, random_behaviour(rng, dims)) <= bound


def test_local_points_are_allowed_and_post_quantum_ones_are_not() -> None:
    local = starting_behaviours()[:16]
    values = np.array([constraint(GOOD, 0.003, FAIR, p) for p in local])
    # Eight deterministic strategies win three questions of four: 3/4 Fw + 1/4 Fl = 1 is active.
    assert np.sum(np.abs(values - 1) < 1e-7) == 8
    assert values.max() <= certify(GOOD, 0.003, FAIR).bound
    box = np.zeros((2, 2, 2, 2))
    for x, y, a in product(range(2), repeat=3):
        box[x, y, a, a ^ (x & y)] = 0.5
    assert constraint(GOOD, 0.003, FAIR, box) > 1 + 0.003
    # Between Tsirelson's behaviour and the box: outside the quantum set, and found out.
    quantum = starting_behaviours()[16]
    assert constraint(GOOD, 0.003, FAIR, 0.9 * quantum + 0.1 * box) > 1 + 3e-4


def test_winning_is_what_the_game_says() -> None:
    table = chsh().table()  # (questions, 2, 2): which answers win
    for k, (x, y) in enumerate(product(range(2), repeat=2)):
        for a, b in product(range(2), repeat=2):
            p = np.zeros((2, 2, 2, 2))
            p[x, y, a, b] = 1
            assert bool(powers(p, 0.3)[x, y, 1]) == bool(table[k, a, b])


@given(
    theta=st.floats(0, math.pi / 2),
    angles=st.lists(st.floats(0, 2 * math.pi), min_size=4, max_size=4),
)
@settings(max_examples=200, deadline=None)
def test_the_lemma_on_second_derivatives(theta: float, angles: list[float]) -> None:
    # d2p/du2 = m - p, where p - m sum to 0 and their sizes to at most 1, for each question.
    h = 1e-4
    v = np.array([theta, *angles])
    p = two_qubit_behaviour(v[0], v[1:3], v[3:])
    assert p.min() >= -1e-15
    for k in range(5):
        up, down = v.copy(), v.copy()
        up[k] += h
        down[k] -= h
        second = two_qubit_behaviour(up[0], up[1:3], up[3:]) - 2 * p
        second = (second + two_qubit_behaviour(down[0], down[1:3], down[3:])) / h**2
        assert np.abs(second.sum(axis=(2, 3))).max() < 1e-6
        assert np.abs(second).sum(axis=(2, 3)).max() <= 1 + 1e-6


def test_symmetry_saves_cells_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    short = certify(GOOD, 0.003, FAIR, tolerance=3e-3)
    monkeypatch.setattr(pef_certify, "_bob_symmetric", lambda table, q: False)
    full = certify(GOOD, 0.003, FAIR, tolerance=3e-3)
    assert short.cells < 0.7 * full.cells
    assert short.bound == pytest.approx(full.bound, abs=1e-12)


def test_giving_up_early_is_sound() -> None:
    wide = certify(GOOD, 0.003, FAIR, tolerance=1e-3, most=100)
    assert wide.step > 0.05
    assert wide.bound > 1 + 0.003 * 0.01


def test_biased_settings_are_the_corners_of_both_orders() -> None:
    tau, rng = 0.07, np.random.default_rng(2)
    limit = max(certify(GOOD, 0.003, q, tolerance=0.01).bound for q in extreme_settings(tau))
    points = many(rng, 2000)
    won = powers(points, 0.003)
    for _ in range(200):
        first, second = rng.uniform(0.5 - tau, 0.5 + tau), rng.uniform(0.5 - tau, 0.5 + tau, 2)
        q = np.array([1 - first, first])[:, None] * np.stack([1 - second, second], axis=1)
        for law in (q, q.T):
            assert np.einsum("xyk,xy,nxyk->n", GOOD, law, won).max() <= limit
    # A deterministic strategy that loses only the rarest question reaches 1 - (1/2 - tau)^2.
    worst = 1.00799496 * (1 - (0.5 - tau) ** 2) + 0.97601510 * (0.5 - tau) ** 2
    assert limit == pytest.approx(worst, abs=0.011 * 0.003)


def test_a_fit_obeys_every_point_and_touches_one() -> None:
    points = starting_behaviours()
    weights = np.random.default_rng(5).dirichlet(np.ones(8)).reshape(2, 2, 2)
    q = weights.sum(axis=2)
    table = fit_factor(weights, 0.02, [q], points, tied=False)
    values = [constraint(table, 0.02, q, p) for p in points]
    assert max(values) == pytest.approx(1, abs=1e-12)
    gain = np.sum(weights * np.log(table))
    rng = np.random.default_rng(6)
    for _ in range(300):  # no feasible neighbour is better
        other = table * np.exp(0.02 * rng.normal(0, 0.3, table.shape))
        other /= max(constraint(other, 0.02, q, p) for p in points)
        assert np.sum(weights * np.log(other)) <= gain + 1e-7


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"factors": np.ones((2, 2))}, "factors"),
        ({"factors": -GOOD}, "factors"),
        ({"factors": GOOD * np.nan}, "factors"),
        ({"beta": 0.0}, "beta"),
        ({"q": FAIR * 2}, "q"),
        ({"tolerance": 0.0}, "tolerance"),
    ],
)
def test_wrong_arguments(change: dict[str, object], word: str) -> None:
    given: dict[str, object] = {"factors": GOOD, "beta": 0.003, "q": FAIR, **change}
    with pytest.raises(ArgumentError, match=f"`{word}`"):
        certify(**given)  # type: ignore[arg-type]


def test_tau_out_of_range() -> None:
    with pytest.raises(ArgumentError, match="`tau`"):
        extreme_settings(0.5)
