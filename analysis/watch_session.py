"""A test of one session from its start: whether it ever gives a false alarm is bounded.

Where the change detector accepts a false alarm now and then, this one does not: it bets from the first
round of a session that rounds fail more often than q0, and the probability that an honest session of any
length ever raises the alarm is at most alpha. The price: what is lost while the link is honest has to
be won back, so it suits links that may be attacked from the start, not changes late in a long session.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ebit.analysis.binomial import check_count, check_probability
from ebit.analysis.watch_calibration import WatchGame, watch_game
from ebit.analysis.watch_feeding import Pieces, RoundFed
from ebit.analysis.watch_guarantee import FRACTIONS, watch_rates
from ebit.analysis.watch_kernels import scan_session
from ebit.games import ArgumentError

__all__ = ["SessionTest", "session_log_e"]

_FORMAT = "ebit-session-test-1"


def session_log_e(fails: int, passes: int, q0: float, rates: Sequence[float]) -> float:
    r"""Return the natural logarithm of the mixture e-process after so many rounds.

    .. math:: W = \frac1J \sum_j (q_j/q_0)^{k} \Big(\frac{1-q_j}{1-q_0}\Big)^{m}

    Args:
        fails: k, failed rounds.
        passes: m, passed rounds.
        q0: upper limit of the honest rate of failed rounds.
        rates: q_j, the rates bet on, see `watch_rates`.

    Example:
        >>> round(math.exp(session_log_e(1, 0, 0.02, [0.26, 0.14])), 12)
        10.0
    """
    k, m = float(fails), float(passes)
    logs = [k * math.log(q / q0) + m * math.log((1 - q) / (1 - q0)) for q in rates]
    top = max(logs)
    return top + math.log(math.fsum(math.exp(x - top) for x in logs) / len(logs))


class SessionTest(RoundFed):
    """An e-process from the start of a session: P(ever a false alarm) is at most alpha.

    Only the numbers of passed and failed rounds matter, so the state is exact. Rounds come as for
    `ChangeDetector`; the test stops at its alarm.

    Args:
        game: xz, xyz, chsh or mermin; decides which rates are bet on.
        q0: upper limit of the honest rate of failed rounds, from `calibrate`.
        alpha: probability that an honest session ever raises the alarm, at most.
        fractions: of the rounds attacked, for the rates that are bet on.

    Raises:
        ArgumentError: a number out of range, or a link that is not better than the floor.

    Example:
        >>> session = SessionTest("xz", 0.02, alpha=1e-6)
        >>> session.feed(np.random.default_rng(1).random(1000) >= 0.26) < 100, session.alarm
        (True, True)

    Source:
        Ville 1939; Ramdas et al., arXiv:2210.01948; Robbins, Ann. Math. Stat. 41, 1397 (1970).
    """

    method = "mixture e-process from the start of the session"
    assumptions = ("an honest round fails with probability at most q0, whatever happened before",)
    not_given = ("no quick notice of a change late in a session: see the change detector",)

    def __init__(
        self,
        game: str | WatchGame,
        q0: float,
        *,
        alpha: float,
        fractions: Sequence[float] = FRACTIONS,
    ) -> None:
        self.rates = watch_rates(game, q0, fractions)
        self.game = watch_game(game).name
        self.q0 = float(q0)
        self.alpha = float(check_probability("alpha", alpha, open_ends=True))
        self.fractions = tuple(float(f) for f in fractions)
        self._up = [math.log(q / self.q0) for q in self.rates]
        self._down = [math.log((1 - q) / (1 - self.q0)) for q in self.rates]
        self._bar = -math.log(self.alpha)
        # A mean is at most its largest term: nothing need be looked at before one bet gets so far.
        self._first = self._bar * (1 - 1e-12)
        self._passes, self._fails, self._next = 0, 0, 1
        self._alarm: int | None = None

    @property
    def rounds(self) -> int:
        """Rounds seen."""
        return self._passes + self._fails

    @property
    def fails(self) -> int:
        """Failed rounds."""
        return self._fails

    @property
    def log_e(self) -> float:
        """Natural logarithm of the e-process now; the alarm is raised at ln(1/alpha)."""
        return session_log_e(self._fails, self._passes, self.q0, self.rates)

    def step(self, passed: object) -> bool:
        """Take one round and return whether the alarm is raised by it.

        Args:
            passed: True or 1 for a passed round, False or 0 for a failed one.

        Raises:
            ArgumentError: anything else, such as NaN; or the alarm was raised before.
        """
        if self._alarm is not None:
            self._check_running()
        if passed == 1:
            self._passes += 1
            return False
        if passed == 0:
            self._fails += 1
            return self._fails >= self._next and self._look()
        raise ArgumentError(f"Argument `passed` must be 0 or 1, but was {passed!r}.")

    def _look(self) -> bool:
        """Whether this failed round raises the alarm; if not, which one is the next that may."""
        k, m = float(self._fails), float(self._passes)
        top = max(k * up + m * down for up, down in zip(self._up, self._down, strict=True))
        if top >= self._first and self.log_e >= self._bar:
            self._alarm = self.rounds
            return True
        # Each failed round adds max(up) at most to the largest bet, and a passed one nothing.
        self._next = self._fails + max(1, int((self._first - top) / max(self._up)))
        return False

    def _scan(self, pieces: Pieces) -> int:
        up, down, used = np.array(self._up), np.array(self._down), 0
        for words, count in pieces:
            done = 0
            while done < count and self._alarm is None:
                done, passes, fails, near = scan_session(
                    words, count, done, self._passes, self._fails, up, down, self._first
                )
                self._passes, self._fails = int(passes), int(fails)
                if near and self.log_e >= self._bar:
                    self._alarm = self.rounds
            used += int(done)
            if self._alarm is not None:
                break
        self._next = self._fails + 1
        return used

    def _check_running(self) -> None:
        if self._alarm is not None:
            raise ArgumentError(
                f"The alarm was raised at round {self._alarm}, and the test of this session ended "
                "there; make a new one for the next session."
            )

    def state(self) -> dict[str, Any]:
        """Return all that is needed to go on as if nothing had happened, as plain data."""
        return {
            "format": _FORMAT,
            "game": self.game,
            "q0": self.q0,
            "alpha": self.alpha,
            "fractions": list(self.fractions),
            "passes": self._passes,
            "fails": self._fails,
            "alarm_round": self._alarm,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> SessionTest:
        """Return the test whose `state` was saved.

        Args:
            state: what `state` returned, through JSON or not.

        Raises:
            ArgumentError: a part that is missing or cannot be.

        Example:
            >>> first = SessionTest("mermin", 0.05, alpha=0.01)
            >>> _ = first.feed([1, 0, 1])
            >>> SessionTest.from_state(first.state()).log_e == first.log_e
            True
        """
        if not isinstance(state, Mapping) or state.get("format") != _FORMAT:
            raise ArgumentError(f"Argument `state` must be a state of format {_FORMAT}.")
        try:
            fractions = tuple(state["fractions"])
            made = cls(state["game"], state["q0"], alpha=state["alpha"], fractions=fractions)
            made._passes = check_count("passes", state["passes"])
            made._fails = check_count("fails", state["fails"])
            made._next = made._fails + 1
            alarm = state["alarm_round"]
        except ArgumentError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise ArgumentError(f"Argument `state` is damaged: {error!r}.") from None
        if alarm is not None:
            made._alarm = check_count("alarm_round", alarm, low=1, high=made.rounds)
        return made
