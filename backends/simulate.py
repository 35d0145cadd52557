"""Simulation of circuits part by part: exact distributions where they are cheap, else shots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ebit.backends.batch import distributions_of
from ebit.backends.exact import Distribution, read_out_diagonal
from ebit.backends.lower import Component, Op, components, gate_matrix, lower, standard_gates
from ebit.backends.methods import DENSITY, EXACT, STIM, Plan, plan
from ebit.backends.noise import DeviceNoise, aer_noise_model
from ebit.backends.sample import Progress, draw, place_bits
from ebit.games import EbitError, Shots

_SLICE_SECONDS = 2.0  # of estimated work between two reports of progress
Bits = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Job:
    """One component to simulate.

    Args:
        circuit: index of its circuit.
        part: the component.
        plan: how.
    """

    circuit: int
    part: Component
    plan: Plan


def jobs(
    circuits: Sequence[Any], noise: DeviceNoise | None, shots: Sequence[int]
) -> tuple[Job, ...]:
    """Components of all circuits, each with the method that will simulate it."""
    dt = noise.dt if noise else None
    return tuple(
        Job(i, part, plan(part, noise, n))
        for i, (circuit, n) in enumerate(zip(circuits, shots, strict=True))
        for part in components(lower(circuit, dt=dt))
    )


def simulate(
    circuits: Sequence[Any],
    noise: DeviceNoise | None,
    shots: Sequence[int],
    *,
    seed: int,
    progress: Progress | None = None,
    work: Sequence[Job] | None = None,
) -> Shots:
    """Ordered shots of every circuit.

    Args:
        circuits: on physical qubits where there is noise.
        noise: device noise, None for ideal.
        shots: shots per circuit.
        seed: of every pseudo-random number.
        progress: called as (done, total), in shots.
        work: the components and methods, `jobs(circuits, noise, shots)` by default.
    """
    todo = jobs(circuits, noise, shots) if work is None else work
    known: list[list[Distribution]] = [[] for _ in circuits]
    slow: list[tuple[int, Job]] = []
    exact = [job for job in todo if job.plan.method == EXACT]
    found = iter(distributions_of([job.part for job in exact], noise))
    for j, job in enumerate(todo):
        if job.plan.method == EXACT:
            known[job.circuit].append(next(found))
        elif job.plan.method == DENSITY:
            known[job.circuit].append(_density_matrix(job.part, noise))
        else:
            slow.append((j, job))
    base, total = sum(shots), sum(shots) + sum(shots[job.circuit] for _, job in slow)

    def report(done: int, _: int) -> None:
        if progress is not None:
            progress(done, total)

    widths = [c.num_clbits for c in circuits]
    out = draw(known, widths, shots, seed=seed, progress=report)
    done = base
    for j, job in slow:
        n = shots[job.circuit]
        packed = out.packed[job.circuit]
        size = max(1, int(n * min(1.0, _SLICE_SECONDS / job.plan.seconds)))
        for k, start in enumerate(range(0, n, size)):
            count = min(size, n - start)
            bits = _shots(job, noise, count, _integer_seed(seed, j, k))
            place_bits(packed[start : start + count], bits, job.part.clbits)
            done += count
            report(done, total)
    return out


def _integer_seed(seed: int, *key: int) -> int:
    # The last entry keeps these streams apart from those of `draw`.
    words = np.random.SeedSequence(seed, spawn_key=(*key, 1)).generate_state(1, np.uint64)
    return int(words[0]) >> 2  # Aer and stim take signed 64-bit seeds


def _shots(job: Job, noise: DeviceNoise | None, shots: int, seed: int) -> Bits:
    """Bits (shots, k) in the order of the component's classical bits."""
    if job.plan.method == STIM:
        return _stim(job.part, shots, seed)
    return _aer(job.part, noise, shots, seed, job.plan.method)


def _stim(part: Component, shots: int, seed: int) -> Bits:
    from ebit.backends.clifford import to_stim

    made = to_stim(part.ops, {q: i for i, q in enumerate(part.qubits)})
    if made is None:
        raise EbitError(f"the part on qubits {part.qubits} is not a Clifford circuit")
    circuit, written = made
    records = circuit.compile_sampler(seed=seed).sample(shots)
    # A bit measured twice keeps its last value.
    last = {bit: i for i, bit in enumerate(written)}
    bits: Bits = records[:, [last[c] for c in part.clbits]].astype(np.uint8)
    return bits


