"""Evidence: bounds by brute force, betting by enumeration, Ville's inequality by simulation."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest

from ebit.analysis.evidence import (
    EvidencePath,
    coin_bias_limit,
    convention_cost,
    e_process,
    efficiency_floor,
    final_e_value,
    local_win_bound,
    memory_p_value,
    no_click_as_plus,
)
from ebit.games import ArgumentError, chsh

TSIRELSON = (2 + math.sqrt(2)) / 4
RUNS, ROUNDS = 2_000, 300
Bools = npt.NDArray[np.bool_]


# --- what the null can do ---------------------------------------------------------------------


@pytest.mark.parametrize("tau", [0.0, 1.08e-5, 0.01, 0.2, 0.49])
def test_local_win_bound_is_attained_by_the_best_strategy_and_the_worst_coins(tau: float) -> None:
    best = 0.0
    # x is biased one way or the other; y too, and its way may depend on x.
    for x_bias, y_bias_0, y_bias_1 in product((-tau, tau), repeat=3):
        chance = {
            (x, y): (0.5 + (x_bias if x else -x_bias))
            * (0.5 + (1 if y else -1) * (y_bias_1 if x else y_bias_0))
            for x, y in product((0, 1), repeat=2)
        }
        for a0, a1, b0, b1 in product((0, 1), repeat=4):
            wins = sum(
                p
                for (x, y), p in chance.items()
                if ((a1 if x else a0) ^ (b1 if y else b0)) == (x & y)
            )
            best = max(best, wins)
    assert local_win_bound(0.75, tau) == pytest.approx(best, abs=1e-15)
    assert local_win_bound(0.75, tau) == pytest.approx(0.75 + tau - tau**2, abs=1e-15)
    assert local_win_bound(chsh().local_value()) == 0.75


def test_delft_2015() -> None:
    # Hensen et al., Nature 526, 682: 196 of 245 at tau = 1.08e-5.
    p = memory_p_value(196, 245, local_win_bound(0.75, 1.08e-5))
    assert p.value == pytest.approx(0.0391, abs=5e-5)
    # The sign convention chosen from the data among eight (formulas section 1): .313.
    assert 10 ** convention_cost(p.log10, 8, kind="p") == pytest.approx(0.313, abs=5e-4)


def test_memory_p_value_is_the_best_that_memory_can_do() -> None:
    # Backward induction over a device that sets its win probability, at most xi, each round.
    n, xi = 14, 0.77
    for wins in range(n + 1):
        reach = np.array([1.0 if k >= wins else 0.0 for k in range(n + 1)])
        for left in range(n):
            size = n - left
            # Winning more is never worse, so the best probability is the largest.
            reach = np.array([xi * reach[k + 1] + (1 - xi) * reach[k] for k in range(size)])
        assert memory_p_value(wins, n, xi).value == pytest.approx(reach[0], rel=1e-12)


def test_coin_bias_limit() -> None:
    limit = coin_bias_limit(50_100, 100_000)
    assert 0.001 < limit < 0.001 + 5.1 * 0.5 / math.sqrt(100_000)
    assert coin_bias_limit(49_900, 100_000) == pytest.approx(limit, rel=1e-9)
    assert coin_bias_limit(0, 0) == 0.5
    assert coin_bias_limit(10, 10) == 0.5
    # The limit is too small in at most `error` of runs, exactly.
    n, p, error = 40, 0.62, 0.05
    chance = sum(
        math.comb(n, k) * p**k * (1 - p) ** (n - k)
        for k in range(n + 1)
        if coin_bias_limit(k, n, error) < p - 0.5
    )
    assert chance <= error


def test_efficiency() -> None:
    # Formulas section 1: S = 4/eta - 2 on coincidences.
    for eta, s in ((0.95, 2.2105), (0.8284, 2.8284), (2 / 3, 4.0)):
        assert 8 * efficiency_floor(eta) - 4 == pytest.approx(s, abs=5e-4)
    assert efficiency_floor(0.3) == 1.0
    assert no_click_as_plus(0.828427) == pytest.approx(2.0, abs=1e-5)
    # By its definition: both click, one clicks, none does.
    eta, correlator = 0.9, 1 / math.sqrt(2)
    s = sum(
        sign * (eta**2 * sign * correlator + 2 * eta * (1 - eta) * 0 + (1 - eta) ** 2)
        for sign in (1, 1, 1, -1)
    )
    assert no_click_as_plus(eta) == pytest.approx(s, rel=1e-12)


def test_convention_cost() -> None:
    assert convention_cost(-0.2, 8, kind="p") == 0.0
    assert convention_cost(3.0, 1, kind="e") == 3.0
    assert convention_cost(3.0, 10, kind="e") == pytest.approx(2.0)


# --- betting -----------------------------------------------------------------------------------


def _mean_e(n: int, p0: float, strategy: dict[tuple[int, ...], float] | float) -> float:
    """The exact mean of the final e-value over all 2^n outcomes."""
    total = 0.0
    for outcome in product((0, 1), repeat=n):
        chance = 1.0
        for i, won in enumerate(outcome):
            p = strategy if isinstance(strategy, float) else strategy[outcome[:i]]
            chance *= p if won else 1 - p
        total += chance * 10 ** final_e_value(sum(outcome), n, p0)
    return total


def test_mean_of_the_e_value_is_one_at_the_floor_and_less_below() -> None:
    assert _mean_e(9, 0.75, 0.75) == pytest.approx(1.0, rel=1e-12)
    assert _mean_e(9, 0.75, 0.6) < 1.0
    rng = np.random.default_rng(2)
    memory = {
        past: 0.75 * float(rng.random() ** 0.2)
        for size in range(9)
        for past in product((0, 1), repeat=size)
    }
    assert _mean_e(9, 0.75, memory) <= 1.0


def test_path_is_the_mixture_of_products_at_its_checkpoints() -> None:
    rng = np.random.default_rng(3)
    won = rng.random(1003) < 0.85
    every = e_process(won, 0.75)
    assert every.rounds.tolist() == list(range(1, 1004))
    for n in (1, 7, 500, 1003):
        wins = int(won[:n].sum())
        assert every.log10_e[n - 1] == pytest.approx(final_e_value(wins, n, 0.75), abs=1e-10)
    some = e_process(won, 0.75, points=50)
    assert len(some.rounds) <= 50
    assert some.rounds[-1] == 1003
    np.testing.assert_allclose(some.log10_e, every.log10_e[some.rounds - 1], atol=1e-10)
    assert every.largest >= max(some.largest, every.final)
    assert every.p_value.log10 == -every.largest == every.anytime_log10_p


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64])
def test_path_is_the_same_for_bools_and_integers(kind: type) -> None:
    won = np.random.default_rng(4).random(5000) < 0.8
    one, two = e_process(won, 0.75), e_process(won.astype(kind), 0.75)
    np.testing.assert_array_equal(one.log10_e, two.log10_e)
    strided = np.repeat(won, 2)[::2]
    np.testing.assert_array_equal(e_process(strided, 0.75).log10_e, one.log10_e)


def test_a_path_of_losses_gives_no_evidence() -> None:
    path = e_process(np.zeros(100, dtype=bool), 0.75)
    assert path.largest == 0.0
    assert path.p_value.value == 1.0
    assert path.final < 0


def test_ten_million_rounds() -> None:
    won = np.random.default_rng(5).random(10**7) < TSIRELSON
    path = e_process(won, 0.75)
    assert len(path.rounds) <= 2000
    # ln e is close to n D(p || 3/4) at the observed p.
    p = won.mean()
    rate = p * math.log(p / 0.75) + (1 - p) * math.log((1 - p) / 0.25)
    assert 0.995 < path.final * math.log(10) / (1e7 * rate) <= 1.0


def test_rounds_to_a_million_at_tsirelsons_bound() -> None:
    # Formulas section 1: optimum 430.7, known bet 433.9, a grid mixture 459.7.
    rng = np.random.default_rng(6)
    reached = [
        int(np.argmax(e_process(rng.random(2000) < TSIRELSON, 0.75).log10_e >= 6)) + 1
        for _ in range(400)
    ]
    assert 431 < np.mean(reached) < 459.7 + 3 * np.std(reached) / 20


@pytest.mark.parametrize(
    "won",
    [
        np.array([0.5, 1.0]),
        np.array([0, 2]),
        np.array([-1, 1]),
        np.zeros((2, 2), dtype=bool),
        np.zeros(0, dtype=bool),
    ],
)
def test_wrong_rounds_are_refused(won: npt.NDArray[np.int64]) -> None:
    with pytest.raises(ArgumentError, match="won"):
        e_process(won, 0.75)


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(ArgumentError, match="p0"):
        e_process(np.ones(3, dtype=bool), 1.0)
    for tau in (-0.1, 0.5, math.nan):
        with pytest.raises(ArgumentError, match="tau"):
            local_win_bound(0.75, tau)
    with pytest.raises(ArgumentError, match="efficiency"):
        efficiency_floor(0.0)
    with pytest.raises(ArgumentError, match="wins"):
        final_e_value(6, 5, 0.75)
    with pytest.raises(ArgumentError, match="conventions"):
        convention_cost(1.0, 0, kind="e")


# --- Ville's inequality, against local devices --------------------------------------------------


def _losing_question(
    kind: str,
    past: Bools,
    asked: npt.NDArray[np.intp],
    lost: npt.NDArray[np.intp],
    i: int,
    rng: np.random.Generator,
) -> npt.NDArray[np.intp]:
    """Which of the four questions each run's deterministic strategy loses in round i."""
    if kind == "fixed" or i == 0:
        return lost
    if kind == "mixture":
        return rng.integers(0, 4, len(lost))
    last = past[:, i - 1]
    if kind == "lose-shift":
        return np.where(last, lost, (lost + 1) % 4)
    if kind == "rarest":  # loses what was asked least so far
        frequency = np.stack([(asked[:, :i] == q).sum(axis=1) for q in range(4)], axis=1)
        return frequency.argmin(axis=1)
    return asked[:, i - 1]  # "last": loses what was asked last


