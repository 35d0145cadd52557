"""Authentication: honest sides agree, and whatever is done on the way, no key comes out."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebit.analysis.polynomial_hash import forgery_bound
from ebit.protocols.authentication import Authenticator, AuthKey, Sealed, authenticate
from ebit.protocols.conversation import (
    ChannelError,
    Ending,
    Expect,
    Message,
    Party,
    Role,
    Wire,
    converse,
)
from ebit.protocols.secret_bits import SecretBits
from tests.analysis.gf128help import by_hand

Found = tuple[bytes | None, Sealed]
Pair = tuple[Authenticator, Authenticator]


def alice(auth: Authenticator, word: bytes = b"alice's seed") -> Party[Found]:
    """Makes a key of what was said; nobody has it before the conversation is authenticated."""
    yield Message("bases", b"\1\2\3")
    heard = yield Expect("bases")
    yield Message("seed", word)
    sealed = yield from authenticate(auth)
    return (word + heard if sealed.ok else None), sealed


def bob(auth: Authenticator, word: bytes = b"\4\5\6") -> Party[Found]:
    yield Expect("bases")
    yield Message("bases", word)
    heard = yield Expect("seed")
    sealed = yield from authenticate(auth)
    return (heard + word if sealed.ok else None), sealed


def keys_of(endings: tuple[Ending[Found], Ending[Found]]) -> list[bytes | None]:
    return [None if e.error is not None or e.value is None else e.value[0] for e in endings]


def run(pair: Pair, wire: Wire | None = None) -> tuple[list[bytes | None], list[Sealed | None]]:
    endings = converse(alice(pair[0]), bob(pair[1]), wire=wire)
    for ending in endings:
        assert ending.error is None or isinstance(ending.error, ChannelError)
    return keys_of(endings), [None if e.value is None else e.value[1] for e in endings]


def seeded(seed: int) -> Pair:
    return Authenticator.in_memory(tags=3, random=np.random.default_rng(seed).bytes)


# Frames of each side in an honest run: Alice's bases, seed, offer, tag; Bob's bases, offer, tag.
FRAMES: list[tuple[Role, int]] = [("alice", k) for k in range(4)] + [("bob", k) for k in range(3)]
LAST = ("alice", 3)


def honest_frames() -> dict[tuple[Role, int], bytes]:
    found: dict[tuple[Role, int], bytes] = {}

    def record(role: Role, number: int, frame: bytes) -> Iterable[bytes]:
        found[role, number] = frame
        return [frame]

    run(seeded(0), record)
    assert sorted(found) == sorted(FRAMES)
    return found


def test_honest_sides_agree() -> None:
    pair = Authenticator.in_memory(tags=3)
    for session in range(3):
        keys, (a, b) = run(pair)
        assert keys[0] == keys[1] == b"alice's seed\4\5\6"
        assert a is not None
        assert b is not None
        assert (a.ok, b.ok, a.reason, b.reason) == (True, True, "", "")
        assert (a.sent_pad, a.received_pad, b.sent_pad, b.received_pad) == (session,) * 4
        assert a.bits_spent == b.bits_spent == 256
        assert a.tags_left == b.tags_left == 2 - session
        assert a.bits_left == b.bits_left == 256 * (2 - session)
        assert a.transcript_bytes == b.transcript_bytes > 200
        assert a.tag_epsilon == forgery_bound(2**30 + 48) < 2.0**-101
        assert a.epsilon == 2 * a.tag_epsilon
        assert a.secrecy == "own"
        assert a.to_dict()["ok"] is True
        assert str(a).startswith("authenticated; 256 bits")


def test_a_tag_is_hash_and_pad_worked_out_by_hand() -> None:
    drawn: list[bytes] = []
    rng = np.random.default_rng(7)

    def draw(count: int) -> bytes:
        drawn.append(rng.bytes(count))
        return drawn[-1]

    a, b = Authenticator.in_memory(tags=2, random=draw)
    name, key, pads = drawn
    for number in range(2):
        for auth, role, place in ((a, 1, 0), (b, 2, 16)):
            found, tag = auth.tag(b"all that was said")
            assert found == number
            prefix = (
                b"ebit auth 1\0" + bytes([role, 0, 0, 0]) + number.to_bytes(8, "big") + bytes(8)
            )
            value = by_hand(key, prefix + name + b"all that was said")
            pad = pads[32 * number + place :][:16]
            assert tag == bytes(x ^ y for x, y in zip(value, pad, strict=True))


def flipped(at: tuple[Role, int], bit: int) -> Wire:
    def wire(role: Role, number: int, frame: bytes) -> Iterable[bytes]:
        if (role, number) != at:
            return [frame]
        spoilt = bytearray(frame)
        spoilt[bit // 8] ^= 0x80 >> bit % 8
        return [bytes(spoilt)]

    return wire


def check_no_key(keys: list[bytes | None], at: tuple[Role, int], what: object = "") -> None:
    """Neither side has a key; if only the last message was touched, Alice has hers."""
    assert keys[1] is None, (at, what)
    assert keys[0] == (b"alice's seed\4\5\6" if at == LAST else None), (at, what)


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


@pytest.mark.parametrize("role", ["alice", "bob"])
def test_both_with_the_same_file_and_no_key(role: Role) -> None:
    mine = seeded(5)[0 if role == "alice" else 1]
    other = seeded(5)[0 if role == "alice" else 1]
    keys, ends = run((mine, other))
    assert keys == [None, None]
    for end in ends:
        assert end is not None
        assert f"both sides have the file of {role}" in end.reason


def test_spent_pads_are_told_and_made_up_for() -> None:
    pair = seeded(6)
    for _ in range(3):
        run(pair)
    for auth in pair:
        with pytest.raises(
            Exception, match=r"no pad left for a tag of \w+: append the same"
        ) as found:
            auth.check_ready()
        assert found.value.exit_code == 3  # type: ignore[attr-defined]
    keys, ends = run(pair)
    assert keys == [None, None]
    assert ends[0] is not None
    assert ends[1] is not None
    assert "no pad left for a tag: append the same delivered key" in ends[1].reason
    assert "the peer refuses: its pads are spent" in ends[0].reason
    more = SecretBits.of_bytes(np.random.default_rng(8).bytes(100))
    assert [auth.key.append(more) for auth in pair] == [3, 3]
    for auth in pair:
        auth.check_ready()
    keys, ends = run(pair)
    assert keys[0] == keys[1] is not None
    assert ends[0] is not None
    assert (ends[0].sent_pad, ends[0].tags_left) == (3, 2)


def test_who_has_appended_alone_is_told_so() -> None:
    a, b = seeded(6)
    for _ in range(3):
        run((a, b))
    b.key.append(SecretBits.of_bytes(bytes(range(64))))
    keys, ends = run((a, b))
    assert keys == [None, None]
    assert ends[0] is not None
    assert "the peer used pad 3, but this file has only 3: append the same" in ends[0].reason


def test_a_conversation_longer_than_a_tag_may_cover(tmp_path: Path) -> None:
    from ebit.protocols.authentication import new_auth_key

    paths = new_auth_key(tmp_path / "us", tags=2, most_bytes=100)
    pair = Authenticator(paths[0]), Authenticator(str(paths[1]))
    keys, ends = run(pair)
    assert keys == [None, None]
    for end in ends:
        assert end is not None
    assert "covers 100 at most" in str(ends[1])
    assert "longer than a tag may cover" in str(ends[0])
    assert pair[0].key.status().to_send == 2  # nothing was spent


@dataclass
class Crooked:
    """A peer that says what it is told to."""

    bodies: list[tuple[str, bytes]] = field(default_factory=list)

    def party(self) -> Party[None]:
        yield Expect("bases")
        yield Message("bases", b"\4\5\6")
        yield Expect("seed")
        for kind, body in self.bodies:
            yield Message(kind, body)
        yield Expect("never")


def offer_of(auth: Authenticator, number: int = 0, seen: int = 0) -> bytes:
    role = {"alice": 1, "bob": 2}[auth.role]
    return bytes([role]) + bytes.fromhex(auth.key.id) + number.to_bytes(8) + seen.to_bytes(8)


@pytest.mark.parametrize("body", [b"", b"x", bytes(32), bytes(34)])
def test_an_offer_that_is_none(body: bytes) -> None:
    ending = converse(alice(seeded(0)[0]), Crooked([("auth offer", body)]).party())[0]
    assert isinstance(ending.error, ChannelError)
    assert "an offer to authenticate must have 33 bytes" in str(ending.error)


@pytest.mark.parametrize("size", [0, 8, 9, 24, 26])
def test_a_tag_of_another_size(size: int) -> None:
    a, b = seeded(0)
    peer = Crooked([("auth offer", offer_of(b)), ("auth tag", bytes(size))])
    ending = converse(alice(a), peer.party())[0]
    assert isinstance(ending.error, ChannelError)
    assert f"must have 25 or 9 bytes, but had {size}" in str(ending.error)


def test_a_refusal_that_this_version_does_not_know() -> None:
    a, b = seeded(0)
    peer = Crooked([("auth offer", offer_of(b)), ("auth tag", bytes([77]) + bytes(8))])
    ending = converse(alice(a), peer.party())[0]
    assert "the peer refuses: its reason is 77" in ending.result()[1].reason


def test_a_peer_that_lies_about_positions_spends_nothing() -> None:
    a, b = seeded(0)
    for number, seen, words in (
        (2**64 - 1, 0, "but this file has only 3"),
        (0, 2**64 - 1, "key file is an old copy"),
        (2, 0, "tag of bob is wrong"),
    ):
        tag = bytes([0]) + number.to_bytes(8) + bytes(16)
        peer = Crooked([("auth offer", offer_of(b, number, seen)), ("auth tag", tag)])
        key, sealed = converse(alice(a), peer.party())[0].result()
        assert key is None
        assert words in sealed.reason
    status = a.key.status()
    assert (status.to_send, status.to_receive) == (3, 3)


def test_a_demonstration_says_so() -> None:
    pair = seeded(0)
    _, ends = run(pair)
    assert ends[0] is not None
    assert ends[0].secrecy == "demonstration"
    assert "demonstration: the pre-shared key is not secret" in str(ends[0])
    assert "demonstration: not secret" in str(pair[0].key.status())


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


def test_keys_are_not_shown() -> None:
    key = AuthKey.in_memory(random=lambda count: b"s" * count)[0]
    assert "ssss" not in repr(key) + str(key.status()) + repr(Authenticator(key)._hash)
