"""The IID tests: statistics by the book, chi-squares a second way, verdicts on known processes."""

from __future__ import annotations

import bz2
import math
import re
from collections import Counter
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ebit.analysis.health_iid import (
    goodness_of_fit,
    iid_tests,
    independence,
    repeat_chance,
    repeat_test,
)
from ebit.analysis.health_statistics import (
    LAGS,
    STATISTICS,
    compressed_length,
    quick_statistics,
)
from ebit.games import ArgumentError
from tests.analysis.healthhelp import rule

# On `rule(4000, 1)`; from the implementation, checked below against the book.
GOLDEN = [
    24.350000000000023,
    346.0,
    5.0,
    287.0,
    2028.0,
    10.0,
    23.476190476190474,
    45.0,
    89.0,
    107.0,
    111.0,
    113.0,
    84.0,
    8092.0,
    8146.0,
    8074.0,
    7935.0,
    7654.0,
    674.0,
]


def by_the_book(s: list[int], raw: list[int], binary: bool) -> list[float]:
    """SP 800-90B, 5.1.1 to 5.1.10."""
    n, mean = len(raw), sum(raw) / len(raw)
    total, furthest = 0, 0.0
    for i, x in enumerate(raw, 1):
        total += x
        furthest = max(furthest, abs(total - i * mean))
    eights = [s[i : i + 8] for i in range(0, n, 8)]
    counted = [sum(e) for e in eights] if binary else s
    numbers = [sum(b << (7 - j) for j, b in enumerate(e)) for e in eights] if binary else s
    steps = [a <= b for a, b in pairwise(counted)]
    runs = [len(list(g)) for _, g in groupby(steps)]
    median = 0.5 if binary else float(np.median(s))
    sides = [len(list(g)) for _, g in groupby(x >= median for x in s)]
    waits, i = [], 0
    while True:
        seen: set[int] = set()
        j = i
        while j < len(numbers) and numbers[j] not in seen:
            seen.add(numbers[j])
            j += 1
        if j == len(numbers):
            break
        waits.append(j - i + 1)
        i = j + 1
    values = counted if binary else raw
    up = sum(steps)
    return [
        furthest,
        len(runs),
        max(runs),
        max(up, len(steps) - up),
        len(sides),
        max(sides),
        sum(waits) / len(waits),
        max(waits),
        *(sum(a == b for a, b in zip(counted, counted[p:], strict=False)) for p in LAGS),
        *(sum(a * b for a, b in zip(values, values[p:], strict=False)) for p in LAGS),
    ]


@pytest.mark.parametrize(("bits", "n"), [(1, 1003), (1, 2000), (2, 999), (4, 800), (8, 1200)])
def test_statistics_by_the_book(bits: int, n: int) -> None:
    s = rule(n, bits)
    raw = s if bits == 1 else (s[:].astype(np.uint8))
    median = 0.5 if bits == 1 else float(np.median(s))
    found = quick_statistics(s, raw, int(raw.sum()) / n, median, binary=bits == 1)
    assert found == pytest.approx(by_the_book(s.tolist(), raw.tolist(), bits == 1), rel=1e-12)
    text = " ".join(str(x) for x in raw.tolist()).encode()
    assert compressed_length(raw) == len(bz2.compress(text, 5))


def test_statistics_of_symbols_with_gaps() -> None:
    s = rule(1500, 2)
    raw = np.array([3, 9, 100, 250], np.uint8)[s]
    median = float(np.median(s))
    found = quick_statistics(s, raw, int(raw.sum()) / 1500, median, binary=False)
    assert found == pytest.approx(by_the_book(s.tolist(), raw.tolist(), False), rel=1e-12)


def test_golden_statistics() -> None:
    found = iid_tests(rule(4000, 1), permutations=12).statistics
    assert [s.name for s in found] == list(STATISTICS)
    assert [s.value for s in found] == pytest.approx(GOLDEN, rel=1e-12)


