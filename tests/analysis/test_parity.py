"""Parity kernels: layouts, prefix parities and trees against what a plain loop finds; contradictions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebit.analysis.parity import hear_tops, step, tell_tops
from ebit.analysis.parity_book import CHECKS, ContradictionError, ParityBook, first_level
from ebit.analysis.parity_layout import (
    CONFLICT,
    EXACT,
    FOUND,
    OPEN_AT,
    PASSES,
    PREFIX_AT,
    SLOT_AT,
    SLOTS,
    TOP,
    WHERE_AT,
    Store,
    check_words,
    lay_pass,
    new_store,
    seed_words,
)
from ebit.games import ArgumentError

SEED = seed_words(bytes(range(16)))
ALL = 1 << 40


def slots_of(s: Store, q: int) -> npt.NDArray[np.int32]:
    return s.wide[s.shape[q, SLOT_AT] :][: s.shape[q, SLOTS]]


@given(st.integers(1, 400), st.integers(2, 500), st.integers(0, 2**32))
@settings(deadline=None)
def test_a_pass_holds_every_open_position_once(n: int, block: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    bits, exact = rng.integers(0, 2, n, np.uint8), rng.random(n) < 0.3
    s = new_store(bits, corrects=True)
    s.small[n : 2 * n] = exact
    s.meta[EXACT] = exact.sum()
    check_words(s, SEED, 3)
    for q in range(PASSES):  # blocks, then checks, each of which leaves room for others
        check = -1 if q < 3 else q
        wanted = (
            ~exact if check < 0 else ~exact & ((s.words >> np.uint64(check)) & np.uint64(1) == 1)
        )
        blocks = lay_pass(s, q, block if check < 0 else ALL, SEED, q, check)
        slots = slots_of(s, q)
        filled = slots[slots >= 0]
        assert sorted(filled) == np.flatnonzero(wanted).tolist()
        if not len(filled):
            assert blocks == 0
            continue
        size = s.shape[q, SLOTS]
        where = s.wide[s.shape[q, WHERE_AT] :][:n]
        assert (slots[where[filled]] == filled).all()
        assert (where[~wanted] == -1).all()
        assert blocks == -(-len(filled) // (block if check < 0 else ALL)) == size >> s.shape[q, TOP]
        counts = (slots.reshape(blocks, -1) >= 0).sum(1)
        assert counts.max() - counts.min() <= 1
        prefix = s.small[s.shape[q, PREFIX_AT] :][: size + 1]
        assert (prefix == np.append(0, np.cumsum(np.where(slots >= 0, bits[slots], 0)) % 2)).all()
        at = s.shape[q, OPEN_AT]
        for level in range(min(int(s.shape[q, TOP]), 7) + 1):
            here = at + 2 * size - ((2 * size) >> level)
            nodes = (slots.reshape(-1, 1 << level) >= 0).sum(1)
            assert (s.small[here : here + (size >> level)] == nodes).all()
    assert (s.small[:n] == bits).all()
    assert (s.small[n : 2 * n] == exact).all()


def test_the_order_is_a_fair_shuffle() -> None:
    """Each of the 24 orders of four positions, 9,600 seeds: chi-squared below its 1 - 1e-6 quantile."""
    found: dict[tuple[int, ...], int] = {}
    rng = np.random.default_rng(4)
    for _ in range(9600):
        s = new_store(np.zeros(4, np.uint8), corrects=True)
        lay_pass(s, 0, 4, seed_words(rng.bytes(16)), 0, -1)
        order = tuple(slots_of(s, 0).tolist())
        found[order] = found.get(order, 0) + 1
    assert len(found) == 24
    assert sum((count - 400) ** 2 / 400 for count in found.values()) < 71  # 23 degrees of freedom


def test_streams_differ_and_repeat() -> None:
    s = new_store(np.zeros(1000, np.uint8), corrects=True)
    orders = []
    for q, (seed, stream) in enumerate([(SEED, 0), (SEED, 1), (SEED[::-1].copy(), 0), (SEED, 0)]):
        lay_pass(s, q, 8, seed, stream, -1)
        orders.append(slots_of(s, q).copy())
    assert (orders[0] == orders[3]).all()
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert (orders[a] == orders[b]).mean() < 0.01


def test_checks_are_random_halves() -> None:
    n = 20_000
    rng = np.random.default_rng(2)
    bits = rng.integers(0, 2, n, np.uint8)
    s = new_store(bits, corrects=True)
    total = int(check_words(s, SEED, 1000))
    member = (s.words[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    assert (member[bits == 1].sum(0) % 2 == [(total >> t) & 1 for t in range(64)]).all()
    assert abs(member.mean(0) - 0.5).max() < 5 * 0.5 / n**0.5
    # Any two checks agree in half of all positions.
    signs = 1 - 2 * member.astype(float)
    correlation = signs.T @ signs / n - np.eye(64)
    assert abs(correlation).max() < 5.5 / n**0.5


@given(st.integers(1, 200), st.integers(0, 2**32), st.floats(0, 1))
@settings(deadline=None, max_examples=60)
def test_one_pass_finds_what_plain_halving_finds(n: int, seed: int, density: float) -> None:
    """Second route: halve each odd block of one pass, by sums over the block; the same questions."""
    rng = np.random.default_rng(seed)
    errors = (rng.random(n) < density).astype(np.uint8)
    s = new_store(
        errors, corrects=True
    )  # against a key of zeros, one's own parities are the differences
    blocks = lay_pass(s, 0, 8, SEED, 0, -1)
    width = 1 << int(s.shape[0, TOP])
    out = np.zeros(n // 8 + 16, np.uint8)
    tell_tops(s, 0, blocks, out)
    expected, asked = errors.copy(), 0
    positions = slots_of(s, 0).reshape(blocks, width)
    parities = [int(errors[row[row >= 0]].sum() % 2) for row in positions]
    assert np.unpackbits(out, count=blocks).tolist() == parities
    assert hear_tops(s, 0, blocks, 0, out) == sum(parities)
    for row, odd in zip(positions, parities, strict=True):
        while odd and len(row) > 1:
            left, right = row[: len(row) // 2], row[len(row) // 2 :]
            asked += bool((left >= 0).any() and (right >= 0).any())
            row = left if errors[left[left >= 0]].sum() % 2 else right
        if odd:
            expected[row[0]] = 0
    told = 0
    while questions := step(s, out.copy(), out, ALL):
        told += questions
    assert (s.small[:n] == expected).all()
    assert told == asked
    assert s.meta[FOUND] == sum(parities)
    assert s.meta[CONFLICT] == 0


def alone(errors: npt.NDArray[np.uint8], level: int, seed: bytes) -> tuple[ParityBook, int]:
    """Run a book against a key of zeros: its own parities are the differences. Book, parities told."""
    book = ParityBook(errors, level, seed, corrects=True)
    rounds, told = book.rounds(), 0
    try:
        asked = next(rounds)
        while True:
            told += asked
            asked = rounds.send(book.own[: (asked + 7) // 8].copy())
    except StopIteration:
        return book, told


@given(st.integers(1, 500), st.integers(1, 40), st.integers(0, 2**32), st.floats(0, 1))
@settings(deadline=None, max_examples=200)
def test_a_book_corrects_everything(n: int, level: int, seed: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    errors = (rng.random(n) < density).astype(np.uint8)
    book, told = alone(errors, level, rng.bytes(16))
    assert not book.bits.any()
    assert book.errors == errors.sum()
    assert told <= 3 * n + 4096  # what a conversation allows


def test_without_errors_nothing_but_the_first_blocks_and_the_checks_is_told() -> None:
    book, told = alone(np.zeros(1000, np.uint8), 4, bytes(16))
    # 63 blocks; the second pass is wider by all doublings, one block, and that follows; 20 checks.
    assert (told, book.passes, book.halved) == (63 + CHECKS, 2, 0)


def test_checks_miss_what_is_left_as_rarely_as_stated() -> None:
    """Two errors, one block in all passes (level 40): only checks can find them, each with chance 1/2."""
    missed = 0
    for seed in range(400):
        errors = np.zeros(300, np.uint8)
        errors[[seed % 300, (7 * seed + 1) % 300]] ^= 1
        missed += bool(alone(errors, 40, seed.to_bytes(16, "big"))[0].bits.any())
    assert missed == 0  # 400 * 2^-20


def test_false_answers_are_contradictions() -> None:
    """Two positions with an even number of errors; then every check odd, those of both or neither too."""
    book = ParityBook(np.zeros(2, np.uint8), 1, bytes(16), corrects=False)
    rounds = book.rounds()
    assert next(rounds) == 1
    assert rounds.send(np.zeros(1, np.uint8)) == CHECKS
    with pytest.raises(ContradictionError, match="contradict each other"):
        list(iter(lambda: rounds.send(np.full(3, 255, np.uint8)), None))


def test_arguments() -> None:
    assert [first_level(q) for q in (0, 1e-13, 0.01, 0.03, 0.05, 0.07, 0.1, 0.49)] == [
        40, 40, 6, 5, 4, 4, 3, 1,
    ]  # fmt: skip
    for q in (-0.01, 0.5, 1.0, float("nan")):
        with pytest.raises(ArgumentError, match="qber"):
            first_level(q)
    for bits in (
        np.zeros(0, np.uint8),
        np.zeros(3),
        np.full(3, 2, np.uint8),
        np.zeros((1, 3), np.uint8),
    ):
        with pytest.raises(ArgumentError, match="bits"):
            new_store(bits, corrects=True)
