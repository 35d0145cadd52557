"""How many rounds a test needs, at an expected win rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from ebit.analysis.binomial import log_upper_tail
from ebit.analysis.evidence import final_e_value, local_win_bound
from ebit.analysis.null import bias_limit
from ebit.games import ArgumentError, Game, Trust

__all__ = ["Plan", "divergence", "plan_rounds", "rounds_for_evidence", "rounds_for_p"]

_MOST = 10**12


@dataclass(frozen=True)
class Plan:
    """Rounds needed, and for what.

    Attributes:
        game: the game's name.
        win_rate: expected win rate.
        floor: the null's largest win rate, predictable settings included.
        p_value: p-value wanted.
        power: chance of reaching it.
        rounds_for_p: rounds for that, by the exact fixed-n test.
        evidence: e-value wanted.
        rounds_at_best: mean rounds that the best possible bet needs, ln(evidence)/D.
        rounds_for_evidence: rounds at which the bet that knows nothing beforehand is expected to
            get there.
        bits_per_round: D in bits: how fast evidence can grow.
        floor_with_coins: where the device's own coins draw the settings, the null's largest win
            rate after ``rounds_for_p`` rounds: raised by what the coins' bias may be then.
    """

    game: str
    win_rate: float
    floor: float
    p_value: float
    power: float
    rounds_for_p: int
    evidence: float
    rounds_at_best: float
    rounds_for_evidence: int
    bits_per_round: float
    floor_with_coins: float | None = None

    def __str__(self) -> str:
        coins = (
            ""
            if self.floor_with_coins is None
            else f", {self.floor_with_coins:.6f} after {self.rounds_for_p} rounds, until which the "
            "device's own coins could be that biased"
        )
        return "\n".join(
            [
                f"{self.game} at an expected win rate of {self.win_rate:.6f} "
                f"(null: at most {self.floor:.6f}{coins})",
                f"  {self.rounds_for_p} rounds for p < {self.p_value:g} with probability "
                f"{self.power:g}, if the number is fixed beforehand",
                f"  {self.rounds_for_evidence} rounds for evidence of {self.evidence:g} : 1, if one "
                f"may stop any time (no bet needs fewer than {math.ceil(self.rounds_at_best)} on "
                "average)",
                f"  {self.bits_per_round:.6f} bits of evidence per round at best",
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "game": self.game,
            "win_rate": self.win_rate,
            "floor": self.floor,
            "p_value": self.p_value,
            "power": self.power,
            "rounds_for_p": self.rounds_for_p,
            "evidence": self.evidence,
            "rounds_at_best": self.rounds_at_best,
            "rounds_for_evidence": self.rounds_for_evidence,
            "bits_per_round": self.bits_per_round,
            "floor_with_coins": self.floor_with_coins,
        }


def divergence(p: float, p0: float) -> float:
    r"""Return the relative entropy D(p || p0) of two coins, in nats.

    .. math:: D = p \ln\frac{p}{p_0} + (1-p) \ln\frac{1-p}{1-p_0}

    Example:
        >>> round(divergence((2 + 2**0.5) / 4, 0.75) / math.log(2), 6)
        0.046274

    Source:
        van Dam, Gill, Gruenwald, quant-ph/0307125.
    """
    if not (0 <= p <= 1 and 0 < p0 < 1):
        raise ArgumentError(f"win rates must lie in [0, 1], the null's inside, but were {p}, {p0}")
    first = p * math.log(p / p0) if p > 0 else 0.0
    second = (1 - p) * math.log((1 - p) / (1 - p0)) if p < 1 else 0.0
    return first + second


def rounds_for_p(p: float, p0: float, *, p_value: float = 1e-6, power: float = 0.9) -> int:
    """Return the rounds after which the binomial test reaches the p-value with this power.

    The smallest n such that P(Bin(n, p) >= k) >= power, k being the fewest wins with
    P(Bin(n, p0) >= k) <= p_value; found by bisection, and exact up to the saw teeth of k.

    Example:
        >>> rounds_for_p(1.0, 0.75)
        49
    """
    _check(p, p0)
    if not 0 < p_value < 1:
        raise ArgumentError(f"p_value must lie strictly between 0 and 1, but was {p_value}")
    if not 0 < power < 1:
        raise ArgumentError(f"power must lie strictly between 0 and 1, but was {power}")
    return _rounds_for_p(p, lambda n: p0, p_value, power)


def _rounds_for_p(p: float, floor: Callable[[int], float], p_value: float, power: float) -> int:
    def enough(n: int) -> bool:
        p0 = floor(n)
        if p0 >= p:
            return False
        k = _fewest(n, p0, math.log(p_value))
        return k <= n and float(stats.binom.sf(k - 1, n, p)) >= power

    high = 1
    while not enough(high):
        high *= 2
        if high > _MOST:
            raise ArgumentError(f"a win rate of {p:.6f} needs more than {_MOST:.0e} rounds")
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    # Because wins are whole numbers, a few smaller n may do as well.
    return next(n for n in range(max(1, high - 40), high + 1) if enough(n))


def _fewest(n: int, p0: float, log_p: float) -> int:
    """Fewest wins whose tail under p0 is at most exp(log_p); n + 1 if none is."""
    low, high = math.floor(n * p0), n + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if log_upper_tail(middle, n, p0) <= log_p else (middle, high)
    return high


def rounds_for_evidence(p: float, p0: float, evidence: float = 1e6) -> tuple[float, int]:
    r"""Return ln(evidence)/D, and when the mixture of bets is expected to get there.

    Example:
        >>> best, mixture = rounds_for_evidence((2 + 2**0.5) / 4, 0.75)
        >>> math.ceil(best), mixture > best
        (431, True)
    """
    _check(p, p0)
    if not evidence > 1:
        raise ArgumentError(f"evidence must be above 1, but was {evidence}")
    best = math.log(evidence) / divergence(p, p0)
    return best, _rounds_for_evidence(p, lambda n: p0, evidence, best)


def _rounds_for_evidence(
    p: float, floor: Callable[[int], float], evidence: float, best: float
) -> int:
    wanted = math.log10(evidence)

    def reached(n: int) -> bool:
        p0 = floor(n)
        return p0 < p and final_e_value(round(n * p), n, p0) >= wanted

    high = max(2, math.ceil(best))
    while not reached(high):
        high = math.ceil(high * 1.05) + 1
    low = max(1, math.floor(best) - 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def plan_rounds(
    game: Game,
    win_rate: float,
    *,
    p_value: float = 1e-6,
    evidence: float = 1e6,
    power: float = 0.9,
    trust: Trust = "none",
    tau: float = 0.0,
    coins: bool = False,
) -> Plan:
    """Return the rounds that a game needs at an expected win rate.

    Args:
        game: the game.
        win_rate: expected win rate, above the null's.
        p_value: p-value wanted from the fixed-n test.
        evidence: e-value wanted from the anytime-valid test.
        power: chance of reaching the p-value.
        trust: whose devices are trusted; decides the floor.
        tau: how far each setting bit can be predicted beyond 1/2.
        coins: the device's own coins draw the settings, as in ``ebit.bell``. The score then takes
            settings to be as predictable as the coins may be biased after so many rounds.

    Raises:
        ArgumentError: an expectation that the null reaches too, or a number out of range.
    """
    base = floor = game.floor(trust).value
    bits = math.log2(game.n_questions)
    if tau:
        if bits != int(bits):
            raise ArgumentError(f"tau is understood for games with setting bits, not {game.name!r}")
        floor = local_win_bound(base, tau, int(bits))
    _above(game, win_rate)
    best, mixture = rounds_for_evidence(win_rate, floor, evidence)
    needed = rounds_for_p(win_rate, floor, p_value=p_value, power=power)
    raised: float | None = None
    if coins:
        spare = (1 - power) / 2  # half for the coins' luck, half for the wins'

        def with_coins(n: int) -> float:
            limit = bias_limit(game, _unlucky(game, n, spare))
            if limit is None:
                raise ArgumentError(
                    f"coins are understood for two settings a party, not {game.name!r}"
                )
            return local_win_bound(base, min(max(tau, limit), 0.499999), int(bits))

        needed = _rounds_for_p(win_rate, with_coins, p_value, 1 - spare)
        mixture = _rounds_for_evidence(win_rate, with_coins, evidence, best)
        raised = with_coins(needed)
    return Plan(
        game=game.name,
        win_rate=float(win_rate),
        floor=floor,
        p_value=p_value,
        power=power,
        rounds_for_p=needed,
        evidence=evidence,
        rounds_at_best=best,
        rounds_for_evidence=mixture,
        bits_per_round=divergence(win_rate, floor) / math.log(2),
        floor_with_coins=raised,
    )


def _unlucky(game: Game, n: int, error: float) -> npt.NDArray[np.int64]:
    """Rounds per question when fair coins leave one as rare as they do with this chance."""
    q = game.n_questions
    spread = math.sqrt(n * (q - 1)) / q
    rare = max(0, math.floor(n / q - float(stats.norm.isf(error / q)) * spread))
    totals = np.full(q, (n - rare) // (q - 1), dtype=np.int64)
    totals[0], totals[-1] = rare, n - rare - (q - 2) * ((n - rare) // (q - 1))
    return totals


def _above(game: Game, win_rate: float) -> None:
    if game.quantum_value is not None and win_rate > game.quantum_value + 1e-12:
        raise ArgumentError(
            f"the expected win rate must be at most the quantum {game.quantum_value:.6f} of "
            f"{game.name!r}, but was {win_rate:.6f}: data above it are a fault"
        )


def _check(p: float, p0: float) -> None:
    if not (np.isfinite(p) and 0 <= p <= 1):
        raise ArgumentError(f"the expected win rate must lie in [0, 1], but was {p:g}")
    if not 0 < p0 < 1:
        raise ArgumentError(
            f"the null wins with probability {p0:g}: nothing can be shown against it"
        )
    if p <= p0:
        raise ArgumentError(
            f"the expected win rate must lie above the null's {p0:.6f}, but was {p:.6f}"
        )
