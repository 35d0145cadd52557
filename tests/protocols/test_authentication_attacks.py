"""Whatever is done on the way, no key comes out."""

from __future__ import annotations

import random
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebit.protocols.authentication import Authenticator
from ebit.protocols.conversation import (
    Ending,
    Expect,
    Message,
    Party,
    Role,
    Wire,
    converse,
)
from tests.protocols.authhelp import (
    FRAMES,
    LAST,
    Found,
    alice,
    bob,
    check_no_key,
    honest_frames,
    keys_of,
    run,
    seeded,
)


def flipped(at: tuple[Role, int], bit: int) -> Wire:
    def wire(role: Role, number: int, frame: bytes) -> Iterable[bytes]:
        if (role, number) != at:
            return [frame]
        spoilt = bytearray(frame)
        spoilt[bit // 8] ^= 0x80 >> bit % 8
        return [bytes(spoilt)]

    return wire


@pytest.mark.parametrize("step", [13, pytest.param(1, marks=pytest.mark.slow)])
def test_one_changed_bit_anywhere_and_no_key(step: int) -> None:
    cases = 0
    for at, frame in honest_frames().items():
        for bit in range(0, 8 * len(frame), step):
            check_no_key(run(seeded(0), flipped(at, bit))[0], at, bit)
            cases += 1
    print(f"\n{cases} changed bits, no key")
    assert cases > 2100 / step


@pytest.mark.parametrize("at", FRAMES)
@pytest.mark.parametrize("fault", ["drop", "cut", "longer", "empty", "zeros"])
def test_a_message_that_is_not_what_was_sent_and_no_key(at: tuple[Role, int], fault: str) -> None:
    def wire(role: Role, number: int, frame: bytes) -> Iterable[bytes]:
        if (role, number) != at:
            return [frame]
        return {
            "drop": [],
            "cut": [frame[:-1]],
            "longer": [frame + b"\0"],
            "empty": [b""],
            "zeros": [bytes(len(frame))],
        }[fault]

    check_no_key(run(seeded(0), wire)[0], at)


@pytest.mark.parametrize("at", [at for at in FRAMES if at not in (LAST, ("bob", 2))])
def test_a_message_twice_and_no_key(at: tuple[Role, int]) -> None:
    wire = lambda role, number, frame: [frame] * (2 if (role, number) == at else 1)  # noqa: E731
    keys, _ = run(seeded(0), wire)
    assert None in keys


@pytest.mark.parametrize(
    ("role", "first"), [("alice", 0), ("alice", 1), ("alice", 2), ("bob", 0), ("bob", 1)]
)
def test_messages_in_another_order_and_no_key(role: Role, first: int) -> None:
    held: list[bytes] = []

    def wire(who: Role, number: int, frame: bytes) -> Iterable[bytes]:
        if who == role and number == first:
            held.append(frame)
            return []
        if who == role and number == first + 1:
            return [frame, *held]
        return [frame]

    assert run(seeded(0), wire)[0] == [None, None]


@pytest.mark.parametrize("at", FRAMES)
def test_a_message_of_an_old_session_and_no_key(at: tuple[Role, int]) -> None:
    old: dict[tuple[Role, int], bytes] = {}

    def record(role: Role, number: int, frame: bytes) -> Iterable[bytes]:
        old[role, number] = frame
        return [frame]

    pair = seeded(0)
    assert run(pair, record)[0][0] is not None
    keys, ends = run(pair, lambda *sent: [old[at] if sent[:2] == at else sent[2]])
    if old[at].endswith((b"\1\2\3", b"\4\5\6", b"alice's seed")):  # nothing in it has changed
        assert keys == [b"alice's seed\4\5\6"] * 2
        return
    check_no_key(keys, at)
    assert any("used before" in end.reason for end in ends if end is not None)


@pytest.mark.parametrize("replayed", ["alice", "bob"])
def test_all_of_an_old_session_and_no_key(replayed: Role) -> None:
    old: dict[Role, list[bytes]] = {"alice": [], "bob": []}

    def record(role: Role, number: int, frame: bytes) -> Iterable[bytes]:
        old[role].append(frame)
        return [frame]

    pair = seeded(0)
    run(pair, record)

    def play() -> Party[None]:
        yield Message("unused")
        for _ in range(9):
            yield Expect("never")

    def wire(role: Role, number: int, frame: bytes) -> Iterable[bytes]:
        return old[replayed] if role == replayed and number == 0 else []

    if replayed == "bob":
        ending: Ending[Found] = converse(alice(pair[0]), play(), wire=wire)[0]
    else:
        ending = converse(play(), bob(pair[1]), wire=wire)[1]
    assert ending.value is not None
    assert ending.value[0] is None
    assert "used before" in ending.value[1].reason
    assert ending.value[1].sent_pad is None


def test_a_tag_is_right_once() -> None:
    a, b = seeded(1)
    number, tag = a.tag(b"said")
    assert not b.check(b"sold", number, tag)
    assert not b.check(b"said", number, bytes(16))
    assert b.check(b"said", number, tag)
    with pytest.raises(Exception, match="pad 0 of alice was used before, 1 is the next"):
        b.check(b"said", number, tag)
    assert b.key.status().attempts == 3


def test_sides_and_numbers_have_tags_of_their_own() -> None:
    a, b = seeded(1)
    _, tag = a.tag(b"said")
    a.tag(b"said")
    assert not a.check(b"said", 0, tag)  # her own, sent back
    assert not b.check(b"said", 1, tag)
    assert b.check(b"said", 0, tag)


class Eve:
    """Somebody with a key of her own who says that it is theirs."""

    def __init__(self, name: bytes) -> None:
        drawn = iter([name])
        rng = np.random.default_rng(99)
        self.alice, self.bob = Authenticator.in_memory(
            tags=3, random=lambda count: next(drawn, None) or rng.bytes(count)
        )


def test_a_man_in_the_middle_with_keys_of_her_own_and_no_key() -> None:
    a, b = Authenticator.in_memory()
    eve = Eve(bytes.fromhex(a.key.id))
    assert eve.alice.key.id == a.key.id
    with_alice = converse(alice(a), bob(eve.bob))
    with_bob = converse(alice(eve.alice), bob(b))
    assert keys_of(with_alice) == [None, None]
    assert keys_of(with_bob) == [None, None]
    assert "tag of bob is wrong" in with_alice[0].result()[1].reason
    assert with_alice[0].result()[1].sent_pad is None  # no tag of hers left
    assert "the peer refuses: the tag that it was sent is wrong" in with_bob[1].result()[1].reason


def test_who_has_another_key_is_told_so() -> None:
    one, other = seeded(1), seeded(2)
    keys, ends = run((one[0], other[1]))
    assert keys == [None, None]
    for end in ends:
        assert end is not None
        assert "has the pre-shared key" in end.reason
        assert end.bits_spent == 0


def test_a_middle_that_passes_the_tags_on_and_no_key() -> None:
    # She changes what Bob says, and says it back to him as he said it: both tags are real.
    a, b = seeded(3)
    wire = lambda role, number, frame: [frame.replace(b"\4\5\6", b"\4\5\7")]  # noqa: E731
    keys, (one, other) = run((a, b), wire)
    assert keys == [None, None]
    assert one is not None
    assert "tag of bob is wrong" in one.reason
    assert other is not None
    assert other.reason == "the peer refuses: the tag that it was sent is wrong"
    assert (one.bits_spent, other.bits_spent) == (128, 128)
    # Nothing of it stands in the way of the next session.
    keys, ends = run((a, b))
    assert keys[0] == keys[1] is not None
    assert [end.received_pad for end in ends if end is not None] == [1, 0]


@given(st.integers(0, 2**32))
def test_random_tags_are_wrong(seed: int) -> None:
    a, b = seeded(4)
    number, tag = a.tag(b"said")
    guess = np.random.default_rng(seed).bytes(16)
    assert b.check(b"said", number, guess) == (guess == tag)


def test_faults_at_random_and_no_key() -> None:
    rng = random.Random(11)
    frames = honest_frames()
    for _ in range(300):
        at = rng.choice(FRAMES[:3] + FRAMES[4:])
        size = len(frames[at])
        noise = rng.randbytes(rng.randrange(1, size))
        place = rng.randrange(size)

        def wire(
            role: Role,
            number: int,
            frame: bytes,
            at=at,
            noise=noise,
            place=place,  # type: ignore[no-untyped-def]
        ) -> Iterable[bytes]:
            spoilt = (frame[:place] + noise + frame[place + len(noise) :])[: len(frame)]
            return [spoilt if (role, number) == at else frame]

        keys, _ = run(seeded(0), wire)
        changed = (frames[at][:place] + noise + frames[at][place + len(noise) :])[:size]
        assert keys == [None, None] or changed == frames[at]
