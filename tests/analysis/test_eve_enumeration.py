"""Short keys enumerated: against brute force, and against the leftover hash lemma."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebit.analysis.eve_enumeration import enumerate_key
from ebit.games import ArgumentError


def toeplitz_by_hand(x, seed, m):
    n = len(x)
    return tuple(sum(int(seed[i - j + n - 1]) * x[j] for j in range(n)) % 2 for i in range(m))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 7), st.integers(0, 3), st.integers(0, 10_000), st.data())
def test_against_brute_force(n, rows, seed_of, data):
    rng = np.random.default_rng(seed_of)
    m = data.draw(st.integers(1, n))
    ones = rng.choice([0.0, 0.1, 0.5, 0.73, 1.0], n)
    true = (rng.random(n) < ones).astype(int)
    checks = rng.integers(0, 2, (rows, n))
    syndrome = checks @ true % 2
    seed = rng.integers(0, 2, n + m - 1)
    keys: dict[tuple[int, ...], float] = {}
    total = largest = 0.0
    for x in product((0, 1), repeat=n):
        if any(int(np.dot(row, x)) % 2 != s for row, s in zip(checks, syndrome, strict=True)):
            continue
        p = math.prod(q if b else 1 - q for q, b in zip(ones, x, strict=True))
        total, largest = total + p, max(largest, p)
        key = toeplitz_by_hand(x, seed, m)
        keys[key] = keys.get(key, 0.0) + p
    found = enumerate_key(ones, checks, syndrome, seed, m)
    for number, key in enumerate(product((0, 1), repeat=m)):
        assert found.probabilities[number] == pytest.approx(keys.get(key, 0) / total, abs=1e-12)
    assert found.guess == pytest.approx(max(keys.values()) / total)
    assert keys[found.key] == pytest.approx(max(keys.values()))
    distance = sum(abs(keys.get(k, 0) / total - 0.5**m) for k in product((0, 1), repeat=m)) / 2
    assert found.distance == pytest.approx(distance, abs=1e-12)
    assert found.raw_min_entropy == pytest.approx(-math.log2(largest / total), abs=1e-9)


@pytest.mark.parametrize("m", [1, 2, 3])
def test_mean_over_all_seeds_keeps_to_the_leftover_hash_lemma(m):
    n = 6
    ones = np.array([0.5, 0.8, 0.3, 0.5, 0.9, 0.4])
    checks, syndrome = [[1, 1, 0, 1, 0, 0]], [1]
    seeds = product((0, 1), repeat=n + m - 1)
    found = [enumerate_key(ones, checks, syndrome, seed, m) for seed in seeds]
    mean = np.mean([f.distance for f in found])
    first = found[0]
    assert mean <= first.predicted
    assert mean > first.predicted / 10  # the prediction is of the right size
    assert first.predicted <= math.sqrt(2**m * 2**-first.raw_min_entropy) / 2
    # All seeds see the same raw key.
    assert {round(f.raw_collision_entropy, 9) for f in found} == {
        round(first.raw_collision_entropy, 9)
    }


def test_known_and_unknown_keys():
    seed = np.array([1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 1, 0, 1])
    sure = enumerate_key(np.tile([0.0, 1.0], 6), [], [], seed, 2)
    assert sure.guess == 1
    assert sure.distance == 0.75
    assert sure.raw_min_entropy == 0
    assert sure.key == toeplitz_by_hand([0, 1] * 6, seed, 2)
    blind = enumerate_key(np.full(12, 0.5), [], [], seed, 2)
    assert blind.guess == 0.25
    assert blind.distance == 0
    assert blind.raw_min_entropy == 12
    assert "distance from uniform 0" in str(blind)
    assert blind.to_dict()["probabilities"] == [0.25] * 4


def test_leak_is_paid_for():
    # Every announced parity halves what is left of a blind guess.
    eye = np.eye(4, dtype=int)
    for r in range(4):
        found = enumerate_key([0.5] * 4, eye[:r], [0] * r, [0, 0, 0, 1], 1)
        assert found.raw_min_entropy == 4 - r


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([0.5] * 13, [], [], [0] * 13, 1), "1 to 12 probabilities"),
        (([], [], [], [0], 1), "1 to 12 probabilities"),
        (([1.5], [], [], [0], 1), "probabilities, but had"),
        (([0.5] * 3, [[1, 1]], [0], [0] * 3, 1), "one row of 3 bits"),
        (([0.5] * 3, [[1, 1, 1]], [], [0] * 3, 1), "one row of 3 bits"),
        (([1.0] * 2, [[1, 1]], [1], [0] * 2, 1), "must be possible"),
        (([0.5] * 2, [], [], [0] * 2, 3), "`m`"),
        (([0.5] * 2, [], [], [0], 1), "seed"),
    ],
)
def test_refusals(arguments, words):
    with pytest.raises(ArgumentError, match=words):
        enumerate_key(*arguments)
