"""What Cascade leaks and how fast it is, beside a straightforward Cascade in plain Python.

    python benchmarks/cascade.py [LARGEST]

For keys of 10^4, 10^5 and 10^6 bits (or up to LARGEST) at error rates of 1, 5 and 10 %: f (parities
told over n h(Q), Q being the realised error rate; mean and its standard error), message rounds, parities
told, bytes on the wire, and Mbit/s of CPU time of one core for both sides together, everything included
from the two keys to the two results: `converse`, frames, shuffles. The plain Cascade runs on the same keys
(fewer of them, of at most 10^5 bits), as two parties on the same channel that ask for one parity at a
time.
"""

from __future__ import annotations

import heapq
import math
import random
import statistics
import struct
import sys
import time

import numpy as np
import numpy.typing as npt

from ebit.protocols.cascade import cascade_alice, cascade_bob
from ebit.protocols.conversation import Expect, Message, Party, converse

Bits = npt.NDArray[np.uint8]
BLOCK = struct.Struct(">BII")
FRAMES = {10**4: 200, 10**5: 200, 10**6: 10}
RATES = (0.01, 0.05, 0.1)


def plain_orders(n: int) -> list[list[int]]:
    """The order of the positions in each of four passes, from a seed that both sides know."""
    orders = [list(range(n)) for _ in range(4)]
    for p, order in enumerate(orders):
        random.Random(p).shuffle(order)
    return orders


def plain_alice(bits: list[int]) -> Party[None]:
    """Answer for the parity of one block after another, until there is no further question."""
    orders = plain_orders(len(bits))
    while asked := (yield Expect("ask")):
        p, begin, end = BLOCK.unpack(asked)
        yield Message("parity", bytes([sum([bits[i] for i in orders[p][begin:end]]) % 2]), leaks=1)


def plain_bob(bits: list[int], qber: float) -> Party[list[int]]:
    """Cascade as its paper has it: four passes, blocks of .73 / Q and twice as many each time.

    Blocks are halved one at a time, the smallest odd one first; parities that were told are kept.

    Source: G. Brassard and L. Salvail, EUROCRYPT 1993, LNCS 765, 410.
    """
    n, orders = len(bits), plain_orders(len(bits))
    known: dict[tuple[int, int, int], int] = {}
    places = [[0] * n for _ in orders]
    for order, place in zip(orders, places, strict=True):
        for k, i in enumerate(order):
            place[i] = k
    sizes = [min(n, max(1, round(0.73 / qber)) << p) for p in range(len(orders))]

    def is_odd(p: int, begin: int, end: int) -> Party[bool]:
        if (p, begin, end) not in known:
            yield Message("ask", BLOCK.pack(p, begin, end))
            known[p, begin, end] = (yield Expect("parity"))[0]
        return (sum([bits[i] for i in orders[p][begin:end]]) + known[p, begin, end]) % 2 == 1

    for last, size in enumerate(sizes):
        for first in range(0, n, size):
            waiting = [(size, last, first)]
            while waiting:
                _, p, begin = heapq.heappop(waiting)
                end = min(n, begin + sizes[p])
                if not (yield from is_odd(p, begin, end)):
                    continue
                while end - begin > 1:
                    middle = (begin + end) // 2
                    if (yield from is_odd(p, begin, middle)):
                        end = middle
                    else:
                        begin = middle
                error = orders[p][begin]
                bits[error] ^= 1
                for q in range(last + 1):
                    heapq.heappush(waiting, (sizes[q], q, places[q][error] // sizes[q] * sizes[q]))
    yield Message("ask")
    return bits


def keys(rng: np.random.Generator, n: int, q: float) -> tuple[Bits, Bits]:
    """Draw a key and a noisy copy."""
    key = rng.integers(0, 2, n, np.uint8)
    return key, key ^ (rng.random(n) < q)


def efficiency(told: int, alice: Bits, bob: Bits) -> float:
    """Parities told over n h(Q), with the realised Q."""
    q = float((alice != bob).mean())
    return told / (-len(alice) * (q * math.log2(q) + (1 - q) * math.log2(1 - q)))


def measure(
    n: int, q: float, frames: int
) -> tuple[list[float], list[int], list[int], float, float]:
    """Return f, rounds and parities of each frame, bytes per parity, and Mbit/s."""
    rng = np.random.default_rng(5)
    f, rounds, told, sent, seconds = [], [], [], 0, 0.0
    for _ in range(frames):
        key, noisy = keys(rng, n, q)
        begun = time.process_time()
        a, b = converse(cascade_alice(key, qber=q), cascade_bob(noisy, qber=q))
        seconds += time.process_time() - begun
        made = b.result()
        if not (made.bits == key).all():
            print("  a frame was left with errors")
        f.append(efficiency(a.end.leaked, key, noisy))
        rounds.append(made.message_rounds)
        told.append(made.leak_bits)
        sent += sum(map(len, a.end.sent)) + sum(map(len, a.end.received))
    return f, rounds, told, sent / sum(told), n * frames / seconds / 1e6


def measure_plain(n: int, q: float) -> tuple[float, float]:
    """Return f and Mbit/s of the plain Cascade, of one frame."""
    key, noisy = keys(np.random.default_rng(6), n, q)
    alice, bob = key.tolist(), noisy.tolist()
    begun = time.process_time()
    a, b = converse(plain_alice(alice), plain_bob(bob, q))
    seconds = time.process_time() - begun
    b.result()
    return efficiency(a.end.leaked, key, noisy), n / seconds / 1e6


def main() -> None:
    """Measure and print."""
    largest = int(float(sys.argv[1])) if len(sys.argv) > 1 else 10**6
    measure(1000, 0.05, 2)  # compiles
    print(
        "    bits    Q   frames  f                rounds     told  bytes/told  Mbit/s  plain: f  Mbit/s  ratio"
    )
    for n, frames in FRAMES.items():
        if n > largest:
            break
        for q in RATES:
            f, rounds, told, size, speed = measure(n, q, frames)
            plain_f, plain_speed = measure_plain(min(n, 10**5), q)
            error = statistics.stdev(f) / math.sqrt(frames)
            print(
                f"{n:8d} {q:4.0%} {frames:8d}  {statistics.fmean(f):.4f} +- {error:.4f} "
                f"{statistics.fmean(rounds):7.0f} {statistics.fmean(told):8.0f}  {size:10.2f}  {speed:6.2f}"
                f"  {plain_f:8.3f}  {plain_speed:6.3f}  {speed / plain_speed:5.0f}"
            )


if __name__ == "__main__":
    main()
