"""Google's processors, `google:PROCESSOR`, through Google's own Engine client.

Ids are ours: program and job of every part of a run are called after the run, so that sending again
what was sent already is refused by Google itself, and any process finds it by that name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ebit.backends.google_client import (
    NO_PROJECT,
    GoogleLine,
    engine_here,
    project_here,
    status_of,
)
from ebit.backends.google_jobs import (
    PHASES,
    Foreign,
    bits_of,
    create,
    fetch_foreign,
    is_there,
    wait_for,
)
from ebit.backends.google_objects import engine_of
from ebit.backends.google_plan import Plan, plan_from_handle, plan_of, split
from ebit.backends.model import (
    Compiled,
    Description,
    Estimate,
    Handle,
    JobState,
    Listing,
    Note,
    Outcome,
    Phase,
    Progress,
)
from ebit.backends.patience import Patience
from ebit.backends.remote import check_submission
from ebit.games import ArgumentError, EbitError, JobError, Shots

if TYPE_CHECKING:
    from ebit.circuits.program import Program

__all__ = ["Foreign", "GoogleBackend", "fetch_foreign", "listing", "open_named"]

_PAUSE = 1e-4  # seconds between two repetitions, assumed
_ORDER: tuple[Phase, ...] = ("failed", "cancelled", "running", "queued")
NOT_GIVEN = (
    "separation of the parties: they share one chip and its electronics",
    "secrecy from the provider, who runs the processor and sees every bit",
)
ASSUMPTIONS = (
    "one chip: all parties' qubits are on the same processor, side by side",
    "angles travel in single precision: up to 1e-7 of a turn from what was checked",
)


def open_named(name: str, **options: Any) -> GoogleBackend:
    """The backend `google:{name}`.

    Raises:
        ArgumentError: no project or credentials here, or no such processor.
        NetworkError: Google did not answer.
    """
    return GoogleBackend(name, **options)


def listing() -> list[Listing]:
    """What `ebit backends` says of them, without asking anybody on the network."""
    if project_here() is None:
        return [Listing("google:PROCESSOR", False, None, NO_PROJECT)]
    note = "a processor of your project at Google, such as google:willow_pink"
    return [Listing("google:PROCESSOR", True, None, note)]


class GoogleBackend:
    """A processor of Google.

    Args:
        processor: its name with Google, in the project of this environment; or the client's own
            `EngineProcessor`, whose project and connection are then used. Another process that
            picks the run up by name needs GOOGLE_CLOUD_PROJECT set to that project.
        device_config_name: the device configuration to run under, with `run_name` or
            `snapshot_id`; empty for the default one. Circuits are checked against what the
            processor says it can do, which is the default one's.
        run_name: see `device_config_name`.
        snapshot_id: see `device_config_name`.
        patience: limits of calls on the network, from EBIT_PATIENCE by default.
    """

    def __init__(
        self,
        processor: Any,
        *,
        device_config_name: str = "",
        run_name: str = "",
        snapshot_id: str = "",
        patience: Patience | None = None,
    ) -> None:
        from ebit.backends.cirq_device import chip_of

        self.line = GoogleLine(patience)
        if isinstance(processor, str):
            self.engine = engine_here(self.line)
        else:
            self.engine = engine_of(processor, self.line)
            processor = str(processor.processor_id)
        asked = {
            "device_config_name": device_config_name,
            "run_name": run_name,
            "snapshot_id": snapshot_id,
        }
        self._options = {name: value for name, value in asked.items() if value}
        self.processor = self.engine.get_processor(processor)
        try:
            device = self.line.ask(self.processor.get_device, f"opening {processor}")
        except JobError as error:
            names = self._names()
            known = f"this project has {', '.join(names)}" if names else "this project has none"
            raise ArgumentError(
                f"argument backend must be a processor of this project at Google, but was "
                f"{processor!r}; {known}"
            ) from error
        except ValueError as error:
            raise ArgumentError(f"{processor} does not say what it can do: {error}") from None
        metrics = self.line.ask(
            self.processor.get_current_calibration, f"asking for the calibration of {processor}"
        )
        source = f"Google's engine, by cirq-google {version('cirq-google')}"
        self.chip = chip_of(processor, device, metrics, source=source)
        self.calibration = self.chip.calibration

    def _names(self) -> list[str]:
        try:
            found = self.line.ask(self.engine.list_processors, "listing the processors")
        except EbitError:
            return []
        return sorted(p.processor_id for p in found)

    @property
    def name(self) -> str:
        """`google:PROCESSOR`."""
        return f"google:{self.chip.name}"

    def describe(self) -> Description:
        """The processor."""
        from ebit.backends.cirq_place import describe_chip

        note = f"processor {self.chip.name} of Google"
        return describe_chip(self.chip, self.name, "processor", note, remote=True, paid=True)

    def estimate(self, experiment: Program, shots: int) -> Estimate:
        """Jobs, and the time of circuits and readouts; Google publishes no cost model."""
        compiled = self.compile(experiment)
        shares = experiment.allocate(shots)
        parts = split(shares)
        seconds = sum(
            share * (_PAUSE + self._seconds(circuit))
            for share, circuit in zip(shares, compiled.circuits, strict=True)
        )
        return Estimate(
            seconds=seconds,
            shots=sum(shares),
            circuits=len(shares),
            basis="lengths of the circuits and 100 us between repetitions, which is assumed: "
            "Google publishes no cost model",
            jobs=len(parts),
            quantum_seconds=seconds,
        )

    def _seconds(self, circuit: Any) -> float:
        return sum(
            max((self.chip.seconds(op.gate) for op in moment), default=0.0) for moment in circuit
        )

    def compile(self, experiment: Program, *, qubits: Sequence[int] | None = None) -> Compiled:
        """Native circuits on pinned qubits, guarded, and accepted by the device."""
        from ebit.backends.cirq_place import compile_native

        return compile_native(experiment, self.chip, self.name, None, qubits)

    def choose(
        self, experiment: Program, *, pinned: Mapping[int, int] | None = None
    ) -> tuple[tuple[int, ...], float | None]:
        """Physical qubits with the least summed error, some of them given."""
        from ebit.backends.cirq_place import choose_place

        return choose_place(experiment, self.chip, None, pinned=pinned)

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
        """Send a run under our own id, once; parts that Google has already are not sent again.

        Raises:
            ArgumentError: a seed, an id that belongs to another run, circuits of another backend.
            JobError: the processor takes no jobs.
            NetworkError: not everything could be sent; submitting again completes the run.
        """
        check_submission(self.name, compiled, seed)
        plan = plan_of(compiled, shots, id, self.chip.name, self._options)
        before = self._plan_at(id, progress)
        if before is None:
            self._check_open(progress)
        elif not plan.options:
            # A run that goes on keeps the configuration it began with.
            plan = replace(plan, options=before.options)
        if before is not None and before != plan:
            raise ArgumentError(
                f"argument id must be a new one for a new run, but {id!r} is at Google already "
                f"with experiment {before.experiment}, {before.total} shots, configuration "
                f"{' '.join(before.options.values()) or 'by default'}"
            )
        sent: list[str] = []
        for part in range(len(plan.parts)):
            sent.append(self._send(compiled, plan, part, progress))
            if note is not None:
                note(plan.handle(self.name, sent))
        return plan.handle(self.name, sent)

    def _plan_at(self, id: str, progress: object = None) -> Plan | None:
        program = self.engine.get_program(Plan.name(id, 0))
        try:
            text = self.line.ask(program.description, f"looking for run {id}", progress=progress)
        except JobError as error:
            if status_of(error.__cause__ or error) == 404:
                return None
            raise
        try:
            return Plan.from_plain(json.loads(text))
        except (ValueError, KeyError, TypeError):
            raise JobError(
                f"a program at Google is called after run {id!r}, but has no plan of it"
            ) from None

    def _check_open(self, progress: object) -> None:
        name = self.chip.name
        health = self.line.ask(self.processor.health, f"asking for {name}", progress=progress)
        if health not in ("OK", "STATE_UNSPECIFIED"):
            back = self.processor.expected_recovery_time()
            when = f", until {back.isoformat()[:16]} perhaps" if back else ""
            raise JobError(
                f"{name} takes no jobs now: Google says {health!r}{when}; nothing was sent: try "
                "again later, or on another processor"
            )

    def _send(self, compiled: Compiled, plan: Plan, part: int, progress: object) -> str:
        """Send one part, so that it is there once; its id."""
        one = plan.parts[part]
        name = Plan.name(plan.id, part)
        circuits = [compiled.circuits[i] for i in one.circuits]
        what = f"sending part {part + 1} of {len(plan.parts)} of run {plan.id}"
        labels = {"ebit": plan.label}
        program = self.engine.get_program(name)
        create(
            self.line,
            lambda: self.engine.create_program(
                circuits if len(circuits) > 1 else circuits[0],
                program_id=name,
                description=json.dumps(plan.to_plain()),
                labels=labels,
            ),
            lambda: program.create_time(),
            what,
            progress,
        )
        job = program.get_job(name)
        create(
            self.line,
            lambda: program.run_sweep(
                job_id=name,
                processor_id=self.chip.name,
                repetitions=one.shots,
                labels=labels,
                **{"device_config_name": "", **plan.options},
            ),
            lambda: job.create_time(),
            what,
            progress,
        )
        return f"{name}/{name}"

    def find(self, id: str) -> Handle | None:
        """The run of that id, rebuilt from what its programs carry; None when there is none."""
        plan = self._plan_at(id)
        if plan is None:
            return None
        sent = []
        for part in range(len(plan.parts)):
            job = self.engine.get_program(Plan.name(id, part)).get_job(Plan.name(id, part))
            if not is_there(self.line, job.create_time, f"looking for run {id}"):
                break
            sent.append(f"{Plan.name(id, part)}/{Plan.name(id, part)}")
        return plan.handle(self.name, sent)

    def _jobs(self, handle: Handle) -> list[Any]:
        plan = plan_from_handle(handle, self.name)
        names = [Plan.name(plan.id, part) for part in range(len(plan.parts))]
        return [self.engine.get_program(name).get_job(name) for name in names]

    def status(self, handle: Handle) -> JobState:
        """Where a run stands, all its jobs taken together."""
        words = [
            self.line.ask(job.status, f"asking for job {job.job_id}") for job in self._jobs(handle)
        ]
        phases = [PHASES.get(word, "running") for word in words]
        phase: Phase = next((p for p in _ORDER if p in phases), "done")
        if phase == "queued" and "done" in phases:
            phase = "running"
        return JobState(phase, None, ", ".join(words))

    def fetch(self, handle: Handle, *, progress: Progress | None = None) -> Outcome:
        """Wait for a run and return its shots. Interrupting the wait leaves the jobs alone."""
        plan = plan_from_handle(handle, self.name)
        pieces: dict[int, npt.NDArray[np.uint8]] = {}
        done = 0
        facts: list[dict[str, Any]] = []
        for part, job in zip(plan.parts, self._jobs(handle), strict=True):
            label = f"job {job.job_id}"
            wait_for(self.line, job, label, progress)
            results = self.line.ask(job.results, f"fetching {label}", progress=progress)
            if len(results) != len(part.circuits):
                raise JobError(
                    f"{label} gave {len(results)} results instead of {len(part.circuits)}"
                )
            for circuit, result in zip(part.circuits, results, strict=True):
                pieces[circuit] = bits_of(
                    result, plan.widths[circuit], plan.keys[circuit], part.shots, label
                )
            done += part.shots * len(part.circuits)
            if progress is not None:
                progress(done, plan.total)
            created = self.line.ask(job.create_time, f"asking when {label} was sent")
            facts.append({"id": handle.provider_ids[len(facts)], "created": created.isoformat()})
        return Outcome(
            shots=Shots.from_bits([pieces[i] for i in range(len(plan.widths))]),
            method="cirq_google.Engine",
            seed=None,
            assumptions=ASSUMPTIONS,
            not_given=NOT_GIVEN,
            metadata={
                "device": plan.device,
                "qubits": list(plan.qubits),
                "jobs": facts,
                "options": dict(plan.options),
                "versions": {p: version(p) for p in ("cirq-core", "cirq-google")},
            },
        )

    def cancel(self, handle: Handle) -> None:
        """Cancel every job of a run that has not ended."""
        for job in self._jobs(handle):
            state = self.line.ask(job.status, f"asking for job {job.job_id}")
            if PHASES.get(state) in ("queued", "running"):
                self.line.ask(job.cancel, f"cancelling job {job.job_id}")

    def fetch_foreign(self, id: str, *, progress: Progress | None = None) -> Foreign:
        """The results of any job of this project, whoever sent it."""
        return fetch_foreign(id, progress=progress, patience=self.line.patience, engine=self.engine)
