"""Lengths by theorem: published values, and the sampling bound against the exact hypergeometric law."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ebit.analysis.key_asymptotic import binary_entropy
from ebit.analysis.key_finite import (
    THEOREMS,
    best_split,
    finite_bound,
    lim_2021,
    tomamichel_2012,
)
from ebit.games import ArgumentError

EPS = {"eps_sec": 1e-10, "eps_cor": 1e-15}


@pytest.mark.parametrize(("n", "k", "bits"), [(10**5, 10**4, 47055.3), (10**6, 10**5, 618823.7)])
def test_tomamichel_2012(n: int, k: int, bits: float) -> None:
    # Nature Communications 3, 634, eqs. 1 and 2 at Q = 2 %, leak 1.1 n h(Q).
    found = tomamichel_2012(n, k, 0.02, leak=1.1 * n * binary_entropy(0.02), **EPS)
    assert round(found.bits, 1) == bits
    assert sum(found.epsilons.values()) == pytest.approx(1e-10)


@pytest.mark.parametrize(
    ("total", "q", "bits"),
    [
        (10**4, 0.01, 2879),
        (10**4, 0.025, 1856),
        (10**4, 0.05, 556),
        (10**5, 0.01, 52514),
        (10**5, 0.025, 39085),
        (10**5, 0.05, 20689),
    ],
)
def test_lim_2021(total: int, q: float, bits: int) -> None:
    # PRL 126, 100501 at f = 1.1; a search on a coarser grid had found these figures.
    _, found = best_split(total, q, theorem="lim-2021", **EPS)
    assert bits <= found.bits <= 1.0065 * bits
    assert sum(found.epsilons.values()) == pytest.approx(1e-10)


def test_lim_2021_is_better_for_small_blocks() -> None:
    for total in (10**4, 10**5, 10**6):
        for q in (0.01, 0.025, 0.05):
            new = best_split(total, q, theorem="lim-2021", **EPS)[1].bits
            assert new > best_split(total, q, **EPS)[1].bits


def worst_miss(n: int, k: int, tolerated: float, phase: float) -> float:
    """Largest P(test shows at most the tolerated rate, the key has more than phase), over all errors."""
    m = n + k
    most = math.floor(k * tolerated + 1e-9)
    fewest = math.ceil(n * phase - 1e-9)
    wrong = np.arange(m + 1)
    # The key has at least `fewest` errors and the test at most `most`: one tail, of the test's errors.
    limit = np.minimum(most, wrong - fewest)
    return float(stats.hypergeom.cdf(limit, m, wrong, k)[limit >= 0].max(initial=0.0))


@pytest.mark.parametrize("theorem", THEOREMS)
@pytest.mark.parametrize("q", [0.0, 0.02, 0.06])
@pytest.mark.parametrize(("n", "k"), [(400, 200), (300, 600), (2000, 500)])
def test_the_sample_misleads_as_rarely_as_stated(theorem: str, q: float, n: int, k: int) -> None:
    eps = 1e-3
    found = finite_bound(theorem)(n, k, q, eps_sec=eps, eps_cor=1e-6, leak=0.0)
    smoothing = found.epsilons["smoothing, twice"] / 2
    assert found.phase_error < 0.5
    # Smoothing by e is allowed where the bad event has probability e^2.
    assert 0 < worst_miss(n, k, q, found.phase_error) <= smoothing**2


def test_length_is_smooth_entropy_less_what_is_told() -> None:
    n, k, leak = 50_000, 5_000, 9_000.0
    for law in THEOREMS.values():
        found = law(n, k, 0.02, eps_sec=1e-9, eps_cor=2.0**-64, leak=leak)
        amplification = found.epsilons["privacy amplification"]
        # Leftover hashing: H - 2 log2(1 / (2 e)); tomamichel-2012 gives away one bit for rounding.
        hashed = n * (1 - binary_entropy(found.phase_error)) - leak - 64
        expected = hashed + 2 * math.log2(2 * amplification)
        assert found.bits == pytest.approx(expected - (law is tomamichel_2012), abs=1e-6)


@given(st.integers(100, 10**7), st.integers(100, 10**6), st.floats(0, 0.3))
def test_order(n: int, k: int, q: float) -> None:
    for law in (tomamichel_2012, lim_2021):
        here = law(n, k, q, eps_sec=1e-10, eps_cor=1e-15, leak=0.0)
        assert q < here.phase_error <= 0.5
        assert here.bits <= n
        if law is tomamichel_2012:  # the other's tail bound is not made for k far above n
            more = law(n, 2 * k, q, eps_sec=1e-10, eps_cor=1e-15, leak=0.0)
            assert more.phase_error <= here.phase_error
        assert law(n, k, q, eps_sec=1e-6, eps_cor=1e-15, leak=0.0).bits >= here.bits
        told = law(n, k, q, eps_sec=1e-10, eps_cor=1e-15, leak=10.0)
        assert told.bits == pytest.approx(here.bits - 10)


def test_best_split_against_all_splits() -> None:
    total, q = 20_000, 0.03
    leak = 1.1 * binary_entropy(q)
    every = [
        tomamichel_2012(total - k, k, q, leak=leak * (total - k), **EPS).bits
        for k in range(200, 19_000, 20)
    ]
    assert best_split(total, q, **EPS)[1].bits >= max(every) - 0.5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n": 0}, "`n`"),
        ({"k": 0}, "`k`"),
        ({"tolerated": 0.7}, "tolerated must be an error rate"),
        ({"eps_sec": 0.0}, "`eps_sec`"),
        ({"eps_cor": 1.0}, "`eps_cor`"),
        ({"leak": -1.0}, "leak must be at least 0 bits"),
    ],
)
@pytest.mark.parametrize("theorem", THEOREMS)
def test_refusals(theorem: str, change: dict[str, float], words: str) -> None:
    good = {"n": 1000, "k": 1000, "tolerated": 0.02, "leak": 10.0, **EPS}
    with pytest.raises(ArgumentError, match=words):
        finite_bound(theorem)(**{**good, **change})


def test_unknown_theorem() -> None:
    with pytest.raises(ArgumentError, match="tomamichel-2012, lim-2021, but was 'shor'"):
        finite_bound("shor")
