"""The session test against its formula, exact values over all streams, and its own steps."""

from __future__ import annotations

import itertools
import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebit.analysis.watch_guarantee import watch_rates
from ebit.analysis.watch_session import SessionTest, session_log_e
from ebit.games import ArgumentError

GAMES = {"xz": 0.02, "xyz": 0.05, "chsh": 0.16, "mermin": 0.01}


@given(st.integers(0, 60), st.integers(0, 400), st.sampled_from(list(GAMES)))
@settings(deadline=None)
def test_the_e_process_in_exact_arithmetic(fails: int, passes: int, game: str) -> None:
    q0, rates = Fraction(GAMES[game]), watch_rates(game, GAMES[game])
    terms = [(Fraction(q) / q0) ** fails * ((1 - Fraction(q)) / (1 - q0)) ** passes for q in rates]
    wanted = sum(terms, Fraction(0)) / len(terms)
    found = session_log_e(fails, passes, GAMES[game], rates)
    assert found == pytest.approx(
        math.log(wanted.numerator) - math.log(wanted.denominator), abs=1e-11
    )


streams = st.builds(
    lambda seed, n, rate: np.random.default_rng(seed).random(n) >= rate,
    st.integers(0, 2**32),
    st.integers(0, 1000),
    st.sampled_from([0.0, 0.02, 0.04, 0.1, 0.26, 1.0]),
)


@given(streams, st.sampled_from(list(GAMES)), st.sampled_from([0.5, 0.05, 1e-6, 1e-100]))
@settings(deadline=None, max_examples=100)
def test_rows_packed_bits_and_steps_agree_with_the_formula(
    passed: np.ndarray, game: str, alpha: float
) -> None:
    q0 = GAMES[game]
    row, packed, steps = (SessionTest(game, q0, alpha=alpha) for _ in range(3))
    used = row.feed(passed)
    assert packed.feed_packed(np.packbits(passed), len(passed)) == used
    for good in passed:
        if steps.step(good):
            break
    assert row.state() == packed.state() == steps.state()
    fails = np.cumsum(~passed)
    rates, alarm = watch_rates(game, q0), None
    for i, (k, good) in enumerate(zip(fails.tolist(), passed.tolist(), strict=True), 1):
        if not good and session_log_e(k, i - k, q0, rates) >= -math.log(alpha):
            alarm = i
            break
    assert row.alarm_round == alarm
    assert used == row.rounds == (alarm or len(passed))
    again = SessionTest.from_state(json.loads(json.dumps(row.state())))
    assert again.state() == row.state()
    assert again.log_e == row.log_e


def test_it_resumes_in_the_middle_of_a_word() -> None:
    passed = np.random.default_rng(63).random(200_000) >= 0.024
    whole, cut, at = SessionTest("xz", 0.02, alpha=1e-30), SessionTest("xz", 0.02, alpha=1e-30), 0
    used = whole.feed(passed)
    for size in itertools.cycle((1, 63, 64, 65, 1000, 7777)):
        at += cut.feed(passed[at : min(at + size, used)])
        cut = SessionTest.from_state(cut.state())
        if at >= used:
            break
    assert cut.state() == whole.state()


@pytest.mark.parametrize("game", GAMES)
def test_its_mean_is_one_over_all_streams(game: str) -> None:
    n, q0 = 12, GAMES[game]
    rates = watch_rates(game, q0)
    total = math.fsum(
        math.comb(n, k) * q0**k * (1 - q0) ** (n - k) * math.exp(session_log_e(k, n - k, q0, rates))
        for k in range(n + 1)
    )
    assert total == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.01])
def test_an_honest_session_hardly_ever_alarms(alpha: float) -> None:
    """P(alarm within n), exactly: the chance of each number of fails, those with an alarm removed."""
    q0, n = 0.1, 4000
    rates = watch_rates("xz", q0)
    alive, alarmed = np.zeros(n + 1), 0.0
    alive[0] = 1.0
    least = 0  # fails that raise the alarm now; it never falls
    for i in range(1, n + 1):
        alive[1:] = alive[1:] * (1 - q0) + alive[:-1] * q0
        alive[0] *= 1 - q0
        while session_log_e(least, i - least, q0, rates) < -math.log(alpha) and least < i:
            least += 1
        if session_log_e(least, i - least, q0, rates) >= -math.log(alpha):
            alarmed += alive[least:].sum()
            alive[least:] = 0
    assert alarmed + alive.sum() == pytest.approx(1)
    assert alpha / 10 < alarmed <= alpha
    rng = np.random.default_rng(64)
    runs = 1500
    seen = 0
    for _ in range(runs):
        session = SessionTest("xz", q0, alpha=alpha)
        session.feed(rng.random(n) >= q0)
        seen += session.alarm
    assert abs(seen - runs * alarmed) < 4.5 * math.sqrt(runs * alarmed) + 1


def test_evidence_of_a_week_does_not_underflow() -> None:
    session = SessionTest("xz", 0.02, alpha=1e-6)
    packed = np.full(1 << 20, 0xFF, np.uint8)
    for _ in range(3):
        session.feed_packed(packed)
    assert session.log_e == pytest.approx(3 * 2**23 * math.log((1 - 0.0275) / 0.98) - math.log(6))
    state = {**session.state(), "passes": 10**9, "fails": 2 * 10**7}
    assert -math.inf < SessionTest.from_state(state).log_e < -1e5


def test_it_ends_at_the_alarm_and_refuses_what_is_no_round() -> None:
    session = SessionTest("xz", 0.02, alpha=0.01)
    for bad in ([2], [math.nan], [[1]], ["1"]):
        with pytest.raises(ArgumentError, match="passed"):
            session.feed(bad)
    with pytest.raises(ArgumentError, match="0 or 1"):
        session.step(math.nan)
    assert session.rounds == 0
    assert session.feed(np.zeros(100, np.uint8)) < 10
    assert session.fails == session.rounds == session.alarm_round
    for more in (lambda: session.feed([1]), lambda: session.step(1)):
        with pytest.raises(ArgumentError, match="next session"):
            more()


@pytest.mark.parametrize(
    "change",
    [
        {"format": "x"},
        {"passes": -1},
        {"fails": "x"},
        {"alarm_round": 99},
        {"alpha": 0},
        {"q0": None},
    ],
)
def test_a_damaged_state_is_refused(change: dict[str, object]) -> None:
    session = SessionTest("xz", 0.02, alpha=0.01)
    session.feed([1, 0, 1])
    with pytest.raises(ArgumentError):
        SessionTest.from_state({**session.state(), **change})
