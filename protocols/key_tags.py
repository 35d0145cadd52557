"""Tags of messages and transactions from keys: who sent it, unchanged, and not again.

Two methods: ``one-time`` is information-theoretic (a polynomial hash with a one-time pad for every tag,
128 bits of key each), ``hmac`` is computational (HMAC-SHA-256, 256 bits of key for all tags). A sender
and a checker hold the same key, one for each direction; numbers run up and none is taken twice.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ebit.games import ArgumentError, EbitError
from ebit.protocols.combiner import framed
from ebit.protocols.key_uses_ledger import ledger
from ebit.protocols.secret_bits import SecretBits

__all__ = [
    "Checked",
    "Method",
    "ReplayError",
    "SpentKeyError",
    "Tag",
    "TagChecker",
    "TagError",
    "TagSender",
    "canonical",
    "key_bits_for",
]

Method = Literal["one-time", "hmac"]
_SIZES = {"one-time": 16, "hmac": 32}
_LABEL = {"one-time": b"ebit tag v1 one-time", "hmac": b"ebit tag v1 hmac"}
_PART = 128
_MOST = (1 << 64) - 1
_TABLE = "create table if not exists counter (number text)"


class TagError(EbitError):
    """A message is not what its sender wrote, or is not from them."""

    exit_code = 3


class ReplayError(TagError):
    """A message that came before, or one that others have overtaken."""


class SpentKeyError(TagError):
    """A key that has no bits left for another tag."""


@dataclass(frozen=True)
class Tag:
    """The tag of one message.

    Attributes:
        number: counts the sender's messages from 0.
        value: 16 bytes (one-time) or 32 (hmac).

    Example:
        >>> Tag.of_bytes(Tag(3, bytes(16)).to_bytes()) == Tag(3, bytes(16))
        True
    """

    number: int
    value: bytes

    def to_bytes(self) -> bytes:
        """Return number (8 bytes) || value."""
        return self.number.to_bytes(8, "big") + self.value

    @classmethod
    def of_bytes(cls, data: bytes) -> Tag:
        """Read what `to_bytes` wrote.

        Raises:
            TagError: another length.
        """
        if len(data) - 8 not in _SIZES.values():
            raise TagError(f"a tag must have 24 or 40 bytes, but had {len(data)}: it was cut")
        return cls(int.from_bytes(data[:8], "big"), data[8:])


@dataclass(frozen=True)
class Checked:
    """A message whose tag is right.

    Attributes:
        number: its number. missed: how many of the sender's messages before it never came.
        forgery: chance that this tag was guessed (one-time), None where it rests on HMAC-SHA-256.
    """

    number: int
    missed: int
    forgery: float | None


def key_bits_for(method: Method, tags: int) -> int:
    """Return how many key bits so many tags take: 128 (tags + 1) one-time, 256 with hmac.

    Example:
        >>> key_bits_for("one-time", 10), key_bits_for("hmac", 10)
        (1408, 256)
    """
    _check_method(method)
    if tags < 1:
        raise ArgumentError(f"tags must be at least 1, but was {tags}")
    return _PART * (tags + 1) if method == "one-time" else 256


def canonical(transaction: Mapping[str, Any]) -> bytes:
    """Return a transaction's fields as bytes that do not depend on their order.

    Args:
        transaction: plain data; amounts as whole numbers or text, as floats differ between programs.

    Raises:
        ArgumentError: floats, or what is no plain data.

    Example:
        >>> canonical({"to": "Bob", "cents": 1250})
        b'{"cents":1250,"to":"Bob"}'
    """
    _refuse_floats(transaction, "transaction")
    try:
        text = json.dumps(
            transaction, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return text.encode()
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"a transaction must be plain data, but {error}") from None


class _Keyed:
    """A key for tags, and the number that is next."""

    def __init__(
        self, key: SecretBits, *, method: Method = "one-time", counter: str | Path | None = None
    ) -> None:
        _check_method(method)
        self.method: Method = method
        self._key = key
        self._counter = None if counter is None else Path(counter)
        if method == "hmac" and key.bits < 256:
            raise ArgumentError(f"a key for hmac must have at least 256 bits, but had {key.bits}")
        if method == "one-time" and key.bits < 2 * _PART:
            raise ArgumentError(
                f"a key for one-time tags must have at least 256 bits (128 and 128 for each tag), but "
                f"had {key.bits}"
            )
        self._hash: Any = None
        if method == "one-time":
            from ebit.analysis.polynomial_hash import PolynomialHash

            self._hash = PolynomialHash(key.part(0, _PART).reveal_bytes())
        self._next = 0
        self._lock = threading.Lock()
        with self._numbers():
            pass

    @property
    def left(self) -> int | None:
        """Tags that the key is still good for; None without a limit."""
        with self._numbers() as number:
            return None if self.method == "hmac" else max(0, self._most() - number)

    def _most(self) -> int:
        return self._key.bits // _PART - 1 if self.method == "one-time" else _MOST

    def _value(self, number: int, message: bytes, context: bytes) -> bytes:
        told = framed(_LABEL[self.method], context) + number.to_bytes(8, "big") + message
        if self.method == "hmac":
            return hmac.digest(self._key.reveal_bytes(), told, "sha256")
        pad = self._key.part(_PART * (number + 1), _PART).reveal_bytes()
        return bytes(a ^ b for a, b in zip(self._hash(told), pad, strict=True))

    @contextlib.contextmanager
    def _numbers(self) -> Iterator[int]:
        """The next number, which nobody else gets meanwhile; `_next` is on disk when the block has ended."""
        if self._counter is None:
            with self._lock:
                yield self._next
            return
        try:
            self._counter.parent.mkdir(parents=True, exist_ok=True)
            with ledger(self._counter, _TABLE) as db:
                self._next = number = self._read(db)
                yield number
                if self._next != number:
                    db.execute("delete from counter")
                    db.execute("insert into counter values (?)", (str(self._next),))
        except (OSError, sqlite3.Error) as error:
            raise self._lost(str(error)) from None

    def _read(self, db: sqlite3.Connection) -> int:
        rows = db.execute("select number from counter").fetchall()
        if not rows:
            return 0
        if len(rows) > 1 or not str(rows[0][0]).isdecimal():
            raise self._lost("it holds something else")
        return int(rows[0][0])

    def _lost(self, why: str) -> TagError:
        return TagError(
            f"{self._counter} must hold the number of the next tag, but does not ({why}): a pad could be "
            "used twice, so take a new key"
        )


class TagSender(_Keyed):
    """Makes tags under a key, each number once.

    Args:
        key: `key_bits_for` bits, for one direction: what Bob sends has a key of its own.
        method: "one-time" or "hmac".
        counter: file that keeps the next number over restarts and between programs, on disk before a
            tag is given out.

    Raises:
        ArgumentError: a key that is too short, or an unknown method.
        TagError: a counter file that is no number.

    Example:
        >>> key = SecretBits.of_bytes(bytes(range(64)))
        >>> sender, checker = TagSender(key), TagChecker(key)
        >>> tag = sender.tag(b"100 to Bob")
        >>> checker.check(b"100 to Bob", tag).number
        0
        >>> checker.check(b"100 to Bob", tag)
        Traceback (most recent call last):
        ebit.protocols.key_tags.ReplayError: message 0 came before, or was overtaken: number 1 is next
        >>> sender.left
        2

    Source:
        Wegman and Carter, J. Comput. Syst. Sci. 22, 265 (1981); HMAC: RFC 2104.
    """

    def tag(self, message: bytes, *, context: bytes = b"") -> Tag:
        """Return the tag of a message, with the next number.

        Args:
            message: what is sent.
            context: what both know and the tag binds, such as the account or the direction.

        Raises:
            SpentKeyError: the key has no pad left.
        """
        with self._numbers() as number:
            if number >= self._most():
                raise SpentKeyError(
                    f"the key is spent after {number} tags: take {key_bits_for(self.method, 1)} bits or "
                    "more of a new one"
                )
            self._next = number + 1
        return Tag(number, self._value(number, message, context))


class TagChecker(_Keyed):
    """Checks tags under a key, and takes each number once, in rising order.

    Args:
        key, method, counter: as for `TagSender`, with a counter file of its own.
    """

    def check(self, message: bytes, tag: Tag, *, context: bytes = b"") -> Checked:
        """Return what is known of a message whose tag is right.

        Args:
            message: what came.
            tag: what came with it.
            context: as for `TagSender.tag`.

        Raises:
            ReplayError: its number came before, or a later one did.
            SpentKeyError: a number beyond the key.
            TagError: the message or the tag was changed, or the key is another. Its number is still
                good for the true message.
        """
        with self._numbers() as number:
            if tag.number < number:
                raise ReplayError(
                    f"message {tag.number} came before, or was overtaken: number {number} is next"
                )
            if tag.number >= self._most():
                raise SpentKeyError(
                    f"message {tag.number} has no part of this key, which is good for {self._most()} tags"
                )
            if not hmac.compare_digest(self._value(tag.number, message, context), tag.value):
                raise TagError(
                    f"the tag of message {tag.number} is wrong: it was changed, or is not from who holds "
                    "the key"
                )
            self._next = tag.number + 1
        return Checked(tag.number, tag.number - number, self._forgery(message, context))

    def _forgery(self, message: bytes, context: bytes) -> float | None:
        if self.method == "hmac":
            return None
        from ebit.analysis.polynomial_hash import forgery_bound

        return forgery_bound(len(framed(_LABEL[self.method], context)) + 8 + len(message))


def _check_method(method: str) -> None:
    if method not in _SIZES:
        raise ArgumentError(f"method must be one-time or hmac, but was {method!r}")


def _refuse_floats(value: Any, where: str) -> None:
    if isinstance(value, float):
        raise ArgumentError(f"{where} must have no floats (write them as text), but had {value!r}")
    if isinstance(value, Mapping):
        for name, item in value.items():
            if not isinstance(name, str):
                raise ArgumentError(f"{where} must have names that are text, but had {name!r}")
            _refuse_floats(item, f"{where}[{name!r}]")
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_floats(item, where)
