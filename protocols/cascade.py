"""Reconciliation by Cascade: Bob's bits are made equal to Alice's, by parities of blocks.

Alice holds the reference. In each round she tells parities of blocks of her bits, and Bob replies, for
each, whether his differs. Both keep the same book of what follows (`ebit.analysis.parity_book`), so no
message says which blocks it is about: all that travels are bits, packed.

What leaks. Alice's parities are told about her bits, and every one of them is counted; parities that
follow from what was told are not told. Bob's replies are on the channel as well, as many bits again. A
reply is the parity of a block of the error pattern, Alice's bits xor Bob's: everything that Bob says is
a function of the error pattern and of the announced seed, and the leak may be counted from Alice's
parities alone if the pattern itself is given to Eve before (Tupkary and Lutkenhaus, arXiv:2307.00576).
For qubit BB84 and its entangled forms that costs nothing: the error pattern of the key basis is the
outcome of Z x Z on each pair, which commutes with X x X, so the error rate in the other basis, on which
the key's length rests, is the same for pairs whose Z x Z is known to everybody. It does not hold for
device-independent keys, whose devices measure nobody knows what: they take a one-way syndrome
(`ebit.protocols.syndrome`).
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ebit.analysis.parity_book import MOST_LEVEL, ContradictionError, ParityBook, first_level
from ebit.games import ArgumentError
from ebit.protocols.conversation import ChannelError, Expect, Message, Party

__all__ = ["Reconciled", "cascade_alice", "cascade_bob"]

Bits = npt.NDArray[np.uint8]
Bytes = Callable[[int], bytes]

_HELLO = struct.Struct(">QQ16s")  # bits, parities that Bob lets be told, his half of the seed
_ORDER = struct.Struct(">QB16s")  # bits, level of a block, Alice's half of the seed
_STOP = b"\x80"  # in place of parities: the cap is reached
_NO_CAP = (1 << 64) - 1
MOST_PER_BIT, MOST_MORE = (
    3,
    4096,
)  # parities that an exchange may take: a peer that lies comes to an end


@dataclass(frozen=True, eq=False)
class Reconciled:
    """What a reconciliation came to, on one side.

    Attributes:
        bits: this side's bits after it, 0 or 1, uint8 (n,); not shown in print.
        leak_bits: parities of Alice's bits that were told.
        reply_bits: bits of Bob's replies: parities of the error pattern, see the module.
        message_rounds: how often Alice spoke and Bob replied.
        passes: passes over all bits; checks: random halves that had to be searched.
        errors_corrected: positions that were found to differ.
        capped: whether it stopped because the leak cap was reached; the bits then differ still.
    """

    bits: Bits = field(repr=False)
    leak_bits: int
    reply_bits: int
    message_rounds: int
    passes: int
    checks: int
    errors_corrected: int
    capped: bool

    @property
    def error_rate(self) -> float:
        """The share of positions that were found to differ."""
        return self.errors_corrected / len(self.bits)

    @property
    def f(self) -> float | None:
        """leak / (n h(Q)) with Q the share of errors that were found; None if there were none."""
        q = self.error_rate
        if not 0 < q < 1:
            return None
        return self.leak_bits / (-len(self.bits) * (q * math.log2(q) + (1 - q) * math.log2(1 - q)))

    def to_dict(self) -> dict[str, Any]:
        """Return all but the bits as plain data."""
        return {
            "bits": len(self.bits),
            "leak_bits": self.leak_bits,
            "reply_bits": self.reply_bits,
            "message_rounds": self.message_rounds,
            "passes": self.passes,
            "checks": self.checks,
            "errors_corrected": self.errors_corrected,
            "f": self.f,
            "capped": self.capped,
        }

    def __str__(self) -> str:
        f = "" if self.f is None else f", f = {self.f:.3f}"
        end = "stopped at the leak cap, the bits differ" if self.capped else "done"
        return (
            f"Cascade over {len(self.bits):,} bits: {end}; {self.errors_corrected:,} errors corrected, "
            f"{self.leak_bits:,} bits told in {self.message_rounds:,} message rounds{f}"
        )


def cascade_alice(
    bits: Bits, *, qber: float, leak_cap: int | None = None, random: Bytes = os.urandom
) -> Party[Reconciled]:
    """Tell parities of the reference bits until Bob's are equal to them.

    The parity of a block B is the XOR of its bits; the leak is the number of parities told.

    Args:
        bits: 0 or 1, uint8 (n,).
        qber: the error rate that is expected, in [0, 1/2); a wrong one costs leak, not correctness.
        leak_cap: parities that may be told at most; nothing beyond is told. None: no limit of one's own.
        random: gives so many random bytes, for this side's half of the seed of the blocks' order.

    Returns:
        The party, for `ebit.protocols.conversation.converse`; it returns a `Reconciled`.

    Raises:
        ArgumentError: at once: bits, qber or leak_cap out of range.
        ChannelError: in the conversation: Bob holds another number of bits, a reply of another length
            than asked for, replies that contradict each other.

    Example:
        >>> from ebit.protocols.conversation import converse
        >>> rng = np.random.default_rng(1)
        >>> key = rng.integers(0, 2, 4096, np.uint8)
        >>> noisy = key ^ (rng.random(4096) < 0.03)
        >>> a, b = converse(cascade_alice(key, qber=0.03), cascade_bob(noisy, qber=0.03))
        >>> bool((b.result().bits == key).all()), b.result().leak_bits == a.end.leaked
        (True, True)

    Source:
        G. Brassard and L. Salvail, EUROCRYPT 1993, LNCS 765, 410; see also
        `ebit.analysis.parity_book`.
    """
    return _alice(bits, first_level(qber), _check(bits, leak_cap), random)


def cascade_bob(
    bits: Bits, *, qber: float, leak_cap: int | None = None, random: Bytes = os.urandom
) -> Party[Reconciled]:
    """Correct bits by the parities that Alice tells.

    Args:
        bits: 0 or 1, uint8 (n,); not changed, the result has a corrected copy.
        qber: the error rate that is expected, in [0, 1/2). Alice's decides how large blocks are.
        leak_cap: parities that Alice may tell at most; she is stopped before. None: no limit.
        random: gives so many random bytes, for this side's half of the seed of the blocks' order.

    Returns:
        The party; it returns a `Reconciled`.

    Raises:
        ArgumentError: at once: bits, qber or leak_cap out of range.
        ChannelError: in the conversation, as for `cascade_alice`.
    """
    first_level(qber)
    return _bob(bits, _check(bits, leak_cap), random)


def _check(bits: Bits, leak_cap: int | None) -> int:
    """Refuse what is no key or no cap; return the cap as a number."""
    if not isinstance(bits, np.ndarray) or bits.dtype != np.uint8 or bits.ndim != 1:
        raise ArgumentError(
            "Argument `bits` must be a numpy array of 0 and 1, uint8, of one dimension, but was "
            f"{getattr(bits, 'dtype', type(bits).__name__)} of shape {np.shape(bits)}."
        )
    if not len(bits) or bits.max() > 1:
        raise ArgumentError(
            f"Argument `bits` must hold 0 and 1, at least one of them, but had {len(bits)} values"
            + (f" up to {bits.max()}: unpack packed bits first." if len(bits) else ".")
        )
    if leak_cap is not None and (leak_cap < 0 or leak_cap != int(leak_cap)):
        raise ArgumentError(
            f"Argument `leak_cap` must be a whole number of at least 0, or None, but was {leak_cap!r}."
        )
    return _NO_CAP if leak_cap is None else min(int(leak_cap), _NO_CAP)


class _Side:
    """One side's book, its rounds, and what has been told."""

    def __init__(self, bits: Bits, level: int, seed: bytes, cap: int, corrects: bool) -> None:
        self.book = ParityBook(bits, level, seed, corrects=corrects)
        self.cap, self.told, self.turns, self.asked = cap, 0, 0, 0
        self.done, self.capped = False, False
        self._most = MOST_PER_BIT * len(bits) + MOST_MORE
        self._rounds: Generator[int, Bits, None] = self.book.rounds()
        self._next(None)

    def _next(self, differ: Bits | None) -> None:
        try:
            self.asked = next(self._rounds) if differ is None else self._rounds.send(differ)
        except StopIteration:
            self.done = True
        except ContradictionError as error:
            raise ChannelError(f"reconciliation failed after {self.told} bits: {error}") from None

    def stops(self) -> bool:
        """Whether what is asked next must not be told any more."""
        if self.told + self.asked > self._most:
            raise ChannelError(
                f"reconciliation did not end within {self._most} parities: the peer's bits are no "
                "noisy copy of these, or its messages are false"
            )
        self.capped = self.told + self.asked > self.cap
        return self.capped

    def hear(self, differ: Bits) -> None:
        """Take in what differs, of what was asked."""
        self.told += self.asked
        self.turns += 1
        self._next(differ)

    def result(self) -> Reconciled:
        """Return what it came to."""
        return Reconciled(
            bits=self.book.bits,
            leak_bits=self.told,
            reply_bits=self.told,
            message_rounds=self.turns,
            passes=self.book.passes,
            checks=self.book.halved,
            errors_corrected=self.book.errors,
            capped=self.capped,
        )


