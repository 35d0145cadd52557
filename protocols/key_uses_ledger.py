"""A small file that keeps count of what was used: one writer at a time, on disk when a block has ended."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from ebit.backends.gate import gate, transaction

__all__ = ["ledger"]

_BUSY = 30.0  # seconds to wait for others


@contextmanager
def ledger(path: Path, table: str) -> Iterator[sqlite3.Connection]:
    """Yield the database in a file, locked; what the block changes is kept if it ends well.

    Args:
        path: the file, made if need be, readable by its owner only.
        table: the statement that makes its table, if that is not there yet.

    Raises:
        OSError, sqlite3.Error: a file that cannot be read or written, or is no database.
    """
    with gate():
        if not path.exists():
            # Only a file that is not there: closing one that another thread has open drops its locks.
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        with closing(sqlite3.connect(path, timeout=_BUSY, isolation_level=None)) as db:
            db.execute("PRAGMA synchronous = FULL")
            with transaction(db):
                db.execute(table)
                yield db
