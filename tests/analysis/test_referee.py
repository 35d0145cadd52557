"""A referee's attacks: local data that looked like a violation, and sentences that claimed too much."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from ebit.analysis import Score, plan_rounds, score, score_wins
from ebit.games import ArgumentError, Trials, chsh, magic_square, mermin_ghz

Ints = npt.NDArray[np.int64]


def table(totals: list[int], wins: list[int]) -> Ints:
    """Counts with this many rounds and wins per question, answers 00, 01 or 10."""
    counts = np.zeros((2, 2, 2, 2), dtype=np.int64)
    for q, (x, y) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        for equal, number in ((1 - x * y, wins[q]), (x * y, totals[q] - wins[q])):
            half = number // 2
            counts[x, y, 0, 1 - equal] += half
            counts[x, y, 1, equal] += number - half
    return counts


def scored(totals: list[int], wins: list[int], **more: object) -> Score:
    return score(Trials.from_counts(table(totals, wins), chosen="per-shot"), chsh(), **more)  # type: ignore[arg-type]


def test_uneven_settings_do_not_turn_s_of_2_into_a_violation() -> None:
    # The same two answers always: S = 2 exactly. The question it loses came a little less often, not
    # enough to be called unfair at 1e-6, and p was 1.7e-7 against the floor of fair settings.
    totals = [25232, 25232, 25232, 24304]
    found = scored(totals, [*totals[:3], 0], minus="game")
    assert found.S == 2.0
    assert found.status == "no violation"
    assert found.floor == pytest.approx(1 - 24304 / 100_000)
    assert (found.p_value or 0) > 0.4
    assert any("look uneven" in a for a in found.assumptions)
    declared = scored(totals, [*totals[:3], 0], minus="game", tau=0.001)
    assert declared.tau == 0.001


def test_settings_too_even_to_be_fresh_are_refused() -> None:
    found = scored([25000] * 4, [21000] * 4, minus="game")
    assert found.p_value is None
    assert "more evenly" in found.withheld["p_value"]
    few = scored([100] * 4, [84] * 4, minus="game")
    assert few.p_value is not None  # 400 fresh choices may well come out even
    near = scored([25000, 24900, 25080, 25020], [21000] * 4, minus="game")
    assert near.p_value is not None


def test_a_tau_of_zero_does_not_excuse_unfair_questions() -> None:
    square = magic_square()
    counts = np.where(square.table(), 100, 1).reshape(9, 4, 4)
    counts[8] //= 10
    counts[8][0, 0] += 1
    trials = Trials.from_counts(counts.reshape(3, 3, 4, 4), chosen="per-shot")
    for tau in (None, 0.0):
        found = score(trials, square, tau=tau)
        assert found.p_value is None, tau
        assert "as often as the game asks" in found.withheld["p_value"]


def test_the_device_may_draw_questions_without_setting_bits_if_tau_is_declared() -> None:
    square = magic_square()
    counts = np.where(square.table(), 100, 1).reshape(3, 3, 4, 4)
    counts[0, 0, 0, 0] += 40
    trials = Trials.from_counts(counts, chosen="per-shot", source="device")
    assert "give tau" in score(trials, square).withheld["p_value"]
    assert score(trials, square, tau=0.0).p_value is not None


def rounds_in_blocks(blocks: Ints, length: int, labels: Ints | None = None) -> Trials:
    rng = np.random.default_rng(1)
    settings = np.repeat(blocks, length, axis=0)
    a = rng.integers(0, 2, len(settings))
    b = a ^ settings.prod(axis=1) ^ (rng.random(len(a)) >= 0.84)
    if labels is None:
        labels = np.repeat(np.arange(len(blocks)), length)
    return Trials.from_rounds(settings, np.stack([a, b], 1), block=labels)


def test_blocks_that_take_turns_are_no_blocks_drawn_afresh() -> None:
    # A local device that remembers earlier blocks only knows the next question.
    turns = np.tile([[0, 0], [0, 1], [1, 0], [1, 1]], (200, 1))
    found = score(rounds_in_blocks(turns, 10), chsh(), minus="game")
    assert found.settings == "per-block"
    assert "not drawn afresh" in found.withheld["e-value, betting per block"]
    drawn = np.random.default_rng(2).integers(0, 2, (800, 2))
    fair = score(rounds_in_blocks(drawn, 10), chsh(), minus="game")
    assert {e.name: e for e in fair.evidence}["e-value, betting per block"].valid


def test_a_block_column_that_is_no_block_of_settings_is_not_an_error() -> None:
    drawn = np.random.default_rng(3).integers(0, 2, (2000, 2))
    found = score(rounds_in_blocks(drawn, 2, np.arange(4000) // 10), chsh(), minus="game")
    assert found.settings == "per-block"
    assert "change inside" in found.withheld["e-value, betting per block"]


def test_wins_alone_can_lie_above_the_quantum_bound() -> None:
    found = score_wins(1000, 1000, chsh())
    assert found.status == "fault"
    assert "quantum bound" in found.verdict
    assert score_wins(860, 1000, chsh()).status == "violation"
    assert score_wins(1000, 1000, mermin_ghz(3)).status == "violation"
    assert score_wins(930, 1000, chsh(), tau=0.2).status != "fault"
    assert "declared" not in found.settings_reason


def test_the_verdict_names_what_it_rests_on() -> None:
    totals, wins = [25000, 24900, 25080, 25020], [20500] * 4
    one_chip = scored(totals, wins, minus="game", separation="one chip")
    assert "no communication between the parties" in one_chip.verdict
    assert "fair" in one_chip.verdict
    distant = scored(totals, wins, minus="game", separation="distant")
    assert "communication" not in distant.verdict
    assert any("as declared" in a for a in distant.assumptions)
    trusted = scored(totals, wins, minus="game", trust="all")
    assert "trusted measuring devices" in trusted.verdict
    assert any("trusted, not tested" in a for a in trusted.assumptions)
    coins = Trials.from_counts(table(totals, wins), chosen="per-shot", source="device")
    assert "the device's own coins" in score(coins, chsh(), minus="game").verdict


def test_drift_between_circuits_is_not_called_signalling_without_saying_so() -> None:
    counts = table([5000] * 4, [4200] * 4)
    counts[0, 1, 0] += 600
    one_each = score(Trials.from_counts(counts, chosen="per-circuit"), chsh(), minus="game")
    assert one_each.status == "signalling"
    assert "drifted" in one_each.verdict


def test_an_e_value_beyond_a_float_is_null_with_its_reason() -> None:
    totals = [2_500_000, 2_498_000, 2_501_000, 2_501_000]
    data = scored(totals, [2_100_000] * 4, minus="game").to_dict()
    assert data["e_value"] is None
    assert "log10_e" in data["withheld"]["e_value"]
    assert data["log10_e"] > 308


def test_planning_with_coins_reaches_what_it_promises() -> None:
    plan = plan_rounds(chsh(), 0.835, coins=True)
    bare = plan_rounds(chsh(), 0.835)
    assert bare.floor_with_coins is None
    assert plan.rounds_for_p > 3 * bare.rounds_for_p
    assert plan.floor_with_coins is not None
    assert "coins" in str(plan)
    rng = np.random.default_rng(4)
    runs, reached = 100, 0
    for _ in range(runs):
        totals = rng.multinomial(plan.rounds_for_p, [0.25] * 4)
        counts = table(totals.tolist(), rng.binomial(totals, 0.835).tolist())
        trials = Trials.from_counts(counts, chosen="per-shot", source="device")
        reached += (score(trials, chsh(), minus="game").p_value or 1.0) <= plan.p_value
    assert reached >= 85
    with pytest.raises(ArgumentError, match="quantum"):
        plan_rounds(chsh(), 0.9)
    with pytest.raises(ArgumentError, match="two settings"):
        plan_rounds(magic_square(), 0.95, coins=True)


@pytest.mark.slow
@pytest.mark.parametrize("n", [40, 4000])
def test_fair_hosts_lose_little_to_these_checks(n: int) -> None:
    rng = np.random.default_rng(n)
    runs, refused, raised = 1000, 0, 0
    for _ in range(runs):
        totals = rng.multinomial(n, [0.25] * 4)
        if (totals == 0).any():
            continue
        found = scored(totals.tolist(), (totals * 4 // 5).tolist(), minus="game")
        refused += found.p_value is None
        raised += found.tau > 0
    assert refused == 0
    assert raised <= 0.01 * runs + 3 * (0.01 * runs) ** 0.5
