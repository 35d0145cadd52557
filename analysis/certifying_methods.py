"""The methods behind a certificate, each in the same three steps: design, figure to plan by, judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ebit.games import Trials

__all__ = ["METHODS", "Design", "Judged", "MethodSteps"]

Floats = npt.NDArray[np.float64]
_POWER = 0.999  # chance that the expected device reaches the threshold


class Design(Protocol):
    """What a method computes before the rounds."""

    @property
    def threshold_bits(self) -> float:
        """Entropy that acceptance certifies."""


@dataclass(frozen=True)
class Judged:
    """What rounds are worth under a design.

    Attributes:
        accepted: whether the threshold was reached.
        bits: entropy certified, 0 if not.
        estimate: what these rounds would have given with the best threshold; None where there is none.
        what, value, threshold: the statistic that is compared, by name.
        adversary: whom the entropy is against.
        parameters: of the method, by name.
        assumptions, not_given: in words.
    """

    accepted: bool
    bits: float
    estimate: float | None
    what: str
    value: float
    threshold: float
    adversary: str
    parameters: dict[str, float]
    assumptions: tuple[str, ...]
    not_given: tuple[str, ...]


class MethodSteps(Protocol):
    """A method: designed before the rounds, which it then judges."""

    def design(self, n: int, wins: Floats, law: Floats, tau: float, epsilon: float) -> Any:
        """Fix everything for n rounds."""

    def bits(self, n: int, wins: Floats, law: Floats, tau: float, epsilon: float) -> float:
        """Return the threshold for planning; negative where n is too small."""

    def judge(self, design: Any, trials: Trials) -> Judged:
        """Return what rounds are worth."""


class _Pef:
    """Probability estimation: `ebit.analysis.pef`."""

    def design(self, n: int, wins: Floats, law: Floats, tau: float, epsilon: float) -> Any:
        from ebit.analysis.pef import design_pef

        return design_pef(None, n, epsilon, win_rates=wins, settings=law, tau=tau, power=_POWER)

    def bits(self, n: int, wins: Floats, law: Floats, tau: float, epsilon: float) -> float:
        from ebit.analysis.pef import planned_bits

        return planned_bits(n, epsilon, win_rates=wins, settings=law, tau=tau, power=_POWER)

    def judge(self, design: Any, trials: Trials) -> Judged:
        found = design.entropy(trials)
        return Judged(
            accepted=found.accepted,
            bits=found.bits,
            estimate=found.estimate_bits,
            what="log2 F",
            value=found.log2_factor,
            threshold=found.threshold,
            adversary=found.adversary,
            parameters={"beta": design.beta, "limit of the constraint": design.certified},
            assumptions=found.assumptions,
            not_given=found.not_given,
        )


class _Accumulation:
    """Entropy accumulation in one of its forms: `ebit.analysis.accumulation`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def _arguments(
        self, n: int, wins: Floats, law: Floats, tau: float, epsilon: float
    ) -> dict[str, Any]:
        from ebit.analysis.accumulation_score import MOST_WIN_RATE, Settings

        rows = tuple((float(a), float(b)) for a, b in law)
        third = epsilon / 3  # a passing chance of one third, and a smoothing that counts twice
        return {
            "n": n,
            "win_rate_expected": min(float(wins.mean()), MOST_WIN_RATE),
            "method": self._name,
            "settings": Settings(law=(rows[0], rows[1]), tau=tau),
            "epsilon": third,
            "epsilon_accept": third,
            "completeness": _POWER,
        }

    def design(self, n: int, wins: Floats, law: Floats, tau: float, epsilon: float) -> Any:
        from ebit.analysis.accumulation import accumulate

        return _Planned(accumulate(**self._arguments(n, wins, law, tau, epsilon)))

    def bits(self, n: int, wins: Floats, law: Floats, tau: float, epsilon: float) -> float:
        from ebit.analysis.accumulation import likely_bits

        return likely_bits(**self._arguments(n, wins, law, tau, epsilon))

    def judge(self, design: Any, trials: Trials) -> Judged:
        from ebit.analysis.accumulation_plan import ADVERSARY, ASSUMPTIONS, NOT_GIVEN

        plan = design.plan
        if trials.n != plan.n:  # neither added nor left out: the theorem is about n rounds
            return Judged(
                accepted=False,
                bits=0.0,
                estimate=None,
                what="a number of rounds",
                value=float(trials.n),
                threshold=float(plan.n),
                adversary=ADVERSARY,
                parameters={},
                assumptions=ASSUMPTIONS,
                not_given=NOT_GIVEN,
            )
        counts = trials.counts
        asked = counts.sum(axis=(2, 3))
        won = counts[..., 0, 0] + counts[..., 1, 1]
        won[1, 1] = asked[1, 1] - won[1, 1]
        found = (
            plan.entropy(int(won.sum()), trials.n)
            if plan.settings.uniform
            else plan.entropy(won, trials.n, scored=asked)
        )
        return Judged(
            accepted=found.passed,
            bits=found.bits,
            estimate=None,
            what="a mean score",
            value=found.mean_score,
            threshold=found.threshold,
            adversary=ADVERSARY,
            parameters={"b": plan.b, "bits lost per round": plan.loss_per_round},
            assumptions=(*ASSUMPTIONS, *_coins(plan.settings.tau)),
            not_given=NOT_GIVEN,
        )


def _coins(tau: float) -> tuple[str, ...]:
    """What tau takes for granted."""
    if not tau:
        return ()
    return (
        "the two coins of a round are independent of each other given all that is known, each shows 1 "
        f"with a probability within {tau:g} of its law, and its bias does not follow earlier outputs",
    )


@dataclass(frozen=True)
class _Planned:
    """An accumulation plan under the name that a design has for its bits."""

    plan: Any

    @property
    def threshold_bits(self) -> float:
        return float(self.plan.bits)


METHODS: dict[str, MethodSteps] = {
    "pef": _Pef(),
    "eat": _Accumulation("eat"),
    "geat": _Accumulation("geat"),
    "renyi": _Accumulation("renyi"),
    "renyi-one": _Accumulation("renyi-one"),
}
