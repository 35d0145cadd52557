"""What an honest link looks like before it is watched: the rate of failed rounds and its upper limit.

A round of a game is passed or failed. The watch bets that the rate of failed rounds has risen above
q0, so q0 must not lie below the honest rate: it is the upper end of a confidence sequence, which holds
at every number of calibration rounds at once, however it was decided when to stop calibrating.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from scipy import optimize, special

from ebit.analysis.binomial import check_count, check_probability, deviance
from ebit.games import ArgumentError

__all__ = [
    "WATCH_GAMES",
    "Calibration",
    "WatchGame",
    "calibrate",
    "check_watchable",
    "rate_limits",
    "watch_game",
]

_ROOT2 = math.sqrt(2)


@dataclass(frozen=True)
class WatchGame:
    """A game as a watch sees it: how often a round fails, honestly, at the floor, under a tap.

    Attributes:
        name: xz, xyz, chsh or mermin.
        floor: the pass rate that can be had without entanglement; a link that is not above it has
            nothing to watch.
        trust: whose devices the floor trusts.
        reach: pass rate of the strongest alternative that the watch bets on for a perfect link;
            intercept-resend of every round for xz, xyz and chsh, the local bound for mermin.
        honest: pass rate of a perfect link.
        source: where floor and reach come from.
    """

    name: str
    floor: float
    trust: str
    reach: float
    honest: float
    source: str

    def alternative(self, q0: float, fraction: float) -> float:
        r"""Return the rate of failed rounds when a fraction of the rounds is attacked.

        .. math:: q = q_0 + f\,(1 - 2 q_0)/4 \text{ (xz)}, \quad q_0 + f\,(1 - 2 q_0)/3
                  \text{ (xyz)}, \quad q_0 + f\,(1 - r - q_0) \text{ (others)}

        Args:
            q0: honest rate of failed rounds.
            fraction: f, in (0, 1].

        Example:
            >>> watch_game("xz").alternative(0.02, 1.0), watch_game("xyz").alternative(0.02, 1.0)
            (0.26, 0.34)
        """
        if self.name in {"xz", "xyz"}:
            return q0 + fraction * (1 - 2 * q0) * (1 - self.reach)
        return q0 + fraction * (1 - self.reach - q0)


WATCH_GAMES = {
    game.name: game
    for game in (
        WatchGame("xz", 3 / 4, "all", 3 / 4, 1.0, "separable states agree in X or Z at most 3/4"),
        WatchGame(
            "xyz", 2 / 3, "all", 2 / 3, 1.0, "separable states agree in X, Y or Z at most 2/3"
        ),
        WatchGame(
            "chsh",
            3 / 4,
            "none",
            0.5 + _ROOT2 / 8,
            0.5 + _ROOT2 / 4,
            "S <= 2, local realism; S <= sqrt 2 for product states, quant-ph/0604145",
        ),
        WatchGame("mermin", 3 / 4, "none", 3 / 4, 1.0, "M <= 2, local realism"),
    )
}


def watch_game(name: str | WatchGame) -> WatchGame:
    """Return the game of that name as a watch sees it.

    Args:
        name: xz, xyz, chsh or mermin; one of `WATCH_GAMES` passes.

    Raises:
        ArgumentError: another name.

    Example:
        >>> watch_game("xyz").floor
        0.6666666666666666

    Source:
        The floors: arXiv:2111.02800, quant-ph/0604145, Mermin, PRL 65, 1838 (1990).
    """
    if isinstance(name, WatchGame) and WATCH_GAMES.get(name.name) == name:
        return name
    if not isinstance(name, str) or name not in WATCH_GAMES:
        raise ArgumentError(
            f"Argument `game` must be one of {', '.join(WATCH_GAMES)}, but was {name!r}."
        )
    return WATCH_GAMES[name]


def _floor(game: WatchGame, floor: float | None) -> float:
    """The floor that counts: the game's own, or one above it."""
    if floor is None:
        return game.floor
    if not game.floor <= floor < 1:
        raise ArgumentError(
            f"Argument `floor` must be a pass rate of at least {game.floor:.6g}, the floor of "
            f"{game.name}, and below 1, but was {floor!r}."
        )
    return float(floor)


def check_watchable(game: str | WatchGame, q0: float, floor: float | None = None) -> float:
    """Return q0 if a link that fails so often is better than the floor, or raise.

    Args:
        game: the game, see `watch_game`.
        q0: upper limit of the honest rate of failed rounds, in (0, 1 - floor).
        floor: pass rate of a higher floor, if any; the game's own otherwise.

    Raises:
        ArgumentError: q0 is no probability in (0, 1), or the link is not above the floor.

    Example:
        >>> check_watchable("xz", 0.02)
        0.02
        >>> check_watchable("xz", 0.26)
        Traceback (most recent call last):
        ...
        ebit.games.errors.ArgumentError: Argument `q0` must lie below 0.25, ...
    """
    played = watch_game(game)
    most = 1 - _floor(played, floor)
    q0 = float(check_probability("q0", q0, open_ends=True))
    if q0 >= most:
        raise ArgumentError(
            f"Argument `q0` must lie below {most:.6g}, the rate of failed rounds in {played.name} "
            f"that needs no entanglement, but was {q0:.6g}: there is nothing to watch; calibrate "
            "longer if the observed rate is lower, or improve the link."
        )
    return q0


def _cut(fails: int, rounds: int, alpha: float) -> float:
    """How far n D(k/n || p) may go: ln 1/alpha + ln of the best likelihood over the mixture's."""
    k, n = fails, rounds
    best = (k * math.log(k / n) if k else 0.0) + ((n - k) * math.log1p(-k / n) if k < n else 0.0)
    mixed = float(special.betaln(k + 0.5, n - k + 0.5)) - math.log(math.pi)
    return max(best - mixed, 0.0) - math.log(alpha)


