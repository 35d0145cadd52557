"""What the watch bets on, and what it promises about false alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ebit.analysis.binomial import check_count, check_probability
from ebit.analysis.watch_calibration import WatchGame, check_watchable, watch_game
from ebit.analysis.watch_kernels import LANES
from ebit.games import ArgumentError

__all__ = ["FRACTIONS", "Guarantee", "change_guarantee", "watch_rates"]

FRACTIONS = (1.0, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32)
_LARGEST = 1e200


def watch_rates(
    game: str | WatchGame, q0: float, fractions: Sequence[float] = FRACTIONS
) -> tuple[float, ...]:
    """Return the rates of failed rounds that a watch bets on, for attacks on fractions of rounds.

    They are fixed before the first round and not tuned to any attack, see `WatchGame.alternative`.

    Args:
        game: xz, xyz, chsh or mermin.
        q0: upper limit of the honest rate of failed rounds.
        fractions: up to 8 numbers in (0, 1].

    Raises:
        ArgumentError: fractions out of range, or a link that is not better than the floor.

    Example:
        >>> [round(q, 4) for q in watch_rates("xz", 0.02)]
        [0.26, 0.14, 0.08, 0.05, 0.035, 0.0275]
    """
    played = watch_game(game)
    q0 = check_watchable(played, q0)
    if not 1 <= len(fractions) <= LANES or not all(0 < f <= 1 for f in fractions):
        raise ArgumentError(
            f"Argument `fractions` must be 1 to {LANES} numbers above 0 and at most 1, but was "
            f"{tuple(fractions)!r}."
        )
    return tuple(float(played.alternative(q0, f)) for f in fractions)


@dataclass(frozen=True)
class Guarantee:
    """What a change detector promises about false alarms.

    Attributes:
        c: evidence at which the alarm is raised.
        q0: rate of failed rounds up to which it holds.
        horizon: rounds for which `alpha` was asked, or None where c was given itself.
        alpha: chance of a false alarm within the horizon, at most.
    """

    c: float
    q0: float
    horizon: int | None = None
    alpha: float | None = None

    method = "mixture Shiryaev-Roberts e-detector"
    assumptions = ("an honest round fails with probability at most q0, whatever happened before",)
    not_given = (
        "no bound on ever raising a false alarm: in enough rounds there is one",
        "no cause: noise that grew and an attack that looks like it are the same",
    )

    @property
    def mean_rounds(self) -> float:
        """Mean number of rounds to a false alarm, at least."""
        return self.c

    def false_alarm(self, rounds: int) -> float:
        """Return the largest probability of a false alarm within so many rounds.

        >>> Guarantee(1e6, 0.02).false_alarm(1000)
        0.001
        """
        return min(1.0, check_count("rounds", rounds) / self.c)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "c": self.c,
            "q0": self.q0,
            "horizon": self.horizon,
            "alpha": self.alpha,
            "mean_rounds_to_false_alarm": self.c,
            "method": self.method,
            "assumptions": list(self.assumptions),
            "not_given": list(self.not_given),
        }

    def __str__(self) -> str:
        within = (
            f"at most n/{self.c:g} within n rounds"
            if self.horizon is None
            else f"at most {self.alpha:g} within {self.horizon} rounds"
        )
        return (
            f"false alarms: one in {self.c:g} rounds on average or fewer, with probability {within}, "
            f"while a round fails with probability at most {self.q0:.6g}"
        )


def change_guarantee(
    q0: float,
    *,
    c: float | None = None,
    horizon: int | None = None,
    alpha: float | None = None,
) -> Guarantee:
    """Return the guarantee of a detector from c, or from a horizon and alpha: c = horizon / alpha.

    Args:
        q0: upper limit of the honest rate of failed rounds.
        c: least mean number of rounds to a false alarm, above 1 and at most 1e200.
        horizon: rounds within which a false alarm may have probability alpha at most.
        alpha: that probability, in (0, 1).

    Raises:
        ArgumentError: neither or both ways given, or a number out of range.

    Example:
        >>> change_guarantee(0.02, horizon=100_000, alpha=0.01).c
        10000000.0
    """
    if (c is None) == (horizon is None) or (horizon is None) != (alpha is None):
        raise ArgumentError(
            "Either `c` or both of `horizon` and `alpha` must be given, but they were "
            f"{c!r}, {horizon!r} and {alpha!r}."
        )
    if horizon is not None and alpha is not None:
        horizon = check_count("horizon", horizon, low=1)
        c = horizon / check_probability("alpha", alpha, open_ends=True)
    if c is None or not 1 < c <= _LARGEST:
        raise ArgumentError(f"Argument `c` must be above 1 and at most 1e200, but was {c!r}.")
    return Guarantee(float(c), float(q0), horizon, alpha)