def _aer(part: Component, noise: DeviceNoise | None, shots: int, seed: int, method: str) -> Bits:
    from qiskit_aer import AerSimulator

    simulator = AerSimulator(
        method=method,
        noise_model=aer_noise_model(noise, part.qubits) if noise else None,
        seed_simulator=seed,
    )
    result = simulator.run(rebuild(part), shots=shots, memory=True).result()
    if not result.success:
        raise EbitError(f"Aer's {method} simulator failed: {result.status}")
    return bits_of_memory(result.data(0)["memory"], len(part.clbits))


def bits_of_memory(memory: Sequence[str], width: int) -> Bits:
    """Aer's hexadecimal memory as bits (shots, width), column i being classical bit i."""
    size = (width + 7) // 8
    if size <= 8:
        words = np.fromiter((int(word, 16) for word in memory), dtype="<u8", count=len(memory))
        rows = words.view(np.uint8).reshape(-1, 8)[:, :size]
        return np.unpackbits(rows, axis=1, bitorder="little")[:, :width]
    data = b"".join(bytes.fromhex(word[2:].zfill(2 * size)) for word in memory)
    big_endian = np.frombuffer(data, dtype=np.uint8).reshape(len(memory), size)
    return np.unpackbits(big_endian[:, ::-1], axis=1, bitorder="little")[:, :width]


def _density_matrix(part: Component, noise: DeviceNoise | None) -> Distribution:
    """Distribution of a component without mid-circuit measurement, from Aer's diagonal."""
    from qiskit_aer import AerSimulator

    ends = [op for op in part.ops if op.name == "measure"]
    body = tuple(op for op in part.ops if op.name != "measure")
    circuit = rebuild(part._replace(ops=body))
    circuit.save_probabilities()
    simulator = AerSimulator(
        method=DENSITY, noise_model=aer_noise_model(noise, part.qubits) if noise else None
    )
    result = simulator.run(circuit).result()
    if not result.success:
        raise EbitError(f"Aer's density matrix simulator failed: {result.status}")
    return read_out_diagonal(part, ends, np.asarray(result.data(0)["probabilities"]), noise)


def rebuild(part: Component) -> Any:
    """A Qiskit circuit of a component, its qubits and classical bits renumbered from 0."""
    from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister

    circuit = QuantumCircuit(
        QuantumRegister(len(part.qubits), "q"), ClassicalRegister(len(part.clbits), "c")
    )
    qubits = {q: i for i, q in enumerate(part.qubits)}
    clbits = {c: i for i, c in enumerate(part.clbits)}
    _append(circuit, part.ops, qubits, clbits)
    return circuit


_KNOWN = frozenset(
    [
        "id",
        "x",
        "y",
        "z",
        "h",
        "s",
        "sdg",
        "sx",
        "t",
        "tdg",
        "rx",
        "ry",
        "rz",
        "p",
        "u1",
        "u2",
        "u3",
        "cx",
        "cz",
        "swap",
    ]
)


def _append(
    circuit: Any, ops: Sequence[Op], qubits: dict[int, int], clbits: dict[int, int]
) -> None:
    from qiskit.circuit.library import UnitaryGate

    for op in ops:
        where = [qubits[q] for q in op.qubits]
        if op.name == "measure":
            circuit.measure(where[0], clbits[op.clbits[0]])
        elif op.name == "reset":
            circuit.reset(where[0])
        elif op.name == "delay":
            circuit.delay(op.params[0], where[0], unit="s")
        elif op.name == "if_else":
            if op.clbits[0] not in clbits:  # never written: the bit is 0
                _append(circuit, op.then if not op.params[0] else op.otherwise, qubits, clbits)
                continue
            bit = circuit.clbits[clbits[op.clbits[0]]]
            with circuit.if_test((bit, int(op.params[0]))) as otherwise:
                _append(circuit, op.then, qubits, clbits)
            if op.otherwise:
                with otherwise:
                    _append(circuit, op.otherwise, qubits, clbits)
        elif op.name in _KNOWN:
            circuit.append(standard_gates()[op.name].base_class(*op.params), where)
        else:
            # Not every method of Aer knows every gate; noise goes by the label. Aer 0.18 reads a
            # read-only matrix transposed, hence the copy.
            matrix = gate_matrix(op.name, op.params).copy()
            circuit.append(UnitaryGate(matrix, label=op.name), where)
