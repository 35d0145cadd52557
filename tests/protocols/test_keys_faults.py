"""The channel cut, reordered, replayed and altered at every message; peers that lie; plans that differ."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from ebit.analysis.key_plan import KeyPlan
from ebit.protocols.authentication import Authenticator
from ebit.protocols.conversation import HEAD_BYTES, ChannelError, Expect, Message, Role, converse
from ebit.protocols.key_parties import alice, bob
from ebit.protocols.key_referee import random_bytes
from tests.protocols.keyhelp import (
    Wire,
    body_of,
    changed,
    check_ends,
    law,
    seeded_auth,
    sides,
    small_plan,
    talk,
    with_body,
)

SEED = 11
FEW = 6  # of the messages of Cascade in whose place garbage comes


@lru_cache
def said() -> dict[Role, list[bytes]]:
    """What Alice and Bob say in an honest session, frame by frame."""
    ends = talk(small_plan(), SEED)
    check_ends(ends, released=(True, True))
    return {"alice": ends[0].end.sent, "bob": ends[1].end.sent}


def some() -> list[tuple[Role, int]]:
    """Every message but Cascade's, and some of Cascade's."""
    found: list[tuple[Role, int]] = []
    for role, sent in said().items():
        kinds = [frame[HEAD_BYTES : HEAD_BYTES + frame[3]] for frame in sent]
        inner = [i for i, kind in enumerate(kinds) if kind in (b"parities", b"differences")]
        keep = set(inner[:: max(1, len(inner) // FEW)])
        found += [(role, i) for i in range(len(sent)) if i not in inner or i in keep]
    return found


def at(role: Role, number: int, instead: Any) -> Wire:
    """A wire that treats one message in its own way."""

    def wire(sender: Role, count: int, frame: bytes) -> Iterable[bytes]:
        return instead(frame) if (sender, count) == (role, number) else [frame]

    return wire


def swapped(role: Role, number: int) -> Wire:
    """A wire that gives a message after the next one of the same side, or never."""
    held: list[bytes] = []

    def wire(sender: Role, count: int, frame: bytes) -> Iterable[bytes]:
        if (sender, count) == (role, number):
            held.append(frame)
            return []
        if sender == role and held:
            return [frame, held.pop()]
        return [frame]

    return wire


def expected(role: Role, number: int) -> tuple[bool, bool]:
    """Who has a key if this message did not come as it was: Alice, if it was her last."""
    return (role == "alice" and number == len(said()[role]) - 1, False)


def run_fault(fault: str, role: Role, number: int) -> None:
    plan = small_plan()
    rng = np.random.default_rng([number, role == "bob"])
    if fault == "cut":
        ends = talk(plan, SEED, wire=at(role, number, lambda frame: []))
        check_ends(ends, released=expected(role, number))
    elif fault == "altered":

        def flip(frame: bytes) -> list[bytes]:
            bit = int(rng.integers(8 * len(frame)))
            spoilt = bytearray(frame)
            spoilt[bit // 8] ^= 1 << (bit % 8)
            return [bytes(spoilt)]

        ends = talk(plan, SEED, wire=at(role, number, flip))
        check_ends(ends, released=expected(role, number))
    elif fault == "body":

        def flip_body(frame: bytes) -> list[bytes]:
            spoilt = bytearray(body_of(frame))
            bit = int(rng.integers(8 * len(spoilt)))
            spoilt[bit // 8] ^= 1 << (bit % 8)
            return [with_body(frame, bytes(spoilt))]

        ends = talk(plan, SEED, wire=at(role, number, flip_body))
        check_ends(ends, released=expected(role, number))
    elif fault == "replayed":
        ends = talk(plan, SEED, wire=at(role, number, lambda frame: [frame, frame]))
        # A copy of the last message of a side comes after the end, and is not heard.
        final = number == len(said()[role]) - 1
        check_ends(ends, released=(True, True) if final else None)
        if not final:
            assert any(ending.value is None or ending.value.key is None for ending in ends)
    elif fault == "old":
        # The message of another session, of the same kind and number.
        other = talk(plan, SEED + 1)
        sent = other[0 if role == "alice" else 1].end.sent
        if number >= len(sent) or sent[number] == said()[role][number]:
            return
        ends = talk(plan, SEED, wire=at(role, number, lambda frame: [sent[number]]))
        check_ends(ends, released=expected(role, number))
    else:
        ends = talk(plan, SEED, wire=swapped(role, number))
        check_ends(ends)
        if number < len(said()[role]) - 1:
            # Two messages of one side in a row are given in the wrong order, or one never comes.
            assert ends[1].value is None or ends[1].value.key is None


FAULTS = ("cut", "altered", "body", "replayed", "old", "reordered")


@pytest.mark.parametrize("fault", FAULTS)
def test_no_wrong_key_whatever_happens_to_any_message(fault: str) -> None:
    for role, sent in said().items():
        for number in range(len(sent)):
            run_fault(fault, role, number)


def bodies(body: bytes, rng: np.random.Generator) -> dict[str, bytes]:
    """What a peer that lies may send in a message's place."""
    n = len(body)
    return {
        "nothing": b"",
        "one byte": b"\x01",
        "noise": rng.bytes(n),
        "ones": b"\xff" * n,
        "zeros": b"\0" * n,
        "longer": body + b"\0",
        "shorter": body[:-1],
        "a lot": rng.bytes(n + 100_000),
        "brackets": b"[" * 200_000,
        "huge number": b'{"rounds": ' + b"9" * 10_000 + b"}",
        "a list": b"[1, 2]",
    }


