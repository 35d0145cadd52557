"""Scores: the numbers of published data, what is withheld, and how the verdict's words follow."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import pytest

from ebit.analysis import Score, score, score_wins
from ebit.games import ArgumentError, Trials, chained_chsh, chsh, magic_square, mermin_ghz

# Counts of NIST's loophole-free test, rows ab, ab', a'b, a'b' (formulas: section 8).
NIST = np.array(
    [
        [32266283, 600862, 580732, 18985],
        [32801781, 70119, 404229, 195257],
        [32803817, 422004, 61941, 197106],
        [33128142, 94035, 89267, 171053],
    ]
).reshape(2, 2, 2, 2)
TSIRELSON = (2 + 2**0.5) / 4


def quantum_rounds(
    n: int, win: float, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    settings = rng.integers(0, 2, (n, 2))
    a = rng.integers(0, 2, n)
    b = a ^ (settings.prod(axis=1)) ^ (rng.random(n) >= win)
    return settings, np.stack([a, b], axis=1)


def blocks_of(settings: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.int64]:
    return np.arange(len(settings)) // length


def test_nist_counts() -> None:
    found = score(Trials.from_counts(NIST, chosen="per-shot"), chsh(), minus="00")
    assert pytest.approx(2.0024148629, abs=1e-10) == found.S
    assert found.win_rate == pytest.approx(0.750370, abs=5e-7)
    assert found.no_signalling is not None
    assert found.no_signalling.holds
    # The two are computed apart: one does not follow from the other (formulas: section 1).
    assert pytest.approx(0.750302, abs=5e-7) == 0.5 + found.S / 8
    assert found.path is None
    assert found.order == "unknown"
    assert found.p_value is not None
    assert found.p_value < 1e-20


def test_delft() -> None:
    declared = score_wins(196, 245, chsh(), tau=1.08e-5)
    assert declared.p_value == pytest.approx(0.0391, abs=5e-5)
    assert declared.status == "no violation"
    chosen = score_wins(196, 245, chsh(), tau=1.08e-5, declared=False)
    assert chosen.p_value == pytest.approx(0.313, abs=5e-4)


@pytest.mark.parametrize("minus", [0, 1, 2, 3])
@pytest.mark.parametrize("flip", [1, -1])
def test_every_convention_is_found_and_paid_for(minus: int, flip: int) -> None:
    rng = np.random.default_rng(minus)
    settings, outcomes = quantum_rounds(4000, 0.84, rng)
    signs = flip * np.where(np.arange(4) == minus, -1, 1)
    played = chsh().with_signs(signs.astype(np.int8))
    # Relabel the outcomes that turn the game's own signs into these.
    question = chsh().question_index(settings)
    wrong = (chsh().signs * signs)[question] < 0
    outcomes[:, 1] ^= wrong
    trials = Trials.from_rounds(settings, outcomes)
    free = score(trials, chsh(), minus=signs.tolist())
    paid = score(trials, chsh())
    assert pytest.approx(free.S) == paid.S
    assert paid.convention.signs == tuple(signs.tolist())
    assert not paid.convention.declared
    assert paid.convention.cost == 8
    assert paid.log10_p is not None
    assert free.log10_p is not None
    assert paid.log10_p - free.log10_p == pytest.approx(np.log10(8))
    assert paid.log10_e is not None
    assert free.log10_e is not None
    assert free.log10_e - paid.log10_e == pytest.approx(np.log10(8))
    assert played.signs.tolist() == signs.tolist()


def test_blocks_withhold_memory_and_bet_per_block() -> None:
    rng = np.random.default_rng(3)
    questions = rng.integers(0, 2, (400, 2))
    settings = np.repeat(questions, 50, axis=0)
    a = rng.integers(0, 2, len(settings))
    b = a ^ settings.prod(axis=1) ^ (rng.random(len(settings)) >= 0.84)
    trials = Trials.from_rounds(settings, np.stack([a, b], 1), block=blocks_of(settings, 50))
    found = score(trials, chsh(), minus="game")
    assert found.settings == "per-block"
    assert found.p_value is None
    assert found.e_value is None
    assert {"p_value", "e_value"} <= set(found.withheld)
    named = {e.name: e for e in found.evidence}
    block = named["e-value, betting per block"]
    assert block.valid
    assert block.log10 is not None
    assert block.log10 > 6
    assert "no device with memory inside a block" in found.verdict
    assert found.path is not None
    assert int(found.path.rounds[-1]) == len(settings)


def test_blocks_without_a_block_column_are_noticed() -> None:
    settings = np.repeat(np.random.default_rng(1).integers(0, 2, (100, 2)), 40, axis=0)
    trials = Trials.from_rounds(settings, np.zeros_like(settings))
    found = score(trials, chsh(), minus="game")
    assert found.settings == "per-block"
    assert found.p_value is None
    assert "no block column" in found.withheld["e-value, betting per block"]


def test_blocks_drawn_unfairly_refuse_the_bet() -> None:
    rng = np.random.default_rng(5)
    questions = (rng.random((2000, 2)) < 0.35).astype(int)
    settings = np.repeat(questions, 10, axis=0)
    trials = Trials.from_rounds(settings, np.zeros_like(settings), block=blocks_of(settings, 10))
    found = score(trials, chsh(), minus="game")
    assert "not drawn fairly" in found.withheld["e-value, betting per block"]


def test_one_circuit_per_setting_uses_correlators_when_counts_differ() -> None:
    # A local model that wins three questions always and one never: with unequal counts its
    # pooled win rate exceeds 3/4, and must not count as evidence.
    counts = np.zeros((2, 2, 2, 2), dtype=int)
    for (x, y), n in zip([(0, 0), (0, 1), (1, 0), (1, 1)], [9000, 9000, 9000, 3000], strict=True):
        counts[x, y, 0, 0] = n
    found = score(Trials.from_counts(counts, chosen="per-circuit"), chsh(), minus="game")
    assert found.win_rate == pytest.approx(0.9)
    assert pytest.approx(2.0) == found.S
    assert found.status == "no violation"
    named = {e.name: e for e in found.evidence}
    assert named["p-value, independent rounds"].value == pytest.approx(1.0)


def test_signalling_refuses_the_verdict() -> None:
    counts = np.array(
        [
            [[[4200, 800], [800, 4200]], [[4100, 900], [900, 4100]]],
            [[[4700, 1100], [700, 3500]], [[900, 3600], [4600, 900]]],
        ]
    )
    found = score(Trials.from_counts(counts), chsh(), minus="game")
    assert found.status == "signalling"
    assert "No verdict" in found.verdict
    assert found.no_signalling is not None
    assert not found.no_signalling.holds


def test_above_tsirelson_is_a_fault() -> None:
    counts = np.array([[48, 2], [2, 48]]) * 100
    table = np.array([[counts, counts], [counts, counts[::-1]]])
    found = score(Trials.from_counts(table), chsh(), minus="game")
    assert pytest.approx(3.68) == found.S
    assert found.status == "fault"
    mirrored = np.array([[counts, counts], [counts, counts[::-1]]])[:, :, ::-1]
    below = score(Trials.from_counts(mirrored), chsh(), minus="game")
    assert pytest.approx(-3.68) == below.S
    assert below.status == "fault"


def test_coin_bias_raises_the_null() -> None:
    rng = np.random.default_rng(8)
    settings, outcomes = quantum_rounds(50_000, 0.8, rng)
    fair = score(Trials.from_rounds(settings, outcomes, source="host"), chsh(), minus="game")
    coins = score(Trials.from_rounds(settings, outcomes, source="device"), chsh(), minus="game")
    assert fair.floor == 0.75
    assert 0 < coins.tau < 0.02
    assert coins.floor == pytest.approx(0.75 + coins.tau - coins.tau**2)
    # The bias is at least what the coins show.
    shown = max(abs(settings[:, i].mean() - 0.5) for i in range(2))
    assert coins.tau >= shown
    assert any("coins" in a for a in coins.assumptions)


def test_correlated_coins_raise_the_null_though_each_is_fair() -> None:
    rng = np.random.default_rng(9)
    n = 40_000
    x = rng.integers(0, 2, n)
    y = np.where(rng.random(n) < 0.05, x, rng.integers(0, 2, n))
    settings = np.stack([x, y], 1)
    trials = Trials.from_rounds(settings, np.zeros_like(settings), source="device")
    assert score(trials, chsh(), minus="game").tau > 0.012


def test_unfair_host_settings_are_refused_without_tau() -> None:
    rng = np.random.default_rng(10)
    settings = (rng.random((20_000, 2)) < 0.55).astype(int)
    trials = Trials.from_rounds(settings, np.zeros_like(settings), source="host")
    found = score(trials, chsh(), minus="game")
    assert found.p_value is None
    assert "tau" in found.withheld["p_value"]
    declared = score(trials, chsh(), minus="game", tau=0.06)
    assert declared.p_value is not None
    raised = score(trials, chsh(), minus="game", tau=0.001)
    assert raised.tau > 0.04


def test_efficiency_raises_the_null() -> None:
    rng = np.random.default_rng(31)
    settings, outcomes = quantum_rounds(20_000, TSIRELSON, rng)
    trials = Trials.from_rounds(settings, outcomes)
    found = score(trials, chsh(), minus="game", efficiency=0.95)
    assert 8 * found.floor - 4 == pytest.approx(2.2105, abs=1e-4)
    hopeless = score(trials, chsh(), minus="game", efficiency=0.66)
    assert hopeless.p_value is None
    assert hopeless.status == "no violation"


def test_other_games() -> None:
    ghz = mermin_ghz(3)
    counts = np.zeros((2, 2, 2, 2, 2, 2), dtype=int)
    for q, question in enumerate(ghz.questions):
        for answer in np.ndindex(2, 2, 2):
            won = bool(ghz.table()[(q, *answer)])
            counts[(*question, *answer)] = 240 if won else 10
    found = score(Trials.from_counts(counts), ghz, minus="game")
    assert pytest.approx(4 * 0.92) == found.S
    assert found.local_bound == pytest.approx(2)
    assert found.status == "violation"
    square = magic_square()
    table = np.where(square.table(), 100, 1).reshape(3, 3, 4, 4)
    other = score(Trials.from_counts(table), square)
    assert other.S is None
    assert "S" in other.withheld
    assert other.status == "violation"
    chain = chained_chsh(3)
    assert chain.local_bell == pytest.approx(4)


@pytest.mark.parametrize(
    ("minus", "word"), [("12", "below"), ("0", "one setting per party"), ("00,11", "relabelling")]
)
def test_wrong_conventions(minus: str, word: str) -> None:
    with pytest.raises(ArgumentError, match=word):
        score(Trials.from_counts(NIST), chsh(), minus=minus)


def test_json_keys_and_round_trip(tmp_path: object) -> None:
    found = score(Trials.from_counts(NIST, chosen="per-shot"), chsh(), minus="00")
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    wanted = (
        "S S_interval win_rate n p_value e_value no_signalling verdict backend qubits settings "
        "order experiment_id shots seed method assumptions not_given withheld"
    )
    assert set(wanted.split()) <= set(data)
    assert {"p_value", "holds"} <= set(data["no_signalling"])


def test_text_html_frame_and_citations() -> None:
    found = score(Trials.from_counts(NIST, chosen="per-shot"), chsh(), minus="00")
    assert "2.0024" in str(found)
    assert "<table>" in found._repr_html_()
    frame = found.to_frame()
    assert frame.loc["S", "value"] == pytest.approx(2.0024148629)
    assert "Clauser" in found.cite()


def best_local_s(rng: np.random.Generator, n: int) -> Score:
    settings = rng.integers(0, 2, (n, 2))
    return score(Trials.from_rounds(settings, np.zeros_like(settings)), chsh(), minus="game")


@pytest.mark.slow
def test_ideal_device_is_not_called_a_fault() -> None:
    rng = np.random.default_rng(12)
    faults = 0
    for _ in range(2000):
        wins = rng.binomial(2500, TSIRELSON, 4)
        counts = np.zeros((2, 2, 2, 2), dtype=int)
        for q, (x, y) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
            half = rng.binomial(wins[q], 0.5)
            lost = rng.binomial(2500 - wins[q], 0.5)
            equal = [half, wins[q] - half]
            unequal = [lost, 2500 - wins[q] - lost]
            if x == y == 1:
                equal, unequal = unequal, equal
            counts[x, y] = [[equal[0], unequal[0]], [unequal[1], equal[1]]]
        found = score(Trials.from_counts(counts), chsh())
        faults += found.status == "fault"
    assert faults == 0


@pytest.mark.slow
@pytest.mark.parametrize("memory", [False, True])
@pytest.mark.parametrize("declared", [True, False])
def test_local_players_get_little_evidence(memory: bool, declared: bool) -> None:
    """A local strategy reaches e >= 1/alpha in at most alpha of the runs, at any time."""
    rng = np.random.default_rng(13 + memory)
    alpha, runs, n = 0.05, 2000, 400
    strategies = np.array([[0, 0, 0, 0], [0, 0, 0, 1], [1, 1, 1, 0], [0, 1, 0, 0]])
    reached = small = 0
    for _ in range(runs):
        settings = rng.integers(0, 2, (n, 2))
        a, b = np.zeros(n, dtype=int), np.zeros(n, dtype=int)
        current = 0
        for i in range(n) if memory else ():
            s = strategies[current]
            a[i], b[i] = s[settings[i, 0]], s[2 + settings[i, 1]]
            if (a[i] ^ b[i]) != settings[i].all():
                current = (current + 1 + i % 3) % 4
        trials = Trials.from_rounds(settings, np.stack([a, b], 1), chosen="per-shot")
        found = score(trials, chsh(), minus="game" if declared else None)
        assert found.path is not None
        reached += found.path.largest >= np.log10(1 / alpha)
        small += (found.p_value or 0.0) <= alpha
    allowed = alpha + 3 * np.sqrt(alpha * (1 - alpha) / runs)
    assert reached / runs <= allowed
    assert small / runs <= allowed


@pytest.mark.slow
def test_memory_inside_blocks_does_not_fool_what_is_printed() -> None:
    """A local device that learns its block's question reaches S near 4, and no evidence counts.

    What is printed for blocks names the assumption that this device breaks; the memory-robust
    statistics stay withheld, and the value above the quantum bound is called a fault.
    """
    rng = np.random.default_rng(14)
    questions = rng.integers(0, 2, (200, 2))
    settings = np.repeat(questions, 100, axis=0)
    outcomes = np.zeros_like(settings)
    outcomes[settings.all(axis=1), 1] = 1
    outcomes[::100, 1] = 0
    trials = Trials.from_rounds(settings, outcomes, block=blocks_of(settings, 100))
    found = score(trials, chsh(), minus="game")
    assert found.S is not None
    assert found.S > 3.9
    assert found.p_value is None
    assert found.e_value is None
    assert found.status == "fault"
