"""The ledger: every paid run is on disk before it is on the wire, and stays there.

One SQLite file. A run goes through the stages ``intent`` (written before anything is sent),
``submitted`` (with each id that the provider gives, as it comes) and ``done`` (with the shots); or
it ends as ``failed`` or ``cancelled``. Every step is one transaction that is on disk when the call
returns: a process killed at any moment leaves the step before or the step after it.
"""

from __future__ import annotations

import json
import sqlite3
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ebit.backends.claims import free, me
from ebit.backends.home import home
from ebit.backends.ledger_file import LedgerError, LedgerFile
from ebit.backends.model import Handle
from ebit.games import ArgumentError, Shots

__all__ = ["Entry", "Ledger", "LedgerError", "Stage", "Summary"]

Stage = Literal["intent", "submitted", "done", "failed", "cancelled"]
_LEASE = 900.0  # seconds after which a claim from another machine counts as abandoned


@dataclass(frozen=True)
class Summary:
    """A line of the ledger.

    Attributes:
        id: our own id of the run.
        stage: how far it has come.
        backend: name of the backend.
        name: what was run.
        program_id: content hash of what was run.
        provider_ids: the provider's ids.
        shots: shots asked for, over all circuits.
        created, updated: ISO 8601, UTC.
        reason: why it failed.
    """

    id: str
    stage: Stage
    backend: str
    name: str
    program_id: str
    provider_ids: tuple[str, ...]
    shots: int
    created: str
    updated: str
    reason: str


@dataclass(frozen=True, eq=False)
class Entry:
    """Everything the ledger holds of a run, as it was written.

    Attributes:
        summary: its line.
        program, compiled: as `ebit.circuits.record` wrote them.
        calibration: plain data of the calibration, None without one.
        facts: layout, guard, versions, seed, purpose: plain data.
        handle: the backend's handle, None before anything was sent.
        outcome: method, assumptions and metadata of what came back; None before.
        events: what happened to it, (time, text).
    """

    summary: Summary
    program: bytes
    compiled: bytes
    calibration: Mapping[str, Any] | None
    facts: Mapping[str, Any]
    handle: Handle | None
    outcome: Mapping[str, Any] | None
    events: tuple[tuple[str, str], ...]


