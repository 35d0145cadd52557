"""The pre-shared key of two parties: a hash key, and pads that are spent on disk before they are used."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from ebit.analysis.binomial import check_count
from ebit.backends.gate import gate, transaction
from ebit.games import ArgumentError
from ebit.protocols.authentication_file import (
    PAD_BYTES,
    AuthError,
    OutOfPadsError,
    check_file,
    facts_of,
    insert_pads,
    new_database,
    open_file,
    pad_at,
)
from ebit.protocols.conversation import Role
from ebit.protocols.private_files import private_file
from ebit.protocols.secret_bits import SecretBits

__all__ = ["AuthError", "AuthKey", "AuthStatus", "OutOfPadsError", "new_auth_key"]

MOST_BYTES = 1 << 30
"""Bytes of a transcript that a tag covers at most, unless said otherwise."""
_PAD_BITS = 8 * PAD_BYTES
_MORE = "append the same delivered key on both sides (AuthKey.append), or make a new key file"


@dataclass(frozen=True)
class AuthStatus:
    """What is left of a pre-shared key.

    Attributes:
        id: names the key, 32 hexadecimal digits, the same in both files.
        role: whose file this is.
        secrecy: "own", or "demonstration" if any of it is not secret.
        to_send: tags that this side can still send.
        to_receive: tags of the peer that this side can still check.
        bits_left: pad bits for both.
        bits_spent: pad bits that are gone, of both directions; the hash key's 128 stay in use.
        attempts: tags of the peer that were compared, right or wrong.
        most_bytes: the longest transcript that a tag may cover.
    """

    id: str
    role: Role
    secrecy: str
    to_send: int
    to_receive: int
    bits_left: int
    bits_spent: int
    attempts: int
    most_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    def __str__(self) -> str:
        mark = " (demonstration: not secret)" if self.secrecy == "demonstration" else ""
        return (
            f"pre-shared key {self.id[:8]} of {self.role}{mark}: {self.to_send:,} tags to send, "
            f"{self.to_receive:,} to receive, {self.bits_left:,} bits left"
        )


class AuthKey:
    """One party's copy of a pre-shared key, opened anew for every step.

    Alice's tags and Bob's tags have pads of their own. A pad that was taken is gone from the file, on
    disk, before it is returned: it cannot be used twice, by this process or another, nor after a
    crash. What nothing here can see is an old copy of the file that was put back. An honest peer says
    which pads it has seen, and then `ebit.protocols.authentication` refuses to go below; whoever plays
    the peer does not say so, learns two tags of one pad, and from them the hash key. Keep no copies.

    Args:
        path: the file of this party, from `new_auth_key`.

    Raises:
        AuthError: it cannot be read, is damaged, or others can read it.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> mine, other = new_auth_key(Path(folder.name) / "us", tags=10)
        >>> key = AuthKey(mine)
        >>> number, pad = key.take()
        >>> number, len(pad), key.status().to_send
        (0, 16, 9)
        >>> folder.cleanup()
    """

    def __init__(self, path: str | Path) -> None:
        self.path: Path | None = Path(path)
        self._memory: sqlite3.Connection | None = None
        check_file(self.path)
        self._read()

    @classmethod
    def in_memory(
        cls, *, tags: int = 4, random: Callable[[int], bytes] | None = None
    ) -> tuple[AuthKey, AuthKey]:
        """Return Alice's and Bob's copy of a key that no file holds, for both in one process.

        Args:
            tags, random: as in `new_auth_key`.
        """
        found = []
        for db in _databases(tags, MOST_BYTES, random):
            key = object.__new__(cls)
            key.path, key._memory = None, db
            key._read()
            found.append(key)
        return found[0], found[1]

    def __repr__(self) -> str:
        return f"AuthKey({self.id[:8]} of {self.role}, hidden)"

    def _read(self) -> None:
        with self._open() as db:
            facts = facts_of(db, self._name)
        self.id = facts["id"].hex()
        self.role = cast("Role", facts["role"].decode())
        self.peer: Role = "bob" if self.role == "alice" else "alice"
        self.most_bytes = int.from_bytes(facts["most bytes"], "big")
        self._hash_key = facts["hash key"]

    @property
    def _name(self) -> str:
        return "the key in memory" if self.path is None else str(self.path)

    def hash_key(self) -> bytes:
        """Return the 16 bytes of the hash key."""
        return self._hash_key

    def status(self) -> AuthStatus:
        """Return what is left."""
        with self._open() as db:
            secrecy = facts_of(db, self._name)["secrecy"].decode()
            marks = {row[0]: row[1:] for row in db.execute("SELECT * FROM marks")}
        left = {sender: made - spent for sender, (spent, made, _) in marks.items()}
        return AuthStatus(
            id=self.id,
            role=self.role,
            secrecy=secrecy,
            to_send=left[self.role],
            to_receive=left[self.peer],
            bits_left=_PAD_BITS * sum(left.values()),
            bits_spent=_PAD_BITS * sum(spent for spent, _, _ in marks.values()),
            attempts=marks[self.peer][2],
            most_bytes=self.most_bytes,
        )

    def positions(self) -> tuple[int, int]:
        """Return the number of this side's next pad, and the lowest that the peer may still use."""
        with self._open() as db:
            return _spent(db, self.role), _spent(db, self.peer)

    def check_ready(self) -> None:
        """Check that a session could be authenticated.

        Raises:
            OutOfPadsError: no pad is left for a tag of this side, or of the peer.
        """
        status = self.status()
        if not status.to_send or not status.to_receive:
            side = self.role if not status.to_send else self.peer
            raise OutOfPadsError(f"{self._name} has no pad left for a tag of {side}: {_MORE}")

    def take(self) -> tuple[int, bytes]:
        """Spend this side's next pad: the file has forgotten it when this returns.

        Returns:
            Its number, and 16 bytes.

        Raises:
            OutOfPadsError: none is left.
        """
        with self._open() as db, transaction(db):
            number = _spent(db, self.role)
            if number >= _made(db, self.role):
                raise OutOfPadsError(f"{self._name} has no pad left for a tag: {_MORE}")
            pad = pad_at(db, self.role, number)
            _spend(db, self.role, number)
        return number, pad

    def attempt(self, number: int) -> bytes:
        """Return the pad that the peer says it has used, and count that a tag is compared with it.

        Raises:
            AuthError: it was used before, or this side has no such pad.
        """
        with self._open() as db, transaction(db):
            spent, made = _spent(db, self.peer), _made(db, self.peer)
            if number < spent:
                raise AuthError(
                    f"pad {number} of {self.peer} was used before, {spent} is the next: an old "
                    "session is replayed, or the peer uses an old copy of its key file"
                )
            if number >= made:
                raise AuthError(
                    f"the peer used pad {number}, but this file has only {made}: {_MORE}"
                )
            pad = pad_at(db, self.peer, number)
            db.execute(
                "UPDATE marks SET attempts = attempts + 1 WHERE sender = ?",
                (self.peer,),
            )
        return pad

    def accept(self, number: int) -> None:
        """Spend the peer's pads up to the one whose tag was right.

        Raises:
            AuthError: another session has spent it meanwhile.
        """
        with self._open() as db, transaction(db):
            if number < _spent(db, self.peer):
                raise AuthError(
                    f"pad {number} of {self.peer} was used by another session meanwhile"
                )
            _spend(db, self.peer, number)

    def append(self, bits: SecretBits, *, secrecy: str = "own", demonstration: bool = False) -> int:
        """Make pads of key bits that both sides have: the same bits in the same order on both.

        Args:
            bits: 256 for each pair of tags; what is left over is not used.
            secrecy: "own", or "demonstration" for bits that are not secret, as a simulator's.
            demonstration: agree that this key proves nothing from now on.

        Returns:
            How many tags of each side they are good for.

        Raises:
            ArgumentError: fewer than 256 bits, or bits that are not secret.
            AuthError: the same bits were appended before.
        """
        if secrecy not in ("own", "demonstration"):
            raise ArgumentError(f"secrecy must be 'own' or 'demonstration', but was {secrecy!r}")
        if secrecy == "demonstration" and not demonstration:
            raise ArgumentError(
                "bits must be secret, but were made for a demonstration: demonstration=True appends "
                "them, and marks this key"
            )
        if len(bits) < 2 * _PAD_BITS:
            raise ArgumentError(f"bits must be at least {2 * _PAD_BITS}, but were {len(bits)}")
        with self._open() as db, transaction(db):
            tags = insert_pads(db, bits.reveal_bytes()[: len(bits) // 8])
            if secrecy == "demonstration":
                db.execute("UPDATE facts SET value = ? WHERE name = 'secrecy'", (secrecy.encode(),))
        return tags

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with gate():
            if self._memory is not None:
                yield self._memory
            else:
                with open_file(cast("Path", self.path)) as db:
                    yield db


def new_auth_key(
    path: str | Path,
    *,
    tags: int = 1000,
    most_bytes: int = MOST_BYTES,
    random: Callable[[int], bytes] | None = None,
) -> tuple[Path, Path]:
    """Make a pre-shared key: one file for Alice and one for Bob, each readable by its owner only.

    Carry one of them to the other party in a way that nobody can listen to, and keep no copy: who has
    an old copy can use a pad again, and then the hash key is known. The files hold 128 bits of hash
    key and 256 bits for each pair of tags, one of Alice and one of Bob.

    Args:
        path: where; the files are PATH.alice and PATH.bob.
        tags: how many each side can send.
        most_bytes: the longest transcript that a tag may cover; the error of a tag grows with it.
        random: gives so many random bytes; the operating system's if left out. With anything else the
            key is marked as a demonstration.

    Returns:
        The two paths, Alice's first.

    Raises:
        ArgumentError: a file is there already or cannot be written, or a number is out of range.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     paths = new_auth_key(Path(folder) / "us", tags=100)
        ...     print(paths[0].name, AuthKey(paths[1]).status().bits_left)
        us.alice 25600
    """
    base = Path(path)
    paths = base.with_name(base.name + ".alice"), base.with_name(base.name + ".bob")
    for place in paths:
        if place.exists():
            raise ArgumentError(f"path must be new, but {place} is there: name another, or move it")
    for place, db in zip(paths, _databases(tags, most_bytes, random), strict=True):
        with private_file(place) as file:
            file.write(db.serialize())
        db.close()
    return paths


def _databases(
    tags: int, most_bytes: int, random: Callable[[int], bytes] | None
) -> list[sqlite3.Connection]:
    """The databases of both parties: the same but for the role."""
    check_count("tags", tags, low=1, high=10**7)
    check_count("most_bytes", most_bytes, low=1, high=1 << 48)
    draw = os.urandom if random is None else random
    name, hash_key, pads = draw(16), draw(PAD_BYTES), draw(2 * PAD_BYTES * tags)
    secrecy = b"own" if random is None else b"demonstration"
    return [
        new_database(
            {
                "id": name,
                "role": role,
                "hash key": hash_key,
                "most bytes": most_bytes.to_bytes(8, "big"),
                "secrecy": secrecy,
            },
            pads,
        )
        for role in (b"alice", b"bob")
    ]


def _spent(db: sqlite3.Connection, sender: Role) -> int:
    return int(db.execute("SELECT spent FROM marks WHERE sender = ?", (sender,)).fetchone()[0])


def _made(db: sqlite3.Connection, sender: Role) -> int:
    return int(db.execute("SELECT made FROM marks WHERE sender = ?", (sender,)).fetchone()[0])


def _spend(db: sqlite3.Connection, sender: Role, number: int) -> None:
    """Forget all pads of a sender up to this one."""
    db.execute("DELETE FROM pads WHERE sender = ? AND number <= ?", (sender, number))
    db.execute("UPDATE marks SET spent = ? WHERE sender = ?", (number + 1, sender))
