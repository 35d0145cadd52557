"""One-way reconciliation: Alice tells a syndrome, Bob decodes, and nothing of Bob's reaches the channel.

This is what device-independent keys need: no message depends on Bob's bits, so the leak is the length
of Alice's syndrome and nothing else (Arnon-Friedman, Dupuis, Fawzi, Renner, Vidick, Nat. Commun. 9, 459
(2018), sec. "Protocol"; Nadlinger et al., Nature 607, 682 (2022)). That length is fixed by the plan,
before the run. A syndrome that Bob cannot decode is reported as a failure; bits that he returns have
Alice's syndrome in every block, which a wrong pattern of errors has with small probability: comparing a
universal hash remains to be done (`ebit.protocols.verification`).
"""

from __future__ import annotations

import struct
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ebit.analysis.ldpc import (
    Priors,
    SyndromePlan,
    cut,
    key_syndrome,
    padded,
    priors_of,
)
from ebit.analysis.ldpc_decode import Decoder
from ebit.protocols.conversation import ChannelError, Expect, Message, Party

__all__ = ["SyndromeDone", "syndrome_alice", "syndrome_bob"]

Bits = npt.NDArray[np.uint8]
_HEAD = struct.Struct(">QIIIII8s")
SWEEPS = 300
"""Sweeps over a block after which decoding is given up."""


@dataclass(frozen=True, eq=False)
class SyndromeDone:
    """What reconciliation by a syndrome came to, on one side.

    Attributes:
        bits: this side's bits after it, uint8 (n,), None if it failed; not shown in print.
        failed: whether Bob found no pattern of errors with the syndrome told. Always False for Alice,
            who is not told.
        reason: why it failed, empty if it did not.
        leak_bits: bits that Alice told.
        round_trips: how often Bob asked and Alice answered; 0 if she spoke once and he never.
        errors: how many bits Bob changed; None for Alice, or if it failed.
        sweeps: sweeps of the decoder, over all blocks; None for Alice.
    """

    bits: Bits | None = field(repr=False)
    failed: bool
    reason: str
    leak_bits: int
    round_trips: int
    errors: int | None
    sweeps: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return all but the bits as plain data."""
        return {
            "failed": self.failed,
            "reason": self.reason,
            "leak_bits": self.leak_bits,
            "round_trips": self.round_trips,
            "errors": self.errors,
            "sweeps": self.sweeps,
        }

    def __str__(self) -> str:
        if self.failed:
            end = self.reason
        elif self.errors is None:
            end = "told"
        else:
            end = f"done, {self.errors:,} errors corrected"
        trips = f"{self.round_trips} round trip{'s' * (self.round_trips != 1)}"
        return f"syndrome: {end}; {self.leak_bits:,} bits told, {trips}"


def syndrome_alice(bits: Bits, plan: SyndromePlan) -> Party[SyndromeDone]:
    """Tell the syndrome in one message, and be done.

    Args:
        bits: 0 or 1, uint8 (plan.n,).
        plan: what both have agreed on.

    Returns:
        The party, for `ebit.protocols.conversation.converse`; it returns a `SyndromeDone`.

    Raises:
        ArgumentError: at once: bits of another shape or kind than planned.

    Example:
        >>> from ebit.analysis.ldpc import plan_syndrome
        >>> from ebit.protocols.conversation import converse
        >>> rng = np.random.default_rng(1)
        >>> key = rng.integers(0, 2, 20_000, np.uint8)
        >>> noisy = key ^ (rng.random(20_000) < 0.02)
        >>> plan = plan_syndrome(20_000, 0.02)
        >>> a, b = converse(syndrome_alice(key, plan), syndrome_bob(noisy, plan, 0.02))
        >>> bool((b.result().bits == key).all()), a.end.leaked == plan.leak_bits, b.end.leaked
        (True, True, 0)

    Source:
        Elkouss, Leverrier, Alleaume, Boutros, ISIT 2009, 1879 (arXiv:0901.2140).
    """
    return _alice(bits, plan, key_syndrome(bits, plan))


def syndrome_bob(bits: Bits, plan: SyndromePlan, priors: Priors) -> Party[SyndromeDone]:
    """Receive Alice's syndrome and find her bits.

    Args:
        bits: his own, 0 or 1, uint8 (plan.n,).
        plan: what both have agreed on.
        priors: chance that a bit differs from Alice's: a number, or an array (n,), for example one rate
            for key rounds and another for test rounds. Need not be what was planned with.

    Returns:
        The party; its `SyndromeDone` has Alice's bits, or `failed` and why.

    Raises:
        ArgumentError: at once: shapes, or values out of range.
        ChannelError: in the conversation: a message of another plan or length.
    """
    return _bob(bits, plan, priors_of(plan, priors), key_syndrome(bits, plan))


def _alice(
    bits: Bits, plan: SyndromePlan, told: Bits
) -> Generator[Message | Expect, bytes, SyndromeDone]:
    yield Message("syndrome", syndrome_body(plan, told), leaks=plan.leak_bits)
    return SyndromeDone(bits.copy(), False, "", plan.leak_bits, 0, None, None)


def _bob(
    bits: Bits, plan: SyndromePlan, priors: npt.NDArray[np.float32], own: Bits
) -> Generator[Message | Expect, bytes, SyndromeDone]:
    body = yield Expect("syndrome")
    difference = syndrome_from(plan, body) ^ own
    code, found = plan.code, bits.copy()
    decoder = Decoder(code)
    sweeps, lost = 0, 0
    for k, where in enumerate(cut(plan)):
        part = difference[k * code.checks : (k + 1) * code.checks]
        got = decoder.decode(part, padded(code, priors[where]), most=SWEEPS)
        sweeps += got.iterations
        lost += not got.found
        found[where] ^= got.errors[: len(where)]
    if lost:
        return SyndromeDone(None, True, failure(lost, plan), plan.leak_bits, 0, None, sweeps)
    errors = int(np.count_nonzero(found != bits))
    return SyndromeDone(found, False, "", plan.leak_bits, 0, errors, sweeps)


def failure(lost: int, plan: SyndromePlan) -> str:
    """Return the sentence that says how many blocks could not be decoded."""
    return (
        f"{lost} of {plan.blocks} block{'s' * (plan.blocks > 1)} could not be decoded from "
        f"{plan.leak_bits:,} bits of syndrome: there are more errors than planned for"
    )


def syndrome_body(plan: SyndromePlan, told: Bits) -> bytes:
    """Return the message: the code's sizes and digest, and the packed syndrome."""
    return _head(plan) + np.packbits(told).tobytes()


