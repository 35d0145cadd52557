"""The built-in simulator: `aer` ideal, `aer:DEVICE` with a processor's published calibration."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from ebit.backends.calibration import Calibration
from ebit.backends.choose import choose_qubits, predict, predictable
from ebit.backends.compile import check_qubits, compile_for
from ebit.backends.guard import guard_circuits
from ebit.backends.local import NOT_GIVEN, LocalBackend, LocalRuns, check_labels, fresh_seed
from ebit.backends.methods import EXACT, WORDS
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
from ebit.backends.noise import DeviceNoise, Readout
from ebit.backends.simulate import Job, jobs, simulate

if TYPE_CHECKING:
    from ebit.circuits.program import Program


class AerBackend(LocalBackend):
    """Simulation of experiments, ideal or under the noise of a calibrated processor.

    Small connected parts of a circuit are computed exactly and only sampled; wide ones go to
    stim or to one of Aer's methods, whichever is cheapest.

    Args:
        calibration: the processor, None for an ideal simulator of any size.
        readout: see `DeviceNoise`.
    """

    def __init__(
        self, calibration: Calibration | None = None, *, readout: Readout = "symmetric"
    ) -> None:
        self.calibration = calibration
        self.noise = None if calibration is None else DeviceNoise(calibration, readout)
        self._runs = LocalRuns(self.name)

    @property
    def name(self) -> str:
        """`aer` or `aer:DEVICE`."""
        return "aer" if self.calibration is None else f"aer:{self.calibration.name}"

    def describe(self) -> Description:
        """What is simulated."""
        data = self.calibration
        if data is None:
            return Description(self.name, "simulator", note="ideal simulator, any number of qubits")
        return Description(
            self.name,
            "simulator",
            num_qubits=data.num_qubits,
            basis=data.basis,
            couplings=tuple(sorted(data.directed)),
            calibration=_dated(data),
            note=f"noise, couplings and native gates of {data.name}",
        )

    def estimate(self, experiment: Program, shots: int) -> Estimate:
        """Seconds that a run takes on one core, by the measured costs of the methods."""
        shares = experiment.allocate(shots)
        work = self._jobs(self.compile(experiment), shares)
        return Estimate(
            seconds=sum(job.plan.seconds for job in work),
            shots=sum(shares),
            circuits=len(shares),
            basis="measured costs of the simulators, one core",
        )

    def compile(self, experiment: Program, *, qubits: Sequence[int] | None = None) -> Compiled:
        """Native circuits on pinned qubits, guarded; for the ideal simulator the source itself."""
        if self.calibration is None or self.noise is None:
            return Compiled(
                experiment=experiment,
                backend=self.name,
                circuits=experiment.circuits,
                qubits=check_labels(experiment.roles, qubits),
                guard=GuardReport("exact", 0.0, "the circuits run as they were built"),
            )
        predicted: float | None
        if qubits is None:
            chosen, predicted = choose_qubits(experiment, self.calibration, self.noise)
        else:
            chosen = check_qubits(experiment, self.calibration, qubits)
            predicted = None
        circuits = compile_for(experiment, self.calibration, chosen)
        report = guard_circuits(experiment, circuits, chosen, self.calibration)
        if predicted is None and predictable(experiment):
            predicted = predict(experiment, self.calibration, self.noise, chosen)
        return Compiled(
            experiment=experiment,
            backend=self.name,
            circuits=circuits,
            qubits=chosen,
            guard=report,
            calibration=_dated(self.calibration),
            predicted=predicted,
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
        """Register a run; it is computed when it is fetched. The same id gives the same run."""
        del progress  # nothing is sent anywhere
        return self._runs.submit(
            compiled, shots=shots, id=id, seed=fresh_seed() if seed is None else seed, note=note
        )

    def fetch(self, handle: Handle, *, progress: Progress | None = None) -> Outcome:
        """Compute the shots of a run."""
        compiled = self._runs.compiled(handle)
        seed = int(handle.seed or 0)
        work = self._jobs(compiled, handle.shots)
        shots = simulate(
            compiled.circuits, self.noise, handle.shots, seed=seed, progress=progress, work=work
        )
        outcome = Outcome(
            shots=shots,
            method=method_words(work),
            seed=seed,
            assumptions=self._assumptions(work, seed),
            not_given=NOT_GIVEN,
            metadata={"parts": _parts(work), "versions": _versions(work)},
        )
        return self._runs.finish(handle, outcome)

    def _jobs(self, compiled: Compiled, shots: Sequence[int]) -> tuple[Job, ...]:
        return jobs(compiled.circuits, self.noise, shots)

    def _assumptions(self, work: Sequence[Job], seed: int) -> tuple[str, ...]:
        out = []
        if self.noise is not None:
            out.append("components simulated apart: exact for a noise model without cross-talk")
            out.append("idle qubits are not decohered: published gate noise only")
            if self.noise.readout_kind == "symmetric":
                out.append("readout errors are the mean of the two published ones")
        out.append(f"random numbers: pseudo-random, seed {seed}")
        return tuple(out)


def method_words(work: Sequence[Job]) -> str:
    """The methods that run, in words."""
    largest: dict[str, int] = {}
    for job in work:
        largest[job.plan.method] = max(largest.get(job.plan.method, 0), len(job.part.qubits))
    return "; ".join(f"{WORDS[m]} (parts of up to {n} qubits)" for m, n in largest.items())


def _parts(work: Sequence[Job]) -> dict[str, int]:
    count: dict[str, int] = {}
    for job in work:
        count[job.plan.method] = count.get(job.plan.method, 0) + 1
    return count


def _versions(work: Sequence[Job]) -> dict[str, str]:
    used = {"numpy", "qiskit"}
    for job in work:
        if job.plan.method != EXACT:
            used.add("stim" if job.plan.method == "stim" else "qiskit-aer")
    found: dict[str, Any] = {}
    for package in sorted(used):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _dated(calibration: Calibration) -> str:
    return f"{calibration.date[:10]}, {calibration.source}"
