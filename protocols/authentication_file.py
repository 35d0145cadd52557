"""The SQLite file of a pre-shared key: its tables, and what is checked when it is opened."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ebit.backends.gate import transaction
from ebit.games import EbitError

__all__ = [
    "PAD_BYTES",
    "AuthError",
    "OutOfPadsError",
    "check_file",
    "facts_of",
    "insert_pads",
    "new_database",
    "open_file",
    "pad_at",
]

PAD_BYTES = 16
_APPLICATION = 0x65626175
_VERSION = 1
_BUSY = 60.0  # seconds to wait for others, whose transactions take milliseconds
_FIXED = ("id", "role", "hash key", "most bytes")


class AuthError(EbitError):
    """The pre-shared key cannot be opened, read or written."""

    exit_code = 1


class OutOfPadsError(AuthError):
    """All one-time pads of the pre-shared key are spent."""

    exit_code = 3


def new_database(facts: dict[str, bytes], pads: bytes) -> sqlite3.Connection:
    """Make the database of one party's file in memory.

    Args:
        facts: "id", "role", "hash key", "most bytes", "secrecy".
        pads: for each pair of tags 16 bytes of Alice's pad, then 16 bytes of Bob's.
    """
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    db.executescript(
        f"PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = {_VERSION};"
        "CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE pads (sender TEXT, number INTEGER, pad BLOB NOT NULL, "
        "PRIMARY KEY (sender, number)) WITHOUT ROWID;"
        "CREATE TABLE marks (sender TEXT PRIMARY KEY, spent INTEGER NOT NULL, "
        "made INTEGER NOT NULL CHECK (spent BETWEEN 0 AND made), "
        "attempts INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
        "CREATE TABLE lots (digest BLOB PRIMARY KEY, tags INTEGER NOT NULL) WITHOUT ROWID;"
        # No pad comes back, whoever writes to the table.
        "CREATE TRIGGER forwards BEFORE UPDATE ON marks WHEN NEW.spent < OLD.spent "
        "OR NEW.made < OLD.made OR NEW.attempts < OLD.attempts "
        "BEGIN SELECT RAISE(ABORT, 'a pad is spent once'); END;"
        "INSERT INTO marks (sender, spent, made) VALUES ('alice', 0, 0), ('bob', 0, 0);"
    )
    with transaction(db):
        every = {**facts, "check": _check(facts)}
        db.executemany("INSERT INTO facts VALUES (?, ?)", every.items())
        insert_pads(db, pads)
    return db


def insert_pads(db: sqlite3.Connection, pads: bytes) -> int:
    """Put pads behind those that are there; how many of each side they were.

    The same bits are refused for ever after: their digest is kept.
    """
    tags = len(pads) // (2 * PAD_BYTES)
    used = pads[: 2 * PAD_BYTES * tags]
    try:
        db.execute("INSERT INTO lots VALUES (?, ?)", (hashlib.sha256(used).digest(), tags))
    except sqlite3.IntegrityError:
        raise AuthError(
            f"these {8 * len(used)} bits were appended before: a pad is spent once"
        ) from None
    made = int(db.execute("SELECT max(made) FROM marks").fetchone()[0])
    for place, sender in enumerate(("alice", "bob")):
        rows = []
        for k in range(tags):
            at = PAD_BYTES * (2 * k + place)
            pad = used[at : at + PAD_BYTES]
            rows.append((sender, made + k, pad + zlib.crc32(pad).to_bytes(4, "big")))
        db.executemany("INSERT INTO pads VALUES (?, ?, ?)", rows)
    db.execute("UPDATE marks SET made = ?", (made + tags,))
    return tags


def pad_at(db: sqlite3.Connection, sender: str, number: int) -> bytes:
    """Return a pad that is not spent.

    Raises:
        AuthError: it is not there, or not what was written.
    """
    row = db.execute(
        "SELECT pad FROM pads WHERE sender = ? AND number = ?", (sender, number)
    ).fetchone()
    pad = bytes(row[0][:PAD_BYTES]) if row is not None else b""
    if row is None or row[0][PAD_BYTES:] != zlib.crc32(pad).to_bytes(4, "big"):
        raise AuthError(
            f"pad {number} of {sender} in the pre-shared key is damaged or gone: make a new key file"
        )
    return pad


def facts_of(db: sqlite3.Connection, name: str) -> dict[str, bytes]:
    """Return what is fixed, after checking that it is what was written.

    Args:
        db: the database. name: how to call the file in a complaint.

    Raises:
        AuthError: another program's file, a newer one, or a damaged one.
    """
    if _number(db, "application_id") != _APPLICATION:
        raise AuthError(
            f"{name} is no pre-shared key of ebit: name the file that was made for this"
        )
    if _number(db, "user_version") != _VERSION:
        raise AuthError(f"{name} was written by a newer ebit: update ebit")
    facts = {key: bytes(value) for key, value in db.execute("SELECT name, value FROM facts")}
    if not {*_FIXED, "check", "secrecy"} <= set(facts) or facts["check"] != _check(facts):
        raise AuthError(f"{name} is damaged: make a new pre-shared key")
    marks = {row[0]: row[1:] for row in db.execute("SELECT * FROM marks")}
    if (
        {*marks} != {"alice", "bob"}
        or any([type(number) for number in row] != [int] * 3 for row in marks.values())
        or facts["secrecy"] not in (b"own", b"demonstration")
    ):
        raise AuthError(f"{name} is damaged: make a new pre-shared key")
    return facts


@contextmanager
def open_file(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a file that is there, for one transaction.

    Raises:
        AuthError: it cannot be used, or is damaged.
    """
    try:
        uri = path.absolute().as_uri() + "?mode=rw"
        db = sqlite3.connect(uri, uri=True, timeout=_BUSY, isolation_level=None)
        try:
            # EXTRA: not even a power cut may undo what was committed. Spent pads are overwritten.
            db.execute("PRAGMA synchronous = EXTRA")
            db.execute("PRAGMA secure_delete = ON")
            yield db
        finally:
            db.close()
    except (sqlite3.Error, ValueError, TypeError, LookupError) as error:  # of a damaged file, all
        if isinstance(error, EbitError):
            raise
        words = " ".join(str(error).split())
        if isinstance(error, LookupError):
            words = f"it is damaged and lacks {words}"
        raise AuthError(
            f"the pre-shared key {path} cannot be used: {words}; mend that, or make a new one"
        ) from error


def check_file(path: Path) -> None:
    """Check that a file is there and is its owner's only.

    Raises:
        AuthError: it is not.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise AuthError(
            f"the pre-shared key {path} cannot be read: {error.strerror or error}; make one with "
            "ebit key --new-auth PATH, and give its two files to the two parties"
        ) from None
    if os.name == "posix" and mode & 0o077:
        raise AuthError(f"the pre-shared key {path} can be read by others: chmod 600 {path}")


def _check(facts: dict[str, bytes]) -> bytes:
    digest = hashlib.sha256()
    for name in _FIXED:
        digest.update(len(facts[name]).to_bytes(4, "big") + facts[name])
    return digest.digest()


def _number(db: sqlite3.Connection, pragma: str) -> int:
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])
