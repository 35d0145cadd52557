"""Cascade with a peer that lies, a wire that alters, and bodies that are no answers: it ends, in one line."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebit.analysis.parity_book import ParityBook
from ebit.games import ArgumentError
from ebit.protocols.cascade import MOST_MORE, MOST_PER_BIT, cascade_alice, cascade_bob
from ebit.protocols.conversation import ChannelError, Expect, Message, Party, converse

N = 600
RNG = np.random.default_rng(8)
KEY = RNG.integers(0, 2, N, np.uint8)
NOISY = KEY ^ (RNG.random(N) < 0.05)


def alice() -> Party[Any]:
    return cascade_alice(KEY, qber=0.05, random=lambda size: bytes(size))


def bob() -> Party[Any]:
    return cascade_bob(NOISY, qber=0.05, random=lambda size: bytes(size))


def false_bob(reply: Callable[[int, bytes], bytes], hello: bytes | None = None) -> Party[None]:
    """Say hello, then answer the k-th message of parities with what `reply` makes of it."""
    yield Message(
        "reconcile", struct.pack(">QQ16s", N, 1 << 20, bytes(16)) if hello is None else hello
    )
    yield Expect("order")
    k = 0
    while True:
        body = yield Expect("parities")
        yield Message("differences", reply(k, body))
        k += 1


def false_alice(order: bytes, tell: Callable[[int], bytes]) -> Party[None]:
    yield Expect("reconcile")
    yield Message("order", order)
    k = 0
    while True:
        yield Message("parities", tell(k))
        yield Expect("differences")
        k += 1


def fails(ending: Any, words: str) -> None:
    assert isinstance(ending.error, ChannelError), ending
    assert words in str(ending.error)
    assert "\n" not in str(ending.error)
    assert len(str(ending.error)) < 250


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (lambda k, body: b"", "but had 0"),
        (lambda k, body: body[:-1], "bytes for"),
        (lambda k, body: body + b"\0", "bytes for"),
        (lambda k, body: bytes(10**6), "but had 1000000"),
        (lambda k, body: bytes([body[0] ^ 1]) + body[1:], "zeros behind"),
        (lambda k, body: bytes([body[0] ^ 0x40]) + body[1:], "zeros behind"),
        (lambda k, body: bytes([0x80]), "bytes for"),
        # A hundred and fifty blocks of four that are all odd, halved for ever: it must end.
        (lambda k, body: body[:1] + b"\xff" * (len(body) - 2) + b"\0", ""),
    ],
)
def test_alice_refuses_replies(reply: Any, words: str) -> None:
    fails(converse(alice(), false_bob(reply))[0], words)


@pytest.mark.parametrize(
    "hello", [b"", bytes(32), bytes(31), struct.pack(">QQ16s", N + 1, 9, bytes(16))]
)
def test_alice_refuses_another_size(hello: bytes) -> None:
    a = converse(alice(), false_bob(lambda k, body: body, hello))[0]
    fails(a, "")
    assert a.end.leaked == 0


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (b"", "25 bytes"),
        (bytes(25), "0 bits"),
        (struct.pack(">QB16s", N + 1, 4, bytes(16)), "601 bits"),
        (struct.pack(">QB16s", N, 0, bytes(16)), "level"),
        (struct.pack(">QB16s", N, 41, bytes(16)), "level"),
        (struct.pack(">QB16s", 2**63, 4, bytes(16)), str(2**63)),
    ],
)
def test_bob_refuses_orders(order: bytes, words: str) -> None:
    fails(converse(false_alice(order, lambda k: b""), bob())[1], words)


@pytest.mark.parametrize("body", [b"", b"\0", bytes(5), bytes(10**5), b"\xc0", b"\x80\0"])
def test_bob_refuses_parities(body: bytes) -> None:
    order = struct.pack(">QB16s", N, 4, bytes(16))
    fails(converse(false_alice(order, lambda k: body), bob())[1], "'parities' must have")


@given(st.integers(0, 2**32), st.floats(0, 1))
@settings(deadline=None, max_examples=60)
def test_random_replies_come_to_an_end(seed: int, density: float) -> None:
    rng = np.random.default_rng(seed)

    def reply(k: int, body: bytes) -> bytes:
        asked = 8 * (len(body) - 1) - body[0]
        return body[:1] + np.packbits(rng.random(asked) < density).tobytes()

    a = converse(alice(), false_bob(reply))[0]
    assert a.error is None or isinstance(a.error, ChannelError)
    assert a.end.leaked <= MOST_PER_BIT * N + MOST_MORE


@given(st.integers(0, 2**32), st.sampled_from(["alice", "bob"]))
@settings(deadline=None, max_examples=60)
def test_one_bit_altered_anywhere(seed: int, role: str) -> None:
    """It is refused, or ends with bits that may differ: verification is what notices."""
    rng = np.random.default_rng(seed)
    at = int(rng.integers(0, 30))

    def wire(sender: str, number: int, frame: bytes) -> list[bytes]:
        if sender != role or number != at:
            return [frame]
        changed = bytearray(frame)
        changed[int(rng.integers(0, len(frame)))] ^= 1 << int(rng.integers(0, 8))
        return [bytes(changed)]

    for ending in converse(alice(), bob(), wire=wire):
        assert ending.error is None or isinstance(ending.error, ChannelError)


def test_bob_refuses_more_than_his_cap() -> None:
    order = struct.pack(">QB16s", N, 4, bytes(16))
    capped = cascade_bob(NOISY, qber=0.05, leak_cap=30)
    b = converse(false_alice(order, lambda k: bytes([2]) + bytes(5)), capped)[1]  # 38 blocks
    fails(b, "more than the 30 parities")


def test_unrelated_keys_come_to_an_end() -> None:
    """Half of all bits differ: nothing is gained, but the exchange ends and the keys are equal."""
    key, other = np.random.default_rng(1).integers(0, 2, (2, 20_000), np.uint8)
    a, b = converse(cascade_alice(key, qber=0.01), cascade_bob(other, qber=0.01))
    assert a.end.leaked <= MOST_PER_BIT * 20_000 + MOST_MORE
    assert b.error is not None or (b.result().bits == key).all()


def test_book_refuses_its_arguments() -> None:
    with pytest.raises(ArgumentError, match="16 bytes, but had 3"):
        ParityBook(KEY, 4, bytes(3), corrects=True)
    with pytest.raises(ArgumentError, match="1 to 40, but was 0"):
        ParityBook(KEY, 0, bytes(16), corrects=True)
