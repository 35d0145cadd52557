"""A plan of entropy accumulation, and what a run under it came to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ebit.analysis.accumulation_score import Settings
from ebit.analysis.binomial import check_count
from ebit.games import ArgumentError

__all__ = ["ADVERSARY", "ASSUMPTIONS", "NOT_GIVEN", "AccumulatedEntropy", "AccumulationPlan"]

ADVERSARY = "quantum side information"
ASSUMPTIONS = (
    "rounds one after the other; the device's answers do not depend on the other side's setting",
    "each round's settings are independent of all past outcomes given what the adversary holds",
    "no information about outcomes leaves the device but through its answers",
    "the number of rounds, the scores and the threshold were fixed before the data",
)
NOT_GIVEN = (
    "the entropy of one output string alone: what is proven is that of both, given all settings",
    "more bits for a score above the threshold",
)
_COUNTS = "whole numbers: one, or a table x by y"


@dataclass(frozen=True)
class AccumulatedEntropy:
    """What a run came to.

    Attributes:
        bits: certified smooth min-entropy of both outputs; 0 if the threshold was missed.
        passed: whether the mean score reached the threshold.
        mean_score: mean score of the run.
        threshold: what it had to reach.
        n: rounds.
        method: method of the plan.
    """

    bits: float
    passed: bool
    mean_score: float
    threshold: float
    n: int
    method: str

    def __str__(self) -> str:
        return (
            f"{self.bits:.0f} bits in {self.n} rounds ({self.method}, {ADVERSARY}): mean score "
            f"{self.mean_score:.6f}, {'reached' if self.passed else 'below'} the threshold "
            f"{self.threshold:.6f}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "bits": self.bits,
            "passed": self.passed,
            "mean_score": self.mean_score,
            "threshold": self.threshold,
            "n": self.n,
            "method": self.method,
            "adversary": ADVERSARY,
        }


@dataclass(frozen=True)
class AccumulationPlan:
    """Score, threshold and bits, fixed before the data.

    Attributes:
        method: ``eat``, ``geat``, ``renyi-one`` or ``renyi``.
        n: rounds.
        win_rate_expected: w for uniform settings that the plan was made for.
        settings: law of the settings, share of scored rounds, predictability of the coins.
        epsilon: smoothing (purified distance).
        epsilon_accept: the chance to pass below which nothing is claimed.
        completeness: chance that independent rounds of the expected win rate pass (a lower bound of
            it unless only wins count; nan if the threshold is the mean and more than wins count).
        b: alpha - 1, for geat (alpha - 1)/(2 - alpha).
        pivot: c0 of the score.
        tangent_at: w0, where the tangent touches; None for method ``renyi``.
        scores: f(z, c) in bits, rows z = 00, 01, 10, 11, columns loss and win.
        unscored: what a round that is not scored counts.
        threshold: what the mean score must reach.
        loss_per_round: bits per round that the theorem subtracts.
        loss_once: bits that it subtracts once.
    """

    method: str
    n: int
    win_rate_expected: float
    settings: Settings
    epsilon: float
    epsilon_accept: float
    completeness: float
    b: float
    pivot: float
    tangent_at: float | None
    scores: tuple[tuple[float, float], ...]
    unscored: float
    threshold: float
    loss_per_round: float
    loss_once: float

    @property
    def raw_bits(self) -> float:
        """What the theorem gives at the threshold; below 0 where it gives nothing."""
        return self.n * (self.threshold - self.loss_per_round) - self.loss_once

    @property
    def bits(self) -> float:
        """Smooth min-entropy of both outputs of all rounds that a passing run certifies."""
        return max(0.0, self.raw_bits)

    @property
    def error(self) -> float:
        """What the bits cost in total error: epsilon_accept + 2 epsilon, before hashing."""
        return self.epsilon_accept + 2 * self.epsilon

    def mean_score(self, wins: npt.ArrayLike, scored: npt.ArrayLike | None = None) -> float:
        """Return the mean score of n rounds.

        Args:
            wins: number of wins; a table x by y unless the four settings are equally likely.
            scored: scored rounds, of the same shape; n if every round is scored and it is left out.

        Raises:
            ArgumentError: counts that cannot be, or too coarse for the law of the settings.
        """
        won = np.asarray(wins, dtype=np.float64)
        if scored is None:
            if self.settings.gamma < 1 or won.shape != ():
                raise ArgumentError(
                    "Argument `scored` must say how many rounds were scored, for each entry of "
                    "`wins`: the plan needs it where not all rounds are, or settings are told apart."
                )
            scored = self.n
        asked = np.asarray(scored, dtype=np.float64)
        if won.shape != asked.shape or won.shape not in ((), (2, 2)):
            raise ArgumentError(
                f"Arguments `wins` and `scored` must be {_COUNTS}, of one shape, but had shapes "
                f"{won.shape} and {asked.shape}."
            )
        if won.shape == () and len(set(self.scores)) > 1:
            raise ArgumentError(
                "Argument `wins` must be a table x by y, because this plan's settings are not "
                "equally likely and a win counts by how rare its settings are."
            )
        counts = np.stack([won, asked])
        if np.any(counts != np.floor(counts)) or np.any(won < 0) or np.any(won > asked):
            raise ArgumentError(
                f"Arguments `wins` and `scored` must be {_COUNTS}, 0 <= wins <= scored, but were "
                f"{won.tolist()} and {asked.tolist()}."
            )
        total = int(asked.sum())
        if total > self.n or (self.settings.gamma == 1 and total != self.n):
            raise ArgumentError(
                f"Argument `scored` must add up to the {self.n} rounds of the plan, which were fixed "
                f"beforehand, but gave {total}: rounds are neither added nor left out."
            )
        table = np.asarray(self.scores)
        flat = (won.reshape(-1), asked.reshape(-1))
        rows = table[: len(flat[0])]
        score = float(((flat[1] - flat[0]) * rows[:, 0] + flat[0] * rows[:, 1]).sum())
        return (score + (self.n - total) * self.unscored) / self.n

    def entropy(
        self, wins: npt.ArrayLike, n: int | None = None, *, scored: npt.ArrayLike | None = None
    ) -> AccumulatedEntropy:
        """Compare a run with the threshold and return the bits it certifies.

        Args:
            wins: number of wins; a table x by y unless the four settings are equally likely.
            n: rounds; must be the plan's.
            scored: scored rounds, of the same shape as ``wins``; may be left out if all are.

        Raises:
            ArgumentError: counts that cannot be, or another number of rounds than planned.
        """
        if n is not None and check_count("n", n) != self.n:
            raise ArgumentError(
                f"Argument `n` must be the {self.n} rounds fixed by the plan, but was {n}: make the "
                "plan for the number of rounds, and before they are run."
            )
        mean = self.mean_score(wins, scored)
        # A threshold that is a whole number of wins is reached by it, whatever rounding did.
        passed = mean >= self.threshold - 1e-12 * max(1.0, abs(self.threshold))
        bits = self.bits if passed else 0.0
        return AccumulatedEntropy(bits, passed, mean, self.threshold, self.n, self.method)

    def __str__(self) -> str:
        chance = "" if math.isnan(self.completeness) else f", reached by {self.completeness:.3g}"
        return "\n".join(
            [
                f"{self.bits:.0f} bits in {self.n} rounds ({self.bits / self.n:.4f} a round) by "
                f"{self.method}, against {ADVERSARY}",
                f"  planned for a win rate of {self.win_rate_expected:.6f}; threshold of the mean "
                f"score {self.threshold:.6f}{chance}",
                f"  smoothing {self.epsilon:.3g}, chance to pass below which nothing is claimed "
                f"{self.epsilon_accept:.3g}",
                "  both outputs' entropy, all settings known to the adversary",
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "method": self.method,
            "adversary": ADVERSARY,
            "outputs": "AB",
            "n": self.n,
            "bits": self.bits,
            "raw_bits": self.raw_bits,
            "win_rate_expected": self.win_rate_expected,
            "law": [list(row) for row in self.settings.law],
            "gamma": self.settings.gamma,
            "tau": self.settings.tau,
            "epsilon": self.epsilon,
            "epsilon_accept": self.epsilon_accept,
            "error": self.error,
            "completeness": None if math.isnan(self.completeness) else self.completeness,
            "b": self.b,
            "pivot": self.pivot,
            "tangent_at": self.tangent_at,
            "scores": [list(row) for row in self.scores],
            "unscored": self.unscored,
            "threshold": self.threshold,
            "loss_per_round": self.loss_per_round,
            "loss_once": self.loss_once,
            "assumptions": list(ASSUMPTIONS),
            "not_given": list(NOT_GIVEN),
        }
