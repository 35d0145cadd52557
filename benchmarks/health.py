"""Health of random bits: the ten estimators in CPU seconds, and the online tests in Mbit/s.

Ideal data, one core, without the time to compile. The estimators stand beside NIST's C++ tool: run
here and now if EBIT_NIST_TOOL names its `ea_non_iid`, else by its stated seconds (0.9 for 10^6
one-bit samples, 29 for 10^6 bytes). The online tests stand beside the same two tests in numpy.

Run: python benchmarks/health.py [samples]
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

STATED = {1: 0.9, 8: 29.0}
MBIT = 100.0

Samples = npt.NDArray[np.uint8]


def timed(work: Callable[[], Any], repeats: int = 3) -> tuple[float, Any]:
    """Best of several runs in CPU seconds, and what the last one returned."""
    best, out = float("inf"), None
    for _ in range(repeats):
        start = time.process_time()
        out = work()
        best = min(best, time.process_time() - start)
    return best, out


def nist(samples: Samples, bits: int) -> tuple[float, str]:
    """CPU seconds of NIST's tool on these samples, and where they come from."""
    tool = os.environ.get("EBIT_NIST_TOOL")
    if not tool:
        return STATED[bits] * samples.size / 1e6, "stated"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "samples.bin")
        path.write_bytes(samples.tobytes())
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([tool, "-i", "-a", str(path), str(bits)], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, "this run"


def plainly(bits: Samples, window: int = 1024) -> tuple[int, int]:
    """Longest run and largest window count by numpy alone."""
    ends = np.flatnonzero(np.diff(bits))
    longest = int(np.diff(ends, prepend=-1, append=bits.size - 1).max())
    rows = bits[: bits.size // window * window].reshape(-1, window)
    return longest, int((rows == rows[:, :1]).sum(axis=1).max())


def main(n: int = 1_000_000) -> int:
    """Print the tables; 1 when a target is missed or the two sides disagree."""
    from ebit.analysis.health_estimate import estimate_entropy
    from ebit.analysis.health_online import HealthTests
    from ebit.analysis.health_report import watch

    rng = np.random.default_rng(1)
    fine = True
    print(f"ten estimators, {n:,} ideal samples, CPU seconds on one core")
    print(f"{'':20}{'ebit':>10}{'NIST':>10}{'ratio':>9}")
    for bits in (1, 8):
        samples = rng.integers(0, 1 << bits, n).astype(np.uint8)
        estimate_entropy(samples[:10_000], bits)  # compiling is on neither side
        here, found = timed(lambda s=samples, b=bits: estimate_entropy(s, b))  # type: ignore[misc]
        there, source = nist(samples, bits)
        print(
            f"{bits} bit{'s' * (bits > 1):19}{here:10.2f}{there:10.2f}{there / here:9.1f}  {source}"
        )
        print(f"{'':6}assessed {found.min_entropy:.4f}, set by {found.lowest.name}")
        fine &= there >= here

    bits = rng.integers(0, 2, 64_000_000).astype(np.uint8)
    packed = np.packbits(bits)

    def online(*, use_packed: bool) -> Any:
        tests = HealthTests(1.0, alpha=2.0**-40)
        if not use_packed:
            return watch(tests, [bits])
        tests.feed_packed(packed)
        return tests.record

    online(use_packed=True), watch(HealthTests(1.0, alpha=2.0**-40), [bits[:2000]])
    print(f"repetition count and adaptive proportion, {bits.size:,} bits, Mbit/s of CPU")
    slow, expected = timed(lambda: plainly(bits))
    print(f"{'numpy, no state':20}{bits.size / slow / 1e6:10.0f}")
    for name, use_packed in (("a byte each", False), ("packed", True)):
        seconds, record = timed(lambda u=use_packed: online(use_packed=u))  # type: ignore[misc]
        speed = bits.size / seconds / 1e6
        print(f"{name:20}{speed:10.0f}{slow / seconds:9.1f} times numpy (target {MBIT:g} Mbit/s)")
        fine &= speed > MBIT and (record.longest_run, record.largest_count) == expected
    print("targets reached" if fine else "a target was MISSED")
    return 0 if fine else 1


if __name__ == "__main__":
    raise SystemExit(main(*(int(a) for a in sys.argv[1:2])))
