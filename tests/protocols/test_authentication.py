"""Authentication: honest sides agree, and sides that do not fit are told why."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from ebit.analysis.polynomial_hash import forgery_bound
from ebit.protocols.authentication import Authenticator, AuthKey, new_auth_key
from ebit.protocols.conversation import (
    ChannelError,
    Expect,
    Message,
    Party,
    Role,
    converse,
)
from ebit.protocols.secret_bits import SecretBits
from tests.analysis.gf128help import by_hand
from tests.protocols.authhelp import (
    alice,
    run,
    seeded,
)


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


def test_keys_are_not_shown() -> None:
    key = AuthKey.in_memory(random=lambda count: b"s" * count)[0]
    assert "ssss" not in repr(key) + str(key.status()) + repr(Authenticator(key)._hash)
