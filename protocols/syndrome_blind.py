"""Reconciliation by a short syndrome and a few questions, for where latency matters.

Alice tells a syndrome that is about as long as the errors need on average. Where Bob cannot decode, he
asks for the bits that he is least sure of, and decodes again; each round is one question for all blocks.

What leaks: the syndrome, and every bit that Alice tells afterwards; all are counted. What Bob says is on
the channel too. His decoder sees nothing but the syndrome of the error pattern, Alice's bits xor his,
the error pattern itself at the bits told, and the announced plan: so his questions are functions of the
error pattern, and the argument of `ebit.protocols.cascade` holds, with its limits: it serves qubit BB84
and its entangled forms, not device-independent keys, which take `ebit.protocols.syndrome`.
"""

from __future__ import annotations

import math
from collections.abc import Generator

import numpy as np
import numpy.typing as npt

from ebit.analysis.binomial import check_count
from ebit.analysis.ldpc import (
    Priors,
    SyndromePlan,
    cut,
    key_syndrome,
    padded,
    plan_syndrome,
    priors_of,
)
from ebit.analysis.ldpc_decode import Decoded, Decoder
from ebit.protocols.conversation import ChannelError, Expect, Message, Party
from ebit.protocols.syndrome import (
    Bits,
    SyndromeDone,
    bits_from,
    failure,
    syndrome_body,
    syndrome_from,
)

__all__ = ["blind_alice", "blind_bob", "plan_blind"]

_MOST_TRIPS = 200
_FIRST_SWEEPS, _SWEEPS = (
    80,
    50,
)  # more would save some leak and cost time, in which one may as well ask
_FOUND, _MORE, _GIVEN_UP = b"\x00", b"\x01", b"\x02"


def plan_blind(n: int, qber: Priors, *, largest_block: int = 1 << 17) -> SyndromePlan:
    """Return the plan whose syndrome is told first: long enough for about half of all blocks.

    Args:
        n: bits of the key.
        qber: expected error rate, or every bit's; a guess that is too low costs round trips, one that
            is too high costs leak.
        largest_block: bits of a block at most.

    Example:
        >>> plan_blind(100_000, 0.02).f < plan_syndrome(100_000, 0.02).f
        True
    """
    return plan_syndrome(n, qber, failure=0.5, largest_block=largest_block)


def blind_alice(
    bits: Bits, plan: SyndromePlan, *, leak_cap: int | None = None
) -> Party[SyndromeDone]:
    """Tell the syndrome, then the bits that Bob asks for.

    Args:
        bits: 0 or 1, uint8 (plan.n,).
        plan: what both have agreed on, of `plan_blind`.
        leak_cap: bits that may be told at most, the syndrome's included, the same at both sides; three
            quarters of the key if left out.

    Returns:
        The party; its `SyndromeDone` says whether Bob is done.

    Raises:
        ArgumentError: at once: bits of another shape or kind than planned; a cap below the syndrome.
        ChannelError: in the conversation: a question that is malformed, repeats itself or would break
            the cap.

    Example:
        >>> from ebit.protocols.conversation import converse
        >>> rng = np.random.default_rng(1)
        >>> key = rng.integers(0, 2, 20_000, np.uint8)
        >>> noisy = key ^ (rng.random(20_000) < 0.02)
        >>> plan = plan_blind(20_000, 0.02)
        >>> a, b = converse(blind_alice(key, plan), blind_bob(noisy, plan, 0.02))
        >>> bool((b.result().bits == key).all()), a.end.leaked == b.result().leak_bits
        (True, True)

    Source:
        Martinez-Mateo, Elkouss, Martin, Quantum Inf. Comput. 12, 791 (2012), for blind reconciliation;
        Kiktenko, Trushechkin, Lim, Kurochkin, Fedorov, Phys. Rev. Applied 8, 044017 (2017), for asking
        for the least certain bits.
    """
    return _alice(bits, plan, key_syndrome(bits, plan), _cap(plan, leak_cap))


def blind_bob(
    bits: Bits, plan: SyndromePlan, priors: Priors, *, leak_cap: int | None = None
) -> Party[SyndromeDone]:
    """Decode Alice's syndrome, asking for bits until it can be done.

    Args:
        bits: his own, 0 or 1, uint8 (plan.n,).
        plan: what both have agreed on, of `plan_blind`.
        priors: chance that a bit differs from Alice's, a number or an array (n,).
        leak_cap: as at Alice's side.

    Returns:
        The party; its `SyndromeDone` has Alice's bits, or `failed` and why.

    Raises:
        ArgumentError: at once: shapes, or values out of range.
        ChannelError: in the conversation: a message of another plan, form or length.
    """
    cap = _cap(plan, leak_cap)
    return _bob(bits, plan, priors_of(plan, priors), key_syndrome(bits, plan), cap)


