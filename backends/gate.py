"""One SQLite transaction at a time in this process, whatever the file."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["gate", "transaction"]

# SQLite's locks belong to the process, and two things would take them away from a thread that holds
# them: another thread that closes the plain file, and a fork in the middle, which leaves the child
# with locks that are not its own.
_gate = threading.RLock()


def gate() -> threading.RLock:
    """Return the lock to hold from before a file is opened until after it is closed."""
    return _gate


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All or nothing, and nobody else meanwhile; on disk when the block has ended."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            with suppress(sqlite3.Error):  # closing undoes it as well
                db.execute("ROLLBACK")
        raise


def _fresh_gate() -> None:
    global _gate
    _gate = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lambda: _gate.acquire(),
        after_in_parent=lambda: _gate.release(),
        after_in_child=_fresh_gate,
    )
