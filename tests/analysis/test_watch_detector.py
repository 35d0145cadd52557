"""The change detector against the plain recursion and against exact values over all streams."""

from __future__ import annotations

import itertools
import json
import math
import os
import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebit.analysis.watch_detector import ChangeDetector
from ebit.analysis.watch_guarantee import FRACTIONS, change_guarantee, watch_rates
from ebit.games import ArgumentError

Rounds = npt.NDArray[np.bool_]
GAMES = {"xz": 0.02, "xyz": 0.05, "chsh": 0.16, "mermin": 0.01}


def plain(
    passed: Rounds, q0: float, rates: tuple[float, ...], c: float
) -> tuple[int | None, list[float]]:
    """R_j <- (R_j + 1) e_j, round by round, up to the alarm."""
    held = [0.0] * len(rates)
    for i, good in enumerate(passed, 1):
        held = [
            (r + 1) * ((1 - q) / (1 - q0) if good else q / q0)
            for r, q in zip(held, rates, strict=True)
        ]
        if sum(held) / len(held) >= c:
            return i, held
    return None, held


streams = st.builds(
    lambda seed, n, rate: np.random.default_rng(seed).random(n) >= rate,
    st.integers(0, 2**32),
    st.integers(0, 1500),
    st.sampled_from([0.0, 0.001, 0.02, 0.1, 0.25, 0.5, 1.0]),
)


@given(streams, st.sampled_from(list(GAMES)), st.sampled_from([2.0, 20.0, 200.0, 1e6, 1e30, 1e200]))
@settings(deadline=None, max_examples=150)
def test_it_is_the_plain_recursion(passed: Rounds, game: str, c: float) -> None:
    detector = ChangeDetector(game, GAMES[game], c=c)
    used = detector.feed(passed)
    alarm, held = plain(passed, GAMES[game], watch_rates(game, GAMES[game]), c)
    assert detector.alarm_round == alarm
    assert used == detector.rounds == (len(passed) if alarm is None else alarm)
    assert detector.fails == np.count_nonzero(~passed[:used])
    assert detector.components == pytest.approx(held, rel=1e-12)
    assert detector.evidence == pytest.approx(math.fsum(held) / len(held), rel=1e-12)
    assert (detector.evidence >= c) == detector.alarm


@given(streams, st.sampled_from(list(GAMES)), st.sampled_from([3.0, 100.0, 1e6]), st.data())
@settings(deadline=None, max_examples=100)
def test_the_state_does_not_depend_on_how_the_stream_was_cut(
    passed: Rounds, game: str, c: float, data: st.DataObject
) -> None:
    whole = ChangeDetector(game, GAMES[game], c=c)
    used = whole.feed(passed)
    cut, at = ChangeDetector(game, GAMES[game], c=c), 0
    while at < used:
        size = data.draw(st.sampled_from([1, 2, 7, 63, 64, 65, 300, 1000]))
        kind = data.draw(st.sampled_from(["step", "feed", "packed", "resume", "look"]))
        piece = passed[at : at + size]
        if kind == "step":
            for good in piece:
                at += 1
                if cut.step(good):
                    break
            continue
        if kind == "resume":
            cut = ChangeDetector.from_state(json.loads(json.dumps(cut.state())))
        elif kind == "look":
            assert cut.rounds == at
            assert cut.evidence >= 0
        elif kind == "packed":
            at += cut.feed_packed(np.packbits(piece), len(piece))
        else:
            at += cut.feed(piece)
    assert cut.state() == whole.state()  # floats to the last bit


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("below", [1.0, 0.5])
def test_mean_evidence_is_the_number_of_rounds(game: str, below: float) -> None:
    """E[mean R_n] = n where rounds fail with probability q0, and less below: over all streams."""
    n, q0 = 10, GAMES[game]
    p, total = q0 * below, 0.0
    for bits in itertools.product((0, 1), repeat=n):
        detector = ChangeDetector(game, q0, c=1e100)
        detector.feed(bits)
        total += detector.evidence * p ** (n - sum(bits)) * (1 - p) ** sum(bits)
    assert total == pytest.approx(n, rel=1e-12) if below == 1 else total < n


