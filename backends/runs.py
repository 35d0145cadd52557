"""Runs that outlive the process: written down first, sent once, collected by any process later."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ebit.backends.jobs import Job, open_job
from ebit.backends.ledger import Ledger, LedgerError
from ebit.backends.ledger_rows import Entry
from ebit.backends.local import fresh_seed
from ebit.backends.model import Backend, Compiled, Handle, JobState, Outcome, Progress
from ebit.backends.names import open_backend
from ebit.backends.patience import one_line, say
from ebit.backends.sending import alone, facts_of, in_line, send, send_again, unless_full
from ebit.games import ArgumentError, EbitError, JobError, NetworkError

__all__ = ["Stopped", "begin", "cancel_job", "collect"]

_CANCELLING = "cancelling was begun"


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
        ArgumentError: the purpose is not plain data.
        EbitError: the circuits cannot be kept: nothing was sent.
        LedgerError: the ledger cannot be written: nothing was sent.
        NetworkError: the provider could not be reached; the run is in the ledger, and collecting it
            sends what is missing.
        JobError: the provider refused it; the run is in the ledger as failed.
        Stopped: the user interrupted the sending; collecting the run sends what is missing.
    """
    program, circuits = _as_bytes(compiled)
    book = Ledger() if ledger is None else ledger
    described = where.describe()
    if not described.remote and seed is None:
        seed = fresh_seed()  # so that the same run can be computed by whoever collects it
    id = secrets.token_hex(8)
    calibration = getattr(where, "calibration", None)
    entry = book.intend(
        id,
        backend=where.name,
        name=compiled.experiment.name,
        program_id=compiled.experiment.id,
        program=program,
        compiled=circuits,
        calibration=None if calibration is None else calibration.to_json(),
        facts=facts_of(compiled, described, shots, seed, purpose or {}),
    )
    say(progress, f"job {id[:8]} is in the ledger")
    try:
        with in_line(id):
            handle = send(where, compiled, book, id, shots, seed, progress)
    except BaseException as error:
        _broken_off(where, book, id, error, progress)
        if isinstance(error, NetworkError):
            raise NetworkError(
                f"{error}; job {id[:8]} is in the ledger: ebit resume {id[:8]} sends what is missing"
            ) from error
        if isinstance(error, KeyboardInterrupt):
            raise Stopped(id) from None
        raise
    return _now(Job(id, _sent(entry, handle), book))


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
        JobError: it failed or was cancelled at the provider, or gave other shots than were asked.
        NetworkError: the provider could not be reached.
        Stopped: the user interrupted the waiting; the run goes on.
    """
    found = open_job(job, ledger=ledger) if isinstance(job, str) else _now(job)
    book, id = found.ledger, found.id
    if found.fetched is not None and found.entry.outcome is None:
        _write_down(found, found.fetched, progress)  # there was no room for it before
    if found.stage == "done":
        return found
    _refuse_ended(found)
    where = open_backend(found.entry.summary.backend) if backend is None else backend
    try:
        handle = found.handle
        if not found.entry.facts["remote"]:
            handle = _send_here(where, found)
        elif not found.entry.whole:
            with alone(book, id, progress=progress):
                found = _now(found)
                _refuse_ended(found)
                if found.stage == "done":
                    return found
                if not found.entry.whole:
                    handle = send_again(where, found, agree, progress)
                    found = _now(replace(found, entry=_sent(found.entry, handle)))
                handle = found.handle
        if handle is None:
            raise JobError(f"job {id[:8]} could not be sent")
        outcome = where.fetch(handle, progress=progress)
    except KeyboardInterrupt:
        raise Stopped(id) from None
    except JobError as error:
        if found.handle is not None:
            state = _phase(where, found.handle)
            if state is not None and state.phase in ("failed", "cancelled"):
                with unless_full(progress):
                    book.ended(id, state.phase, str(error))
        raise
    _check_shots(found, handle, outcome)
    return _write_down(found, outcome, progress)


def cancel_job(
    job: Job | str,
    *,
    backend: Backend | None = None,
    ledger: Ledger | None = None,
    progress: Progress | None = None,
) -> Job:
    """Cancel a run at its provider, and write that down.

    Args:
        job: the run, its id, the first characters of its id, or an id of the provider.
        backend: where it runs; opened by its name by default.
        ledger: the ledger; the user's own by default.
        progress: told of what happens if it has a method ``say``.

    Raises:
        JobError: it is done: its shots are in the ledger.
        NetworkError: the provider could not be reached; until it is, nothing more of the run is
            sent.
    """
    found = open_job(job, ledger=ledger) if isinstance(job, str) else _now(job)
    _refuse_done(found)
    if found.stage == "cancelled":
        return found
    book, id = found.ledger, found.id
    # A disk that is full must not keep a run going that costs money.
    with alone(book, id, must=False, progress=progress):
        found = _now(found)
        _refuse_done(found)
        if found.entry.facts["remote"]:
            with unless_full(progress):
                book.ending(id, _CANCELLING)
            where = open_backend(found.entry.summary.backend) if backend is None else backend
            handle = where.find(id) or found.handle
            if handle is not None:
                where.cancel(handle)
        with unless_full(progress):
            book.ended(id, "cancelled", "cancelled by the user")
    kept = _now(found)
    if kept.stage in ("done", "cancelled"):
        return kept
    line = replace(found.entry.summary, stage="cancelled", reason="cancelled by the user")
    return replace(found, entry=replace(found.entry, summary=line))


def _as_bytes(compiled: Compiled) -> tuple[bytes, bytes]:
    """What was asked and what will run, as the ledger keeps them.

    Raises:
        EbitError: they cannot be written, or not be read again, which is better known now.
    """
    from ebit.circuits.record import (
        circuits_from_bytes,
        circuits_to_bytes,
        program_from_bytes,
        program_to_bytes,
    )

    program = program_to_bytes(compiled.experiment)
    circuits = circuits_to_bytes(compiled.circuits)
    same = program_from_bytes(program).id == compiled.experiment.id
    if not same or len(circuits_from_bytes(circuits)) != len(compiled.circuits):
        raise EbitError(f"{compiled.experiment.name} cannot be stored: it reads back as another")
    return program, circuits


def _broken_off(
    where: Backend, book: Ledger, id: str, error: BaseException, progress: Progress | None
) -> None:
    """Let others complete a run; one that its provider refused, and has nothing of, is over."""
    with unless_full(progress):
        book.release(id)
        if isinstance(error, EbitError) and not isinstance(error, NetworkError):
            try:
                refused = where.find(id) is None
            except EbitError:
                return
            if refused:
                book.ended(id, "failed", f"not sent: {one_line(error)}")


def _now(job: Job) -> Job:
    """A run as the ledger has it now, with what only this process knows of it."""
    try:
        kept = open_job(job.id, ledger=job.ledger)
    except (LedgerError, ArgumentError):
        return job  # what was read of it before still holds
    if kept.entry.outcome is not None:
        return kept
    if job.entry.whole and not kept.entry.whole and job.handle is not None:
        return replace(kept, entry=_sent(kept.entry, job.handle), fetched=job.fetched)
    return replace(kept, fetched=job.fetched)


def _sent(entry: Entry, handle: Handle) -> Entry:
    line = replace(entry.summary, stage="submitted", provider_ids=handle.provider_ids)
    return replace(entry, summary=line, handle=handle, whole=True)


def _send_here(where: Backend, job: Job) -> Handle:
    """A simulator computes a run in the process that collects it, the same in each."""
    facts = job.entry.facts
    return where.submit(job.compiled, shots=facts["asked"], id=job.id, seed=facts["seed"])


def _refuse_ended(job: Job) -> None:
    """Nothing of a run that was ended is sent. What its provider has may still be fetched."""
    line = job.entry.summary
    if job.entry.whole and job.entry.facts["remote"]:
        return
    if line.stage in ("failed", "cancelled"):
        raise JobError(f"job {job.id[:8]} {_WAS[line.stage]} and gives no shots: {line.reason}")
    if line.reason == _CANCELLING:
        raise JobError(
            f"job {job.id[:8]} is being cancelled, which was not finished: ebit cancel "
            f"{job.id[:8]} finishes it"
        )


_WAS = {"failed": "failed", "cancelled": "was cancelled"}


def _refuse_done(job: Job) -> None:
    if job.stage == "done":
        raise JobError(f"job {job.id[:8]} is done: there is nothing to cancel")


def _check_shots(job: Job, handle: Handle, outcome: Outcome) -> None:
    """A result that was cut short, or that is another's, is never written down as the run's."""
    try:
        widths = job.program.widths
    except EbitError:  # a damaged record is no reason to drop what was paid for
        widths = outcome.shots.widths
    if outcome.shots.counts == tuple(handle.shots) and outcome.shots.widths == widths:
        return
    raise JobError(
        f"job {job.id[:8]} must give {sum(handle.shots)} shots of {len(widths)} circuits, but its "
        f"provider gave {outcome.shots.n} of {len(outcome.shots.widths)}: nothing was written down; "
        f"ebit resume {job.id[:8]} asks again"
    )


def _write_down(job: Job, outcome: Outcome, progress: Progress | None) -> Job:
    plain = {
        "method": outcome.method,
        "seed": outcome.seed,
        "assumptions": list(outcome.assumptions),
        "not_given": list(outcome.not_given),
        "metadata": dict(outcome.metadata),
    }
    with unless_full(progress):
        job.ledger.done(job.id, outcome.shots, plain)
    return replace(job, fetched=outcome)


def _phase(where: Backend, handle: Handle) -> JobState | None:
    try:
        return where.status(handle)
    except EbitError:
        return None