@pytest.mark.parametrize("role", ["alice", "bob"])
def test_garbage_in_place_of_a_message_never_makes_a_key(role: Role) -> None:
    rng = np.random.default_rng(3)
    inner = 0
    for sender, number in some():
        if sender != role:
            continue
        frame = said()[role][number]
        kind = frame[HEAD_BYTES : HEAD_BYTES + frame[3]]
        inner += kind in (b"parities", b"differences")
        if kind in (b"parities", b"differences") and inner > 2:
            continue
        for body in bodies(body_of(frame), rng).values():
            if body == body_of(frame):
                continue
            wire = at(role, number, lambda frame, body=body: [with_body(frame, body)])
            check_ends(talk(small_plan(), SEED, wire=wire), released=expected(role, number))


def test_a_peer_that_says_nothing_or_leaves() -> None:
    def silent() -> Any:
        yield Expect("never")

    def leaves() -> Any:
        return None
        yield Message("never")

    plan = small_plan()
    one, two = sides(plan, SEED)
    mine = seeded_auth(SEED)
    for other in (silent, leaves):
        ends = converse(alice(one, plan, law(), auth=mine[0], random=os.urandom), other())
        assert isinstance(ends[0].error, ChannelError)
        ends = converse(other(), bob(two, plan, law(), auth=mine[1], random=os.urandom))
        assert isinstance(ends[1].error, ChannelError)


