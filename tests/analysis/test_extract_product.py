"""The field, the transforms and the middle product, each against plain polynomial arithmetic."""

import itertools
import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebit.analysis import gf2_product
from ebit.analysis.additive_basis import (
    basis_steps,
    change_basis,
    change_basis_inverse_transposed,
    change_basis_transposed,
)
from ebit.analysis.additive_fft import add_products, forward, inverse_transposed, transposed
from ebit.analysis.clmul import HARDWARE, LANES
from ebit.analysis.gf2_product import MiddleProduct
from ebit.analysis.gf64 import (
    cantor_basis,
    carryless_product,
    evaluation_points,
    gf64_multiply,
)

WORDS = st.integers(0, 2**64 - 1)
KERNELS = [False, True] if HARDWARE else [False]


def product(a: int, b: int) -> int:
    """a b over GF(2), by shifts."""
    total = 0
    while b:
        total ^= a * (b & 1)
        a, b = a << 1, b >> 1
    return total


def field(a: int, b: int) -> int:
    """a b modulo z^64 + z^4 + z^3 + z + 1, by division."""
    c = product(a, b)
    for i in range(127, 63, -1):
        if c >> i & 1:
            c ^= (1 << 64 | 0x1B) << (i - 64)
    return c


def schoolbook(s: np.ndarray, x: np.ndarray, m: int) -> np.ndarray:
    """The sum of the stretches of the seed that the ones of x choose."""
    y = np.zeros(m, np.uint8)
    for j in np.flatnonzero(x):
        y ^= s[len(x) - 1 - j : len(x) - 1 - j + m]
    return y


def random_words(seed: int, k: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, 1 << k, np.uint64)


@given(WORDS, WORDS)
@settings(deadline=None)
def test_products_of_words(a: int, b: int) -> None:
    low, high = carryless_product(np.uint64(a), np.uint64(b))
    assert int(low) | int(high) << 64 == product(a, b)
    assert int(gf64_multiply(np.uint64(a), np.uint64(b))) == field(a, b)


def test_words_full_of_ones() -> None:
    low, high = carryless_product(np.uint64(2**64 - 1), np.uint64(2**64 - 1))
    assert int(low) | int(high) << 64 == product(2**64 - 1, 2**64 - 1)


@pytest.mark.parametrize("hardware", KERNELS)
def test_products_word_by_word(hardware: bool) -> None:
    a, b, out = (random_words(i, 4) for i in range(3))
    want = [int(o) ^ field(int(x), int(y)) for o, x, y in zip(out, a, b, strict=True)]
    add_products(out, a, b, hardware=hardware)
    assert out.tolist() == want


def test_cantor_basis() -> None:
    v = cantor_basis()
    assert v[0] == 1
    assert len(v) == 32
    assert all(field(a, a) ^ a == before for before, a in itertools.pairwise(v))
    assert len(set(evaluation_points(10).tolist())) == 1024  # independent


@pytest.mark.parametrize("hardware", KERNELS)
@pytest.mark.parametrize("k", [4, 5, 7])
def test_forward_transform_evaluates(k: int, hardware: bool) -> None:
    f = random_words(k, k)
    points = evaluation_points(k)
    values = f.copy()
    change_basis(values, basis_steps(k))
    forward(values, points, hardware=hardware)
    for x, value in zip(points.tolist(), values.tolist(), strict=True):
        want = 0
        for c in reversed(f.tolist()):
            want = field(want, x) ^ c
        assert value == want


def _inner(a: np.ndarray, b: np.ndarray) -> int:
    total = np.zeros(len(a), np.uint64)
    add_products(total, a, b, hardware=False)
    return int(np.bitwise_xor.reduce(total))


