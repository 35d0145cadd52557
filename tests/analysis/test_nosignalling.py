"""No-signalling: exact tests by enumeration, false alarms by simulation, published counts."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ebit.analysis.binomial import hypergeometric_log_tail
from ebit.analysis.nosignalling import (
    block_no_signalling,
    holm,
    independence_log_p,
    no_signalling,
)
from ebit.games import ArgumentError, mermin_ghz

CHSH = np.array([(0, 0), (0, 1), (1, 0), (1, 1)])
NIST = np.array(
    [
        [32266283, 600862, 580732, 18985],
        [32801781, 70119, 404229, 195257],
        [32803817, 422004, 61941, 197106],
        [33128142, 94035, 89267, 171053],
    ]
).reshape(4, 2, 2)
Counts = npt.NDArray[np.int64]


# --- exact laws ---------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 40), st.data())
def test_hypergeometric_tail_is_the_exact_sum(total: int, data: st.DataObject) -> None:
    marked = data.draw(st.integers(0, total))
    drawn = data.draw(st.integers(0, total))
    k = data.draw(st.integers(0, total + 1))
    exact = sum(
        (
            Fraction(math.comb(marked, j) * math.comb(total - marked, drawn - j))
            for j in range(k, drawn + 1)
        ),
        Fraction(0),
    ) / math.comb(total, drawn)
    found = math.exp(hypergeometric_log_tail(k, total, marked, drawn))
    assert found == pytest.approx(float(exact), rel=1e-11, abs=0)


def test_hypergeometric_tail_at_large_counts() -> None:
    # scipy's law is the second route.
    total, marked, drawn = 10**6, 3 * 10**5, 4 * 10**5
    law = stats.hypergeom(total, marked, drawn)
    for k in (120_050, 120_500):
        assert hypergeometric_log_tail(k, total, marked, drawn) == pytest.approx(
            float(law.logsf(k - 1)), rel=1e-6
        )
    assert hypergeometric_log_tail(2 * 10**9, 10**10, 3 * 10**9, 4 * 10**9) < -1e8


def test_fisher_on_the_tea_tasting_lady() -> None:
    # Fisher 1935: four of four cups, one tail 1/70.
    log_p, method = independence_log_p(np.array([[4, 0], [0, 4]]))
    assert math.exp(log_p) == pytest.approx(2 / 70, rel=1e-12)
    assert method == "Fisher's exact test"


def _tables(rows: tuple[int, ...], columns: tuple[int, ...]) -> list[tuple[Counts, float]]:
    """Every table with these margins, with its exact chance."""
    shape = (len(rows), len(columns))
    found = []
    free = [range(min(r, c) + 1) for r in rows[:-1] for c in columns[:-1]]
    for cells in product(*free):
        table = np.zeros(shape, dtype=np.int64)
        table[:-1, :-1] = np.reshape(cells, (shape[0] - 1, shape[1] - 1))
        table[:-1, -1] = np.array(rows[:-1]) - table[:-1, :-1].sum(axis=1)
        table[-1] = np.array(columns) - table[:-1].sum(axis=0)
        if table.min() < 0:
            continue
        weight = math.prod(math.factorial(v) for v in (*rows, *columns))
        weight /= math.factorial(sum(rows)) * math.prod(math.factorial(int(v)) for v in table.flat)
        found.append((table, weight))
    return found


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        ((7, 9), (5, 11)),
        ((3, 30), (16, 17)),
        ((6, 5, 4), (8, 7)),
        ((6, 7), (5, 4, 4)),
        ((4, 5, 3), (4, 5, 3)),
    ],
)
def test_exact_p_values_err_no_more_than_they_say(
    rows: tuple[int, ...], columns: tuple[int, ...]
) -> None:
    tables = _tables(rows, columns)
    assert sum(chance for _, chance in tables) == pytest.approx(1.0)
    found = np.array([math.exp(independence_log_p(table)[0]) for table, _ in tables])
    chance = np.array([c for _, c in tables])
    for p in np.unique(found):
        assert chance[found <= p * (1 + 1e-12)].sum() <= p * (1 + 1e-9)


def test_ordinary_large_counts_take_pearsons_test_and_deep_ones_the_exact() -> None:
    table = np.array([[50_000, 50_100, 20_000], [50_200, 49_900, 20_300], [50_100, 50_000, 20_100]])
    log_p, method = independence_log_p(table)
    assert method == "chi-square"
    assert math.exp(log_p) == pytest.approx(stats.chi2_contingency(table)[1], rel=1e-9)
    # Deep: exact, and close to the normal law in the exponent.
    deep = np.array([[52_000, 48_000], [50_000, 50_000]])
    log_p, method = independence_log_p(deep)
    assert method == "Fisher's exact test"
    z = math.sqrt(stats.chi2_contingency(deep, correction=False)[0])
    assert log_p == pytest.approx(float(stats.norm.logsf(z)) + math.log(2), rel=0.01)


def test_partition_has_power_like_chi_square() -> None:
    rng = np.random.default_rng(8)
    found = np.zeros(2)
    for _ in range(200):
        table = np.array(
            [
                rng.multinomial(800, p)
                for p in ([0.4, 0.3, 0.3], [0.34, 0.36, 0.3], [0.4, 0.25, 0.35])
            ]
        )
        log_p, method = independence_log_p(table)
        assert method == "exact partition, Fisher's combination"
        found += [math.exp(log_p) <= 0.01, stats.chi2_contingency(table)[1] <= 0.01]
    assert 0.9 * found[1] < found[0] < 200
    assert found[1] > 100


def test_empty_rows_and_columns_are_left_out() -> None:
    assert independence_log_p(np.array([[0, 0], [3, 4]]))[0] == 0.0
    assert independence_log_p(np.array([[0, 3], [0, 4]]))[0] == 0.0
    with_empty = np.array([[4, 0, 0], [0, 0, 4], [0, 0, 0]])
    assert math.exp(independence_log_p(with_empty)[0]) == pytest.approx(2 / 70, rel=1e-12)


# --- by rounds ----------------------------------------------------------------------------------


def test_nist_counts() -> None:
    # Formulas section 8: p = .77, .072, .33, .60.
    found = no_signalling(CHSH, NIST)
    assert [round(t.p_value, 2) for t in found.tests] == [0.77, 0.07, 0.33, 0.60]
    assert found.tests[1].p_value == pytest.approx(0.072, abs=5e-4)
    assert found.holds
    assert not found.noted
    assert found.p_value == pytest.approx(4 * 0.07203, abs=1e-4)
    assert [(t.parties, t.settings, t.contexts) for t in found.tests] == [
        ((0,), (0,), 2),
        ((0,), (1,), 2),
        ((1,), (0,), 2),
        ((1,), (1,), 2),
    ]


def test_signalling_is_found_where_it_is() -> None:
    counts = np.full((4, 2, 2), 5_000)
    # Alice's answer to setting 0 depends on Bob's setting; nothing else does.
    counts[1] = [[5_500, 5_500], [4_500, 4_500]]
    found = no_signalling(CHSH, counts)
    assert not found.holds
    worst = min(found.tests, key=lambda t: t.log10_p)
    assert (worst.parties, worst.settings) == ((0,), (0,))
    assert found.log10_p == pytest.approx(worst.log10_p + math.log10(4), rel=1e-12)
    assert found.p_value < 1e-20


def test_the_deepest_tails_keep_their_logarithm() -> None:
    counts = np.full((4, 2, 2), 10**7)
    counts[1] = [[2 * 10**7, 2 * 10**7], [10**6, 10**6]]
    found = no_signalling(CHSH, counts)
    assert found.p_value == 0.0
    assert found.log10_p < -1e6


@pytest.mark.parametrize("rounds", [12, 100, 20_000])
def test_false_alarms(rounds: int) -> None:
    rng = np.random.default_rng(rounds)
    runs = 400
    state = np.array([0.4, 0.1, 0.05, 0.45])
    found = [
        no_signalling(CHSH, rng.multinomial(rounds, state, 4).reshape(4, 2, 2)) for _ in range(runs)
    ]
    noted = np.mean([f.noted for f in found])
    assert noted <= 0.01 + 3 * math.sqrt(0.01 * 0.99 / runs)
    assert np.mean([f.p_value <= 0.1 for f in found]) <= 0.1 + 3 * math.sqrt(0.09 / runs)
    assert all(f.holds for f in found)


def test_three_parties_test_pairs_too() -> None:
    questions = np.array(list(product((0, 1), repeat=3)))
    rng = np.random.default_rng(9)
    counts = np.stack([rng.multinomial(4_000, np.full(8, 1 / 8)) for _ in questions])
    found = no_signalling(questions, counts.reshape(8, 2, 2, 2))
    # Three parties with two settings, three pairs with four.
    assert len(found.tests) == 3 * 2 + 3 * 4
    assert {t.contexts for t in found.tests} == {2, 4}
    assert found.holds
    # A correlation of two parties that depends on the third's setting hides from single parties.
    twisted = np.zeros((8, 2, 2, 2), dtype=np.int64)
    for q, (_, _, z) in enumerate(questions):
        for a, b, c in product((0, 1), repeat=3):
            twisted[q, a, b, c] = 500 + (60 if (a ^ b) == z else -60)
    found = no_signalling(questions, twisted)
    assert not found.holds
    assert {len(t.parties) for t in found.tests if t.corrected < 1e-6} == {2}


def test_questions_that_share_no_setting_test_nothing() -> None:
    found = no_signalling(np.array([(0, 0), (1, 1)]), np.full((2, 2, 2), 10))
    assert found.holds
    assert found.tests == ()
    assert found.p_value == 1.0
    # Mermin's four questions: each single setting occurs in two of them, no pair in both.
    game = mermin_ghz(3)
    found = no_signalling(game.questions, np.full((4, 2, 2, 2), 10))
    assert {len(t.parties) for t in found.tests} == {1}
    assert len(found.tests) == 6


def test_holm_against_its_definition() -> None:
    rng = np.random.default_rng(10)
    p = rng.random(7) ** 3
    corrected = 10 ** np.array(holm(np.log10(p).tolist()))
    ordered = np.sort(p)
    for value, fixed in zip(p, corrected, strict=True):
        rank = int(np.searchsorted(ordered, value))
        steps = [min(1.0, (7 - i) * ordered[i]) for i in range(rank + 1)]
        assert fixed == pytest.approx(max(steps), rel=1e-12)


def test_wrong_counts_are_refused() -> None:
    with pytest.raises(ArgumentError, match="shape"):
        no_signalling(CHSH, np.ones((3, 2, 2), dtype=np.int64))
    with pytest.raises(ArgumentError, match="whole"):
        no_signalling(CHSH, np.full((4, 2, 2), 0.5))  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="at least 0"):
        no_signalling(CHSH, np.full((4, 2, 2), -1))


# --- by blocks ----------------------------------------------------------------------------------


def _blocks(
    rng: np.random.Generator,
    blocks: int,
    *,
    length: int = 100,
    drift: float = 0.0,
    spread: float = 0.0,
    signal: float = 0.0,
) -> tuple[npt.NDArray[np.int64], Counts]:
    """Blocks whose answers drift slowly, scatter from block to block, or signal."""
    asked = rng.integers(0, 4, blocks)
    phase = rng.random() * 2 * math.pi
    base = 0.5 + drift * np.sin(phase + 2 * math.pi * np.arange(blocks) / blocks)
    base = np.clip(base + spread * rng.standard_normal(blocks), 0, 1)
    # Alice's answer to her setting 0 leans with Bob's setting.
    lean = signal * np.where(asked >> 1 == 0, np.where(asked & 1, 1, -1), 0)
    ones_a = rng.binomial(length, np.clip(base + lean, 0, 1))
    ones_b = rng.binomial(length, base)
    counts = np.zeros((blocks, 2, 2), dtype=np.int64)
    both = rng.hypergeometric(ones_a, length - ones_a, ones_b)
    counts[:, 1, 1] = both
    counts[:, 1, 0] = ones_a - both
    counts[:, 0, 1] = ones_b - both
    counts[:, 0, 0] = length - ones_a - ones_b + both
    return asked, counts


def _by_rounds(asked: npt.NDArray[np.int64], counts: Counts) -> Counts:
    total = np.zeros((4, 2, 2), dtype=np.int64)
    np.add.at(total, asked, counts)
    return total


@pytest.mark.parametrize(
    ("blocks", "drift", "spread"),
    [(8, 0.0, 0.0), (300, 0.0, 0.0), (300, 0.3, 0.0), (300, 0.0, 0.1), (40, 0.2, 0.2)],
)
def test_false_alarms_by_blocks(blocks: int, drift: float, spread: float) -> None:
    rng = np.random.default_rng(blocks)
    runs = 400
    found = []
    for _ in range(runs):
        asked, counts = _blocks(rng, blocks, drift=drift, spread=spread)
        found.append(block_no_signalling(CHSH, asked, counts))
    for level in (0.01, 0.1):
        rate = np.mean([f.p_value <= level for f in found])
        assert rate <= level + 3 * math.sqrt(level * (1 - level) / runs)
    assert all(f.holds for f in found)


def test_drift_fools_the_test_by_rounds_but_not_the_test_by_blocks() -> None:
    rng = np.random.default_rng(12)
    fooled = 0
    for _ in range(40):
        asked, counts = _blocks(rng, 300, drift=0.3)
        fooled += not no_signalling(CHSH, _by_rounds(asked, counts)).holds
        assert block_no_signalling(CHSH, asked, counts).holds
    assert fooled > 10


def test_signalling_is_found_by_blocks_under_drift() -> None:
    rng = np.random.default_rng(13)
    asked, counts = _blocks(rng, 600, drift=0.3, signal=0.04)
    found = block_no_signalling(CHSH, asked, counts)
    assert not found.holds
    worst = min(found.tests, key=lambda t: t.log10_p)
    assert (worst.parties, worst.settings) == ((0,), (0,))
    assert worst.log10_p < -15


def test_few_blocks_cannot_accuse() -> None:
    # Complete signalling in six blocks: the chance of as much by luck is 2^-5, no less.
    asked = np.array([0, 1, 0, 1, 1, 0])
    counts = np.zeros((6, 2, 2), dtype=np.int64)
    counts[asked == 0, 0] = 50
    counts[asked == 1, 1] = 50
    found = block_no_signalling(CHSH, asked, counts)
    assert found.p_value >= 2**-5
    assert found.holds


def test_bound_on_fair_signs_lies_above_the_exact_law() -> None:
    # All 2^12 signs for shares far from normal, through the test itself.
    rng = np.random.default_rng(14)
    blocks = 12
    shares = np.r_[0, 50, rng.integers(20, 30, blocks - 2)]
    counts = np.zeros((blocks, 2, 2), dtype=np.int64)
    counts[:, 0, 0] = shares
    counts[:, 1, 0] = 50 - shares
    found = np.array(
        [
            block_no_signalling(CHSH, np.array(signs), counts).tests[0].p_value
            for signs in product((0, 1), repeat=blocks)
        ]
    )
    for p in np.unique(found[found < 1]):
        assert np.mean(found <= p * (1 + 1e-12)) <= p


def test_wrong_blocks_are_refused() -> None:
    with pytest.raises(ArgumentError, match="shape"):
        block_no_signalling(CHSH, np.array([0, 1]), np.ones((3, 2, 2), dtype=np.int64))
    with pytest.raises(ArgumentError, match="one round"):
        block_no_signalling(CHSH, np.array([0]), np.zeros((1, 2, 2), dtype=np.int64))
