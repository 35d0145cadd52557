"""One function for all rates: the same numbers as the theorems', and what does not belong together."""

from __future__ import annotations

import json
import math

import pytest

from ebit.analysis.key_asymptotic import MOST_S, bb84_rate, binary_entropy, chsh_rate
from ebit.analysis.key_links import Link
from ebit.analysis.key_plan import PLANNED, plan_key
from ebit.analysis.key_rate_curves import rate_curves
from ebit.analysis.key_rates import PROTOCOLS, key_rate
from ebit.games import ArgumentError

ENDLESS = [p for p in PROTOCOLS if p != "decoy"]


@pytest.mark.parametrize("protocol", ENDLESS)
def test_endless_runs(protocol: str) -> None:
    found = key_rate(protocol, qber=0.02, signal_rate=1000.0)
    assert 0.3 < found.rate < 1
    assert found.key_per_second == pytest.approx(1000 * found.rate)
    assert found.key_bits is None
    assert found.threshold is not None
    assert key_rate(protocol, qber=found.threshold - 1e-5).rate > 0
    above = key_rate(protocol, qber=found.threshold + 1e-5)
    assert (above.rate, bool(above.reason)) == (0.0, True)
    json.dumps(found.to_dict(), allow_nan=False)
    assert found.assumptions
    assert found.not_given


def test_check_points() -> None:
    assert round(key_rate("bb84", qber=0.05).rate, 6) == 0.427206
    assert round(key_rate("six-state", qber=0.05).rate, 6) == 0.496816
    assert round(key_rate("conference", qber=0.02).rate, 3) == 0.717
    found = key_rate("diqkd", S=2.64, qber=0.018, rounds=1_500_000, test_fraction=0.05078125)
    assert found.key_bits is not None
    assert found.net_key_bits is not None
    assert abs(found.key_bits - 95_884) <= 5
    assert abs(found.net_key_bits - 95_628) <= 5


@pytest.mark.parametrize("protocol", PLANNED)
def test_finite_runs_are_the_plans(protocol: str) -> None:
    found = key_rate(protocol, qber=0.02, rounds=10**6, epsilon=1e-9, theorem="lim-2021")
    plan = plan_key(
        protocol, 10**6, qber=0.02, epsilon=1e-9, theorem="lim-2021", authentication_bits=256
    )
    assert found.key_bits == plan.length
    assert found.net_key_bits == plan.length - 256
    assert found.plan == plan.to_dict()
    assert found.epsilon == 1e-9
    assert found.epsilon_total == plan.epsilon_total
    assert sum(found.epsilons.values()) == pytest.approx(found.epsilon_total)
    json.dumps(found.to_dict(), allow_nan=False)


def test_short_runs_say_what_would_do() -> None:
    for found in (
        key_rate("bb84", qber=0.02, rounds=100),
        key_rate("diqkd", S=2.64, qber=0.018, rounds=100_000, test_fraction=0.06),
    ):
        assert found.key_bits == found.rate == 0
        assert found.rounds_needed is not None
        assert f"{found.rounds_needed:,} would do" in found.reason
        assert "no key" in str(found)


def test_white_noise_where_no_s_is_given() -> None:
    found = key_rate("diqkd", qber=0.03)
    assert found.S is not None
    assert abs(found.S - MOST_S * 0.94) < 1e-12
    assert found.rate == pytest.approx(chsh_rate(MOST_S * 0.94, 0.03))


def test_noise_and_asymmetry() -> None:
    assert key_rate("bb84", qber=0.1, noise=0.05).rate == pytest.approx(bb84_rate(0.1, noise=0.05))
    best = key_rate("diqkd", qber=0.08, noise="best", asymmetry="best")
    assert best.rate > key_rate("diqkd", qber=0.08, noise="best").rate > 0
    assert key_rate("diqkd", qber=0.08).rate == 0
    assert best.noise is not None
    assert 0.1 < best.noise < 0.5
    assert key_rate("bb84", qber=0.12, noise="best").threshold == pytest.approx(0.12412, abs=2e-5)


def test_reconciliation_costs() -> None:
    told = 0.1 * binary_entropy(0.03)
    assert key_rate("bb84", qber=0.03, f=1.1).rate == pytest.approx(bb84_rate(0.03) - told)


