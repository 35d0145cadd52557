"""Calibration: the confidence sequence against its definition and its promise; links that are refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from ebit.analysis.watch_calibration import (
    WATCH_GAMES,
    calibrate,
    check_watchable,
    rate_limits,
    watch_game,
)
from ebit.games import ArgumentError, game


def log_ratio(k: int, n: int, p: float) -> float:
    """ln of B(1/2 + k, 1/2 + n - k) / (B(1/2, 1/2) p^k (1-p)^(n-k)), as the definition has it."""
    return float(
        special.betaln(0.5 + k, 0.5 + n - k)
        - special.betaln(0.5, 0.5)
        - special.xlogy(k, p)
        - special.xlog1py(n - k, -p)
    )


@given(st.integers(1, 100_000), st.floats(0, 1), st.sampled_from([0.3, 0.05, 1e-3, 1e-9]))
@settings(deadline=None)
def test_limits_solve_the_definition(n: int, share: float, alpha: float) -> None:
    k = round(share * n)
    low, high = rate_limits(k, n, alpha=alpha)
    assert 0 <= low <= k / n <= high <= 1
    for limit in (low, high):
        if 0 < limit < 1:
            tolerance = 1e-7 * (1 + n) if limit > 1 - 1e-12 else 1e-6
            assert log_ratio(k, n, limit) == pytest.approx(-math.log(alpha), abs=tolerance)


def test_limits_of_the_extremes() -> None:
    assert rate_limits(0, 0, alpha=0.01) == (0.0, 1.0)
    low, high = rate_limits(0, 1000, alpha=0.01)
    assert low == 0
    # no failed round: (1-p)^n = alpha B(1/2, n + 1/2) / pi
    wanted = 0.01 * math.exp(special.betaln(0.5, 1000.5)) / math.pi
    assert (1 - high) ** 1000 == pytest.approx(wanted, rel=1e-9)
    assert rate_limits(1000, 1000, alpha=0.01)[1] == 1
    assert rate_limits(1000, 1000, alpha=0.01)[0] == pytest.approx(1 - high, rel=1e-9)


def test_limits_at_a_week_of_rounds() -> None:
    n, k = 10**9, 20_000_000
    low, high = rate_limits(k, n, alpha=1e-3)
    # half a nat of p's own scale: width^2 / 2 p q = (ln 1/alpha + ln(pi n / 2) / 2 ...) / n
    wanted = math.sqrt(2 * 0.02 * 0.98 / n * (math.log(1e3) + 0.5 * math.log(math.pi * n / 2)))
    assert high - 0.02 == pytest.approx(wanted, rel=1e-3)
    assert 0.02 - low == pytest.approx(wanted, rel=1e-3)


def test_the_upper_limit_is_hardly_ever_below_the_rate_at_any_time() -> None:
    rng = np.random.default_rng(61)
    p, alpha, runs, n = 0.03, 0.05, 4000, 3000
    fails = (rng.random((runs, n)) < p).cumsum(axis=1)
    rounds = np.arange(1, n + 1)
    logs = (
        special.betaln(0.5 + fails, 0.5 + rounds - fails)
        - math.log(math.pi)
        - fails * math.log(p)
        - (rounds - fails) * math.log1p(-p)
    )
    left_out = (logs >= -math.log(alpha)).any(axis=1)
    assert left_out.mean() < alpha
    assert left_out.any()
    run = int(np.flatnonzero(left_out)[0])  # the function says the same as the ratio
    at = int(np.flatnonzero(logs[run] >= -math.log(alpha))[0])
    low, high = rate_limits(int(fails[run, at]), at + 1, alpha=alpha)
    assert not low < p < high


@pytest.mark.parametrize(
    ("name", "fails", "refused"),
    [
        ("xz", 260, True),
        ("xz", 20, False),
        ("xyz", 300, True),
        ("xyz", 250, False),
        ("chsh", 240, True),
        ("chsh", 160, False),
        ("mermin", 250, True),
        ("mermin", 100, False),
    ],
)
def test_a_link_that_is_no_better_than_the_floor_is_refused(
    name: str, fails: int, refused: bool
) -> None:
    if refused:
        with pytest.raises(ArgumentError, match=r"refused: \d+ of 1000 rounds.*nothing to watch"):
            calibrate(fails, 1000, game=name)
    else:
        calibration = calibrate(fails, 1000, game=name)
        assert calibration.rate < calibration.q0 < 1 - watch_game(name).floor
        assert check_watchable(name, calibration.q0) == calibration.q0
        assert json.loads(json.dumps(calibration.to_dict()))["q0"] == calibration.q0
        assert f"{fails} of 1000 rounds failed" in str(calibration)


def test_too_few_rounds_and_a_bad_link_are_told_apart() -> None:
    with pytest.raises(ArgumentError, match="calibrate with more rounds"):
        calibrate(0, 3, game="xz")
    with pytest.raises(ArgumentError, match="improve the link"):
        calibrate(300, 1000, game="xz")


def test_a_higher_floor_counts_and_a_lower_one_does_not_exist() -> None:
    calibrate(150, 1000, game="xz")
    with pytest.raises(ArgumentError, match=r"0\.146447 needs no"):
        calibrate(150, 1000, game="xz", floor=0.5 + math.sqrt(0.125))
    with pytest.raises(ArgumentError, match=r"floor.*at least 0\.75"):
        calibrate(150, 1000, game="xz", floor=0.7)


@pytest.mark.parametrize("bad", [math.nan, 0.0, 1.0, -0.1, 2.0])
def test_numbers_that_are_none_are_refused(bad: float) -> None:
    with pytest.raises(ArgumentError):
        check_watchable("xz", bad)
    with pytest.raises(ArgumentError):
        rate_limits(1, 10, alpha=bad)
    with pytest.raises(ArgumentError):
        rate_limits(11, 10, alpha=0.1)
    with pytest.raises(ArgumentError, match="game"):
        watch_game("poker")


def test_a_game_of_ones_own_is_refused_since_a_saved_state_could_not_name_it() -> None:
    assert watch_game(WATCH_GAMES["xz"]) is WATCH_GAMES["xz"]
    with pytest.raises(ArgumentError, match="game"):
        watch_game(replace(WATCH_GAMES["xz"], reach=0.5))


def test_floors_are_those_of_the_games() -> None:
    assert game("chsh").local_value() == watch_game("chsh").floor
    assert watch_game("chsh").honest == pytest.approx(game("chsh").quantum_value)
    # a product state in Z or X: at best a state half way, cos^2(pi/8) for each side's outcome
    best = max(
        0.5 + 0.25 * (math.cos(a) * math.cos(b) + math.sin(a) * math.sin(b))
        for a in np.linspace(0, np.pi, 19)
        for b in np.linspace(0, np.pi, 19)
    )
    assert best == pytest.approx(watch_game("xz").floor)
    assert watch_game("chsh").reach == pytest.approx(0.5 + math.sqrt(2) / 8)
    assert {g.name for g in WATCH_GAMES.values()} == set(WATCH_GAMES)


@pytest.mark.parametrize(("name", "q"), [("xz", 0.26), ("xyz", 0.34), ("mermin", 0.25)])
def test_the_strongest_alternative(name: str, q: float) -> None:
    assert watch_game(name).alternative(0.02, 1.0) == pytest.approx(q)
    assert watch_game(name).alternative(0.02, 1e-9) == pytest.approx(0.02)
