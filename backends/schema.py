"""The tables of the ledger, by version, and how an older file becomes a current one."""

from __future__ import annotations

import sqlite3

__all__ = ["APPLICATION", "VERSION", "bring_up_to_date"]

APPLICATION = 0x65626974  # "ebit", in the file's header
VERSION = 2

_STEPS: dict[int, tuple[str, ...]] = {
    1: (
        """CREATE TABLE runs (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            stage TEXT NOT NULL CHECK (stage IN ('intent', 'submitted', 'done', 'failed', 'cancelled')),
            backend TEXT NOT NULL,
            name TEXT NOT NULL,
            program_id TEXT NOT NULL,
            program BLOB NOT NULL,
            compiled BLOB NOT NULL,
            calibration BLOB,
            facts TEXT NOT NULL,
            handle TEXT,
            outcome TEXT,
            reason TEXT NOT NULL DEFAULT '',
            created TEXT NOT NULL,
            updated TEXT NOT NULL)""",
        """CREATE TABLE shots (
            run TEXT NOT NULL REFERENCES runs (id),
            circuit INTEGER NOT NULL,
            width INTEGER NOT NULL,
            count INTEGER NOT NULL,
            packed BLOB NOT NULL,
            PRIMARY KEY (run, circuit))""",
    ),
    # Who is at work on a run, so that two processes never send it both; and what happened to it.
    2: (
        """CREATE TABLE claims (
            run TEXT PRIMARY KEY REFERENCES runs (id),
            owner TEXT NOT NULL,
            until REAL NOT NULL)""",
        """CREATE TABLE events (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            run TEXT NOT NULL REFERENCES runs (id),
            at TEXT NOT NULL,
            what TEXT NOT NULL)""",
        "CREATE INDEX events_of_run ON events (run)",
    ),
}


def bring_up_to_date(connection: sqlite3.Connection, version: int) -> None:
    """Take the steps that lead from a version to the current one, inside an open transaction."""
    for step in range(version + 1, VERSION + 1):
        for statement in _STEPS[step]:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
