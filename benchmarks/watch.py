"""How fast the watch is, beside a bare CUSUM in the same language, and how soon it notices.

    python benchmarks/watch.py [ROUNDS]

One core. First, ROUNDS rounds (10^7) in rows, one byte each, and packed: rounds per second of the change
detector, of the session test and of a bare CUSUM of one known alternative, both compiled by numba. Then
rounds one by one, in Python, against the same CUSUM in Python. Ratios are of times measured alternately in
this run, best of five. Then a week of rounds, 10^9, with the growth of this process's memory. Last, mean
delays at c = 10^6 beside the known figures. Exit code 1 if a target is missed.
"""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from numba import njit

from ebit.analysis.watch_calibration import watch_game
from ebit.analysis.watch_delay import simulate_delay
from ebit.analysis.watch_detector import ChangeDetector
from ebit.analysis.watch_session import SessionTest

BATCH, SINGLE, RATIO, DELAY = 2e8, 1e6, 1.5, 1.05
NEVER = 1e15  # evidence that is not reached: honest rounds are timed to the last
# A tapped stream would end at its alarm; honest ones are timed, at rates a little below q0.
LINKS = (("xz", 0.02, 0.018), ("xyz", 0.1, 0.095), ("chsh", 0.16, 0.155), ("mermin", 0.05, 0.048))
FIGURES = (
    (0.01, 1.0, 26.9, 22.5),
    (0.02, 1.0, 35.7, 29.5),
    (0.02, 0.25, 297.3, 200.6),
    (0.02, 0.1, 1415.0, 800.0),
)
Rounds = npt.NDArray[np.uint8]


@njit(cache=False)
def cusum_rows(rounds, up, down, bar):  # type: ignore[no-untyped-def]
    """A bare CUSUM: nothing but the sum, cut at 0, and its bar."""
    s = 0.0
    for i in range(rounds.size):
        s = max(0.0, s + (down if rounds[i] else up))
        if s >= bar:
            return i
    return rounds.size


class Cusum:
    """The same in Python, a round at a time."""

    def __init__(self, up: float, down: float, bar: float) -> None:
        self.up, self.down, self.bar, self.s = up, down, bar, 0.0

    def step(self, passed: object) -> bool:
        """Take one round."""
        s = self.s + (self.down if passed else self.up)
        self.s = s = s if s > 0.0 else 0.0
        return s >= self.bar


