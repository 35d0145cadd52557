"""Verification: equal bits pass, others do not, the hash is the Toeplitz hash, bad messages are refused."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebit.games import ArgumentError
from ebit.protocols.conversation import ChannelError, Expect, Message, Party, converse
from ebit.protocols.verification import TAG_BITS, VERIFICATION_ERROR, verify_alice, verify_bob


@given(st.lists(st.integers(0, 1), min_size=1, max_size=300), st.integers(0, 2**32), st.booleans())
@settings(deadline=None, max_examples=100)
def test_equal_or_not(values: list[int], seed: int, equal: bool) -> None:
    rng = np.random.default_rng(seed)
    key = np.array(values, np.uint8)
    other = key.copy()
    if not equal:
        other[rng.integers(0, len(key))] ^= 1
    a, b = converse(verify_alice(key, random=rng.bytes), verify_bob(other))
    assert a.result() == b.result() == equal
    assert (a.end.leaked, b.end.leaked, a.end.turns) == (TAG_BITS, 0, 1)
    assert VERIFICATION_ERROR == 2**-64


@pytest.mark.parametrize("n", [1, 63, 64, 65, 500])
def test_the_hash_is_the_product_with_a_toeplitz_matrix(n: int) -> None:
    """Second route: the matrix written out, T_ij = seed[i - j + m - 1] over max(n, 64) columns."""
    rng = np.random.default_rng(n)
    key = rng.integers(0, 2, n, np.uint8)
    seed = np.random.default_rng(5).bytes(200)
    size = max(n, 64)
    a, _ = converse(verify_alice(key, random=lambda count: seed[:count]), verify_bob(key))
    bits = np.unpackbits(np.frombuffer(seed, np.uint8)).astype(int)
    i, j = np.ogrid[:64, :size]
    expected = bits[i - j + size - 1] @ np.append(key, np.zeros(size - n, int)) % 2
    assert a.end.sent[0][-8:] == np.packbits(expected.astype(np.uint8)).tobytes()


def test_every_pattern_of_few_errors_is_caught() -> None:
    rng = np.random.default_rng(3)
    key = rng.integers(0, 2, 100, np.uint8)
    for i in range(100):
        for j in range(i):
            other = key.copy()
            other[[i, j]] ^= 1
            seed = bytes(rng.integers(0, 256, 21, np.uint8))
            assert not converse(verify_alice(key, random=lambda n, s=seed: s), verify_bob(other))[
                1
            ].result()


def says(kind: str, body: bytes, first: str | None = None) -> Party[None]:
    if first is not None:
        yield Expect(first)
    yield Message(kind, body)


@pytest.mark.parametrize("answer", [b"", b"\x02", b"\x01\x01", bytes(1000)])
def test_an_answer_that_is_none(answer: bytes) -> None:
    key = np.ones(100, np.uint8)
    a = converse(verify_alice(key), says("equal", answer, "hash"))[0]
    with pytest.raises(ChannelError, match="one byte"):
        a.result()


@pytest.mark.parametrize(
    "body", [b"", bytes(37), bytes(38), struct.pack(">Q", 101) + bytes(29), bytes(10**5)]
)
def test_a_hash_that_is_none(body: bytes) -> None:
    b = converse(says("hash", body), verify_bob(np.ones(100, np.uint8)))[1]
    with pytest.raises(ChannelError, match="of 100 bits"):
        b.result()


@pytest.mark.parametrize(
    "bits",
    [np.zeros(0, np.uint8), np.full(3, 2, np.uint8), np.zeros(3), np.zeros((2, 2), np.uint8), [1]],
)
def test_bits_are_refused_at_once(bits: Any) -> None:
    for party in (verify_alice, verify_bob):
        with pytest.raises(ArgumentError, match="bits"):
            party(bits)
