"""The alarm of the watch: notices that rounds fail more often than before, as soon as can be.

A mixture Shiryaev-Roberts e-detector. Each of a few bets q_j > q0 keeps

    R_j <- (R_j + 1) e_j,   e_j = q_j / q0 if the round failed, (1 - q_j) / (1 - q0) if it passed,

and the alarm is raised when the mean of the R_j reaches c. As long as a round fails with probability at
most q0 given the past, mean(R) - n is a supermartingale: the mean number of rounds to a false alarm is
at least c, and within n rounds one happens with probability at most n / c.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ebit.analysis.binomial import check_count
from ebit.analysis.watch_calibration import WatchGame, watch_game
from ebit.analysis.watch_feeding import Pieces, RoundFed
from ebit.analysis.watch_guarantee import FRACTIONS, change_guarantee, watch_rates
from ebit.analysis.watch_kernels import (
    LANES,
    RUN,
    move,
    scan_every,
    scan_fails,
)
from ebit.games import ArgumentError

__all__ = ["ChangeDetector"]

_FORMAT = "ebit-change-detector-1"
Floats = npt.NDArray[np.float64]


@lru_cache(maxsize=32)
def _tables(q0: float, rates: tuple[float, ...]) -> tuple[Floats, Floats]:
    """Factor and summand of k passed rounds, and of these and a failed one.

    Made by the plain recursion, from operations that are the same on every machine.
    """
    bets = np.array(rates)
    up, down = np.zeros(LANES), np.zeros(LANES)
    up[: len(bets)], down[: len(bets)] = bets / q0, (1 - bets) / (1 - q0)
    passes = np.zeros((RUN + 1, 2, LANES))
    passes[0, 0] = 1.0
    for k in range(RUN):
        passes[k + 1, 0] = passes[k, 0] * down
        passes[k + 1, 1] = (passes[k, 1] + 1.0) * down
    after = np.empty((RUN, 2, LANES))
    after[:, 0] = passes[:RUN, 0] * up
    after[:, 1] = (passes[:RUN, 1] + 1.0) * up
    passes.flags.writeable = after.flags.writeable = False
    return passes, after


class ChangeDetector(RoundFed):
    """A change detector for one stream of rounds, in constant memory.

    Rounds come one by one (`step`), in rows (`feed`) or packed (`feed_packed`), mixed at will: the
    state is the same to the last bit however the stream was cut, and after it was saved and resumed.
    At the alarm it stops; `restart` begins anew.

    Args:
        game: xz, xyz, chsh or mermin; decides which rates are bet on.
        q0: upper limit of the honest rate of failed rounds, from `calibrate`.
        c: mean number of rounds to a false alarm, at least; or
        horizon: rounds within which
        alpha: is the largest chance of a false alarm (c = horizon / alpha).
        fractions: of the rounds attacked, for the rates that are bet on.

    Raises:
        ArgumentError: a number out of range, or a link that is not better than the floor.

    Example:
        >>> detector = ChangeDetector("xz", 0.02, horizon=10_000, alpha=0.01)
        >>> rng = np.random.default_rng(1)
        >>> detector.feed(rng.random(5000) >= 0.015), detector.alarm  # honest
        (5000, False)
        >>> used = detector.feed(rng.random(5000) >= 0.26)  # every pair is intercepted
        >>> detector.alarm_round - 5000 == used, used < 100
        (True, True)

    Source:
        Shin, Ramdas, Rinaldo, arXiv:2203.03532; Shiryaev, Theory Probab. Appl. 8, 22 (1963).
    """

    def __init__(
        self,
        game: str | WatchGame,
        q0: float,
        *,
        c: float | None = None,
        horizon: int | None = None,
        alpha: float | None = None,
        fractions: Sequence[float] = FRACTIONS,
    ) -> None:
        self.rates = watch_rates(game, q0, fractions)
        self.game = watch_game(game).name
        self.fractions = tuple(float(f) for f in fractions)
        self.guarantee = change_guarantee(float(q0), c=c, horizon=horizon, alpha=alpha)
        self._passes, self._after = _tables(self.guarantee.q0, self.rates)
        self._run = self._passes[RUN]
        down = self._passes[1, 0]
        # A passed round takes sum(R) to at most max(e) sum(R) + sum(e): never above the larger of
        # itself and `level`, so above that level only failed rounds lift it.
        self._level = float(down.sum() / (1 - down.max())) * 1.000001
        self._bar = self.guarantee.c * len(self.rates)
        self._every = self._bar <= self._level
        self._most = max(self.rates) / self.guarantee.q0 * (1 + 1e-12)
        self._more = len(self.rates) * self._most
        self._bound = 0.0
        self._base, self._fails, self._since = 0, 0, 0
        self._begin()

    def _begin(self) -> None:
        self._state = np.zeros(LANES)
        self._pending, self._gaps = 0, list[int]()
        self._alarm: int | None = None
        self._quick = not self._every
        self._look()

    @property
    def rounds(self) -> int:
        """Rounds seen in all, before restarts too."""
        self._settle()
        return self._base + self._pending

    @property
    def rounds_since_start(self) -> int:
        """Rounds since the start or the last restart."""
        return self.rounds - self._since

    @property
    def fails(self) -> int:
        """Failed rounds in all."""
        self._settle()
        return self._fails

    @property
    def components(self) -> tuple[float, ...]:
        """R of each bet now, in the order of `rates`."""
        return tuple(self._now()[: len(self.rates)])

    @property
    def evidence(self) -> float:
        """The mean of R now; the alarm is raised at c."""
        return _total(self._now()) / len(self.rates)

    def restart(self) -> None:
        """Begin anew from no evidence; rounds and failed ones are counted on.

        Each start has the whole guarantee again, and alarms of several starts add up.
        """
        self._base = self._since = self.rounds
        self._begin()

    def step(self, passed: object) -> bool:
        """Take one round and return whether the alarm is raised by it.

        Args:
            passed: True or 1 for a passed round, False or 0 for a failed one.

        Raises:
            ArgumentError: anything else, such as NaN; or the alarm was raised before.
        """
        # Rounds are only noted as long as a bound on sum(R) says that there is no alarm yet.
        if passed == 1:
            if self._quick:
                self._pending += 1
                return False
            return self._slowly(1)
        if passed == 0:
            bound = self._bound * self._most + self._more
            if bound < self._bar:
                self._bound = bound
                self._gaps.append(self._pending)
                self._pending = 0
                return False
            return self._slowly(0)
        raise ArgumentError(f"Argument `passed` must be 0 or 1, but was {passed!r}.")

    def _slowly(self, passed: int) -> bool:
        """Take a round that may raise the alarm."""
        self._check_running()
        if passed:
            self._pending += 1
            self._bound += len(self.rates)
            if self._bound < self._bar:
                return False
        else:
            self._gaps.append(self._pending)
            self._pending = 0
        if self._look() < self._bar:
            return False
        self._raise()
        return True

    def _raise(self) -> None:
        self._alarm = self.rounds
        self._quick, self._bound = False, math.inf

    def _look(self) -> float:
        """Bound sum(R) afresh: by its value now, which is returned, or for however many passes."""
        total = _total(self._now())
        self._bound = total if self._every else max(total, self._level)
        return total

    def _settle(self) -> None:
        """Move the state by the rounds that were noted."""
        if self._gaps or self._pending >= RUN:
            noted = sum(self._gaps) + len(self._gaps) + self._pending
            gaps = np.array(self._gaps, np.int64)
            left = move(gaps, self._state, self._pending, self._after, self._run)
            self._pending = int(left)
            self._base += noted - self._pending
            self._fails += len(self._gaps)
            self._gaps.clear()

    def _now(self) -> list[float]:
        self._settle()
        if self._pending == 0:
            held: list[float] = self._state.tolist()
            return held
        factor, summand = self._passes[self._pending]
        moved: list[float] = (self._state * factor + summand).tolist()
        return moved

    def _scan(self, pieces: Pieces) -> int:
        self._settle()
        used = 0
        scan: Callable[..., tuple[int, int, int, bool]] = scan_every if self._every else scan_fails
        run = self._passes if self._every else self._run
        for words, count in pieces:
            before = self._base + self._pending
            done, pending, fails, stop = scan(
                words, count, self._state, self._pending, self._after, run, self._bar
            )
            used += int(done)
            self._pending = int(pending)
            self._base = before + int(done) - self._pending
            self._fails += int(fails)
            if stop:
                self._raise()
                return used
        self._look()
        return used

    def _check_running(self) -> None:
        if self._alarm is not None:
            raise ArgumentError(
                f"The alarm was raised at round {self._alarm}, and the detector stopped there; call "
                "restart() to watch on."
            )

    def state(self) -> dict[str, Any]:
        """Return all that is needed to go on as if nothing had happened, as plain data.

        Floats survive JSON exactly, so what is resumed is the same to the last bit.
        """
        rounds = self.rounds
        return {
            "format": _FORMAT,
            "game": self.game,
            "q0": self.guarantee.q0,
            "c": self.guarantee.c,
            "horizon": self.guarantee.horizon,
            "alpha": self.guarantee.alpha,
            "fractions": list(self.fractions),
            "R": self._state[: len(self.rates)].tolist(),
            "pending": self._pending,
            "rounds": rounds,
            "since": self._since,
            "fails": self._fails,
            "alarm_round": self._alarm,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ChangeDetector:
        """Return the detector whose `state` was saved.

        Args:
            state: what `state` returned, through JSON or not.

        Raises:
            ArgumentError: a part that is missing or cannot be.

        Example:
            >>> first = ChangeDetector("chsh", 0.16, c=1e6)
            >>> _ = first.feed([1, 0, 1, 1, 0, 1])
            >>> second = ChangeDetector.from_state(first.state())
            >>> second.step(0), first.step(0), second.evidence == first.evidence
            (False, False, True)
        """
        if not isinstance(state, Mapping) or state.get("format") != _FORMAT:
            raise ArgumentError(f"Argument `state` must be a state of format {_FORMAT}.")
        try:
            horizon, alpha = state["horizon"], state["alpha"]
            made = cls(
                state["game"],
                state["q0"],
                c=state["c"] if horizon is None else None,
                horizon=horizon,
                alpha=alpha,
                fractions=tuple(state["fractions"]),
            )
            held = [float(r) for r in state["R"]]
            rounds = check_count("rounds", state["rounds"])
            made._pending = check_count("pending", state["pending"], high=min(RUN - 1, rounds))
            made._since = check_count("since", state["since"], high=rounds - made._pending)
            made._fails = check_count("fails", state["fails"], high=rounds)
            alarm = state["alarm_round"]
        except ArgumentError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise ArgumentError(f"Argument `state` is damaged: {error!r}.") from None
        if len(held) != len(made.rates) or not all(math.isfinite(r) and r >= 0 for r in held):
            raise ArgumentError(
                f"Argument `state` is damaged: R must be {len(made.rates)} numbers of at least 0, "
                f"but was {held!r}."
            )
        made._state[: len(held)] = held
        made._base = rounds - made._pending
        if alarm is not None:
            made._alarm = check_count("alarm_round", alarm, low=1, high=rounds)
            made._quick, made._bound = False, math.inf
            return made
        made._look()
        if _total(made._state.tolist()) >= made._bar:
            raise ArgumentError(
                "Argument `state` is damaged: its evidence is above c, but no alarm."
            )
        return made


def _total(r: Sequence[float]) -> float:
    """The sum of all lanes in the order of the kernels."""
    return ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]))
