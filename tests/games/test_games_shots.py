"""Shots keep bits in one order, packed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebit.games import ArgumentError, Shots


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)), min_size=1, max_size=4))
def test_bits_come_back(sizes: list[tuple[int, int]]) -> None:
    rng = np.random.default_rng(len(sizes))
    bits = [rng.integers(0, 2, size) for size in sizes]
    shots = Shots.from_bits(bits)
    assert shots.counts == tuple(n for n, _ in sizes)
    assert shots.n == sum(shots.counts)
    assert shots.widths == tuple(w for _, w in sizes)
    for i, array in enumerate(bits):
        assert np.array_equal(shots.bits(i), array)
        assert shots.packed[i].shape == (len(array), (array.shape[1] + 7) // 8)


@given(st.integers(1, 20), st.integers(0, 2**32 - 1), st.data())
def test_integers_are_little_endian(width: int, seed: int, data: st.DataObject) -> None:
    bits = np.random.default_rng(seed).integers(0, 2, (9, width))
    clbits = data.draw(st.lists(st.integers(0, width - 1), max_size=8))
    expected = sum((bits[:, j] << k for k, j in enumerate(clbits)), np.zeros(9, dtype=int))
    assert Shots.from_bits([bits]).integers(0, clbits).tolist() == expected.tolist()


@pytest.mark.parametrize(
    "bits", [[0, 1], [[0, 2]], [[0, -1]], [[0.5, 1]], [[np.nan, 0]], [["0"]], [[0, 1], [0]]]
)
def test_what_are_no_bits(bits: object) -> None:
    with pytest.raises(ArgumentError, match="bits must"):
        Shots.from_bits([bits])


def test_what_cannot_be_packed_bits() -> None:
    with pytest.raises(ArgumentError, match="one entry per circuit"):
        Shots((np.zeros((3, 1), dtype=np.uint8),), (1, 1))
    with pytest.raises(ArgumentError, match=r"shape \(shots, 2\) for 9 bits"):
        Shots((np.zeros((3, 1), dtype=np.uint8),), (9,))
    shots = Shots.from_bits([np.zeros((2, 3))])
    with pytest.raises(ArgumentError, match="below 3"):
        shots.integers(0, [3])
    with pytest.raises(ArgumentError, match="below 3"):
        shots.integers(0, [-1])
    with pytest.raises(ArgumentError, match="at most 8"):
        shots.integers(0, [0] * 9)
