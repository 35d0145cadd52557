"""Suffix arrays and tuple counts against sorting and counting by hand."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebit.analysis.health_suffix import longest_repeat, suffix_array, tuple_counts

TEXTS = st.one_of(
    st.lists(st.integers(0, 1), min_size=1, max_size=60),
    st.lists(st.integers(0, 3), min_size=1, max_size=40),
    st.lists(st.integers(0, 255), min_size=1, max_size=40),
    st.tuples(st.lists(st.integers(0, 2), min_size=1, max_size=6), st.integers(2, 12)).map(
        lambda pair: pair[0] * pair[1]
    ),
)


@settings(deadline=None)  # the first call compiles
@given(TEXTS)
def test_suffixes_are_sorted(text: list[int]) -> None:
    data = bytes(text)
    expected = sorted(range(len(data)), key=lambda i: data[i:])
    assert suffix_array(np.frombuffer(data, np.uint8)).tolist() == expected


@settings(deadline=None)  # the first call compiles
@given(TEXTS)
def test_tuples_are_counted(text: list[int]) -> None:
    data = bytes(text)
    found = tuple_counts(np.frombuffer(data, np.uint8))
    for t in range(1, len(data) + 1):
        counts = Counter(data[i : i + t] for i in range(len(data) - t + 1))
        most = max(counts.values())
        if t > found.longest:
            assert most == 1
            continue
        assert found.most[t] == most
        assert found.pairs[t] == sum(c * (c - 1) // 2 for c in counts.values())
    assert longest_repeat(np.frombuffer(data, np.uint8)) == found.longest


@pytest.mark.parametrize("period", [1, 2, 7, 1000])
def test_periodic_data_take_linear_time(period: int) -> None:
    n = 300_000
    text = np.arange(n, dtype=np.int64) % period % 251
    found = tuple_counts(text.astype(np.uint8))
    assert found.longest == n - period
    # Each place p >= period repeats the one a period before: n - period - t + 1 pairs at least.
    t = found.longest
    assert found.pairs[t] == n - period - t + 1
    assert found.most[t] == 2


def test_long_symbols_and_names() -> None:
    # Many equal stretches between valleys: the recursion is needed several levels deep.
    rng = np.random.default_rng(4)
    blocks = [rng.integers(0, 5, 50).astype(np.uint8) for _ in range(3)]
    text = np.concatenate([blocks[i] for i in rng.integers(0, 3, 60)])
    data = text.tobytes()
    assert suffix_array(text).tolist() == sorted(range(len(data)), key=lambda i: data[i:])
