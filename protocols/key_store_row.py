"""One block of a key store, as its row says it, and the pieces that it lies in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

__all__ = ["PIECE", "Row", "parts_of", "span"]

PIECE = 1024  # bytes sealed together: what is wiped and sealed again at each delivery


@dataclass(frozen=True)
class Row:
    """What is said of a block.

    Attributes:
        number: of the row. id: the block's.
        facts: secrecy, origin, created, bytes, border. words: the same as they were written.
        id_key: what vouches for ids, sealed.
        next: byte at which the next new key begins.
    """

    number: int
    id: UUID
    facts: dict[str, Any]
    words: str
    id_key: bytes
    next: int

    @classmethod
    def read(cls, number: int, id: bytes, words: str, id_key: bytes, position: int) -> Row | None:
        """Return a row of the file, None if it is not what was written.

        The words are sealed with the block, but are read before anything is opened.
        """
        try:
            facts = dict(json.loads(words))
            _ = words.encode(), facts["secrecy"], facts["created"], dict(facts["origin"])
            if not 0 <= int(facts["border"]) <= int(facts["bytes"]):
                return None
            return cls(number, UUID(bytes=id), facts, words, id_key, int(position))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None

    def about(self, piece: int) -> bytes:
        """What a piece is bound to; -1 is the key for ids."""
        return b"%d " % piece + self.id.bytes + self.words.encode()

    def own(self, first: bool) -> tuple[int, int]:
        """Return the part of the block that an end hands out: the first of it, or the rest."""
        border = self.facts["border"]
        return (0, border) if first else (border, self.facts["bytes"])


def span(start: int, stop: int) -> int:
    """Return a number with the bits from start up to stop set.

    Example:
        >>> bin(span(1, 4))
        '0b1110'
    """
    return (1 << stop) - (1 << start) if stop > start else 0


def parts_of(data: bytes) -> Iterator[bytes]:
    """Return the pieces of a block."""
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE]
