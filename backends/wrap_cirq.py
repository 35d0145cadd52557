"""Cirq samplers as backends: the name `cirq`, or an object such as `cirq.Simulator()`."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ebit.backends.equal import TOLERANCE
from ebit.backends.exact import distributions, joint
from ebit.backends.local import (
    NOT_GIVEN,
    LocalBackend,
    LocalRuns,
    check_labels,
    check_seed,
    fresh_seed,
)
from ebit.backends.model import (
    Compiled,
    Description,
    Estimate,
    GuardReport,
    Handle,
    Note,
    Outcome,
    Progress,
)
from ebit.backends.patience import one_line
from ebit.backends.wrap_qiskit import stream_seed
from ebit.games import ArgumentError, GuardError, JobError, Shots

if TYPE_CHECKING:
    from ebit.circuits.program import Program

_CHECKED = 10  # qubits, measurements and resets included, up to which translations are compared
_SLICE = 100_000  # shots between two reports of progress
_SLOW_SLICE = 1_000  # the same where every shot is simulated on its own


class CirqBackend(LocalBackend):
    """A `cirq.Sampler`.

    Args:
        sampler: the object, None for a new ideal `cirq.Simulator`.
    """

    def __init__(self, sampler: Any = None) -> None:
        import cirq

        self.own = sampler is None
        self.sampler = cirq.Simulator() if sampler is None else sampler
        self.calibration = None
        self._runs = LocalRuns(self.name)

    @property
    def name(self) -> str:
        """`cirq`, or the class of the object."""
        return "cirq" if self.own else type(self.sampler).__name__

    def describe(self) -> Description:
        """What it is."""
        note = "ideal simulator of Cirq" if self.own else "an object passed as it is"
        return Description(self.name, "simulator" if self._local else "processor", note=note)

    @property
    def _local(self) -> bool:
        import cirq

        return isinstance(self.sampler, cirq.SimulatesSamples)

    def estimate(self, experiment: Program, shots: int) -> Estimate:
        """Seconds by the measured cost of `cirq.Simulator` on a pair of qubits."""
        shares = experiment.allocate(shots)
        return Estimate(0.1 + 3e-6 * sum(shares), sum(shares), len(shares), "measured cost of Cirq")

    def compile(self, experiment: Program, *, qubits: Sequence[int] | None = None) -> Compiled:
        """Translated circuits on line qubits, compared with the source."""
        chosen = check_labels(experiment.roles, qubits)
        circuits = experiment.to_cirq()
        return Compiled(
            experiment=experiment,
            backend=self.name,
            circuits=circuits,
            qubits=chosen,
            guard=_guard(experiment, circuits),
        )

    def submit(
        self,
        compiled: Compiled,
        *,
        shots: int,
        id: str,
        seed: int | None = None,
        note: Note | None = None,
        progress: object = None,
    ) -> Handle:
        """Register a run; it starts when it is fetched."""
        del progress  # nothing is sent anywhere
        check_seed(seed)
        seedable = hasattr(self.sampler, "_prng")
        if seed is not None and not seedable:
            raise ArgumentError(f"argument seed cannot be passed on to {self.name}: leave it out")
        if seed is None and self.own:
            seed = fresh_seed()
        return self._runs.submit(compiled, shots=shots, id=id, seed=seed, note=note)

    def fetch(self, handle: Handle, *, progress: Progress | None = None) -> Outcome:
        """Run the circuits and collect their ordered bits."""
        from importlib.metadata import version

        compiled = self._runs.compiled(handle)
        if (kept := self._runs.kept(handle, progress)) is not None:
            return kept
        total, done = sum(handle.shots), 0
        bits: list[npt.NDArray[np.uint8]] = []
        for i, (circuit, shots) in enumerate(zip(compiled.circuits, handle.shots, strict=True)):
            sampler = self.sampler
            if handle.seed is not None:
                sampler = copy.copy(sampler)
                sampler._prng = np.random.RandomState(stream_seed(handle.seed, i))
            width = compiled.experiment.circuits[i].num_clbits
            slices = []
            run, step = self._runnable(circuit)
            for start in range(0, shots, step):
                count = min(step, shots - start)
                slices.append(bits_of_result(_sample(sampler, run, count), width))
                done += count
                if progress is not None:
                    progress(done, total)
            bits.append(np.concatenate(slices))
        random = (
            f"random numbers: pseudo-random, seed {handle.seed}"
            if handle.seed is not None
            else "random numbers: drawn by the object itself, seed unknown"
        )
        outcome = Outcome(
            shots=Shots.from_bits(bits),
            method=f"{type(self.sampler).__name__}.run"
            + (", measurements deferred to the end (exact without noise)" if self.own else ""),
            seed=handle.seed,
            assumptions=(random,) if self._local else (),
            not_given=NOT_GIVEN if self._local else (),
            metadata={"versions": {"cirq-core": version("cirq-core")}},
        )
        return self._runs.finish(handle, outcome)

    def _runnable(self, circuit: Any) -> tuple[Any, int]:
        """Return the circuit to run, and how many shots to take between reports of progress.

        Cirq repeats the whole simulation for every shot that measures in the middle. Our own
        simulator has no noise, so there measurements may wait; an object may have some.
        """
        import cirq

        if circuit.are_all_measurements_terminal():
            return circuit, _SLICE
        if self.own:
            return cirq.defer_measurements(circuit), _SLICE
        return circuit, _SLOW_SLICE


def _sample(sampler: Any, circuit: Any, shots: int) -> Any:
    """A result of a sampler, refused unless every key has every shot."""
    name = type(sampler).__name__
    try:
        result = sampler.run(circuit, repetitions=shots)
    except Exception as error:  # an object that somebody else made may raise anything
        raise JobError(f"{name} failed: {one_line(error)}") from error
    found = getattr(result, "records", None) or {}
    for key in sorted(circuit.all_measurement_key_names()):
        count = len(found.get(key, ()))
        if count != shots:
            raise JobError(
                f"{name} must return {shots} shots of the key {key!r}, but returned {count}: "
                "run it again"
            )
    return result


def bits_of_result(result: Any, width: int) -> npt.NDArray[np.uint8]:
    """Bits (shots, width) of a `cirq.Result` with the keys c0, c1, ...; a missing key stays 0."""
    shots = len(next(iter(result.records.values())))
    bits = np.zeros((shots, width), dtype=np.uint8)
    for key, record in result.records.items():
        # Records are (shots, times measured, qubits), int8 or uint8; the last time counts.
        bits[:, int(key.removeprefix("c"))] = np.asarray(record)[:, -1, 0] != 0
    return bits


def _guard(experiment: Program, circuits: Sequence[Any]) -> GuardReport:
    """Compare the outcome distributions of translated circuits with the source's."""
    worst = 0.0
    for source, made in zip(experiment.circuits, circuits, strict=True):
        measured = source.num_qubits + source.num_clbits + source.count_ops().get("reset", 0)
        if measured > _CHECKED:
            return GuardReport(
                "unchecked", worst, "translated by a closed gate map; too wide to compare outcomes"
            )
        expected = joint(distributions(source), source.num_clbits)
        gap = float(np.abs(_distribution(made, source.num_clbits) - expected).max())
        worst = max(worst, gap)
        if gap > TOLERANCE:
            raise GuardError(
                f"translated circuit {source.name!r} is not what was asked: its outcome "
                f"distribution differs by {gap:.3g}"
            )
    return GuardReport("exact", worst, "outcome distributions equal the source's")


