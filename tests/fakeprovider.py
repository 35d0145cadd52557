"""A provider of jobs that lives in a file, and an adapter to it as a third party would write it.

The provider stands for a server: what it accepted stays, whatever becomes of the client. It has no
ids of the client's own, only a tag that it stores, and it accepts whatever is sent, again and again.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ebit.backends import AerBackend
from ebit.backends.model import (
    Compiled,
    Description,
    Estimate,
    Handle,
    JobState,
    Note,
    Outcome,
    Progress,
)
from ebit.backends.simulate import simulate
from ebit.circuits.program import Program
from ebit.circuits.record import circuits_from_bytes, circuits_to_bytes
from ebit.games import JobError, NetworkError, Shots

_TABLES = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, tag TEXT, part INTEGER, payload BLOB, shots TEXT,
    facts TEXT, state TEXT DEFAULT 'queued', polls INTEGER);
CREATE TABLE IF NOT EXISTS faults (kind TEXT PRIMARY KEY, count INTEGER);
"""


class Provider:
    """The server's side.

    Args:
        folder: where it keeps what it accepted.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "provider.sqlite"
        with self._db() as db:
            db.executescript(_TABLES)

    @contextmanager
    def _db(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self.path, timeout=60, isolation_level=None)
        try:
            db.execute("PRAGMA synchronous = OFF")  # it survives a process that is killed
            yield db
        finally:
            db.close()

    def break_next(self, kind: str, count: int = 1) -> None:
        """Let the next calls meet a fault: "drop" a reply, take a job "twice", "refuse", "lose"."""
        with self._db() as db:
            db.execute("INSERT OR REPLACE INTO faults VALUES (?, ?)", (kind, count))

    def _fault(self, db: sqlite3.Connection, kind: str) -> bool:
        return bool(
            db.execute(
                "UPDATE faults SET count = count - 1 WHERE kind = ? AND count > 0", (kind,)
            ).rowcount
        )

    def accept(self, tag: str, part: int, payload: bytes, shots: Sequence[int], facts: str) -> str:
        """Accept a job; the id of it, unless the reply is lost on the way."""
        with self._db() as db:
            db.execute("BEGIN IMMEDIATE")
            lost, refused = self._fault(db, "lose"), self._fault(db, "refuse")
            twice, dropped = self._fault(db, "twice"), self._fault(db, "drop")
            number = 0
            for _ in range(0 if lost or refused else 2 if twice else 1):
                found = db.execute("SELECT count FROM faults WHERE kind = 'queue'").fetchone()
                number = db.execute(
                    "INSERT INTO jobs (tag, part, payload, shots, facts, polls) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    (tag, part, payload, json.dumps(shots), facts, found[0] if found else 0),
                ).lastrowid
            db.execute("COMMIT")
        if refused:
            raise JobError("the lab takes no jobs today: nothing was sent")
        if lost or dropped:
            raise NetworkError("the lab did not answer")
        return f"lab-{number}"

    def jobs(self, tag: str | None = None) -> list[tuple[str, int, str, str]]:
        """(id, part, state, facts) of every job of a tag, oldest first."""
        with self._db() as db:
            rows = db.execute(
                "SELECT number, part, state, facts FROM jobs WHERE tag = ?1 OR ?1 IS NULL "
                "ORDER BY number",
                (tag,),
            ).fetchall()
        return [(f"lab-{n}", part, state, facts) for n, part, state, facts in rows]

    def poll(self, id: str) -> tuple[str, int]:
        """State of a job, and how many are ahead of it."""
        number = int(id.removeprefix("lab-"))
        with self._db() as db:
            db.execute("UPDATE jobs SET polls = max(0, polls - 1) WHERE number = ?", (number,))
            state, polls = db.execute(
                "SELECT state, polls FROM jobs WHERE number = ?", (number,)
            ).fetchone()
        return ("done" if state == "queued" and polls == 0 else state), polls

    def result(self, id: str) -> Shots:
        """What a job gave; its random numbers depend on the part only, so that a test knows them."""
        with self._db() as db:
            row = db.execute(
                "SELECT payload, shots, part FROM jobs WHERE number = ?",
                (int(id.removeprefix("lab-")),),
            ).fetchone()
        return sample(circuits_from_bytes(row[0]), json.loads(row[1]), row[2])

    def set_state(self, id: str, state: str) -> None:
        with self._db() as db:
            db.execute(
                "UPDATE jobs SET state = ? WHERE number = ?", (state, int(id.removeprefix("lab-")))
            )

    def accepted(self) -> Counter[tuple[str, int]]:
        """How many jobs it ever accepted, per tag and part."""
        with self._db() as db:
            return Counter(db.execute("SELECT tag, part FROM jobs").fetchall())

    def alive(self) -> Counter[tuple[str, int]]:
        """How many of them were not cancelled."""
        with self._db() as db:
            return Counter(
                db.execute("SELECT tag, part FROM jobs WHERE state != 'cancelled'").fetchall()
            )


class LabBackend:
    """The adapter: splits a run into parts of at most so many shots per circuit.

    Args:
        folder: the provider's.
        most: shots that one part takes per circuit.
    """

    def __init__(self, folder: Path, most: int = 20) -> None:
        self.name = f"filelab:{folder}"
        self.lab = Provider(folder)
        self.most = most

    def describe(self) -> Description:
        return Description(self.name, "simulator", note="a test", remote=True, paid=True)

    def estimate(self, experiment: Program, shots: int) -> Estimate:
        shares = experiment.allocate(shots)
        parts = len(self._split(shares))
        return Estimate(0.1, sum(shares), len(shares), "a guess", parts, 1.0 * parts)

    def compile(self, experiment: Program, *, qubits: Sequence[int] | None = None) -> Compiled:
        return replace(AerBackend().compile(experiment, qubits=qubits), backend=self.name)

    def submit(
        self,
        compiled: Compiled,
        *,
        shots: int,
        id: str,
        seed: int | None = None,
        note: Note | None = None,
    ) -> Handle:
        del seed
        parts = self._split(compiled.experiment.allocate(shots))
        facts = json.dumps({"experiment": compiled.experiment.id, "parts": parts})
        payload = circuits_to_bytes(compiled.circuits)
        known = self._known(id)
        for k, part in enumerate(parts):
            if k in known:
                continue
            try:
                known[k] = self.lab.accept(id, k, payload, part, facts)
            except NetworkError:
                known |= self._known(id)  # it may have been accepted all the same
                if k not in known:
                    raise
            if note is not None:
                note(self._handle(id, facts, known))
        return self._handle(id, facts, known)

    def find(self, id: str) -> Handle | None:
        jobs = self.lab.jobs(id)
        if not jobs:
            return None
        return self._handle(id, jobs[0][3], {part: name for name, part, _, _ in reversed(jobs)})

    def status(self, handle: Handle) -> JobState:
        jobs = self.lab.jobs(handle.id)
        if not jobs:
            raise JobError(f"run {handle.id!r} is not known to the lab")
        for state in ("failed", "cancelled"):
            if any(job[2] == state for job in jobs):
                return JobState(state, detail=f"the lab says {state}")  # type: ignore[arg-type]
        ahead = [self.lab.poll(job[0]) for job in jobs]
        waiting = max((left for state, left in ahead if state == "queued"), default=0)
        return JobState("queued", waiting) if waiting else JobState("done")

    def fetch(self, handle: Handle, *, progress: Progress | None = None) -> Outcome:
        known = self._known(handle.id)
        count = len(handle.metadata["pieces"])
        got = []
        for k in range(count):
            if k not in known:
                raise JobError(f"part {k} of run {handle.id!r} is not at the lab")
            state, _ = self.lab.poll(known[k])
            while state == "queued":
                state, _ = self.lab.poll(known[k])
            if state != "done":
                raise JobError(f"part {k} of run {handle.id!r}: the lab says {state}")
            got.append(self.lab.result(known[k]))
            if progress is not None:
                progress(k + 1, count)
        return Outcome(joined(got), "a file", None, ("a test",), ("anything physical",), {"n": 1})

    def cancel(self, handle: Handle) -> None:
        for name, _, state, _ in self.lab.jobs(handle.id):
            if state != "cancelled":
                self.lab.set_state(name, "cancelled")

    def _split(self, shares: Sequence[int]) -> list[list[int]]:
        count = -(-max(shares) // self.most)
        return [[n // count + (k < n % count) for n in shares] for k in range(count)]

    def _known(self, id: str) -> dict[int, str]:
        """The job of every part that the provider has; one that it took twice is cancelled."""
        found: dict[int, str] = {}
        ended: set[int] = set()
        for name, part, state, _ in self.lab.jobs(id):
            if state == "cancelled":
                ended.add(part)
            elif part in found:
                self.lab.set_state(name, "cancelled")
            else:
                found[part] = name
        if ended - set(found):
            raise JobError(f"run {id!r} was cancelled at the lab: run it again under a new id")
        return found

    def _handle(self, id: str, facts: str, known: Mapping[int, str]) -> Handle:
        plain: dict[str, Any] = json.loads(facts)
        shots = tuple(int(n) for n in np.sum(plain["parts"], axis=0))
        ids = tuple(known[k] for k in sorted(known))
        return Handle(
            self.name, id, plain["experiment"], shots, None, ids, {"pieces": plain["parts"]}
        )


def sample(circuits: Sequence[Any], shots: Sequence[int], part: int) -> Shots:
    """What the provider gives for a part."""
    return simulate(circuits, None, shots, seed=1000 + part)


def joined(parts: Sequence[Shots]) -> Shots:
    """Parts one after the other, circuit by circuit."""
    arrays = [np.concatenate(arrays) for arrays in zip(*(p.packed for p in parts), strict=True)]
    return Shots(tuple(arrays), parts[0].widths)


def open_lab(rest: str | None) -> LabBackend:
    """What the entry point opens: ``filelab:FOLDER``."""
    return LabBackend(Path(str(rest)))


def install(folder: Path) -> Path:
    """Make a folder that, on the path, is an installed distribution with the adapter in it."""
    info = folder / "filelab-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: filelab\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[ebit.backends]\nfilelab = tests.fakeprovider:open_lab\n"
    )
    return folder