@pytest.mark.parametrize(("game", "c"), [("xz", 5.0), ("chsh", 3.0), ("xyz", 12.0)])
def test_stopped_streams_keep_the_promise_exactly(game: str, c: float) -> None:
    """E[R at the stop] = E[rounds to it], and P(alarm within n) <= n / c: over all streams."""
    n, q0 = 12, GAMES[game]
    reached = rounds = alarms = 0.0
    for bits in itertools.product((0, 1), repeat=n):
        detector = ChangeDetector(game, q0, c=c)
        used = detector.feed(bits)
        chance = math.prod(1 - q0 if bit else q0 for bit in bits)
        reached, rounds = reached + chance * detector.evidence, rounds + chance * used
        alarms += chance * detector.alarm
        assert not detector.alarm or detector.evidence >= c
    assert reached == pytest.approx(rounds, rel=1e-12)
    assert 0 < alarms <= n / c


def test_a_long_run_of_passed_rounds_comes_to_its_fixed_point() -> None:
    detector = ChangeDetector("xz", 0.02, c=1e6)
    assert detector.feed(np.ones(1_000_000, np.uint8)) == 1_000_000
    down = [(1 - q) / 0.98 for q in detector.rates]
    assert detector.components == pytest.approx([a / (1 - a) for a in down], rel=1e-12)
    stepped = ChangeDetector("xz", 0.02, c=1e6)
    for _ in range(10_000):
        stepped.step(True)
    assert stepped.components == pytest.approx(detector.components, rel=1e-12)
    assert not stepped.alarm


def test_it_stops_at_the_alarm_and_begins_anew() -> None:
    rng = np.random.default_rng(62)
    detector = ChangeDetector("xz", 0.02, horizon=1000, alpha=0.01)
    assert detector.guarantee.c == pytest.approx(1e5)
    detector.feed(rng.random(500) >= 0.01)
    used = detector.feed(rng.random(500) >= 0.26)
    assert used < 100
    assert detector.alarm_round == detector.rounds == 500 + used
    state = detector.state()
    for more in (lambda: detector.feed([1]), lambda: detector.step(1), lambda: detector.step(0)):
        with pytest.raises(ArgumentError, match=r"raised at round .*restart"):
            more()
    with pytest.raises(ArgumentError, match="restart"):
        detector.feed_packed(np.zeros(1, np.uint8))
    with pytest.raises(ArgumentError, match="restart"):
        ChangeDetector.from_state(state).step(True)
    assert detector.state() == state
    detector.restart()
    assert not detector.alarm
    assert detector.evidence == 0
    assert detector.rounds == 500 + used
    fresh = ChangeDetector("xz", 0.02, horizon=1000, alpha=0.01)
    later = rng.random(300) >= 0.26
    assert detector.feed(later) == fresh.feed(later)
    assert detector.alarm_round == 500 + used + (fresh.alarm_round or 0)
    assert detector.rounds_since_start == fresh.rounds
    assert ChangeDetector.from_state(detector.state()).state() == detector.state()


PLAINLY = """
import json, numpy as np
from ebit.analysis.watch_detector import ChangeDetector
from ebit.analysis.watch_session import SessionTest
rng, states = np.random.default_rng(9), []
for rate, c in ((0.02, 1e6), (0.1, 1e6), (0.3, 1e9), (0.02, 30.0)):
    passed = rng.random(3000) >= rate
    watches = ChangeDetector("xz", 0.02, c=c), SessionTest("chsh", 0.16, alpha=1 / c)
    for watch in watches:
        watch.feed(passed)
        states.append(watch.state())
print(json.dumps(states))
"""


