"""Betting per block: valid without memory inside a block, and only then."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest

from ebit.analysis.blocks import block_e_process, block_win_rates
from ebit.analysis.evidence import e_process
from ebit.games import ArgumentError

RUNS, BLOCKS = 2_000, 120
Array = npt.NDArray[np.float64]


def _final(rates: list[float], p0: float = 0.75) -> float:
    asked = [i % 4 for i in range(len(rates))]
    return float(10 ** block_e_process(asked, rates, p0).final)


def test_mean_is_one_or_less_over_all_questions() -> None:
    # Each block: the share of rounds won for each of four questions, 3/4 on average.
    rng = np.random.default_rng(1)
    for _ in range(20):
        tables = []
        for _ in range(3):
            # Rounds that each lose one question, mixed in any proportions within the block.
            lost = rng.dirichlet(np.full(4, 0.3))
            tables.append(1 - lost)
        mean = np.mean(
            [_final([tables[b][q] for b, q in enumerate(qs)]) for qs in product(range(4), repeat=3)]
        )
        assert mean <= 1 + 1e-12
    # All rounds of a block lose the same question: 1 with chance 3/4, else 0; exactly fair.
    mean = np.mean([_final([float(q != 3) for q in qs]) for qs in product(range(4), repeat=4)])
    assert mean == pytest.approx(1.0, rel=1e-12)


def test_path_counts_blocks_from_the_start() -> None:
    path = block_e_process([0, 1, 2], [0.9, 0.8, 0.7], 0.75)
    assert path.rounds.tolist() == [0, 1, 2, 3]
    assert path.log10_e[0] == pytest.approx(0.0, abs=1e-12)
    assert block_e_process([0, 1], [1.0, 1.0], 1.0).largest == 0.0


def test_evidence_grows_nearly_as_fast_as_the_largest_bet() -> None:
    rates = np.random.default_rng(2).binomial(100, 0.85, 1800) / 100
    path = block_e_process(np.arange(1800) % 4, rates, 0.75)
    best = np.log10(rates / 0.75).sum()
    assert best - 3 < path.final < best


def _local_blocks(kind: str, rng: np.random.Generator) -> tuple[npt.NDArray[np.int64], Array]:
    """Questions and win rates of RUNS runs of BLOCKS blocks, by local devices."""
    asked = rng.integers(0, 4, (RUNS, BLOCKS))
    rates = np.zeros((RUNS, BLOCKS))
    lost = rng.integers(0, 4, RUNS)
    for b in range(BLOCKS):
        if kind == "mixed rounds":
            # Within the block every round loses a question of its own.
            rates[:, b] = 1 - rng.binomial(50, 0.25, RUNS) / 50
            continue
        if b and kind == "lose-shift":
            lost = np.where(rates[:, b - 1] > 0.5, lost, (lost + 1) % 4)
        if b and kind == "last":
            lost = asked[:, b - 1]
        if kind == "halves":
            # The first half of the block loses one question and the second another.
            other = (lost + 1 + (np.arange(RUNS) % 3)) % 4
            rates[:, b] = 1 - 0.5 * (asked[:, b] == lost) - 0.5 * (asked[:, b] == other)
            continue
        rates[:, b] = asked[:, b] != lost
    return asked, rates


@pytest.mark.parametrize("kind", ["fixed", "lose-shift", "last", "halves", "mixed rounds"])
def test_villes_inequality_for_local_devices_with_memory_of_earlier_blocks(kind: str) -> None:
    asked, rates = _local_blocks(kind, np.random.default_rng(list(kind.encode())))
    assert abs(rates.mean() - 0.75) < 0.01
    largest = np.array(
        [block_e_process(q, w, 0.75).largest for q, w in zip(asked, rates, strict=True)]
    )
    for alpha in (0.05, 0.01):
        rate = np.mean(largest >= math.log10(1 / alpha))
        assert rate <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / RUNS)


def test_a_product_over_the_rounds_of_a_block_is_not_valid() -> None:
    # A local strategy without any memory that loses one question of four: all rounds of 3/4 of
    # the blocks are won. Betting per round takes that for overwhelming evidence.
    rng = np.random.default_rng(3)
    length, runs = 100, 200
    by_round, by_block = [], []
    for _ in range(runs):
        asked = rng.integers(0, 4, 20)
        rates = (asked != 3).astype(float)
        by_round.append(e_process(np.repeat(rates > 0, length), 0.75).largest)
        by_block.append(block_e_process(asked, rates, 0.75).largest)
    assert np.mean(np.array(by_round) >= 6) > 0.5
    assert np.mean(np.array(by_block) >= 2) <= 0.01 + 3 * math.sqrt(0.01 * 0.99 / runs)


def test_memory_inside_a_block_breaks_the_assumption() -> None:
    # In the first round of a block each side knows its own setting only. If the settings of that
    # round are remembered on both sides, all later rounds of the block can be won.
    rng = np.random.default_rng(4)
    length, blocks = 100, 400
    asked = rng.integers(0, 4, blocks)
    x, y = asked >> 1, asked & 1
    plus = np.zeros(4)
    rounds = np.zeros(4)
    rates = np.zeros(blocks)
    for b in range(blocks):
        a, bob = np.zeros(length, dtype=int), np.zeros(length, dtype=int)
        bob[1:] = x[b] & y[b]  # Bob's side has learnt x from round one
        product_is_plus = (a ^ bob) == 0
        plus[asked[b]] += product_is_plus.sum()
        rounds[asked[b]] += length
        rates[b] = ((a ^ bob) == (x[b] & y[b])).mean()
    correlators = 2 * plus / rounds - 1
    s = correlators[0] + correlators[1] + correlators[2] - correlators[3]
    assert s == pytest.approx(3.98, abs=1e-12)  # formulas section 1
    assert block_e_process(asked, rates, 0.75).final > 40


def test_block_win_rates() -> None:
    question = np.array([1, 1, 1, 0, 3, 3])
    won = np.array([True, False, True, False, True, True])
    asked, rates = block_win_rates(question, won, np.array([0, 3, 4]))
    assert asked.tolist() == [1, 0, 3]
    np.testing.assert_allclose(rates, [2 / 3, 0, 1])


@pytest.mark.parametrize(
    ("question", "won", "starts", "match"),
    [
        ([0, 0, 1], [1, 1, 1], [0], "block 0"),
        ([0, 1, 1, 2], [1, 1, 1, 1], [0, 1], "block 1"),
        ([0, 0], [1], [0], "as long"),
        ([0, 0], [1, 1], [1], "rise from 0"),
        ([0, 0], [1, 1], [0, 2], "rise from 0"),
        ([0, 0], [1, 1], [0, 0], "rise from 0"),
    ],
)
def test_wrong_blocks_are_named(
    question: list[int], won: list[int], starts: list[int], match: str
) -> None:
    with pytest.raises(ArgumentError, match=match):
        block_win_rates(np.array(question), np.array(won), np.array(starts))


@pytest.mark.parametrize(
    ("asked", "rates", "p0", "match"),
    [
        ([0, 1], [0.5], 0.75, "one length"),
        ([0, 1], [0.5, 1.5], 0.75, r"\[0, 1\]"),
        ([0, 1], [0.5, math.nan], 0.75, r"\[0, 1\]"),
        ([2, 2], [0.5, 0.5], 0.75, "two questions"),
        ([0, 1], [0.5, 0.5], 0.0, "p0"),
        ([0, 1], [0.5, 0.5], 1.1, "p0"),
    ],
)
def test_wrong_rates_are_named(asked: list[int], rates: list[float], p0: float, match: str) -> None:
    with pytest.raises(ArgumentError, match=match):
        block_e_process(asked, rates, p0)