def _alice(bits: Bits, level: int, cap: int, random: Bytes) -> Party[Reconciled]:
    hello = _sized((yield Expect("reconcile")), _HELLO.size, "reconcile")
    size, other_cap, half = _HELLO.unpack(hello)
    if size != len(bits):
        raise ChannelError(f"the peer wants to reconcile {size} bits, and here are {len(bits)}")
    mine = random(16)
    yield Message("order", _ORDER.pack(len(bits), level, mine))
    side = _Side(bits, level, _both(half, mine), min(cap, other_cap), corrects=False)
    while not side.done:
        if side.stops():
            yield Message("parities", _STOP)
            break
        asked, own = side.asked, side.book.own
        head = bytes([-asked & 7])
        yield Message("parities", head + own[: (asked + 7) >> 3].tobytes(), leaks=asked)
        side.hear(_read((yield Expect("differences")), asked, "differences"))
    return side.result()


def _bob(bits: Bits, cap: int, random: Bytes) -> Party[Reconciled]:
    mine = random(16)
    yield Message("reconcile", _HELLO.pack(len(bits), cap, mine))
    order = _sized((yield Expect("order")), _ORDER.size, "order")
    size, level, half = _ORDER.unpack(order)
    if size != len(bits):
        raise ChannelError(f"the peer reconciles {size} bits, and here are {len(bits)}")
    if not 1 <= level <= MOST_LEVEL:
        raise ChannelError(
            f"the peer's blocks must be of level 1 to {MOST_LEVEL}, but were of {level}"
        )
    side = _Side(bits, level, _both(mine, half), cap, corrects=True)
    while not side.done:
        body = yield Expect("parities")
        if body == _STOP:
            side.capped = True
            break
        told = _read(body, side.asked, "parities")
        if side.stops():
            raise ChannelError(f"the peer told more than the {cap} parities that it was allowed")
        np.bitwise_xor(told, side.book.own[: len(told)], out=told)
        differ = body[:1] + told.tobytes()
        side.hear(told)
        yield Message("differences", differ)
    return side.result()


def _both(half: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(half, other, strict=True))


def _sized(body: bytes, size: int, kind: str) -> bytes:
    if len(body) != size:
        raise ChannelError(f"the peer's {kind!r} must have {size} bytes, but had {len(body)}")
    return body


def _read(body: bytes, asked: int, kind: str) -> Bits:
    """Return the packed bits of a body: a byte that counts the unused bits of the last, then the bits."""
    unused, size = -asked & 7, 1 + ((asked + 7) >> 3)
    if len(body) != size:
        raise ChannelError(
            f"the peer's {kind!r} must have {size} bytes for {asked} bits, but had {len(body)}"
        )
    if body[0] != unused or body[-1] & ((1 << unused) - 1):
        raise ChannelError(
            f"the peer's {kind!r} must hold {asked} bits and {unused} zeros behind them, but did not"
        )
    return np.frombuffer(bytearray(body), np.uint8, offset=1)
