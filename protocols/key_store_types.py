"""What goes into a key store and comes out of it, as plain data, and what can go wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ebit.games import ArgumentError
from ebit.protocols.key_store_ids import MOST_KEY_BYTES
from ebit.protocols.key_store_seal import KeyStoreError
from ebit.protocols.secret_bits import SecretBits

__all__ = [
    "DEMONSTRATION",
    "MOST_KEY_BITS",
    "Collect",
    "Deliver",
    "DeliveredKey",
    "KeyBlock",
    "KeyUse",
    "NoKeysLeftError",
    "NotNamedError",
    "UnknownKeyError",
    "check_wish",
    "plain_origin",
]

DEMONSTRATION = "demonstration"
MOST_KEY_BITS = 8 * MOST_KEY_BYTES
"""Bits of one key at most."""


class NoKeysLeftError(KeyStoreError):
    """There is no key of that size left to hand out."""

    exit_code = 3


class UnknownKeyError(KeyStoreError):
    """Keys that are not in the store, or were delivered.

    Attributes:
        ids: which.
    """

    def __init__(self, ids: tuple[UUID, ...]) -> None:
        words = f"{ids[0]}" if len(ids) == 1 else f"{ids[0]} and {len(ids) - 1} others"
        super().__init__(f"one or more keys specified are not found on KME: {words}")
        self.ids = ids


class NotNamedError(KeyStoreError):
    """Keys that were handed out for somebody else."""


@dataclass(frozen=True)
class KeyBlock:
    """One lot of bits that was put into a store.

    Attributes:
        id: the same at both ends of the link.
        bytes: how many may become keys.
        mine: bytes that this end may hand out first. left: those that it has not yet.
        secrecy: "own" or "demonstration".
        origin: what is known of where they came from.
        created: date and time (UTC).
    """

    id: UUID
    bytes: int
    mine: int
    left: int
    secrecy: str
    origin: dict[str, Any]
    created: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {**vars(self), "id": str(self.id)}


@dataclass(frozen=True)
class KeyUse:
    """One line of the audit: who had which key, when and for what, without the key.

    Attributes:
        time: date and time (UTC). role: "master" or "slave".
        who: the SAE that had it. peer: the other SAE.
        key_id: its id. bits: its size. purpose: what was said it was for.
        secrecy: "own" or "demonstration". block: the block it was cut off.
    """

    time: str
    role: str
    who: str
    peer: str
    key_id: str
    bits: int
    purpose: str
    secrecy: str
    block: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return dict(vars(self))


@dataclass(frozen=True)
class DeliveredKey:
    """A key that has left the store.

    Attributes:
        id: its id, by which the other end has it too.
        key: the key.
        secrecy: "own" or "demonstration".
    """

    id: UUID
    key: SecretBits
    secrecy: str


@dataclass(frozen=True)
class Deliver:
    """A wish for new keys: ``number`` of ``bits`` each.

    Attributes:
        master, slave: the SAE that gets them, and the one at the other end that may collect them.
        bits, number: size of each, and how many.
        purpose: for the audit.
        more: further slaves at the other end, each of which may collect them too.
    """

    master: str
    slave: str
    bits: int
    number: int = 1
    purpose: str = ""
    more: tuple[str, ...] = ()


@dataclass(frozen=True)
class Collect:
    """A wish of a slave SAE for the keys that a master had.

    Attributes:
        master, slave: who had them, and who wants them.
        ids: the keys' ids.
        purpose: for the audit.
        masters, slaves: all SAEs of the other end and of this one. They serve to say whether an
            unwelcome wish is for nobody's key or for somebody else's, and to find shared keys.
        more: how many further slaves a key may have.
    """

    master: str
    slave: str
    ids: tuple[UUID, ...]
    purpose: str = ""
    masters: tuple[str, ...] = ()
    slaves: tuple[str, ...] = ()
    more: int = 0


def check_wish(wish: Deliver) -> None:
    """Refuse a size or a number that is impossible.

    Raises:
        ArgumentError: it is.
    """
    for name, value, most in (("bits", wish.bits, MOST_KEY_BITS), ("number", wish.number, 1 << 20)):
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            raise ArgumentError(f"{name} must be from 1 to {most}, but was {value!r}")
    if wish.bits % 8:
        raise ArgumentError(f"bits must be a multiple of 8, but was {wish.bits}")


def plain_origin(origin: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy that JSON can hold.

    Raises:
        ArgumentError: JSON cannot hold it.
    """
    try:
        plain = json.loads(json.dumps(dict(origin), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ArgumentError(f"origin must be plain data, but {error}") from None
    return dict(plain)
