"""Conversations of two parties: frames, transcripts, what a wire may do; and bits that nothing shows."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import struct
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebit.games import ArgumentError, EbitError
from ebit.protocols import conversation
from ebit.protocols.conversation import (
    HEAD_BYTES,
    VERSION,
    ChannelError,
    Endpoint,
    Expect,
    Message,
    Party,
    Role,
    Transcript,
    converse,
    read_head,
)
from ebit.protocols.secret_bits import SecretBits


def talker(count: int, *, first: bool) -> Party[list[bytes]]:
    """Says and hears `count` messages of each side, one after the other."""
    heard = []
    for k in range(2 * count):
        if (k % 2 == 0) == first:
            yield Message("word", f"{'a' if first else 'b'}{k}".encode(), leaks=k)
        else:
            heard.append((yield Expect("word")))
    return heard


def test_two_parties_hear_each_other() -> None:
    a, b = converse(talker(3, first=True), talker(3, first=False))
    assert a.result() == [b"b1", b"b3", b"b5"]
    assert b.result() == [b"a0", b"a2", b"a4"]
    assert (a.end.leaked, b.end.leaked) == (0 + 2 + 4, 1 + 3 + 5)
    assert (a.end.turns, b.end.turns) == (3, 3)


def test_both_ends_have_the_same_transcript() -> None:
    a, b = converse(talker(3, first=True), talker(3, first=False))
    assert a.end.streams() == b.end.streams()
    assert a.end.transcript() == b.end.transcript()
    assert a.end.digest() == b.end.digest()
    alice, bob = a.end.streams()
    assert b"a0" in alice
    assert b"b1" not in alice
    assert b"b1" in bob


def test_both_may_speak_first() -> None:
    def eager(word: bytes) -> Party[bytes]:
        yield Message("word", word)
        return (yield Expect("word"))

    a, b = converse(eager(b"x"), eager(b"y"))
    assert (a.result(), b.result()) == (b"y", b"x")
    assert a.end.digest() == b.end.digest()


def test_a_transcript_is_given_to_who_asks() -> None:
    def asks() -> Party[bytes]:
        yield Message("word", b"before")
        said = yield Transcript()
        yield Message("word", b"after")
        return said

    def hears() -> Party[bytes]:
        yield Expect("word")
        said = yield Transcript()
        yield Expect("word")
        return said

    a, b = converse(asks(), hears())
    assert a.result() == b.result()
    assert b"before" in a.result()
    assert b"after" not in a.result()
    assert (a.end.turns, b.end.turns) == (0, 2)


@given(st.lists(st.binary(max_size=9), max_size=4), st.lists(st.binary(max_size=9), max_size=4))
def test_different_conversations_have_different_transcripts(
    mine: list[bytes], other: list[bytes]
) -> None:
    def end(words: list[bytes], role: Role) -> Endpoint:
        made = Endpoint(role)
        for word in words:
            made.pack(Message("w", word))
        return made

    a, b = end(mine, "alice"), end(other, "alice")
    assert (a.transcript() == b.transcript()) == (mine == other)
    assert (a.transcript() == end(mine, "bob").transcript()) == (not mine)


def failing(wire: conversation.Wire) -> tuple[str, str]:
    """What both sides complain of."""
    a, b = converse(talker(2, first=True), talker(2, first=False), wire=wire)
    return str(a.error), str(b.error)


def test_a_swallowed_message_ends_both() -> None:
    a, b = failing(lambda role, number, frame: [] if (role, number) == ("bob", 0) else [frame])
    assert a == "the peer's 'word' never came"
    assert "peer left before it sent 'word'" in b or "never came" in b


def test_a_repeated_message_is_noticed() -> None:
    a, _ = failing(lambda role, number, frame: [frame] * (2 if role == "bob" else 1))
    assert "message 1 of the peer was due, but number 0 came" in a


def test_messages_in_another_order_are_noticed() -> None:
    def sends() -> Party[None]:
        yield Message("one")
        yield Message("two")

    def hears() -> Party[None]:
        yield Expect("one")
        yield Expect("two")

    held: list[bytes] = []

    def swap(role: Role, number: int, frame: bytes) -> Iterable[bytes]:
        held.append(frame)
        return held[::-1] if number == 1 else []

    _, b = converse(sends(), hears(), wire=swap)
    assert "another order" in str(b.error)


def test_another_kind_is_noticed() -> None:
    def sends() -> Party[None]:
        yield Message("one")

    _, b = converse(sends(), talker(1, first=False))
    assert str(b.error) == "the peer must send 'word' now, but sent 'one'"


@pytest.mark.parametrize("place", range(8 * (HEAD_BYTES + len(b"word"))))
def test_a_changed_bit_of_a_head_is_noticed(place: int) -> None:
    def flip(role: Role, number: int, frame: bytes) -> Iterable[bytes]:
        if (role, number) != ("alice", 1):
            return [frame]
        spoilt = bytearray(frame)
        spoilt[place // 8] ^= 0x80 >> place % 8
        return [bytes(spoilt)]

    a, b = converse(talker(2, first=True), talker(2, first=False), wire=flip)
    assert isinstance(b.error, ChannelError)
    assert isinstance(a.error, ChannelError)
    assert "\n" not in str(b.error)


def test_a_changed_body_arrives_and_the_transcripts_differ() -> None:
    meddle = lambda role, number, frame: [frame.replace(b"a2", b"a9")]  # noqa: E731
    a, b = converse(talker(2, first=True), talker(2, first=False), wire=meddle)
    assert b.result() == [b"a0", b"a9"]
    assert a.end.digest() != b.end.digest()


@pytest.mark.parametrize("cut", [0, 5, HEAD_BYTES, HEAD_BYTES + 3, -1])
def test_a_cut_frame_is_noticed(cut: int) -> None:
    _, b = failing(lambda role, number, frame: [frame[:cut]])
    assert "bytes" in b or "must send" in b


def test_who_is_no_peer_is_told_so() -> None:
    with pytest.raises(ChannelError, match="does not speak ebit's key protocol"):
        read_head(b"GET / HTTP/1.1\r\n"[:HEAD_BYTES])
    with pytest.raises(ChannelError, match=f"version {VERSION + 1} .* this is version {VERSION}"):
        read_head(struct.pack(">2sBBII", b"eb", VERSION + 1, 1, 0, 0))
    with pytest.raises(ChannelError, match="at most"):
        read_head(struct.pack(">2sBBII", b"eb", VERSION, 1, 0, 2**32 - 1))


def test_a_message_that_is_too_large_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "MOST_BYTES", 3)

    def sends() -> Party[None]:
        yield Message("word", b"four")

    a, b = converse(sends(), talker(1, first=False))
    assert "must have at most 3 bytes, but 'word' has 4" in str(a.error)
    assert "left before" in str(b.error)


def test_a_party_may_bear_an_error() -> None:
    def stubborn() -> Party[str]:
        try:
            yield Expect("word")
        except ChannelError as error:
            return f"bore it: {error}"
        return ""

    def silent() -> Party[None]:
        return
        yield

    a, _ = converse(stubborn(), silent())
    assert a.result().startswith("bore it: the peer left")


def test_a_party_that_fails_keeps_its_error() -> None:
    def fails() -> Party[None]:
        yield Message("word")
        raise ArgumentError("no such thing")

    a, b = converse(fails(), talker(1, first=False))
    with pytest.raises(EbitError, match="no such thing"):
        a.result()
    assert b.result() == [b""]


@given(st.binary(min_size=1, max_size=20), st.data())
def test_a_part_of_secret_bits(data: bytes, draw: st.DataObject) -> None:
    whole = np.unpackbits(np.frombuffer(data, np.uint8))
    first = draw.draw(st.integers(0, len(whole)))
    bits = draw.draw(st.integers(0, len(whole) - first))
    part = SecretBits.of_bytes(data).part(first, bits)
    assert len(part) == part.bits == bits
    assert np.unpackbits(part.reveal(), count=bits).tolist() == whole[first : first + bits].tolist()
    assert part == SecretBits(np.packbits(whole[first : first + bits]), bits)


def test_what_lies_behind_the_last_bit_is_0() -> None:
    spoilt = SecretBits(np.array([0b10111111], np.uint8), 3)
    assert spoilt.reveal_bytes() == bytes([0b10100000])
    assert spoilt == SecretBits(np.array([0b10100000], np.uint8), 3)
    assert spoilt != SecretBits(np.array([0b10100000], np.uint8), 4)
    assert spoilt != "bits"


def test_secret_bits_do_not_change_afterwards() -> None:
    packed = np.array([1], np.uint8)
    kept = SecretBits(packed, 8)
    packed[0] = 2
    assert kept.reveal_bytes() == b"\1"
    with pytest.raises(ValueError, match="read-only"):
        kept.reveal()[0] = 3


@dataclasses.dataclass(frozen=True)
class Result:
    key: SecretBits


def test_nothing_shows_secret_bits() -> None:
    key = SecretBits.of_bytes(b"secret!!")
    result = Result(key)
    for shown in (repr(key), str(key), f"{key}", f"{result}", repr([key]), repr(result)):
        assert "64 bits, hidden" in shown
        assert "secret!" not in shown
        assert "115" not in shown  # the first byte
    for leak in (pickle.dumps, copy.copy, copy.deepcopy, hash):
        with pytest.raises(TypeError):
            leak(key)
    with pytest.raises(TypeError):
        dataclasses.asdict(result)
    assert not hasattr(key, "__dict__")


@pytest.mark.parametrize(
    ("packed", "bits"),
    [
        (np.zeros(1, np.uint8), 9),
        (np.zeros(2, np.uint8), 8),
        (np.zeros(1, np.int64), 8),
        (np.zeros(0, np.uint8), -3),
        (np.zeros((1, 1), np.uint8), 8),
    ],
)
def test_secret_bits_of_another_size_are_refused(packed: np.ndarray, bits: int) -> None:
    with pytest.raises(ArgumentError, match="packed must be uint8"):
        SecretBits(packed, bits)


@pytest.mark.parametrize(("first", "bits"), [(-1, 2), (0, 9), (8, 1), (3, -1)])
def test_a_part_that_is_not_there_is_refused(first: int, bits: int) -> None:
    with pytest.raises(ArgumentError, match="within the 8 bits"):
        SecretBits.of_bytes(b"x").part(first, bits)
