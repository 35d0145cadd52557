"""From the jobs of a run at IBM to its shots."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from ebit.backends.ibm_client import Line
from ebit.backends.ibm_jobs import choose, drop, job_by_id, parts_at, status
from ebit.backends.ibm_options import Options, effective
from ebit.backends.ibm_parts import Plan, jobs_of
from ebit.backends.ibm_results import (
    Foreign,
    bits_of_pub,
    facts_of,
    failure,
    position,
    result_of,
    wait_for,
)
from ebit.backends.model import Handle, JobState, Outcome, Phase, Progress
from ebit.games import EbitError, JobError, Shots

__all__ = ["collect", "fetch_job", "state_of"]

ONE_CHIP = "one chip: all parties' qubits are on the same processor, side by side"
NOT_GIVEN = (
    "separation of the parties: they share one chip and its electronics",
    "secrecy from the provider, who runs the processor and sees every bit",
)
_PHASES: dict[str, Phase] = {
    "INITIALIZING": "queued",
    "QUEUED": "queued",
    "RUNNING": "running",
    "DONE": "done",
    "ERROR": "failed",
    "CANCELLED": "cancelled",
}
_ORDER: tuple[Phase, ...] = ("failed", "cancelled", "running", "queued")


def jobs_at(
    line: Line, device: Any, plan: Plan, handle: Handle, *, progress: object = None
) -> tuple[dict[int, Any], list[str]]:
    """The job of each part that counts, and ids of duplicates, which are cancelled.

    Raises:
        JobError: a part was never sent.
    """
    found = parts_at(line, device, plan.id, progress=progress)
    known = jobs_of(handle)
    jobs: dict[int, Any] = {}
    duplicates: list[str] = []
    for part in range(len(plan.parts)):
        if part in found:
            jobs[part], extras = choose(line, found[part], progress=progress)
            duplicates += [j.job_id() for j in found[part] if j is not jobs[part]]
            drop(line, extras, progress=progress)
        elif part in known:  # the list is behind, or somebody took its tags away
            jobs[part] = job_by_id(line, device.service, known[part], progress=progress)
    missing = [k for k in range(len(plan.parts)) if k not in jobs]
    if missing:
        raise JobError(
            f"run {plan.id!r} is not whole: {len(missing)} of its {len(plan.parts)} jobs were "
            "never sent; submit it again under the same id, and only those are"
        )
    return jobs, duplicates


def state_of(line: Line, device: Any, plan: Plan, handle: Handle) -> JobState:
    """Where a run stands, all its jobs taken together."""
    jobs, _ = jobs_at(line, device, plan, handle)
    words = {k: status(line, job) for k, job in jobs.items()}
    phases = [_PHASES.get(word, "running") for word in words.values()]
    phase: Phase = next((p for p in _ORDER if p in phases), "done")
    if phase == "queued" and "done" in phases:
        phase = "running"
    places = [
        place
        for k, job in jobs.items()
        if words[k] == "QUEUED" and (place := position(line, job)) is not None
    ]
    counted = {word: list(words.values()).count(word) for word in words.values()}
    detail = ", ".join(f"{n} {word}" for word, n in counted.items())
    if phase == "failed":
        bad = next(k for k, word in words.items() if word == "ERROR")
        detail = str(failure(line, jobs[bad], _label(bad, plan)))
    return JobState(phase, min(places, default=None), detail)


def collect(
    line: Line,
    device: Any,
    plan: Plan,
    handle: Handle,
    *,
    progress: Progress | None = None,
) -> Outcome:
    """Wait for every job of a run and put its shots together."""
    jobs, duplicates = jobs_at(line, device, plan, handle, progress=progress)
    total, done = sum(plan.shots), 0
    pieces: dict[int, list[npt.NDArray[np.uint8]]] = {i: [] for i in range(len(plan.widths))}
    facts, sent = [], None
    for k, job in sorted(jobs.items()):
        part, label = plan.parts[k], _label(k, plan)
        state = wait_for(line, job, plan.device, progress=progress)
        if state == "ERROR":
            raise failure(line, job, label)
        if state == "CANCELLED":
            raise JobError(
                f"job {job.job_id()} ({label}) was cancelled: its shots are lost; run it again "
                "under a new id"
            )
        result = result_of(line, job, progress=progress)
        where = f"job {job.job_id()} ({label})"
        if len(result) != len(part.circuits):
            raise JobError(
                f"{where} gave {len(result)} results instead of {len(part.circuits)}: not counted"
            )
        for pub, circuit in zip(result, part.circuits, strict=True):
            _check_circuit(pub, plan, circuit, where)
            pieces[circuit].append(
                bits_of_pub(pub, [("c", plan.widths[circuit])], part.shots, where)
            )
        sent = sent or dict(result.metadata["options"])
        facts.append({**facts_of(line, job, result), "part": k, "circuits": list(part.circuits)})
        done += part.shots * len(part.circuits)
        if progress is not None:
            progress(done, total)
    shots = Shots(tuple(np.concatenate(pieces[i]) for i in sorted(pieces)), plan.widths)
    duplicates += _late(line, device, plan, {*duplicates, *(fact["id"] for fact in facts)})
    options = effective(sent or {}, device)
    return Outcome(
        shots=shots,
        method="qiskit_ibm_runtime.executor_sampler.Sampler",
        seed=None,
        assumptions=(ONE_CHIP, *Options.of(options).assumptions()),
        not_given=NOT_GIVEN,
        metadata=_metadata(plan, handle, facts, duplicates, options),
    )


def _late(line: Line, device: Any, plan: Plan, known: set[str]) -> list[str]:
    """Duplicates that came up while the run was waited for, cancelled; what was counted stays."""
    try:
        found = parts_at(line, device, plan.id, patience=line.brief())
    except EbitError:  # the shots are here: nothing is worth losing them for
        return []
    return drop(line, [j for jobs in found.values() for j in jobs if j.job_id() not in known])


def _metadata(
    plan: Plan,
    handle: Handle,
    facts: list[dict[str, Any]],
    duplicates: list[str],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    used = [fact["quantum_seconds"] for fact in facts]
    return {
        "device": plan.device,
        "qubits": list(plan.qubits),
        "jobs": facts,
        "duplicates": duplicates,
        "mode": handle.metadata.get("mode"),
        "options": {**options, "mode": handle.metadata.get("mode")},
        "quantum_seconds": None if None in used else sum(used),
        "calibration": next((f["calibration"] for f in facts if f["calibration"]), None),
        "versions": {p: version(p) for p in ("qiskit", "qiskit-ibm-runtime")},
    }


def _check_circuit(pub: Any, plan: Plan, circuit: int, where: str) -> None:
    """Refuse results that say that they are of another circuit, or of another experiment."""
    metadata = pub.metadata.get("circuit_metadata") or {}
    carried = metadata.get("ebit")
    if carried is not None and [carried[0], carried[2]] != [plan.id, circuit]:
        raise JobError(
            f"{where} gave circuit {carried} where circuit {circuit} of {plan.id} belongs"
        )
    sent = metadata.get("ebit_plan")
    if sent is not None and Plan.from_plain(sent) != plan:
        raise JobError(f"{where} is of another run than the handle says: not counted")


def _label(part: int, plan: Plan) -> str:
    return f"part {part + 1} of {len(plan.parts)} of run {plan.id}"


def fetch_job(line: Line, service: Any, id: str, *, progress: object = None) -> Foreign:
    """The results of one job, whoever sent it."""
    job = job_by_id(line, service, id, progress=progress)
    device = getattr(job.backend(), "name", "a processor of IBM")
    state = wait_for(line, job, device, progress=progress)
    if state == "ERROR":
        raise failure(line, job, f"on {device}")
    if state == "CANCELLED":
        raise JobError(f"job {id} was cancelled: it has no results")
    result = result_of(line, job, progress=progress)
    return Foreign(
        id=id,
        backend=device,
        tags=tuple(job.tags or ()),
        program=str(job.primitive_id),
        created=job.creation_date.isoformat() if job.creation_date else "",
        result=result,
    )