def _head(plan: SyndromePlan) -> bytes:
    sizes = (plan.n, plan.blocks, plan.columns, plan.rows, plan.lift, plan.seed)
    return _HEAD.pack(*sizes, plan.code.digest)


def syndrome_from(plan: SyndromePlan, body: bytes) -> Bits:
    """Return the syndrome, uint8 (plan.leak_bits,), of a message.

    Raises:
        ChannelError: it belongs to another plan, or has another length than the plan says.
    """
    due = _HEAD.size + (plan.leak_bits + 7) // 8
    if len(body) != due:
        raise ChannelError(f"a syndrome must have {due} bytes by the plan, but had {len(body)}")
    if body[: _HEAD.size] != _head(plan):
        n, blocks, columns, rows, lift, seed, _ = _HEAD.unpack(body[: _HEAD.size])
        raise ChannelError(
            f"the peer's syndrome is that of another plan or code: {n} bits in {blocks} blocks of "
            f"{columns} x {rows} x {lift} (seed {seed}), but {plan.n} in {plan.blocks} of "
            f"{plan.columns} x {plan.rows} x {plan.lift} (seed {plan.seed}) were agreed on; use the same "
            "release of ebit and the same plan on both sides"
        )
    return bits_from(body[_HEAD.size :], plan.leak_bits)


def bits_from(body: bytes, count: int) -> Bits:
    """Return `count` bits of packed ones.

    Raises:
        ChannelError: another number of bytes, or a bit set beyond the last.
    """
    packed = np.frombuffer(body, np.uint8)
    if len(packed) != (count + 7) // 8:
        raise ChannelError(f"{count} bits need {(count + 7) // 8} bytes, but {len(packed)} came")
    bits = np.unpackbits(packed)
    if bits[count:].any():
        raise ChannelError(f"bits beyond the last of {count} must be 0, but one was set")
    return bits[:count]
