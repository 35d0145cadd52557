"""The SQLite file of a key store: one connection, safe in threads, processes and forks."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ebit.backends.gate import gate, transaction
from ebit.backends.home import on_network
from ebit.games import ArgumentError
from ebit.protocols.key_store_seal import KeyStoreError

__all__ = ["StoreFile", "damaged"]

_APPLICATION = 0x65626B73
_VERSION = 2
_BUSY = 60.0  # seconds to wait for others, whose transactions take milliseconds

_TABLES = (
    "CREATE TABLE store (number INTEGER PRIMARY KEY CHECK (number = 1), about TEXT NOT NULL, "
    "lock TEXT NOT NULL, wrapped BLOB NOT NULL)",
    "CREATE TABLE blocks (number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, "
    "digest BLOB NOT NULL UNIQUE, tag INTEGER NOT NULL, secrecy TEXT NOT NULL, facts TEXT NOT NULL, id_key BLOB NOT NULL, "
    "next INTEGER NOT NULL, stop INTEGER NOT NULL, CHECK (next BETWEEN 0 AND stop))",
    "CREATE INDEX blocks_tag ON blocks (tag)",
    "CREATE INDEX blocks_open ON blocks (number, next, stop, secrecy) WHERE next < stop",
    "CREATE TABLE pieces (block INTEGER NOT NULL, piece INTEGER NOT NULL, sealed BLOB NOT NULL, "
    "PRIMARY KEY (block, piece))",
    "CREATE TABLE uses (number INTEGER PRIMARY KEY, time TEXT NOT NULL, role TEXT NOT NULL, "
    "who TEXT NOT NULL, peer TEXT NOT NULL, key_id TEXT NOT NULL, bits INTEGER NOT NULL, "
    "purpose TEXT NOT NULL, secrecy TEXT NOT NULL, block TEXT NOT NULL)",
    # What was taken off the pieces for other slaves of the same key.
    "CREATE TABLE copies (key_id BLOB NOT NULL, sae TEXT NOT NULL, sealed BLOB NOT NULL, "
    "PRIMARY KEY (key_id, sae))",
    # No bit can be handed out again, whoever writes to the table.
    "CREATE TRIGGER forwards BEFORE UPDATE OF next ON blocks WHEN NEW.next <= OLD.next "
    "BEGIN SELECT RAISE(ABORT, 'keys are handed out once'); END",
)

# Connections that a fork has left in a child. Closing one would take the parent's locks away.
_abandoned: list[sqlite3.Connection] = []


def damaged(path: Path, what: str) -> KeyStoreError:
    """Return the error of a store whose file is not what was written."""
    return KeyStoreError(
        f"the key store {path} is damaged ({what}): move it away and make new keys; a copy put back "
        "from a backup would hand keys out twice"
    )


class StoreFile:
    """A key store's database.

    Every transaction is on disk when it ends (synchronous = FULL), so that neither kill -9 nor a loss
    of power brings a key back that was handed out.

    Args:
        path: the file, which must be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db: sqlite3.Connection | None = None
        self._pid = 0

    @classmethod
    def make(cls, path: Path, about: str, lock: str, wrapped: bytes) -> StoreFile:
        """Make a store's file whole, or not at all; it is readable by its owner only.

        Raises:
            ArgumentError: there is one, or the folder cannot be written.
        """
        exists = ArgumentError(f"path must be a new file, but {path} is there already")
        if path.exists():
            raise exists
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.unlink(missing_ok=True)
            os.close(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            with gate():
                db = sqlite3.connect(temporary, isolation_level=None)
                try:
                    db.execute("BEGIN")
                    db.execute(f"PRAGMA application_id = {_APPLICATION}")
                    db.execute(f"PRAGMA user_version = {_VERSION}")
                    for words in _TABLES:
                        db.execute(words)
                    db.execute("INSERT INTO store VALUES (1, ?, ?, ?)", (about, lock, wrapped))
                    db.execute("COMMIT")
                finally:
                    db.close()
            try:
                os.link(temporary, path)  # unlike a rename, it replaces nothing
                temporary.unlink()
            except FileExistsError:
                raise
            except OSError:
                os.rename(temporary, path)
        except FileExistsError:
            raise exists from None
        except (OSError, sqlite3.Error) as error:
            words = getattr(error, "strerror", None) or str(error)
            raise ArgumentError(f"the key store {path} cannot be made: {words}") from None
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        return cls(path)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: on disk when the block ends, undone when it fails."""
        with gate(), self._told(), transaction(self._connection()) as db:
            yield db

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection to read from; everything is as it was at one moment."""
        with gate(), self._told():
            db = self._connection()
            db.execute("BEGIN")
            try:
                yield db
            finally:
                with suppress(sqlite3.Error):
                    db.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        with gate():
            if self._db is not None:
                if self._pid == os.getpid():
                    with suppress(sqlite3.Error):
                        self._db.close()
                else:
                    _abandoned.append(self._db)
                self._db = None

    def _connection(self) -> sqlite3.Connection:
        if self._db is not None and self._pid != os.getpid():
            _abandoned.append(self._db)
            self._db = None
        if self._db is None:
            self._db = self._opened()
            self._pid = os.getpid()
        return self._db

    def _opened(self) -> sqlite3.Connection:
        if not self.path.is_file():
            raise ArgumentError(
                f"there is no key store {self.path}: make one with  ebit keys init {self.path}"
            )
        if self.path.stat().st_size < 512:  # SQLite would take it for an empty one
            raise damaged(self.path, "it is cut short")
        place = f"{self.path.absolute().as_uri()}?mode=rw"
        db = sqlite3.connect(
            place, uri=True, timeout=_BUSY, isolation_level=None, check_same_thread=False
        )
        try:
            if _number(db, "application_id") != _APPLICATION:
                raise KeyStoreError(
                    f"{self.path} must be a key store of ebit, but is some other database"
                )
            version = _number(db, "user_version")
            if version > _VERSION:
                raise KeyStoreError(f"{self.path} was written by a newer ebit: update ebit")
            if version == 1:
                raise KeyStoreError(
                    f"{self.path} was written by an older ebit and does not remember which bits were "
                    "put in: make a new store, and put new keys into it"
                )
            if version != _VERSION:
                raise damaged(self.path, f"version {version}")
            wanted = "delete" if on_network(self.path.parent) else "wal"
            if db.execute("PRAGMA journal_mode").fetchone()[0] != wanted:
                db.execute(f"PRAGMA journal_mode = {wanted}")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA secure_delete = ON")
            words = db.execute("PRAGMA quick_check(1)").fetchone()[0]
            if words != "ok":
                raise damaged(self.path, " ".join(str(words).split())[:80])
        except BaseException:
            db.close()
            raise
        return db

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what SQLite and the system say into one line that says what to do."""
        try:
            yield
        except UnicodeDecodeError:  # what SQLite says of a damaged file may quote it
            raise damaged(self.path, "its text is none") from None
        except sqlite3.Error as error:
            self.close()  # a connection that met a fault is not used again
            raise _words(self.path, error) from None
        except OSError as error:
            raise KeyStoreError(
                f"the key store {self.path} cannot be used: {error.strerror or error}"
            ) from None


def _words(path: Path, error: sqlite3.Error) -> KeyStoreError:
    text = " ".join(str(error).split())
    low = text.lower()
    if "full" in low or "disk i/o" in low:
        return KeyStoreError(
            f"the key store {path} cannot be written, because the disk is full or fails: make room, "
            "and try again"
        )
    if any(word in low for word in ("malformed", "corrupt", "no such", "decode", "not a database")):
        return damaged(path, text)
    if "locked" in low:
        return KeyStoreError(
            f"the key store {path} was busy for {_BUSY:.0f} s: is another ebit stuck? try again"
        )
    if "readonly" in low or "unable to open" in low:
        return KeyStoreError(f"the key store {path} cannot be written: check its permissions")
    return KeyStoreError(f"the key store {path} cannot be used: {text}")


def _number(db: sqlite3.Connection, pragma: str) -> int:
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])
