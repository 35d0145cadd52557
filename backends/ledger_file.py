"""The ledger's file: opened safely, brought up to date, and its faults told in one line."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ebit.backends.home import on_network
from ebit.backends.schema import APPLICATION, VERSION, bring_up_to_date
from ebit.games import EbitError

__all__ = ["LedgerError", "LedgerFile"]

_BUSY = 60.0  # seconds to wait for another process's transaction, each a few milliseconds long


class LedgerError(EbitError):
    """The ledger cannot be opened, read or written."""

    exit_code = 1


class LedgerFile:
    """A SQLite file, opened anew for every transaction: safe in forks, threads and processes.

    Args:
        path: the file; it and its folder are made when they are first needed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._checked = False

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: on disk when the block ends, undone when it fails."""
        with self._open() as db, self._told():
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection to read from."""
        with self._open() as db, self._told():
            yield db

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with self._told():
            self._make()
            db = sqlite3.connect(self.path, timeout=_BUSY, isolation_level=None)
        try:
            with self._told():
                db.execute("PRAGMA synchronous = FULL")
                db.execute("PRAGMA foreign_keys = ON")
                if not self._checked:
                    self._check(db)
                    self._checked = True
            yield db
        finally:
            db.close()

    def _make(self) -> None:
        """Make the folder and an empty file that only its owner reads."""
        if self.path.exists():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))

    def _check(self, db: sqlite3.Connection) -> None:
        application, version = (
            db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("application_id", "user_version")
        )
        tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if application != APPLICATION and (tables or version):
            raise LedgerError(
                f"{self.path} must be a ledger of ebit, but is some other program's database: "
                "move it away, or set EBIT_HOME to another folder"
            )
        if version > VERSION:
            raise LedgerError(
                f"{self.path} was written by a newer ebit (ledger version {version}, this one "
                f"knows {VERSION}): update ebit, or set EBIT_HOME to another folder"
            )
        # The kind of journal stands in the file: it is changed only where that is needed.
        wanted = "delete" if on_network(self.path.parent) else "wal"
        if db.execute("PRAGMA journal_mode").fetchone()[0] != wanted:
            db.execute(f"PRAGMA journal_mode = {wanted}")
        if version < VERSION:
            db.execute("BEGIN IMMEDIATE")
            try:
                # Another process may have done it while this one waited.
                version = db.execute("PRAGMA user_version").fetchone()[0]
                bring_up_to_date(db, version)
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what SQLite and the system say into one line that says what to do."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise LedgerError(f"the ledger {self.path} {_words(error)}") from error


def _words(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, OSError):
        return f"cannot be used: {error.strerror or text}; set EBIT_HOME to a folder you can write"
    low = text.lower()
    if "full" in low:
        return "cannot be written, because the disk is full: make room, and try again"
    if "not a database" in low:
        return "is no database, or is encrypted: move it away, or set EBIT_HOME to another folder"
    if "malformed" in low or "corrupt" in low:
        return (
            "is damaged: move it away (runs that were sent are still with their providers, under "
            "the tag or id that begins with ebit)"
        )
    if "locked" in low:
        return f"was busy for {_BUSY:.0f} s: is another ebit stuck? try again"
    if "readonly" in low or "unable to open" in low:
        return "cannot be written: check its permissions, or set EBIT_HOME to another folder"
    return f"cannot be used: {text}"
