"""Shots drawn from distributions: frequencies, order, bit places, zero probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ebit.backends import sample
from ebit.backends.exact import Distribution
from ebit.backends.sample import draw, place_bits


def codes(shots, circuit=0):
    bits = shots.bits(circuit).astype(np.int64)
    return bits @ (1 << np.arange(bits.shape[1]))


@pytest.mark.parametrize("k", [1, 2, 4, 5, 9])
def test_frequencies_follow_the_distribution(k):
    rng = np.random.default_rng(k)
    p = rng.dirichlet(np.ones(2**k))
    n = 400_000
    shots = draw([[Distribution(tuple(range(k)), p)]], [k], [n], seed=7)
    counts = np.bincount(codes(shots), minlength=2**k)
    assert stats.chisquare(counts, p * n).pvalue > 1e-4
    # The order carries nothing: neighbouring shots are uncorrelated.
    first = (codes(shots) & 1).astype(float)
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 5 / np.sqrt(n)


@pytest.mark.parametrize("k", [2, 6])
def test_outcomes_of_probability_zero_never_occur(k):
    p = np.zeros(2**k)
    p[1::2] = 2.0 / 2**k
    seen = codes(draw([[Distribution(tuple(range(k)), p)]], [k], [100_000], seed=1))
    assert set(seen.tolist()) == set(range(1, 2**k, 2))


def test_components_land_on_their_own_bits():
    sure = Distribution((9, 2), np.array([0, 1.0, 0, 0]))  # bit 9 is 1, bit 2 is 0
    coin = Distribution((0,), np.array([0.25, 0.75]))
    shots = draw([[sure, coin], [coin]], [10, 3], [40_000, 5], seed=3)
    bits = shots.bits(0)
    assert bits[:, 9].all()
    assert not bits[:, 1:9].any()
    assert bits[:, 0].mean() == pytest.approx(0.75, abs=0.01)
    assert shots.counts == (40_000, 5)


def test_seed_repeats_and_chunks_do_not_matter(monkeypatch):
    parts = [[Distribution((0, 1), np.array([0.1, 0.2, 0.3, 0.4]))]]
    whole = draw(parts, [2], [5000], seed=11).packed[0]
    monkeypatch.setattr(sample, "_CHUNK", 333)
    monkeypatch.setattr(sample, "_REPORT", 1001)
    seen = []
    again = draw(parts, [2], [5000], seed=11, progress=lambda *a: seen.append(a)).packed[0]
    np.testing.assert_array_equal(whole, again)
    assert seen[-1] == (5000, 5000)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert not np.array_equal(whole, draw(parts, [2], [5000], seed=12).packed[0])


def test_components_and_circuits_are_independent():
    coin = [Distribution((0,), np.array([0.5, 0.5])), Distribution((1,), np.array([0.5, 0.5]))]
    shots = draw([coin, coin], [2, 2], [50_000, 50_000], seed=0)
    a, b = shots.bits(0), shots.bits(1)
    for x, y in [(a[:, 0], a[:, 1]), (a[:, 0], b[:, 0]), (a[:, 1], b[:, 0])]:
        assert abs((x == y).mean() - 0.5) < 5 / np.sqrt(4 * 50_000)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, bool, np.int64])
def test_bits_of_any_type_are_packed_in_place(dtype):
    rng = np.random.default_rng(2)
    bits = rng.integers(0, 2, (300, 3)).astype(dtype)
    packed = np.zeros((300, 2), dtype=np.uint8)
    place_bits(packed, bits, [7, 0, 12])
    back = np.unpackbits(packed, axis=1, bitorder="little")
    np.testing.assert_array_equal(back[:, [7, 0, 12]], bits.astype(np.uint8))
    assert back.sum() == bits.astype(int).sum()