class Ledger:
    """The file and its few verbs. Any number of processes and threads may use it at once.

    Args:
        path: the file; by default ``ledger.sqlite`` in ``EBIT_HOME``, or in the platform's folder
            for data.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = home() / "ledger.sqlite" if path is None else Path(path)
        self._file = LedgerFile(self.path)

    def intend(
        self,
        id: str,
        *,
        backend: str,
        name: str,
        program_id: str,
        program: bytes,
        compiled: bytes,
        calibration: Mapping[str, Any] | None,
        facts: Mapping[str, Any],
    ) -> None:
        """Write down what is about to be sent, and claim it for this process."""
        packed = None if calibration is None else zlib.compress(_json(calibration).encode(), 1)
        now = _now()
        with self._file.write() as db:
            db.execute(
                "INSERT INTO runs (id, stage, backend, name, program_id, program, compiled, "
                "calibration, facts, created, updated) VALUES (?, 'intent', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (id, backend, name, program_id, program, compiled, packed, _json(facts), now, now),
            )
            db.execute("INSERT INTO claims VALUES (?, ?, ?)", (id, me(), time.time() + _LEASE))
            _event(db, id, now, "intent")

    def submitted(self, id: str, handle: Handle) -> None:
        """Write down what the provider has of a run so far; repeated as each of its ids comes."""
        now = _now()
        with self._file.write() as db:
            changed = db.execute(
                "UPDATE runs SET handle = ?, updated = ?, stage = CASE stage WHEN 'done' THEN 'done' "
                "ELSE 'submitted' END WHERE id = ?",
                (_json(handle.to_dict()), now, id),
            ).rowcount
            _known(changed, id)
            db.execute(
                "UPDATE claims SET until = ? WHERE run = ? AND owner = ?",
                (time.time() + _LEASE, id, me()),
            )
            _event(db, id, now, f"submitted {' '.join(handle.provider_ids)}".strip())

    def done(self, id: str, shots: Shots, outcome: Mapping[str, Any]) -> None:
        """Write down the shots of a run, all of them at once."""
        now = _now()
        rows = [
            (id, i, width, len(packed), zlib.compress(np.ascontiguousarray(packed).tobytes(), 1))
            for i, (packed, width) in enumerate(zip(shots.packed, shots.widths, strict=True))
        ]
        with self._file.write() as db:
            changed = db.execute(
                "UPDATE runs SET stage = 'done', outcome = ?, reason = '', updated = ? WHERE id = ?",
                (_json(outcome), now, id),
            ).rowcount
            _known(changed, id)
            db.execute("DELETE FROM shots WHERE run = ?", (id,))
            db.executemany("INSERT INTO shots VALUES (?, ?, ?, ?, ?)", rows)
            db.execute("DELETE FROM claims WHERE run = ?", (id,))
            _event(db, id, now, f"done, {shots.n} shots")

    def ended(self, id: str, stage: Literal["failed", "cancelled"], reason: str) -> None:
        """Write down that a run will give no shots, and why. Shots that are there stay."""
        now = _now()
        with self._file.write() as db:
            changed = db.execute(
                "UPDATE runs SET stage = ?, reason = ?, updated = ? WHERE id = ? AND stage != 'done'",
                (stage, reason, now, id),
            ).rowcount
            db.execute("DELETE FROM claims WHERE run = ?", (id,))
            if changed:
                _event(db, id, now, f"{stage}: {reason}")

    def note(self, id: str, what: str) -> None:
        """Add a line to the history of a run."""
        with self._file.write() as db:
            _event(db, id, _now(), what)

    def claim(self, id: str) -> str | None:
        """Take a run for this process, so that no other sends it at the same time.

        Returns:
            None when it is ours now; otherwise who is at work on it.
        """
        with self._file.write() as db:
            row = db.execute("SELECT owner, until FROM claims WHERE run = ?", (id,)).fetchone()
            if row is not None and row[0] != me() and not free(row[0], row[1], _LEASE):
                return str(row[0])
            db.execute(
                "INSERT OR REPLACE INTO claims VALUES (?, ?, ?)", (id, me(), time.time() + _LEASE)
            )
        return None

    def release(self, id: str) -> None:
        """Give a claim of this process back."""
        with self._file.write() as db:
            db.execute("DELETE FROM claims WHERE run = ? AND owner = ?", (id, me()))

    def runs(self) -> tuple[Summary, ...]:
        """Every run, newest first (in the order they were begun, whatever the clock said)."""
        if not self.path.exists():
            return ()
        with self._file.read() as db:
            rows = db.execute(f"SELECT {_LINE} FROM runs ORDER BY seq DESC").fetchall()
        return tuple(_summary(row) for row in rows)

    def resolve(self, id: str) -> str:
        """The full id of a run.

        Args:
            id: our id or its first characters (4 at least), or an id of the provider, with or
                without the family in front ("ibm:...").

        Raises:
            ArgumentError: no run is meant, or more than one.
        """
        wanted = str(id).strip()
        runs = self.runs()
        exact = [r.id for r in runs if r.id == wanted]
        bare = wanted.partition(":")[2] or wanted
        theirs = [r.id for r in runs if {wanted, bare} & set(r.provider_ids)]
        begun = [r.id for r in runs if len(wanted) >= 4 and r.id.startswith(wanted)]
        found = exact or theirs or begun
        if len(found) == 1:
            return found[0]
        if found:
            raise ArgumentError(
                f"argument id must mean one run, but {wanted!r} begins {len(found)}: "
                f"{', '.join(found[:4])}"
            )
        raise ArgumentError(
            f"argument id must be of a run in the ledger, but {wanted!r} is not there "
            f"({self.path}, {len(runs)} runs); `ebit jobs` lists them"
        )

    def entry(self, id: str) -> Entry:
        """Everything that is kept of a run.

        Raises:
            ArgumentError: it is not in the ledger.
        """
        with self._file.read() as db:
            row = db.execute(
                f"SELECT {_LINE}, program, compiled, calibration, outcome FROM runs WHERE id = ?",
                (id,),
            ).fetchone()
            events = db.execute(
                "SELECT at, what FROM events WHERE run = ? ORDER BY seq", (id,)
            ).fetchall()
        if row is None:
            raise ArgumentError(f"argument id must be of a run in the ledger, but was {id!r}")
        program, compiled, calibration, outcome = row[10:]
        try:
            handle = None if row[6] is None else Handle.from_dict(json.loads(row[6]))
            return Entry(
                summary=_summary(row),
                program=program,
                compiled=compiled,
                calibration=None
                if calibration is None
                else json.loads(zlib.decompress(calibration)),
                facts=json.loads(row[5]),
                handle=handle,
                outcome=None if outcome is None else json.loads(outcome),
                events=tuple((str(at), str(what)) for at, what in events),
            )
        except (ValueError, KeyError, TypeError, zlib.error) as error:
            raise LedgerError(f"run {id} of {self.path} cannot be read: {error}") from None

    def shots(self, id: str) -> Shots | None:
        """The shots of a run that is done, None of any other."""
        with self._file.read() as db:
            rows = db.execute(
                "SELECT width, count, packed FROM shots WHERE run = ? ORDER BY circuit", (id,)
            ).fetchall()
        if not rows:
            return None
        arrays = []
        for width, count, packed in rows:
            data = np.frombuffer(zlib.decompress(packed), dtype=np.uint8)
            arrays.append(data.reshape(count, (width + 7) // 8).copy())
        return Shots(tuple(arrays), tuple(int(row[0]) for row in rows))


# seq is left out: nothing outside needs it.
_LINE = "id, stage, backend, name, program_id, facts, handle, created, updated, reason"


def _summary(row: Sequence[Any]) -> Summary:
    facts = json.loads(row[5])
    handle = {} if row[6] is None else json.loads(row[6])
    return Summary(
        id=row[0],
        stage=row[1],
        backend=row[2],
        name=row[3],
        program_id=row[4],
        provider_ids=tuple(handle.get("provider_ids", ())),
        shots=int(facts.get("shots", 0)),
        created=row[7],
        updated=row[8],
        reason=row[9],
    )


def _known(changed: int, id: str) -> None:
    if not changed:
        raise LedgerError(f"run {id} is not in the ledger: was the file replaced?")


def _event(db: sqlite3.Connection, id: str, at: str, what: str) -> None:
    db.execute("INSERT INTO events (run, at, what) VALUES (?, ?, ?)", (id, at, what))


def _json(data: Mapping[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"), allow_nan=False)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
