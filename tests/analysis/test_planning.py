"""Planning: the table of formulas section 1, and exact power by a second route."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ebit.analysis.planning import divergence, rounds_for_evidence, rounds_for_p
from ebit.games import ArgumentError

ROOT = math.sqrt(2)


@pytest.mark.parametrize(
    ("floor", "wins", "published"),
    [
        # Formulas section 1: rounds for 10^6 : 1 at v = 1, .95, .9.
        (3 / 4, lambda v: (1 + v) / 2, (49, 70, 96)),  # Z/X both sides trusted; GHZ local
        (2 / 3, lambda v: (1 + v) / 2, (35, 46, 58)),  # XYZ
        (0.5 + 1 / (2 * math.sqrt(3)), lambda v: (1 + v) / 2, (59, 91, 132)),  # XYZ, one side
        (3 / 4, lambda v: 0.5 + v * ROOT / 4, (431, 642, 1039)),  # CHSH, local
    ],
)
def test_rounds_for_a_million(floor: float, wins: object, published: tuple[int, int, int]) -> None:
    assert callable(wins)
    for v, rounds in zip((1, 0.95, 0.9), published, strict=True):
        best, mixture = rounds_for_evidence(wins(v), floor, 1e6)
        assert abs(best - rounds) <= 1
        assert best < mixture < 1.25 * best


def test_magic_square_and_rates_per_round() -> None:
    # Formulas section 1: magic square 118 at pass 1; D in bits .046274, .415037, .169925.
    assert abs(rounds_for_evidence(1.0, 8 / 9, 1e6)[0] - 118) <= 1
    assert divergence((2 + ROOT) / 4, 0.75) / math.log(2) == pytest.approx(0.046274, abs=5e-7)
    assert divergence(1.0, 0.75) / math.log(2) == pytest.approx(0.415037, abs=5e-7)
    assert divergence(1.0, 8 / 9) / math.log(2) == pytest.approx(0.169925, abs=5e-7)
    assert rounds_for_evidence((2 + ROOT) / 4, 0.75, 1e6)[0] == pytest.approx(430.7, abs=0.05)


@pytest.mark.parametrize("p", [1.0, 0.95, (2 + ROOT) / 4])
@pytest.mark.parametrize(("p_value", "power"), [(0.05, 0.9), (1e-6, 0.9), (1e-3, 0.5)])
def test_rounds_for_p_are_the_fewest(p: float, p_value: float, power: float) -> None:
    found = rounds_for_p(p, 0.75, p_value=p_value, power=power)
    n = np.arange(1, found + 1)
    # Second route: scipy's quantile gives the fewest wins that reach the p-value.
    fewest = stats.binom.isf(p_value, n, 0.75) + 1
    fewest -= stats.binom.sf(fewest - 2, n, 0.75) <= p_value
    reached = stats.binom.sf(fewest - 1, n, p) >= power
    assert reached[-1]
    assert not reached[:-1].any()


def test_power_in_simulation() -> None:
    p, p_value = 0.83, 1e-4
    n = rounds_for_p(p, 0.75, p_value=p_value, power=0.9)
    wins = np.random.default_rng(1).binomial(n, p, 2000)
    rate = np.mean(stats.binom.sf(wins - 1, n, 0.75) <= p_value)
    assert rate >= 0.9 - 3 * math.sqrt(0.09 / 2000)


def test_weak_violations_plan_large_runs() -> None:
    n = rounds_for_p(0.7504, 0.75, p_value=1e-6, power=0.9)
    normal = (4.7534 + 1.2816) ** 2 * 0.1875 / 0.0004**2
    assert n == pytest.approx(normal, rel=0.01)


def test_nothing_to_plan_is_said() -> None:
    with pytest.raises(ArgumentError, match="above"):
        rounds_for_p(0.75, 0.75)
    with pytest.raises(ArgumentError, match="nothing"):
        rounds_for_evidence(0.9, 1.0)
    with pytest.raises(ArgumentError, match="evidence"):
        rounds_for_evidence(0.9, 0.75, 0.5)
    with pytest.raises(ArgumentError, match="power"):
        rounds_for_p(0.9, 0.75, power=1.0)
    with pytest.raises(ArgumentError, match="p_value"):
        rounds_for_p(0.9, 0.75, p_value=0.0)
