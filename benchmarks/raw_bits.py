"""Raw bits per second: ebit's packed path beside Aer's memory, Aer's get_memory and stim, in one run.

Every path ends with the same thing, all bits packed in the order of the shots, from the shape that
suits it: 14 qubits for Aer and stim, as was measured for the design; ebit with 14 and with 16. The
rows marked "ours" are what `raw_bits` returns, and "Aer object" is a plain ``AerSimulator()`` given
to it.

Run: python benchmarks/raw_bits.py [bits]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

TARGET = 0.9
QUBITS = 14


def timed(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Median seconds of several runs, and what the last one returned."""
    found, out = [], None
    for _ in range(repeats):
        begun = time.perf_counter()
        out = work()
        found.append(time.perf_counter() - begun)
    return statistics.median(found), out


def main(bits: int = 10_000_000) -> int:
    """Print the table; 1 when the target is missed or bits are not fair."""
    import stim
    from qiskit_aer import AerSimulator

    from ebit.circuits import hadamard_source
    from ebit.protocols.raw_bits import raw_bits

    source, wide = hadamard_source(QUBITS), hadamard_source(16)
    (circuit,) = source.to_qiskit()
    shots = -(-bits // QUBITS)
    simulator = AerSimulator(seed_simulator=1)

    def run() -> Any:
        return simulator.run(circuit, shots=shots, memory=True).result()

    def memory_hex() -> Any:
        words = np.array([int(word, 16) for word in run().data(0)["memory"]], dtype=">u2")
        return np.packbits(np.unpackbits(words.view(np.uint8).reshape(-1, 2), axis=1)[:, -QUBITS:])

    def get_memory() -> Any:
        text = "".join(run().get_memory()).encode()
        return np.packbits(np.frombuffer(text, dtype=np.uint8) - ord("0"))

    text = f"H {' '.join(map(str, range(QUBITS)))}\nM {' '.join(map(str, range(QUBITS)))}"
    sampler = stim.Circuit(text).compile_sampler(seed=1)

    def by_stim() -> Any:
        rows = sampler.sample_bit_packed(shots)
        return np.packbits(np.unpackbits(rows, axis=1, count=QUBITS, bitorder="little"))

    generator = np.random.default_rng(1)
    paths: list[tuple[str, Callable[[], Any], int]] = [
        ("ours: aer, 16 qubits", lambda: raw_bits("aer", wide, bits, seed=1).packed, 9),
        (f"ours: aer, {QUBITS} qubits", lambda: raw_bits("aer", source, bits, seed=1).packed, 9),
        ("ours: Aer object", lambda: raw_bits(AerSimulator(), source, bits, seed=1).packed, 3),
        ("Aer, memory as hex", memory_hex, 3),
        ("Aer, get_memory", get_memory, 3),
        ("stim, packed in order", by_stim, 9),
        ("stim, rows as they come", lambda: sampler.sample_bit_packed(shots), 9),
        ("numpy bytes", lambda: np.frombuffer(generator.bytes(bits // 8), np.uint8), 9),
    ]
    raw_bits("aer", source, 1000, seed=1)  # imports are on no side
    raw_bits(AerSimulator(), source, 1000, seed=1)
    simulator.run(circuit, shots=10, memory=True).result()
    seconds = {}
    print(f"{bits:,} raw bits")
    print(f"{'':26}{'s':>10}{'Mbit/s':>10}{'ones':>12}")
    fair = True
    for name, work, repeats in paths:
        seconds[name], packed = timed(work, repeats)
        # The rows of stim leave two bits of sixteen empty.
        counted = bits if "rows" not in name else shots * QUBITS
        ones = int(np.bitwise_count(packed).sum()) / counted
        fair &= abs(ones - 0.5) < 5 / np.sqrt(4 * bits)
        print(f"{name:26}{seconds[name]:10.4f}{bits / seconds[name] / 1e6:10.0f}{ones:12.6f}")
    ours = seconds["ours: aer, 16 qubits"]
    aer = min(seconds["Aer, memory as hex"], seconds["Aer, get_memory"])
    best = min(seconds["stim, packed in order"], seconds["stim, rows as they come"])
    wrapped = seconds["ours: Aer object"]
    print(f"ours against Aer's best path: {aer / ours:.1f} times as fast")
    print(f"ours against stim's best: {best / ours:.2f} times as fast")
    print(f"the Aer object through us, against Aer's best path: {aer / wrapped:.2f}")
    reached = min(aer / ours, aer / wrapped)
    print(f"target: {TARGET:g}; {'reached' if reached >= TARGET else 'MISSED'}")
    return 0 if reached >= TARGET and fair else 1


if __name__ == "__main__":
    raise SystemExit(main(*(int(a) for a in sys.argv[1:2])))