def test_over_fibre() -> None:
    for protocol in ("bb84", "bbm92", "decoy"):
        endless = key_rate(protocol, link=Link(25))
        finite = key_rate(protocol, link=Link(25), rounds=10**9)
        assert 0 < finite.rate < endless.rate
        assert finite.key_bits == pytest.approx(finite.rate * 1e9)
        assert endless.link is not None
        assert "no gate circuits" in " ".join(endless.not_given)
        assert "25 km" in str(endless)
        json.dumps(finite.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"protocol": "e92", "qber": 0.1}, "protocol must be one of bb84"),
        ({"protocol": "bb84"}, "qber must be given for bb84"),
        ({"protocol": "bb84", "qber": -0.1}, "between 0 and 0.5, but was -0.1"),
        ({"protocol": "bb84", "qber": 0.1, "S": 2.5}, "S belongs to e91, diqkd, not to bb84"),
        ({"protocol": "diqkd", "qber": 0.1, "S": 2.9}, "2 sqrt 2"),
        ({"protocol": "diqkd", "qber": 0.1, "theorem": "lim-2021"}, "theorem belongs to"),
        ({"protocol": "bb84", "qber": 0.1, "epsilon": 1e-9}, "epsilon is for finite runs"),
        ({"protocol": "bb84", "qber": 0.1, "rounds": 10, "epsilon": 2.0}, "`epsilon`"),
        ({"protocol": "bb84", "qber": 0.1, "rounds": 10, "noise": 0.1}, "noise is for endless"),
        ({"protocol": "bb84", "qber": 0.1, "rounds": 0}, "`rounds`"),
        ({"protocol": "bb84", "qber": 0.1, "noise": 0.7}, "noise must lie between 0 and 0.5"),
        ({"protocol": "bb84", "qber": 0.1, "noise": "much"}, 'a number or "best"'),
        ({"protocol": "diqkd", "qber": 0.1, "asymmetry": 0.0}, "asymmetry must lie"),
        ({"protocol": "bb84", "qber": 0.1, "f": 0.5}, "f must lie between 1 and 10"),
        ({"protocol": "bb84", "qber": 0.1, "signal_rate": -1.0}, "signal_rate must be above 0"),
        ({"protocol": "bb84", "qber": 0.1, "link": Link(1)}, "qber follows from the link"),
        ({"protocol": "decoy"}, "decoy needs a link"),
        ({"protocol": "decoy", "qber": 0.1}, "qber belongs to"),
        (
            {"protocol": "six-state", "link": Link(1)},
            r"a link \(km\) belongs to bb84, bbm92, decoy",
        ),
        ({"protocol": "conference", "qber": 0.1, "rounds": 10}, "rounds belongs to"),
        (
            {"protocol": "diqkd", "qber": 0.1, "rounds": 1000, "f": 1.1},
            "f is for endless runs of diqkd",
        ),
    ],
)
def test_refusals(call: dict[str, object], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        key_rate(**call)  # type: ignore[arg-type]


def test_curves_of_endless_runs() -> None:
    curves = rate_curves(key_rate("six-state", qber=0.05))
    assert curves.here == 0.05
    plain, noisy = curves.y
    assert all(b >= a - 1e-12 for a, b in zip(plain, noisy, strict=True))
    assert plain[curves.x.index(0.0)] == 1.0
    lines = curves.csv().splitlines()
    assert lines[0] == "error rate,no noise,best noise"
    assert len(lines) == 1 + len(curves.x)
    assert rate_curves(key_rate("conference", qber=0.05)).names == ("no noise",)


def test_curves_of_finite_runs() -> None:
    found = key_rate("bb84", qber=0.02, rounds=123_456)
    told: list[tuple[int, int]] = []
    curves = rate_curves(found, progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1]
    at = curves.x.index(123_456)
    assert curves.y[0][at] == pytest.approx(found.rate)
    assert all(row == tuple(sorted(row)) for row in curves.y)


def test_curves_over_fibre() -> None:
    link = Link(40, signal_rate=1e6)
    found = key_rate("bb84", link=link, rounds=10**9)
    curves = rate_curves(found, link=link)
    assert curves.names == ("endless run", "1,000,000,000 signals", "repeaterless bound")
    endless, finite, bound = curves.y
    for low, middle, high in zip(finite[1:], endless[1:], bound[1:], strict=True):
        assert low <= middle <= high
    json.dumps(curves.to_dict(), allow_nan=False)
    assert math.isfinite(sum(bound))


@pytest.mark.slow
def test_curves_of_device_independent_runs() -> None:
    found = key_rate("diqkd", S=2.64, qber=0.018, rounds=1_500_000)
    curves = rate_curves(found)
    assert curves.y[0][curves.x.index(1_500_000)] == pytest.approx(found.rate, rel=1e-3)
    assert list(curves.y[0]) == sorted(curves.y[0])
