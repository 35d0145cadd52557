"""The polynomial hash: published values, a schoolbook route, AES-GCM, and collisions counted out."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections import Counter
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebit.analysis import polynomial_hash as module
from ebit.analysis.clmul import HARDWARE
from ebit.analysis.polynomial_hash import PolynomialHash, forgery_bound, polynomial_hash
from ebit.games import ArgumentError
from tests.analysis.gf128help import block_of, by_hand, schoolbook

PATHS = [
    False,
    pytest.param(True, marks=pytest.mark.skipif(not HARDWARE, reason="no such product")),
]
# The GCM paper's test cases 2, 3 and 14 (key 0; key feff...; 256-bit key 0): H, C, GHASH(H, {}, C).
PUBLISHED = [
    (
        "66e94bd4ef8a2c3b884cfa59ca342b2e",
        "0388dace60b6a392f328c2b971b2fe78",
        "f38cbb1ad69223dcc3457ae5b6b0f885",
    ),
    (
        "b83b533708bf535d0aa6e52980d53b78",
        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
        "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985",
        "7f1b32b81b820d02614f8895ac1d4eac",
    ),
    (
        "dc95c078a2408989ad48a21492842087",
        "cea7403d4d606b6e074ec5d3baf39d18",
        "83de425c5edc5d498f382c441041ca92",
    ),
]


@pytest.mark.parametrize("hardware", PATHS)
@pytest.mark.parametrize(("key", "message", "value"), PUBLISHED)
def test_published_values_of_ghash(key: str, message: str, value: str, hardware: bool) -> None:
    found = PolynomialHash(bytes.fromhex(key), hardware=hardware)(bytes.fromhex(message))
    assert found.hex() == value


@pytest.mark.parametrize("hardware", PATHS)
@pytest.mark.parametrize(
    "size", [0, 1, 15, 16, 17, 991, 992, 993, 1007, 1008, 1009, 1023, 1024, 2031, 2032, 2033, 3100]
)
def test_the_schoolbook_gives_the_same(size: int, hardware: bool) -> None:
    rng = np.random.default_rng(size)
    key, message = rng.bytes(16), rng.bytes(size)
    assert PolynomialHash(key, hardware=hardware)(message) == by_hand(key, message)


@given(st.binary(min_size=16, max_size=16), st.integers(0, 9000), st.integers(0, 2**32))
def test_both_paths_agree(key: bytes, size: int, seed: int) -> None:
    message = np.random.default_rng(seed).bytes(size)
    found = {PolynomialHash(key, hardware=path)(message) for path in {False, HARDWARE}}
    assert len(found) == 1
    assert polynomial_hash(key, memoryview(message)) in found


@pytest.mark.parametrize("size", [1, 16, 1000, 100_003])
def test_the_tag_of_aes_gcm_is_this_hash_and_a_pad(size: int) -> None:
    ciphers = pytest.importorskip("cryptography.hazmat.primitives.ciphers")
    gcm = pytest.importorskip("cryptography.hazmat.primitives.ciphers.aead")
    rng = np.random.default_rng(size)
    secret, nonce = rng.bytes(16), rng.bytes(12)
    one_block = ciphers.Cipher(ciphers.algorithms.AES(secret), ciphers.modes.ECB()).encryptor()
    h, pad = one_block.update(bytes(16)), one_block.update(nonce + b"\0\0\0\1")
    sealed = gcm.AESGCM(secret).encrypt(nonce, rng.bytes(size), None)
    tag = bytes(a ^ b for a, b in zip(polynomial_hash(h, sealed[:-16]), pad, strict=True))
    assert tag == sealed[-16:]


@lru_cache(maxsize=1)
def subfield() -> tuple[int, ...]:
    """GF(2^8) inside GF(2^128): 0, then g, g^2, ..., g^255 = 1."""
    for base in range(2, 50):
        generator, exponent = 1, (2**128 - 1) // 255
        while exponent:
            if exponent & 1:
                generator = schoolbook(generator, base)
            base, exponent = schoolbook(base, base), exponent >> 1
        found, power = [0], 1
        for _ in range(255):
            power = schoolbook(power, generator)
            found.append(power)
        if len(set(found)) == 256:
            return tuple(found)
    raise AssertionError("no generator found")


def hashes(hardware: bool) -> list[PolynomialHash]:
    return [PolynomialHash(block_of(key), hardware=hardware) for key in subfield()]


@pytest.mark.parametrize("hardware", PATHS)
def test_the_bound_is_reached_by_two_messages_of_unequal_length(hardware: bool) -> None:
    # With c = L + L', and c for the difference of the first of n = 255 blocks, H(m) + H(m') is
    # c (k^256 + k), which vanishes on all 256 = n + 1 keys of the subfield.
    m = bytes(16 * 255)
    c = (8 * len(m)) ^ (8 * len(m) - 8)
    other = c.to_bytes(16, "big") + bytes(len(m) - 17)
    assert all(h(m) == h(other) for h in hashes(hardware))
    assert PolynomialHash(bytes(range(16)))(m) != PolynomialHash(bytes(range(16)))(other)


@pytest.mark.parametrize("hardware", PATHS)
def test_the_bound_is_reached_by_a_difference(hardware: bool) -> None:
    # (k + a)(k + b)(k + c)(k + e) has no k^1 if 1/a + 1/b + 1/c + 1/e = 0: three blocks, four keys.
    elements = subfield()
    inverse = {elements[i]: elements[255 - i] or 1 for i in range(1, 256)}
    a, b, c = elements[3], elements[77], elements[120]
    e = inverse[inverse[a] ^ inverse[b] ^ inverse[c]]
    polynomial_of = [1]
    for root in (a, b, c, e):
        down = [schoolbook(value, root) for value in polynomial_of]
        polynomial_of = [x ^ y for x, y in zip([*polynomial_of, 0], [0, *down], strict=True)]
    assert polynomial_of[3] == 0
    m = bytes(48)
    forged = b"".join(block_of(value) for value in polynomial_of[:3])
    d = block_of(polynomial_of[4])
    right = {
        k for k, h in zip(elements, hashes(hardware), strict=True) if _xor(h(m), h(forged)) == d
    }
    assert right == {a, b, c, e}
    assert len(right) == 4


@pytest.mark.parametrize("hardware", PATHS)
def test_forgeries_are_counted_out_and_stay_below_the_bound(hardware: bool) -> None:
    # A forger who knows a tag of m and puts (m', tag + d) in its place succeeds for as many keys as
    # H(m) + H(m') = d has roots. Blocks and keys from GF(2^8), so that all keys can be tried.
    elements, keyed = [block_of(value) for value in subfield()], hashes(hardware)
    rng = np.random.default_rng(5)
    most = 0
    for blocks in (1, 2, 3, 5, 8):
        for _ in range(6):
            m, other = (
                b"".join(elements[i] for i in rng.integers(0, 256, blocks)) for _ in range(2)
            )
            assert m != other
            counts = Counter(_xor(h(m), h(other)) for h in keyed)
            best = max(counts.values())
            assert best / 256 <= (blocks + 1) / 256
            most = max(most, best)
    assert most >= 4, "the bound is not put to the test"


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(min_size=16, max_size=16))
def test_different_messages_differ(m: bytes, other: bytes, key: bytes) -> None:
    if m != other and any(key):
        assert polynomial_hash(key, m) != polynomial_hash(key, other)


def test_lengths_are_told_apart() -> None:
    h = PolynomialHash(bytes(range(16)))
    assert len({h(bytes(size)) for size in range(100)}) == 100


@pytest.mark.parametrize(
    ("size", "log2"), [(0, -128), (1, -127), (16, -127), (17, math.log2(3) - 128)]
)
def test_bound_of_small_messages(size: int, log2: float) -> None:
    assert math.log2(forgery_bound(size)) == pytest.approx(log2, abs=1e-12)


def test_bound_at_a_mebibyte() -> None:
    assert math.log2(forgery_bound(1 << 20)) == pytest.approx(-112, abs=1e-4)


def test_a_path_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HARDWARE", False)
    with pytest.raises(ArgumentError, match="hardware must be False"):
        PolynomialHash(bytes(16), hardware=True)
    assert PolynomialHash(bytes(range(16)))(b"x") == by_hand(bytes(range(16)), b"x")


@pytest.mark.parametrize("key", [b"", bytes(15), bytes(17)])
def test_a_key_of_another_size_is_refused(key: bytes) -> None:
    with pytest.raises(ArgumentError, match="key must be 16 bytes"):
        polynomial_hash(key, b"")
    with pytest.raises(ArgumentError, match="message_bytes"):
        forgery_bound(-1)


def test_nothing_shows_the_key() -> None:
    h = PolynomialHash(b"sixteen secrets!")
    assert "secret" not in repr(h) + str(h)


_TARGETS = {
    0: "-pclmul",
    2: "+sse2,+pclmul",
    4: "+sse2,+pclmul,+avx,+avx2,+vpclmulqdq",
    8: "+sse2,+pclmul,+avx,+avx2,+avx512f,+vpclmulqdq",
}


@pytest.mark.slow
@pytest.mark.parametrize("lanes", _TARGETS)
def test_every_width_gives_the_same(lanes: int, tmp_path: Path) -> None:
    from ebit.analysis.clmul import LANES

    if lanes > LANES:
        pytest.skip("this processor has not so wide a product")
    code = (
        "import numpy as np; from ebit.analysis.clmul import LANES;"
        "from ebit.analysis.polynomial_hash import polynomial_hash as h;"
        "r = np.random.default_rng(1);"
        "print(LANES, h(r.bytes(16), r.bytes(5001)).hex())"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={
            **os.environ,
            "NUMBA_CACHE_DIR": str(tmp_path),
            "NUMBA_CPU_NAME": "x86-64",
            "NUMBA_CPU_FEATURES": _TARGETS[lanes],
        },
        capture_output=True,
        text=True,
        check=True,
    )
    rng = np.random.default_rng(1)
    assert done.stdout.split() == [str(lanes), by_hand(rng.bytes(16), rng.bytes(5001)).hex()]


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))