def _cap(plan: SyndromePlan, cap: int | None) -> int:
    if cap is None:
        return max(plan.leak_bits, plan.n * 3 // 4)
    return check_count("leak_cap", cap, low=plan.leak_bits)


def _alice(
    bits: Bits, plan: SyndromePlan, told: Bits, cap: int
) -> Generator[Message | Expect, bytes, SyndromeDone]:
    yield Message("syndrome", syndrome_body(plan, told), leaks=plan.leak_bits)
    leak, trips = plan.leak_bits, 0
    open_bits = np.zeros(plan.n, np.bool_)
    while True:
        body = yield Expect("question")
        trips += 1
        kind, rest = body[:1], body[1:]
        if kind in (_FOUND, _GIVEN_UP) and not rest:
            lost = "" if kind == _FOUND else "the other side could not decode"
            return SyndromeDone(
                None if lost else bits.copy(), bool(lost), lost, leak, trips, None, None
            )
        if kind != _MORE or not rest or len(rest) % 4:
            raise ChannelError(f"a question must be of 1 + 4 k bytes, but was one of {len(body)}")
        asked = np.frombuffer(rest, ">u4").astype(np.int64)
        if asked.max() >= plan.n or np.any(np.diff(asked) <= 0) or np.any(open_bits[asked]):
            raise ChannelError(
                f"the peer must ask for bits below {plan.n}, in order and none twice; it did not"
            )
        if leak + len(asked) > cap:
            raise ChannelError(
                f"the peer asked for {len(asked)} more bits than the {leak} told, beyond the cap of {cap}"
            )
        open_bits[asked] = True
        leak += len(asked)
        yield Message("values", np.packbits(bits[asked]).tobytes(), leaks=len(asked))


def _bob(
    bits: Bits, plan: SyndromePlan, priors: npt.NDArray[np.float32], own: Bits, cap: int
) -> Generator[Message | Expect, bytes, SyndromeDone]:
    difference = syndrome_from(plan, (yield Expect("syndrome"))) ^ own
    code, blocks = plan.code, cut(plan)
    decoders = [Decoder(code) for _ in blocks]
    chances = [padded(code, priors[where]) for where in blocks]
    states: list[Decoded | None] = [None] * len(blocks)
    leak, trips, sweeps = plan.leak_bits, 0, 0
    while True:
        waiting: list[int] = []
        for k in range(len(blocks)):
            before = states[k]
            if before is not None and before.found:
                continue
            part = difference[k * code.checks : (k + 1) * code.checks]
            most = _FIRST_SWEEPS if before is None else _SWEEPS
            now = decoders[k].decode(part, chances[k], most=most, resume=before)
            states[k] = now
            sweeps += now.iterations
            if not now.found:
                waiting.append(k)
        trips += 1
        asked = [_least_sure(states[k], chances[k][: len(blocks[k])], trips) for k in waiting]
        number = sum(map(len, asked))
        if not waiting or leak + number > cap or not number or trips > _MOST_TRIPS:
            break
        where_asked = np.concatenate([blocks[k][a] for k, a in zip(waiting, asked, strict=True)])
        order = np.sort(where_asked)
        yield Message("question", _MORE + order.astype(">u4").tobytes())
        values = bits_from((yield Expect("values")), number)
        leak += number
        wrong = np.zeros(plan.n, np.uint8)
        wrong[order] = values ^ bits[order]
        for k, a in zip(waiting, asked, strict=True):
            chances[k][a] = wrong[blocks[k][a]]
    yield Message("question", _GIVEN_UP if waiting else _FOUND)
    if waiting:
        reason = failure(len(waiting), plan)
        return SyndromeDone(None, True, reason, leak, trips, None, sweeps)
    found = bits.copy()
    for where, state in zip(blocks, states, strict=True):
        if state is not None:
            found[where] ^= state.errors[: len(where)]
    return SyndromeDone(found, False, "", leak, trips, int(np.count_nonzero(found != bits)), sweeps)


def _least_sure(
    state: Decoded | None, chances: npt.NDArray[np.float32], trip: int
) -> npt.NDArray[np.int64]:
    """Which bits of a block to ask for: those of the smallest beliefs that are not known yet."""
    if state is None:
        return np.zeros(0, np.int64)
    unknown = np.flatnonzero((chances > 0) & (chances < 1))
    p = chances[unknown].astype(np.float64)
    spread = math.sqrt(float(np.sum(p * (1 - p) * np.log2((1 - p) / p) ** 2))) if len(p) else 0.0
    count = min(len(unknown), math.ceil(_STEP * spread * (1 + trip // 4)))
    sure = np.abs(state.beliefs[: len(chances)][unknown])
    if not count:
        return unknown[:0]
    picked = (
        np.argpartition(sure, count - 1)[:count]
        if count < len(unknown)
        else np.arange(len(unknown))
    )
    return np.sort(unknown[picked])


_STEP = 0.5
"""Bits asked for at once, in standard deviations of what the errors of the block need."""
