"""When a change happened that an alarm has noticed: an estimate from the rounds before the alarm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ebit.analysis.binomial import check_probability
from ebit.analysis.watch_kernels import as_rounds
from ebit.games import ArgumentError

__all__ = ["ChangeEstimate", "locate_change"]


@dataclass(frozen=True)
class ChangeEstimate:
    """Where in a row of rounds a change is likely to have happened.

    Attributes:
        round: the first changed round, counted from 1, by largest likelihood.
        low: first round whose likelihood is at least 1/ratio of the largest.
        high: last such round.
        ratio: of likelihoods.
        rounds: how many rounds were looked at.
    """

    round: int
    low: int
    high: int
    ratio: float
    rounds: int

    method = "largest likelihood of the mixture; interval of likelihoods"
    assumptions = ("one change within these rounds, after which the rate stayed the same",)
    not_given = ("no promise that the interval holds the change",)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            **vars(self),
            "method": self.method,
            "assumptions": list(self.assumptions),
            "not_given": list(self.not_given),
        }

    def __str__(self) -> str:
        return f"change at round {self.round} of {self.rounds}, likely between {self.low} and {self.high}"


def locate_change(
    passed: npt.ArrayLike, *, q0: float, rates: Sequence[float], ratio: float = 100.0
) -> ChangeEstimate:
    r"""Return an estimate of the first round after a change, from the rounds up to an alarm.

    .. math:: L(k) = \frac1J \sum_j \prod_{i \ge k} e_{ij}, \qquad
              e_{ij} = q_j/q_0 \text{ or } (1-q_j)/(1-q_0)

    These are the terms whose sum is the evidence of the change detector. Who keeps the last rounds
    can tell which results may be tainted. Memory grows with the rounds given.

    Args:
        passed: shape (n,), the last rounds up to the alarm, in the order of time.
        q0: upper limit of the honest rate of failed rounds.
        rates: rates bet on, see `watch_rates`.
        ratio: the interval holds all rounds of a likelihood of at least 1/ratio of the largest.

    Raises:
        ArgumentError: no rounds, other values than 0 and 1, or a number out of range.

    Example:
        >>> rounds = [1] * 100 + [0, 1, 0, 0, 1, 0]
        >>> locate_change(rounds, q0=0.02, rates=[0.26]).round
        101

    Source:
        Hinkley, Biometrika 57, 1 (1970), for one known rate; the mixture as in the detector.
    """
    rounds = as_rounds(passed)
    check_probability("q0", q0, open_ends=True)
    if not len(rounds):
        raise ArgumentError("Argument `passed` must hold at least one round, but was empty.")
    if not len(rates) or not all(q0 < q < 1 for q in rates):
        raise ArgumentError(
            f"Argument `rates` must hold rates above q0 = {q0:g} and below 1, but was {rates!r}."
        )
    if not 1 <= ratio < math.inf:
        raise ArgumentError(f"Argument `ratio` must be at least 1, but was {ratio!r}.")
    fails = np.cumsum(rounds[::-1] == 0)[::-1].astype(np.float64)
    passes = np.arange(len(rounds), 0, -1) - fails
    logs = np.full(len(rounds), -math.inf)
    for q in rates:
        one = fails * math.log(q / q0) + passes * math.log((1 - q) / (1 - q0))
        np.logaddexp(logs, one, out=logs)
    likely = np.flatnonzero(logs >= logs.max() - math.log(ratio))
    return ChangeEstimate(
        int(np.argmax(logs)) + 1,
        int(likely[0]) + 1,
        int(likely[-1]) + 1,
        float(ratio),
        len(rounds),
    )
