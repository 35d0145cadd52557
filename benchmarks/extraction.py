"""How fast bits are extracted, in CPU seconds of one core, beside a plain FFT in double precision.

    python benchmarks/extraction.py [LARGEST]

For n = 10^6 and 10^7 raw bits (or up to LARGEST) and m = n/2: scipy's real FFT as one would write it,
Toeplitz hashing by carry-less arithmetic with the processor's instruction and without it, one hash
with its seed and a further one with the same seed; whether all agree to the bit; and what the first
call costs in a fresh process, with nothing compiled before and with what numba keeps.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import fft

from ebit.analysis.clmul import LANES
from ebit.analysis.gf2_product import MiddleProduct
from ebit.analysis.toeplitz import toeplitz_hash_packed

FIRST_CALL = (
    "import time; import numpy as np; import scipy.fft, numba; begun = time.process_time();"
    "from ebit.analysis.toeplitz import toeplitz_hash_packed as h;"
    "h(np.zeros(125, np.uint8), np.zeros(188, np.uint8), 1000, 500);"
    "print(time.process_time() - begun)"
)


def plain(x: npt.NDArray[np.uint8], seed: npt.NDArray[np.uint8], m: int) -> npt.NDArray[np.uint8]:
    """The hash as it is usually written: transform, multiply, transform back, round, modulo 2."""
    size = fft.next_fast_len(len(seed), real=True)
    product = fft.irfft(fft.rfft(seed, size) * fft.rfft(x, size), size)
    return np.asarray(np.rint(product[len(x) - 1 : len(x) - 1 + m]).astype(np.int64) % 2, np.uint8)


def timed(work: Callable[[], object], runs: int = 5) -> float:
    """Median CPU seconds, after one run that is not counted."""
    work()
    found = []
    for _ in range(runs):
        begun = time.process_time()
        work()
        found.append(time.process_time() - begun)
    return statistics.median(found)


def main() -> None:
    """Measure and print."""
    largest = int(float(sys.argv[1])) if len(sys.argv) > 1 else 10**7
    rng = np.random.default_rng(1)
    print(f"words multiplied by one instruction: {LANES} (0: none, plain integer arithmetic)")
    for n in (10**6, 10**7, 10**8):
        if n > largest:
            break
        m = n // 2
        x, seed = rng.integers(0, 2, n, np.uint8), rng.integers(0, 2, n + m - 1, np.uint8)
        packed, key = np.packbits(x), np.packbits(seed)
        base = timed(lambda x=x, seed=seed, m=m: plain(x, seed, m))
        print(f"n = {n:.0e}, m = n/2\n  plain FFT, 0/1 in and out      {base:.4f} s")
        both = [("with the instruction", True)] if LANES else []
        for name, hardware in (*both, ("without", False)):
            product = MiddleProduct(key, n, m, hardware=hardware)
            once = timed(
                lambda key=key, n=n, m=m, packed=packed, hardware=hardware: MiddleProduct(
                    key, n, m, hardware=hardware
                )(packed)
            )
            again = timed(lambda product=product, packed=packed: product(packed))
            print(f"  {name:<31}{once:.4f} s  {base / once:6.1f} times as fast")
            print(f"    again with the same seed     {again:.4f} s  {base / again:6.1f}")
        unpacked = timed(
            lambda x=x, seed=seed, n=n, m=m: np.unpackbits(
                toeplitz_hash_packed(np.packbits(x), np.packbits(seed), n, m), count=m
            )
        )
        print(f"  0/1 in and out                 {unpacked:.4f} s  {base / unpacked:6.1f}")
        hashed = np.unpackbits(product(packed), count=m)
        print(f"  all equal to the bit: {bool((hashed == plain(x, seed, m)).all())}")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("first call, nothing compiled", "first call, compiled before"):
            done = subprocess.run(
                [sys.executable, "-P", "-c", FIRST_CALL],
                env={**os.environ, "NUMBA_CACHE_DIR": folder},
                capture_output=True,
                text=True,
                check=True,
            )
            print(f"{name}: {float(done.stdout):.2f} s")


if __name__ == "__main__":
    main()
