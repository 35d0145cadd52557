"""How fast a conversation is authenticated, in CPU seconds of one core, and what it costs in key.

    python benchmarks/authentication.py [MEBIBYTES]

For 1 KiB, 1 MiB and 64 MiB (or the size given): the polynomial hash over GF(2^128) with the
processor's instruction and without it, whether both agree, and GMAC of `cryptography` where that is
installed. Then the bound on a forgery, and a whole session of two sides: in memory, and with both pads
put on disk before a tag leaves, in elapsed time.
"""

from __future__ import annotations

import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ebit.analysis.clmul import HARDWARE
from ebit.analysis.polynomial_hash import PolynomialHash, forgery_bound
from ebit.protocols.authentication import Authenticator, authenticate, new_auth_key
from ebit.protocols.conversation import Expect, Message, Party, converse


def timed(
    work: Callable[[], object], clock: Callable[[], float] = time.process_time, runs: int = 7
) -> float:
    """Median seconds of one call, after one that is not counted."""
    begun = clock()
    work()
    many = max(1, min(2000, int(0.05 / max(clock() - begun, 1e-6))))
    found = []
    for _ in range(runs):
        begun = clock()
        for _ in range(many):
            work()
        found.append((clock() - begun) / many)
    return statistics.median(found)


def gmac(key: bytes) -> Callable[[bytes], bytes] | None:
    """The tag of AES-GCM over data that is not encrypted, where `cryptography` is installed."""
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        return None
    cipher = AESGCM(key)
    return lambda message: bytes(cipher.encrypt(bytes(12), b"", message))


def speaks(auth: Authenticator, body: bytes) -> Party[bool]:
    """A side that says something and authenticates it."""
    yield Message("said", body)
    yield Expect("said")
    return (yield from authenticate(auth)).ok


def session(auths: tuple[Authenticator, Authenticator], body: bytes) -> None:
    """One session of two sides."""
    ends = converse(*(speaks(auth, body) for auth in auths))
    if not all(ending.result() for ending in ends):
        raise SystemExit("a session was not authenticated")


def main() -> None:
    """Measure and print."""
    sizes = [int(float(sys.argv[1]) * 2**20)] if len(sys.argv) > 1 else [2**10, 2**20, 2**26]
    rng = np.random.default_rng(1)
    key = rng.bytes(16)
    paths = {"with the instruction": True} if HARDWARE else {}
    for size in sizes:
        message = rng.bytes(size)
        print(f"{size:,} bytes")
        hashes = [PolynomialHash(key, hardware=path) for path in {**paths, "": False}.values()]
        for name, hashed in zip((*paths, "without"), hashes, strict=True):
            seconds = timed(lambda hashed=hashed, message=message: hashed(message))
            print(f"  {name:<24}{8e-6 * size / seconds:>10,.0f} Mbit/s")
        other = gmac(key)
        if other is not None:
            seconds = timed(lambda other=other, message=message: other(message))
            print(f"  {'GMAC of cryptography':<24}{8e-6 * size / seconds:>10,.0f} Mbit/s")
        print(f"  equal: {len({hashed(message) for hashed in hashes}) == 1}")
        print(
            f"  a forged tag passes with probability at most 2^{math.log2(forgery_bound(size)):.3f}"
        )
    for name, hardware in (*paths.items(), ("without", False)):
        seconds = timed(lambda hardware=hardware: PolynomialHash(key, hardware=hardware))
        print(f"a new key, {name}: {1e6 * seconds:.0f} us")
    body = rng.bytes(2**19)
    print("a session of 1 MiB, both sides, 256 bits of key:")
    memory = timed(lambda: session(Authenticator.in_memory(tags=1), body), time.perf_counter)
    print(f"  in memory  {1e3 * memory:.1f} ms")
    with tempfile.TemporaryDirectory() as folder:
        files = new_auth_key(Path(folder) / "us", tags=20_000)
        auths = (Authenticator(files[0]), Authenticator(files[1]))
        disk = timed(lambda: session(auths, body), time.perf_counter)
        print(f"  on disk    {1e3 * disk:.1f} ms ({folder})")


if __name__ == "__main__":
    main()
