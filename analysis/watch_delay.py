"""How long the watch takes to notice an attack, by seeded simulation of rounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ebit.analysis.binomial import check_count, check_probability
from ebit.analysis.watch_calibration import WatchGame, watch_game
from ebit.analysis.watch_detector import ChangeDetector
from ebit.analysis.watch_guarantee import FRACTIONS
from ebit.analysis.watch_limits import binary_divergence, least_rounds
from ebit.analysis.watch_session import SessionTest
from ebit.games import ArgumentError

__all__ = ["DelayEstimate", "simulate_delay"]

_PIECES = 1000  # pieces of the expected length after which an alarm is not waited for


@dataclass(frozen=True)
class DelayEstimate:
    """Rounds from the change to the alarm, over seeded runs.

    Attributes:
        game: which game.
        detector: "change" or "session".
        q0: honest rate of failed rounds.
        q: rate after the change.
        c: evidence at which the alarm is raised.
        change: honest rounds before the change.
        runs: runs that went into the mean.
        false_alarms: further runs, which raised the alarm before the change and were left out.
        mean: mean rounds from the change to the alarm.
        error: its standard error.
        bound: ln(c) / D, see `least_rounds`.
    """

    game: str
    detector: str
    q0: float
    q: float
    c: float
    change: int
    runs: int
    false_alarms: int
    mean: float
    error: float
    bound: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return dict(vars(self))

    def __str__(self) -> str:
        return (
            f"{self.game}, {self.detector} detector, {self.q0:g} -> {self.q:g}: noticed after "
            f"{self.mean:.1f} +- {self.error:.1f} rounds on average ({self.runs} runs); "
            f"ln(c) / D is {self.bound:.1f}"
        )


def simulate_delay(
    game: str | WatchGame,
    q0: float,
    q: float,
    *,
    c: float,
    rng: np.random.Generator,
    change: int = 0,
    runs: int = 2000,
    detector: str = "change",
    fractions: Sequence[float] = FRACTIONS,
) -> DelayEstimate:
    """Return how many rounds after a change the alarm comes, by simulation of independent rounds.

    Args:
        game: xz, xyz, chsh or mermin.
        q0: honest rate of failed rounds, which the detector knows.
        q: rate after the change, above q0; the detector does not know it.
        c: evidence at which the alarm is raised; 1/alpha for the session test.
        rng: where the rounds come from.
        change: honest rounds before the change.
        runs: runs without a false alarm before the change.
        detector: "change" (`ChangeDetector`) or "session" (`SessionTest`).
        fractions: as for the detectors.

    Raises:
        ArgumentError: a number out of range, or q so close to q0 that the alarm does not come.

    Example:
        >>> estimate = simulate_delay("xz", 0.02, 0.26, c=1e6, rng=np.random.default_rng(1), runs=200)
        >>> 30 < estimate.mean < 40
        True
    """
    check_probability("q", q)
    if not q > q0:
        raise ArgumentError(f"Argument `q` must be above `q0`, but was {q!r} with q0 {q0!r}.")
    if detector not in {"change", "session"}:
        raise ArgumentError(
            f'Argument `detector` must be "change" or "session", but was {detector!r}.'
        )
    runs, change = check_count("runs", runs, low=1), check_count("change", change)
    bound = least_rounds(binary_divergence(q, q0), c)
    piece = max(32, math.ceil(bound))
    delays = np.empty(runs)
    done = false_alarms = 0
    while done < runs:
        if false_alarms > 100 + 10 * runs:
            raise ArgumentError(
                f"Argument `change` must leave most runs without a false alarm, but {false_alarms} of "
                f"{false_alarms + done} runs had one within {change} rounds at c = {c:g}."
            )
        watch: ChangeDetector | SessionTest
        if detector == "change":
            watch = ChangeDetector(game, q0, c=c, fractions=fractions)
        else:
            watch = SessionTest(game, q0, alpha=1 / c, fractions=fractions)
        watch.feed(rng.random(change) >= q0)
        if watch.alarm:
            false_alarms += 1
            continue
        for _ in range(_PIECES):
            watch.feed(rng.random(piece) >= q)
            if watch.alarm_round is not None:
                delays[done] = watch.alarm_round - change
                done += 1
                break
        else:
            raise ArgumentError(
                f"Argument `q` must be such that the alarm comes, but at {q!r} it did not within "
                f"{_PIECES * piece} rounds."
            )
    spread = float(delays.std(ddof=1)) if runs > 1 else math.nan
    return DelayEstimate(
        watch_game(game).name,
        detector,
        q0,
        q,
        c,
        change,
        runs,
        false_alarms,
        float(delays.mean()),
        spread / math.sqrt(runs),
        bound,
    )
