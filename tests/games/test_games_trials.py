"""Rounds and counts in memory: building, slicing, merging, and what a game sees of them."""

from collections.abc import Callable
from dataclasses import replace
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebit.games import (
    ArgumentError,
    Game,
    Trials,
    bases_agree,
    chained_chsh,
    chsh,
    magic_square,
    mermin_ghz,
    stabilisers,
)
from tests.strategies import counted_trials, ordered_trials, parity_games, shapes, table_games


@given(shapes(most=5), st.integers(1, 50), st.integers(0, 2**32 - 1))
def test_rounds_come_back(
    shape: tuple[tuple[int, ...], tuple[int, ...]], n: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    asked = np.stack([rng.integers(0, k, n) for k in shape[0]], axis=1)
    answered = np.stack([rng.integers(0, k, n) for k in shape[1]], axis=1)
    trials = Trials.from_rounds(asked, answered, shape=shape)
    back = trials.rounds()
    assert np.array_equal(back[0], asked)
    assert np.array_equal(back[1], answered)
    assert trials.n == len(trials) == n
    counts = np.zeros((*shape[0], *shape[1]), dtype=int)
    for row, answer in zip(asked, answered, strict=True):
        counts[(*row, *answer)] += 1
    assert np.array_equal(trials.counts, counts)


@pytest.mark.parametrize(
    ("settings", "outcomes"),
    [
        ((1, 1), (256, 1)),
        ((1, 1), (1, 256)),
        ((256, 1), (1, 1)),
        ((1,), (256,)),
        ((256,), (256,)),
        ((256, 256), (256, 256)),
        ((1, 1), (256, 256)),
        ((256, 1, 256), (256, 1, 256)),
        ((256,) * 4, (256,) * 4),
    ],
)
def test_rounds_come_back_at_the_limits(
    settings: tuple[int, ...], outcomes: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(1)
    asked = np.stack([rng.integers(0, k, 99) for k in settings], axis=1)
    answered = np.stack([rng.integers(0, k, 99) for k in outcomes], axis=1)
    asked[0], answered[0] = np.array(settings) - 1, np.array(outcomes) - 1
    trials = Trials.from_rounds(asked, answered, shape=(settings, outcomes))
    assert int(trials.cells.max()) == prod((*settings, *outcomes)) - 1
    assert np.array_equal(trials.rounds()[0], asked)
    assert np.array_equal(trials.rounds()[1], answered)


@pytest.mark.parametrize(
    "asked",
    [chsh(), magic_square(), bases_agree("XZ"), bases_agree("XYZ"), chained_chsh(3)]
    + [chained_chsh(32)]
    + [mermin_ghz(n) for n in range(3, 13)]
    + [stabilisers("ghz", n, which="generators") for n in range(2, 22)],
    ids=lambda g: g.name,
)
def test_at_most_one_byte_per_party_and_round(asked: Game) -> None:
    n = asked.n_parties
    rounds = np.zeros((5, n), dtype=np.uint8)
    trials = Trials.from_rounds(rounds, rounds, shape=(asked.settings, asked.outcomes))
    assert trials.cells.nbytes <= 5 * n


def test_shapes_beyond_64_bits_are_refused() -> None:
    zero = np.zeros((3, 22), dtype=int)
    with pytest.raises(ArgumentError, match="do not fit 64 bits"):
        Trials.from_rounds(zero, zero, shape=((4,) * 22, (2,) * 22))


def test_shape_from_the_data_is_at_least_two() -> None:
    trials = Trials.from_rounds([[0, 3]], [[0, 0]])
    assert (trials.settings, trials.outcomes) == ((2, 4), (2, 2))


BAD_ROUNDS = [
    ([[0, 2]], [[0, 0]], "settings of party 2 must lie in 0..1, but round 1 has 2"),
    ([[0, 0], [0, -1]], [[0, 0]] * 2, "settings of party 2 must lie in 0..1, but round 2 has -1"),
    ([[0, 0]] * 3, [[0, 0], [0, 0], [9, 0]], "outcomes of party 1 must lie in 0..1, but round 3"),
    ([[0, 0]], [[0, 0.5]], "fractions such as 0.5"),
    ([[0, np.nan]], [[0, 0]], "NaN"),
    ([[0, np.inf]], [[0, 0]], "infinity"),
    ([[0, 1e300]], [[0, 0]], "exact"),
    (np.array([[0, 2**63]], dtype=np.uint64), [[0, 0]], "below 2\\^63"),
    ([["0", "1"]], [[0, 0]], "type"),
    ([[None, 0]], [[0, 0]], "type object"),
    ([[0, 1j]], [[0, 0]], "type complex"),
    ([[0, 1], [0]], [[0, 0]], "rows alike"),
    ([[0, 1, 0]], [[0, 0]], "shape"),
    ([0, 1], [0, 0], "shape"),
    (np.zeros((0, 2)), np.zeros((0, 2)), "at least one round"),
    ([[]], [[]], "at least one round"),
]


@pytest.mark.parametrize(("asked", "answered", "text"), BAD_ROUNDS)
def test_bad_rounds_are_refused(asked: object, answered: object, text: str) -> None:
    with pytest.raises(ArgumentError, match=text) as caught:
        Trials.from_rounds(asked, answered, shape=((2, 2), (2, 2)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("asked", [[[0, 256]], [[-1, 0]], [[0, -(2**62)]], [[0, 2**62]]])
def test_bad_settings_are_refused_without_a_shape(asked: object) -> None:
    with pytest.raises(ArgumentError, match="settings of party"):
        Trials.from_rounds(asked, [[0, 0]])


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        (np.zeros((2, 2, 2, 2)), "all be zero"),
        (np.full((2, 2, 2, 2), -1), "negative, but had -1"),
        (np.full((2, 2, 2, 2), 0.5), "fractions"),
        (np.full((2, 2, 2, 2), np.nan), "NaN"),
        (np.full((2, 2, 2, 2), 2**60), "2\\^62"),
        (np.ones((2, 2, 2)), "one axis of settings"),
        (np.array(5), "one axis of settings"),
        (np.ones((2, 300)), "1 to 256"),
        (np.ones((0, 2)), "all be zero"),
        (np.full((2, 2), "7"), "whole numbers"),
    ],
)
def test_bad_counts_are_refused(counts: object, text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        Trials.from_counts(counts)


def test_counts_beyond_53_bits_stay_exact() -> None:
    counts = np.full((2, 2, 2, 2), 2**53 + 1, dtype=np.int64)
    assert Trials.from_counts(counts).n == 16 * (2**53 + 1)


def test_counts_are_a_copy() -> None:
    counts = np.ones((2, 2, 2, 2), dtype=np.int64)
    trials = Trials.from_counts(counts)
    counts[:] = 0
    assert trials.n == 16


def test_direct_construction_is_checked() -> None:
    cells = np.zeros(3, dtype=np.uint8)
    with pytest.raises(ArgumentError, match="either rounds or counts"):
        Trials(settings=(2, 2), outcomes=(2, 2))
    with pytest.raises(ArgumentError, match="either rounds or counts"):
        Trials((2,), (2,), cells=cells, given_counts=np.ones((2, 2), dtype=np.int64))
    with pytest.raises(ArgumentError, match="one entry per party"):
        Trials((2, 2), (2,), cells=cells)
    with pytest.raises(ArgumentError, match="1 to 256"):
        Trials((2, 2), (2, 0), cells=cells)
    with pytest.raises(ArgumentError, match="chosen must be"):
        Trials((2, 2), (2, 2), cells=cells, chosen="sometimes")
    with pytest.raises(ArgumentError, match="source must be"):
        Trials((2, 2), (2, 2), cells=cells, source="nobody")


@pytest.mark.parametrize(
    "cells",
    [
        np.array([16], dtype=np.uint8),
        np.array([], dtype=np.uint8),
        np.array([1]),
        np.array([0.5]),
        np.zeros((2, 2), dtype=np.uint8),
    ],
)
def test_wrong_cells_are_refused(cells: np.ndarray) -> None:
    with pytest.raises(ArgumentError, match="cells"):
        Trials.from_cells(cells, settings=(2, 2), outcomes=(2, 2))


@pytest.mark.parametrize("blocks", [[1, 2], [0, 0], [0, 2, 1], [0, 5], [], [0.0], [[0]]])
def test_wrong_blocks_are_refused(blocks: list[int]) -> None:
    with pytest.raises(ArgumentError, match="blocks must"):
        Trials.from_cells(
            np.zeros(5, dtype=np.uint8),
            settings=(2, 2),
            outcomes=(2, 2),
            blocks=np.array(blocks, dtype=None if blocks else np.int64),
        )
    with pytest.raises(ArgumentError, match="block must have one number per round"):
        Trials.from_rounds([[0, 0]], [[0, 0]], block=[1, 2])


def test_blocks_of_any_label() -> None:
    rounds = np.zeros((6, 2), dtype=int)
    trials = Trials.from_rounds(rounds, rounds, block=["b", "b", "a", "a", "b", "c"])
    assert trials.blocks.tolist() == [0, 2, 4, 5]


@given(ordered_trials(), st.data())
def test_slices(trials: Trials, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, trials.n - 1))
    stop = data.draw(st.integers(start + 1, trials.n))
    part = trials[start:stop]
    assert np.array_equal(part.cells, trials.cells[start:stop])
    assert part.n == stop - start
    assert int(part.counts.sum()) == part.n
    if trials.blocks is None:
        assert part.blocks is None
    else:
        number = np.searchsorted(trials.blocks, np.arange(trials.n), side="right")[start:stop]
        edges = np.flatnonzero(np.r_[True, number[1:] != number[:-1]])
        assert part.blocks.tolist() == edges.tolist()
    back = trials[:start] + trials[start:] if start else trials
    assert np.array_equal(back.cells, trials.cells)
    assert np.array_equal(back.counts, trials.counts)


def test_slices_that_cannot_be() -> None:
    trials = Trials.from_rounds([[0, 0]] * 5, [[0, 0]] * 5)
    assert trials[-2:].n == 2
    assert trials[:99].n == 5
    for part in (slice(3, 3), slice(4, 2), slice(9, None), slice(None, None, 2), 3, -1, (1, 2)):
        with pytest.raises(ArgumentError, match="slice"):
            trials[part]
    with pytest.raises(ArgumentError, match="counts"):
        Trials.from_counts(np.ones((2, 2, 2, 2)))[1:]


def test_merging_keeps_blocks_and_order() -> None:
    one = Trials.from_rounds([[0, 0]] * 3, [[0, 0]] * 3, block=[0, 0, 1])
    two = Trials.from_rounds([[1, 1]] * 2, [[1, 1]] * 2, block=[1, 2])
    both = one + two
    assert both.blocks.tolist() == [0, 2, 3, 4]
    assert both.rounds()[0].tolist() == [[0, 0]] * 3 + [[1, 1]] * 2
    assert both.ordered
    assert (one + replace(two, blocks=None)).blocks is None
    assert not (one + replace(two, ordered=False)).ordered


@given(ordered_trials(), counted_trials())
def test_merging_with_itself_doubles_the_counts(ordered: Trials, counted: Trials) -> None:
    for trials in (ordered, counted):
        assert np.array_equal((trials + trials).counts, 2 * trials.counts)
        assert (trials + trials).n == 2 * trials.n


def test_merging_takes_the_weaker_choice_and_source() -> None:
    counts = np.ones((2, 2, 2, 2))
    shot = Trials.from_counts(counts, chosen="per-shot", source="device")
    circuit = Trials.from_counts(counts, chosen="per-circuit", source="host")
    for both in (shot + circuit, circuit + shot):
        assert both.chosen == "per-circuit"
        assert both.source == "unknown"
    assert (shot + shot).source == "device"
    block = Trials.from_rounds([[0, 0]], [[0, 0]], chosen="per-block")
    assert (shot + block).chosen == "per-block"
    assert (shot + block).cells is None
    assert (shot + block).n == 17


def test_merging_refuses_other_shapes_and_other_things() -> None:
    one = Trials.from_counts(np.ones((2, 2, 2, 2)))
    with pytest.raises(ArgumentError, match="one shape"):
        one + Trials.from_counts(np.ones((2, 2, 2, 3)))
    with pytest.raises(TypeError):
        one + 1


def test_table() -> None:
    trials = Trials.from_rounds([[0, 1], [0, 1], [1, 0]], [[1, 0], [1, 0], [0, 0]])
    assert trials.table(0, 1).tolist() == [[0, 0], [2, 0]]
    for asked in ((0,), (0, 1, 1), (0, 2), (-1, 0), (0, 0.5)):
        with pytest.raises(ArgumentError):
            trials.table(*asked)


def test_counts_have_no_rounds() -> None:
    trials = Trials.from_counts(np.ones((2, 2, 2, 2)))
    for call in (trials.rounds, lambda: trials.question_outcomes(chsh())):
        with pytest.raises(ArgumentError, match="counts"):
            call()
    assert repr(trials) == (
        "Trials(16 counts, 2 parties, settings (2, 2), outcomes (2, 2), chosen per-circuit)"
    )


def _played(asked: Game, n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every question at least once, answers at random."""
    rng = np.random.default_rng(seed)
    question = np.r_[np.arange(asked.n_questions), rng.integers(0, asked.n_questions, n)]
    answers = np.stack([rng.integers(0, k, len(question)) for k in asked.outcomes], axis=1)
    return question, asked.questions[question].astype(int), answers


@given(table_games() | parity_games(), st.integers(0, 60), st.integers(0, 2**32 - 1))
def test_what_a_game_sees(asked: Game, n: int, seed: int) -> None:
    """Rounds, the same as counts, and the same read without knowing the game agree."""
    question, rows, answers = _played(asked, n, seed)
    trials = Trials.from_rounds(rows, answers, shape=(asked.settings, asked.outcomes))
    table = np.zeros((asked.n_questions, *asked.outcomes), dtype=int)
    for q, answer in zip(question, answers, strict=True):
        table[(q, *answer)] += 1
    assert np.array_equal(trials.game_counts(asked), table)
    assert np.array_equal(Trials.from_counts(trials.counts).game_counts(asked), table)
    index, won = trials.question_outcomes(asked)
    assert np.array_equal(index, question)
    assert np.array_equal(won, asked.won(question, answers.astype(np.uint8)))
    wins = (table * asked.table()).sum()
    assert int(won.sum()) == wins
    bare = Trials.from_rounds(rows, answers)
    assert np.array_equal(bare.game_counts(asked), table)
    assert np.array_equal(bare.question_outcomes(asked)[1], won)


def test_stabilisers_of_ten_qubits_need_no_full_table() -> None:
    """8^10 = 10^9 cells: only those that occur are looked at."""
    asked = stabilisers([(i, i + 1) for i in range(9)], 10)
    question, rows, answers = _played(asked, 3000, 5)
    trials = Trials.from_rounds(rows, answers, shape=(asked.settings, asked.outcomes))
    index, won = trials.question_outcomes(asked)
    assert np.array_equal(index, question)
    assert np.array_equal(won, asked.won(question, answers.astype(np.uint8)))
    counts = trials.game_counts(asked)
    assert np.array_equal(
        counts.reshape(1024, -1).sum(axis=1), np.bincount(question, minlength=1024)
    )
    with pytest.raises(ArgumentError, match="too large"):
        _ = trials.counts


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: mermin_ghz(3), "3 parties, but the trials have 2"),
        (lambda: bases_agree("XZ"), "2 of 4 rounds ask settings that game 'bases-agree-xz' never"),
        (lambda: bases_agree("XYZ"), "2 of 4 rounds"),
        (magic_square, "every question of 'magic-square' must be asked, but x=0, y=2 never was"),
    ],
)
def test_games_that_do_not_fit(make: Callable[[], Game], text: str) -> None:
    trials = Trials.from_rounds([[0, 0], [0, 1], [1, 0], [1, 1]], [[0, 0]] * 4)
    with pytest.raises(ArgumentError, match=text):
        trials.game_counts(make())
    with pytest.raises(ArgumentError, match=text):
        trials.question_outcomes(make())


def test_settings_and_outcomes_beyond_the_game() -> None:
    with pytest.raises(ArgumentError, match=r"\(2, 2\) settings per party.*\(3, 2\)"):
        Trials.from_rounds([[2, 1]], [[0, 0]]).game_counts(chsh())
    with pytest.raises(ArgumentError, match=r"\(2, 2\) outcomes per party.*\(1, 3\)"):
        Trials.from_rounds([[0, 1]], [[0, 2]]).game_counts(chsh())


def test_a_setting_never_asked_is_named() -> None:
    rows = [[0, 0], [0, 1], [1, 0]]
    with pytest.raises(ArgumentError, match="x=1, y=1 never was"):
        Trials.from_rounds(rows, [[0, 0]] * 3).game_counts(chsh())
    asked = mermin_ghz(3)
    with pytest.raises(ArgumentError, match="Y Y X never was"):
        Trials.from_rounds(asked.questions[:3], asked.questions[:3]).game_counts(asked)
