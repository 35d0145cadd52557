"""Plans of entropy accumulation: published second-order terms, tables, what a plan refuses."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from ebit.analysis.accumulation import Method, accumulate, likely_bits, tradeoff
from ebit.analysis.accumulation_plan import AccumulationPlan
from ebit.analysis.accumulation_score import (
    LEAST_WIN_RATE,
    MOST_WIN_RATE,
    Settings,
    biased_coins,
    passing_threshold,
)
from ebit.analysis.eat import eat_loss, second_order
from ebit.analysis.entropy_round import von_neumann_entropy_one_wins
from ebit.analysis.geat import geat_loss, smoothing_bits
from ebit.games import ArgumentError

LAWS = [
    Settings(),
    Settings(gamma=0.05),
    Settings(biased_coins(0.2)),
    Settings(biased_coins(0.3), gamma=0.4, tau=0.01),
    Settings(tau=0.02),
]

# Bits per round at 2^-65 each for smoothing and acceptance, threshold at the expected score, fair
# settings in every round; recomputed for this project from arXiv:1805.11652 and arXiv:2203.04989.
TABLE = [
    ("eat", 2.4, 10**6, 0.169),
    ("geat", 2.4, 10**6, 0.192),
    ("geat", 2.6, 10**5, 0.052),
    ("eat", 2.6, 10**6, 0.384),
    ("geat", 2.6, 10**6, 0.410),
]


@pytest.mark.parametrize(("method", "S", "n", "rate"), TABLE)
def test_table(method: Method, S: float, n: int, rate: float) -> None:
    plan = accumulate(n, 0.5 + S / 8, method=method, completeness=None)
    assert plan.bits / n == pytest.approx(rate, abs=6e-4)
    assert likely_bits(n, 0.5 + S / 8, method=method) == pytest.approx(plan.bits, rel=1e-3)


@pytest.mark.parametrize(
    ("method", "S"), [("eat", 2.4), ("geat", 2.4), ("eat", 2.6)], ids=lambda v: str(v)
)
def test_nothing_at_a_hundred_thousand(method: Method, S: float) -> None:
    plan = accumulate(10**5, 0.5 + S / 8, method=method, completeness=None)
    assert plan.raw_bits < 0
    assert plan.bits == 0
    assert plan.entropy(10**5).bits == 0


def test_theorems_in_the_papers_letters() -> None:
    """Alpha instead of b, written out a second time from the statements of the two theorems."""
    alpha, d, spread, variance, es, ea = 1.004, 4, 14.0, 31.0, 1e-6, 1e-7
    v = math.log2(2 * d**2 + 1) + math.sqrt(variance + 2)
    reach = 2 ** (math.log2(d) + spread)
    k = (2 ** ((alpha - 1) * math.log2(reach)) * math.log(reach + math.e**2) ** 3) / (
        6 * (2 - alpha) ** 3 * math.log(2)
    )
    rate = (alpha - 1) * math.log(2) / 2 * v**2 + (alpha - 1) ** 2 * k
    once = math.log2(2 / (es**2 * ea**2)) / (alpha - 1)
    assert eat_loss(alpha - 1, spread, variance, epsilon=es, epsilon_accept=ea) == pytest.approx(
        (rate, once)
    )
    reach = 2 ** (2 * math.log2(d) + spread)
    b = (alpha - 1) / (2 - alpha)
    k = (
        (2 - alpha) ** 3
        / (6 * (3 - 2 * alpha) ** 3 * math.log(2))
        * 2 ** (b * math.log2(reach))
        * math.log(reach + math.e**2) ** 3
    )
    rate = b * math.log(2) / 2 * v**2 + b**2 * k
    once = (-math.log2(1 - math.sqrt(1 - es**2)) + alpha * math.log2(1 / ea)) / (alpha - 1)
    found = geat_loss(b, spread, variance, epsilon=es, epsilon_accept=ea)
    assert found == pytest.approx((rate, once), rel=1e-4)


def test_smoothing_against_the_definition() -> None:
    for epsilon in (0.9, 0.3, 1e-3):
        assert smoothing_bits(epsilon) == pytest.approx(
            -math.log2(1 - math.sqrt(1 - epsilon**2)), rel=1e-6
        )
    with pytest.raises(ArgumentError, match="`b`"):
        second_order(1.0, 1, 1, 1)


def _points(settings: Settings, rng: np.random.Generator, count: int) -> tuple[np.ndarray, ...]:
    """Win rates of quantum devices, qubits at random angles and local ones; laws within the coins."""
    angle = rng.uniform(0, 2 * np.pi, (count, 4))
    weight = rng.uniform(0, 1, (count, 1))
    signs = np.array([1, 1, 1, -1])
    x, y = [0, 0, 1, 1], [2, 3, 2, 3]
    wins = (1 + weight * signs * np.cos(angle[:, x] - angle[:, y])) / 2
    local = (rng.integers(0, 2, (count, 4)) * 2 - 1).astype(float)
    wins = np.concatenate([wins, (1 + signs * local[:, x] * local[:, y]) / 2])
    p = np.asarray(settings.law)
    move = settings.tau * rng.choice([-1, -0.5, 0, 1], (len(wins), 2, 1)) * np.array([-1, 1])
    rows, columns = p.sum(axis=1) + move[:, 0], p.sum(axis=0) + move[:, 1]
    law = settings.gamma * (rows[:, :, None] * columns[:, None, :]).reshape(-1, 4)
    return wins, law


@pytest.mark.parametrize("settings", LAWS, ids=str)
@pytest.mark.parametrize("pivot", [0.0, 0.6, 1.0])
def test_score_over_quantum_points(settings: Settings, pivot: float) -> None:
    """Max, Min, Var and the tradeoff property, by brute force over devices and coins."""
    rng = np.random.default_rng(5)
    wins, law = _points(settings, rng, 4000)
    k, m = tradeoff(settings, 0.82, pivot)
    f = settings.values(k, m, pivot)
    rest = 1 - settings.gamma
    mean = (law * (f[:, 0] + wins * (f[:, 1] - f[:, 0]))).sum(axis=1) + rest * k
    square = (law * ((1 - wins) * f[:, 0] ** 2 + wins * f[:, 1] ** 2)).sum(axis=1) + rest * k * k
    assert np.all(mean <= von_neumann_entropy_one_wins(wins.mean(axis=1)) + 1e-9)
    low = k + m * (LEAST_WIN_RATE - pivot + settings.shift(pivot, down=True))
    assert mean.min() >= low - 1e-9
    assert mean.min() < low + 0.2 * (mean.max() - low)
    highest = max(f.max(), k) if rest else f.max()
    assert k + m * settings.most(pivot) == pytest.approx(highest)
    variance = square - mean**2
    assert variance.max() <= m * m * settings.variance(pivot) + 1e-9
    if settings == LAWS[0]:
        assert variance.max() > 0.99 * m * m * settings.variance(pivot)


def test_coins_shift_is_the_distance_from_uniform() -> None:
    for tau in (0.01, 0.1):
        settings = Settings(tau=tau)
        far = np.abs(settings.ratios[0] / 4 - 0.25).sum() / 2
        assert settings.shift(0.37) == pytest.approx(tau + tau**2)
        assert far == pytest.approx(tau + tau**2)
    # The local bound on the win rate, formulas for predictable settings: 3/4 + t - t^2 at least.
    assert 0.75 + Settings(tau=0.1).shift(0.0) >= 0.75 + 0.1 - 0.01


@pytest.mark.parametrize("method", ["eat", "geat", "renyi-one"])
def test_monotone(method: Method) -> None:
    def rate(n: int, S: float, epsilon: float, tau: float = 0.0) -> float:
        return (
            likely_bits(n, 0.5 + S / 8, method=method, settings=Settings(tau=tau), epsilon=epsilon)
            / n
        )

    base = rate(10**6, 2.5, 1e-10)
    assert rate(2 * 10**6, 2.5, 1e-10) > base
    assert rate(10**6, 2.52, 1e-10) > base
    assert rate(10**6, 2.5, 1e-8) > base > rate(10**6, 2.5, 1e-12)
    assert rate(10**6, 2.5, 1e-10, 1e-3) < base
    # Never above the one-round entropy, and close to it in the end.
    limit = von_neumann_entropy_one_wins(0.5 + 2.5 / 8)
    assert base < limit
    assert limit - 0.005 < rate(10**11, 2.5, 1e-10) < limit


def test_completeness_is_exact_for_wins() -> None:
    plan = accumulate(10**5, 0.83, method="renyi-one", completeness=0.9)
    lost, won = plan.scores[0]
    fewest = round((plan.threshold - lost) / (won - lost) * plan.n)
    assert plan.completeness == pytest.approx(float(stats.binom.sf(fewest - 1, plan.n, 0.83)))
    assert 0.9 <= plan.completeness < 0.905
    assert plan.entropy(fewest).passed
    assert not plan.entropy(fewest - 1).passed


def test_bernstein_threshold_holds() -> None:
    rng = np.random.default_rng(3)
    settings = Settings(biased_coins(0.2), gamma=0.3)
    values = np.append(settings.values(0.4, 9.0, 0.7).reshape(-1), 0.4)
    chances = np.append(settings.probabilities(0.83).reshape(-1), 0.7)
    threshold, promised = passing_threshold(values, chances, 2000, 0.9)
    counts = rng.multinomial(2000, chances, size=4000)
    assert promised == 0.9
    assert np.mean(counts @ values / 2000 >= threshold) >= 0.9
    assert threshold < chances @ values


def test_table_of_wins_counts_by_rarity() -> None:
    plan = accumulate(
        10**6, 0.83, method="geat", settings=Settings(biased_coins(0.3)), completeness=None
    )
    asked = np.array([[490_000, 210_000], [210_000, 90_000]])
    at_expectation = np.round(0.83 * asked)
    assert plan.mean_score(at_expectation, asked) == pytest.approx(plan.threshold, abs=1e-3)
    assert plan.entropy(at_expectation + 2000, scored=asked).bits == plan.bits > 0
    with pytest.raises(ArgumentError, match="table"):
        plan.entropy(830_000)
    with pytest.raises(ArgumentError, match="fixed"):
        plan.entropy(at_expectation, scored=asked - 1)


def test_spot_checks() -> None:
    plan = accumulate(10**8, 0.83, method="geat", settings=Settings(gamma=0.01), completeness=None)
    assert plan.bits > 0
    score = plan.mean_score(830_000, 1_000_000)
    assert score == pytest.approx(plan.threshold, abs=1e-6)
    with pytest.raises(ArgumentError, match="`scored`"):
        plan.entropy(830_000)


def _refusals() -> list[tuple[dict[str, object], str]]:
    return [
        ({"win_rate_expected": 0.75}, "3/4"),
        ({"win_rate_expected": 0.86}, "0.853553"),
        ({"n": 0}, "`n`"),
        ({"method": "best"}, "renyi-one"),
        ({"epsilon": 0.0}, "`epsilon`"),
        ({"epsilon_accept": 1.0}, "`epsilon_accept`"),
        ({"completeness": 1.0}, "`completeness`"),
        ({"resolution": 0.0}, "`resolution`"),
    ]


@pytest.mark.parametrize(("change", "words"), _refusals())
def test_refusals(change: dict[str, object], words: str) -> None:
    good: dict[str, object] = {"n": 1000, "win_rate_expected": 0.82, "method": "geat"}
    with pytest.raises(ArgumentError, match=words):
        accumulate(**{**good, **change})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Settings(((0.5, 0.5), (0.0, 0.0))), "without a zero"),
        (lambda: Settings(gamma=0.0), "`gamma`"),
        (lambda: Settings(tau=0.5), "`tau`"),
        (lambda: Settings(((0.3, 0.2), (0.2, 0.3)), tau=0.01), "product"),
        (lambda: Settings(biased_coins(0.01), tau=0.01), "rarest"),
        (lambda: biased_coins(1.0), "`q`"),
    ],
)
def test_bad_settings(make: object, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        make()  # type: ignore[operator]


def test_plain_data_and_words() -> None:
    plan = accumulate(10**6, 0.825, method="geat")
    data = json.loads(json.dumps(plan.to_dict()))
    assert data["adversary"] == "quantum side information"
    assert data["outputs"] == "AB"
    assert data["error"] == pytest.approx(3 * 2**-65)
    assert "quantum side information" in str(plan)
    run = plan.entropy(830_000)
    assert json.loads(json.dumps(run.to_dict()))["passed"] is True
    assert "reached" in str(run)
    with pytest.raises(ArgumentError, match="fixed by the plan"):
        plan.entropy(5, 10)
    with pytest.raises(ArgumentError, match="0 <= wins"):
        plan.entropy(10**6 + 1)
    assert isinstance(replace(plan, threshold=0.0), AccumulationPlan)
    assert pytest.approx((2 + 2**0.5) / 4) == MOST_WIN_RATE
