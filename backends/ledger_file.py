"""The ledger's file: opened safely, brought up to date, and its faults told in one line."""

from __future__ import annotations

import errno
import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from ebit.backends.gate import gate, transaction
from ebit.backends.home import on_network
from ebit.backends.schema import APPLICATION, VERSION, bring_up_to_date
from ebit.games import EbitError

__all__ = ["LedgerError", "LedgerFile"]

# SQLite's words for a file that is read-only, a failing disk, a full one, one that cannot be made.
_UNWRITABLE = {8, 10, 13, 14}
_OTHERS = {5, 6}  # busy, locked
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
        with gate(), self._told(), closing(_patiently(self._begun)) as db:
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    with suppress(sqlite3.Error):  # closing undoes it as well
                        db.execute("ROLLBACK")
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection to read from; everything is as it was at one moment."""
        with gate(), self._told(), closing(_patiently(self._readable)) as db:
            yield db

    def _begun(self) -> sqlite3.Connection:
        """A connection in a transaction that may write."""
        db = self._current()
        try:
            db.execute("BEGIN IMMEDIATE")
        except BaseException:
            db.close()
            raise
        return db

    def _readable(self) -> sqlite3.Connection:
        """A connection in a transaction that reads, even where nothing can be written."""
        db = self._openable()
        try:
            db.execute("BEGIN")
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except BaseException:
            db.close()
            raise
        return db

    def there(self) -> bool:
        """Whether there is a file; looking makes none.

        Raises:
            LedgerError: its folder is no folder, or cannot be looked into.
        """
        with self._told():
            if self.path.exists():
                return True
            if self.path.parent.exists() and not self.path.parent.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            return False

    def _current(self) -> sqlite3.Connection:
        """A connection to a ledger of the current version."""
        self._make()
        db = sqlite3.connect(self.path, timeout=_BUSY, isolation_level=None)
        try:
            db.execute("PRAGMA synchronous = FULL")
            if not self._checked or _number(db, "user_version") != VERSION:
                self._check(db)
                self._checked = True
            db.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            db.close()
            raise
        return db

    def _openable(self) -> sqlite3.Connection:
        """A connection to read from, even where nothing can be written."""
        try:
            return self._current()
        except (sqlite3.OperationalError, OSError) as error:
            # Reading a ledger with a write-ahead log makes a file beside it, for which a full disk
            # or a folder that is not ours has no room. As long as nothing waits in the log, the
            # ledger's own file says it all.
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CANTOPEN) & 255
            if code not in _UNWRITABLE or self._log() or not self.path.is_file():
                raise
            place = f"{self.path.absolute().as_uri()}?mode=ro&immutable=1"
            db = sqlite3.connect(place, uri=True, isolation_level=None)
            if _number(db, "application_id") == APPLICATION and (
                _number(db, "user_version") == VERSION
            ):
                return db
            db.close()
            raise

    def _log(self) -> int:
        """Bytes in the write-ahead log."""
        try:
            return self.path.with_name(self.path.name + "-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def _make(self) -> None:
        """Make the folder and an empty file that only its owner reads."""
        if self.path.exists():
            if 0 < self.path.stat().st_size < 512:  # SQLite would take it for an empty one
                raise sqlite3.DatabaseError("file is not a database")
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))

    def _check(self, db: sqlite3.Connection) -> None:
        db.execute("BEGIN")  # all three at one moment: another process may be making the tables
        application, version = _number(db, "application_id"), _number(db, "user_version")
        tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        db.execute("COMMIT")
        if application != APPLICATION and (tables or version):
            raise LedgerError(
                f"{self.path} must be a ledger of ebit, but is some other program's database: "
                "move it away, or set EBIT_HOME to another folder"
            )
        self._refuse_newer(version)
        # The kind of journal stands in the file: it is changed only where that is needed.
        wanted = "delete" if on_network(self.path.parent) else "wal"
        if db.execute("PRAGMA journal_mode").fetchone()[0] != wanted:
            db.execute(f"PRAGMA journal_mode = {wanted}")
        if version < VERSION:
            with transaction(db):
                # Another process may have done it while this one waited.
                version = _number(db, "user_version")
                self._refuse_newer(version)
                bring_up_to_date(db, version)

    def _refuse_newer(self, version: int) -> None:
        if version > VERSION:
            raise LedgerError(
                f"{self.path} was written by a newer ebit (ledger version {version}, this one "
                f"knows {VERSION}): update ebit, or set EBIT_HOME to another folder"
            )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what SQLite and the system say into one line that says what to do."""
        try:
            yield
        except UnicodeDecodeError:  # what SQLite says of a damaged file may quote it
            raise LedgerError(f"the ledger {self.path} {_DAMAGED}") from None
        except (sqlite3.Error, OSError) as error:
            raise LedgerError(f"the ledger {self.path} {_words(error)}") from error


def _patiently(work: Callable[[], sqlite3.Connection]) -> sqlite3.Connection:
    """Try again while others are busy: for some locks SQLite itself does not wait."""
    end = time.monotonic() + _BUSY
    while True:
        try:
            return work()
        except sqlite3.OperationalError as error:
            busy = getattr(error, "sqlite_errorcode", 0) & 255 in _OTHERS
            if not busy or time.monotonic() > end:
                raise
        time.sleep(random.uniform(0.001, 0.02))


def _number(db: sqlite3.Connection, pragma: str) -> int:
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])


_DAMAGED = (
    "is damaged: move it away (runs that were sent are still with their providers, under the tag "
    "or id that begins with ebit)"
)


def _words(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, OSError):
        return f"cannot be used: {error.strerror or text}; set EBIT_HOME to a folder you can write"
    low = text.lower()
    if "full" in low:
        return "cannot be written, because the disk is full: make room, and try again"
    if "disk i/o" in low:
        return "cannot be used, because the disk fails or is full: make room, and try again"
    if "not a database" in low:
        return "is no database, or is encrypted: move it away, or set EBIT_HOME to another folder"
    if any(word in low for word in ("malformed", "corrupt", "no such", "decode")):
        return _DAMAGED
    if "locked" in low:
        return f"was busy for {_BUSY:.0f} s: is another ebit stuck? try again"
    if "readonly" in low or "unable to open" in low:
        return "cannot be written: check its permissions, or set EBIT_HOME to another folder"
    return f"cannot be used: {text}"
