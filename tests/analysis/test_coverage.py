"""The tail bounds behind the intervals, against exact tails and by second routes."""

from __future__ import annotations

import math
from itertools import product

import mpmath
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ebit.analysis.binomial import log_upper_tail
from ebit.analysis.coverage import (
    Design,
    Moments,
    bennett_log_tail,
    chernoff_limit,
    chernoff_log_tail,
)

Array = npt.NDArray[np.float64]


def poisson_binomial(p: Array) -> Array:
    """The exact law of the number of wins in independent rounds of probabilities p."""
    law = np.array([1.0])
    for each in p:
        law = np.convolve(law, [1 - each, each])
    return law


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 10**6), st.floats(0.05, 0.95), st.floats(0.01, 0.999))
def test_chernoff_of_one_setting_is_the_relative_entropy(n: int, p0: float, share: float) -> None:
    t = p0 + (1 - p0) * share
    design = Design(np.array([float(n)]), np.array([1.0]))
    exact = -n * (t * math.log(t / p0) + (1 - t) * math.log((1 - t) / (1 - p0)))
    assert chernoff_log_tail(design, t, p0) == pytest.approx(exact, rel=1e-6, abs=1e-9)
    assert chernoff_limit(design, t, exact) == pytest.approx(p0, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("seed", range(12))
def test_chernoff_against_a_second_route_for_unlike_settings(seed: int) -> None:
    # Water-filling by bisection on the price, every scale on a fine grid, no logarithms of p.
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 6))
    counts = np.floor(10 ** rng.uniform(0.5, 5, size)) + 1
    weights = rng.dirichlet(np.ones(size))
    design = Design(counts, weights)
    bound = rng.uniform(0.1, 0.9)
    t = bound + (1 - bound) * rng.choice([0.5, 0.1, 0.01])
    best = math.inf
    for s in np.exp(np.linspace(-4, math.log(500 / design.largest), 1500)):
        growth = np.expm1(s * design.steps)
        low, high = -600.0, 600.0
        for _ in range(70):
            middle = 0.5 * (low + high)
            p = np.clip(np.exp(-middle) / design.steps - 1 / growth, 0, 1)
            low, high = (middle, high) if weights @ p > bound else (low, middle)
        best = min(best, float((counts * np.log1p(p * growth)).sum() - s * t))
    found = chernoff_log_tail(design, t, bound)
    assert found == pytest.approx(min(best, 0.0), rel=2e-4, abs=1e-5)
    if found < -1e-3:
        assert chernoff_limit(design, t, found) == pytest.approx(bound, abs=1e-6)


def test_chernoff_dual_equals_the_worst_case_by_search() -> None:
    counts, weights, t, bound = np.array([40.0, 25.0]), np.array([0.5, 0.5]), 0.9, 0.7
    first = np.linspace(0, 1, 2001)
    second = (bound - weights[0] * first) / weights[1]
    first, second = first[(second >= 0) & (second <= 1)], second[(second >= 0) & (second <= 1)]
    best = min(
        float(
            (
                counts[0] * np.log1p(first * np.expm1(s * weights[0] / counts[0]))
                + counts[1] * np.log1p(second * np.expm1(s * weights[1] / counts[1]))
            ).max()
        )
        - s * t
        for s in np.linspace(0, 400, 2001)
    )
    assert chernoff_log_tail(Design(counts, weights), t, bound) == pytest.approx(best, abs=1e-4)


def _exact_tails(design: Design, laws: list[Array]) -> tuple[Array, Array]:
    """All values of T with P(T >= value), two settings, exactly."""
    first = np.arange(len(laws[0])) * design.steps[0]
    second = np.arange(len(laws[1])) * design.steps[1]
    values = np.add.outer(first, second).ravel()
    chances = np.multiply.outer(laws[0], laws[1]).ravel()
    order = np.argsort(-values)
    return values[order], np.cumsum(chances[order])


@pytest.mark.parametrize("drift", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_both_bounds_lie_above_the_exact_tail(seed: int, drift: bool) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(60, 400, 2).astype(float)
    weights = np.array([0.6, 0.4])
    design = Design(counts, weights)
    rounds = [
        np.clip(
            rng.random() + (rng.choice([-0.5, 0.5], int(n)) if drift else np.zeros(int(n))), 0, 1
        )
        for n in counts
    ]
    p = np.array([float(r.mean()) for r in rounds])
    theta = float(weights @ p)
    values, tails = _exact_tails(design, [poisson_binomial(r) for r in rounds])
    moments = Moments(design, p, p)
    variance = sum(
        float((d * d * r * (1 - r)).sum()) for d, r in zip(design.steps, rounds, strict=True)
    )
    assert moments.variance(theta) >= variance * (1 - 1e-9)
    third = sum(
        float((d**3 * r * (1 - r) * (1 - 2 * r * (1 - r))).sum())
        for d, r in zip(design.steps, rounds, strict=True)
    )
    assert float(moments.third(np.array(variance))) >= third * (1 - 1e-9)
    checked = 0
    for value, tail in zip(values[::97], tails[::97], strict=True):
        if value <= theta or tail < 1e-14:
            continue
        assert chernoff_log_tail(design, float(value), theta) >= math.log(tail)
        assert moments.log_tail(float(value) - theta, theta) >= math.log(tail)
        assert float(bennett_log_tail(value - theta, variance, design.largest)) >= math.log(tail)
        checked += 1
    assert checked > 5


def test_variance_bound_is_the_constrained_maximum() -> None:
    design = Design(np.array([100.0, 300.0, 50.0]), np.array([0.3, 0.5, 0.2]))
    moments = Moments(design, np.array([0.5, 0.7, 0.2]), np.array([0.9, 0.95, 0.6]))
    bound = 0.7
    best = 0.0
    for first, second in product(np.linspace(0.5, 0.9, 161), np.linspace(0.7, 0.95, 161)):
        third = (bound - 0.3 * first - 0.5 * second) / 0.2
        if 0.2 <= third <= 0.6:
            p = np.array([first, second, third])
            best = max(best, float((design.weights * design.steps * p * (1 - p)).sum()))
    assert moments.variance(bound) == pytest.approx(best, rel=1e-4)
    assert moments.variance(bound) >= best


def test_bennett_against_its_formula() -> None:
    for u in (1e-7, 1e-5, 9.9e-5, 1.1e-4, 0.3, 20.0):
        v, largest = 2.0, 0.01
        with mpmath.workdps(40):
            exact = -(v / largest**2) * ((1 + mpmath.mpf(u)) * mpmath.log1p(u) - u)
        found = float(bennett_log_tail(u * v / largest, v, largest))
        assert found == pytest.approx(float(exact), rel=1e-9)


def test_berry_esseen_covers_the_steps_of_a_coin() -> None:
    # Shevtsova 2010: 0.56. At a possible value of T the exact tail exceeds the normal one by half a
    # step; no constant below 0.4097 (Esseen 1956) would do for all laws.
    n = 1000
    design = Design(np.array([float(n)]), np.array([1.0]))
    half = np.array([0.5])
    for wins in (512, 516, 520):
        z = (wins - 500) / math.sqrt(n / 4)
        bound = math.exp(Moments(design, half, half).log_tail(wins / n - 0.5, 0.5))
        stated = float(stats.norm.sf(z)) + 0.56 / math.sqrt(n)
        assert stated <= bound * (1 + 1e-12) <= 1.01 * stated
        assert bound > math.exp(log_upper_tail(wins, n, 0.5))