def test_compiled_and_plain_python_reach_the_same_bits() -> None:
    said = []
    for disable in ("0", "1"):
        environment = {**os.environ, "NUMBA_DISABLE_JIT": disable}
        run = subprocess.run(
            [sys.executable, "-P", "-c", PLAINLY],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        said.append(run.stdout)
    assert said[0] == said[1]
    assert len(json.loads(said[0])) == 8


BAD = [[1, 0, 2], [1.0, math.nan], [0.5], [-1, 1], ["1"], [None], [[1, 0]], [1, 0, 256], [1j]]


@pytest.mark.parametrize("bad", BAD)
def test_rounds_other_than_0_and_1_are_refused_and_none_is_used(bad: list[object]) -> None:
    detector = ChangeDetector("xz", 0.02, c=1e6)
    detector.feed([1, 0, 1])
    before = detector.state()
    with pytest.raises(ArgumentError, match="passed"):
        detector.feed(bad)
    assert detector.state() == before


@pytest.mark.parametrize("bad", [2, math.nan, -1, 0.5, None, "1", "yes"])
def test_one_bad_round_is_refused(bad: object) -> None:
    for c in (2.0, 1e6):
        detector = ChangeDetector("xz", 0.02, c=c)
        with pytest.raises(ArgumentError, match=r"must be 0 or 1"):
            detector.step(bad)
        assert detector.rounds == 0


def test_rounds_of_many_types_are_the_same() -> None:
    rounds = [1, 0, 1, 1, 0]
    wanted = None
    for kind in (bool, np.uint8, np.int64, np.float64, np.uint64, np.int8):
        detector = ChangeDetector("xz", 0.02, c=1e6)
        detector.feed(np.array(rounds, kind))
        for one in np.array(rounds, kind):
            detector.step(one)
        detector.feed([])
        wanted = wanted or detector.state()
        assert detector.state() == wanted
    strided = np.repeat(np.array(rounds, np.uint8), 2)[::2]
    detector = ChangeDetector("xz", 0.02, c=1e6)
    detector.feed(strided), detector.feed_packed(np.packbits(rounds), 5)
    assert detector.state() == wanted


def test_packed_rounds_are_checked() -> None:
    detector = ChangeDetector("xz", 0.02, c=1e6)
    with pytest.raises(ArgumentError, match="uint8"):
        detector.feed_packed(np.zeros(2, np.int64))
    with pytest.raises(ArgumentError, match="uint8"):
        detector.feed_packed(b"abc")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="count"):
        detector.feed_packed(np.zeros(2, np.uint8), 17)


DAMAGE = [
    {"format": "other"},
    {"R": [math.nan] * 6},
    {"R": [0.0]},
    {"R": [-1.0] * 6},
    {"R": [1e9] * 6},
    {"R": None},
    {"R": ["x"] * 6},
    {"pending": 10_000},
    {"rounds": -1},
    {"fails": 10**6},
    {"since": 10**6},
    {"alarm_round": 0},
    {"game": "poker"},
    {"q0": 0.4},
    {"c": 0.5},
    {"fractions": [2.0]},
    {"pending": "many"},
]


@pytest.mark.parametrize("change", DAMAGE)
def test_a_damaged_state_is_refused(change: dict[str, object]) -> None:
    detector = ChangeDetector("xz", 0.02, c=1e6)
    detector.feed([1, 0, 1, 1])
    with pytest.raises(ArgumentError):
        ChangeDetector.from_state({**detector.state(), **change})
    short = detector.state()
    del short["since"]
    with pytest.raises(ArgumentError, match="since"):
        ChangeDetector.from_state(short)
    with pytest.raises(ArgumentError):
        ChangeDetector.from_state([1])  # type: ignore[arg-type]


def test_rates_and_guarantees() -> None:
    assert watch_rates("xz", 0.02) == pytest.approx([0.02 + f * 0.96 / 4 for f in FRACTIONS])
    assert watch_rates("xyz", 0.02) == pytest.approx([0.02 + f * 0.96 / 3 for f in FRACTIONS])
    assert watch_rates("mermin", 0.05)[0] == pytest.approx(0.25)
    assert watch_rates("chsh", 0.16)[0] == pytest.approx(0.5 - math.sqrt(2) / 8)
    for bad in ((), (0.0,), (1.5,), (math.nan,), (0.5,) * 9):
        with pytest.raises(ArgumentError, match="fractions"):
            watch_rates("xz", 0.02, bad)
    promise = change_guarantee(0.02, horizon=10**5, alpha=0.01)
    assert promise.c == promise.mean_rounds == 1e7
    assert promise.false_alarm(10**5) == pytest.approx(0.01)
    assert promise.false_alarm(10**9) == 1
    assert "at most 0.01 within 100000 rounds" in str(promise)
    assert "n/200" in str(change_guarantee(0.02, c=200))
    assert json.loads(json.dumps(promise.to_dict()))["alpha"] == 0.01
    for bad in (
        {},
        {"c": 10, "horizon": 5, "alpha": 0.1},
        {"horizon": 5},
        {"c": 1.0},
        {"alpha": 0.1},
    ):
        with pytest.raises(ArgumentError):
            change_guarantee(0.02, **bad)  # type: ignore[arg-type]
    for c in (math.nan, math.inf, 1e201):
        with pytest.raises(ArgumentError, match="above 1 and at most"):
            change_guarantee(0.02, c=c)
    with pytest.raises(ArgumentError, match="alpha"):
        change_guarantee(0.02, horizon=10, alpha=1.0)
    with pytest.raises(ArgumentError, match="nothing to watch"):
        ChangeDetector("xz", 0.25, c=100)
