"""The ledger: every paid run is on disk before it is on the wire, and stays there.

One SQLite file. A run goes through the stages ``intent`` (written before anything is sent),
``submitted`` (with each id that the provider gives, as it comes) and ``done`` (with the shots); or
it ends as ``failed`` or ``cancelled``. Every step is one transaction that is on disk when the call
returns: a process killed at any moment leaves the step before or the step after it.
"""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ebit.backends.claims import free, me
from ebit.backends.home import home
from ebit.backends.ledger_file import LedgerError, LedgerFile
from ebit.backends.ledger_rows import (
    LINE,
    SEALED,
    Entry,
    Stage,
    Summary,
    entry_of,
    fingerprint,
    line_of,
    result_of,
    seal,
    seal_result,
    strict,
    written,
)
from ebit.backends.model import Handle
from ebit.games import ArgumentError, Shots

__all__ = ["Entry", "Ledger", "LedgerError", "Stage", "Summary"]

_LEASE = 900.0  # seconds after which a claim from another machine counts as abandoned


class Ledger:
    """The file and its few verbs. Any number of processes and threads may use it at once.

    Args:
        path: the file; by default ``ledger.sqlite`` in ``EBIT_HOME``, or in the platform's folder
            for data.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        # Absolute, so that a program that changes its folder keeps its ledger.
        self.path = (home() / "ledger.sqlite" if path is None else Path(path)).absolute()
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
    ) -> Entry:
        """Write down what is about to be sent, and claim it for this process.

        Raises:
            ArgumentError: the facts are not plain data.
        """
        plain = None if calibration is None else strict(calibration).encode()
        try:
            packed = strict(facts)
        except (TypeError, ValueError) as error:
            raise ArgumentError(
                f"argument purpose must be plain data (text, numbers, lists), but was not: {error}"
            ) from None
        contents = [program, compiled, None if plain is None else zlib.compress(plain, 1)]
        sums = [None if data is None else fingerprint(data) for data in contents]
        fixed = (id, backend, name, program_id, *sums, packed)
        now = _now()
        with self._file.write() as db:
            db.executemany(
                "INSERT OR REPLACE INTO content VALUES (?, ?)",
                [pair for pair in zip(sums, contents, strict=True) if pair[0] is not None],
            )
            db.execute(
                "INSERT INTO runs (id, stage, backend, name, program_id, program, compiled, "
                "calibration, facts, seal, created, updated) "
                "VALUES (?, 'intent', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*fixed, seal(*fixed), now, now),
            )
            db.execute("INSERT INTO claims VALUES (?, ?, ?)", (id, me(), time.time() + _LEASE))
            _event(db, id, now, "intent")
        row = (id, "intent", backend, name, program_id, packed, None, now, now, "", None, False)
        return entry_of(row, contents, [(now, "intent")])

    def submitted(self, id: str, handle: Handle, *, whole: bool = False) -> None:
        """Write down what the provider has of a run so far; repeated as each of its ids comes.

        Args:
            id: of the run.
            handle: the backend's handle, as far as it is known.
            whole: whether that is all of it, so that nothing is left to send; the claim is then
                given back.
        """
        now = _now()
        with self._file.write() as db:
            changed = db.execute(
                "UPDATE runs SET handle = ?, updated = ?, whole = max(whole, ?), "
                "stage = CASE stage WHEN 'done' THEN 'done' ELSE 'submitted' END WHERE id = ?",
                (written(handle.to_dict()), now, whole, id),
            ).rowcount
            _known(changed, id)
            if whole:
                db.execute("DELETE FROM claims WHERE run = ? AND owner = ?", (id, me()))
            else:
                db.execute(
                    "UPDATE claims SET until = ? WHERE run = ? AND owner = ?",
                    (time.time() + _LEASE, id, me()),
                )
            what = "all sent" if whole else "submitted"
            _event(db, id, now, f"{what} {' '.join(handle.provider_ids)}".strip())

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
                (written(outcome), now, id),
            ).rowcount
            _known(changed, id)
            db.execute("DELETE FROM shots WHERE run = ?", (id,))
            db.executemany("INSERT INTO shots VALUES (?, ?, ?, ?, ?)", rows)
            seal_result(db, id)
            db.execute("DELETE FROM claims WHERE run = ?", (id,))
            _event(db, id, now, f"done, {shots.n} shots")

    def ending(self, id: str, reason: str) -> None:
        """Write down that a run is about to be cancelled: nothing more of it is sent."""
        now = _now()
        with self._file.write() as db:
            _known(
                db.execute(
                    "UPDATE runs SET reason = ?, updated = ? WHERE id = ?", (reason, now, id)
                ).rowcount,
                id,
            )
            _event(db, id, now, reason)

    def ended(self, id: str, stage: Literal["failed", "cancelled"], reason: str) -> None:
        """Write down that a run will give no shots, and why. Shots that are there stay."""
        now = _now()
        with self._file.write() as db:
            changed = db.execute(
                "UPDATE runs SET stage = ?, reason = ?, updated = ? "
                "WHERE id = ? AND stage NOT IN ('done', ?)",
                (stage, _clean(reason), now, id, stage),
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
        if not self._file.there():
            return ()
        with self._file.read() as db:
            rows = db.execute(f"SELECT {LINE} FROM runs ORDER BY seq DESC").fetchall()
            return tuple(line_of(row) for row in rows)

    def resolve(self, id: str) -> str:
        """The full id of a run.

        Args:
            id: our id or its first characters (4 at least), or an id of the provider, with or
                without the family in front ("ibm:...").

        Raises:
            ArgumentError: no run is meant, or more than one.
        """
        wanted = str(id).strip()
        bare = wanted.partition(":")[2] or wanted
        runs: list[Summary] = []
        count = 0
        if self._file.there():
            with self._file.read() as db:
                rows = db.execute(
                    f"SELECT {LINE} FROM runs WHERE substr(id, 1, length(?1)) = ?1 "
                    "OR instr(handle, ?1) OR instr(handle, ?2) ORDER BY seq DESC",
                    (wanted, bare),
                ).fetchall()
                count = db.execute("SELECT count(*) FROM runs").fetchone()[0]
                runs = [line_of(row) for row in rows]
        exact = [r.id for r in runs if r.id == wanted]
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
            f"({self.path}, {count} runs); `ebit jobs` lists them"
        )

    def entry(self, id: str) -> Entry:
        """Everything that is kept of a run.

        Raises:
            ArgumentError: it is not in the ledger.
            LedgerError: it is damaged.
        """
        with self._file.read() as db:
            row = db.execute(
                f"SELECT {LINE}, outcome, whole, seal, {', '.join(SEALED)} FROM runs WHERE id = ?",
                (id,),
            ).fetchone()
            if row is None:
                raise ArgumentError(f"argument id must be of a run in the ledger, but was {id!r}")
            events = db.execute(
                "SELECT at, what FROM events WHERE run = ? ORDER BY seq", (id,)
            ).fetchall()
            with self._readable(id):
                if row[12] != seal(*row[13:]):
                    raise ValueError("its record is not what was written")
                return entry_of(row, [_content(db, total) for total in row[17:20]], events)

    def shots(self, id: str) -> Shots | None:
        """The shots of a run that is done, None of any other.

        Raises:
            LedgerError: they are damaged.
        """
        with self._file.read() as db, self._readable(id):
            row = db.execute("SELECT stage, result FROM runs WHERE id = ?", (id,)).fetchone()
            if row is None or row[0] != "done":
                return None
            if row[1] != result_of(db, id):
                raise ValueError("its shots are not what was written")
            rows = db.execute(
                "SELECT width, count, packed FROM shots WHERE run = ? ORDER BY circuit", (id,)
            ).fetchall()
            arrays = []
            for width, count, packed in rows:
                data = np.frombuffer(bytearray(zlib.decompress(packed)), dtype=np.uint8)
                arrays.append(data.reshape(count, (width + 7) // 8))
            return Shots(tuple(arrays), tuple(int(row[0]) for row in rows))

    @contextmanager
    def _readable(self, id: str) -> Iterator[None]:
        try:
            yield
        except (ValueError, KeyError, TypeError, zlib.error) as error:
            raise LedgerError(
                f"run {id[:8]} of {self.path} is damaged: {error}; if it was sent, its provider "
                "still has it"
            ) from None


def _content(db: sqlite3.Connection, total: str | None) -> bytes | None:
    if total is None:
        return None
    row = db.execute("SELECT data FROM content WHERE sum = ?", (total,)).fetchone()
    if row is None or fingerprint(row[0]) != total:
        raise ValueError("its circuits or its calibration are not what was written")
    return bytes(row[0])


def _known(changed: int, id: str) -> None:
    if not changed:
        raise LedgerError(f"run {id} is not in the ledger: was the file replaced?")


def _event(db: sqlite3.Connection, id: str, at: str, what: str) -> None:
    db.execute("INSERT INTO events (run, at, what) VALUES (?, ?, ?)", (id, at, _clean(what)))


def _clean(text: str) -> str:
    """A provider's words may hold anything, also what SQLite does not take."""
    return text.encode("utf-8", "replace").decode()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
