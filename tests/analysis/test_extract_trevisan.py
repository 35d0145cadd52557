"""Trevisan's extractor: fields, designs, the one-bit hash, and exact distances where they can be had."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebit.analysis.gf2_irreducible import (
    irreducible_polynomial,
    is_irreducible,
    polynomial_remainder,
)
from ebit.analysis.trevisan import _hash, one_bit_hash, trevisan_extract
from ebit.analysis.trevisan_design import (
    OVERLAP,
    block_design,
    block_sizes,
    design_seed_length,
    overlap,
    polynomial_design,
)
from ebit.analysis.trevisan_plan import TrevisanPlan, one_bit_error, plan_trevisan
from ebit.games import ArgumentError

PRIMES = [2, 3, 5, 7, 11, 13, 31]


def times(a: int, b: int, f: int) -> int:
    total = 0
    for i in range(b.bit_length()):
        if b >> i & 1:
            total ^= a << i
    return polynomial_remainder(total, f)


def number(bits: Any) -> int:
    return int("".join(str(int(b)) for b in bits), 2)


# Irreducible polynomials


def test_irreducible_by_trial_division() -> None:
    for f in range(2, 1 << 10):
        divided = any(
            polynomial_remainder(f, g) == 0 for g in range(2, 1 << (f.bit_length() + 1) // 2)
        )
        assert is_irreducible(f) == (not divided or f in (2, 3)), f"{f:b}"


def test_as_many_as_there_are() -> None:
    """Gauss: sum over d | w of mu(d) 2^(w/d) / w of degree w."""
    found = [sum(is_irreducible(1 << w | f) for f in range(1 << w)) for w in range(1, 11)]
    assert found == [2, 1, 2, 3, 6, 9, 18, 30, 56, 99]  # OEIS A001037


def test_known_polynomials() -> None:
    """Seroussi's table (HPL-98-135): lowest weight, lexicographically first."""
    terms = {
        2: {1},
        8: {4, 3, 1},
        64: {4, 3, 1},
        113: {9},
        128: {7, 2, 1},
        163: {7, 6, 3},
        233: {74},
    }
    for w, middle in terms.items():
        assert irreducible_polynomial(w) == 1 << w | sum(1 << k for k in middle) | 1


# Designs


@pytest.mark.parametrize("t", PRIMES)
def test_designs_by_counting(t: int) -> None:
    for m in (1, 2, 3, 7, 40, 300):
        if m <= t**t:
            sets = polynomial_design(m, t)
            assert all(len(set(row)) == t for row in sets.tolist())
            assert sets.min() >= 0
            assert sets.max() < t * t
            assert overlap(sets) <= OVERLAP
        sets = block_design(m, t)
        assert sets.shape == (m, t)
        assert sets.max() < design_seed_length(m, t)
        assert overlap(sets) <= 1


def test_overlap_by_sets() -> None:
    sets = polynomial_design(30, 5)
    rows = [set(r) for r in sets.tolist()]
    sums = [sum(2 ** len(rows[i] & rows[j]) for j in range(i)) for i in range(30)]
    assert overlap(sets) == max(sums) / 30


@given(st.integers(1, 10**4), st.sampled_from(PRIMES))
def test_block_sizes_keep_the_condition(m: int, t: int) -> None:
    before = 0
    for size in block_sizes(m, t):
        assert size >= 1
        assert before + OVERLAP * size <= m or (size <= t and before + size <= m)
        before += size
    assert before == m


# One bit


