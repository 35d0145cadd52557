"""Sending a run of the ledger: alone, noted part by part, and never lost to a full disk."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from inspect import signature
from typing import Any

from ebit.backends.claims import who
from ebit.backends.jobs import Job
from ebit.backends.ledger import Ledger, LedgerError
from ebit.backends.model import Backend, Compiled, Description, Handle, Progress
from ebit.backends.patience import one_line, say
from ebit.games import BudgetError, JobError

__all__ = ["alone", "facts_of", "in_line", "send", "send_again", "unless_full"]

_lines: dict[str, threading.Lock] = {}
_PACKAGES = (
    "ebit",
    "qiskit",
    "qiskit-aer",
    "qiskit-ibm-runtime",
    "cirq-core",
    "cirq-google",
    "numpy",
)

if hasattr(os, "register_at_fork"):  # a lock that another thread held at a fork is never let go
    os.register_at_fork(after_in_child=_lines.clear)


def facts_of(
    compiled: Compiled,
    described: Description,
    shots: int,
    seed: int | None,
    purpose: Mapping[str, Any],
) -> dict[str, Any]:
    """What the ledger keeps of a run as plain data."""
    return {
        "qubits": list(compiled.qubits),
        "labels": [described.labels[q] for q in compiled.qubits] if described.labels else [],
        "guard": {
            "status": compiled.guard.status,
            "deviation": float(compiled.guard.deviation),
            "detail": compiled.guard.detail,
        },
        "calibrated": compiled.calibration,
        "predicted": None if compiled.predicted is None else float(compiled.predicted),
        "assumptions": list(compiled.assumptions),
        "shots": sum(compiled.experiment.allocate(shots)),
        "asked": shots,
        "seed": seed,
        "kind": described.kind,
        "remote": described.remote,
        "paid": described.paid,
        "purpose": dict(purpose),
        "versions": dict(_versions()),
    }


@cache
def _versions() -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def send(
    where: Backend,
    compiled: Compiled,
    book: Ledger,
    id: str,
    shots: int,
    seed: int | None,
    progress: Progress | None,
) -> Handle:
    """Send a run, or what is missing of it, and write down each id as it comes."""

    def note(handle: Handle) -> None:
        # What has been sent is with the provider under our id, whether or not this can be written.
        with unless_full(progress):
            book.submitted(id, handle)
        say(progress, f"sent: {' '.join(handle.provider_ids) or handle.id}")

    # An adapter that can say what it waits for may take whom to tell.
    told = "progress" in signature(where.submit).parameters
    more: dict[str, Any] = {"progress": progress} if told else {}
    try:
        handle = where.submit(compiled, shots=shots, id=id, seed=seed, note=note, **more)
    except BaseException as error:
        with unless_full(progress):
            book.note(id, f"sending broke off: {one_line(error)}")
        raise
    with unless_full(progress):
        book.submitted(id, handle, whole=True)
    return handle


def send_again(
    where: Backend, job: Job, agree: Callable[[Job], bool] | None, progress: Progress | None
) -> Handle:
    """Complete a run of which the ledger does not know that all of it was sent."""
    facts = job.entry.facts
    if facts["paid"] and agree is not None and where.find(job.id) is None and not agree(job):
        raise BudgetError(f"job {job.id[:8]} was not sent: nothing was paid for")
    return send(where, job.compiled, job.ledger, job.id, facts["asked"], facts["seed"], progress)


@contextmanager
def in_line(id: str) -> Iterator[None]:
    """Keep other threads from sending or cancelling the same run meanwhile."""
    with _lines.setdefault(id, threading.Lock()):
        yield


@contextmanager
def alone(
    book: Ledger, id: str, *, must: bool = True, progress: Progress | None = None
) -> Iterator[None]:
    """Keep other threads and processes from sending or cancelling the same run meanwhile.

    Args:
        book: the ledger.
        id: of the run.
        must: whether to refuse, rather than go on, when the ledger cannot be written.
        progress: told if it cannot.

    Raises:
        JobError: another process is at work on it.
        LedgerError: the ledger cannot be written.
    """
    with in_line(id):
        other = None
        if must:
            other = book.claim(id)
        else:
            with unless_full(progress):
                other = book.claim(id)
        if other is not None:
            raise JobError(
                f"job {id[:8]} is being sent by another process ({who(other)}): "
                "wait for it, or end it, and try again"
            )
        try:
            yield
        finally:
            with unless_full(progress):
                book.release(id)


@contextmanager
def unless_full(progress: Progress | None) -> Iterator[None]:
    """Go on when the ledger cannot be written: what was paid for must not be lost to that."""
    try:
        yield
    except LedgerError as error:
        text = f"{error} (the job itself is safe with its provider)"
        if callable(getattr(progress, "say", None)):
            say(progress, text)
        else:
            warnings.warn(text, RuntimeWarning, stacklevel=4)
