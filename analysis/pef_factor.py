"""A probability estimation factor with its proof, and the test that was fixed with it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ebit.analysis.binomial import check_count
from ebit.analysis.pef_certify import Certificate, certify
from ebit.analysis.pef_constraint import extreme_products, extreme_settings
from ebit.analysis.pef_result import ADVERSARY, NOT_GIVEN, PefEntropy, assumptions
from ebit.games import ArgumentError, RefusedError, Trials

__all__ = ["Pef"]

Floats = npt.NDArray[np.float64]
Pair = tuple[float, float]
Table = tuple[tuple[Pair, Pair], tuple[Pair, Pair]]


@dataclass(frozen=True)
class Pef:
    """A probability estimation factor with its proof, and the test that was fixed with it.

    Attributes:
        beta: the power.
        log2_factors: log2 F by [x][y][won]: 0 for lost, 1 for won; divided by the proven limit.
        settings: law of the settings, [x][y].
        tau: how far each setting bit may be predicted beyond 1/2.
        n: rounds at most.
        epsilon: smoothing error, log2(1/epsilon) bits of cost.
        threshold_bits: k, the min-entropy that acceptance certifies; fixed before the rounds.
        expected_bits: what n rounds at the expected win rates are worth on average.
        power: chance that the expected device reaches the threshold (normal approximation).
        certified: the proven limit of the constraint before F was divided by it.
        lost_to_proof: bits per round that this division may have cost: log2(certified) / beta.
    """

    beta: float
    log2_factors: Table
    settings: tuple[tuple[float, float], tuple[float, float]]
    tau: float
    n: int
    epsilon: float
    threshold_bits: float
    expected_bits: float
    power: float
    certified: float
    lost_to_proof: float

    @property
    def threshold(self) -> float:
        """The least sum of log2 F that is accepted."""
        return self.beta * self.threshold_bits - math.log2(self.epsilon)

    @property
    def expected_rate(self) -> float:
        """Expected bits per round."""
        return self.expected_bits / self.n

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the certificate rests on."""
        fair = bool(np.abs(np.asarray(self.settings) - 0.25).max() < 1e-12)
        return assumptions(self.tau, fair=fair)

    def factors(self) -> Floats:
        """Return F, (2, 2, 2) indexed [x, y, won]."""
        return np.exp2(np.asarray(self.log2_factors, dtype=np.float64))

    def verify(self, *, tolerance: float = 2e-4) -> Certificate:
        """Prove the constraint of this very F anew, whoever made it: its bound is at most 1.

        Args:
            tolerance: see `certify`; below that of the design, as the proof has no slack otherwise.

        Returns:
            The certificate with the largest bound, over the allowed laws of the settings.

        Raises:
            RefusedError: the constraint could not be proven.

        Example:
            >>> from ebit.analysis.pef import design_pef
            >>> design_pef(2.6, 10**5).verify().bound <= 1
            True

        Source:
            `ebit.analysis.pef_certify`.
        """
        found = [certify(self.factors(), self.beta, q, tolerance=tolerance) for q in self._laws()]
        worst = max(found, key=lambda c: c.bound)
        if worst.bound > 1:
            raise RefusedError(
                f"the constraint is proven up to {worst.bound:.12g} only, which must be at most 1: "
                "not a probability estimation factor, or `tolerance` is too coarse"
            )
        return worst

    def _laws(self) -> list[Floats]:
        law = np.asarray(self.settings)
        if not self.tau:
            return [law]
        fair = bool(np.abs(law - 0.25).max() < 1e-12)
        return extreme_settings(self.tau) if fair else extreme_products(law, self.tau)

    def entropy(self, trials: Trials | npt.ArrayLike) -> PefEntropy:
        """Return what these rounds certify.

        Args:
            trials: rounds of CHSH with settings chosen per shot, or counts (2, 2, 2, 2) indexed
                [x, y, a, b], for whose settings the caller answers.

        Returns:
            The certified min-entropy, 0 if the threshold is missed, and the estimate beside it.

        Raises:
            ArgumentError: another shape, or more rounds than the factor was designed for.
            RefusedError: settings that were not chosen afresh for each round.

        Example:
            >>> from ebit.analysis.pef import design_pef
            >>> counts = np.full((2, 2, 2, 2), 2500) + 1625 * np.array([[1, -1], [-1, 1]])
            >>> counts[1, 1] = counts[1, 1, ::-1]
            >>> design_pef(2.6, 40_000).entropy(counts).accepted
            True

        Source:
            `ebit.analysis.pef`.
        """
        if isinstance(trials, Trials):
            if trials.chosen != "per-shot":
                raise RefusedError(
                    "probability estimation needs settings drawn afresh in every shot, but these "
                    f"were chosen {trials.chosen} ({trials.chosen_reason}); run with settings per "
                    "shot, or declare chosen='per-shot' if they were"
                )
            trials = trials.counts
        counts = np.asarray(trials)
        whole = counts.dtype.kind in "iu" or bool(np.all(counts == np.floor(counts)))
        if counts.shape != (2, 2, 2, 2) or not whole or (counts < 0).any():
            raise ArgumentError(
                "Argument `trials` must be Trials of CHSH or whole counts (2, 2, 2, 2) indexed "
                f"[x, y, a, b], but had shape {counts.shape}."
            )
        agree = counts[..., 0, 0] + counts[..., 1, 1]
        both = np.stack([counts[..., 0, 1] + counts[..., 1, 0], agree], axis=-1)
        both[1, 1] = both[1, 1, ::-1].copy()
        return self._result(both)

    def entropy_of_wins(self, wins: int, n: int) -> PefEntropy:
        """Return what a number of wins certifies, for a factor that knows won and lost only.

        Args:
            wins: rounds won. n: rounds played.

        Raises:
            ArgumentError: counts out of range, or a factor that depends on the question.

        Example:
            >>> from ebit.analysis.pef import design_pef
            >>> design_pef(2.6, 10**5).entropy_of_wins(75_000, 10**5).bits
            0.0

        Source:
            `ebit.analysis.pef`.
        """
        n = check_count("n", n, low=1)
        wins = check_count("wins", wins, high=n)
        if len({pair for row in self.log2_factors for pair in row}) > 1:
            raise ArgumentError(
                "Argument `wins` must be counted per question for this factor, which depends on "
                "the question; use `entropy` with counts (2, 2, 2, 2)."
            )
        tally = np.zeros((2, 2, 2), dtype=np.int64)
        tally[0, 0] = n - wins, wins
        return self._result(tally)

    def _result(self, tally: npt.NDArray[Any]) -> PefEntropy:
        n = int(tally.sum())
        if n > self.n:
            raise ArgumentError(
                f"Argument `trials` must have at most the {self.n} rounds that this factor was "
                f"designed for, but had {n}; design one for {n} rounds before looking at them."
            )
        total = math.fsum((tally * np.asarray(self.log2_factors)).ravel().tolist())
        accepted = total >= self.threshold
        return PefEntropy(
            bits=self.threshold_bits if accepted else 0.0,
            accepted=accepted,
            estimate_bits=max(0.0, (total + math.log2(self.epsilon)) / self.beta),
            log2_factor=total,
            threshold=self.threshold,
            n=n,
            epsilon=self.epsilon,
            adversary=ADVERSARY,
            method=f"probability estimation, beta = {self.beta:.4g}, constraint proven",
            assumptions=self.assumptions,
            not_given=NOT_GIVEN,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            **asdict(self),
            "threshold": self.threshold,
            "expected_rate": self.expected_rate,
            "adversary": ADVERSARY,
            "assumptions": list(self.assumptions),
            "not_given": list(NOT_GIVEN),
        }

    def __str__(self) -> str:
        return (
            f"PEF for {self.n} rounds: {self.threshold_bits:.0f} bits when accepted (expected "
            f"{self.expected_rate:.4f} a round), epsilon {self.epsilon:.3g}, beta {self.beta:.4g}, "
            f"{ADVERSARY}; constraint proven, cost at most {self.lost_to_proof:.5f} bits a round"
        )
