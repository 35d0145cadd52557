"""How long a hybrid refresh takes and how fast its keys are used, on one core.

    python benchmarks/rekey.py [MEBIBYTES]

A refresh with both ends in this process, in each mode and without a quantum key; its parts (ML-KEM-768,
X25519, derivation); tags of messages of 1 KiB and 1 MiB by both methods; a file of so many MiB (64 if
left out) encrypted and decrypted; a stretch of key taken from a file with its count on disk. Medians.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

from ebit.protocols.key_tags import TagChecker, TagSender, key_bits_for
from ebit.protocols.key_uses import KeyFile, decrypt_file, encrypt_file
from ebit.protocols.rekey import QuantumKey, RekeyState, rekey
from ebit.protocols.rekey_exchange import Offer, answer
from ebit.protocols.rekey_schedule import MODES, derive
from ebit.protocols.secret_bits import SecretBits


def median(work: Callable[[], object], times: int = 200) -> float:
    """Seconds that `work` takes."""
    work()
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return statistics.median(found)


def random_bits(bits: int) -> SecretBits:
    """Bits of the operating system."""
    return SecretBits.of_bytes(os.urandom(bits // 8))


def refreshes() -> None:
    """Print what an epoch costs."""
    numbers = count()
    for mode in MODES:
        alice, bob = RekeyState(mode), RekeyState(mode)
        quantum = lambda: QuantumKey(f"k{next(numbers)}", random_bits(256))  # noqa: E731
        seconds = median(lambda a=alice, b=bob, q=quantum: rekey(a, b, q()))  # type: ignore[misc]
        print(f"refresh, both ends, {mode:<25} {1e6 * seconds:8.0f} us")
    alice, bob = RekeyState(), RekeyState()
    print(
        f"refresh, both ends, {'fallback':<25} {1e6 * median(lambda: rekey(alice, bob, None)):8.0f} us"
    )
    offer = Offer()
    reply, shared = answer(offer.public)
    kem = offer._kem
    print(f"  key generation, both           {1e6 * median(Offer):14.0f} us")
    print(f"  encapsulation and X25519       {1e6 * median(lambda: answer(offer.public)):14.0f} us")
    print(
        f"  decapsulation of ML-KEM-768    {1e6 * median(lambda: kem.decapsulate(reply[:1088])):14.0f} us"
    )
    key = random_bits(256)
    made = median(lambda: derive("computational", key, shared, epoch=1, bits=256, said=bytes(32)))
    print(f"  derivation                     {1e6 * made:14.0f} us")


def tags() -> None:
    """Print what tags cost."""
    for size, times in ((1 << 10, 2000), (1 << 20, 50)):
        message = os.urandom(size)
        for method in ("one-time", "hmac"):
            key = random_bits(max(256, key_bits_for(method, times + 2)))
            sender, checker = TagSender(key, method=method), TagChecker(key, method=method)
            seconds = median(lambda s=sender, c=checker, m=message: c.check(m, s.tag(m)), times)  # type: ignore[misc]
            rate = 2 * 8 * size / seconds / 1e6
            print(
                f"tag and check, {method:<8} {size:>9,} bytes {1e6 * seconds:10.0f} us {rate:9,.0f} Mbit/s"
            )


def files(folder: Path, mebibytes: int) -> None:
    """Print what a file costs."""
    plain, closed, back = (folder / name for name in ("plain", "closed", "back"))
    plain.write_bytes(os.urandom(mebibytes << 20))
    key = random_bits(256)
    for name, work in (
        ("encrypt", lambda: encrypt_file(plain, closed, key, key_id="k")),
        ("decrypt", lambda: decrypt_file(closed, back, key)),
    ):
        seconds = median(work, 3)
        print(f"{name} {mebibytes} MiB {seconds:8.2f} s {mebibytes / seconds:8.0f} MiB/s")
    (folder / "key").write_bytes(os.urandom(1 << 20))
    source = KeyFile(folder / "key")
    print(
        f"take 256 bits of a key file      {1e6 * median(lambda: source.take(256, 'x'), 50):12.0f} us"
    )


if __name__ == "__main__":
    refreshes()
    tags()
    with tempfile.TemporaryDirectory() as place:
        files(Path(place), int(sys.argv[1]) if len(sys.argv) > 1 else 64)
