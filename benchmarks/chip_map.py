"""How fast a whole chip is simulated: all pairs at once, one after another, and by Aer.

    python benchmarks/chip_map.py [DEVICE]

Compares, in one run, the exact distributions of the four CHSH settings on every coupled pair.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

from ebit.backends import AerBackend, DeviceNoise, aer_noise_model, load_calibration
from ebit.backends.batch import distributions_of
from ebit.backends.evolve import superoperator
from ebit.backends.exact import _cached, _table
from ebit.backends.lower import components, lower
from ebit.backends.simulate import rebuild
from ebit.circuits import Group, ParallelTest, chsh, colour_edges


def timed(work: Callable[[], object], runs: int) -> float:
    """Median seconds."""
    found = []
    for _ in range(runs):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return statistics.median(found)


def main() -> None:
    """Measure and print."""
    device = sys.argv[1] if len(sys.argv) > 1 else "fez"
    calibration = load_calibration(device)
    where, noise = AerBackend(calibration), DeviceNoise(calibration)
    groups = colour_edges(calibration.pairs)
    program = ParallelTest("map", (chsh(),), tuple(Group(0, g, "simultaneous") for g in groups))
    compiled = where.compile(program)
    parts = [p for circuit in compiled.circuits for p in components(lower(circuit))]
    print(f"{device}: {len(calibration.pairs)} pairs, {len(parts)} distributions")

    def at_once() -> None:
        superoperator.cache_clear()
        distributions_of(parts, noise)

    def one_by_one() -> None:
        superoperator.cache_clear()
        _cached.cache_clear()
        for part in parts:
            _table(part, noise)

    def by_aer() -> None:
        from qiskit_aer import AerSimulator

        for part in parts[:40]:
            simulator = AerSimulator(
                method="density_matrix", noise_model=aer_noise_model(noise, part.qubits)
            )
            simulator.run(rebuild(part), shots=1024).result()

    batch, single = timed(at_once, 5), timed(one_by_one, 3)
    aer = timed(by_aer, 1) * len(parts) / 40
    print(f"at once        {batch:7.3f} s")
    print(f"one by one     {single:7.3f} s   {single / batch:6.1f} times as long")
    print(f"Aer, each pair {aer:7.3f} s   {aer / batch:6.1f} times as long (40 measured)")


if __name__ == "__main__":
    main()
