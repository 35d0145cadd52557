"""What the watch promises, by seeded simulation: delays against known figures, and false alarms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ebit.analysis.watch_calibration import calibrate, watch_game
from ebit.analysis.watch_delay import DelayEstimate, simulate_delay
from ebit.analysis.watch_detector import ChangeDetector
from ebit.analysis.watch_session import SessionTest
from ebit.games import ArgumentError

# q0, intercepted fraction: ln(c) / D, and mean delays at c = 10^6 of the mixture e-process and of the
# Shiryaev-Roberts mixture with the change at round 300, from a simulation that was not this one.
FIGURES = [
    (0.01, 1.0, 22.5, 26.9, 22.5),
    (0.02, 1.0, 30.1, 35.7, 29.5),
    (0.02, 0.25, 261.8, 297.3, 200.6),
    (0.02, 0.1, 1257.0, 1415.0, 800.0),
]


@pytest.mark.slow
@pytest.mark.parametrize(("q0", "f", "least", "session", "change"), FIGURES)
def test_delays_are_those_of_the_mixture(
    q0: float, f: float, least: float, session: float, change: float
) -> None:
    rng = np.random.default_rng(67)
    q = watch_game("xz").alternative(q0, f)
    found = simulate_delay("xz", q0, q, c=1e6, rng=rng, runs=10_000, detector="session")
    assert found.bound == pytest.approx(least, rel=3e-3)
    assert 0.95 * session < found.mean < 1.05 * session
    assert found.mean > found.bound  # the bound of a test from the start
    found = simulate_delay("xz", q0, q, c=1e6, rng=rng, change=300, runs=10_000)
    assert 0.95 * change < found.mean < 1.05 * change
    assert found.error < 0.02 * found.mean
    assert found.false_alarms < 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("game", "q0", "q"),
    [
        ("xyz", 0.02, 0.34),
        ("xyz", 0.02, 0.1),
        ("chsh", 0.16, 0.25),
        ("chsh", 0.16, 0.32),
        ("mermin", 0.05, 0.25),
        ("mermin", 0.05, 0.1),
    ],
)
def test_delays_in_other_games_are_near_the_bound(game: str, q0: float, q: float) -> None:
    """A mixture pays ln(6) at most over its best bet, and the grid loses a little between bets."""
    rng = np.random.default_rng(68)
    found = simulate_delay(game, q0, q, c=1e6, rng=rng, detector="session")
    best = found.bound * (1 + math.log(6) / math.log(1e6))
    assert found.bound < found.mean < 1.2 * best
    change = simulate_delay(game, q0, q, c=1e6, rng=rng, change=300)
    assert change.mean < found.mean


@pytest.mark.slow
@pytest.mark.parametrize(("game", "q0"), [("xz", 0.02), ("chsh", 0.16), ("xyz", 0.05)])
def test_false_alarms_at_c_200(game: str, q0: float) -> None:
    rng = np.random.default_rng(69)
    runs, c = 10_000, 200.0
    when = np.empty(runs)
    for i in range(runs):
        detector, used = ChangeDetector(game, q0, c=c), 0
        while not detector.alarm:
            used += detector.feed(rng.random(500) >= q0)
        when[i] = used
    error = when.std() / math.sqrt(runs)
    assert when.mean() - 4 * error > c  # fewer than promised by far more than chance
    for n in (10, 50, 100, 150):
        share = float((when <= n).mean())
        assert share <= n / c
        assert ChangeDetector(game, q0, c=c).guarantee.false_alarm(n) == n / c
    # E[R at the stop] = E[rounds]: evidence overshoots c by at most the largest factor of a round.
    assert when.mean() < c * 0.34 / q0 + c


@pytest.mark.slow
@pytest.mark.parametrize(("game", "q0"), [("xz", 0.02), ("mermin", 0.05)])
def test_false_alarms_within_a_horizon(game: str, q0: float) -> None:
    rng = np.random.default_rng(70)
    runs, horizon, alpha = 10_000, 2000, 0.05
    alarms = 0
    for _ in range(runs):
        detector = ChangeDetector(game, q0, horizon=horizon, alpha=alpha)
        detector.feed(rng.random(horizon) >= q0)
        alarms += detector.alarm
    assert 0 < alarms <= alpha * runs


@pytest.mark.slow
def test_false_alarms_of_sessions() -> None:
    rng = np.random.default_rng(71)
    runs, alpha = 10_000, 0.05
    alarms = 0
    for _ in range(runs):
        session = SessionTest("xz", 0.02, alpha=alpha)
        session.feed(rng.random(3000) >= 0.02)
        alarms += session.alarm
    assert 0 < alarms <= alpha * runs


@pytest.mark.slow
def test_false_alarms_with_a_calibrated_limit_and_rates_that_depend_on_the_past() -> None:
    """q0 from 5,000 rounds; then a device whose rate goes up and down with the past, below .02."""
    rng = np.random.default_rng(72)
    runs, horizon, alpha = 1000, 1000, 0.05
    alarms = 0
    for _ in range(runs):
        fails = int(rng.binomial(5000, 0.02))
        q0 = calibrate(fails, 5000, game="xz", alpha=0.01).q0
        detector = ChangeDetector("xz", q0, horizon=horizon, alpha=alpha)
        draws, failed = rng.random(horizon).tolist(), False
        for u in draws:
            failed = u < (0.02 if failed else 0.018)
            if detector.step(not failed):
                break
        alarms += detector.alarm
    assert alarms <= (alpha + 0.01) * runs


def test_a_delay_can_be_asked_for() -> None:
    rng = np.random.default_rng(73)
    found = simulate_delay("xyz", 0.02, 0.34, c=1e6, rng=rng, runs=100, change=100)
    assert isinstance(found, DelayEstimate)
    assert 12 < found.mean < 30
    assert 0 < found.error < 3
    assert found.to_dict()["runs"] == 100
    assert "noticed after" in str(found)
    again = simulate_delay(
        "xyz", 0.02, 0.34, c=1e6, rng=np.random.default_rng(73), runs=100, change=100
    )
    assert again == found


def test_delays_that_cannot_be_had() -> None:
    rng = np.random.default_rng(74)
    for bad in (0.02, 0.01, math.nan, 1.5):
        with pytest.raises(ArgumentError, match="`q`"):
            simulate_delay("xz", 0.02, bad, c=1e6, rng=rng)
    with pytest.raises(ArgumentError, match="detector"):
        simulate_delay("xz", 0.02, 0.2, c=1e6, rng=rng, detector="nose")
    with pytest.raises(ArgumentError, match="false alarm"):
        simulate_delay("xz", 0.02, 0.2, c=2.0, rng=rng, change=100_000, runs=1)