@pytest.mark.parametrize("kind", ["fixed", "mixture", "lose-shift", "rarest", "last", "coward"])
def test_villes_inequality_for_local_devices_with_memory(kind: str) -> None:
    # str.encode, not hash(): the seed must not change between runs.
    rng = np.random.default_rng(list(kind.encode()))
    asked = rng.integers(0, 4, (RUNS, ROUNDS))
    won = np.zeros((RUNS, ROUNDS), dtype=bool)
    lost = rng.integers(0, 4, RUNS)
    for i in range(ROUNDS):
        strategy = "fixed" if kind == "coward" else kind
        lost = _losing_question(strategy, won, asked, lost, i, rng)
        won[:, i] = asked[:, i] != lost
        if kind == "coward" and i:
            # Once ahead of the floor, it plays to lose: the path keeps its best moment.
            ahead = won[:, :i].sum(axis=1) > 0.75 * i + 2 * math.sqrt(0.1875 * i)
            won[:, i] &= ~ahead
    assert abs(won.mean() - 0.75) < 0.01 or kind == "coward"
    largest = np.array([e_process(run, 0.75).largest for run in won])
    for alpha in (0.05, 0.01):
        rate = np.mean(largest >= math.log10(1 / alpha))
        assert rate <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / RUNS)


def test_the_simulation_above_could_fail() -> None:
    # A device that knows the question wins more often, and is found out.
    rng = np.random.default_rng(7)
    found = [e_process(rng.random(2 * ROUNDS) < TSIRELSON, 0.75).largest for _ in range(50)]
    assert np.mean(np.array(found) >= 2) > 0.9


def test_evidence_path_is_plain_data() -> None:
    path = EvidencePath(np.array([1, 2]), np.array([0.5, -1.0]))
    assert (path.final, path.largest) == (-1.0, 0.5)
