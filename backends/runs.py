"""Runs that outlive the process: written down first, sent once, collected by any process later."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ebit.backends.jobs import Job, open_job
from ebit.backends.ledger import Ledger, LedgerError
from ebit.backends.local import fresh_seed
from ebit.backends.model import Backend, Compiled, Description, Handle, JobState, Progress
from ebit.backends.names import open_backend
from ebit.backends.patience import say
from ebit.games import BudgetError, EbitError, JobError

__all__ = ["Stopped", "begin", "cancel_job", "collect"]

_sending: dict[str, threading.Lock] = {}
_PACKAGES = (
    "ebit",
    "qiskit",
    "qiskit-aer",
    "qiskit-ibm-runtime",
    "cirq-core",
    "cirq-google",
    "numpy",
)


class Stopped(KeyboardInterrupt):
    """The user stopped waiting. The run goes on; it is picked up by its id."""

    def __init__(self, id: str) -> None:
        super().__init__(f"stopped waiting; the job goes on: ebit resume {id[:8]}")
        self.id = id


def begin(
    where: Backend,
    compiled: Compiled,
    *,
    shots: int,
    seed: int | None = None,
    purpose: Mapping[str, Any] | None = None,
    ledger: Ledger | None = None,
    progress: Progress | None = None,
) -> Job:
    """Write a run down, then send it.

    Args:
        where: the backend.
        compiled: what it compiled.
        shots: over all circuits.
        seed: of a simulator.
        purpose: what the run is for, plain data; kept for whoever collects it.
        ledger: the ledger; the user's own by default.
        progress: told of what happens if it has a method ``say``.

    Raises:
        LedgerError: the ledger cannot be written: nothing was sent.
        NetworkError: the provider could not be reached; the run is in the ledger, and collecting it
            sends what is missing.
    """
    from ebit.circuits.record import circuits_to_bytes, program_to_bytes

    book = Ledger() if ledger is None else ledger
    described = where.describe()
    if not described.remote and seed is None:
        seed = fresh_seed()  # so that the same run can be computed by whoever collects it
    id = secrets.token_hex(8)
    calibration = getattr(where, "calibration", None)
    book.intend(
        id,
        backend=where.name,
        name=compiled.experiment.name,
        program_id=compiled.experiment.id,
        program=program_to_bytes(compiled.experiment),
        compiled=circuits_to_bytes(compiled.circuits),
        calibration=None if calibration is None else calibration.to_json(),
        facts=_facts(compiled, described, shots, seed, purpose or {}),
    )
    say(progress, f"job {id[:8]} is in the ledger")
    try:
        handle = _send(where, compiled, book, id, shots, seed, progress)
    except EbitError as error:
        with _unless_full(progress):
            book.note(id, f"sending broke off: {error}")
            book.release(id)
        raise
    with _unless_full(progress):
        book.submitted(id, handle)
        book.release(id)
    return open_job(id, ledger=book)


def collect(
    job: Job | str,
    *,
    backend: Backend | None = None,
    ledger: Ledger | None = None,
    agree: Callable[[Job], bool] | None = None,
    progress: Progress | None = None,
) -> Job:
    """Wait for a run and write its shots down. What was never sent is sent now.

    Args:
        job: the run, its id, the first characters of its id, or an id of the provider.
        backend: where it ran; opened by its name by default.
        ledger: the ledger; the user's own by default.
        agree: asked before a paid run is sent that never reached the provider.
        progress: called as (done, total).

    Returns:
        The run with its shots.

    Raises:
        JobError: it failed or was cancelled at the provider.
        NetworkError: the provider could not be reached.
        Stopped: the user interrupted the waiting; the run goes on.
    """
    found = open_job(job, ledger=ledger) if isinstance(job, str) else job
    if found.stage == "done":
        return found
    book, id = found.ledger, found.id
    if found.stage == "cancelled" and not found.entry.facts["remote"]:
        raise JobError(f"job {id[:8]} was cancelled: it gives no shots")
    where = open_backend(found.entry.summary.backend) if backend is None else backend
    handle = found.handle
    with _alone(book, id):
        found = open_job(id, ledger=book)
        if found.stage == "done":
            return found
        if not found.entry.facts["remote"] or not _complete(found):
            handle = _send_again(where, found, agree, progress)
        else:
            handle = found.handle
    if handle is None:
        raise JobError(f"job {id[:8]} could not be sent")
    try:
        outcome = where.fetch(handle, progress=progress)
    except KeyboardInterrupt:
        raise Stopped(id) from None
    except JobError as error:
        state = _phase(where, handle)
        if state is not None and state.phase in ("failed", "cancelled"):
            book.ended(id, state.phase, str(error))
        raise
    plain = {
        "method": outcome.method,
        "seed": outcome.seed,
        "assumptions": list(outcome.assumptions),
        "not_given": list(outcome.not_given),
        "metadata": dict(outcome.metadata),
    }
    with _unless_full(progress):
        book.done(id, outcome.shots, plain)
    return replace(found, fetched=outcome)


def cancel_job(job: Job | str, *, ledger: Ledger | None = None) -> Job:
    """Cancel a run at its provider, and write that down.

    Raises:
        JobError: it is done: its shots are in the ledger.
    """
    found = open_job(job, ledger=ledger) if isinstance(job, str) else job
    if found.stage == "done":
        raise JobError(f"job {found.id[:8]} is done: there is nothing to cancel")
    if found.stage == "cancelled":
        return found
    with _alone(found.ledger, found.id):
        if found.entry.facts["remote"]:
            where = open_backend(found.entry.summary.backend)
            handle = where.find(found.id) or found.handle
            if handle is not None:
                where.cancel(handle)
        found.ledger.ended(found.id, "cancelled", "cancelled by the user")
    return open_job(found.id, ledger=found.ledger)


def _facts(
    compiled: Compiled,
    described: Description,
    shots: int,
    seed: int | None,
    purpose: Mapping[str, Any],
) -> dict[str, Any]:
    return {
        "qubits": list(compiled.qubits),
        "labels": [described.labels[q] for q in compiled.qubits] if described.labels else [],
        "guard": {
            "status": compiled.guard.status,
            "deviation": compiled.guard.deviation,
            "detail": compiled.guard.detail,
        },
        "calibrated": compiled.calibration,
        "predicted": compiled.predicted,
        "assumptions": list(compiled.assumptions),
        "shots": sum(compiled.experiment.allocate(shots)),
        "asked": shots,
        "seed": seed,
        "kind": described.kind,
        "remote": described.remote,
        "paid": described.paid,
        "purpose": dict(purpose),
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _send(
    where: Backend,
    compiled: Compiled,
    book: Ledger,
    id: str,
    shots: int,
    seed: int | None,
    progress: Progress | None,
) -> Handle:
    def note(handle: Handle) -> None:
        # What has been sent is with the provider under our id, whether or not this can be written.
        with _unless_full(progress):
            book.submitted(id, handle)
        say(progress, f"sent: {' '.join(handle.provider_ids) or handle.id}")

    return where.submit(compiled, shots=shots, id=id, seed=seed, note=note)


def _send_again(
    where: Backend, job: Job, agree: Callable[[Job], bool] | None, progress: Progress | None
) -> Handle:
    """Complete a run of which the ledger does not know that all of it was sent."""
    facts = job.entry.facts
    there = where.find(job.id) if facts["remote"] else None
    if facts["paid"] and there is None and agree is not None and not agree(job):
        raise BudgetError(f"job {job.id[:8]} was not sent: nothing was paid for")
    return _send(where, job.compiled, job.ledger, job.id, facts["asked"], facts["seed"], progress)


def _complete(job: Job) -> bool:
    """Whether the provider gave an id for every part of the run."""
    if job.handle is None:
        return False
    parts = job.handle.metadata.get("parts")
    return parts is None or len(job.handle.provider_ids) >= len(parts)


def _phase(where: Backend, handle: Handle) -> JobState | None:
    try:
        return where.status(handle)
    except EbitError:
        return None


@contextmanager
def _alone(book: Ledger, id: str) -> Iterator[None]:
    """Keep other threads and processes from sending or cancelling the same run meanwhile."""
    lock = _sending.setdefault(id, threading.Lock())
    with lock:
        other = book.claim(id)
        if other is not None:
            host, pid = [*other.split("|"), "?", "?"][:2]
            raise JobError(
                f"job {id[:8]} is being sent by another process (number {pid} on {host}): "
                "wait for it, or end it, and try again"
            )
        try:
            yield
        finally:
            with _unless_full(None):
                book.release(id)


@contextmanager
def _unless_full(progress: Progress | None) -> Iterator[None]:
    """Go on when the ledger cannot be written: what was paid for must not be lost to that."""
    try:
        yield
    except LedgerError as error:
        say(progress, f"{error} (the job itself is safe with its provider)")
