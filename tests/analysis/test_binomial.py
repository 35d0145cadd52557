"""Binomial tails against 60-digit arithmetic, published p-values and the definition."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ebit.analysis.binomial import (
    PValue,
    binomial_tail,
    clopper_pearson,
    deviance,
    log_binomial_pmf,
    log_lower_tail,
    log_upper_tail,
    stirling_error,
)
from ebit.games import ArgumentError


def _reference(wins: int, n: int, p: float | Fraction) -> mpmath.mpf:
    """log P(Bin(n, p) >= wins) in 60 digits, term by term from `wins` upwards (wins > n p)."""
    exact = Fraction(p)
    with mpmath.workdps(60):
        probability = mpmath.mpf(exact.numerator) / exact.denominator
        odds = probability / (1 - probability)
        term = total = mpmath.mpf(1)
        k = wins
        while k < n and term > total * mpmath.mpf(10) ** -40:
            term *= mpmath.mpf(n - k) / (k + 1) * odds
            total += term
            k += 1
        log_first = (
            mpmath.loggamma(n + 1)
            - mpmath.loggamma(wins + 1)
            - mpmath.loggamma(n - wins + 1)
            + wins * mpmath.log(probability)
            + (n - wins) * mpmath.log(1 - probability)
        )
        return log_first + mpmath.log(total)


@pytest.mark.parametrize(
    ("wins", "n", "p"),
    [
        (196, 245, 0.75),
        (1, 5, 0.3),
        (5, 5, 0.3),
        (16, 16, 0.5),
        (17, 33, 0.5),
        (90_000, 100_000, 0.75),
        (30, 10**6, 1e-5),
        (999_999, 10**6, 0.75),
        (800_000, 800_001, 0.75),  # log10 p about -100,000
        (760_000_000, 10**9, 0.7500107),  # log10 p about -116,000
        (7_520_000_000, 10**10, 0.75),  # log10 p about -46,000
        (950, 1000, Fraction(8, 9)),
    ],
)
def test_tail_agrees_with_sixty_digits(wins: int, n: int, p: float | Fraction) -> None:
    found = log_upper_tail(wins, n, p)
    # An error of the logarithm is a relative error of the probability.
    assert abs(float(mpmath.mpf(found) - _reference(wins, n, p))) < 1e-10


def test_tail_just_above_the_mean_of_ten_thousand_million_rounds() -> None:
    # 350,000 terms; scipy's incomplete beta function is the second route.
    n, wins = 10**10, 7_500_050_000
    assert math.exp(log_upper_tail(wins, n, 0.75)) == pytest.approx(
        float(stats.binom.sf(wins - 1, n, 0.75)), rel=1e-8
    )


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.fractions(0, 1, max_denominator=64))
def test_small_tails_are_exact_sums(n: int, wins: int, p: Fraction) -> None:
    wins = min(wins, n)
    exact = sum(
        (math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(wins, n + 1)), Fraction(0)
    )
    found = binomial_tail(wins, n, p)
    assert found.value == pytest.approx(float(exact), rel=1e-12, abs=0)
    lower = 1 - exact + math.comb(n, wins) * p**wins * (1 - p) ** (n - wins)
    assert math.exp(log_lower_tail(wins, n, p)) == pytest.approx(float(lower), rel=1e-12, abs=0)


def test_delft_2015() -> None:
    # Hensen et al., Nature 526, 682: 196 of 245, p = 0.039.
    tau = 1.08e-5
    assert binomial_tail(196, 245, 0.75).value == pytest.approx(0.03908, abs=5e-6)
    assert binomial_tail(196, 245, 0.75 + 3 * (tau + tau**2)).value == pytest.approx(
        0.039, abs=5e-4
    )
    assert binomial_tail(196, 245, 0.75 + tau - tau**2).value == pytest.approx(0.0391, abs=5e-5)


def test_storz_2023() -> None:
    # Storz et al., Nature 617, 265: S = 2.0747, n = 2^20, p < 10^-108.
    n = 2**20
    assert binomial_tail(math.ceil(n * (0.5 + 2.0747 / 8)), n, 0.75).log10 == pytest.approx(
        -108.5, abs=0.05
    )


def test_edges() -> None:
    assert log_upper_tail(0, 10, 0.5) == 0.0
    assert log_upper_tail(0, 0, 0.5) == 0.0
    assert log_upper_tail(3, 10, 0.0) == -math.inf
    assert log_upper_tail(10, 10, 1.0) == 0.0
    assert log_upper_tail(10, 10, 0.5) == pytest.approx(10 * math.log(0.5), rel=1e-15)
    assert log_binomial_pmf(11, 10, 0.5) == -math.inf


@pytest.mark.parametrize(
    ("wins", "n", "p"),
    [(-1, 5, 0.5), (6, 5, 0.5), (1.5, 5, 0.5), (1, -5, 0.5), (1, 5, 1.5), (1, 5, math.nan)],
)
def test_bad_arguments_are_named(wins: float, n: int, p: float) -> None:
    with pytest.raises(ArgumentError, match=r"Argument `(wins|n|p)` must"):
        log_upper_tail(wins, n, p)  # type: ignore[arg-type]


def test_parts_against_sixty_digits() -> None:
    with mpmath.workdps(60):
        for n in (1, 2, 15, 16, 17, 100, 10**9):
            exact = mpmath.loggamma(n + 1) - (
                (n + mpmath.mpf("0.5")) * mpmath.log(n) - n + mpmath.log(2 * mpmath.pi) / 2
            )
            assert stirling_error(n) == pytest.approx(float(exact), rel=1e-13, abs=1e-14)
        for d in (-0.999, -0.31, -0.29, -1e-9, 1e-12, 0.05, 0.299, 0.301, 4.0):
            mean = 1000.0
            x = mpmath.mpf(d * mean)
            exact = (mean + x) * mpmath.log1p(x / mean) - x
            assert deviance(d * mean, mean) == pytest.approx(float(exact), rel=3e-15)


def test_p_value_keeps_its_logarithm_below_the_smallest_float() -> None:
    tail = PValue.from_log(-1e6, "x")
    assert tail.value == 0.0
    assert tail.log10 == pytest.approx(-434294.4819)
    assert PValue.from_log(0.5, "x").value == 1.0


@pytest.mark.parametrize("error", [0.025, 5e-7])
@pytest.mark.parametrize(
    ("wins", "n"), [(1, 5), (3, 10), (196, 245), (75_000, 100_000), (7_500_000_000, 10**10)]
)
def test_clopper_pearson_solves_its_equations(wins: int, n: int, error: float) -> None:
    low, high = clopper_pearson(wins, n, low_error=error, high_error=error)
    assert log_upper_tail(wins, n, float(low)) == pytest.approx(math.log(error), abs=1e-8)
    assert log_lower_tail(wins, n, float(high)) == pytest.approx(math.log(error), abs=1e-8)


def test_clopper_pearson_at_the_ends_and_by_arrays() -> None:
    low, high = clopper_pearson(
        np.array([0, 5, 0]), np.array([5, 5, 0]), low_error=0.05, high_error=0.05
    )
    np.testing.assert_allclose(low, [0, 0.05 ** (1 / 5), 0], rtol=1e-12)
    np.testing.assert_allclose(high, [1 - 0.05 ** (1 / 5), 1, 1], rtol=1e-12)
    with pytest.raises(ArgumentError, match="whole"):
        clopper_pearson(1.5, 5, low_error=0.05, high_error=0.05)
    with pytest.raises(ArgumentError, match="between"):
        clopper_pearson(6, 5, low_error=0.05, high_error=0.05)