def test_independence_of_bits_a_second_way() -> None:
    bits = rule(30_000, 1)
    found = independence(bits, 2)
    m = 11  # .5^11 * 30000 / 11 = 1.3 < 5, .5^9 * 3333 = 6.5
    while 0.5**m * (30_000 // m) < 5.2:
        m -= 1
    assert found.df == 2**m - 2
    blocks = Counter(tuple(b) for b in bits[: 30_000 // m * m].reshape(-1, m).tolist())
    p1 = bits.mean()
    cells = [[(k >> j) & 1 for j in range(m)[::-1]] for k in range(2**m)]
    hoped = [p1 ** sum(c) * (1 - p1) ** (m - sum(c)) * (30_000 // m) for c in cells]
    seen = [blocks[tuple(c)] for c in cells]
    chi, p = stats.chisquare(seen, np.array(hoped) * sum(seen) / sum(hoped), ddof=1)
    assert found.statistic == pytest.approx(chi, rel=1e-9)
    assert found.p_value == pytest.approx(p, rel=1e-9)


def test_independence_of_symbols_a_second_way() -> None:
    s = rule(20_000, 2, lean=60)
    p = np.bincount(s) / s.size
    pairs = np.zeros((4, 4))
    np.add.at(pairs, (s[::2], s[1::2]), 1)
    expected = np.outer(p, p) * 10_000  # all above 5: no cell is joined to another
    found = independence(s, 4)
    assert found.df == 12
    assert found.statistic == pytest.approx(((pairs - expected) ** 2 / expected).sum(), rel=1e-9)
    assert found.p_value == pytest.approx(stats.chi2(12).sf(found.statistic), rel=1e-9)


def test_rare_symbols_share_bins() -> None:
    # Counts 2, 3, 5 and many: expected 0.2, 0.3 and 0.5 in a tenth, joined until they reach 5.
    rng = np.random.default_rng(2)
    s = np.repeat([0, 1, 2, 3, 4], [2, 3, 5, 495, 495]).astype(np.uint8)
    rng.shuffle(s)
    found = goodness_of_fit(s, 5)
    assert found.df == 9  # {0, 1, 2, 3} together, and 4
    expected = np.array([50.5, 49.5])
    seen = np.array([[np.sum(part != 4), np.sum(part == 4)] for part in s.reshape(10, 100)])
    assert found.statistic == pytest.approx(((seen - expected) ** 2 / expected).sum(), rel=1e-9)


def test_goodness_of_fit_of_bits_a_second_way() -> None:
    bits = rule(10_007, 1)
    parts = bits[:10_000].reshape(10, 1000).sum(axis=1)
    p = bits.mean()
    chi = sum(((o - 1000 * p) ** 2) / (1000 * p * (1 - p)) for o in parts)
    found = goodness_of_fit(bits, 2)
    assert found.statistic == pytest.approx(chi, rel=1e-9)
    assert found.df == 9


def test_the_longest_repeat() -> None:
    # As NIST's tool printed for 10^6 bits with 500166 of one kind (issue 247 of its repository).
    p = 0.500166**2 + 0.499834**2
    assert repeat_chance(39, p, 1_000_000) == pytest.approx(0.597246, abs=5e-7)
    # Exact for length 1 of independent pairs: 1 - (1 - p)^N.
    assert repeat_chance(1, 0.25, 3) == pytest.approx(1 - 0.75**3)
    assert repeat_chance(5000, 0.5, 10**6) == 0.0
    copied = rule(5000, 4)
    copied[3000:3040] = copied[1000:1040]
    found = repeat_test(copied, 16)
    assert found.length >= 40
    assert found.p_value < 1e-30
    assert not found.passed


def test_ideal_samples_are_hardly_ever_rejected() -> None:
    rng = np.random.default_rng(7)
    rejected = sum(
        not iid_tests(rng.integers(0, 2, 2000), permutations=2000, seed=i).passed for i in range(20)
    )
    # 22 tests at about .001 to .0012: 20 stretches expect 0.5 rejections.
    assert rejected <= 3


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("chain", {"independence", "number of runs about the median"}),
        ("drift", {"goodness of fit", "excursion"}),
        ("copy", {"longest repeated tuple"}),
        ("period", {"periodicity, lag 16"}),
    ],
)
def test_processes_that_are_not_iid(name: str, expected: set[str]) -> None:
    rng = np.random.default_rng(9)
    n = 6000
    samples = rng.integers(0, 4, n).astype(np.uint8)
    if name == "chain":
        samples = np.bitwise_xor.accumulate((rng.random(n) < 0.3).astype(np.uint8))
    elif name == "drift":
        samples = (rng.random(n) < np.linspace(0.3, 0.7, n)).astype(np.uint8)
    elif name == "copy":
        samples[4000:4100] = samples[1000:1100]
    else:
        samples[16:] = np.where(rng.random(n - 16) < 0.3, samples[:-16], samples[16:])
    bits = 1 if samples.max() == 1 else 2
    found = iid_tests(samples, bits, permutations=300, seed=1)
    assert not found.passed
    assert expected <= set(found.failed)
    assert "REJECTED" in str(found)


def test_counting_stops_when_nothing_can_fail_any_more() -> None:
    seen: list[int] = []
    found = iid_tests(rule(3000, 2), 2, progress=lambda done, total: seen.append(done))
    assert found.passed
    assert seen[-1] < 10_000
    for s in found.statistics:
        assert min(s.above + s.equal, s.below + s.equal) == 6 or s.equal > 5
    again = iid_tests(rule(3000, 2), 2)
    assert again == found
    assert iid_tests(rule(3000, 2), 2, seed=1) != found
    assert found.to_dict()["passed"] is True
    assert "not rejected" in str(found)
    assert "Passing is not unpredictability" in str(found)


def test_mean_of_p_values_is_a_half() -> None:
    rng = np.random.default_rng(12)
    values = []
    for _ in range(300):
        samples = rng.integers(0, 2, 4000).astype(np.uint8)
        values.append([independence(samples, 2).p_value, goodness_of_fit(samples, 2).p_value])
    means = np.mean(values, axis=0)
    assert np.all(np.abs(means - 0.5) < 4 / math.sqrt(12 * 300))


@pytest.mark.parametrize(
    ("samples", "how", "words"),
    [
        (np.zeros(2000), {}, "All 2000 samples are equal to 0"),
        (np.arange(999) % 2, {}, "at least 1000 samples, but there are 999"),
        (np.arange(2000) % 3, {}, "sample 2 is 2"),
        (np.arange(2000) % 2, {"permutations": 3}, "permutations"),
    ],
)
def test_bad_arguments(samples: Any, how: dict[str, int], words: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(words)):
        iid_tests(samples, **how)