def best(contenders: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Shortest of five times each, taken in turns."""
    times = dict.fromkeys(contenders, math.inf)
    for _ in range(5):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            times[name] = min(times[name], time.perf_counter() - start)
    return times


def increments(game: str, q0: float) -> tuple[float, float]:
    """Logarithms of the factors of a CUSUM for the strongest alternative."""
    q = watch_game(game).alternative(q0, 1.0)
    return math.log(q / q0), math.log((1 - q) / (1 - q0))


def rows(rounds: Rounds, game: str, q0: float) -> dict[str, float]:
    """Times for all rounds in rows."""
    packed = np.packbits(rounds)
    up, down = increments(game, q0)
    return best(
        {
            "change": lambda: ChangeDetector(game, q0, c=NEVER).feed(rounds),
            "packed": lambda: ChangeDetector(game, q0, c=NEVER).feed_packed(packed, len(rounds)),
            "session": lambda: SessionTest(game, q0, alpha=1 / NEVER).feed(rounds),
            "cusum": lambda: cusum_rows(rounds, up, down, 1e9),
        }
    )


def one_by_one(rounds: list[int], game: str, q0: float) -> dict[str, float]:
    """Times for rounds given one at a time."""
    up, down = increments(game, q0)

    def through(step: Callable[[object], bool]) -> None:
        for passed in rounds:
            step(passed)

    return best(
        {
            "change": lambda: through(ChangeDetector(game, q0, c=1e9).step),
            "session": lambda: through(SessionTest(game, q0, alpha=1e-9).step),
            "cusum": lambda: through(Cusum(up, down, 1e9).step),
        }
    )


def week(total: int = 10**9) -> bool:
    """A week of rounds in constant memory."""
    piece = (np.random.default_rng(3).random(10_000_000) >= 0.018).astype(np.uint8)
    detector = ChangeDetector("xz", 0.02, c=NEVER)
    detector.feed(piece)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size, start = len(str(detector.state())), time.perf_counter()
    while detector.rounds < total:
        detector.feed(piece)
    seconds = time.perf_counter() - start
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(
        f"{detector.rounds:.0e} rounds in {seconds:.2f} s; memory grew by {grown} KiB, state "
        f"{size} -> {len(str(detector.state()))} characters, evidence {detector.evidence:.1f}"
    )
    return grown < 4096 and not detector.alarm


def delays() -> bool:
    """Mean delays at c = 10^6 beside the known figures."""
    rng, fine = np.random.default_rng(4), True
    print(
        f"{'q0, fraction':14}{'ln c / D':>9}{'session':>16}{'figure':>8}{'change':>16}{'figure':>8}"
    )
    for q0, f, session, change in FIGURES:
        q = watch_game("xz").alternative(q0, f)
        a = simulate_delay("xz", q0, q, c=1e6, rng=rng, runs=10_000, detector="session")
        b = simulate_delay("xz", q0, q, c=1e6, rng=rng, runs=10_000, change=300)
        print(
            f"{q0}, {f:<8}{a.bound:9.1f}{a.mean:9.1f} +- {a.error:<4.1f}{session:7.1f}"
            f"{b.mean:9.1f} +- {b.error:<4.1f}{change:7.1f}"
        )
        fine &= a.mean <= DELAY * session and b.mean <= DELAY * change
    return fine


def main(n: int = 10_000_000) -> int:
    """Print the tables; 1 when a target is missed."""
    rng, fine = np.random.default_rng(1), True
    print(f"{n:.0e} rounds in rows, rounds per second (targets {BATCH:g}; time / CUSUM {RATIO})")
    print(f"{'':8}{'change':>10}{'packed':>10}{'session':>10}{'cusum':>10}{'change/cusum':>14}")
    (
        ChangeDetector("xz", 0.02, c=NEVER).feed([0, 1]),
        SessionTest("xz", 0.02, alpha=0.1).feed([0, 1]),
    )
    cusum_rows(np.ones(2, np.uint8), 1.0, -1.0, 9.0)
    streams = {game: (rng.random(n) >= rate).astype(np.uint8) for game, _, rate in LINKS}
    for game, q0, _ in LINKS:
        t = rows(streams[game], game, q0)
        ratio = t["change"] / t["cusum"]
        speeds = "".join(
            f"{n / t[name]:10.2e}" for name in ("change", "packed", "session", "cusum")
        )
        print(f"{game:8}{speeds}{ratio:14.2f}")
        fine &= n / t["change"] > BATCH and n / t["packed"] > BATCH and ratio <= RATIO
        fine &= n / t["session"] > BATCH
    few = min(n, 300_000)
    print(f"{few:.0e} rounds one by one in Python (targets {SINGLE:g}; time / CUSUM {RATIO})")
    print(f"{'':8}{'change':>10}{'session':>10}{'cusum':>10}{'change/cusum':>14}")
    for game, q0, _ in LINKS:
        t = one_by_one(streams[game][:few].tolist(), game, q0)
        ratio = t["change"] / t["cusum"]
        speeds = "".join(f"{few / t[name]:10.2e}" for name in ("change", "session", "cusum"))
        print(f"{game:8}{speeds}{ratio:14.2f}")
        fine &= few / t["change"] > SINGLE and few / t["session"] > SINGLE and ratio <= RATIO
    fine &= week()
    fine &= delays()
    print("targets reached" if fine else "a target was MISSED")
    return 0 if fine else 1


if __name__ == "__main__":
    raise SystemExit(main(*(int(float(a)) for a in sys.argv[1:2])))
