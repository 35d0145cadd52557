"""Keys for uses: from a store, or cut from a key file, whose FILE.used keeps count of what was used."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol
from uuid import UUID

from ebit.games import ArgumentError, EbitError, RefusedError
from ebit.protocols.key_result import Secrecy, read_key
from ebit.protocols.key_uses_ledger import ledger
from ebit.protocols.secret_bits import SecretBits

if TYPE_CHECKING:
    from ebit.protocols.key_store import KeyStore

__all__ = ["KeyFile", "KeyFileEmptyError", "KeyFileError", "KeySource", "SpentError", "StoreKeys"]

Side = Literal["sole", "alice", "bob"]
Accept = Callable[[SecretBits], None]
_SIDES = "give --side alice at one end and --side bob at the other"
_NAME = re.compile(r"[^\s#]{1,200}")
_ID = re.compile(r"(?P<name>[^\s#]{1,200})#(?P<first>[0-9]{1,15})\+(?P<bits>[0-9]{1,15})")
# times: how often this end found the bits; 0 where it took them itself.
_TABLE = (
    "create table if not exists used "
    "(key text, first integer, bits integer, purpose text, times integer)"
)


class KeyFileError(EbitError):
    """The count of what was used of a key file cannot be kept."""

    exit_code = 1


class KeyFileEmptyError(KeyFileError):
    """A key file has too few bits left."""


class SpentError(KeyFileError):
    """A part of a key was used before: the message is a replay, or the key would serve twice."""

    exit_code = 3


class KeySource(Protocol):
    """Where the keys of uses come from: both ends have it, and each key serves once.

    Attributes:
        secrecy: "demonstration" or "own", of the last key at least.
    """

    secrecy: Secrecy

    def take(self, bits: int, purpose: str, *, side: Side = "sole") -> tuple[str, SecretBits]:
        """Return a new key and its name."""
        ...

    def find(
        self,
        key_id: str,
        purpose: str,
        *,
        side: Side = "sole",
        accept: Accept | None = None,
        once: bool = False,
    ) -> SecretBits:
        """Return the key of a name that the other end took, if it is accepted."""
        ...


class StoreKeys:
    """The keys of a store, as `KeyStore` delivers them: each leaves it once, at either end.

    Args:
        store: the open store.
        me, peer: names of this end's application and of the other's (SAE IDs).

    Attributes:
        secrecy: of the last key that came.
    """

    def __init__(self, store: KeyStore, *, me: str, peer: str) -> None:
        self._store, self._me, self._peer = store, me, peer
        self.secrecy: Secrecy = "own"

    def take(self, bits: int, purpose: str, *, side: Side = "sole") -> tuple[str, SecretBits]:
        """Return a new key and its id; the store divides its keys between the ends by itself."""
        del side
        (got,) = self._store.deliver(bits, master=self._me, slave=self._peer, purpose=purpose)
        self.secrecy = "own" if got.secrecy == "own" else "demonstration"
        return str(got.id), got.key

    def find(
        self,
        key_id: str,
        purpose: str,
        *,
        side: Side = "sole",
        accept: Accept | None = None,
        once: bool = False,
    ) -> SecretBits:
        """Return the key that the other end took, which leaves the store now, accepted or not.

        A store gives each key once, whatever `once` says.

        Raises:
            ArgumentError: no id.
            UnknownKeyError: no such key, or not any more.
        """
        del once, side
        try:
            id = UUID(key_id)
        except ValueError:
            raise ArgumentError(
                f"a key of a store has a UUID, but {key_id[:80]!r} is none"
            ) from None
        (got,) = self._store.collect([id], master=self._peer, slave=self._me, purpose=purpose)
        self.secrecy = "own" if got.secrecy == "own" else "demonstration"
        if accept is not None:
            accept(got.key)
        return got.key


class KeyFile:
    """A file of key bits that two parties hold, and what this party has used of it.

    A stretch of bits is named NAME#FIRST+BITS, the same at both ends. Where both ends take, each must
    keep to its half: one says it is "alice", the other "bob". Each end keeps its own FILE.used (sqlite):
    copy the key file to the other end before first use, and not back. A symbolic link to the key counts
    in the same FILE.used; a copy or a hard link has a count of its own, so keep one name at each end.

    Args:
        path: the key; FILE.json beside it, if there, says how secret it is, and may give it a
            ``key_id``.
        demonstration: whether a key that is not secret is taken.
        name: what the key is called in names of its parts; its key_id if left out, else "key".

    Attributes:
        secrecy: "demonstration" or "own".

    Raises:
        ArgumentError: a file that is not there or not readable.
        RefusedError: a key of a demonstration, without `demonstration`.
    """

    def __init__(
        self, path: str | Path, *, demonstration: bool = False, name: str | None = None
    ) -> None:
        # One count, and one FILE.json, for all links to a key.
        self.path = Path(os.path.realpath(path) if os.path.islink(path) else path)
        try:
            self._key, about = read_key(self.path)
        except RecursionError:
            raise ArgumentError(
                f"{self.path}.json must say how secret the key is, but is nested too deeply: write the "
                "key again"
            ) from None
        self.secrecy: Secrecy = about["secrecy"]
        if self.secrecy == "demonstration" and not demonstration:
            raise RefusedError(
                f"the key {self.path} is of a demonstration, known to whoever ran it: say "
                "demonstration=True (--demonstration) to use it all the same"
            )
        # The count is this key's: whoever puts another key into the file begins anew.
        self._mark = hashlib.sha256(b"ebit used v1" + self._key.reveal_bytes()).hexdigest()[:32]
        known = str(about.get("key_id") or "")
        self.name = name if name is not None else known if _NAME.fullmatch(known) else "key"
        if _NAME.fullmatch(self.name) is None:
            raise ArgumentError(
                f"a key's name must have up to 200 characters without space or #, but was {self.name!r}"
            )

    @property
    def bits(self) -> int:
        """Bits of the whole file."""
        return self._key.bits

    def left(self, *, side: Side = "sole") -> int:
        """Return how many bits this side may still take."""
        with self._ledger() as used:
            return sum(stop - first for first, stop in self._free(used, side))

    def take(self, bits: int, purpose: str, *, side: Side = "sole") -> tuple[str, SecretBits]:
        """Return the name and the bits of the next unused stretch, which is used from now on.

        Args:
            bits: how many, a multiple of 8.
            purpose: what for.
            side: "sole" where only this end takes, and may take all; else "alice" for the first
                half or "bob" for the second.

        Raises:
            ArgumentError: bits that are no positive multiple of 8.
            KeyFileEmptyError: fewer bits are left; nothing was taken.
            SpentError: "sole", though the other end took some.
        """
        if bits < 1 or bits % 8:
            raise ArgumentError(f"bits must be a positive multiple of 8, but was {bits}")
        with self._ledger() as used:
            free = self._free(used, side)
            first = next((first for first, stop in free if stop - first >= bits), None)
            if first is None:
                most = max((stop - first for first, stop in free), default=0)
                whose = "" if side == "sole" else f" for {side}"
                raise KeyFileEmptyError(
                    f"the key {self.path} has {most} bits left{whose} in one piece, but {bits} are "
                    f"needed for {purpose}: make another key"
                )
            query = "select 1 from used where key = ? and times > 0"
            if side == "sole" and used.execute(query, (self._mark,)).fetchone():
                raise SpentError(
                    f"the other end took bits of the key {self.path}, so that this one is not the only "
                    f"one: {_SIDES}"
                )
            self._note(used, first, bits, purpose, 0)
        return f"{self.name}#{first}+{bits}", self._key.part(first, bits)

    def find(
        self,
        key_id: str,
        purpose: str,
        *,
        side: Side = "sole",
        accept: Accept | None = None,
        once: bool = False,
    ) -> SecretBits:
        """Return the stretch of a name that the other end took, which counts as used from now on.

        Args:
            key_id: its name.
            purpose: what for; the same stretch serves one purpose only.
            side: this end's, as for `take`: what is of its own half is refused.
            accept: raises if what came with the name is not right under the key: the stretch then
                counts as unused.
            once: whether the stretch may be found once only; else any number of times.

        Raises:
            ArgumentError: a name of another key, or bits that the file does not have.
            SpentError: bits that this end took or may take, that served for something else, or
                `once` and found before.
        """
        match = _ID.fullmatch(key_id)
        if match is None or match["name"] != self.name:
            raise ArgumentError(
                f"the key {self.path} is named {self.name!r}, but the key {key_id[:80]!r} was asked for"
            )
        first, bits = int(match["first"]), int(match["bits"])
        if bits == 0 or first + bits > self.bits or first % 8 or bits % 8:
            raise ArgumentError(
                f"the key {self.path} has {self.bits} bits, but {key_id} was asked for: is it another key?"
            )
        start, stop = self._part(side)
        mine = side != "sole" and first < stop and first + bits > start
        with self._ledger() as used:
            query = (
                "select first, bits, purpose, times from used "
                "where key = ? and first < ? and first + bits > ?"
            )
            met = used.execute(query, (self._mark, first + bits, first)).fetchall()
            if mine or any(row[3] == 0 for row in met):
                raise SpentError(
                    f"{key_id} is this end's own, so that its own message came back or both ends take "
                    f"from the same half: {_SIDES}"
                )
            if any(row[:3] != (first, bits, purpose) for row in met):
                raise SpentError(
                    f"bits of {key_id} were used before, for {met[0][2]}: a key serves once only"
                )
            if not met:
                self._note(used, first, bits, purpose, 1)
            elif once and met[0][3]:
                raise SpentError(f"{key_id} was used before, for {purpose}: this is a replay")
            else:
                query = "update used set times = times + 1 where key = ? and first = ?"
                used.execute(query, (self._mark, first))
            key = self._key.part(first, bits)
            if accept is not None:
                accept(key)
        return key

    def _note(
        self, used: sqlite3.Connection, first: int, bits: int, purpose: str, times: int
    ) -> None:
        row = (self._mark, first, bits, purpose, times)
        used.execute("insert into used values (?, ?, ?, ?, ?)", row)

    def _part(self, side: Side) -> tuple[int, int]:
        """Where the part of the key that a side may take from begins and ends."""
        if side not in ("sole", "alice", "bob"):
            raise ArgumentError(f"side must be sole, alice or bob, but was {side!r}")
        half = self.bits // 16 * 8
        return {"sole": (0, self.bits), "alice": (0, half), "bob": (half, self.bits)}[side]

    def _free(self, used: sqlite3.Connection, side: Side) -> list[tuple[int, int]]:
        """The gaps in a side's part that nobody used, in order: where each begins and ends."""
        at, end = self._part(side)
        query = (
            "select first, first + bits from used "
            "where key = ? and first < ? and first + bits > ? order by first"
        )
        gaps = []
        for first, stop in used.execute(query, (self._mark, end, at)):
            if first > at:
                gaps.append((at, first))
            at = max(at, stop)
        return [*gaps, (at, end)] if at < end else gaps

    @contextlib.contextmanager
    def _ledger(self) -> Iterator[sqlite3.Connection]:
        """The count of this key, locked; kept if the block ends well."""
        path = self.path.with_name(self.path.name + ".used")
        try:
            with ledger(path, _TABLE) as used:
                yield used
        except (OSError, sqlite3.Error) as error:
            raise KeyFileError(
                f"cannot keep count of the key in {path}: {error}; no key was given out"
            ) from None
