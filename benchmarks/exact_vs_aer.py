"""Noisy CHSH shots: ebit's exact sampling against Aer's density matrix, as ratios in one run.

Both take the same compiled circuits (one pair of Fez) and the same noise model, pruned to the pair,
which is Aer's fastest case. Aer returns counts; ebit returns ordered shots.

Run: python benchmarks/exact_vs_aer.py [shots per setting]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

PAIR = (3, 4)
TARGET = 20.0


def timed(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Best of several runs in seconds, and what the last one returned."""
    best, out = float("inf"), None
    for _ in range(repeats):
        start = time.perf_counter()
        out = work()
        best = min(best, time.perf_counter() - start)
    return best, out


def main(per_setting: int = 1_000_000) -> int:
    """Print the table; 1 when the target is missed or the two disagree."""
    from qiskit import transpile
    from qiskit_aer import AerSimulator

    from ebit.backends import AerBackend, aer_noise_model, exact, load_calibration
    from ebit.backends import compile as compiling
    from ebit.backends.lower import components, lower
    from ebit.backends.noise import DeviceNoise, restricted_target
    from ebit.backends.simulate import rebuild
    from ebit.circuits import chsh

    experiment, calibration = chsh(), load_calibration("fez")
    noise = DeviceNoise(calibration)
    backend = AerBackend(calibration)
    backend.compile(experiment, qubits=PAIR)  # imports are on neither side

    def compile_here() -> Any:
        compiling._cache.clear()
        return backend.compile(experiment, qubits=PAIR)

    def sample_here(compiled: Any, run: str) -> Any:
        exact._cached.cache_clear()
        handle = backend.submit(compiled, shots=4 * per_setting, id=run, seed=1)
        shots = backend.fetch(handle).shots
        backend.cancel(handle)
        return shots

    seconds_compile, compiled = timed(compile_here, 3)
    seconds_here, shots = timed(lambda: sample_here(compiled, "bench"), 3)

    def compile_aer() -> Any:
        aer_noise_model.cache_clear()
        target = restricted_target(calibration, PAIR)
        native = transpile(
            list(experiment.circuits),
            target=target,
            initial_layout=[0, 1],
            optimization_level=1,
            seed_transpiler=1,
        )
        return native, aer_noise_model(noise, PAIR)

    compile_aer()
    seconds_transpile, (_, model) = timed(compile_aer, 3)
    same = [rebuild(components(lower(c, dt=calibration.dt))[0]) for c in compiled.circuits]
    simulator = AerSimulator(method="density_matrix", noise_model=model, seed_simulator=1)
    simulator.run(same, shots=100).result()

    def sample_aer() -> Any:
        return simulator.run(same, shots=per_setting).result().get_counts()

    seconds_aer, counts = timed(sample_aer, 1)

    furthest = 0.0
    for i, table in enumerate(counts):
        ours = np.bincount(shots.integers(i, [0, 1]), minlength=4) / per_setting
        theirs = np.array([table.get(f"{k:02b}", 0) for k in range(4)]) / per_setting
        furthest = max(furthest, float(np.abs(ours - theirs).max()))
    both = seconds_here + seconds_compile
    aer_both = seconds_aer + seconds_transpile
    print(f"4 x {per_setting:,} noisy CHSH shots on qubits {PAIR} of {calibration.name}")
    print(f"{'':30}{'ebit, s':>10}{'Aer, s':>10}{'ratio':>9}")
    rows = [
        ("shots, compiled before", seconds_here, seconds_aer),
        ("compiling, checks, noise model", seconds_compile, seconds_transpile),
        ("all together", both, aer_both),
    ]
    for name, here, there in rows:
        print(f"{name:30}{here:10.4f}{there:10.3f}{there / here:9.1f}")
    print(f"furthest frequencies apart: {furthest:.5f} (5 standard errors: ", end="")
    limit = 5 * np.sqrt(2 * 0.25 / per_setting)
    print(f"{limit:.5f})")
    reached = seconds_aer / seconds_here
    print(f"target: {TARGET:g} times faster; {'reached' if reached >= TARGET else 'MISSED'}")
    return 0 if reached >= TARGET and furthest < limit else 1


if __name__ == "__main__":
    raise SystemExit(main(*(int(a) for a in sys.argv[1:2])))
