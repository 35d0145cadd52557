"""An experiment through a backend: compile, agree, submit, fetch, decode."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from ebit._version import __version__
from ebit.analysis import RunInfo
from ebit.games import ArgumentError
from ebit.protocols.terms import Confirm, agree, check_terms

if TYPE_CHECKING:
    from ebit.backends import Backend, Calibration, Compiled, Distribution, Job, Outcome
    from ebit.circuits.program import Program

__all__ = ["Run", "context_of", "run_experiment", "run_of_job", "start_experiment"]

Progress = Callable[[int, int], None]
_MANY = 8  # circuits from which on compiling is worth a word


@dataclass(frozen=True, eq=False)
class Run:
    """What came back from a backend, and everything that says where it came from.

    Attributes:
        experiment: what was asked.
        compiled: what was run, and how it was checked.
        outcome: the shots, the method and its assumptions.
        info: the record that scores carry.
        separation: "simulated" or "one chip".
        randomness: whether outcomes are pseudo-random or come from a device.
        jobs: jobs the provider saw, 0 for a simulator.
        calibration: of the device as it was when the run was compiled, None without one.
    """

    experiment: Program
    compiled: Compiled
    outcome: Outcome
    info: RunInfo
    separation: str
    randomness: str
    jobs: int = 0
    calibration: Calibration | None = None

    @cached_property
    def trials(self) -> Any:
        """The rounds: `Trials` for an experiment."""
        return self.experiment.decode(self.outcome.shots)

    def expected(self) -> Sequence[Sequence[Distribution]] | None:
        """Outcome distributions that the calibration predicts: per circuit, its components.

        None where the device has no noise model.
        """
        from ebit.backends import DeviceNoise, expected_of, open_backend

        if type(self.compiled.circuits[0]).__module__.startswith("qiskit"):
            if self.calibration is None:
                return None
            return expected_of(self.compiled.circuits, DeviceNoise(self.calibration))
        if self.separation != "simulated":
            return None
        predict = getattr(open_backend(self.info.backend), "expected", None)
        found: Sequence[Sequence[Distribution]] | None = predict and predict(self.compiled)
        return found


def run_experiment(
    experiment: Program,
    backend: str | object = "aer",
    *,
    shots: int,
    qubits: Sequence[int] | None = None,
    pair: Sequence[int] | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
    confirm: Confirm = None,
    max_seconds: float | None = None,
    purpose: Mapping[str, Any] | None = None,
) -> Run:
    """Run an experiment and decode its rounds.

    A run on a processor goes through the ledger: it is written down before it is sent, and picked
    up by its id if this process does not live to see the end.

    Args:
        experiment: what to run.
        backend: a name such as "aer:fez", or an object such as ``AerSimulator()``.
        shots: rounds in all, shared among the circuits.
        qubits: physical qubits in the order of the experiment's; chosen by calibration if left
            out.
        pair: physical qubits of Alice and Bob only; the others are chosen beside them.
        seed: makes a simulator's run repeatable.
        progress: called with (done, total); its method ``say``, if it has one, with news.
        confirm: whether to send a paid run: True, False, or a function of the estimate; asked of
            the user if left out.
        max_seconds: refuse a run that would take longer.
        purpose: what the run is for, as plain data: the ledger keeps it.

    Raises:
        ArgumentError: shots, qubits or a pair that do not fit.
        BudgetError: too expensive, or not agreed to.
    """
    where, compiled = _ready(experiment, backend, shots, qubits, pair, seed, progress)
    check_terms(confirm, max_seconds)
    agree(where, experiment, int(shots), confirm=confirm, max_seconds=max_seconds)
    if where.describe().remote:
        from ebit.backends import begin, collect

        job = begin(
            where, compiled, shots=int(shots), seed=seed, purpose=purpose, progress=progress
        )
        return run_of_job(collect(job, backend=where, progress=progress))
    handle = where.submit(compiled, shots=int(shots), id=uuid4().hex, seed=seed)
    outcome = where.fetch(handle, progress=progress)
    labels = where.describe().labels
    return _run(
        experiment,
        compiled,
        outcome,
        backend=where.name,
        simulated=where.describe().kind == "simulator",
        labels=tuple(labels[q] for q in compiled.qubits) if labels else (),
        versions=_versions(),
        calibration=getattr(where, "calibration", None),
    )


def start_experiment(
    experiment: Program,
    backend: str | object,
    *,
    shots: int,
    qubits: Sequence[int] | None = None,
    pair: Sequence[int] | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
    confirm: Confirm = None,
    max_seconds: float | None = None,
    purpose: Mapping[str, Any] | None = None,
) -> Job:
    """Send an experiment and return at once: the arguments of `run_experiment`.

    A simulator's run is computed by whoever collects it.
    """
    from ebit.backends import begin

    where, compiled = _ready(experiment, backend, shots, qubits, pair, seed, progress)
    check_terms(confirm, max_seconds)
    agree(where, experiment, int(shots), confirm=confirm, max_seconds=max_seconds)
    return begin(where, compiled, shots=int(shots), seed=seed, purpose=purpose, progress=progress)


def run_of_job(job: Job) -> Run:
    """What a run out of the ledger gave, in the form of a run of this process.

    Raises:
        JobError: its shots have not come back yet.
    """
    from ebit.games import JobError

    outcome, facts = job.outcome, job.entry.facts
    if outcome is None:
        raise JobError(f"job {job.id[:8]} has no shots yet (it is {job.stage})")
    summary = job.entry.summary
    return _run(
        job.program,
        job.compiled,
        outcome,
        backend=summary.backend,
        simulated=facts["kind"] == "simulator",
        labels=tuple(facts["labels"]),
        versions=dict(facts["versions"]),
        job=job.id,
        date=summary.created,
        jobs=len(summary.provider_ids),
        calibration=job.calibration,
    )


def _ready(
    experiment: Program,
    backend: str | object,
    shots: int,
    qubits: Sequence[int] | None,
    pair: Sequence[int] | None,
    seed: int | None,
    progress: Progress | None,
) -> tuple[Backend, Compiled]:
    from ebit.backends import complete_qubits, open_backend

    check_shots(shots)
    if seed is not None and (not _is_whole(seed) or seed < 0):
        raise ArgumentError(f"seed must be a whole number of at least 0, but was {seed!r}")
    if progress is not None and not callable(progress):
        raise ArgumentError(f"progress must be a function of (done, total), but was {progress!r}")
    pair, qubits = _numbers("pair", pair), _numbers("qubits", qubits)
    if pair is not None and qubits is not None:
        raise ArgumentError(
            "give pair (Alice's and Bob's qubits) or qubits (all of them), not both"
        )
    experiment.allocate(int(shots))
    where = open_backend(backend)
    chosen = complete_qubits(experiment, where, pair) if pair is not None else qubits
    compiled = where.compile(experiment, qubits=chosen)
    if len(compiled.circuits) >= _MANY:
        from ebit.backends.patience import say

        say(
            progress,
            f"{len(compiled.circuits)} circuits on {len(compiled.qubits)} qubits compiled and "
            f"compared with what was asked ({compiled.guard.status})",
        )
    return where, compiled


def _run(
    experiment: Program,
    compiled: Compiled,
    outcome: Outcome,
    *,
    backend: str,
    simulated: bool,
    labels: tuple[str, ...],
    versions: dict[str, str],
    job: str | None = None,
    date: str | None = None,
    jobs: int = 0,
    calibration: Calibration | None = None,
) -> Run:
    info = RunInfo(
        backend=backend,
        qubits=compiled.qubits,
        experiment=experiment.name,
        experiment_id=experiment.id,
        shots=outcome.shots.n,
        seed=outcome.seed,
        method=outcome.method,
        guard=compiled.guard.status,
        calibration=compiled.calibration,
        predicted=compiled.predicted,
        date=date or datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions,
        job=job,
        labels=labels,
    )
    return Run(
        experiment,
        compiled,
        outcome,
        info,
        "simulated" if simulated else "one chip",
        "pseudo (simulator)" if simulated else "device",
        jobs,
        calibration,
    )


def check_shots(shots: object) -> int:
    """Return a number of shots, or say what it must be."""
    if not _is_whole(shots) or shots < 1:  # type: ignore[operator]
        raise ArgumentError(f"shots must be a whole number of at least 1, but was {shots!r}")
    return int(shots)  # type: ignore[call-overload,no-any-return]


def _is_whole(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, (int, np.integer)) or (isinstance(value, float) and value.is_integer())


def _numbers(name: str, given: Sequence[int] | None) -> tuple[int, ...] | None:
    """Return qubit numbers, or say what they must be."""
    if given is None:
        return None
    listed = isinstance(given, (Sequence, np.ndarray)) and not isinstance(given, (str, bytes))
    if not listed or not all(_is_whole(q) and q >= 0 for q in given):
        raise ArgumentError(f"{name} must be qubit numbers such as (3, 4), but was {given!r}")
    return tuple(int(q) for q in given)


def _versions() -> dict[str, str]:
    found = {"ebit": __version__}  # what runs, not what was once installed
    for name in ("qiskit", "qiskit-aer", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def context_of(run: Run) -> dict[str, Any]:
    """Return what a score takes over from a run."""
    return {
        "run": run.info,
        "separation": run.separation,
        "randomness": run.randomness,
        "assumptions": (*run.compiled.assumptions, *run.outcome.assumptions),
        "not_given": run.outcome.not_given,
    }
