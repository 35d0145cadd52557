"""A key store: bits that a link made, sealed on disk, and handed out as keys once at each end.

Each end of a link has a store of its own, and both hold the same blocks of bits under the same ids.
They never talk to each other, and still agree:

- Of every block, the end (KME) whose name sorts first may hand out the first part as new keys
  (`KeyStore.deliver`), and the other end the rest: no two requests, wherever they are made, are given
  the same bits. How large the first part is (``share``) is set when the stores are made, alike at both
  ends.
- The id of a new key says where it lies, and 53 bits of it vouch for the master and the slave it was
  given to (`ebit.protocols.key_store_ids`). The other end cuts the same bits when its SAE comes with
  the id (`KeyStore.collect`), and refuses an SAE that was not named.
- Bytes that leave are wiped in the same transaction, which is on disk before the key leaves the
  function. What a sealed piece still holds is sealed with it: a position that somebody sets back in
  the file hands out nothing twice, it is an error.

A copy of the file put back later would hand its keys out again, and nothing inside the file can tell:
never copy a store, and never restore one from a backup.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from ebit.games import ArgumentError, EbitError
from ebit.protocols.key_store_file import StoreFile, damaged
from ebit.protocols.key_store_ids import ID_KEY_BYTES
from ebit.protocols.key_store_rows import Rows
from ebit.protocols.key_store_seal import KeyStoreError, Lock, Seal, needs_cryptography
from ebit.protocols.key_store_types import (
    DEMONSTRATION,
    MOST_KEY_BITS,
    Collect,
    Deliver,
    DeliveredKey,
    KeyBlock,
    KeyUse,
    NoKeysLeftError,
    NotNamedError,
    UnknownKeyError,
    check_wish,
    plain_origin,
)
from ebit.protocols.secret_bits import SecretBits

__all__ = [
    "MOST_BITS",
    "MOST_KEY_BITS",
    "Collect",
    "Deliver",
    "DeliveredKey",
    "KeyBlock",
    "KeyStore",
    "KeyStoreError",
    "KeyUse",
    "NoKeysLeftError",
    "NotNamedError",
    "UnknownKeyError",
]

MOST_BITS = 1 << 30
"""Bits that a store holds for handing out at most."""


class KeyStore:
    """The keys of one end of one link; made by `create` and opened by `open`.

    Any number of threads and processes may use a store at once, and be killed at any moment: a key
    that was about to leave may be lost, and none leaves twice.

    Attributes:
        path: the file.
        kme, peer: the names of this end and of the other one.
        share: part of each block that the end whose name sorts first hands out.
        demonstration: whether keys that are not secret are handed out.

    Example:
        >>> import tempfile, uuid
        >>> place = Path(tempfile.mkdtemp())
        >>> alice = KeyStore.create(place / "a.db", kme="kme-a", peer="kme-b")
        >>> bob = KeyStore.create(place / "b.db", kme="kme-b", peer="kme-a")
        >>> bits, block = SecretBits.of_bytes(bytes(range(80))), uuid.uuid4()
        >>> for store in (alice, bob):
        ...     _ = store.add(bits, origin={"protocol": "by hand"}, secrecy="own", block=block)
        >>> (key,) = alice.deliver(256, master="alice", slave="bob", purpose="a file")
        >>> (same,) = bob.collect([key.id], master="alice", slave="bob")
        >>> key.key == same.key, key.key.bits, alice.stored(256), bob.stored(256)
        (True, 256, 0, 1)
        >>> alice.close(), bob.close()
        (None, None)
    """

    def __init__(
        self, file: StoreFile, seal: Seal, about: Mapping[str, Any], *, demonstration: bool
    ) -> None:
        self.path = file.path
        self.kme, self.peer = str(about["kme"]), str(about["peer"])
        self.share = float(about["share"])
        self.demonstration = demonstration
        self._file, self._seal = file, seal

    def __repr__(self) -> str:
        return f"KeyStore({str(self.path)!r}, kme={self.kme!r}, peer={self.peer!r})"

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        kme: str,
        peer: str,
        share: float = 0.5,
        key_file: str | Path | None = None,
        passphrase: str | None = None,
        demonstration: bool = False,
    ) -> KeyStore:
        """Make an empty store.

        Args:
            path: its file, which must not exist.
            kme, peer: names of this end of the link and of the other, the other way round there.
            share: part of each block that the end whose name sorts first hands out, from 0 to 1; the
                same at both ends.
            key_file: owner-only file with the key-encryption key, made if it is not there; the
                store's name with ``.key`` added if left out. It opens the store: keep it elsewhere
                if the disk may be read by others.
            passphrase: used instead of a key file.
            demonstration: hand out keys that are not secret too.

        Raises:
            ArgumentError: a file that is there, names that are alike or empty, a share outside 0 to 1.
            MissingExtraError: the package ``cryptography`` is not installed.
        """
        needs_cryptography()
        for name, value in (("kme", kme), ("peer", peer)):
            if not isinstance(value, str) or not value or len(value) > 255:
                raise ArgumentError(
                    f"{name} must be a name of 1 to 255 characters, but was {value!r}"
                )
        if kme == peer:
            raise ArgumentError(
                f"kme and peer must be different names, but both were {kme!r}: they decide which "
                "end hands out which part of a block"
            )
        if not 0 <= share <= 1:
            raise ArgumentError(f"share must be from 0 to 1, but was {share!r}")
        place = Path(path)
        if place.exists():
            raise ArgumentError(f"path must be a new file, but {place} is there already")
        about = {
            "id": uuid4().hex,
            "kme": kme,
            "peer": peer,
            "share": float(share),
            "created": _now(),
        }
        seal, facts, wrapped = Seal.make(Lock.of(place, key_file, passphrase), about)
        file = StoreFile.make(place, json.dumps(about), json.dumps(facts), wrapped)
        return cls(file, seal, about, demonstration=demonstration)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        key_file: str | Path | None = None,
        passphrase: str | None = None,
        demonstration: bool = False,
    ) -> KeyStore:
        """Open a store.

        Args:
            path: its file.
            key_file, passphrase: as given to `create`.
            demonstration: hand out keys that are not secret too.

        Raises:
            ArgumentError: there is no store, or no key for it.
            KeyStoreError: the file is damaged, or the key is another store's.
            MissingExtraError: the package ``cryptography`` is not installed.
        """
        needs_cryptography()
        place = Path(path)
        file = StoreFile(place)
        with file.read() as db:
            row = db.execute("SELECT about, lock, wrapped FROM store").fetchone()
        try:
            about, facts, wrapped = json.loads(row[0]), json.loads(row[1]), bytes(row[2])
            _ = (about["kme"], about["peer"], float(about["share"]), facts["kind"])
            seal = Seal.opened(Lock.of(place, key_file, passphrase), about, facts, wrapped, place)
        except (ValueError, TypeError, KeyError) as error:
            file.close()
            if isinstance(error, EbitError):
                raise
            raise damaged(place, "its first row") from None
        except BaseException:
            file.close()
            raise
        return cls(file, seal, about, demonstration=demonstration)

    def add(
        self,
        bits: SecretBits,
        *,
        origin: Mapping[str, Any],
        secrecy: str,
        block: UUID | None = None,
        demonstration: bool = False,
        before: Callable[[UUID], object] | None = None,
    ) -> UUID:
        """Put a block of bits in, the same at both ends of the link.

        Args:
            bits: the bits. 128 of them serve the keys' ids, and the last few that fill no byte are
                left out.
            origin: where they came from, as plain data without the bits: protocol, job, epsilon, net
                bits.
            secrecy: "own" for bits that nobody else has, "demonstration" for those of a seeded
                simulator or a cloud provider.
            block: the block's id, the same at both ends; a random one if left out.
            demonstration: take bits that are for demonstration only.
            before: called with the block's id when the bits are welcome, before they are on disk; if
                it raises, they are not put in.

        Returns:
            The block's id.

        Raises:
            ArgumentError: too few bits or too many, an id that was used, bits that were put in before
                (also under another id, or more or fewer of them), or bits that are for demonstration
                only.
        """
        if secrecy not in ("own", DEMONSTRATION):
            raise ArgumentError(f"secrecy must be 'own' or 'demonstration', but was {secrecy!r}")
        if secrecy == DEMONSTRATION and not (demonstration or self.demonstration):
            raise ArgumentError(
                "these bits are for demonstration only, not secret (a simulator or a provider has "
                "them too): store them for show with demonstration=True (--demonstration)"
            )
        data = bits.part(0, bits.bits // 8 * 8).reveal_bytes()
        if len(data) <= ID_KEY_BYTES + 1:
            raise ArgumentError(
                f"bits must be at least {8 * (ID_KEY_BYTES + 2)}, of which {8 * ID_KEY_BYTES} serve "
                f"the keys' ids, but were {bits.bits}"
            )
        id = uuid4() if block is None else block
        border = int((len(data) - ID_KEY_BYTES) * self.share)
        about = {"origin": plain_origin(origin), "secrecy": secrecy, "created": _now()}
        with self._file.write() as db:
            rows = self._rows(db)
            if rows.has(id):
                raise ArgumentError(
                    f"block must be new, but {id} is in {self.path} or was: never add bits twice"
                )
            same = rows.same(data)
            if same is not None:
                raise ArgumentError(
                    f"bits must be new, but block {same} of {self.path} began with the same: never "
                    "add bits twice, under whatever id"
                )
            if 8 * (rows.total() + len(data)) > MOST_BITS:
                raise ArgumentError(
                    f"a store holds {MOST_BITS} bits at most, and {self.path} has "
                    f"{8 * rows.total()} to hand out: use them, or make another"
                )
            rows.add(id, data, border, about)
            if before is not None:
                before(id)
        return id

    def deliver(
        self, bits: int, *, master: str, slave: str, number: int = 1, purpose: str = ""
    ) -> tuple[DeliveredKey, ...]:
        """Hand out new keys to a master SAE; they leave the store for good.

        Args:
            bits: of each key, a multiple of 8 up to 65,536.
            master: who gets them. slave: who may collect them at the other end.
            number: how many.
            purpose: for the audit.

        Raises:
            ArgumentError: a size or number that is impossible.
            NoKeysLeftError: there are not so many. Nothing was handed out.
            KeyStoreError: the file is damaged or cannot be written.
        """
        (found,) = self.together([Deliver(master, slave, bits, number, purpose)])
        return _or_raise(found)

    def collect(
        self, ids: Sequence[UUID], *, master: str, slave: str, purpose: str = ""
    ) -> tuple[DeliveredKey, ...]:
        """Hand out to a slave SAE the keys that a master had at the other end, for good.

        Args:
            ids: their ids.
            master, slave: the two SAEs.
            purpose: for the audit.

        Raises:
            UnknownKeyError: a key that the other end did not hand out for these two, or that was
                collected. Nothing was handed out.
            KeyStoreError: the file is damaged or cannot be written.
        """
        (found,) = self.together([Collect(master, slave, tuple(ids), purpose)])
        return _or_raise(found)

    def together(
        self, wishes: Sequence[Deliver | Collect]
    ) -> list[tuple[DeliveredKey, ...] | EbitError]:
        """Fulfil several wishes in one transaction: one write to the disk for all of them.

        Args:
            wishes: what is wanted, each fulfilled whole or not at all.

        Returns:
            The keys of each, or why there are none.

        Raises:
            KeyStoreError: the file is damaged or cannot be written; no key left.
        """
        found: list[tuple[DeliveredKey, ...] | EbitError] = []
        with self._file.write() as db:
            rows = self._rows(db)
            for wish in wishes:
                db.execute("SAVEPOINT wish")
                try:
                    if isinstance(wish, Deliver):
                        check_wish(wish)
                        found.append(rows.deliver(wish))
                    else:
                        found.append(rows.collect(wish))
                except EbitError as error:
                    db.execute("ROLLBACK TO wish")
                    found.append(error)
                db.execute("RELEASE wish")
        # Only now, with everything on disk, does a key leave this function.
        return found

    def stored(self, bits: int) -> int:
        """Return how many new keys of so many bits there are."""
        check_wish(Deliver("", "", bits))
        with self._file.read() as db:
            return self._rows(db).stored(bits // 8)

    def blocks(self) -> tuple[KeyBlock, ...]:
        """Return what was put in, oldest first."""
        with self._file.read() as db:
            return self._rows(db).blocks()

    def uses(self, last: int | None = None) -> tuple[KeyUse, ...]:
        """Return who had which key, oldest first, without the keys; the last so many if given."""
        with self._file.read() as db:
            return self._rows(db).uses(last)

    def check(self) -> int:
        """Open every sealed piece, and return how many there are.

        Raises:
            KeyStoreError: one was changed, moved or cut.
        """
        with self._file.read() as db:
            return self._rows(db).check()

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        self._file.close()

    def __enter__(self) -> KeyStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _rows(self, db: Any) -> Rows:
        return Rows(
            db,
            self._seal,
            self.path,
            first=self.kme < self.peer,
            demonstration=self.demonstration,
        )


def _or_raise(found: tuple[DeliveredKey, ...] | EbitError) -> tuple[DeliveredKey, ...]:
    if isinstance(found, EbitError):
        raise found
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
