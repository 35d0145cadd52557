"""Toeplitz hashing: the convention, two-universality, agreement of routes, other people's code."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebit.analysis import fft_product
from ebit.analysis.fft_product import (
    check_distance,
    fft_middle_product,
    largest_piece,
    rounding_bound,
)
from ebit.analysis.toeplitz import ToeplitzHash, toeplitz_hash, toeplitz_hash_packed
from ebit.games import ArgumentError

METHODS: list[Any] = ["product", "fft"]
SIZES = st.integers(1, 200).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))


def matrix(seed: np.ndarray, n: int, m: int) -> np.ndarray:
    i, j = np.ogrid[:m, :n]
    return np.asarray(seed)[i - j + n - 1]


def sample(n: int, m: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 2, n, np.uint8), rng.integers(0, 2, n + m - 1, np.uint8)


@pytest.mark.parametrize("method", METHODS)
@given(SIZES, st.integers(0, 2**32))
@settings(deadline=None)  # the first call compiles
def test_matrix_of_the_convention(method: Any, size: tuple[int, int], seed: int) -> None:
    n, m = size
    x, s = sample(n, m, seed)
    hashed = toeplitz_hash(x, s, m, method=method)
    assert (hashed == matrix(s.astype(int), n, m) @ x % 2).all()
    packed = toeplitz_hash_packed(np.packbits(x), np.packbits(s), n, m, method=method)
    assert (packed == np.packbits(hashed)).all()


@given(SIZES, st.integers(0, 2**32))
@settings(deadline=None)  # the first call compiles
def test_linear_in_input_and_in_seed(size: tuple[int, int], seed: int) -> None:
    n, m = size
    (x, s), (y, t) = sample(n, m, seed), sample(n, m, seed + 1)
    assert (toeplitz_hash(x ^ y, s, m) == toeplitz_hash(x, s, m) ^ toeplitz_hash(y, s, m)).all()
    assert (toeplitz_hash(x, s ^ t, m) == toeplitz_hash(x, s, m) ^ toeplitz_hash(x, t, m)).all()


@pytest.mark.parametrize(("n", "m"), [(5, 3), (4, 4), (6, 1)])
def test_two_universal_exactly(n: int, m: int) -> None:
    """Any two inputs collide for exactly 2^-m of the seeds: their difference is hashed to zero."""
    inputs = np.array(list(itertools.product([0, 1], repeat=n))[1:], np.uint8)
    zero = np.zeros(len(inputs), int)
    for seed in itertools.product([0, 1], repeat=n + m - 1):
        hashed = ToeplitzHash(np.packbits(seed), n, m)
        zero += [not hashed(np.packbits(x)).any() for x in inputs]
    assert (zero == 2 ** (n - 1)).all()


def test_bits_beyond_the_last_are_ignored() -> None:
    x, s = sample(13, 5, 1)
    packed, key = np.packbits(x), np.packbits(s)
    packed[-1] |= 7
    key[-1] |= 127
    want = np.packbits(toeplitz_hash(x, s, 5))
    longer = np.concatenate([key, np.array([255], np.uint8)])
    for method in METHODS:
        assert (toeplitz_hash_packed(packed, longer, 13, 5, method=method) == want).all()


def test_a_seed_serves_many_inputs() -> None:
    _, s = sample(500, 200, 2)
    hashed = ToeplitzHash(np.packbits(s), 500, 200)
    for seed in range(5):
        x, _ = sample(500, 200, seed)
        assert (hashed(np.packbits(x)) == np.packbits(toeplitz_hash(x, s, 200))).all()


@pytest.mark.parametrize(("n", "m"), [(1, 1), (20, 8), (100, 100), (1000, 300)])
def test_randextract_agrees(n: int, m: int) -> None:
    """Its matrix is seed[i - j], counted from the end where negative: ours, rotated by n - 1."""
    randextract = pytest.importorskip("randextract")
    galois = pytest.importorskip("galois")
    x, s = sample(n, m, n)
    theirs = randextract.ToeplitzHashing(n, m).extract(galois.GF2(x), galois.GF2(s))
    assert (np.asarray(theirs) == toeplitz_hash(x, np.roll(s, n - 1), m)).all()


def exact_by_shifts(x: np.ndarray, s: np.ndarray, m: int) -> np.ndarray:
    """The schoolbook sum, eight shifts of the seed packed beforehand."""
    n = len(x)
    padded = np.concatenate([s, np.zeros(16, np.uint8)])
    shifted = [np.packbits(padded[k:]) for k in range(8)]
    y = np.zeros(m // 8, np.uint8)
    for start in (n - 1 - np.flatnonzero(x)).tolist():
        y ^= shifted[start % 8][start // 8 : start // 8 + m // 8]
    return y


@pytest.mark.slow
def test_a_million_bits_against_the_schoolbook() -> None:
    n, m = 10**6, 500_000
    x, s = sample(n, m, 3)
    want = exact_by_shifts(x, s, m)
    for method in METHODS:
        hashed = toeplitz_hash_packed(np.packbits(x), np.packbits(s), n, m, method=method)
        assert (hashed == want).all()


@pytest.mark.slow
def test_ten_million_bits_by_both_routes() -> None:
    n, m = 10**7, 5 * 10**6
    x, s = sample(n, m, 4)
    hashed = toeplitz_hash(x, s, m)
    assert (hashed == toeplitz_hash(x, s, m, method="fft")).all()
    for i in (0, 1, 31, 32, 1_234_567, m - 1):
        assert hashed[i] == np.count_nonzero(s[i : i + n] & x[::-1]) % 2


# The FFT's rounding


@pytest.mark.parametrize("n", [10, 1000, 30_000, 1_000_000])
@pytest.mark.parametrize("kind", ["random", "ones"])
def test_errors_stay_below_the_proven_bound(n: int, kind: str) -> None:
    """The distance to the nearest whole numbers, which add up to what they must."""
    m = n // 2
    x, s = sample(n, m, 5)
    if kind == "ones":
        x[:], s[:] = 1, 1
    length = fft_product._length(n + m - 1)
    spectra = (fft_product.fft.rfft(a.astype(float), length) for a in (x, s))
    result = fft_product.fft.irfft(np.multiply(*spectra), length)
    distance = check_distance(result, int(x.sum(dtype=int)) * int(s.sum(dtype=int)))
    assert distance <= rounding_bound(length, n, n + m - 1) < 1e-6


def test_bound_grows_and_stays_small() -> None:
    bounds = [rounding_bound(2**k, 2 ** (k - 1), 2**k) for k in range(4, 32)]
    assert bounds == sorted(bounds)
    assert bounds[24 - 4] < 1e-4
    assert bounds[-1] < 0.25  # a thousand million bits at once are still proven
    assert rounding_bound(2**50, 2**49, 2**50) > 0.25


def test_input_is_split_where_the_bound_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    x, s = sample(3000, 100, 6)
    want = matrix(s.astype(int), 3000, 100) @ x % 2
    monkeypatch.setattr(fft_product, "_ALLOWED", rounding_bound(540, 400, 540))
    monkeypatch.setattr(fft_product, "check_distance", lambda result, total: 0.0)
    assert largest_piece(3000, 100) < 400
    assert (fft_middle_product(s, x, 100) == want).all()
    monkeypatch.setattr(fft_product, "_ALLOWED", 1e-30)
    with pytest.raises(ArgumentError, match="method 'product'"):
        fft_middle_product(s, x, 100)


def test_a_faulty_library_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    x, s = sample(200, 100, 7)
    true = fft_product.fft.irfft
    for error, words in ((0.3, "lies 0.3 from"), (1.0, "add up")):

        def faulty(*args: Any, error: float = error, **kwargs: Any) -> Any:
            result = true(*args, **kwargs)
            result[17] += error
            return result

        monkeypatch.setattr(fft_product.fft, "irfft", faulty)
        with pytest.raises(ArithmeticError, match=words):
            fft_middle_product(s, x, 100)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: toeplitz_hash([0, 1, 1], [1, 0, 0], 2), "n . m - 1 = 4 bits.*had 3"),
        (lambda: toeplitz_hash([0, 1], [1, 0, 0, 1], 3), "`m`.*at most 2.*3"),
        (lambda: toeplitz_hash([0, 1], [1, 0], 0), "`m`.*at least 1.*0"),
        (lambda: toeplitz_hash([0, 2], [1, 0], 1), "`bits`.*only 0 and 1.*0 to 2"),
        (lambda: toeplitz_hash([0, 1], [1.0, 0.0], 1), "`seed`.*float64"),
        (lambda: toeplitz_hash([], [1], 1), "`bits`.*not empty"),
        (lambda: toeplitz_hash([[0]], [1], 1), r"`bits`.*\(1, 1\)"),
        (lambda: toeplitz_hash([0, 1], [1, 0], 1, method="x"), "`method`.*'x'"),  # type: ignore[arg-type]
        (lambda: ToeplitzHash(np.zeros(1, np.uint8), 8, 2), "= 9 bits .2 bytes.*had 1 bytes"),
        (lambda: ToeplitzHash(np.zeros(9), 8, 2), "`seed`.*float64"),  # type: ignore[arg-type]
        (
            lambda: ToeplitzHash(np.zeros(9, np.uint8), 8, 2)(np.zeros(2, np.uint8)),
            "`bits`.*1 bytes for n = 8.*had 2",
        ),
        (lambda: rounding_bound(13, 1, 1), "`length`.*above 11.*13"),
    ],
)
def test_bad_arguments(call: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
