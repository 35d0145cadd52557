"""Runs out of the ledger, as any process sees them, without asking anybody on the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ebit.backends.calibration import Calibration
from ebit.backends.ledger import Entry, Ledger, Summary
from ebit.backends.model import Backend, Compiled, GuardReport, Handle, JobState, Outcome
from ebit.backends.names import open_backend
from ebit.games import JobError, Shots

if TYPE_CHECKING:
    from ebit.circuits.program import Program

__all__ = ["Job", "check_clock", "list_jobs", "open_job"]


@dataclass(frozen=True, eq=False)
class Job:
    """A run out of the ledger: what was asked, what was sent, and what came back.

    Attributes:
        id: our own id.
        entry: the raw record.
        ledger: where it is kept.
        fetched: what came back in this process, where the ledger could not take it.
    """

    id: str
    entry: Entry
    ledger: Ledger = field(repr=False)
    fetched: Outcome | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        line = self.entry.summary
        return f"Job({self.id[:8]}, {line.name} on {line.backend}, {self.stage})"

    @property
    def stage(self) -> str:
        """``intent``, ``submitted``, ``done``, ``failed`` or ``cancelled``."""
        return "done" if self.fetched is not None else self.entry.summary.stage

    @property
    def handle(self) -> Handle | None:
        """What the backend knows it by, None before anything was sent."""
        return self.entry.handle

    @cached_property
    def program(self) -> Program:
        """The experiment that was asked for."""
        from ebit.circuits.record import program_from_bytes

        return program_from_bytes(self.entry.program)

    @property
    def experiment(self) -> Program:
        """The experiment that was asked for."""
        return self.program

    @cached_property
    def compiled(self) -> Compiled:
        """The native circuits, their physical qubits, and what the guard found."""
        from ebit.circuits.record import circuits_from_bytes

        facts = self.entry.facts
        guard = facts["guard"]
        return Compiled(
            experiment=self.program,
            backend=self.entry.summary.backend,
            circuits=circuits_from_bytes(self.entry.compiled),
            qubits=tuple(facts["qubits"]),
            guard=GuardReport(guard["status"], guard["deviation"], guard["detail"]),
            calibration=facts["calibrated"],
            predicted=facts["predicted"],
            assumptions=tuple(facts["assumptions"]),
        )

    @property
    def layout(self) -> tuple[int, ...]:
        """The physical qubit of each logical one."""
        return tuple(self.entry.facts["qubits"])

    @cached_property
    def calibration(self) -> Calibration | None:
        """The whole calibration the qubits were chosen by, as it was then."""
        data = self.entry.calibration
        return None if data is None else Calibration.from_json(data)

    @property
    def purpose(self) -> Mapping[str, Any]:
        """What the run was for: what a score of it needs to know."""
        return dict(self.entry.facts["purpose"])

    @cached_property
    def outcome(self) -> Outcome | None:
        """What came back, None before."""
        if self.fetched is not None:
            return self.fetched
        data = self.entry.outcome
        shots = None if data is None else self.ledger.shots(self.id)
        if data is None or shots is None:
            return None
        return Outcome(
            shots=shots,
            method=data["method"],
            seed=data["seed"],
            assumptions=tuple(data["assumptions"]),
            not_given=tuple(data["not_given"]),
            metadata=data["metadata"],
        )

    @property
    def shots(self) -> Shots | None:
        """The ordered bits of every circuit, None before they came back."""
        return None if self.outcome is None else self.outcome.shots

    @cached_property
    def trials(self) -> Any:
        """The rounds, decoded.

        Raises:
            JobError: they have not come back yet.
        """
        if self.shots is None:
            raise JobError(
                f"job {self.id[:8]} has no rounds yet (it is {self.stage}): "
                f"ebit resume {self.id[:8]} completes it"
            )
        return self.program.decode(self.shots)

    def status(self, backend: Backend | None = None) -> JobState:
        """Where the run stands, asked of the provider unless the ledger knows."""
        if self.stage == "done":
            return JobState("done")
        if self.stage in ("failed", "cancelled"):
            return JobState(self.stage, detail=self.entry.summary.reason)  # type: ignore[arg-type]
        if not self.entry.facts["remote"]:
            return JobState("queued", detail="not sent yet" if self.handle is None else "local")
        where = backend or open_backend(self.entry.summary.backend)
        # A process that was killed may have sent it without living to write that down.
        handle = self.handle or where.find(self.id)
        return JobState("queued", detail="not sent yet") if handle is None else where.status(handle)


def open_job(id: str | Job, *, ledger: Ledger | None = None) -> Job:
    """A run out of the ledger, in any process, without asking anybody on the network.

    Args:
        id: our id or its first characters (4 at least), or an id of the provider.
        ledger: the ledger; the user's own by default.

    Raises:
        ArgumentError: no run is meant, or more than one.
        LedgerError: the ledger cannot be read.
    """
    if isinstance(id, Job):
        return open_job(id.id, ledger=id.ledger)
    book = Ledger() if ledger is None else ledger
    full = book.resolve(id)
    return Job(full, book.entry(full), book)


def list_jobs(*, ledger: Ledger | None = None) -> tuple[Summary, ...]:
    """Every run of the ledger, newest first."""
    return (Ledger() if ledger is None else ledger).runs()


def check_clock(jobs: Sequence[Summary], now: str | None = None) -> str | None:
    """A line to show when the newest run was written later than it is now, None otherwise.

    A minute is let pass: clocks are set right by fractions of a second all the time.
    """
    newest = max((max(job.created, job.updated) for job in jobs), default="")
    here = datetime.now(UTC) if now is None else datetime.fromisoformat(now)
    if newest <= (here + timedelta(minutes=1)).isoformat(timespec="milliseconds"):
        return None
    return (
        f"the clock of this machine ({here.isoformat()[:19]}) is behind the ledger's last entry "
        f"({newest[:19]}): it went back, and dates may be wrong; the order of jobs is not"
    )
