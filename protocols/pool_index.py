"""The index of a pool: which bits of which file were handed out, on disk before they are."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ebit.backends.gate import gate, transaction
from ebit.games import ArgumentError
from ebit.protocols.private_files import OutOfBitsError, PoolError

__all__ = ["Parcel", "PoolIndex"]

_NAME = "pool.sqlite"
_APPLICATION = 0x65627074
_VERSION = 1
_BUSY = 60.0  # seconds to wait for others, whose transactions take milliseconds
_OLD = 86_400.0  # seconds after which a file that nobody named is nobody's


@dataclass(frozen=True)
class Parcel:
    """One lot of bits that was put into a pool.

    Attributes:
        name: names its two files, NAME.bits and NAME.json (the certificate).
        bits: how many there were.
        taken: how many were handed out.
        randomness: "pseudo (simulator)" or "device".
        secrecy: "demonstration", or what is promised.
        digest: SHA-256, by which the same bits are known again; None for very few.
        created: when it was put in.
    """

    name: str
    bits: int
    taken: int
    randomness: str
    secrecy: str
    digest: str | None
    created: str

    @property
    def left(self) -> int:
        """Bits that nobody has had."""
        return self.bits - self.taken


class Step:
    """One transaction of a taker: nothing else takes meanwhile."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def parcels(self) -> tuple[Parcel, ...]:
        """What has bits left, oldest first."""
        return _parcels(self._db, "WHERE taken < bits")

    def move(self, parcel: Parcel, taken: int) -> None:
        """Say that so many bits of a parcel are gone."""
        self._db.execute("UPDATE parcels SET taken = ? WHERE name = ?", (taken, parcel.name))


class PoolIndex:
    """The SQLite file of a pool, opened anew for every transaction.

    Args:
        folder: the pool's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / _NAME

    def there(self) -> bool:
        """Whether there is an index; looking makes none."""
        return self.path.is_file()

    def parcels(self, *, spent: bool = True) -> tuple[Parcel, ...]:
        """What was put in, oldest first, or what has bits left; nothing where there is no pool."""
        if not self.there():
            return ()
        with self._open() as db:
            return _parcels(db, "" if spent else "WHERE taken < bits")

    def knows(self, digest: str | None) -> bool:
        """Whether bits of that digest were put in before."""
        if digest is None or not self.there():
            return False
        with self._open() as db:
            return bool(_parcels(db, "WHERE digest = ?", digest))

    def add(self, parcel: Parcel) -> None:
        """Write down a parcel whose files are whole.

        Raises:
            ArgumentError: the same bits were put in meanwhile.
        """
        with self._open() as db, transaction(db):
            try:
                db.execute(
                    "INSERT INTO parcels (name, bits, taken, randomness, secrecy, digest, created) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        parcel.name,
                        parcel.bits,
                        parcel.taken,
                        parcel.randomness,
                        parcel.secrecy,
                        parcel.digest,
                        parcel.created,
                    ),
                )
            except sqlite3.IntegrityError:
                raise ArgumentError(
                    f"packed must be new bits, but these {parcel.bits} are in {self.folder}"
                ) from None

    @contextmanager
    def taking(self) -> Iterator[Step]:
        """One transaction: on disk when the block ends, undone when it fails."""
        if not self.there():
            raise OutOfBitsError(f"{self.folder} holds no bits: put some in first")
        with self._open() as db, transaction(db):
            yield Step(db)

    def tidy(self) -> int:
        """Remove files that nobody can need."""
        if not self.there():
            return 0
        gone = 0
        with self._open() as db, transaction(db):
            known = {p.name: p for p in _parcels(db)}
            for path in self.folder.iterdir():
                parcel = known.get(path.stem)
                spent = path.suffix == ".bits" and parcel is not None and not parcel.left
                named = path.suffix in (".bits", ".json") or path.name.endswith(".tmp")
                with suppress(OSError):
                    lost = parcel is None and named and _age(path) > _OLD
                    if spent or lost:
                        path.unlink()
                        gone += 1
        return gone

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with gate():
            try:
                if not self.path.exists():
                    with suppress(FileExistsError):
                        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
                        os.close(os.open(self.path, flags, 0o600))
                with closing(sqlite3.connect(self.path, timeout=_BUSY, isolation_level=None)) as db:
                    # The plain journal works on every file system that has locks. EXTRA: not even
                    # a power cut may undo what was committed.
                    db.execute("PRAGMA synchronous = EXTRA")
                    self._bring_up_to_date(db)
                    yield db
            except (sqlite3.Error, OSError) as error:
                words = " ".join(str(error).split())
                raise PoolError(
                    f"the pool {self.folder} cannot be used: {words}; mend that, or name another "
                    "folder"
                ) from error

    def _bring_up_to_date(self, db: sqlite3.Connection) -> None:
        version = _number(db, "user_version")
        if version == _VERSION and _number(db, "application_id") == _APPLICATION:
            return
        with transaction(db):
            version = _number(db, "user_version")
            tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if (version or tables) and _number(db, "application_id") != _APPLICATION:
                raise PoolError(f"{self.path} is some other program's database: move it away")
            if version > _VERSION:
                raise PoolError(f"{self.path} was written by a newer ebit: update ebit")
            if version == _VERSION:
                return
            db.execute(f"PRAGMA application_id = {_APPLICATION}")
            db.execute(
                "CREATE TABLE parcels (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, "
                "bits INTEGER NOT NULL CHECK (bits > 0), "
                "taken INTEGER NOT NULL CHECK (taken BETWEEN 0 AND bits), "
                "randomness TEXT NOT NULL, secrecy TEXT NOT NULL, digest TEXT UNIQUE, "
                "created TEXT NOT NULL)"
            )
            # No bit can be given back, whoever writes to the table.
            db.execute(
                "CREATE TRIGGER forwards BEFORE UPDATE OF taken ON parcels "
                "WHEN NEW.taken <= OLD.taken "
                "BEGIN SELECT RAISE(ABORT, 'bits are handed out once'); END"
            )
            db.execute(f"PRAGMA user_version = {_VERSION}")


def _parcels(db: sqlite3.Connection, where: str = "", *values: str) -> tuple[Parcel, ...]:
    rows = db.execute(
        "SELECT name, bits, taken, randomness, secrecy, digest, created FROM parcels "
        f"{where} ORDER BY number",
        values,
    )
    return tuple(Parcel(*row) for row in rows)


def _number(db: sqlite3.Connection, pragma: str) -> int:
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime
