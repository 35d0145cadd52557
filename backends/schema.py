"""The tables of the ledger, by version, and how an older file becomes a current one."""

from __future__ import annotations

import sqlite3

from ebit.backends.ledger_rows import SEALED, fingerprint, seal, seal_result

__all__ = ["APPLICATION", "VERSION", "bring_up_to_date"]

APPLICATION = 0x65626974  # "ebit", in the file's header
VERSION = 3

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
    # Circuits and calibrations apart, once each, under their SHA-256: rows are short, so that a
    # long ledger is listed quickly, and damage is noticed. In `runs` their columns hold the sums.
    # And whether all of a run is known to be with the provider, and seals on what never changes.
    3: (
        "CREATE TABLE content (sum TEXT PRIMARY KEY, data BLOB NOT NULL)",
        """INSERT OR IGNORE INTO content
            SELECT ebit_sum(program), program FROM runs
            UNION ALL SELECT ebit_sum(compiled), compiled FROM runs
            UNION ALL SELECT ebit_sum(calibration), calibration FROM runs
                WHERE calibration IS NOT NULL""",
        """UPDATE runs SET program = ebit_sum(program), compiled = ebit_sum(compiled),
            calibration = CASE WHEN calibration IS NOT NULL THEN ebit_sum(calibration) END""",
        "ALTER TABLE runs ADD COLUMN whole INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE runs ADD COLUMN seal TEXT NOT NULL DEFAULT ''",
        f"UPDATE runs SET seal = ebit_seal({', '.join(SEALED)})",
        "ALTER TABLE runs ADD COLUMN result TEXT",  # the seal on what came back
    ),
}


def bring_up_to_date(connection: sqlite3.Connection, version: int) -> None:
    """Take the steps that lead from a version to the current one, inside an open transaction."""
    if version == VERSION:
        return
    connection.create_function("ebit_sum", 1, fingerprint, deterministic=True)
    connection.create_function("ebit_seal", len(SEALED), seal, deterministic=True)
    for step in range(version + 1, VERSION + 1):
        for statement in _STEPS[step]:
            connection.execute(statement)
        if step == 3:
            for (run,) in connection.execute("SELECT id FROM runs WHERE stage = 'done'").fetchall():
                seal_result(connection, run)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
