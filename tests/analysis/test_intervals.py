"""Intervals: the bounds against exact tails, and coverage by enumeration and simulation."""

from __future__ import annotations

import math
from itertools import pairwise, product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ebit.analysis.binomial import log_upper_tail
from ebit.analysis.coverage import (
    safe_limits,
)
from ebit.analysis.intervals import (
    Interval,
    betting_interval,
    correlator_interval,
    mean_interval,
    mean_tail,
    sum_interval,
    sum_tail,
)
from ebit.games import ArgumentError

Array = npt.NDArray[np.float64]

LEVELS = (0.95, 1 - 1e-6)


def poisson_binomial(p: Array) -> Array:
    """The exact law of the number of wins in independent rounds of probabilities p."""
    law = np.array([1.0])
    for each in p:
        law = np.convolve(law, [1 - each, each])
    return law


def noncoverage(theta: float, laws: list[Array], limits: dict[tuple[int, ...], Interval]) -> Array:
    """Exact chances that the lower limit lies above theta, and the upper below."""
    missed = np.zeros(2)
    for wins, interval in limits.items():
        chance = math.prod(float(law[k]) for law, k in zip(laws, wins, strict=True))
        missed += chance * np.array([interval.low > theta + 1e-12, interval.high < theta - 1e-12])
    return missed


# --- one setting ---------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("n", [1, 2, 5, 30])
def test_mean_interval_covers_whatever_the_rounds_are(n: int, level: float) -> None:
    rng = np.random.default_rng(n)
    limits = {(k,): mean_interval(k, n, level) for k in range(n + 1)}
    allowed = (1 - level) / 2
    cases = [np.full(n, p) for p in np.linspace(0, 1, 201)]
    cases += [rng.random(n) for _ in range(50)]
    cases += [(rng.random(n) < 0.8).astype(float) for _ in range(10)]
    # All the chance in one round: where Clopper-Pearson itself falls short (next test).
    cases += [np.r_[m, np.zeros(n - 1)] for m in np.linspace(0, 1, 101) ** 2]
    cases += [np.r_[m, np.zeros(n - 1)] for m in allowed * np.array([0.9, 0.999, 1.001, 1.01])]
    cases += [1 - case for case in cases]
    # Just outside each limit.
    for (k,), interval in limits.items():
        below = np.nextafter(interval.low, 0) if k else 0.0
        cases += [np.full(n, below), np.full(n, min(interval.high * (1 + 1e-12), 1.0))]
    for p in cases:
        assert np.all(
            noncoverage(float(p.mean()), [poisson_binomial(p)], limits) <= allowed + 1e-12
        )


def test_why_one_win_has_a_limit_of_its_own() -> None:
    # One round in ten can be won, with a chance such that the mean lies just below the plain
    # Clopper-Pearson limit at one win: that limit then misses the mean more often than alpha.
    n, alpha = 10, 0.025
    plain = 1 - (1 - alpha) ** (1 / n)
    chance = n * plain * (1 - 1e-9)
    assert chance > alpha
    assert mean_interval(1, n, 0.95).low == pytest.approx(alpha / n)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 400), st.data())
def test_the_condition_of_hoeffdings_theorem_holds(n: int, data: st.DataObject) -> None:
    # P(Bin(n, (k-1)/n) >= k) >= 1/4 for k >= 2: a limit at error <= 1/4 lies below (k-1)/n.
    k = data.draw(st.integers(2, n))
    assert log_upper_tail(k, n, (k - 1) / n) >= math.log(0.25) - 1e-12
    low, _ = safe_limits(
        np.array([float(k)]), np.array([float(n)]), low_error=0.25, high_error=0.25
    )
    assert low[0] <= (k - 1) / n + 1e-12


def test_mean_tail_bounds_every_mixture_of_rounds() -> None:
    rng = np.random.default_rng(3)
    n = 12
    cases = [rng.random(n) for _ in range(40)] + [(rng.random(n) < 0.7) * 1.0 for _ in range(20)]
    for p in cases:
        law = poisson_binomial(p)
        for k in range(n + 1):
            assert mean_tail(k, n, float(p.mean())).value >= law[k:].sum() - 1e-12


