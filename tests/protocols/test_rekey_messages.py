"""Hybrid refresh: whatever is changed, lost or replayed on the way gives no key."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebit.games import ArgumentError, EbitError
from ebit.protocols.authentication import Authenticator
from ebit.protocols.combiner import framed
from ebit.protocols.conversation import ChannelError, Expect, Message, converse
from ebit.protocols.rekey import (
    QuantumKey,
    RekeyState,
    rekey,
    rekey_alice,
    rekey_bob,
)
from ebit.protocols.rekey_exchange import ANSWER_BYTES, OFFER_BYTES, Offer, answer
from ebit.protocols.rekey_schedule import derive, transcript
from ebit.protocols.rekey_session import refreshes_alice, refreshes_bob
from ebit.protocols.tcp import connect, listen
from tests.protocols.rekeyhelp import BOTH, meet, quantum, states

pytest.importorskip("cryptography")


def flipped(role: str, number: int, at: int, bit: int = 0) -> Callable[..., list[bytes]]:
    def wire(who: str, count: int, frame: bytes) -> list[bytes]:
        if (who, count) != (role, number):
            return [frame]
        changed = bytearray(frame)
        changed[at % len(frame)] ^= 1 << bit
        return [bytes(changed)]

    return wire


FRAMES = [("alice", 0), ("bob", 0), ("bob", 1), ("alice", 1)]


@BOTH
@settings(max_examples=60, deadline=None)
@given(st.sampled_from(FRAMES), st.integers(0, 3000), st.integers(0, 7))
def test_one_altered_bit_anywhere_gives_no_key(
    mode: Any, frame: tuple[str, int], at: int, bit: int
) -> None:
    alice, bob = states(mode)
    a, b = meet(alice, bob, quantum(), quantum(), flipped(*frame, at, bit))
    assert isinstance(b.error, ChannelError)
    assert b.value is None
    assert bob.epoch == 0
    if frame != ("alice", 1):  # Alice has said her last word before that one is altered
        assert isinstance(a.error, EbitError)
        assert a.value is None
        assert alice.epoch == 0
    assert "Traceback" not in str(b.error)


def test_an_altered_ciphertext_is_found_by_the_tag() -> None:
    body = 14 + len("rekey-answer") + 8  # head of the frame, its kind, two lengths
    for at in (body, body + 500, body + 1087):
        a, _ = meet(*states(), quantum(), quantum(), flipped("bob", 0, at))
        with pytest.raises(ChannelError, match="tag does not confirm"):
            a.result()


@BOTH
def test_frames_that_are_lost_doubled_or_swapped_give_no_key(mode: Any) -> None:
    for role, number in FRAMES:
        for change in (lambda f: [], lambda f: [f, f], lambda f: [f[:-1]], lambda f: [f + b"\0"]):

            def wire(
                who: str, count: int, frame: bytes, change: Any = change, at: Any = (role, number)
            ) -> Any:
                return change(frame) if (who, count) == at else [frame]

            a, b = meet(*states(mode), quantum(), quantum(), wire)
            errors = [end.error for end in (a, b) if end.error is not None]
            if (
                a.value is not None and b.value is not None
            ):  # a copy after the last word is nobody's
                assert a.value.key == b.value.key
            else:
                assert errors
                assert all(isinstance(error, ChannelError) for error in errors)


def test_a_listener_in_the_middle_of_both_exchanges_needs_the_quantum_key() -> None:
    """Eve speaks to each end with keys of her own: without the quantum key her tags are wrong."""
    state = RekeyState()
    party = rekey_bob(RekeyState(), lambda name: quantum())
    next(party)
    eve = Offer()
    head = bytes([0]) + state.epoch.to_bytes(8, "big") + (256).to_bytes(4, "big")
    said = framed(head, b"k1", b"", b"", eve.public)
    reply: Any = party.send(said)
    next(party)
    next(party)
    shared = eve.finish(reply.body[8:])
    guess = derive(
        "computational", None, shared, epoch=0, bits=256, said=transcript(said, reply.body)
    )
    with pytest.raises(ChannelError, match="no key was made"):
        party.send(hmac.digest(guess.confirm_alice, transcript(said, reply.body), "sha256"))


def test_a_key_id_taken_out_on_the_way_is_no_silent_fallback() -> None:
    def wire(who: str, count: int, frame: bytes) -> list[bytes]:
        if (who, count) != ("alice", 0):
            return [frame]
        return [frame.replace(framed(b"k1"), framed(b"k2"))]

    a, b = meet(*states(), quantum(), quantum(), wire)
    assert a.value is None
    assert b.value is None
    assert "tag" in str(a.error)


def test_quantum_keys_that_differ_are_found_where_they_can_be() -> None:
    a, b = meet(*states(), quantum(1), quantum(2))
    assert a.value is None
    assert b.value is None
    a, b = meet(*states("information-theoretic"), quantum(1), quantum(2))
    mine, theirs = a.result(), b.result()  # said under not_given
    mask = mine.key.reveal() ^ theirs.key.reveal()
    assert (mask == quantum(1).key.reveal() ^ quantum(2).key.reveal()).all()
    assert any("same quantum key" in item for item in mine.not_given)
    a, b = meet(*states("information-theoretic"), quantum(1), quantum(1, bits=300))
    assert "256 bits, and this end one of 300" in str(b.error)


def test_a_replayed_refresh_is_refused() -> None:
    alice, bob = states()
    frames: list[bytes] = []

    def record(who: str, count: int, frame: bytes) -> list[bytes]:
        frames.append(frame) if who == "alice" else None
        return [frame]

    rekey(alice, bob, quantum(), wire=record)
    rekey(alice, bob, quantum(name="k2"))

    def replay(who: str, count: int, frame: bytes) -> list[bytes]:
        return [frames[count]] if who == "alice" else [frame]

    with pytest.raises(ChannelError, match="at epoch 0, and this end at 2"):
        rekey(alice, bob, None, wire=replay)


@pytest.mark.parametrize(
    "body",
    [b"", b"\0" * 4, framed(b"a"), framed(*[b""] * 5), framed(*[b""] * 5) + b"\0", b"\xff" * 40],
)
def test_offers_that_are_none(body: bytes) -> None:
    party = rekey_bob(RekeyState(), lambda name: None)
    next(party)
    with pytest.raises(ChannelError, match="the peer's offer"):
        party.send(body)


def test_exchanges_that_are_none() -> None:
    with pytest.raises(ChannelError, match=f"must have {OFFER_BYTES} bytes, but had 3"):
        answer(b"abc")
    with pytest.raises(ChannelError, match="no valid keys"):
        answer(b"\xff" * OFFER_BYTES)  # not reduced modulo 3329
    offer = Offer()
    with pytest.raises(ChannelError, match="no valid keys"):
        answer(offer.public[:-32] + bytes(32))  # a point of small order
    with pytest.raises(ChannelError, match=f"must have {ANSWER_BYTES} bytes, but had 0"):
        offer.finish(b"")
    reply, _ = answer(offer.public)
    with pytest.raises(ChannelError, match="gives no key"):
        offer.finish(reply[:-32] + bytes(32))
    with pytest.raises(ChannelError, match="good for one answer"):
        offer.finish(reply)


@BOTH
def test_with_a_pre_shared_key_changed_messages_are_found_without_a_quantum_key(mode: Any) -> None:
    alice, bob = Authenticator.in_memory()
    mine: list[Any] = []
    theirs: list[Any] = []

    def none() -> tuple[None, str]:
        return None, "the link is down"

    a, b = converse(
        refreshes_alice(RekeyState(mode), ["first", "second"], none, mine.append, auth=alice),
        refreshes_bob(RekeyState(mode), lambda _: None, theirs.append, auth=bob),
    )
    assert a.result() == b.result() == 2
    assert [one.key for one in mine] == [one.key for one in theirs]
    assert all(one.authenticated for one in mine + theirs)
    assert not any("authentication:" in item for one in mine for item in one.not_given)
    assert any("forged tag" in item for item in mine[0].assumptions)


def test_a_wrong_tag_of_the_pre_shared_key_gives_no_key() -> None:
    alice, _ = Authenticator.in_memory()
    _, bob = Authenticator.in_memory()  # another one
    kept: list[Any] = []

    def take() -> tuple[QuantumKey, str]:
        return quantum(), ""

    a, b = converse(
        refreshes_alice(RekeyState(), ["first"], take, kept.append, auth=alice),
        refreshes_bob(RekeyState(), lambda _: quantum(), kept.append, auth=bob),
    )
    assert kept == []
    assert "is not authenticated, and gives no key" in str(a.error) + str(b.error)


def test_a_session_says_only_more_or_end() -> None:
    party = refreshes_bob(RekeyState(), lambda _: None, lambda _: None)
    next(party)
    with pytest.raises(ChannelError, match="more or end, but said b'x'"):
        party.send(b"x")


def test_two_ends_at_a_socket() -> None:
    mine: list[Any] = []
    theirs: list[Any] = []
    threads: list[threading.Thread] = []

    def call(host: str, port: int) -> None:
        party = refreshes_bob(RekeyState(), lambda name: quantum(name=name), theirs.append)
        threads.append(threading.Thread(target=connect, args=((host, port), party)))
        threads[0].start()

    def take() -> tuple[QuantumKey, str]:
        return quantum(name=f"k{len(mine)}"), ""

    party = refreshes_alice(RekeyState(), ["first", "second"], take, mine.append)
    (ending,) = listen(":0", lambda: party, ready=call, timeout=20, patience=20)
    threads[0].join()
    assert ending.result() == 2
    assert [one.key for one in mine] == [one.key for one in theirs]
    assert [one.quantum_key for one in theirs] == ["k0", "k1"]


@pytest.mark.parametrize(
    "words", [b"\x1b[2Jall fine", b"two\nlines", b"\xe2\x80\xaeback", b"x" * 501]
)
@pytest.mark.parametrize("part", [1, 2, 3])
def test_words_that_are_not_for_reading_are_refused(words: bytes, part: int) -> None:
    def stranger() -> Any:
        parts = [bytes(9) + b"\0\0\1\0", b"", b"why", b"when", Offer().public]
        parts[part] = words
        yield Message("rekey-offer", framed(*parts))
        yield Expect("rekey-answer")

    state = RekeyState()
    ending = converse(stranger(), rekey_bob(state, lambda _: None))[1]
    assert "the peer's words must be printable text of at most 500 bytes" in str(ending.error)
    assert state.epoch == 0


@pytest.mark.parametrize("words", [b"\x1b]0;all fine\x07", b"x" * 501])
def test_an_answers_reason_that_is_not_for_reading_is_refused(words: bytes) -> None:
    def stranger() -> Any:
        yield Expect("rekey-offer")
        yield Message("rekey-answer", framed(words, bytes(ANSWER_BYTES)))

    ending = converse(rekey_alice(RekeyState(), quantum()), stranger())[0]
    assert "the peer's words must be printable" in str(ending.error)


def test_own_words_must_be_printable_too() -> None:
    with pytest.raises(ArgumentError, match="printable text, but one was"):
        rekey(*states(), None, reason="two\nlines")
    with pytest.raises(ArgumentError, match="printable text of 1 to 255 bytes"):
        quantum(name="k\x07")
