"""GF(2^128): against polynomials written as Python integers, and the laws of a field."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebit.analysis.clmul import HARDWARE
from ebit.analysis.gf128 import (
    BLOCK,
    GROUP,
    byte_table,
    evaluate_hardware,
    evaluate_portable,
    gf128_multiply,
    group_powers,
    words_of,
)
from ebit.games import ArgumentError
from tests.analysis.gf128help import MODULUS, block_of, polynomial, schoolbook

ZERO = np.uint64(0)
blocks = st.binary(min_size=BLOCK, max_size=BLOCK)


def multiply(a: bytes, b: bytes) -> bytes:
    high, low = gf128_multiply(*words_of(a), *words_of(b))
    return (int(high) << 64 | int(low)).to_bytes(BLOCK, "big")


@given(blocks, blocks)
def test_a_product_is_the_schoolbook_one(a: bytes, b: bytes) -> None:
    assert multiply(a, b) == block_of(schoolbook(polynomial(a), polynomial(b)))


@given(blocks, blocks, blocks)
def test_products_obey_the_laws_of_a_field(a: bytes, b: bytes, c: bytes) -> None:
    total = bytes(x ^ y for x, y in zip(b, c, strict=True))
    apart = bytes(x ^ y for x, y in zip(multiply(a, b), multiply(a, c), strict=True))
    assert multiply(a, total) == apart
    assert multiply(a, b) == multiply(b, a)
    assert multiply(multiply(a, b), c) == multiply(a, multiply(b, c))
    assert multiply(a, block_of(1)) == a


def test_the_polynomial_is_irreducible() -> None:
    # Rabin: z^(2^128) = z, and z^(2^64) + z has no factor in common with it (128 = 2^7).
    z = power = 2
    for k in range(1, 129):
        power = schoolbook(power, power)
        if k == 64:
            a, b = MODULUS, power ^ z
            while b:
                while a and a.bit_length() >= b.bit_length():
                    a ^= b << (a.bit_length() - b.bit_length())
                a, b = b, a
            assert a == 1
    assert power == z


@given(blocks)
def test_powers_are_divided_by_z(h: bytes) -> None:
    powers = group_powers(*words_of(h))
    value, z = 1, block_of(2)
    for i in range(GROUP - 1, -1, -1):
        value = schoolbook(value, polynomial(h))
        found = (int(powers[2 * i + 1]) << 64 | int(powers[2 * i])).to_bytes(BLOCK, "big")
        assert multiply(found, z) == block_of(value)


@given(blocks, st.integers(0, 15), st.integers(0, 255))
def test_a_table_has_the_product_of_every_byte(h: bytes, place: int, value: int) -> None:
    high, low = byte_table(*words_of(h))[place, value]
    single = bytes(value if k == place else 0 for k in range(BLOCK))
    assert (int(high) << 64 | int(low)).to_bytes(BLOCK, "big") == multiply(single, h)


@pytest.mark.skipif(not HARDWARE, reason="this processor has no carry-less product")
@given(blocks, blocks, st.integers(1, 3), st.integers(0, 2**32))
def test_both_ways_to_evaluate_agree(h: bytes, before: bytes, groups: int, seed: int) -> None:
    data = np.random.default_rng(seed).integers(0, 256, groups * BLOCK * GROUP, np.uint8)
    state = words_of(before)
    by_table = evaluate_portable(byte_table(*words_of(h)), data, *state)
    assert evaluate_hardware(group_powers(*words_of(h)), data, *state) == by_table


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(ArgumentError, match="block must be 16 bytes, but was 15"):
        words_of(bytes(15))
    with pytest.raises(ArgumentError, match="whole groups of 1,024 bytes, but was 16"):
        evaluate_hardware(np.zeros(128, np.uint64), np.zeros(16, np.uint8), ZERO, ZERO)
