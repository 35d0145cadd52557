"""A map of a chip: each pair's numbers are its own score's, and the chip's verdict is kept."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ebit.analysis import score
from ebit.analysis.chip import Place, corrected_values, score_chip
from ebit.analysis.corrected import correct_readout
from ebit.games import ArgumentError, Trials, chsh

GAME = chsh()


def counts(rng: np.random.Generator, S: float, each: int = 1024) -> np.ndarray:
    """Counts of a pair whose correlators are all S/4 in size."""
    e = S / 4 * np.array([1, 1, 1, -1])
    p = np.stack([(1 + e) / 4, (1 - e) / 4, (1 - e) / 4, (1 + e) / 4], axis=1)
    return rng.multinomial(each, p).reshape(4, 2, 2)


def place(table: np.ndarray, k: int, mode: str = "simultaneous", **more: object) -> Place:
    trials = Trials.from_counts(table.reshape(2, 2, 2, 2), chosen="per-circuit")
    return Place((2 * k, 2 * k + 1), k % 3, mode, trials, **more)  # type: ignore[arg-type]


def test_each_pair_is_scored_as_if_alone() -> None:
    rng = np.random.default_rng(1)
    tables = [counts(rng, S) for S in (2.7, 2.3, 2.0, 1.5)]
    found = score_chip([place(t, k) for k, t in enumerate(tables)], GAME)
    for pair, table in zip(found.pairs, tables, strict=True):
        alone = score(
            Trials.from_counts(table.reshape(2, 2, 2, 2), chosen="per-circuit"), GAME, minus="game"
        )
        assert pair.S == alone.S
        assert pair.S_interval == alone.S_interval
        assert pair.no_signalling == alone.no_signalling.p_value
        named = {e.name: e for e in alone.evidence}
        assert pair.log10_p == named["p-value, independent rounds"].log10
        assert pair.log10_e == named["e-value, independent rounds"].log10
    assert found.colours == 3
    assert [pair.violates for pair in found.pairs] == [True, True, False, False]
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_pair_that_signals_is_not_counted() -> None:
    rng = np.random.default_rng(2)
    table = counts(rng, 2.7)
    table[1] = [[512 + 300, 0], [212, 0]]  # Alice answers otherwise when Bob is asked 1
    found = score_chip([place(table, 0), place(counts(rng, 2.7), 1)], GAME)
    assert [pair.signals for pair in found.pairs] == [True, False]
    assert [pair.violates for pair in found.pairs] == [False, True]
    assert "1 signal and are not counted" in found.summary


def test_pairs_that_are_barred_help_nobody() -> None:
    """A weak pair must not pass because pairs that signal would have been discoveries."""
    rng = np.random.default_rng(9)
    weak = place(counts(rng, 2.5), 0)
    signalling = []
    for k in range(40):
        table = counts(rng, 2.8)
        table[1] = [[1024, 0], [0, 0]]
        signalling.append(place(table, k + 1))
    (alone,) = score_chip([weak], GAME).pairs
    assert alone.log10_p is not None
    # The largest p-value of 41 has to lie below fdr / price, the smallest of 41 below fdr / price / 41.
    price = sum(1 / i for i in range(1, 42))
    for factor, wanted in ((3.0, 0), (41 * 1.01, 1)):
        found = score_chip([weak, *signalling], GAME, fdr=10**alone.log10_p * price * factor)
        assert [pair.signals for pair in found.pairs] == [False] + [True] * 40
        assert len(found.violating) == wanted
    assert score_chip([weak, *signalling], GAME).violating_by_e == 1


def test_cross_talk_that_is_put_in_is_found_and_nothing_else() -> None:
    rng = np.random.default_rng(3)
    places = []
    for k in range(40):
        hurt = 0.35 if k < 4 else 0.0
        places.append(place(counts(rng, 2.6 - hurt, 4096), k))
        places.append(place(counts(rng, 2.6, 4096), k, "separated"))
    found = score_chip(places, GAME)
    assert found.mode == "both"
    assert {pair.qubits[0] // 2 for pair in found.crosstalk} == {0, 1, 2, 3}
    for pair in found.crosstalk:
        assert pair.crosstalk is not None
        assert pair.crosstalk.interval.low < -0.35 < pair.crosstalk.interval.high
        assert pair.S_separated is not None


@pytest.mark.slow
def test_no_cross_talk_is_seldom_found() -> None:
    rng = np.random.default_rng(4)
    runs, wrong = 60, 0
    for _ in range(runs):
        places = [
            place(counts(rng, 2.5), k, mode)
            for k in range(20)
            for mode in ("simultaneous", "separated")
        ]
        wrong += bool(score_chip(places, GAME).crosstalk)
    assert wrong <= runs * 0.05 + 3 * np.sqrt(runs * 0.05 * 0.95)


@pytest.mark.slow
def test_below_two_nobody_violates_too_often() -> None:
    """True S of 1.95: S > 2 is measured often; a discovery is made at most as often as promised."""
    rng = np.random.default_rng(5)
    runs, called, above = 150, 0, 0
    for _ in range(runs):
        found = score_chip([place(counts(rng, 1.95, 1000), k) for k in range(12)], GAME)
        called += bool(found.violating)
        above += sum(pair.S > 2 for pair in found.pairs)
    assert 0.1 < above / (12 * runs) < 0.26  # 18 % with 1000 shots per setting
    assert called <= runs * 0.05 + 3 * np.sqrt(runs * 0.05 * 0.95)


def test_prediction_is_compared() -> None:
    rng = np.random.default_rng(6)
    right = [place(counts(rng, 2.5), k, predicted=2.5) for k in range(60)]
    found = score_chip(right, GAME).prediction
    assert found is not None
    assert found.p_value > 0.001
    assert found.rms == pytest.approx(found.expected_rms, rel=0.35)
    wrong = [place(counts(rng, 2.5), k, predicted=2.7) for k in range(60)]
    missed = score_chip(wrong, GAME).prediction
    assert missed is not None
    assert missed.p_value < 1e-6
    assert missed.bias == pytest.approx(-0.2, abs=0.04)


def test_corrected_values_are_those_of_one_pair_alone() -> None:
    rng = np.random.default_rng(7)
    tables = np.stack([counts(rng, 2.4) for _ in range(3)])
    ones = np.array([[20, 31, 12, 50, 9, 40], [980, 950, 990, 930, 970, 900]])
    reads = np.array([[0, 1], [4, 2], [3, 5]])
    middle, half = corrected_values(tables, reads, ones, 1000, GAME.signs)
    for k in range(3):

        def value(found: object) -> tuple[float, float]:
            behaviour = np.stack([f.reshape(2, 2).T for f in found])  # type: ignore[attr-defined]
            return GAME.value(behaviour), GAME.bell_value(behaviour)

        # Bit 0 is Alice's, so the index of a table is a + 2 b.
        alone = correct_readout(
            [tables[k, q].T.ravel() for q in range(4)], [reads[k]] * 4, ones, 1000, value
        )
        assert middle[k] == pytest.approx(alone.S, abs=1e-12)
        span = alone.S_interval
        assert span is not None
        assert half[k] == pytest.approx((span.high - span.low) / 2, rel=0.25)


def test_a_map_of_nothing() -> None:
    with pytest.raises(ArgumentError, match="at least one pair"):
        score_chip([], GAME)


@pytest.mark.slow
def test_the_e_value_of_independent_rounds_is_one() -> None:
    """Expectation at most 1 over unlike rounds whose mean win rate is the local bound."""
    from ebit.analysis.gathering import INDEPENDENT_E

    rng = np.random.default_rng(8)
    rates = np.array([0.95, 0.55, 0.9, 0.6])  # mean .75
    total = 0.0
    runs = 4000
    for _ in range(runs):
        wins = rng.binomial(25, rates)
        table = np.zeros((4, 2, 2), dtype=int)
        for q, k in enumerate(wins):
            same, other = (k, 25 - k) if q < 3 else (25 - k, k)
            table[q] = [[same - same // 2, other // 2], [other - other // 2, same // 2]]
        found = score(
            Trials.from_counts(table.reshape(2, 2, 2, 2), chosen="per-circuit"), GAME, minus="game"
        )
        named = {e.name: e for e in found.evidence}
        total += float(named[INDEPENDENT_E].value or 0)
    assert total / runs <= 1.05
