"""Qiskit objects as backends: a `BackendV2` such as `AerSimulator()`, or a local sampler."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister

from ebit.backends.choose import choose_qubits
from ebit.backends.compile import check_qubits, compile_for
from ebit.backends.guard import guard_circuits
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
from ebit.backends.noise import DeviceNoise
from ebit.backends.patience import one_line
from ebit.backends.simulate import bits_of_memory
from ebit.backends.target import from_target
from ebit.games import ArgumentError, JobError, Shots

if TYPE_CHECKING:
    from ebit.circuits.program import Program

_LOCAL = (
    "qiskit_aer",
    "qiskit.primitives",
    "qiskit.providers",
    "qiskit_ibm_runtime.fake_provider",
)
# Calls made with a seed that came with the object: each call takes the next stream.
_calls: WeakKeyDictionary[Any, int] = WeakKeyDictionary()


class QiskitBackend(LocalBackend):
    """A Qiskit backend or sampler that somebody else made.

    Args:
        inner: a `BackendV2` with `run`, or an object with the `SamplerV2` protocol.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.sampler = not hasattr(inner, "target")
        device = _device_of(inner)
        target = getattr(device, "target", None)
        self.calibration = None
        if target is not None and target.build_coupling_map() is not None:
            self.calibration = from_target(
                str(device.name),
                target,
                device.properties() if hasattr(device, "properties") else None,
                date="unknown",
                source=f"the target of {type(device).__name__}",
            )
        self.noise = DeviceNoise(self.calibration) if self.calibration else None
        self.local = _is_local(inner, device)
        self._gates = None if target is None else frozenset(target.operation_names)
        self._runs = LocalRuns(self.name)

    @property
    def name(self) -> str:
        """Class of the object, and what it calls itself."""
        own = getattr(self.inner, "name", None)
        kind = type(self.inner).__name__
        return f"{kind}({own})" if isinstance(own, str) else kind

    def describe(self) -> Description:
        """What the object says of itself."""
        data = self.calibration
        return Description(
            self.name,
            "simulator" if self.local else "processor",
            num_qubits=data.num_qubits if data else None,
            basis=data.basis if data else (),
            couplings=tuple(sorted(data.directed)) if data else None,
            calibration=data.source if data else None,
            note="an object passed as it is",
        )

    def estimate(self, experiment: Program, shots: int) -> Estimate:
        """A rough figure: nothing is known of the object's own speed."""
        shares = experiment.allocate(shots)
        return Estimate(0.1 + 3e-6 * sum(shares), sum(shares), len(shares), "typical of Aer")

    def compile(self, experiment: Program, *, qubits: Sequence[int] | None = None) -> Compiled:
        """Native circuits where the object has couplings, else the source circuits."""
        if self.calibration is None or self.noise is None:
            self._check_gates(experiment)
            chosen = check_labels(experiment.roles, qubits)
            return Compiled(
                experiment=experiment,
                backend=self.name,
                circuits=experiment.circuits,
                qubits=chosen,
                guard=GuardReport("exact", 0.0, "the circuits run as they were built"),
            )
        predicted = None
        if qubits is None:
            chosen, predicted = choose_qubits(experiment, self.calibration, self.noise)
        else:
            chosen = check_qubits(experiment, self.calibration, qubits)
        circuits = compile_for(experiment, self.calibration, chosen)
        return Compiled(
            experiment=experiment,
            backend=self.name,
            circuits=circuits,
            qubits=chosen,
            guard=guard_circuits(experiment, circuits, chosen, self.calibration),
            calibration=self.calibration.source,
            predicted=predicted,
        )

    def _check_gates(self, experiment: Program) -> None:
        if self._gates is None:
            return
        used = {item.operation.name for c in experiment.circuits for item in c.data}
        missing = sorted(used - self._gates - {"barrier"})
        if missing:
            raise ArgumentError(
                f"{self.name} must know the gates of {experiment.name!r}, but lacks "
                f"{', '.join(missing)}"
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
        return self._runs.submit(compiled, shots=shots, id=id, seed=self._seed(seed), note=note)

    def _seed(self, seed: int | None) -> int | None:
        """The seed of one call, None where the object takes none.

        An object that was given a seed of its own repeats the same shots at every call; here each
        call gets its own stream of that seed.
        """
        check_seed(seed)
        if not _takes_seed(self.inner):
            if seed is not None:
                raise ArgumentError(
                    f"argument seed cannot be passed on to {self.name}: leave it out"
                )
            return None
        own = _own_seed(self.inner)
        if seed is not None or own is None:
            return fresh_seed() if seed is None else seed
        count = _calls.get(self.inner, 0)
        _calls[self.inner] = count + 1
        words = np.random.SeedSequence(own, spawn_key=(count,)).generate_state(1, np.uint64)
        return int(words[0]) >> 11

    def fetch(self, handle: Handle, *, progress: Progress | None = None) -> Outcome:
        """Run the circuits one after another and collect their ordered bits."""
        compiled = self._runs.compiled(handle)
        if (kept := self._runs.kept(handle, progress)) is not None:
            return kept
        total, done = sum(handle.shots), 0
        packed = []
        for i, (circuit, shots) in enumerate(zip(compiled.circuits, handle.shots, strict=True)):
            # One stream per circuit: some samplers give every circuit of a call the same shots.
            seed = None if handle.seed is None else stream_seed(handle.seed, i)
            run = _run_sampler if self.sampler else _run_backend
            packed.append(run(self.inner, circuit, shots, seed))
            done += shots
            if progress is not None:
                progress(done, total)
        random = (
            f"random numbers: pseudo-random, seed {handle.seed}"
            if handle.seed is not None
            else "random numbers: drawn by the object itself, seed unknown"
        )
        outcome = Outcome(
            shots=Shots(tuple(packed), tuple(c.num_clbits for c in compiled.circuits)),
            method=f"{type(self.inner).__name__}.run",
            seed=handle.seed,
            assumptions=(random,) if self.local else (),
            not_given=NOT_GIVEN if self.local else (),
            metadata={"versions": {"qiskit": version("qiskit")}},
        )
        return self._runs.finish(handle, outcome)


def stream_seed(seed: int, index: int) -> int:
    """A 31-bit seed for one circuit of a run."""
    words = np.random.SeedSequence(seed, spawn_key=(index,)).generate_state(1, np.uint32)
    return int(words[0]) >> 1


def _run_backend(backend: Any, circuit: Any, shots: int, seed: int | None) -> npt.NDArray[np.uint8]:
    name = type(backend).__name__
    options = {} if seed is None else {"seed_simulator": seed}
    with _faults(name, circuit):
        result = backend.run([circuit], shots=shots, memory=True, **options).result()
    if not result.success:
        raise JobError(f"{name} failed: {' '.join(str(result.status).split())}")
    memory = getattr(result.results[0].data, "memory", ()) if result.results else ()
    if len(memory) != shots:
        raise JobError(f"{name} must return its {shots} shots in order, but returned {len(memory)}")
    bits = bits_of_memory(memory, circuit.num_clbits)
    return np.packbits(bits, axis=1, bitorder="little")


def _run_sampler(sampler: Any, circuit: Any, shots: int, seed: int | None) -> npt.NDArray[np.uint8]:
    name = type(sampler).__name__
    seeded = sampler if seed is None else _with_seed(sampler, seed)
    with _faults(name, circuit):
        results = list(seeded.run([_one_register(circuit)], shots=shots).result())
    array = np.asarray(results[0].data["c"].array if results else (), dtype=np.uint8)
    if len(array) != shots:
        raise JobError(f"{name} must return {shots} shots, but returned {len(array)}")
    # A BitArray has the highest bits in its first byte; within a byte the lowest bit is lowest.
    return np.ascontiguousarray(array.reshape(shots, -1)[:, ::-1])


@contextmanager
def _faults(name: str, circuit: Any) -> Iterator[None]:
    """Whatever an object that somebody else made may raise, as one line."""
    try:
        yield
    except Exception as error:
        raise JobError(f"{name} cannot run {circuit.name!r}: {one_line(error)}") from error


def _one_register(circuit: Any) -> Any:
    """The circuit with its bits in one register `c`: a sampler returns register by register."""
    if [register.name for register in circuit.cregs] == ["c"]:
        return circuit
    plain = QuantumCircuit(
        QuantumRegister(circuit.num_qubits, "q"),
        ClassicalRegister(circuit.num_clbits, "c"),
        name=circuit.name,
    )
    plain.compose(
        circuit, qubits=range(circuit.num_qubits), clbits=range(circuit.num_clbits), inplace=True
    )
    return plain


def _with_seed(sampler: Any, seed: int) -> Any:
    """A copy of a sampler that uses the seed: samplers take one only when they are made."""
    clone = copy.copy(sampler)
    if hasattr(clone, "_seed"):
        clone._seed = seed
    else:
        clone._options = copy.copy(clone.options)
        clone._options.seed_simulator = seed
    return clone


def _takes_seed(inner: Any) -> bool:
    return hasattr(inner, "_seed") or hasattr(getattr(inner, "options", None), "seed_simulator")


def _own_seed(inner: Any) -> int | None:
    own = getattr(inner, "_seed", getattr(inner, "options", None))
    own = getattr(own, "seed_simulator", own)
    return own if isinstance(own, int) and not isinstance(own, bool) and own >= 0 else None


def _device_of(inner: Any) -> Any:
    """The backend behind an object: itself, or the one a sampler samples from."""
    if hasattr(inner, "target"):
        return inner
    for attribute in ("backend", "_backend"):
        found = getattr(inner, attribute, None)
        if hasattr(found, "target"):
            return found
    return None


def _is_local(inner: Any, device: Any) -> bool:
    """Whether everything happens in this process."""
    if of_ibm(inner):
        raise ArgumentError(
            f"argument backend cannot be a {type(inner).__name__} of qiskit-ibm-runtime: give its "
            "backend instead, or a name such as ibm:ibm_fez"
        )
    thing = device if device is not None else inner
    return any(
        base.__module__.startswith(_LOCAL) and base.__module__ != "qiskit.providers.backend"
        for base in type(thing).__mro__
    )


def of_ibm(inner: Any) -> bool:
    """Whether an object of qiskit-ibm-runtime stands for a processor, not for a fake one."""
    device = _device_of(inner)
    fake = any(base.__module__.startswith(_LOCAL[-1]) for base in type(device).__mro__)
    return type(inner).__module__.startswith("qiskit_ibm_runtime") and not fake