@given(st.integers(1, 70), st.integers(1, 200), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_one_bit_by_direct_evaluation(w: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, key = rng.integers(0, 2, n), rng.integers(0, 2, 2 * w)
    f, a, b = irreducible_polynomial(w), number(key[:w]), number(key[w:])
    padded = np.concatenate([x, np.zeros(-n % w, int)]).reshape(-1, w)
    value, power = 0, 1
    for row in padded[::-1]:  # the lowest coefficient first, by powers
        value ^= times(number(row), power, f)
        power = times(power, a, f)
    assert one_bit_hash(x, key) == (value & b).bit_count() % 2


@pytest.mark.slow  # its fields are compiled
@pytest.mark.parametrize(("n", "length"), [(100, 8), (1000, 130)])
def test_randextract_agrees_on_one_bit(n: int, length: int) -> None:
    randextract = pytest.importorskip("randextract")
    galois = pytest.importorskip("galois")
    f = galois.Poly.Int(irreducible_polynomial(length // 2))
    theirs = randextract.PolynomialOneBitExtractor(n, length, f)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        x, key = rng.integers(0, 2, n), rng.integers(0, 2, length)
        assert int(theirs.extract(galois.GF2(x), galois.GF2(key))) == one_bit_hash(x, key)


def table(n: int, w: int) -> np.ndarray:
    """The bit for every key (rows) and every input."""
    keys = np.array(list(itertools.product([0, 1], repeat=2 * w)), np.uint8)
    inputs = itertools.product([0, 1], repeat=n)
    return np.array([_hash(np.array(x, np.uint8), keys, w) for x in inputs]).T


@pytest.mark.parametrize(("n", "w"), [(6, 2), (6, 3), (8, 4), (7, 3)])
def test_collisions_by_enumeration(n: int, w: int) -> None:
    values = table(n, w)[:, 0:].astype(int)
    words = -(-n // w)
    collide = max((values[:, [0]] == values[:, 1:]).mean(axis=0))  # linear: against zero
    assert collide <= 0.5 + (words - 1) / 2**w


@pytest.mark.parametrize(("n", "w"), [(6, 3), (8, 4), (8, 2)])
def test_distance_of_one_bit_by_enumeration(n: int, w: int) -> None:
    values, rng = table(n, w).astype(float), np.random.default_rng(5)
    for k in range(1, n + 1):
        for _ in range(10):
            support = rng.choice(2**n, 2**k, replace=False)
            distance = np.abs(values[:, support].mean(axis=1) - 0.5).mean()
            assert distance <= one_bit_error(n, w, k)


def test_distance_of_two_bits_by_enumeration() -> None:
    """Two sets that do not meet: every pair of keys, every source that was drawn."""
    n, w = 8, 4
    signs = 1 - 2 * table(n, w).astype(float)
    rng = np.random.default_rng(6)
    for k in range(3, n + 1):
        support = rng.choice(2**n, 2**k, replace=False)
        part = signs[:, support]
        one, both = part.mean(axis=1), part @ part.T / 2**k
        first, second = one[:, None], one[None, :]
        cells = [a * first + b * second + a * b * both for a in (1, -1) for b in (1, -1)]
        distance = sum(np.abs(c / 4) for c in cells).mean() / 2
        assert distance <= 2 * one_bit_error(n, w, k - 2)


# The whole


@pytest.mark.parametrize("design", ["block", "polynomial"])
def test_whole_is_one_bit_per_set(design: Any) -> None:
    plan = plan_trevisan(3000, 2000, bits=60, epsilon=1e-3, design=design)
    rng = np.random.default_rng(8)
    x, seed = rng.integers(0, 2, plan.n), rng.integers(0, 2, plan.seed_bits + 5)
    make = block_design if design == "block" else polynomial_design
    sets = make(60, plan.set_size)[:, : 2 * plan.width]
    want = [one_bit_hash(x, seed[s]) for s in sets]
    assert trevisan_extract(x, seed, plan).tolist() == want
    assert sum(want) not in (0, 60)


@given(st.integers(10**3, 10**8), st.floats(0.2, 1), st.integers(1, 200), st.floats(1e-20, 0.1))
def test_plans_keep_their_error(n: int, rate: float, bits: int, epsilon: float) -> None:
    try:
        plan = plan_trevisan(n, rate * n, bits=bits, epsilon=epsilon)
    except ArgumentError:
        assert rate * n <= bits - 1 - 2 * math.log2(epsilon / bits)
        return
    assert plan.epsilon <= epsilon
    assert plan.epsilon == bits * one_bit_error(n, plan.width, rate * n - bits)
    assert plan.set_size >= 2 * plan.width
    if plan.width > 1:
        assert bits * one_bit_error(n, plan.width - 1, rate * n - bits) > epsilon


def test_seed_is_short_for_few_bits_only() -> None:
    few = plan_trevisan(10**6, 5e5, bits=128, epsilon=2**-32)
    many = plan_trevisan(10**6, 5e5, bits=400_000, epsilon=2**-32)
    assert few.seed_bits < 40_000 < 10**6 + 127
    assert many.seed_bits > 10**6
    assert few.to_dict()["seed_bits"] == few.seed_bits
    assert "128 bits from 1000000" in str(few)


PLAN = TrevisanPlan(8, 8.0, 1, 0.5, 2, 5, "block", 25)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plan_trevisan(1000, 100, bits=90, epsilon=1e-6), "`entropy_bits`.*141.8.*100.0"),
        (lambda: plan_trevisan(1000, 1001, bits=1, epsilon=0.1), "n = 1000.*1001"),
        (lambda: plan_trevisan(1000, 500, bits=1, epsilon=0), "`epsilon`.*0"),
        (lambda: plan_trevisan(1000, 500, bits=0, epsilon=0.1), "`bits`.*0"),
        (lambda: plan_trevisan(10, 9, bits=1, epsilon=0.9, design="x"), "`design`.*'x'"),  # type: ignore[arg-type]
        (lambda: one_bit_error(5, 1, -1.0), "`entropy_bits`.*-1.0"),
        (lambda: polynomial_design(3, 4), "`t`.*prime.*4"),
        (lambda: polynomial_design(5, 2), "`m`.*at most 4.*5"),
        (lambda: one_bit_hash([0, 1], [1]), "`key`.*even.*1"),
        (lambda: one_bit_hash([0, 2], [1, 0]), "`bits`.*0 to 2"),
        (lambda: one_bit_hash([], [1, 0]), "`bits`.*not empty"),
        (lambda: trevisan_extract([0] * 7, [0] * 25, PLAN), "plan's 8 bits.*7"),
        (lambda: trevisan_extract([0] * 8, [0] * 24, PLAN), "25 bits.*24"),
        (lambda: irreducible_polynomial(0), "`w`.*0"),
        (lambda: is_irreducible(1), "`f`.*1"),
    ],
)
def test_bad_arguments(call: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
