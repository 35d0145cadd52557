"""Von Neumann entropy of both outputs: proven lines against explicit states, and their steps."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, optimize

from ebit.analysis import entropy_neumann
from ebit.analysis.entropy_neumann import neumann_both_constant, von_neumann_entropy_both
from ebit.analysis.entropy_round import TSIRELSON, min_entropy_both, von_neumann_entropy_one
from ebit.analysis.entropy_table import NEUMANN_LINES
from ebit.games import ArgumentError

Array = npt.NDArray[np.float64]

Z, X = np.diag([1.0, -1.0]), np.array([[0.0, 1.0], [1.0, 0.0]])


def bell(u: float, v: float) -> Array:
    a, b = math.cos(u) * Z + math.sin(u) * X, math.cos(v) * Z + math.sin(v) * X
    return np.kron(Z, Z + b) + np.kron(a, Z - b)


def bits(p: Array) -> float:
    p = p[p > 1e-15]
    return float(-(p * np.log2(p)).sum())


def held_back(rho: Array) -> float:
    """H(AB|E) of Z and Z when Eve purifies: she is left in a pure state for each pair of outcomes."""
    return bits(np.diag(rho)) - bits(np.linalg.eigvalsh(rho))


def gibbs(t: float, u: float, v: float, p: float) -> Array:
    """The state for which the inequality of Gibbs is tight."""
    s = np.log(np.array([p, 0.5 - p, 0.5 - p, p]))
    rho = linalg.expm(np.diag(s) + t * math.log(2) * bell(u, v))
    return np.asarray(rho / np.trace(rho))


def best_state(t: float) -> tuple[float, float]:
    """S and H(AB|E) of an explicit state that is best at slope t, found with none of our code."""

    def cost(x: Array) -> float:
        rho = gibbs(t, x[0], x[1], 0.5 / (1 + math.exp(-x[2])))
        return held_back(rho) - t * float((rho * bell(x[0], x[1])).sum())

    found = min(
        (
            optimize.minimize(cost, start, method="Nelder-Mead", options={"maxiter": 800})
            for start in ([1.2, 1.2, 1.0], [1.5, 1.5, 1.8], [0.8, 1.8, 2.0], [1.8, 0.8, 2.0])
        ),
        key=lambda one: float(one.fun),
    )
    u, v, x = found.x
    rho = gibbs(t, u, v, 0.5 / (1 + math.exp(-x)))
    return float((rho * bell(u, v)).sum()), held_back(rho)


def test_published_end_and_bounds() -> None:
    # Formulas section 9: 1.6009 at 2 sqrt 2, the entropy of (2 +- sqrt 2)/8 twice each.
    assert bits(np.repeat([(2 + math.sqrt(2)) / 8, (2 - math.sqrt(2)) / 8], 2)) == pytest.approx(
        1.6009, abs=5e-5
    )
    assert 1.6009 - 2e-3 < von_neumann_entropy_both(TSIRELSON) < 1.60088
    s = np.linspace(2, TSIRELSON, 200)
    assert np.all(von_neumann_entropy_both(s) >= min_entropy_both(s) - 2e-3)
    assert np.all(von_neumann_entropy_both(s) >= von_neumann_entropy_one(s) - 2e-3)
    assert von_neumann_entropy_both(np.array([0.0, -1.9, 2.0])).tolist() == [0, 0, 0]
    assert von_neumann_entropy_both(-2.5) == von_neumann_entropy_both(2.5) > 0.6


@pytest.mark.parametrize("t", [1.0, 1.6, 2.5, 5.0, 20.0])
def test_constant_is_the_best_one(t: float) -> None:
    s, h = best_state(t)
    for gap in (1e-3, 1e-5):
        c = neumann_both_constant(t, gap=gap)
        assert -1e-9 <= h - (c + t * s) <= gap + 1e-6
    # And the table is close to this state's entropy, which nobody can go below.
    assert -1e-9 <= h - von_neumann_entropy_both(s) < 2e-3


def test_no_state_goes_below() -> None:
    rng = np.random.default_rng(1)
    above = 0
    for _ in range(4000):
        u, v = rng.uniform(0.5, 2.5, 2)
        vector = np.linalg.eigh(bell(u, v))[1][:, -1] + rng.normal(0, 0.1, 4)
        mix = rng.normal(size=(4, 3))
        noise = rng.exponential(0.05)
        rho = np.outer(vector, vector) / (vector @ vector) + noise * mix @ mix.T / 3
        rho /= np.trace(rho)
        s = float((rho * bell(u, v)).sum())
        above += s > 2.1
        assert held_back(rho) >= von_neumann_entropy_both(s, tolerance=1e-9) - 1e-9
    assert above > 500


def test_stored_lines_are_proven_again() -> None:
    for c, t in NEUMANN_LINES:
        again = neumann_both_constant(t, gap=2e-6)
        assert again - 2e-5 < c <= again


vector = st.floats(-1.1, 1.1)


@settings(max_examples=60, deadline=None)
@given(st.tuples(vector, vector, vector, vector), st.floats(0.05, 30), st.floats(0.01, 0.49))
def test_closed_form_is_the_matrix(corner: tuple[float, ...], t: float, p: float) -> None:
    at = np.array(corner)
    a, b = at[0] * Z + at[1] * X, at[2] * Z + at[3] * X
    s = np.diag(np.log(np.array([p, 0.5 - p, 0.5 - p, p])))
    values = np.linalg.eigvalsh(s + t * (np.kron(Z, Z + b) + np.kron(a, Z - b)))
    expected = -float(np.logaddexp.reduce(values))
    value, slope = entropy_neumann._value(np.array(p), t, at)
    assert float(value) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    d = 1e-6
    near = [float(entropy_neumann._value(np.array(p + x), t, at)[0]) for x in (-d, d)]
    assert float(slope) == pytest.approx((near[1] - near[0]) / (2 * d), rel=1e-4, abs=1e-3)
    # Convex in p, so that tangents bound it: the least is below every value and near the best.
    bound, reached = entropy_neumann._least(t, at)
    grid = 0.5 / (1 + np.exp(-np.linspace(-25, 25, 2001)))
    seen = entropy_neumann._value(grid, t, np.broadcast_to(at, (2001, 4)))[0].min()
    assert float(bound) <= seen + 1e-12
    assert float(reached) <= seen + 1e-5
    assert float(reached) - float(bound) < 1e-7


def test_triangles_hold_their_arcs() -> None:
    for width in (0.1, 0.01):
        corners = entropy_neumann._triangles(np.array([0.7]), width)[0]
        for angle in np.linspace(0.7 - width, 0.7 + width, 11):
            point = np.array([math.cos(angle), math.sin(angle), 1])
            weights = np.linalg.solve(np.vstack([corners.T, np.ones(3)]), point)
            assert weights.min() > -1e-9


def test_arcs_are_bounded_by_their_corners() -> None:
    rng = np.random.default_rng(2)
    for t in (0.7, 2.0, 10.0):
        u, v, width = rng.uniform(0.2, 2.9, 30), rng.uniform(0.2, 2.9, 30), 0.08
        a, b = entropy_neumann._triangles(u, width), entropy_neumann._triangles(v, width)
        bounds = np.min(
            [
                entropy_neumann._least(t, np.concatenate([a[:, i], b[:, j]], axis=-1))[0]
                for i in range(3)
                for j in range(3)
            ],
            axis=0,
        )
        for _ in range(20):
            x, y = u + rng.uniform(-width, width, 30), v + rng.uniform(-width, width, 30)
            inside = np.stack([np.cos(x), np.sin(x), np.cos(y), np.sin(y)], axis=-1)
            assert np.all(entropy_neumann._least(t, inside)[1] >= bounds - 1e-12)


def test_bad_input() -> None:
    with pytest.raises(ArgumentError, match="between 0 and 1000 bits, but was -1"):
        neumann_both_constant(-1)
    with pytest.raises(ArgumentError, match="gap"):
        neumann_both_constant(1, gap=0)
    for s in (2.83, math.nan):
        with pytest.raises(ArgumentError, match="a fault of the data"):
            von_neumann_entropy_both(s)