def test_correlator_is_the_scaled_mean() -> None:
    one, two = correlator_interval(85, 100), mean_interval(85, 100)
    assert (one.low, one.high) == (2 * two.low - 1, 2 * two.high - 1)
    assert 0.7 in one
    assert 0.9 not in one
    flipped = one.affine(-2, 1)
    assert (flipped.low, flipped.high) == (1 - 2 * one.high, 1 - 2 * one.low)


# --- weighted sums ---------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("counts", "weights"), [((5, 8), (1.0, 1.0)), ((3, 7), (2.0, -1.0))])
def test_sum_interval_covers_by_enumeration(
    counts: tuple[int, int], weights: tuple[float, float], level: float
) -> None:
    rng = np.random.default_rng(11)
    limits = {
        wins: sum_interval(wins, counts, weights, level)
        for wins in product(*(range(n + 1) for n in counts))
    }
    allowed = (1 - level) / 2
    cases = [
        [np.full(n, p) for n, p in zip(counts, pair, strict=True)]
        for pair in product(np.linspace(0, 1, 17), repeat=2)
    ]
    cases += [
        [np.full(n, p) for n, p in zip(counts, rng.random(2) ** 0.1, strict=True)]
        for _ in range(40)
    ]
    cases += [[rng.random(n) for n in counts] for _ in range(40)]
    cases += [[(rng.random(n) < 0.8) * 1.0 for n in counts] for _ in range(20)]
    for rounds in cases:
        theta = sum(w * float(r.mean()) for w, r in zip(weights, rounds, strict=True))
        missed = noncoverage(theta, [poisson_binomial(r) for r in rounds], limits)
        assert np.all(missed <= allowed + 1e-12)


def test_equal_counts_are_pooled_and_signs_are_mirrored() -> None:
    signs = np.array([1, 1, 1, -1])
    plus = np.array([850, 853, 848, 151])
    counts = np.full(4, 1000)
    found = sum_interval(plus, counts, 2 * signs).affine(1, -int(signs.sum()))
    wins = np.where(signs > 0, plus, counts - plus)
    share = mean_interval(int(wins.sum()), 4000).affine(8, -4)
    assert (found.low, found.high) == pytest.approx((share.low, share.high), rel=1e-12)
    uneven = np.array([1000, 1001, 999, 1000])
    one = sum_interval(plus, uneven, 2 * signs)
    two = sum_interval(uneven - plus, uneven, -2 * signs).affine(1, 4)
    assert (one.low, one.high) == pytest.approx((two.low, two.high), rel=1e-9)


@pytest.mark.parametrize(
    ("rounds", "most"), [(4_000, 1.31), (10_000, 1.17), (100_000, 1.06), (132_700_000, 1.005)]
)
def test_width_against_the_normal_interval(rounds: float, most: float) -> None:
    counts = np.floor(rounds * np.array([0.26, 0.24, 0.255, 0.245]))
    wins = np.floor(0.85 * counts)
    weights = np.full(4, 0.25)
    found = sum_interval(wins, counts, weights)
    spread = math.sqrt(float((weights**2 * 0.85 * 0.15 / counts).sum()))
    assert 1.0 < (found.high - found.low) / (2 * 1.959964 * spread) < most


def test_nist_counts() -> None:
    # Formulas section 8: S = 2.0024148629 with the minus on ab.
    table = np.array(
        [
            [32266283, 600862, 580732, 18985],
            [32801781, 70119, 404229, 195257],
            [32803817, 422004, 61941, 197106],
            [33128142, 94035, 89267, 171053],
        ]
    )
    plus, counts, signs = table[:, 0] + table[:, 3], table.sum(axis=1), np.array([-1, 1, 1, 1])
    # The signs in the source's order: the correlator that carries the minus is the smallest.
    values = 2 * plus / counts - 1
    signs = np.where(np.arange(4) == values.argmin(), -1, 1)
    assert float(signs @ values) == pytest.approx(2.0024148629, abs=1e-10)
    found = sum_interval(plus, counts, 2 * signs).affine(1, -int(signs.sum()))
    spread = math.sqrt(float(((1 - values**2) / counts).sum()))
    assert 1 < (found.high - found.low) / (2 * 1.959964 * spread) < 1.01
    assert 2.0024148629 in found
    tail = sum_tail(plus, counts, 2 * signs, 2 + int(signs.sum()))
    normal = float(stats.norm.logsf(0.0024148629 / spread)) / math.log(10)
    assert normal < tail.log10 < 0.9 * normal


