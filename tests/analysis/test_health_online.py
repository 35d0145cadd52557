"""Repetition count and adaptive proportion: cut-offs, a slow second implementation, pieces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ebit.analysis.health_cutoffs import Cutoffs, cutoffs
from ebit.analysis.health_online import HealthFailure, HealthTests
from ebit.analysis.health_report import stretch_alpha, watch
from ebit.games import ArgumentError, RefusedError


@pytest.mark.parametrize(
    ("claim", "bits", "repetition", "proportion"),
    [
        (1, 1, 21, 589),  # SP 800-90B, 4.4: the values that users print
        (0.5, 1, 41, 793),
        (8, 8, 4, 13),
        (4, 4, 6, 62),
        (0.1, 1, 201, 991),
    ],
)
def test_cutoffs(claim: float, bits: int, repetition: int, proportion: int) -> None:
    found = cutoffs(claim, bits)
    assert (found.repetition, found.proportion) == (repetition, proportion)
    assert found.window == (1024 if bits == 1 else 512)


@pytest.mark.parametrize("claim", [1e-4, 0.01, 0.3, 0.5, 0.77, 1.0])
@pytest.mark.parametrize("power", [10, 20, 40])
def test_cutoffs_are_the_smallest_that_keep_alpha(claim: float, power: int) -> None:
    found = cutoffs(claim, alpha=2.0**-power)
    p = 2.0**-claim
    k = found.proportion - 1  # critbinom(W, p, 1 - alpha)
    tail = stats.binom(found.window, p).sf
    assert tail(k) <= 2.0**-power * (1 + 1e-9)
    assert k == 0 or tail(k - 1) > 2.0**-power * (1 - 1e-9)
    assert p ** (found.repetition - 1) <= 2.0**-power * (1 + 1e-9)
    assert p ** (found.repetition - 2) > 2.0**-power * (1 - 1e-9)


def slowly(samples: list[int], c: Cutoffs) -> tuple[str, int, int, int] | None:
    """The first failure, word for word as in SP 800-90B 4.4.1 and 4.4.2."""
    repetition = proportion = None
    a, b = samples[0], 1
    for i, x in enumerate(samples[1:], 1):
        if x == a:
            b += 1
            if b >= c.repetition:
                repetition = ("repetition count test", i, x, b)
                break
        else:
            a, b = x, 1
    for start in range(0, len(samples), c.window):
        a, b = samples[start], 1
        for i in range(start + 1, min(start + c.window, len(samples))):
            b += samples[i] == a
            if b >= c.proportion and samples[i] == a:
                proportion = ("adaptive proportion test", i, a, b)
                break
        if proportion:
            break
    both = [f for f in (repetition, proportion) if f is not None]
    return min(both, key=lambda f: f[1]) if both else None


def outcome(tests: HealthTests, pieces: list[Any], packed: bool = False) -> tuple[Any, list[int]]:
    out: list[int] = []
    try:
        for piece in pieces:
            if packed:
                tests.feed_packed(*piece)
            else:
                out += tests.feed(piece).tolist()
    except HealthFailure as f:
        return (f.test, f.position, f.value, f.count), out
    return None, out


CASES = st.tuples(
    st.integers(1, 3),
    st.integers(0, 2**32 - 1),
    st.integers(1, 4000),
    st.sampled_from([0.2, 0.5, 0.9, 1.0]),
    st.sampled_from([8, 12, 20]),
    st.sampled_from([10, 64, None]),
)


@settings(deadline=None)  # the first call compiles
@given(CASES, st.lists(st.integers(0, 4000), max_size=6))
def test_pieces_equal_one_go_and_the_slow_one(case: tuple[Any, ...], cuts: list[int]) -> None:
    bits, seed, n, share, power, window = case
    samples = np.random.default_rng(seed).integers(0, 1 << bits, n).astype(np.uint8)
    how: dict[str, Any] = {"alpha": 2.0**-power, "window": window}
    whole, pieced = (HealthTests(share * bits, bits, **how) for _ in range(2))
    expected = slowly(samples.tolist(), whole.cutoffs)
    found, out = outcome(whole, [samples])
    assert found == expected
    found, out_pieces = outcome(pieced, np.split(samples, sorted(c for c in cuts if c <= n)))
    assert found == expected
    assert pieced.record == whole.record
    if expected is None:
        assert out == out_pieces == (samples.tolist() if n >= 1024 else [])
    else:
        assert out == []
        assert expected[1] == whole.record.failed_at == whole.record.samples - 1
        assert out_pieces == samples[: len(out_pieces)].tolist()
        assert len(out_pieces) <= expected[1]  # nothing of the piece that failed


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 2**32 - 1), st.integers(1, 5000), st.integers(0, 600))
def test_packed_bits_give_the_same(seed: int, n: int, cut: int) -> None:
    bits = np.random.default_rng(seed).integers(0, 2, n).astype(np.uint8)
    plain, packed = (HealthTests(1.0, alpha=2.0**-14) for _ in range(2))
    expected, _ = outcome(plain, [bits])
    data = np.packbits(bits)
    cut = min(cut, n // 8)
    found, _ = outcome(packed, [(data[:cut],), (data[cut:], n - 8 * cut)], packed=True)
    assert found == expected
    assert packed.record == plain.record


def test_nothing_comes_out_before_the_start_up_test_or_after_a_failure() -> None:
    rng = np.random.default_rng(3)
    tests = HealthTests(1.0)
    assert not tests.started
    assert tests.feed(rng.integers(0, 2, 1023)).size == 0
    assert not tests.started
    assert tests.feed([]).size == 0
    assert tests.feed([1]).size == 1024
    assert tests.started
    with pytest.raises(HealthFailure) as caught:
        tests.feed(np.zeros(100, np.uint8))
    assert isinstance(caught.value, RefusedError)
    assert caught.value.exit_code == 3
    assert caught.value.test == "repetition count test"
    assert "21 times in a row (cut-off 21)" in str(caught.value)
    for more in ([0, 1], []):
        with pytest.raises(HealthFailure):
            tests.feed(more)
    assert not tests.started
    failing = HealthTests(1.0)
    with pytest.raises(HealthFailure):
        failing.feed(np.zeros(1000, np.uint8))  # during start-up
    with pytest.raises(HealthFailure):
        failing.feed(rng.integers(0, 2, 5000))


def test_records_count_runs_and_windows() -> None:
    samples = np.array([0, 0, 1, 1, 1, 0, 1, 0] * 300, np.uint8)
    record = watch(HealthTests(1.0, window=8), [samples])
    assert record.passed
    assert record.longest_run == 3
    assert record.largest_count == 4
    assert sum(record.windows) == record.windows[4] == 300
    # Each eight: 111, 0, 1, and 00 joined to the 0 before it (but for the first).
    assert record.runs[3] == 300 + 299
    assert record.runs[2] == 1
    assert record.runs[1] == 300 + 300
    assert "passed" in str(record)
    assert record.to_dict()["longest_run"] == 3


def test_the_proportion_test_sees_bias_that_makes_no_runs() -> None:
    samples = np.tile(np.array([0, 0, 0, 1], np.uint8), 1000)
    record = watch(HealthTests(1.0), [samples])
    assert not record.passed
    assert "adaptive proportion" in str(record.failure)
    assert record.to_dict()["failed_at"] == record.samples - 1
    assert watch(HealthTests(0.4), [samples]).passed


def test_false_alarms_are_as_rare_as_stated() -> None:
    # Repetition: runs of C in n bits, n 2^-C on average; alpha bounds 2^-(C-1).
    rng = np.random.default_rng(8)
    alarms, runs = 0, 400
    for _ in range(runs):
        tests = HealthTests(1.0, alpha=2.0**-16)
        alarms += not watch(tests, [rng.integers(0, 2, 8192).astype(np.uint8)]).passed
    # Repetition 8192 * 2^-17 = .0625 per stretch, proportion at most 8 * 2^-16.
    expected = 0.0625
    assert abs(alarms / runs - expected) < 4 * (expected / runs) ** 0.5


def test_a_tiny_claim_never_fails_and_needs_no_memory() -> None:
    record = watch(HealthTests(1e-300), [np.zeros(5000, np.uint8)])
    assert record.passed
    assert record.longest_run == 5000
    assert record.runs[0] == 0


def test_a_good_stretch_of_any_length_is_rarely_alarmed() -> None:
    for n in (1, 2000, 10**6):
        assert n * stretch_alpha(n) <= 2.0**-20
    assert stretch_alpha(10**12) == 2.0**-40


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"claim": 0}, "above 0 and at most 1"),
        ({"claim": 1.1}, "1.1"),
        ({"claim": float("nan")}, "nan"),
        ({"claim": 1, "bits": 9}, "bits"),
        ({"claim": 1, "alpha": 0}, "alpha"),
        ({"claim": 1, "window": 1}, "window"),
        ({"claim": 1, "startup": 1000}, "startup"),
    ],
)
def test_arguments_out_of_range(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        HealthTests(**arguments)


def test_wrong_samples() -> None:
    tests = HealthTests(1.0)
    with pytest.raises(ArgumentError, match="sample 2 is 2"):
        tests.feed([0, 1, 2])
    with pytest.raises(ArgumentError, match=r"0\.5"):
        tests.feed([0, 0.5])
    with pytest.raises(ArgumentError, match="row"):
        tests.feed(np.zeros((2, 2)))
    with pytest.raises(ArgumentError, match="count"):
        tests.feed_packed(np.zeros(1, np.uint8), 9)
    with pytest.raises(ArgumentError, match="uint8"):
        tests.feed_packed(np.zeros(1))
    with pytest.raises(ArgumentError, match="1 bit per symbol"):
        HealthTests(1.0, 2).feed_packed(np.zeros(1, np.uint8))
