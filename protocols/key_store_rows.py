"""The rows of a key store: blocks in sealed pieces, keys cut off them and wiped, and the audit."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from ebit.protocols.key_store_file import damaged
from ebit.protocols.key_store_ids import (
    ID_KEY_BYTES,
    Claim,
    Place,
    group_of_id,
    id_mac,
    is_of_others,
    key_id,
    parse_id,
    tag_of,
)
from ebit.protocols.key_store_row import PIECE, Row, parts_of, span
from ebit.protocols.key_store_seal import Seal
from ebit.protocols.key_store_types import (
    DEMONSTRATION,
    Collect,
    Deliver,
    DeliveredKey,
    KeyBlock,
    KeyUse,
    NoKeysLeftError,
    NotNamedError,
    UnknownKeyError,
)
from ebit.protocols.secret_bits import SecretBits

__all__ = ["Rows"]


class Rows:
    """One transaction of a store.

    Args:
        db: the connection, in a transaction.
        seal: opens the pieces.
        path: the store's file, for messages.
        first: whether this end hands out the first part of each block.
        demonstration: whether keys that are not secret may be used.
    """

    def __init__(
        self, db: sqlite3.Connection, seal: Seal, path: Path, *, first: bool, demonstration: bool
    ) -> None:
        self._db, self._seal, self._path = db, seal, path
        self._first, self._demonstration = first, demonstration

    def has(self, block: UUID) -> bool:
        """Whether a block is or was in the store."""
        found = self._db.execute("SELECT 1 FROM blocks WHERE id = ?", (block.bytes,))
        return found.fetchone() is not None

    def same(self, data: bytes) -> UUID | None:
        """The block whose bits began like these, however many of them are left."""
        digest = self._seal.digest(data[:ID_KEY_BYTES])
        found = self._db.execute("SELECT id FROM blocks WHERE digest = ?", (digest,)).fetchone()
        return None if found is None else UUID(bytes=found[0])

    def total(self) -> int:
        """Bytes that were ever put in and not yet handed out first by this end."""
        found = self._db.execute("SELECT sum(stop - next) FROM blocks WHERE next < stop")
        return int(found.fetchone()[0] or 0)

    def add(self, block: UUID, data: bytes, border: int, about: dict[str, Any]) -> None:
        """Put a block in."""
        secret, data = data[:ID_KEY_BYTES], data[ID_KEY_BYTES:]
        facts = {**about, "bytes": len(data), "border": border}
        words = json.dumps(facts, sort_keys=True, allow_nan=False)
        start, stop = (0, border) if self._first else (border, len(data))
        row = Row(0, block, facts, words, b"", start)
        number = self._db.execute(
            "INSERT INTO blocks (id, digest, tag, secrecy, facts, id_key, next, stop) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                block.bytes,
                self._seal.digest(secret),
                tag_of(block),
                facts["secrecy"],
                words,
                self._seal.close(block, row.about(-1), secret),
                start,
                stop,
            ),
        ).lastrowid
        self._db.executemany(
            "INSERT INTO pieces VALUES (?, ?, ?)",
            (
                (number, k, self._close(row, k, (1 << len(part)) - 1, part))
                for k, part in enumerate(parts_of(data))
            ),
        )

    def blocks(self) -> tuple[KeyBlock, ...]:
        """What was put in, oldest first."""
        found = []
        for row in self._rows(""):
            start, stop = row.own(self._first)
            found.append(
                KeyBlock(
                    id=row.id,
                    bytes=row.facts["bytes"],
                    mine=stop - start,
                    left=stop - row.next,
                    secrecy=row.facts["secrecy"],
                    origin=row.facts["origin"],
                    created=row.facts["created"],
                )
            )
        return tuple(found)

    def stored(self, size: int) -> int:
        """How many keys of so many bytes can be cut."""
        found = self._db.execute(
            f"SELECT sum((stop - next) / ?) FROM blocks WHERE next < stop{self._usable}", (size,)
        )
        return int(found.fetchone()[0] or 0)

    def unusable(self) -> int:
        """Bytes that are left but only for demonstration, when that was not asked for."""
        if self._demonstration:
            return 0
        found = self._db.execute(
            "SELECT sum(stop - next) FROM blocks WHERE next < stop AND secrecy = 'demonstration'"
        )
        return int(found.fetchone()[0] or 0)

    def deliver(self, wish: Deliver) -> tuple[DeliveredKey, ...]:
        """Cut keys, wipe them and write down who has them."""
        size, found = wish.bits // 8, list[DeliveredKey]()
        # Each of these has room for a key at least.
        where = f"WHERE next < stop AND stop - next >= ?{self._usable}"
        for row in self._rows(where, size, most=wish.number):
            if row.facts["secrecy"] == DEMONSTRATION and not self._demonstration:
                raise damaged(self._path, f"block {row.id} was changed")
            start, stop = row.next, row.own(self._first)[1]
            while len(found) < wish.number and start + size <= stop:
                found.append(self._cut(row, start, size, wish))
                start += size
            if start != row.next:
                self._db.execute("UPDATE blocks SET next = ? WHERE number = ?", (start, row.number))
            if len(found) == wish.number:
                return tuple(found)
        raise NoKeysLeftError(self._too_few(wish, len(found)))

    def collect(self, wish: Collect) -> tuple[DeliveredKey, ...]:
        """Give the slave the keys that its master had; all of them or none.

        Ids of what is not here are found first. The first id that is wrong beyond that ends it, so
        that a request full of made-up ids makes no more work than one of them.
        """
        places = {id: self._place(id) for id in wish.ids}
        gone = tuple(id for id, place in places.items() if place is None)
        if gone:
            raise UnknownKeyError(gone)
        known = [(id, *place) for id, place in places.items() if place is not None]
        groups = [self._others(*one, wish) for one in known]
        found, missing = list[DeliveredKey](), list[UUID]()
        for (id, row, said), others in zip(known, groups, strict=True):
            data = self._wipe(row, said.start, said.size)
            if others:
                data = self._share(row, id, wish.slave, others, data)
            if data is None:
                missing.append(id)
                continue
            self._note("slave", wish.slave, wish.master, id, wish.purpose, row, said.size)
            found.append(DeliveredKey(id, SecretBits.of_bytes(data), row.facts["secrecy"]))
        if missing:
            raise UnknownKeyError(tuple(missing))
        return tuple(found)

    def uses(self, last: int | None = None) -> tuple[KeyUse, ...]:
        """The audit, oldest first; the last so many lines of it."""
        rows = self._db.execute(
            "SELECT time, role, who, peer, key_id, bits, purpose, secrecy, block FROM uses "
            "ORDER BY number DESC LIMIT ?",
            (-1 if last is None else last,),
        )
        return tuple(KeyUse(*row) for row in rows)[::-1]

    def check(self) -> int:
        """Open every piece; how many there are.

        Raises:
            KeyStoreError: one was changed, moved or cut.
        """
        count = 0
        for row in self._rows(""):
            self._secret(row)
            start, stop = row.own(self._first)
            if not start <= row.next <= stop:
                raise damaged(self._path, f"block {row.id} has a wrong position")
            for piece, sealed in self._db.execute(
                "SELECT piece, sealed FROM pieces WHERE block = ? ORDER BY piece", (row.number,)
            ):
                there, _ = self._opened(row, piece, sealed)
                low = piece * PIECE
                if there & span(max(0, start - low), max(0, row.next - low)):
                    raise damaged(self._path, f"block {row.id} has a wrong position")
                count += 1
        return count

    def _rows(self, where: str, *values: Any, most: int = -1) -> Iterator[Row]:
        found = self._db.execute(
            f"SELECT number, id, facts, id_key, next FROM blocks {where} ORDER BY number LIMIT ?",
            (*values, most),
        ).fetchall()
        for number, id, words, id_key, position in found:
            row = Row.read(number, id, words, id_key, position)
            if row is None:
                raise damaged(self._path, f"row {number} of its blocks")
            yield row

    @property
    def _usable(self) -> str:
        """The blocks that may be used, in SQL."""
        return "" if self._demonstration else " AND secrecy <> 'demonstration'"

    def _cut(self, row: Row, start: int, size: int, wish: Deliver) -> DeliveredKey:
        data = self._wipe(row, start, size)
        if data is None:
            raise damaged(self._path, f"block {row.id} lacks bytes that nobody had")
        border = row.facts["border"]
        slaves = tuple(sorted((wish.slave, *wish.more)))
        mac = id_mac(self._secret(row), row.id, border, (start, size), wish.master, slaves)
        id = key_id(Place(tag_of(row.id), start, size, mac))
        self._note("master", wish.master, ", ".join(slaves), id, wish.purpose, row, size)
        return DeliveredKey(id, SecretBits.of_bytes(data), row.facts["secrecy"])

    def _place(self, id: UUID) -> tuple[Row, Place] | None:
        """Where a key lies that the peer may have handed out, if anything of it is here still."""
        said = parse_id(id)
        if said is None:
            return None
        for row in self._rows("WHERE tag = ?", said.tag):
            if row.facts["secrecy"] == DEMONSTRATION and not self._demonstration:
                continue
            own, end = row.own(self._first), said.start + said.size
            if end > row.facts["bytes"] or (said.start < own[1] and end > own[0]):
                continue  # the peer hands out the other part only
            copy = self._db.execute("SELECT 1 FROM copies WHERE key_id = ?", (id.bytes,))
            if copy.fetchone() is not None or self._wipe(row, said.start, said.size, look=True):
                return row, said
        return None

    def _others(self, id: UUID, row: Row, said: Place, wish: Collect) -> tuple[str, ...]:
        """Who else may have a key that the peer handed out for these."""
        claim = Claim(said, self._secret(row), row.id, row.facts["border"])
        others = [name for name in wish.slaves if name != wish.slave]
        group = group_of_id(claim, wish.master, wish.slave, others, wish.more)
        if group is not None:
            return group
        masters = tuple(dict.fromkeys((wish.master, *wish.masters)))
        if is_of_others(claim, masters, others, wish.more):
            raise NotNamedError(f"{wish.slave} was not named for key {id}")
        raise UnknownKeyError((id,))

    def _secret(self, row: Row) -> bytes:
        secret = self._seal.open(row.id, row.about(-1), row.id_key)
        if secret is None:
            raise damaged(self._path, f"block {row.id} was changed")
        return secret

    def _wipe(self, row: Row, start: int, size: int, *, look: bool = False) -> bytes | None:
        """Take bytes out of the store, or None if any of them is gone; or only look at them."""
        taken = b""
        while size:
            piece, offset = divmod(start, PIECE)
            count = min(size, PIECE - offset)
            found = self._db.execute(
                "SELECT sealed FROM pieces WHERE block = ? AND piece = ?", (row.number, piece)
            ).fetchone()
            if found is None:
                return None
            there, data = self._opened(row, piece, found[0])
            wanted = span(offset, offset + count)
            if there & wanted != wanted:
                return None
            taken += data[offset : offset + count]
            there &= ~wanted
            if look:
                pass
            elif there:
                data = data[:offset] + bytes(count) + data[offset + count :]
                self._db.execute(
                    "UPDATE pieces SET sealed = ? WHERE block = ? AND piece = ?",
                    (self._close(row, piece, there, data), row.number, piece),
                )
            else:
                self._db.execute(
                    "DELETE FROM pieces WHERE block = ? AND piece = ?", (row.number, piece)
                )
            start, size = start + count, size - count
        return taken

    def _share(
        self, row: Row, id: UUID, slave: str, others: tuple[str, ...], data: bytes | None
    ) -> bytes | None:
        """Keep a key for its other slaves, when the first comes; take this one's copy later."""
        if data is not None:
            self._db.executemany(
                "INSERT INTO copies VALUES (?, ?, ?)",
                (
                    (id.bytes, name, self._seal.close(row.id, id.bytes + name.encode(), data))
                    for name in others
                ),
            )
            return data
        where = "WHERE key_id = ? AND sae = ?", (id.bytes, slave)
        found = self._db.execute(f"SELECT sealed FROM copies {where[0]}", where[1]).fetchone()
        if found is None:
            return None
        self._db.execute(f"DELETE FROM copies {where[0]}", where[1])
        data = self._seal.open(row.id, id.bytes + slave.encode(), found[0])
        if data is None:
            raise damaged(self._path, f"a copy of key {id} was changed")
        return data

    def _close(self, row: Row, piece: int, there: int, data: bytes) -> bytes:
        """A sealed piece: a bit for each byte that is still there, and the bytes."""
        plain = there.to_bytes((len(data) + 7) // 8, "little") + data
        return self._seal.close(row.id, row.about(piece), plain)

    def _opened(self, row: Row, piece: int, sealed: bytes) -> tuple[int, bytes]:
        plain = self._seal.open(row.id, row.about(piece), sealed)
        if plain is None:
            raise damaged(self._path, f"piece {piece} of block {row.id} was changed")
        mask = len(plain) - 8 * len(plain) // 9
        return int.from_bytes(plain[:mask], "little"), plain[mask:]

    def _note(
        self, role: str, who: str, peer: str, id: UUID, purpose: str, row: Row, size: int
    ) -> None:
        self._db.execute(
            "INSERT INTO uses (time, role, who, peer, key_id, bits, purpose, secrecy, block) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                datetime.now(UTC).isoformat(timespec="milliseconds"),
                role,
                who,
                peer,
                str(id),
                8 * size,
                purpose,
                row.facts["secrecy"],
                str(row.id),
            ),
        )

    def _too_few(self, wish: Deliver, there: int) -> str:
        size = wish.bits // 8
        words = (
            f"{wish.number} keys of {wish.bits} bits were asked for, but {self._path.name} has "
            f"{there}"
        )
        idle = self.unusable()
        if idle >= size:
            return (
                f"{words}: its other {8 * idle} bits are for demonstration only, not secret; use "
                "them for show with demonstration=True (--demonstration)"
            )
        return f"{words}: put new key bits in"
