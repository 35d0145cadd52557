"""What the null can do: its floor, raised by predictable settings and by lost detections."""

from __future__ import annotations

import math
from dataclasses import dataclass
from math import lgamma, log, log2, sqrt

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, chi2

from ebit.analysis.evidence import coin_bias_limit, efficiency_floor, local_win_bound
from ebit.games import ArgumentError, Chosen, Floor, Game, Source

__all__ = ["Null", "bias_limit", "null_of"]

_NOTE, _FAULT = 0.01, 1e-6

# What trusting measuring devices takes for granted, by trust.
_TRUSTED = {
    "all": "every measuring device does what it is told (qubits, the bases asked): trusted, not tested",
    "one": "one party's measuring device does what it is told: trusted, not tested",
}


@dataclass(frozen=True)
class Null:
    """The most often that the null wins a round, and what that number rests on.

    Attributes:
        floor: the floor it starts from.
        base: the bound with settings nobody can predict; detection losses included.
        bound: the bound with settings predictable to tau.
        tau: how far each setting bit can be predicted beyond 1/2.
        assumptions: what the bound rests on.
        refused: why no evidence against it can be given from fresh settings, or "".
    """

    floor: Floor
    base: float
    bound: float
    tau: float
    assumptions: tuple[str, ...]
    refused: str = ""


def null_of(
    game: Game,
    floor: Floor,
    *,
    tau: float | None,
    efficiency: float | None,
    totals: npt.NDArray[np.int64] | None,
    chosen: Chosen,
    source: Source,
) -> Null:
    """Return the null that these data are tested against.

    Args:
        game: the game.
        floor: its floor at the trust chosen.
        tau: predictability of each setting bit, as declared; None takes the coins' bias.
        efficiency: detection efficiency if only coincidences were kept.
        totals: (Q,) rounds per question, where known.
        chosen: how settings were chosen.
        source: who drew them.

    Raises:
        ArgumentError: tau or efficiency out of range, or given for a game they mean nothing to.
    """
    notes: list[str] = []
    refused = ""
    base = floor.value
    if floor.trust != "none":
        notes.append(_TRUSTED[floor.trust])
    if efficiency is not None:
        if game.name != "chsh":
            raise ArgumentError(
                "efficiency is understood for chsh only: bin 'no click' as +1 instead"
            )
        base = max(base, efficiency_floor(efficiency))
        notes.append(
            f"coincidences kept at detection efficiency {efficiency:g} (a party's chance to detect "
            f"given that the other does, the same at every setting): local models then win up to {base:.6f}"
        )
    if base >= 1 - 1e-12:
        refused = "the null can win every round: " + (
            "the detection efficiency is too low" if efficiency is not None else floor.source
        )
    coins = _coins(game)
    used = 0.0
    if tau is not None:
        if not (isinstance(tau, (int, float)) and 0 <= tau < 0.5):
            raise ArgumentError(f"tau must lie in [0, 0.5), but was {tau}")
        if coins is None and tau > 0:
            raise ArgumentError(
                f"tau is understood for games with fair setting bits, not {game.name!r}"
            )
        used = float(tau)
        notes.append(
            f"each setting bit can be predicted with probability at most 1/2 + {used:g}, given "
            "everything before"
        )
    if chosen == "per-shot" and totals is not None:
        used, refused = _from_frequencies(
            game,
            totals,
            used,
            declared=tau is not None,
            source=source,
            notes=notes,
            refused=refused,
        )
    elif chosen == "per-shot" and tau is None:
        notes.append("settings could not be predicted (tau = 0)")
    bound = base if coins is None else local_win_bound(base, used, coins)
    return Null(floor, base, bound, used, tuple(notes), refused)


def _coins(game: Game) -> int | None:
    bits = log2(game.n_questions)
    return int(bits) if game.uniform and bits == int(bits) else None