def _distribution(circuit: Any, width: int) -> npt.NDArray[np.float64]:
    """Exact distribution over the bits of a Cirq circuit, by deferring every measurement."""
    import cirq

    deferred = cirq.defer_measurements(circuit)
    gates, keyed = [], {}
    # A qubit that is reset is from then on another one, which nothing has touched yet.
    now: dict[Any, Any] = {}
    for operation in deferred.all_operations():
        moved = operation.transform_qubits(lambda q: now.get(q, q))
        if cirq.is_measurement(operation):
            (qubit,) = moved.qubits
            keyed[int(cirq.measurement_key_name(operation).removeprefix("c"))] = qubit
        elif isinstance(operation.gate, cirq.ResetChannel):
            now[operation.qubits[0]] = cirq.NamedQubit(f"reset {len(now)} {moved.qubits[0]}")
        else:
            gates.append(moved)
    order = sorted({*keyed.values(), *(q for gate in gates for q in gate.qubits)})
    state = cirq.Circuit(gates).final_state_vector(
        qubit_order=order, dtype=np.complex128, ignore_terminal_measurements=False
    )
    cube = (np.abs(state) ** 2).reshape((2,) * len(order))
    bits = sorted(keyed, reverse=True)
    axes = [order.index(keyed[b]) for b in bits]
    rest = tuple(a for a in range(len(order)) if a not in axes)
    kept = sorted(axes)
    table = cube.sum(axis=rest).transpose([kept.index(a) for a in axes])
    out = np.zeros((2,) * width)
    out[tuple(slice(None) if b in keyed else 0 for b in range(width - 1, -1, -1))] = table
    flat: npt.NDArray[np.float64] = out.reshape(-1)
    return flat
