"""Two parties that make a key of what they say, for tests of authentication."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ebit.protocols.authentication import Authenticator, Sealed, authenticate
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


def check_no_key(keys: list[bytes | None], at: tuple[Role, int], what: object = "") -> None:
    """Neither side has a key; if only the last message was touched, Alice has hers."""
    assert keys[1] is None, (at, what)
    assert keys[0] == (b"alice's seed\4\5\6" if at == LAST else None), (at, what)
