"""IBM's processors, `ibm:NAME`, through IBM's own client.

Keys come from the client's saved accounts and variables; `ebit.backends.ibm_client` names them.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ebit.backends.choose import choose_qubits, predict, predictable
from ebit.backends.compile import check_qubits, compile_for
from ebit.backends.guard import guard_circuits
from ebit.backends.ibm_client import Line, account_visible, open_device, open_service
from ebit.backends.ibm_cost import REP_DELAY, circuit_seconds, quantum_seconds
from ebit.backends.ibm_errors import NO_ACCOUNT
from ebit.backends.ibm_fetch import collect, fetch_job, state_of
from ebit.backends.ibm_jobs import cancel, choose, job_by_id, parts_at
from ebit.backends.ibm_native import check_native
from ebit.backends.ibm_options import Options, effective
from ebit.backends.ibm_parts import Plan, jobs_of, plan_in, plan_of, run_tag, split
from ebit.backends.ibm_results import Foreign
from ebit.backends.ibm_submit import send_parts
from ebit.backends.model import (
    Compiled,
    Description,
    Estimate,
    Handle,
    JobState,
    Listing,
    Note,
    Outcome,
    Progress,
)
from ebit.backends.noise import DeviceNoise
from ebit.backends.patience import Patience
from ebit.backends.remote import check_submission
from ebit.games import ArgumentError, JobError

if TYPE_CHECKING:
    from ebit.circuits.program import Program

__all__ = ["IbmBackend", "fetch_foreign", "listing", "open_named"]


def open_named(name: str, **options: Any) -> IbmBackend:
    """The backend `ibm:{name}`.

    Args:
        name: of a processor of the account, such as "ibm_fez".
        options: see `IbmBackend`.

    Raises:
        ArgumentError: no account is known here, or it has no such processor.
        NetworkError: IBM did not answer.
    """
    line = Line(options.get("patience"))
    return IbmBackend(open_device(name, line), **options)


def listing() -> list[Listing]:
    """What `ebit backends` says of them, without asking anybody on the network."""
    if account_visible():
        note = "a processor of your account at IBM, such as ibm:ibm_fez; costs quantum time"
        return [Listing("ibm:PROCESSOR", True, None, note)]
    return [Listing("ibm:PROCESSOR", False, None, NO_ACCOUNT)]


def fetch_foreign(
    id: str, *, progress: Progress | None = None, patience: Patience | None = None
) -> Foreign:
    """The results of any job of the account, whoever sent it; waits for a job that still runs.

    Args:
        id: the provider's id, with or without "ibm:" in front.
        progress: told of the wait if it has a method ``say``.
        patience: limits of calls on the network.

    Raises:
        JobError: IBM knows no such job, or it failed or was cancelled.
        NetworkError: IBM did not answer.
    """
    line = Line(patience)
    service = open_service(line, progress=progress)
    return fetch_job(line, service, id.removeprefix("ibm:"), progress=progress)


class IbmBackend:
    """A processor of IBM.

    Every call on the network has a deadline and is retried while the fault may pass; a job is sent
    once and found again by its tags. See `ebit.backends.ibm_jobs`.

    Args:
        device: the client's object of the processor.
        dynamical_decoupling: see `ebit.backends.ibm_options.Options`, as for the next four.
        twirl_gates: by default off: a certificate wants what was asked.
        twirl_measure: likewise.
        rep_delay: seconds between shots, None for the device's default.
        session: run in a session; otherwise one job runs as a job, several as a batch.
        patience: limits of calls on the network, from EBIT_PATIENCE by default.
    """

    def __init__(
        self,
        device: Any,
        *,
        dynamical_decoupling: Any = None,
        twirl_gates: bool = False,
        twirl_measure: bool = False,
        rep_delay: float | None = None,
        session: bool = False,
        patience: Patience | None = None,
    ) -> None:
        from ebit.backends.target import from_target

        self.device = device
        self.line = Line(patience)
        self.options = Options(dynamical_decoupling, twirl_gates, twirl_measure, rep_delay, session)
        self.options.check(device)
        name = str(device.name)
        self._target = self.line.ask(lambda: device.target, f"asking for what {name} can do")
        properties = self.line.ask(device.properties, f"asking for the calibration of {name}")
        moment = getattr(properties, "last_update_date", None)
        self.calibration = from_target(
            name,
            self._target,
            properties,
            date=moment.isoformat() if moment is not None else "unknown",
            source=f"IBM, by qiskit-ibm-runtime {version('qiskit-ibm-runtime')}",
        )
        self.noise = DeviceNoise(self.calibration)

    @property
    def name(self) -> str:
        """`ibm:DEVICE`."""
        return f"ibm:{self.device.name}"

    def describe(self) -> Description:
        """The processor."""
        data = self.calibration
        return Description(
            self.name,
            "processor",
            num_qubits=data.num_qubits,
            basis=data.basis,
            couplings=tuple(sorted(data.directed)),
            calibration=self._dated(),
            note=f"processor {data.name} of IBM",
            remote=True,
            paid=True,
        )

    def estimate(self, experiment: Program, shots: int) -> Estimate:
        """Jobs and seconds of quantum time that a run takes, by IBM's published cost model."""
        compiled = self.compile(experiment)
        parts = self._split(experiment, shots)
        lengths = [circuit_seconds(circuit, self.calibration) for circuit in compiled.circuits]
        delay = self._rep_delay()
        seconds = quantum_seconds(parts, lengths, delay)
        return Estimate(
            seconds=seconds,
            shots=sum(part.shots * len(part.circuits) for part in parts),
            circuits=len(lengths),
            basis=f"IBM's cost model: 2 s per job and, per shot, {delay * 1e6:.0f} us of repetition "
            f"delay and {max(lengths) * 1e6:.2g} us of circuit",
            jobs=len(parts),
            quantum_seconds=seconds,
        )

    def compile(self, experiment: Program, *, qubits: Sequence[int] | None = None) -> Compiled:
        """Native circuits on pinned qubits, guarded, and checked against the device's target."""
        predicted: float | None
        if qubits is None:
            chosen, predicted = choose_qubits(experiment, self.calibration, self.noise)
        else:
            chosen = check_qubits(experiment, self.calibration, qubits)
            predicted = None
        circuits = compile_for(experiment, self.calibration, chosen)
        report = guard_circuits(experiment, circuits, chosen, self.calibration)
        check_native(circuits, self._target, str(self.device.name), self.options)
        if predicted is None and predictable(experiment):
            predicted = predict(experiment, self.calibration, self.noise, chosen)
        return Compiled(
            experiment=experiment,
            backend=self.name,
            circuits=circuits,
            qubits=chosen,
            guard=report,
            calibration=self._dated(),
            predicted=predicted,
            assumptions=self.options.assumptions(),
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
        """Send a run under our own id, once; parts that IBM has already are not sent again.

        Args:
            compiled: by this backend.
            shots: over all circuits.
            id: our own id.
            seed: must be None: a processor takes none.
            note: called with the handle each time a job's id is known.
            progress: told of retries if it has a method ``say``.

        Raises:
            ArgumentError: a seed, an id that belongs to another run, circuits of another backend.
            JobError: the processor takes no jobs, or the run was cancelled.
            NetworkError: not everything could be sent; submitting again completes the run.
        """
        check_submission(self.name, compiled, seed)
        run_tag(id)
        check_native(compiled.circuits, self._target, str(self.device.name), self.options)
        plan = Plan(
            id=id,
            experiment=compiled.experiment.id,
            device=str(self.device.name),
            qubits=tuple(compiled.qubits),
            widths=tuple(int(c.num_clbits) for c in compiled.circuits),
            parts=self._split(compiled.experiment, shots),
        )
        shares = compiled.experiment.allocate(shots)
        return send_parts(self, compiled, plan, shares=shares, note=note, progress=progress)

    def find(self, id: str, *, progress: object = None) -> Handle | None:
        """The run of that id, rebuilt from what its jobs carry; None when IBM has no such job."""
        found = parts_at(self.line, self.device, id, progress=progress)
        if not found:
            return None
        kept = {k: choose(self.line, jobs, progress=progress)[0] for k, jobs in found.items()}
        first = kept[min(kept)]
        what = f"reading what job {first.job_id()} runs"
        inputs = self.line.ask(lambda: first.inputs, what, progress=progress)
        plan, sent, mode = plan_in(inputs, id)
        if plan.device != self.device.name:
            raise JobError(f"run {id!r} is on ibm:{plan.device}, not on {self.name}")
        ids = {k: job.job_id() for k, job in kept.items()}
        return plan.handle(self.name, ids, effective(sent, self.device), mode)

    def status(self, handle: Handle) -> JobState:
        """Where a run stands, asked once."""
        return state_of(self.line, self.device, self._plan(handle), handle)

    def fetch(self, handle: Handle, *, progress: Progress | None = None) -> Outcome:
        """Wait for a run and return its shots. Interrupting the wait leaves the jobs alone."""
        return collect(self.line, self.device, self._plan(handle), handle, progress=progress)

    def cancel(self, handle: Handle) -> None:
        """Cancel every job of a run that has not ended."""
        plan = self._plan(handle)
        found = parts_at(self.line, self.device, plan.id)
        jobs = {job.job_id(): job for part in found.values() for job in part}
        for id in handle.provider_ids:
            if id not in jobs:
                jobs[id] = job_by_id(self.line, self.device.service, id)
        for job in jobs.values():
            cancel(self.line, job)

    def fetch_foreign(self, id: str, *, progress: Progress | None = None) -> Foreign:
        """The results of any job of this account, whoever sent it."""
        service = self.device.service
        return fetch_job(self.line, service, id.removeprefix("ibm:"), progress=progress)

    def _plan(self, handle: Handle) -> Plan:
        """The plan of a run of this backend, refused when the handle contradicts it."""
        if handle.backend != self.name:
            raise ArgumentError(
                f"argument handle must be of a run on {self.name}, but run {handle.id!r} is of "
                f"{handle.backend}"
            )
        plan = plan_of(handle)
        if plan.shots != handle.shots or tuple(jobs_of(handle).values()) != handle.provider_ids:
            raise ArgumentError(
                f"argument handle must agree with its own plan, but run {handle.id!r} does not: it "
                "was changed after it was submitted"
            )
        return plan

    def _split(self, experiment: Program, shots: int) -> Any:
        limits = self.device.configuration()
        shares = [self.options.rounded(share) for share in experiment.allocate(shots)]
        return split(
            shares,
            most_shots=int(getattr(limits, "max_shots", 0) or 100_000),
            most_circuits=int(getattr(limits, "max_experiments", 0) or 300),
        )

    def _rep_delay(self) -> float:
        if self.options.rep_delay is not None:
            return self.options.rep_delay
        return float(getattr(self.device.configuration(), "default_rep_delay", None) or REP_DELAY)

    def _dated(self) -> str:
        return f"{self.calibration.date[:10]}, {self.calibration.source}"
