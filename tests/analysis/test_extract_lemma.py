"""The leftover hash lemma: lengths, their inverse, and the lemma itself on sources small enough."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebit.analysis.hash_lemma import entropy_needed, hashing_error, output_length, seed_length
from ebit.analysis.trevisan import one_bit_hash
from ebit.analysis.trevisan_plan import one_bit_error
from ebit.games import ArgumentError

EPSILONS = st.floats(1e-30, 0.49)


@pytest.mark.parametrize(
    ("entropy", "epsilon", "bits"),
    # floor(k + 2 - 2 log2(1/eps)), arXiv:1002.2436 eq. 1, by hand
    [(1000, 2**-64, 874), (1000.5, 2**-64, 874), (130, 2**-64, 4), (1e6, 1e-9, 999_942)],
)
def test_lengths_by_hand(entropy: float, epsilon: float, bits: int) -> None:
    assert output_length(entropy, epsilon) == bits


@given(st.floats(200, 1e9), EPSILONS)
def test_length_is_the_largest_that_keeps_the_error(entropy: float, epsilon: float) -> None:
    m = output_length(entropy, epsilon)
    assert m <= entropy
    assert hashing_error(entropy, m) <= epsilon * (1 + 1e-6)
    if m + 1 <= entropy:
        assert hashing_error(entropy, m + 1) > epsilon * (1 - 1e-6)
    assert entropy_needed(m, epsilon) <= entropy + 1e-6 < entropy_needed(m + 1, epsilon) + 1e-5


def test_error_never_passes_one() -> None:
    assert hashing_error(0, 10**9) == 1.0
    assert hashing_error(10**9, 1) == 0.0


@pytest.mark.parametrize(("n", "m"), [(6, 1), (6, 3), (5, 4)])
def test_lemma_by_enumeration(n: int, m: int) -> None:
    """Flat sources: the distance, averaged over all seeds, is below 2^(-(k-m)/2)/2."""
    seeds = np.array(list(itertools.product([0, 1], repeat=n + m - 1)))
    i, j = np.ogrid[:m, :n]
    matrices = seeds[:, i - j + n - 1]
    inputs = np.array(list(itertools.product([0, 1], repeat=n)))
    values = (matrices @ inputs.T % 2 * (1 << np.arange(m))[:, None]).sum(axis=1)  # seed, input
    rng = np.random.default_rng(7)
    for k in range(1, n + 1):
        for _ in range(5):
            support = rng.choice(2**n, 2**k, replace=False)
            counts = np.array([np.bincount(v[support], minlength=2**m) for v in values])
            distance = np.abs(counts / 2**k - 2.0**-m).sum(axis=1).mean() / 2
            assert distance <= hashing_error(k, m)


def quantum_side_information(
    rng: np.random.Generator, count: int, dimension: int
) -> tuple[np.ndarray, float]:
    """States of E, one per input, unnormalised; and how often the pretty good measurement guesses."""
    vectors = rng.normal(size=(count, dimension, 2)) @ [1, 1j]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) * math.sqrt(count)
    states = np.einsum("xa,xb->xab", vectors, vectors.conj())
    values, basis = np.linalg.eigh(states.sum(axis=0))
    root = basis @ np.diag(values**-0.5) @ basis.conj().T
    guessed = sum(np.trace(s @ root @ s @ root).real for s in states)
    return states, float(guessed)


def distance_from_uniform(states: np.ndarray, values: np.ndarray, m: int) -> float:
    """Half the trace norm between hash and side information, and uniform bits beside it."""
    mean = states.sum(axis=0) / 2**m
    parts = [states[values == z].sum(axis=0) - mean for z in range(2**m)]
    return sum(np.abs(np.linalg.eigvalsh(p)).sum() for p in parts) / 2


@pytest.mark.parametrize(("n", "m", "dimension"), [(4, 1, 2), (4, 2, 2), (5, 2, 4), (5, 1, 8)])
def test_lemma_against_a_quantum_memory(n: int, m: int, dimension: int) -> None:
    """A pretty good measurement guesses no better than the best, so that its rate serves for 2^-k."""
    rng = np.random.default_rng(11)
    i, j = np.ogrid[:m, :n]
    inputs = np.array(list(itertools.product([0, 1], repeat=n)))
    for _ in range(5):
        states, guessed = quantum_side_information(rng, 2**n, dimension)
        distances = []
        for seed in itertools.product([0, 1], repeat=n + m - 1):
            hashed = np.array(seed)[i - j + n - 1] @ inputs.T % 2
            values = (hashed * (1 << np.arange(m))[:, None]).sum(axis=0)
            distances.append(distance_from_uniform(states, values, m))
        assert np.mean(distances) <= hashing_error(-math.log2(guessed), m)


@pytest.mark.parametrize(("n", "w", "dimension"), [(4, 2, 2), (6, 3, 2), (6, 3, 4)])
def test_one_bit_against_a_quantum_memory(n: int, w: int, dimension: int) -> None:
    """The same for polynomial hashing, whose collisions are more than half."""
    rng = np.random.default_rng(12)
    inputs = list(itertools.product([0, 1], repeat=n))
    keys = list(itertools.product([0, 1], repeat=2 * w))
    table = np.array([[one_bit_hash(x, key) for x in inputs] for key in keys])
    for _ in range(5):
        states, guessed = quantum_side_information(rng, 2**n, dimension)
        distances = [distance_from_uniform(states, values, 1) for values in table]
        assert np.mean(distances) <= one_bit_error(n, w, -math.log2(guessed))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: output_length(100, 2**-64), "127.00.*epsilon 5.42e-20.*100.00"),
        (lambda: output_length(100, 0), "`epsilon`.*0"),
        (lambda: output_length(100, 1.0), "`epsilon`.*1.0"),
        (lambda: output_length(-1, 0.1), "`entropy_bits`.*-1"),
        (lambda: output_length(math.nan, 0.1), "`entropy_bits`.*nan"),
        (lambda: output_length("x", 0.1), "`entropy_bits`.*'x'"),  # type: ignore[arg-type]
        (lambda: entropy_needed(0, 0.1), "`bits`.*0"),
        (lambda: seed_length(10, 11), "`m`.*at most 10.*11"),
        (lambda: seed_length(10, 0), "`m`.*0"),
    ],
)
def test_bad_arguments(call: object, words: str) -> None:
    with pytest.raises(ArgumentError, match=words) as caught:
        call()  # type: ignore[operator]
    assert "\n" not in str(caught.value)