@pytest.mark.parametrize(
    ("p", "counts"),
    [
        ((0.85, 0.85, 0.85, 0.85), (2600, 2400, 2550, 2450)),
        ((0.99, 0.98, 0.985, 0.03), (30_000, 9_000, 11_000, 50_000)),
        ((1.0, 1.0, 1.0, 0.0), (300, 200, 250, 260)),
        ((0.5, 0.9, 0.1, 1.0), (40_000, 10_000, 20_000, 30_000)),
    ],
)
@pytest.mark.parametrize("drift", [0.0, 0.15])
def test_p_values_and_limits_err_no_more_than_stated(
    p: tuple[float, ...], counts: tuple[int, ...], drift: float
) -> None:
    # The p-value at the true theta is <= alpha exactly when the lower limit lies above theta.
    rng = np.random.default_rng(17)
    runs = 60
    sizes = np.array(counts)
    low = np.clip(np.array(p) - drift, 0, 1)
    high = np.clip(np.array(p) + drift, 0, 1)
    half = sizes // 2
    theta_each = (half * low + (sizes - half) * high) / sizes
    weights = np.array([0.25, 0.25, 0.25, 0.25])
    theta = float(weights @ theta_each)
    found = np.array(
        [
            sum_tail(
                rng.binomial(half, low) + rng.binomial(sizes - half, high), sizes, weights, theta
            ).value
            for _ in range(runs)
        ]
    )
    for alpha in (0.025, 0.2):
        assert np.mean(found <= alpha) <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)


@pytest.mark.slow
def test_coverage_of_the_sum_over_many_runs() -> None:
    rng = np.random.default_rng(23)
    counts = np.array([26_000, 24_000, 25_500, 24_500])
    p = np.array([0.86, 0.84, 0.85, 0.13])
    weights = np.array([2, 2, 2, -2])
    theta = float(weights @ p)
    runs = 400
    missed = np.zeros(2)
    for _ in range(runs):
        found = sum_interval(rng.binomial(counts, p), counts, weights, 0.9)
        missed += np.array([found.low > theta, found.high < theta])
    assert np.all(missed / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs))
    assert missed.sum() / runs > 0.03  # not so wide that it could not fail


def test_deep_tails_of_sums() -> None:
    plus, counts = [850_000, 853_000, 848_000, 151_000], [1_000_000, 1_010_000, 990_000, 1_000_000]
    weights = np.array([2, 2, 2, -2])
    tail = sum_tail(plus, counts, weights, 4.0)
    assert tail.value == 0.0
    assert tail.log10 < -40_000
    # Equal counts: the exact binomial tail, whatever the scale of the weights.
    equal = sum_tail([900, 920], [1000, 1000], [0.5, 0.5], 0.75)
    assert equal.log10 == pytest.approx(log_upper_tail(1820, 2000, 0.75) / math.log(10), rel=1e-12)


def test_tail_and_interval_agree() -> None:
    wins, counts, weights = [860, 830, 845, 140], [1013, 987, 1004, 996], [1, 1, 1, -1]
    found = sum_interval(wins, counts, weights, 0.95)
    assert sum_tail(wins, counts, weights, found.low - 1e-9).value <= 0.025
    assert sum_tail(wins, counts, weights, found.low + 1e-6).value > 0.025


def test_bounds_of_theta_that_cannot_be() -> None:
    assert sum_tail([5, 5], [10, 11], [1, 1], 2.5).value == 1.0
    assert sum_tail([5, 5], [10, 11], [1, 1], -0.5).log10 == -math.inf
    whole = sum_interval([0, 11], [10, 11], [1, 1])
    assert 0 <= whole.low < 1 < whole.high <= 2