def _from_frequencies(
    game: Game,
    totals: npt.NDArray[np.int64],
    tau: float,
    *,
    declared: bool,
    source: Source,
    notes: list[str],
    refused: str,
) -> tuple[float, str]:
    """Raise tau to the bias that the settings show, or refuse settings that are not fair."""
    n = int(totals.sum())
    limit = bias_limit(game, totals)
    if game.uniform and _log_too_even(totals) < log(_FAULT):
        return tau, refused or (
            "questions were asked more evenly than fresh choices would (p < 1e-6): with numbers fixed "
            "beforehand a device with memory can tell what is still to come"
        )
    if source == "device":
        if limit is None:
            if declared:
                return tau, refused
            return tau, refused or "settings drawn by the device need its coins' bias: give tau"
        if declared:
            # The declaration is an assumption the caller owns; the bias the coins show is a fact.
            shown = _shown_bias(game, totals)
            if shown > tau:
                notes.append(f"tau was raised to the bias that the coins show, {shown:.2g}")
            return max(tau, shown), refused
        if limit > tau:
            notes.append(
                f"settings come from the device's own coins, taken to be no more predictable than "
                f"their bias: at most {limit:.2g} beyond 1/2 (upper limit at 1e-6)"
            )
        return max(tau, limit), refused
    expected = game.distribution * n
    statistic = float((((totals - expected) ** 2) / expected).sum())
    uneven = float(chi2.sf(statistic, game.n_questions - 1))
    if uneven < _FAULT:
        if limit is None:
            return (
                tau,
                refused or "questions were not asked as often as the game asks them (p < 1e-6)",
            )
        if not declared:
            return tau, refused or (
                "questions were not asked equally often "
                f"(p < 1e-6): declare how predictable they were with tau, at least {limit:.2g}"
            )
        if limit > tau + 1 / sqrt(n):
            notes.append(f"tau was raised to the bias that the settings show, {limit:.2g}")
            return max(tau, limit), refused
    elif uneven < _NOTE and not declared:
        # Between the two levels the settings may be fair or not: what a local device could make of
        # the bias they show is granted to it. Else all-zero answers at S = 2 can reach p < 1e-6.
        looks = f"settings look uneven (p = {uneven:.2g})"
        if limit is None:
            notes.append(f"{looks}, but are taken as drawn fresh and fairly")
            return tau, refused
        shown = _shown_bias(game, totals)
        notes.append(
            f"{looks}: they are taken to be predictable, to the bias of {shown:.2g} that they show"
        )
        return max(tau, shown), refused
    if not declared:
        notes.append(
            "settings were drawn fresh and fairly, and nothing could predict them (tau = 0)"
        )
    return tau, refused


def _shown_bias(game: Game, totals: npt.NDArray[np.int64]) -> float:
    """Bias of each setting bit as the settings have it, without an allowance for chance."""
    coins = _coins(game) or 1
    share = totals / totals.sum()
    own = max(
        abs(float(share[game.questions[:, i] == 1].sum()) - 0.5) for i in range(game.n_parties)
    )
    return min(0.499, max(own, 0.5 - math.pow(float(share.min()), 1 / coins)))


def _log_too_even(totals: npt.NDArray[np.int64]) -> float:
    """Bound the log chance that fresh, fair questions come as evenly as these.

    No outcome of the multinomial law is likelier than n! / ((n/Q)!)^Q / Q^n, and fewer than
    (2 sqrt(D) + 1)^(Q-1) have a sum of squared deviations of at most D.
    """
    n, q = int(totals.sum()), len(totals)
    if q < 2:
        return 0.0
    top = lgamma(n + 1) - q * lgamma(n / q + 1) - n * log(q)
    deviation = float(((totals - n / q) ** 2).sum())
    return top + (q - 1) * log(2 * sqrt(deviation) + 1)


def bias_limit(game: Game, totals: npt.NDArray[np.int64]) -> float | None:
    """Upper limit on how far the settings are from fair, read as a bias of each setting bit.

    The larger of the parties' own biases, and of the bias that would make the rarest question as
    rare as it may be: the second notices coins that are fair one by one but not independent.
    """
    coins = _coins(game)
    if coins is None or game.settings != (2,) * game.n_parties:
        return None
    n = int(totals.sum())
    share = _FAULT / (game.n_parties + game.n_questions)
    ones = [int(totals[game.questions[:, i] == 1].sum()) for i in range(game.n_parties)]
    own = max(coin_bias_limit(k, n, share) for k in ones)
    rarest = min(float(beta.ppf(share, k, n - k + 1)) if k else 0.0 for k in totals.tolist())
    return float(max(own, 0.5 - math.pow(rarest, 1 / coins)))