@pytest.mark.parametrize("hardware", KERNELS)
@pytest.mark.parametrize("k", [4, 6, 9, 14, 15])
def test_transposes_and_inverses(k: int, hardware: bool) -> None:
    """<V a, b> = <a, V^T b>, for the whole and for the change of basis alone."""
    a, b = random_words(1, k), random_words(2, k)
    steps, points = basis_steps(k), evaluation_points(k)
    image, back = a.copy(), b.copy()
    change_basis(image, steps)
    change_basis_transposed(back, steps)
    assert _inner(image, b) == _inner(a, back)
    change_basis_inverse_transposed(back, steps)
    assert (back == b).all()

    forward(image, points, hardware=hardware)
    transposed(back, points, hardware=hardware)
    middle = back.copy()
    change_basis_transposed(back, steps)
    assert _inner(image, b) == _inner(a, back)
    inverse_transposed(middle, points, hardware=hardware)
    assert (middle == b).all()


@pytest.mark.skipif(not HARDWARE, reason="needs carry-less multiplication by the processor")
@pytest.mark.parametrize("apply", [forward, transposed, inverse_transposed])
def test_kernels_agree(apply: Callable[..., None]) -> None:
    for k in (4, 13, 14, 16):
        a, b = random_words(k, k), random_words(k, k)
        apply(a, evaluation_points(k), hardware=True)
        apply(b, evaluation_points(k), hardware=False)
        assert (a == b).all()


@pytest.mark.parametrize("hardware", KERNELS)
@given(n=st.integers(1, 300), m=st.integers(1, 300), seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)  # the first call compiles
def test_middle_product(hardware: bool, n: int, m: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, s = rng.integers(0, 2, n, np.uint8), rng.integers(0, 2, n + m - 1, np.uint8)
    hashed = MiddleProduct(np.packbits(s), n, m, hardware=hardware)(np.packbits(x))
    assert (hashed == np.packbits(schoolbook(s, x, m))).all()


@pytest.mark.parametrize("per_piece", [1, 2, 7, 31])
def test_pieces_add_up(per_piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    n, m = 1000, 300
    rng = np.random.default_rng(per_piece)
    x, s = rng.integers(0, 2, n, np.uint8), rng.integers(0, 2, n + m - 1, np.uint8)
    monkeypatch.setattr(gf2_product, "_choose", lambda words, rows: (7, per_piece))
    product = MiddleProduct(np.packbits(s), n, m)
    assert product.pieces == -(-33 // per_piece)
    assert (product(np.packbits(x)) == np.packbits(schoolbook(s, x, m))).all()


def test_long_inputs_are_cut() -> None:
    product = MiddleProduct(np.zeros(125_002, np.uint8), 10**6, 10)
    assert product.pieces > 1
    assert product.length * product.pieces < 2 * 10**6 / 32


def test_too_long_an_output() -> None:
    with pytest.raises(OverflowError, match="more than a transform"):
        gf2_product._choose(10, 1 << 31)


CHECK = """
import sys
import numpy as np
from ebit.analysis.clmul import LANES
from ebit.analysis.toeplitz import toeplitz_hash
assert int(sys.argv[1]) == LANES, LANES
rng = np.random.default_rng(1)
for n, m in ((33, 7), (1000, 500), (70_000, 35_000)):
    x, s = rng.integers(0, 2, n), rng.integers(0, 2, n + m - 1)
    assert (toeplitz_hash(x, s, m) == toeplitz_hash(x, s, m, method="fft")).all()
"""
TARGETS = {0: "+sse2", 2: "+sse2,+pclmul", 4: "+sse2,+avx,+avx2,+pclmul,+vpclmulqdq"}


@pytest.mark.slow
@pytest.mark.skipif(not HARDWARE, reason="needs an x86 processor")
@pytest.mark.parametrize("lanes", [n for n in TARGETS if n <= LANES])
def test_other_processors(lanes: int, tmp_path: object) -> None:
    """What numba compiles where the processor has less: registers of other widths, or none."""
    features = {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": TARGETS[lanes]}
    done = subprocess.run(
        [sys.executable, "-P", "-c", CHECK, str(lanes)],
        env={**os.environ, **features, "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
