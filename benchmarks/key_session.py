"""How long two parties take from drawn rounds to a final key, in seconds of one core, and on what.

    python benchmarks/key_session.py [SIFTED]

Rounds of a BB84 line are drawn by chance at an error rate of 1, 2 and 5 %, until about SIFTED (10^6)
bits are sifted, and Alice and Bob are let talk: sifting, estimation, Cascade, verification, shortening,
authentication of the whole transcript. Printed: all of it, its parts by the time between the messages
that begin them, message rounds, bytes that passed, the key, and the same with drawing on a simulator.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterable

import numpy as np

from ebit.analysis.key_plan import KeyPlan, plan_key
from ebit.protocols.authentication import Authenticator
from ebit.protocols.conversation import HEAD_BYTES, Role, converse
from ebit.protocols.key_parties import alice, bob
from ebit.protocols.key_referee import judge, law_for, random_bytes
from ebit.protocols.keys import key_program
from ebit.protocols.run import run_experiment
from ebit.protocols.sifting import RawSide

# The message that begins each part.
PARTS = {
    "plan": "bases and choice of rounds",
    "bob's test bits": "estimation",
    "reconcile": "Cascade",
    "hash": "verification",
    "hash seed": "shortening",
    "auth offer": "authentication",
}


def drawn(plan: KeyPlan, seed: int) -> tuple[RawSide, RawSide]:
    """Rounds of a line that errs as planned."""
    rng = np.random.default_rng(seed)
    n = plan.rounds
    a, b = (
        (rng.random(n) >= odds[0]).astype(np.uint8) for odds in (plan.alice_odds, plan.bob_odds)
    )
    bits = rng.integers(0, 2, n, np.uint8)
    wrong = rng.random(n) < np.where(a == b, plan.qber, 0.5)
    return RawSide(a, bits), RawSide(b, bits ^ wrong.astype(np.uint8))


def session(plan: KeyPlan, seed: int) -> tuple[float, dict[str, float], str]:
    """One session: seconds, seconds by part, and what came of it."""
    one, two = drawn(plan, seed)
    law = law_for("bb84", (2, 2))
    auth = Authenticator.in_memory()
    marks: list[tuple[str, float]] = []

    def watch(role: Role, number: int, frame: bytes) -> Iterable[bytes]:
        kind = frame[HEAD_BYTES : HEAD_BYTES + frame[3]].decode()
        if kind in PARTS and all(kind != known for known, _ in marks):
            marks.append((kind, time.perf_counter()))
        return [frame]

    begun = time.perf_counter()
    ends = converse(
        alice(one, plan, law, auth=auth[0], random=random_bytes(seed, 0)),
        bob(two, plan, law, auth=auth[1], random=random_bytes(seed, 1)),
        wire=watch,
    )
    ended = time.perf_counter()
    values = [end.result() for end in ends]
    if values[0].key is None or values[0].key != values[1].key:
        raise SystemExit(f"no key: {values[0].reason}")
    passed = sum(len(frame) for end in ends for frame in end.end.sent)
    facts = values[0].facts
    said = (
        f"{facts['sifted']:,} sifted bits, key of {values[0].key.bits:,}, "
        f"{facts['message_rounds']} message rounds of Cascade, {passed / 1e6:.2f} MB passed"
    )
    times = [at for _, at in marks] + [ended]
    parts = {PARTS[kind]: times[i + 1] - at for i, (kind, at) in enumerate(marks)}
    return ended - begun, parts, said


def main() -> None:
    """Measure and print."""
    sifted = int(float(sys.argv[1])) if len(sys.argv) > 1 else 10**6
    for qber in (0.01, 0.02, 0.05):
        rounds = sifted
        for _ in range(4):  # signals that sift to so many bits, at the bias of the plan
            plan = plan_key("bb84", rounds, qber=qber, authentication_bits=256)
            share = plan.key_probability + (1 - plan.alice_odds[0]) * (1 - plan.bob_odds[0])
            rounds = round(sifted / share)
        session(plan, 0)
        runs = [session(plan, seed) for seed in range(1, 6)]
        total = statistics.median(run[0] for run in runs)
        print(f"error rate {100 * qber:g} %: {total:.2f} s, target 3 s for 10^6; {runs[0][2]}")
        for name in PARTS.values():
            print(f"  {name:<28}{statistics.median(run[1][name] for run in runs):.3f} s")
    begun = time.perf_counter()
    program, purpose, total_rounds, qubits = key_program("aer:fez", shots=rounds, seed=1)
    run = run_experiment(program, "aer:fez", shots=total_rounds, qubits=qubits, seed=1)
    run.trials.rounds()
    drawn_in = time.perf_counter() - begun
    begun = time.perf_counter()
    found = judge(run, purpose)
    print(
        f"on aer:fez: {rounds:,} signals planned, compiled and drawn in {drawn_in:.2f} s; from there to "
        f"{found.title} in {time.perf_counter() - begun:.2f} s ({found.sifted:,} sifted bits, equal: "
        f"{found.keys_equal})"
    )


if __name__ == "__main__":
    main()
