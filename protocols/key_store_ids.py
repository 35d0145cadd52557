"""Key ids that say where a key lies, and that only the two ends of a link can make.

Two key management entities (KMEs) hold the same block of bits and never talk to each other. The one
that hands a key to a master SAE names it by a UUID of version 8 (RFC 9562, free form), whose 122 free
bits are

    24 bits   of the block's id
    32 bits   where in the block the key begins, in bytes
    13 bits   its bytes, less one
    53 bits   HMAC-SHA256 of all that and of the names of master and slaves, under 128 bits that were
              taken off the block when it was stored and are never part of a key

The other KME reads the place, and knows from the last 53 bits that its peer has handed this key out,
for this master and this slave: an SAE cannot make an id for a key that nobody gave it, except by
trying 2^52 of them on average, one request each. (For a key that several slaves share, the KME tries
the groups that the asking slave may belong to.)
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from uuid import UUID

__all__ = [
    "ID_KEY_BYTES",
    "MOST_KEY_BYTES",
    "Claim",
    "Place",
    "group_of_id",
    "groups_of",
    "id_mac",
    "is_of_others",
    "key_id",
    "parse_id",
    "tag_of",
]

ID_KEY_BYTES = 16
"""Bytes that each block gives up for the ids."""
MOST_KEY_BYTES = 1 << 13
_MOST_TRIES = 1024  # to find out whose key it is that somebody may not have
_TAG, _START, _SIZE, _MAC = 24, 32, 13, 53


@dataclass(frozen=True)
class Place:
    """What a key id says.

    Attributes:
        tag: the first bits of the block's id.
        start: byte of the block at which the key begins.
        size: its bytes.
        mac: what vouches for it.
    """

    tag: int
    start: int
    size: int
    mac: int


def tag_of(block: UUID) -> int:
    """Return the bits of a block's id that stand in the ids of its keys."""
    return block.int >> (128 - _TAG)


def groups_of(names: Sequence[str], least: int, most: int) -> Iterator[tuple[str, ...]]:
    """Return the groups of some names, of so many each, small ones first.

    Example:
        >>> list(groups_of("ab", 0, 2))
        [(), ('a',), ('b',), ('a', 'b')]
    """
    for count in range(least, most + 1):
        yield from combinations(names, count)


def id_mac(
    secret: bytes,
    block: UUID,
    border: int,
    place: tuple[int, int],
    master: str,
    slaves: tuple[str, ...],
) -> int:
    """Return the 53 bits that vouch for an id.

    Args:
        secret: the block's own 16 bytes for it.
        block: the block's id.
        border: byte at which the second KME's part of the block begins.
        place: (start, bytes) of the key.
        master, slaves: names of the SAEs, the slaves in alphabetical order.
    """
    start, size = place
    said = b"ebit key id 1" + block.bytes
    for number in (border, start, size, len(slaves)):
        said += number.to_bytes(8, "big")
    for name in (master, *slaves):
        text = name.encode()
        said += len(text).to_bytes(4, "big") + text
    return int.from_bytes(hmac.digest(secret, said, "sha256")[:8], "big") >> (64 - _MAC)


def key_id(place: Place) -> UUID:
    """Return the id of a key.

    Example:
        >>> place = Place(tag=0xABCDEF, start=4096, size=32, mac=2**53 - 1)
        >>> key_id(place)
        UUID('abcdef00-0010-8000-83ff-ffffffffffff')
        >>> parse_id(key_id(place)) == place
        True
    """
    bits = ((place.tag << _START | place.start) << _SIZE | (place.size - 1)) << _MAC | place.mac
    high, middle, low = bits >> 74, bits >> 62 & 0xFFF, bits & ((1 << 62) - 1)
    return UUID(int=(high << 16 | 8 << 12 | middle) << 64 | 2 << 62 | low)


def parse_id(found: UUID) -> Place | None:
    """Return what a key id says, None if it is some other UUID."""
    high, low = found.int >> 64, found.int & ((1 << 64) - 1)
    if high >> 12 & 15 != 8 or low >> 62 != 2:
        return None
    bits = (high >> 16) << 74 | (high & 0xFFF) << 62 | low & ((1 << 62) - 1)
    return Place(
        tag=bits >> (_START + _SIZE + _MAC),
        start=bits >> (_SIZE + _MAC) & ((1 << _START) - 1),
        size=(bits >> _MAC & ((1 << _SIZE) - 1)) + 1,
        mac=bits & ((1 << _MAC) - 1),
    )


@dataclass(frozen=True, repr=False)
class Claim:
    """An id of a key of one block, to be held against names.

    Attributes:
        said: what the id says.
        secret: the block's own 16 bytes for ids.
        block: the block's id.
        border: byte at which the second KME's part of the block begins.
    """

    said: Place
    secret: bytes
    block: UUID
    border: int

    def names(self, master: str, slaves: Sequence[str]) -> bool:
        """Whether the id vouches for these."""
        place = (self.said.start, self.said.size)
        mac = id_mac(self.secret, self.block, self.border, place, master, tuple(sorted(slaves)))
        return hmac.compare_digest(mac.to_bytes(8, "big"), self.said.mac.to_bytes(8, "big"))


def group_of_id(
    claim: Claim, master: str, slave: str, others: Sequence[str], more: int
) -> tuple[str, ...] | None:
    """Return the further slaves of a key that a slave may have, None if it may not.

    Args:
        claim: the id.
        master, slave: who had it, and who asks.
        others: those that may be further slaves.
        more: how many there may be.
    """
    for group in groups_of(others, 0, more):
        if claim.names(master, (slave, *group)):
            return group
    return None


def is_of_others(claim: Claim, masters: Sequence[str], others: Sequence[str], more: int) -> bool:
    """Whether an id is of a key of others, as far as 1,024 tries tell.

    Whoever asks learns "not yours" instead of "not found" by it, and nothing else hangs on it: the
    work that a made-up id makes has a limit.

    Args:
        claim: the id.
        masters: who may have had it, the likely one first.
        others, more: as in `group_of_id`.
    """
    tries = ((master, group) for master in masters for group in groups_of(others, 1, more + 1))
    return any(claim.names(*one) for one in islice(tries, _MOST_TRIES))