def rate_limits(fails: int, rounds: int, *, alpha: float) -> tuple[float, float]:
    r"""Return both limits of a rate, valid at every number of rounds at once.

    Kept are the rates p with

    .. math:: \frac{B(1/2 + k,\, 1/2 + n - k)}{B(1/2, 1/2)\; p^k (1-p)^{n-k}} < \frac1\alpha

    The ratio is a martingale under p, with mean 1: the chance that p is ever left out, at any n, is
    at most alpha (Ville).

    Args:
        fails: k, failed rounds.
        rounds: n; at 0 nothing is known and the limits are 0 and 1.
        alpha: chance that the rate ever lies outside, in (0, 1).

    Raises:
        ArgumentError: a number out of range.

    Example:
        >>> low, high = rate_limits(200, 10_000, alpha=0.001)
        >>> round(low, 5), round(high, 5)
        (0.01395, 0.02755)

    Source:
        Robbins, Ann. Math. Stat. 41, 1397 (1970); Ville 1939; Krichevsky and Trofimov, IEEE Trans.
        Inf. Theory 27, 199 (1981), for the prior.
    """
    n = check_count("rounds", rounds)
    k = check_count("fails", fails, high=n)
    check_probability("alpha", alpha, open_ends=True)
    if n == 0:
        return 0.0, 1.0
    cut = _cut(k, n, alpha)

    def excess(p: float) -> float:
        lost = deviance(k - n * p, n * p) if k else n * p
        kept = deviance(n * p - k, n * (1 - p)) if k < n else n * (1 - p)
        return lost + kept - cut

    rate, tiny = k / n, 1e-300
    low = 0.0
    if k:
        low = float(optimize.brentq(excess, tiny, rate, xtol=1e-300, rtol=1e-13))
    if k == 0:
        return low, -math.expm1(-cut / n)
    top = math.nextafter(1.0, 0.0)
    if k == n or excess(top) <= 0:
        return low, 1.0
    return low, float(optimize.brentq(excess, rate, top, xtol=1e-300, rtol=1e-13))


@dataclass(frozen=True)
class Calibration:
    """The honest rate of failed rounds of a link, and the limit that a watch may rely on.

    Attributes:
        game: which game was played.
        rounds: calibration rounds.
        fails: of these, failed.
        alpha: chance that the honest rate ever lay above the limits at some number of rounds.
        low: lower limit of the rate of failed rounds.
        q0: upper limit, the null of the detector.
        floor: pass rate that needs no entanglement.
    """

    game: str
    rounds: int
    fails: int
    alpha: float
    low: float
    q0: float
    floor: float

    method = "beta-binomial confidence sequence"
    assumptions = (
        "the link was honest while it was calibrated",
        "each honest round fails with the same probability, whatever happened before",
    )
    not_given = (
        "nothing about attacks that were there from the start: they become the honest rate",
    )

    @property
    def rate(self) -> float:
        """Observed rate of failed rounds."""
        return self.fails / self.rounds

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "game": self.game,
            "rounds": self.rounds,
            "fails": self.fails,
            "rate": self.rate,
            "low": self.low,
            "q0": self.q0,
            "alpha": self.alpha,
            "floor": self.floor,
            "method": self.method,
            "assumptions": list(self.assumptions),
            "not_given": list(self.not_given),
        }

    def __str__(self) -> str:
        return (
            f"{self.game}: {self.fails} of {self.rounds} rounds failed, rate {self.rate:.6f} "
            f"[{self.low:.6f}, {self.q0:.6f}] at every number of rounds at once, but for a chance "
            f"of {self.alpha:g}; the floor is {1 - self.floor:.6f}"
        )


def calibrate(
    fails: int,
    rounds: int,
    *,
    game: str | WatchGame,
    alpha: float = 1e-3,
    floor: float | None = None,
) -> Calibration:
    """Return the calibration of a link from its failed rounds, or refuse one that is no use.

    It may be called as often as one likes while rounds come in: `rate_limits` holds at all
    numbers of rounds at once.

    Args:
        fails: failed rounds. rounds: rounds in all, at least 1.
        game: xz, xyz, chsh or mermin, see `watch_game`.
        alpha: chance that the honest rate lies outside the limits.
        floor: pass rate of a higher floor, such as .853553 where only one side is trusted.

    Raises:
        ArgumentError: a number out of range, or a link whose limit is not better than the floor.

    Example:
        >>> calibration = calibrate(200, 10_000, game="xz")
        >>> round(calibration.q0, 5)
        0.02755
        >>> calibrate(30, 100, game="xz")
        Traceback (most recent call last):
        ...
        ebit.games.errors.ArgumentError: Calibration refused: 30 of 100 rounds of xz failed, ...

    Source:
        `rate_limits`.
    """
    played = watch_game(game)
    n = check_count("rounds", rounds, low=1)
    low, q0 = rate_limits(fails, n, alpha=alpha)
    used = _floor(played, floor)
    most = 1 - used
    if q0 >= most:
        raise ArgumentError(
            f"Calibration refused: {fails} of {n} rounds of {played.name} failed, at most "
            f"{q0:.6f} with confidence 1 - {alpha:g}, but {most:.6f} needs no entanglement: there "
            "is nothing to watch; "
            + ("calibrate with more rounds." if fails / n < most else "improve the link.")
        )
    return Calibration(played.name, n, int(fails), alpha, low, q0, used)
