"""The predictors of SP 800-90B against the book's own steps, done slowly."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ebit.analysis.health_contexts import (
    _lz_bits,
    _lz_symbols,
    _mmc_bits,
    _mmc_symbols,
    lz78y,
    multi_mmc,
)
from ebit.analysis.health_predicting import (
    lag,
    local_limit,
    log_no_run,
    multi_mcw,
    prediction_estimate,
)
from tests.analysis import healthhelp as slow


def _record(estimate: Any) -> slow.Record:
    d = estimate.details
    return int(d["C"]), int(d["N"]), int(d["r"]) - 1


PLAYERS = [(multi_mcw, slow.multi_mcw), (lag, slow.lag), (multi_mmc, slow.multi_mmc)]
SEQUENCES = st.tuples(
    st.integers(2, 6), st.integers(0, 2**32 - 1), st.integers(80, 400), st.integers(0, 200)
)


@settings(deadline=None, max_examples=40)  # the first call compiles
@given(SEQUENCES)
def test_predictors_play_as_the_book_says(case: tuple[int, int, int, int]) -> None:
    k, seed, n, lean = case
    rng = np.random.default_rng(seed)
    samples = np.where(rng.integers(0, 256, n) < lean, 0, rng.integers(0, k, n)).astype(np.uint8)
    samples[:k] = np.arange(k)
    if seed % 3 == 0:
        samples = np.tile(samples[: n // 3], 3)  # contexts that come back
    for fast, book in [*PLAYERS, (lz78y, slow.lz78y)]:
        assert _record(fast(samples, "symbols", k)) == book(samples.tolist()), book.__name__


@pytest.mark.parametrize("k", [2, 256])
def test_windows_of_all_sizes_as_the_book_says(k: int) -> None:
    samples = np.random.default_rng(k).integers(0, k, 4400).astype(np.uint8)
    samples[2000:] = np.minimum(samples[2000:], samples[:2400])
    assert _record(multi_mcw(samples, "symbols", k)) == slow.multi_mcw(samples.tolist())


@settings(deadline=None, max_examples=60)
@given(SEQUENCES, st.sampled_from([5, 30, 77, 300, 1000]))
@example((4, 4, 109, 105), 5)  # the leader says nothing between two right predictions
def test_dictionaries_that_are_full_as_the_book_says(
    case: tuple[int, int, int, int], room: int
) -> None:
    # A block that comes back after its first time found the dictionary full.
    k, seed, n, lean = case
    rng = np.random.default_rng(seed)
    samples = np.where(rng.integers(0, 256, n) < lean, 0, rng.integers(0, k, n)).astype(np.uint8)
    samples = np.concatenate([samples, samples[n // 2 :], samples])
    s = samples.tolist()
    mmc = _mmc_bits(samples, room) if k == 2 else _mmc_symbols(samples, room)
    assert (mmc[0], len(s) - 2, mmc[1]) == slow.multi_mmc(s, room)
    lz = _lz_bits(samples, room) if k == 2 else _lz_symbols(samples, k, room)
    assert (lz[0], len(s) - 17, lz[1]) == slow.lz78y(s, room)


def test_a_full_dictionary_makes_a_difference() -> None:
    samples = np.random.default_rng(3).integers(0, 6, 900).astype(np.uint8)
    samples[600:] = samples[300:600]
    assert slow.multi_mmc(samples.tolist(), 200) != slow.multi_mmc(samples.tolist())
    assert slow.lz78y(samples.tolist(), 200) != slow.lz78y(samples.tolist())


@pytest.mark.slow
def test_symbols_beyond_the_limit_as_the_book_says() -> None:
    # 100000 pairs per length at most: of the block that comes twice at the end, nothing is learnt.
    samples = np.random.default_rng(200).integers(0, 200, 112_000).astype(np.uint8)
    samples[-5000:] = samples[-10_000:-5000]
    assert _record(multi_mmc(samples, "symbols", 200)) == slow.multi_mmc(samples.tolist())


@pytest.mark.parametrize(("p", "r", "n"), [(0.5, 10, 1000), (0.51, 20, 10_000), (0.3, 8, 5000)])
def test_runs_by_the_exact_recurrence(p: float, r: int, n: int) -> None:
    assert math.exp(log_no_run(p, r, n)) == pytest.approx(slow.no_run(p, r, n), rel=1e-6)


def test_the_local_limit_solves_its_equation() -> None:
    p = local_limit(20, 10_000, 0.3)
    assert p is not None
    assert slow.no_run(p, 20, 10_000) == pytest.approx(0.99, abs=1e-9)
    assert local_limit(20, 10_000, p + 1e-6) is None


def test_a_predictor_that_is_always_right_or_never() -> None:
    def value(correct: int, longest: int) -> float | None:
        return prediction_estimate(
            "p", "bits", "0", correct=correct, n=999, longest=longest, alphabet=4
        ).entropy

    assert value(999, 999) == 0.0
    assert value(0, 0) == 2.0  # never worse than guessing