@pytest.mark.parametrize(
    ("wins", "counts", "weights", "match"),
    [
        ([1], [2, 3], [1, 1], "one length"),
        ([3, 1], [2, 3], [1, 1], "between"),
        ([1.5, 1], [2, 3], [1, 1], "whole"),
        ([0, 1], [0, 3], [1, 1], "positive"),
        ([1, 1], [2, 3], [0, 0], "zero"),
        ([1, 1], [2, 3], [math.nan, 1], "finite"),
    ],
)
def test_bad_sums_are_named(
    wins: list[float], counts: list[int], weights: list[float], match: str
) -> None:
    with pytest.raises(ArgumentError, match=match):
        sum_interval(wins, counts, weights)


def test_bad_levels_are_named() -> None:
    for level in (0.3, 1.0, 95, math.nan):
        with pytest.raises(ArgumentError, match="level"):
            mean_interval(1, 2, level)


# --- betting ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 5, 20])
def test_betting_covers_coins_by_enumeration(n: int) -> None:
    limits = {
        (k,): betting_interval(np.r_[np.ones(k), np.zeros(n - k)], 0.95) for k in range(n + 1)
    }
    rng = np.random.default_rng(n)
    cases = [np.full(n, p) for p in np.linspace(0, 1, 101)] + [rng.random(n) for _ in range(40)]
    for p in cases:
        missed = noncoverage(float(p.mean()), [poisson_binomial(p)], limits)
        assert np.all(missed <= 0.025 + 1e-12)


@pytest.mark.parametrize("kind", ["blocks", "drift", "beta", "rare"])
def test_betting_covers_in_simulation(kind: str) -> None:
    rng = np.random.default_rng(29)
    runs, n = 200, 60
    missed = np.zeros(2)
    for _ in range(runs):
        if kind == "blocks":
            x, mean = rng.binomial(100, 0.85, n) / 100, 0.85
        elif kind == "drift":  # every block has a mean of its own
            means = np.linspace(0.7, 0.95, n)
            x, mean = rng.binomial(20, means) / 20, float(means.mean())
        elif kind == "beta":
            x, mean = rng.beta(8, 2, n), 0.8
        else:
            x, mean = (rng.random(n) < 0.01) * 1.0, 0.01
        found = betting_interval(x, 0.8)
        missed += np.array([found.low > mean, found.high < mean])
    assert np.all(missed / runs <= 0.1 + 3 * math.sqrt(0.1 * 0.9 / runs))


def test_betting_uses_a_small_variance_and_not_the_order() -> None:
    rng = np.random.default_rng(31)
    tight = rng.binomial(100, 0.85, 1800) / 100
    loose = np.r_[np.ones(1530), np.zeros(270)]
    one, two = betting_interval(tight), betting_interval(loose)
    assert (one.high - one.low) < 0.25 * (two.high - two.low)
    again = betting_interval(rng.permutation(tight))
    assert (again.low, again.high) == pytest.approx((one.low, one.high), rel=1e-12)
    widths = [betting_interval(tight, level) for level in (0.5, 0.9, 0.99, 1 - 1e-9)]
    assert all(a.low > b.low and a.high < b.high for a, b in pairwise(widths))


def test_betting_edges() -> None:
    assert betting_interval([]) == Interval(0.0, 1.0, 0.95, "betting")
    assert betting_interval(np.zeros(50)).low == 0.0
    assert betting_interval(np.ones(50)).high == 1.0
    for bad in ([0.5, 1.1], [-0.1], [math.nan]):
        with pytest.raises(ArgumentError, match=r"\[0, 1\]"):
            betting_interval(bad)


def test_betting_limit_solves_its_equation() -> None:
    # The recipe of the docstring, written out: bets .99 and its halves, weights 1/2 and the rest.
    rng = np.random.default_rng(37)
    x, error = rng.beta(6, 3, 400), 0.025
    low = betting_interval(x, 0.95).low
    smallest = 2 * math.sqrt(2 * math.log(1 / error) / 400)
    bets = [0.99]
    while bets[-1] > smallest:
        bets.append(bets[-1] / 2)
    weights = [0.5] + [0.5 / (len(bets) - 1)] * (len(bets) - 1)
    capital = sum(
        w * float(np.prod(1 + f * (x / low - 1))) for w, f in zip(weights, bets, strict=True)
    )
    assert capital == pytest.approx(1 / error, rel=1e-9)
