"""What settings cost, when randomness expands, and rounds needed by method."""

from __future__ import annotations

import json
import math

import pytest

from ebit.analysis.accumulation_cost import net_bits, plan_expansion, settings_bits
from ebit.analysis.accumulation_score import Settings, biased_coins
from ebit.analysis.entropy_plan import (
    PlanningMethod,
    accumulation_methods,
    entropy_curves,
    plan_entropy,
)
from ebit.games import ArgumentError


def h(p: float) -> float:
    return -p * math.log2(p) - (1 - p) * math.log2(1 - p)


def test_cost_of_settings() -> None:
    assert settings_bits(Settings()) == 2
    for gamma in (0.3, 0.01):
        assert settings_bits(Settings(gamma=gamma)) == pytest.approx(h(gamma) + 2 * gamma)
    for q in (0.5, 0.1):
        assert settings_bits(Settings(biased_coins(q))) == pytest.approx(2 * h(q))


def test_net_bits() -> None:
    net = net_bits(1000.5, 100, Settings(), epsilon_hash=2**-20, seed_bits=50)
    assert (net.output_bits, net.settings_bits, net.net_bits) == (962, 200, 712)
    assert net_bits(3, 100).output_bits == 0
    assert net_bits(3, 100).to_dict()["net_bits"] == -200
    with pytest.raises(ArgumentError, match="`seed_bits`"):
        net_bits(3, 100, seed_bits=-1)


def test_expansion() -> None:
    found = plan_expansion(2.7, gammas=(0.02, 0.005))
    assert found.rounds is not None
    assert found.net_bits is not None
    assert 1e5 < found.rounds < 1e8
    assert found.net_bits > 0
    assert "never with fair settings" in str(found)
    never = plan_expansion(2.05, gammas=(0.5,))
    assert never.rounds is None
    assert "no expansion" in str(never)
    json.dumps([found.to_dict(), never.to_dict()])


def test_rounds_needed() -> None:
    plan = plan_entropy(2.6, 50_000)
    rounds = [row.rounds for row in plan.rows]
    assert [row.method for row in plan.rows] == ["pef", "renyi", "geat", "eat"]
    assert None not in rounds
    assert rounds == sorted(rounds)  # type: ignore[type-var]
    assert all(row.bits is not None and row.bits >= 50_000 for row in plan.rows)
    assert [row.adversary.split()[0] for row in plan.rows] == ["classical", *["quantum"] * 3]
    # 2 bits of settings a round: more goes in than comes out.
    assert all(row.net_bits is not None and row.net_bits < 0 for row in plan.rows)
    text = str(plan)
    assert "classical side information" in text
    assert "net bits" in text
    assert json.loads(json.dumps(plan.to_dict()))["rows"][0]["method"] == "pef"
    more = plan_entropy(2.6, 60_000, accumulation_methods(("geat",)))
    better = plan_entropy(2.65, 50_000, accumulation_methods(("geat",)))
    assert better.rows[0].rounds < rounds[2] < more.rows[0].rounds  # type: ignore[operator]


def test_another_method_plugs_in() -> None:
    linear = PlanningMethod("linear", "classical side information", lambda S, n, e: 0.5 * n - 100)
    hopeless = PlanningMethod("none", "anybody", lambda S, n, e: -1.0)
    plan = plan_entropy(2.5, 400, (linear, hopeless))
    assert plan.rows[0].rounds == 1000
    assert plan.rows[1].rounds is None
    assert "> 1e12" in str(plan)
    curves = entropy_curves(2.5, (100, 1000), (linear, hopeless))
    assert curves.rates == ((0.0, 0.4), (0.0, 0.0))
    assert json.loads(json.dumps(curves.to_dict()))["adversaries"][1] == "anybody"


@pytest.mark.parametrize(
    ("S", "bits", "epsilon", "words"),
    [
        (2.0, 10, 0.1, "`S`"),
        (2.9, 10, 0.1, "2.828427"),
        (2.5, 0, 0.1, "`bits`"),
        (2.5, 1, 1, "eps"),
    ],
)
def test_refused(S: float, bits: float, epsilon: float, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        plan_entropy(S, bits, epsilon=epsilon)
