"""An experiment through a backend: compile, submit, fetch, decode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from ebit.analysis import RunInfo
from ebit.games import ArgumentError, Trials

if TYPE_CHECKING:
    from ebit.backends import Compiled, Outcome
    from ebit.circuits import Experiment

__all__ = ["Run", "run_experiment"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Run:
    """What came back from a backend, and everything that says where it came from.

    Attributes:
        experiment: what was asked.
        compiled: what was run, and how it was checked.
        outcome: the shots, the method and its assumptions.
        trials: the rounds.
        info: the record that scores carry.
        separation: "simulated" or "one chip".
        randomness: whether outcomes are pseudo-random or come from a device.
    """

    experiment: Experiment
    compiled: Compiled
    outcome: Outcome
    trials: Trials
    info: RunInfo
    separation: str
    randomness: str


def run_experiment(
    experiment: Experiment,
    backend: str | object = "aer",
    *,
    shots: int,
    qubits: Sequence[int] | None = None,
    pair: Sequence[int] | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
) -> Run:
    """Run an experiment and decode its rounds.

    Args:
        experiment: what to run.
        backend: a name such as "aer:fez", or an object such as ``AerSimulator()``.
        shots: rounds in all, shared among the circuits.
        qubits: physical qubits in the order of the experiment's; chosen by calibration if left
            out.
        pair: physical qubits of Alice and Bob only; the others are chosen beside them.
        seed: makes a simulator's run repeatable.
        progress: called with (done, total).

    Raises:
        ArgumentError: shots, qubits or a pair that do not fit.
    """
    from ebit.backends import complete_qubits, open_backend

    if not _is_whole(shots) or shots < 1:
        raise ArgumentError(f"shots must be a whole number of at least 1, but was {shots!r}")
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
    handle = where.submit(compiled, shots=int(shots), id=uuid4().hex, seed=seed)
    outcome = where.fetch(handle, progress=progress)
    trials = experiment.decode(outcome.shots)
    simulated = where.describe().kind == "simulator"
    info = RunInfo(
        backend=where.name,
        qubits=compiled.qubits,
        experiment=experiment.name,
        experiment_id=experiment.id,
        shots=trials.n,
        seed=outcome.seed,
        method=outcome.method,
        guard=compiled.guard.status,
        calibration=compiled.calibration,
        predicted=compiled.predicted,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=_versions(),
    )
    return Run(
        experiment,
        compiled,
        outcome,
        trials,
        info,
        "simulated" if simulated else "one chip",
        "pseudo (simulator)" if simulated else "device",
    )


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
    found: dict[str, str] = {}
    for name in ("ebit", "qiskit", "qiskit-aer", "numpy"):
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
