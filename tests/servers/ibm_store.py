"""The jobs and sessions of the IBM server, in SQLite, so that they outlive the process."""

from __future__ import annotations

import json
import secrets
import sqlite3
import string
import threading
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FINAL = ("Completed", "Failed", "Cancelled")
_LETTERS = string.ascii_lowercase + string.digits
_TABLES = """
CREATE TABLE IF NOT EXISTS jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, backend TEXT, program TEXT,
    session TEXT, tags TEXT, params TEXT, state TEXT, reason TEXT, polls INTEGER DEFAULT 0,
    queue INTEGER, spoil TEXT, seed INTEGER, created TEXT, running TEXT, finished TEXT,
    cost REAL, result TEXT, fetched INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, backend TEXT, mode TEXT, open INTEGER);
"""


class Store:
    """Everything the server must not forget.

    Args:
        path: the file, None for memory.
        skew: seconds by which the server's clock is ahead of the true one.
    """

    def __init__(self, path: str | Path | None = None, *, skew: float = 0.0) -> None:
        self.skew = skew
        self.hold = 0  # jobs that will never run
        self.queue = 0  # polls that a new job stays in the queue
        self.spoil: list[str] = []  # what becomes of the next jobs
        self.lock = threading.RLock()
        self.db = sqlite3.connect(
            ":memory:" if path is None else str(path), check_same_thread=False, timeout=30
        )
        self.db.row_factory = sqlite3.Row
        self.db.executescript(_TABLES)

    def close(self) -> None:
        with self.lock:
            self.db.close()

    def now(self) -> str:
        moment = datetime.fromtimestamp(time.time() + self.skew, UTC)
        return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")

    def create(self, body: dict[str, Any], *, cost: float) -> sqlite3.Row:
        """Accept a job."""
        made = "d" + "".join(secrets.choice(_LETTERS) for _ in range(19))
        queue = 10**9 if self.hold else self.queue
        self.hold = max(0, self.hold - 1)
        with self.lock, self.db:
            self.db.execute(
                "INSERT INTO jobs (id, backend, program, session, tags, params, state, queue, "
                "spoil, seed, created, cost) VALUES (?, ?, ?, ?, ?, ?, 'Queued', ?, ?, ?, ?, ?)",
                (
                    made,
                    body["backend"],
                    body["program_id"],
                    body.get("session_id"),
                    json.dumps(body.get("tags", [])),
                    json.dumps(body["params"]),
                    queue,
                    self.spoil.pop(0) if self.spoil else "",
                    secrets.randbits(40),
                    self.now(),
                    cost,
                ),
            )
        return self.job(made)  # type: ignore[return-value]

    def job(self, id: str) -> sqlite3.Row | None:
        with self.lock:
            found = self.db.execute("SELECT * FROM jobs WHERE id = ?", (id,)).fetchone()
        return found  # type: ignore[no-any-return]

    def jobs(
        self, *, tags: Sequence[str] = (), backend: str | None = None, **equal: str
    ) -> list[sqlite3.Row]:
        """Jobs that carry all the tags, newest first."""
        with self.lock:
            rows = self.db.execute("SELECT * FROM jobs ORDER BY seq DESC").fetchall()
        return [
            row
            for row in rows
            if set(tags) <= set(json.loads(row["tags"]))
            and backend in (None, row["backend"])
            and all(row[key] == value for key, value in equal.items())
        ]

    def change(self, id: str, **values: Any) -> None:
        names = ", ".join(f"{name} = ?" for name in values)
        with self.lock, self.db:
            self.db.execute(f"UPDATE jobs SET {names} WHERE id = ?", (*values.values(), id))

    def poll(self, id: str) -> sqlite3.Row | None:
        """Look at a job; each look brings it nearer to its turn."""
        with self.lock:
            row = self.job(id)
            if row is None or row["state"] in FINAL:
                return row
            polls = row["polls"] + 1
            if polls <= row["queue"]:
                self.change(id, polls=polls)
            elif row["state"] == "Queued" and row["queue"]:
                self.change(id, polls=polls, state="Running", running=self.now())
            elif row["spoil"].startswith("fail"):
                reason = row["spoil"].partition(":")[2] or "the control electronics lost its clock"
                self.change(id, polls=polls, state="Failed", reason=reason, finished=self.now())
            else:
                began = row["running"] or self.now()
                self.change(id, polls=polls, state="Completed", running=began, finished=self.now())
            return self.job(id)

    def ahead(self, row: sqlite3.Row) -> int:
        """Jobs before this one in its device's queue."""
        waiting = [r for r in self.jobs(backend=row["backend"]) if r["state"] == "Queued"]
        return sum(1 for r in waiting if r["seq"] < row["seq"]) + max(
            0, row["queue"] - row["polls"]
        )

    def cancel(self, id: str) -> bool:
        """Whether the job could still be cancelled."""
        with self.lock:
            row = self.job(id)
            if row is None or row["state"] in FINAL:
                return False
            self.change(id, state="Cancelled", finished=self.now(), reason="cancelled by the user")
            return True

    def delete(self, id: str) -> None:
        with self.lock, self.db:
            self.db.execute("DELETE FROM jobs WHERE id = ?", (id,))

    def open_session(self, backend: str, mode: str) -> str:
        made = "s" + "".join(secrets.choice(_LETTERS) for _ in range(19))
        with self.lock, self.db:
            self.db.execute("INSERT INTO sessions VALUES (?, ?, ?, 1)", (made, backend, mode))
        return made

    def session(self, id: str) -> sqlite3.Row | None:
        with self.lock:
            found = self.db.execute("SELECT * FROM sessions WHERE id = ?", (id,)).fetchone()
        return found  # type: ignore[no-any-return]

    def sessions(self) -> list[sqlite3.Row]:
        with self.lock:
            return self.db.execute("SELECT * FROM sessions").fetchall()

    def close_session(self, id: str) -> None:
        with self.lock, self.db:
            self.db.execute("UPDATE sessions SET open = 0 WHERE id = ?", (id,))

    def counts(self) -> dict[str, Any]:
        """How many jobs were accepted, by state and by tag, and how many results were handed out."""
        rows = self.jobs()
        tags = Counter(tag for row in rows for tag in json.loads(row["tags"]))
        return {
            "accepted": len(rows),
            "states": dict(Counter(row["state"] for row in rows)),
            "tags": dict(tags),
            "fetched": sum(row["fetched"] for row in rows),
        }