DIFFERENT: dict[str, Any] = {
    "length": 100_000,
    "tolerated_errors": 10**6,
    "leak_cap": 10**9,
    "rounds": 5,
    "n": 10,
    "k": 1,
    "epsilon": 0.5,
    "protocol": "bbm92",
    "theorem": "lim-2021",
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_two_plans_make_no_key_and_it_is_said_where_they_differ(name: str) -> None:
    plan = small_plan()
    ends = talk(plan, SEED, others=changed(plan, **{name: DIFFERENT[name]}))
    check_ends(ends, released=(False, False))
    for ending in ends:
        assert f"both sides must have the same plan, but they differ in {name}" in str(ending.error)


def test_a_plan_in_another_form_is_no_plan() -> None:
    spaced = json.dumps(small_plan().to_dict()).encode()
    wire = at("bob", 0, lambda frame: [with_body(frame, spaced)])
    ends = talk(small_plan(), SEED, wire=wire)
    check_ends(ends, released=(False, False))
    assert "they differ in its form" in str(ends[0].error)


def test_rounds_of_two_runs_make_no_key() -> None:
    plan = small_plan()
    one, _ = sides(plan, 1)
    _, two = sides(plan, 2)
    mine = seeded_auth(1)
    ends = converse(
        alice(one, plan, law(), auth=mine[0], random=random_bytes(1, 0)),
        bob(two, plan, law(), auth=mine[1], random=random_bytes(1, 1)),
    )
    check_ends(ends, released=(False, False))
    assert ends[0].value is not None
    assert "is above the tolerated" in ends[0].value.reason


def test_two_pre_shared_keys_make_no_key() -> None:
    ends = talk(small_plan(), SEED, auth=(seeded_auth(1)[0], seeded_auth(2)[1]))
    check_ends(ends, released=(False, False))
    assert ends[0].value is not None
    assert "the peer has the pre-shared key" in ends[0].value.reason


def test_without_authentication_there_is_no_key() -> None:
    ends = talk(small_plan(), SEED, auth=(None, None))
    check_ends(ends, released=(False, False))
    assert ends[1].value is not None
    assert ends[1].value.reason.startswith("the channel was not authenticated")


def test_pads_that_are_spent_make_no_key() -> None:
    mine = Authenticator.in_memory(tags=1)
    check_ends(talk(small_plan(), SEED, auth=mine), released=(True, True))
    again = talk(small_plan(), SEED + 1, auth=mine)
    check_ends(again, released=(False, False))


def test_an_alice_who_chooses_other_numbers_of_rounds_is_refused() -> None:
    number = next(
        i for i, frame in enumerate(said()["alice"]) if b"chosen for the key" in frame[:40]
    )

    def less(frame: bytes) -> list[bytes]:
        body = bytearray(body_of(frame))
        body[8] ^= 0x80 if body[8] & 0x80 else 0x40
        return [with_body(frame, bytes(body))]

    ends = talk(small_plan(), SEED, wire=at("alice", number, less))
    check_ends(ends, released=(False, False))
    assert "the peer must choose" in str(ends[1].error)


def test_nothing_secret_is_said() -> None:
    """Neither the key nor the raw bits are in what passed, and nothing prints them."""
    ends = talk(small_plan(), SEED)
    value = ends[0].value
    assert value is not None
    assert value.key is not None
    assert value.raw is not None
    passed = ends[0].end.transcript()
    secret = value.key.reveal_bytes()
    assert secret[:16] not in passed
    assert np.packbits(value.raw).tobytes()[:16] not in passed
    for shown in (repr(ends[0]), repr(value), str(value), repr(value.key), repr(value.facts)):
        assert secret[:8].hex() not in shown
        assert repr(secret[:8])[2:-1] not in shown
        assert str(value.raw[:20].tolist())[1:-1] not in shown


def test_what_is_told_about_the_key_is_counted() -> None:
    """Alice's parities and the verification hash, to the bit; nothing else of hers depends on key bits."""
    ends = talk(small_plan(), SEED)
    value = ends[0].value
    assert value is not None
    assert value.facts["leak_bits"] == ends[0].end.leaked == value.facts["reconciliation_bits"] + 64
    assert ends[1].end.leaked == 0
    parities = [body_of(frame) for frame in said()["alice"] if b"parities" in frame[:24]]
    assert sum(8 * (len(b) - 1) - b[0] for b in parities) == value.facts["reconciliation_bits"]


def test_the_same_words_are_said_whatever_the_key_bits_are() -> None:
    """Both sides' key bits turned over alike: only parities, their hash and the tags may change."""
    plan = small_plan()
    one, two = sides(plan, SEED)
    chosen = talk(plan, SEED)[0].value
    assert chosen is not None
    assert chosen.rounds is not None
    rng = np.random.default_rng(1)
    turn = np.zeros(one.n, np.uint8)
    turn[chosen.rounds] = rng.integers(0, 2, len(chosen.rounds))
    for side in (one, two):
        side.bits[:] ^= turn
    mine = seeded_auth(SEED)
    ends = converse(
        alice(one, plan, law(), auth=mine[0], random=random_bytes(SEED, 0)),
        bob(two, plan, law(), auth=mine[1], random=random_bytes(SEED, 1)),
    )
    check_ends(ends, released=(True, True))
    told: dict[Role, set[bytes]] = {"alice": set(), "bob": set()}
    for role, ending in zip(told, ends, strict=True):
        assert len(ending.end.sent) == len(said()[role])
        for old, new in zip(said()[role], ending.end.sent, strict=True):
            if old != new:
                told[role].add(old[HEAD_BYTES : HEAD_BYTES + old[3]])
    assert told["alice"] == {b"parities", b"hash", b"auth tag"}
    assert told["bob"] == {b"auth tag"}


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_a_line_that_errs_more_than_planned_gives_no_key(rate: float) -> None:
    ends = talk(small_plan(), SEED, errors=rate)
    check_ends(ends, released=(False, False))
    assert [ending.value is not None and ending.value.reason for ending in ends].count(
        ends[0].value.reason if ends[0].value else ""
    ) == 2


def test_too_few_rounds_for_the_plan_give_no_key() -> None:
    plan: KeyPlan = small_plan()
    bigger = changed(plan, n=plan.rounds)
    ends = talk(bigger, SEED)
    check_ends(ends, released=(False, False))
    assert ends[0].value is not None
    assert ends[0].value.reason.startswith("too few rounds: the plan needs 10,000 for the key")
