"""Syndromes and their decoding: against dense matrices, enumeration and planted errors."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebit.analysis.ldpc import cut, key_syndrome, plan_syndrome, priors_of
from ebit.analysis.ldpc_code import make_code, syndrome_of
from ebit.analysis.ldpc_decode import Decoder
from ebit.analysis.ldpc_degrees import TABLE, column_degrees, gap
from ebit.analysis.ldpc_evolution import decodes, threshold
from ebit.analysis.ldpc_float import log_ratio, tanh_half
from ebit.games import ArgumentError


def h(q):
    return -q * math.log2(q) - (1 - q) * math.log2(1 - q)


def planted(n, q, seed):
    rng = np.random.default_rng(seed)
    return (rng.random(n) < q).astype(np.uint8)


# ---- code


def test_syndrome_is_the_dense_product():
    code = make_code(40, 20, 13, 3)
    bits = planted(code.bits, 0.5, 1)
    assert np.array_equal(syndrome_of(code, bits), code.dense().astype(int) @ bits % 2)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_syndrome_is_linear(seed, lift):
    code = make_code(24, 9, lift)
    a, b = np.random.default_rng(seed).integers(0, 2, (2, code.bits), np.uint8)
    assert np.array_equal(syndrome_of(code, a ^ b), syndrome_of(code, a) ^ syndrome_of(code, b))


def short_cycles(code):
    """Pairs of blocks of two block rows whose shifts close a cycle of four edges."""
    shifts = np.full((code.rows, code.columns), -1)
    shifts[np.repeat(np.arange(code.rows), np.diff(code.first)), code.column] = code.shift
    found = 0
    for r in range(code.rows):
        for other in range(r):
            both = (shifts[r] >= 0) & (shifts[other] >= 0)
            steps = np.bincount((shifts[r] - shifts[other])[both] % code.lift)
            found += int((steps * (steps - 1) // 2).sum())
    return found


@pytest.mark.parametrize("sizes", [(40, 20, 64), (620, 130, 160), (760, 71, 1320)])
def test_no_two_checks_share_two_bits(sizes):
    assert short_cycles(make_code(*sizes)) == 0


def test_few_short_cycles_where_they_cannot_be_avoided():
    # 30 bits of 40 checks each, among 71 block rows of lift 132
    assert short_cycles(make_code(760, 71, 132)) < 30


def test_short_cycles_are_those_of_the_dense_matrix():
    # lift 4 cannot avoid them
    code = make_code(30, 12, 4)
    shared = code.dense().astype(int) @ code.dense().T.astype(int)
    pairs = shared * (shared - 1) // 2
    same = int(np.trace(pairs))
    dense = (int(pairs.sum()) - same) // 2 / code.lift
    assert short_cycles(code) == dense > 0


def test_degrees_are_those_asked_for_and_checks_are_even():
    code = make_code(300, 90, 11)
    assert np.array_equal(np.sort(np.bincount(code.column)), column_degrees(300, 90))
    weights = np.diff(code.first)
    assert weights.max() - weights.min() <= 1
    pairs = set(zip(np.repeat(np.arange(90), weights).tolist(), code.column.tolist(), strict=True))
    assert len(pairs) == len(code.column)


def test_code_is_always_the_same():
    # golden: two parties on different machines must grow the same code
    assert make_code(40, 20, 25).digest.hex() == "be22fc105fa50039"
    assert make_code(40, 20, 25, 2).digest != make_code(40, 20, 25).digest


# ---- arithmetic


def test_polynomials_are_the_functions():
    from numba import njit

    @njit
    def both(x, t, out):
        for i in range(x.size):
            out[0, i], out[1, i] = tanh_half(x[i]), log_ratio(t[i])

    x = np.linspace(-17, 17, 4001, dtype=np.float32)
    t = np.linspace(-0.9999, 0.9999, 4001, dtype=np.float32)
    out = np.empty((2, 4001), np.float32)
    both(x, t, out)
    assert np.abs(out[0] - np.tanh(x.astype(float) / 2)).max() < 3e-6
    wanted = 2 * np.arctanh(t.astype(float))
    assert np.abs(out[1] - wanted).max() < 3e-6


# ---- decoding


def test_agrees_with_maximum_likelihood_by_enumeration():
    # 18 bits, 9 checks: all 2^18 patterns are sorted by syndrome and the likeliest kept.
    code = make_code(9, 4, 2)
    n, priors = code.bits, np.linspace(0.01, 0.06, 18)
    patterns = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    words = patterns @ code.dense().T.astype(int) % 2 @ (1 << np.arange(code.checks))
    likelihood = patterns @ np.log(priors) + (1 - patterns) @ np.log(1 - priors)
    best = np.full(2**code.checks, -np.inf)
    np.maximum.at(best, words, likelihood)
    decoder, rng = Decoder(code), np.random.default_rng(7)
    found = optimal = 0
    for _ in range(300):
        errors = (rng.random(n) < priors).astype(np.uint8)
        s = syndrome_of(code, errors)
        got = decoder.decode(s, priors, most=60)
        if got.found:
            assert np.array_equal(syndrome_of(code, got.errors), s)
            found += 1
            mine = got.errors @ np.log(priors) + (1 - got.errors) @ np.log(1 - priors)
            optimal += mine >= best[s @ (1 << np.arange(code.checks))] - 1e-9
    assert found > 250
    assert optimal / found > 0.97


@pytest.mark.parametrize(("q", "n"), [(0.01, 20_000), (0.03, 20_000), (0.08, 8_000)])
def test_planted_errors_are_found(q, n):
    plan = plan_syndrome(n, q)
    code = plan.code
    decoder = Decoder(code)
    for seed in range(5):
        errors = np.zeros(code.bits, np.uint8)
        errors[:n] = planted(n, q, seed)
        priors = np.zeros(code.bits)
        priors[:n] = q
        got = decoder.decode(syndrome_of(code, errors), priors)
        assert got.found
        assert np.array_equal(got.errors, errors)


def test_too_many_errors_are_reported():
    plan = plan_syndrome(4000, 0.02)
    code = plan.code
    errors = planted(code.bits, 0.08, 1)
    got = Decoder(code).decode(syndrome_of(code, errors), np.full(code.bits, 0.02), most=40)
    assert not got.found
    assert got.iterations == 40
    assert not np.array_equal(syndrome_of(code, got.errors), syndrome_of(code, errors))


def test_certain_bits_stay_as_they_are():
    code = make_code(40, 20, 25)
    priors = np.full(1000, 0.04)
    priors[::5], priors[1::5] = 0.0, 1.0
    errors = planted(1000, 0.04, 3)
    errors[::5], errors[1::5] = 0, 1
    got = Decoder(code).decode(syndrome_of(code, errors), priors)
    assert got.found
    assert np.array_equal(got.errors, errors)


def test_decoding_again_with_more_known_goes_on():
    code = make_code(400, 100, 25)
    priors, decoder = np.full(10_000, 0.041), Decoder(code)
    errors = planted(10_000, 0.041, 6)
    s = syndrome_of(code, errors)
    first = decoder.decode(s, priors, most=60)
    assert not first.found
    asked = np.argsort(np.abs(first.beliefs))[:700]
    priors[asked] = errors[asked]
    second = decoder.decode(s, priors, most=60, resume=first)
    assert second.found
    assert np.array_equal(second.errors, errors)


@pytest.mark.parametrize(
    ("syndrome", "priors"),
    [(np.zeros(499, np.uint8), np.full(1000, 0.1)), (np.zeros(500, np.uint8), np.full(1000, 1.5))],
)
def test_decoder_refuses(syndrome, priors):
    with pytest.raises(ArgumentError):
        Decoder(make_code(40, 20, 25)).decode(syndrome, priors)


# ---- plans


def test_plan_is_what_is_told():
    plan = plan_syndrome(10_000, 0.03, largest_block=4000)
    assert plan.blocks == 3
    assert len(key_syndrome(planted(10_000, 0.5, 1), plan)) == plan.leak_bits
    assert plan.leak_bits == plan.blocks * plan.rows * plan.lift
    assert np.array_equal(np.sort(np.concatenate(cut(plan))), np.arange(10_000))
    assert plan.f == pytest.approx(plan.leak_bits / (10_000 * h(0.03)))
    assert plan.to_dict()["leak_bits"] == plan.leak_bits
    assert f"{plan.leak_bits:,}" in str(plan)


def test_plan_of_two_error_rates_uses_the_mean_uncertainty():
    # as in device-independent runs: one rate in key rounds, another in test rounds
    rates = np.full(50_000, 0.018)
    rates[:2500] = 0.17
    plan = plan_syndrome(50_000, rates)
    assert plan.entropy == pytest.approx(0.95 * h(0.018) + 0.05 * h(0.17))
    assert np.array_equal(priors_of(plan, rates), rates.astype(np.float32))


def test_plan_follows_its_arguments():
    f = [plan_syndrome(n, 0.02).f for n in (1000, 10_000, 100_000, 1_000_000)]
    assert f == sorted(f, reverse=True)
    assert f[-1] < 1.09
    leaks = [plan_syndrome(50_000, 0.02, failure=x).leak_bits for x in (0.5, 0.1, 1e-3, 1e-6)]
    assert leaks == sorted(leaks)
    given = plan_syndrome(50_000, 0.02, leak_bits=9000)
    assert 9000 <= given.leak_bits < 9060
    assert given.failure is None


@pytest.mark.parametrize("q", [0.001, 0.01, 0.05, 0.11])
@pytest.mark.parametrize("n", [4000, 30_011, 1_500_000])
def test_every_plan_has_room_for_the_key(n, q):
    plan = plan_syndrome(n, q)
    block = -(-n // plan.blocks)
    assert plan.columns * plan.lift >= block
    assert plan.columns * plan.lift <= 1.06 * block + 64
    assert 1 < plan.f < 1.2 + 300 / math.sqrt(n * h(q)) / 10 + 100 / (n * h(q))


@pytest.mark.parametrize(
    ("n", "q", "more"),
    [
        (100, 0.02, {}),
        (1000, 0.0, {}),
        (1000, 0.5, {}),
        (1000, 0.3, {}),
        (1000, float("nan"), {}),
        (1000, np.full(999, 0.1), {}),
        (1000, 0.02, {"failure": 0.0}),
        (1000, 0.02, {"failure": 0.7}),
        (1000, 0.02, {"leak_bits": 990}),
    ],
)
def test_plan_refuses(n, q, more):
    with pytest.raises(ArgumentError) as caught:
        plan_syndrome(n, q, **more)
    assert "\n" not in str(caught.value)


def test_syndrome_refuses_other_bits():
    plan = plan_syndrome(1000, 0.02)
    for bits in (np.zeros(999, np.uint8), np.zeros(1000), np.full(1000, 2, np.uint8)):
        with pytest.raises(ArgumentError):
            key_syndrome(bits, plan)


# ---- density evolution


@pytest.mark.slow
def test_regular_code_has_the_published_threshold():
    # Richardson and Urbanke, IEEE Trans. Inf. Theory 47, 599 (2001), table II: (3,6) on the binary
    # symmetric channel, belief propagation: 0.084.
    assert threshold({3: 1.0}, 0.5, 0.083, 0.085) == pytest.approx(0.084, abs=1e-4)


@pytest.mark.slow
def test_table_has_its_thresholds():
    for row in TABLE:
        assert decodes(row.edges, row.share, 0.995 * row.threshold)
        assert not decodes(row.edges, row.share, 1.015 * row.threshold)


def test_evolution_tells_apart_what_decodes():
    assert decodes({3: 1.0}, 0.5, 0.082)
    assert not decodes({3: 1.0}, 0.5, 0.087)


def test_gap_is_small_and_continuous():
    assert all(1.02 < row.gap < 1.051 for row in TABLE)
    shares = np.geomspace(0.03, 0.7, 400)
    values = np.array([gap(x) for x in shares])
    assert np.abs(np.diff(values)).max() < 0.005


# ---- how often decoding fails


@pytest.mark.slow
@pytest.mark.parametrize("q", [0.02, 0.05])
def test_failures_are_as_rare_as_planned(q):
    # planned 2 %; the chance of more than 12 in 200 at 2 % is 4e-4
    n = 10_000
    plan = plan_syndrome(n, q, failure=0.02)
    decoder, lost = Decoder(plan.code), 0
    priors = np.zeros(plan.code.bits)
    priors[:n] = q
    for seed in range(200):
        errors = np.zeros(plan.code.bits, np.uint8)
        errors[:n] = planted(n, q, seed)
        got = decoder.decode(syndrome_of(plan.code, errors), priors)
        lost += not got.found
        assert not got.found or np.array_equal(got.errors, errors)
    assert lost <= 12
