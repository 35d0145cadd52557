"""Devices that cheat: what they leave uncertain is never less than what passing them certifies.

A device plays each round either by fixed answers that win 3/4, or honestly at Tsirelson's bound; the
adversary knows which. Given all settings, an honest round has the distribution w/2, w/2, (1-w)/2,
(1-w)/2 over the four answers, and a fixed one none, so everything is known in closed form.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ebit.analysis.accumulation import Method, accumulate
from ebit.analysis.accumulation_plan import AccumulationPlan

BEST = (2 + math.sqrt(2)) / 4
EPSILON = 0.05
METHODS: tuple[Method, ...] = ("eat", "geat", "renyi-one", "renyi")
# Enough rounds for each method to certify something.
ROUNDS = {"eat": 30_000, "geat": 30_000, "renyi-one": 4000, "renyi": 4000}


@pytest.fixture(scope="module", params=METHODS)
def plan(request: pytest.FixtureRequest) -> AccumulationPlan:
    found = accumulate(
        ROUNDS[request.param],
        0.84,
        method=request.param,
        epsilon=EPSILON,
        completeness=0.9,
        resolution=0.02,
    )
    assert found.bits > 0.1 * found.n
    return found


def fewest_wins(plan: AccumulationPlan) -> int:
    lost, won = plan.scores[0]
    return round((plan.threshold - lost) / (won - lost) * plan.n)


def passing(plan: AccumulationPlan, honest: int) -> float:
    """Chance to reach the threshold with so many honest rounds, exact."""
    first = stats.binom.pmf(np.arange(honest + 1), honest, BEST)
    rest = stats.binom.sf(fewest_wins(plan) - np.arange(honest + 1) - 1, plan.n - honest, 0.75)
    return float(first @ rest)


def most_entropy(plan: AccumulationPlan, honest: int, chance: float) -> float:
    """An upper limit of the smooth min-entropy given that the device passed.

    Answers whose surprise is at most s have probability above 1 - d, so at least 1 - d / chance of
    what passes. A state within epsilon (in trace distance too) keeps weight 1 - d / chance - epsilon
    on at most 2^s answers, so one of them has at least 2^-s times that.
    """
    losses = float(stats.binom.isf(0.1 * chance, honest, 1 - BEST))
    surprise = -honest * math.log2(BEST / 2) + losses * math.log2(BEST / (1 - BEST))
    return surprise - math.log2(1 - 0.1 - EPSILON)


def test_cheap_devices_hardly_ever_pass(plan: AccumulationPlan) -> None:
    """Every share of honest rounds: too little entropy means too small a chance to pass."""
    caught = 0
    for honest in np.linspace(0, plan.n, 41).astype(int):
        chance = passing(plan, int(honest))
        if chance > 0 and most_entropy(plan, int(honest), chance) < plan.bits:
            assert chance <= EPSILON
            caught += 1
    assert caught > 3


def test_passing_devices_hold_what_is_certified(plan: AccumulationPlan) -> None:
    """The fewest honest rounds that pass with chance epsilon: even H_min of them is enough.

    H_min of a passing run is at least that of the honest answers, log2(2/w) each, less what is known
    from passing.
    """
    low, high = 0, plan.n
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if passing(plan, middle) >= EPSILON else (middle, high)
    least = -high * math.log2(BEST / 2) + math.log2(EPSILON)
    assert plan.bits <= least


def test_ten_thousand_dishonest_runs(plan: AccumulationPlan) -> None:
    """Local devices, fixed and adaptive, certify nothing more often than epsilon."""
    rng = np.random.default_rng(11)
    runs = 10_000
    scores = rng.binomial(plan.n, 0.75, runs)
    wins = fewest_wins(plan)
    false = float(np.mean(scores >= wins))
    assert false <= EPSILON + 3 * math.sqrt(EPSILON * (1 - EPSILON) / runs)
    # One that stops being honest once the wins in hand are enough on average at 3/4.
    honest = int(0.6 * plan.n)
    adaptive = rng.binomial(honest, BEST, runs) + rng.binomial(plan.n - honest, 0.75, runs)
    passed = float(np.mean(adaptive >= wins))
    assert passed == pytest.approx(passing(plan, honest), abs=0.02)
    if most_entropy(plan, honest, max(passed, 1e-9)) < plan.bits:
        assert passed <= EPSILON + 3 * math.sqrt(EPSILON * (1 - EPSILON) / runs)
    run = plan.entropy(int(scores.max()))
    assert run.bits == (plan.bits if scores.max() >= wins else 0.0)
