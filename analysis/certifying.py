"""From rounds to certified entropy: a plan made before them, and what they are worth under it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ebit.analysis.binomial import check_probability
from ebit.analysis.certifying_methods import METHODS, Design
from ebit.analysis.coins import coins_contradict
from ebit.analysis.entropy_result import EntropyCertificate
from ebit.analysis.results import Score
from ebit.games import ArgumentError, RefusedError, Trials

__all__ = ["CertificatePlan", "Method", "certify", "plan_certificate", "plan_rounds_for_bits"]

Floats = npt.NDArray[np.float64]
Method = Literal["pef", "renyi", "renyi-one", "geat", "eat"]
_MOST = 10**11
_TRIES = 40

_CHIP = (
    "entropy consistent with S = {S:.4f}, assuming no cross-talk beyond the tested bound, an honest "
    "provider and trusted settings"
)
_PSEUDO = (
    "a simulator drew them from its seed; a device's rounds with these counts would be worth this "
    "entropy"
)
_DECLARED = "entropy consistent with S = {S:.4f}, if the rounds were taken as declared"
_CHIP_ASSUMES = (
    "one chip: no communication or cross-talk between the halves beyond what the no-signalling test "
    "would show",
    "an honest provider that ran the circuits and returned their shots, and tells nobody",
)
_UNORDERED = (
    "the order of the rounds is not known: that settings were drawn afresh rests on the declaration"
)
_FEWER = "no round was left out: fewer than planned only because the run stopped early"
_RERUNS = "a run that was repeated until it passed: epsilon is per run, and adds up over runs"
_COINS = (
    "the device's own coins drew the settings: they are taken to know nothing of the pair, and to be "
    "predictable to no more than tau"
)


@dataclass(frozen=True, eq=False)
class CertificatePlan:
    """How n rounds will be judged, fixed before the first one.

    Attributes:
        method: "pef", "renyi", "renyi-one", "geat" or "eat".
        n: rounds.
        law: (2, 2), probability of each pair of settings.
        wins: (2, 2), expected win rate of each.
        tau: how far each party's setting may be predicted beyond the law.
        epsilon: error of the entropy.
        design: what the method computed.
    """

    method: Method
    n: int
    law: Floats
    wins: Floats
    tau: float
    epsilon: float
    design: Design

    @property
    def threshold_bits(self) -> float:
        """Entropy that acceptance certifies."""
        return self.design.threshold_bits

    @property
    def settings_bits(self) -> float:
        """Randomness that choosing the settings takes: the Shannon entropy of the law, n times."""
        p = self.law[self.law > 0]
        return float(-(p * np.log2(p)).sum()) * self.n

    @property
    def expected_S(self) -> float:
        """The CHSH value that was expected."""
        return float(8 * self.wins.mean() - 4)

    def to_dict(self) -> dict[str, Any]:
        """Return what makes the same plan again, as plain data."""
        return {
            "method": self.method,
            "n": self.n,
            "law": self.law.tolist(),
            "wins": self.wins.tolist(),
            "tau": self.tau,
            "epsilon": self.epsilon,
        }


def plan_certificate(
    method: str,
    n: int,
    *,
    wins: npt.ArrayLike,
    law: npt.ArrayLike | None = None,
    tau: float = 0.0,
    epsilon: float = 2**-64,
) -> CertificatePlan:
    """Set up a method for n rounds, before they are taken.

    Args:
        method: "pef" (probability estimation, classical side information), "eat", "geat" (entropy
            accumulation), "renyi" or "renyi-one" (Renyi accumulation of both outputs or of one; all but
            the first against quantum side information).
        n: rounds.
        wins: expected win rate, one number or (2, 2) by question.
        law: (2, 2) probability of the settings; uniform if left out.
        tau: how far each party's setting may be predicted beyond the law.
        epsilon: error of the entropy, strictly between 0 and 1.

    Raises:
        ArgumentError: an unknown method, or a number out of range.
        RefusedError: n rounds certify nothing at that expectation.

    Example:
        >>> plan = plan_certificate("pef", 100_000, wins=0.5 + 2.6 / 8)
        >>> bool(80_000 < plan.threshold_bits < 100_000)
        True
    """
    _check_method(method)
    check_probability("epsilon", epsilon, open_ends=True)
    rates = np.broadcast_to(np.asarray(wins, np.float64), (2, 2)).copy()
    asked = np.full((2, 2), 0.25) if law is None else np.asarray(law, np.float64)
    mean = float(rates.mean())
    if not (mean > 0.75):
        raise ArgumentError(
            f"the expected win rate must be above 0.75 (S above 2) for any entropy, but was "
            f"{mean:.4f} (S = {8 * mean - 4:.4f}): choose another pair, or give expected_S"
        )
    key = (tuple(rates.ravel()), tuple(asked.ravel()))
    design = _design(method, int(n), key, float(tau), float(epsilon))
    if design.threshold_bits <= 0:
        raise RefusedError(
            f"{n} rounds certify nothing by {method} at an expected S of {8 * mean - 4:.4f}, tau "
            f"{tau:g} and epsilon {epsilon:.3g}: take more rounds or another method"
        )
    return CertificatePlan(method, int(n), asked, rates, float(tau), float(epsilon), design)  # type: ignore[arg-type]


def _check_method(method: str) -> None:
    if method not in get_args(Method):
        raise ArgumentError(
            f"certify must be one of {', '.join(get_args(Method))} or none, but was {method!r}"
        )


@lru_cache(maxsize=64)
def _design(
    method: str,
    n: int,
    key: tuple[tuple[float, ...], tuple[float, ...]],
    tau: float,
    epsilon: float,
) -> Design:
    wins, law = (np.array(part).reshape(2, 2) for part in key)
    found: Design = METHODS[method].design(n, wins, law, tau, epsilon)
    return found


def plan_rounds_for_bits(
    bits: float,
    method: str,
    *,
    wins: npt.ArrayLike,
    law: npt.ArrayLike | None = None,
    tau: float = 0.0,
    epsilon: float = 2**-64,
) -> int:
    """Return about the fewest rounds whose threshold reaches so many bits of entropy.

    The threshold grows with n, so the number is found to some per cent by steps along the chord, on the
    method's own figure without the proof, and a half per cent is added for the proof.

    Args:
        bits: min-entropy wanted.
        method, wins, law, tau, epsilon: as in `plan_certificate`.

    Raises:
        ArgumentError: an unknown method, or more than 10^11 rounds.

    Example:
        >>> n = plan_rounds_for_bits(10_000, "pef", wins=0.5 + 2.6 / 8)
        >>> bool(plan_certificate("pef", n, wins=0.5 + 2.6 / 8).threshold_bits >= 10_000)
        True
    """
    _check_method(method)
    rates = np.broadcast_to(np.asarray(wins, np.float64), (2, 2)).copy()
    asked = np.full((2, 2), 0.25) if law is None else np.asarray(law, np.float64)

    def reached(n: int) -> float:
        return METHODS[method].bits(n, rates, asked, tau, epsilon)

    # The threshold is about r n - c sqrt(n) - d: steps along the chord land a little above it.
    n, best, most, short, least = max(1000, math.ceil(2 * bits)), 0, 0.0, 0, 0.0
    for _ in range(_TRIES):
        value = reached(n)
        if value >= bits:
            best, most = n, value
            if value <= 1.05 * bits + 50:
                break
        else:
            short, least = n, value
        if best and short:
            share = (1.02 * bits + 10 - least) / (most - least)
            n = math.ceil(short + (best - short) * min(share, 0.9))
            if n in (short, best):
                break
        elif best:
            n = max(1, math.ceil(n * max((1.02 * bits + 10) / value, 0.1)))
        else:
            n = math.ceil(n * (2.0 if value <= 0 else min(3.0, 1.05 * bits / value + 0.01)))
            if n > _MOST:
                break
    if not best:
        raise ArgumentError(
            f"{bits:.0f} bits of entropy at an expected S of {8 * rates.mean() - 4:.4f} (tau {tau:g}) take more "
            f"than {_MOST:.0e} rounds by {method}: choose a better pair or another method"
        )
    return math.ceil(best * 1.005) + 1


def certify(
    trials: Trials, plan: CertificatePlan, score: Score, *, declared: bool = True
) -> EntropyCertificate:
    """Return what rounds certify under a plan that was made before them.

    Refused, with the reason, when the no-signalling test fails, settings were not drawn in every
    shot, the coins contradict tau, S lies above the quantum bound, or the threshold is missed.

    Args:
        trials: rounds of CHSH in the order of the plan's law.
        plan: from `plan_certificate`.
        score: of the same rounds.
        declared: whether the plan was made before the rounds; if not, that is said.

    Raises:
        ArgumentError: more rounds than were planned.
    """
    counts = trials.counts
    if trials.n > plan.n:
        raise ArgumentError(
            f"trials must be at most the {plan.n} rounds that were planned, but were {trials.n}: plan "
            "anew before taking more"
        )
    if score.n != trials.n or (score.trials is not None and score.trials is not trials):
        raise ArgumentError(
            f"score must be of the very rounds in trials ({trials.n} of them), but is of "
            f"{score.n} others"
        )
    outcome = METHODS[plan.method].judge(plan.design, trials)
    reason = _refusal(trials, plan, score)
    if not reason and not outcome.accepted:
        reason = (
            f"the threshold was missed: {outcome.what} of {outcome.value:.6g} where "
            f"{outcome.threshold:.6g} was fixed for an expected S of {plan.expected_S:.4f}"
        )
    if not reason and outcome.bits <= 0:
        reason = f"the bound is zero: {trials.n} rounds at S = {score.S:.4f} are too few"
    S = float(score.S or 0.0)
    simulated = score.separation == "simulated"
    chip = score.separation == "one chip"
    sentence = _PSEUDO if simulated else (_CHIP if chip else _DECLARED).format(S=S)
    assumptions = [*outcome.assumptions]
    if score.settings_source == "device":
        assumptions.append(_COINS)
    if not simulated:
        assumptions += _CHIP_ASSUMES if chip else ()
    if score.tau > plan.tau and np.allclose(plan.law, 0.25):
        assumptions.append(
            f"tau = {plan.tau:.3g} was fixed before the rounds; the bias of {score.tau:.3g} that the "
            "coins showed, which the Bell score uses, does not contradict it at 1e-6"
        )
    if not trials.ordered:
        assumptions.append(_UNORDERED)
    if trials.n < plan.n:
        assumptions.append(_FEWER)
    if not declared:
        assumptions.append("the plan was made without regard to these rounds")
    not_given = [*outcome.not_given, _RERUNS]
    if simulated:
        not_given.append("randomness: a simulator's bits follow from its seed")
    elif chip:
        not_given.append("device independence or secrecy: locality and the provider stay open")
    return EntropyCertificate(
        entropy_bits=0.0 if reason else float(outcome.bits),
        status="refused" if reason else "certified",
        reason=reason,
        method=plan.method,
        adversary=outcome.adversary,
        epsilon=plan.epsilon,
        n=int(counts.sum()),
        raw_bits=2 * int(counts.sum()),
        settings_bits=plan.settings_bits * trials.n / plan.n,
        S=S,
        expected_S=plan.expected_S,
        tau=plan.tau,
        estimate_bits=outcome.estimate,
        p_no_signalling=None if score.no_signalling is None else score.no_signalling.p_value,
        separation=score.separation,
        randomness=score.randomness,
        sentence=sentence,
        parameters=outcome.parameters,
        assumptions=tuple(dict.fromkeys(assumptions)),
        not_given=tuple(dict.fromkeys(not_given)),
    )


def _refusal(trials: Trials, plan: CertificatePlan, score: Score) -> str:
    """Why nothing may be said of these rounds, or ""."""
    if trials.chosen != "per-shot":
        return (
            f"settings were chosen {trials.chosen} ({trials.chosen_reason}): every method here needs "
            "settings drawn afresh in every shot (--settings per-shot, or --source spot)"
        )
    if score.status in ("signalling", "fault"):
        return score.verdict
    if score.S is not None and score.S <= 2:
        return f"S = {score.S:.4f} is not above 2, which needs no entanglement"
    false = coins_contradict(trials, plan.law, plan.tau)
    if false:
        return false
    if score.p_value is None and "more evenly" in score.withheld.get("p_value", ""):
        return score.withheld["p_value"]
    return ""
