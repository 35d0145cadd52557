"""How long a key block takes to reconcile, by the time a message needs: syndromes beside Cascade.

    python benchmarks/reconciliation_latency.py [BITS] [FRAMES]

For error rates of 1, 2, 3 and 5 %: leak f (against the realised error rate), round trips and CPU
seconds of one-way syndromes, of blind ones and of Cascade, run between two parties in one process; then
the time per block, round trips times the round-trip time plus CPU time, at 0, 1, 10 and 100 ms; and the
round-trip time from which the syndromes are faster than Cascade, and from which they bring more key per
second if nothing runs in parallel. The key counted is n (1 - h(Q)) less the leak.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ebit.analysis.ldpc import plan_syndrome
from ebit.protocols.cascade import cascade_alice, cascade_bob
from ebit.protocols.conversation import Party, converse
from ebit.protocols.syndrome import syndrome_alice, syndrome_bob
from ebit.protocols.syndrome_blind import blind_alice, blind_bob, plan_blind

TRIPS_MS = (0, 1, 10, 100)
Pair = Callable[[Any, Any], tuple[Party[Any], Party[Any]]]


def h(q: float) -> float:
    """Binary entropy."""
    return float(-q * np.log2(q) - (1 - q) * np.log2(1 - q))


def measured(pair: Pair, n: int, q: float, frames: int) -> tuple[float, float, float, int]:
    """Mean f, mean round trips, mean CPU seconds of both sides, and failures."""
    rng = np.random.default_rng(2)
    fs, trips, seconds, lost = [], [], [], 0
    for frame in range(frames + 1):
        a = rng.integers(0, 2, n, np.uint8)
        b = a ^ (rng.random(n) < q)
        begun = time.process_time()
        alice, bob = converse(*pair(a, b))
        spent = time.process_time() - begun
        if frame == 0:
            continue  # compiles, and makes the code
        result = bob.result()
        lost += result.bits is None or not np.array_equal(result.bits, a)
        fs.append(alice.end.leaked / (n * h(float(np.mean(a != b)))))
        # Alice speaks first: what she waits for are round trips.
        trips.append(alice.end.turns)
        seconds.append(spent)
    return statistics.mean(fs), statistics.mean(trips), statistics.mean(seconds), lost


def crossing(ours: tuple[float, ...], theirs: tuple[float, ...], weight: float) -> str:
    """The round-trip time in ms from which weight * our time is below their time."""
    saved, cost = theirs[1] - weight * ours[1], weight * ours[2] - theirs[2]
    return "always" if cost <= 0 else "never" if saved <= 0 else f"{1e3 * cost / saved:.2f} ms"


def main() -> None:
    """Measure and print."""
    n = int(float(sys.argv[1])) if len(sys.argv) > 1 else 100_000
    frames = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    for q in (0.01, 0.02, 0.03, 0.05):
        one, few = plan_syndrome(n, q), plan_blind(n, q)
        ways: dict[str, Pair] = {
            "one-way": lambda a, b, p=one, q=q: (syndrome_alice(a, p), syndrome_bob(b, p, q)),
            "blind": lambda a, b, p=few, q=q: (blind_alice(a, p), blind_bob(b, p, q)),
            "Cascade": lambda a, b, q=q: (cascade_alice(a, qber=q), cascade_bob(b, qber=q)),
        }
        print(f"{n} bits, Q = {q:.0%}, {frames} frames")
        found = {name: measured(pair, n, q, frames) for name, pair in ways.items()}
        theirs = found["Cascade"]
        for name, (f, trips, cpu, lost) in found.items():
            times = ", ".join(f"{1e3 * cpu + trips * rtt:.0f}" for rtt in TRIPS_MS)
            line = (
                f"  {name:8} f {f:.4f}  round trips {trips:6.1f}  {n / cpu / 1e6:.2f} Mbit/s  "
                f"lost {lost}  ms per block at {'/'.join(map(str, TRIPS_MS))} ms: {times}"
            )
            if name != "Cascade":
                key, other = (1 - h(q) - g * h(q) for g in (f, theirs[0]))
                weight = other / key if key > 0 else float("inf")
                line += (
                    f"; faster than Cascade from {crossing(found[name], theirs, 1.0)}, more key per "
                    f"second from {crossing(found[name], theirs, weight)}"
                )
            print(line, flush=True)


if __name__ == "__main__":
    main()
