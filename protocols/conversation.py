"""Two parties that speak only through a channel: messages, frames, transcripts, and what they leak.

A party is a generator. It yields a `Message` to send it, and an `Expect` to wait for the other side's
next message, whose body it is given::

    def bob(key):
        asked = yield Expect("asked")
        yield Message("parities", answer(key, asked), leaks=8 * len(asked))
        return key

`converse` runs two of them in one process; `ebit.protocols.tcp` runs one against a socket. Neither
party can reach what the other holds: all that passes is bytes, and all of them are kept.
"""

from __future__ import annotations

import hashlib
import struct
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from ebit.games import EbitError

__all__ = [
    "VERSION",
    "ChannelError",
    "Ending",
    "Endpoint",
    "Expect",
    "Message",
    "Party",
    "Role",
    "Wire",
    "converse",
]

VERSION = 1
"""Version of the frames and of what is said in them; both sides must speak the same."""

_HEAD = struct.Struct(">2sBBII")  # mark, version, bytes of the kind, number, bytes of the body
_MARK = b"eb"
HEAD_BYTES = _HEAD.size
MOST_BYTES = 1 << 28
"""Bytes of a body that are accepted."""

Role = Literal["alice", "bob"]
T = TypeVar("T")


class ChannelError(EbitError):
    """What came over the channel is not what the protocol expects, or nothing came."""

    exit_code = 1


@dataclass(frozen=True)
class Message:
    """What a party says.

    Attributes:
        kind: a short name; the other side must expect the same.
        body: the bytes.
        leaks: bits that it tells about the raw key to whoever listens.
    """

    kind: str
    body: bytes = b""
    leaks: int = 0


@dataclass(frozen=True)
class Expect:
    """That a party waits for a message of this kind."""

    kind: str


Party = Generator[Message | Expect, bytes, T]
Wire = Callable[[Role, int, bytes], Iterable[bytes]]
"""What happens to a frame on its way: (who sent it, its number, the frame) -> frames delivered."""


@dataclass
class Endpoint:
    """One party's end of the channel: numbers and checks frames, and keeps all of them.

    The transcript is two streams, what Alice sent and what Bob sent, each in its order. Both ends have
    the same one if nothing was changed on the way, whatever the two streams' order in time.

    Attributes:
        role: whose end this is.
        sent, received: the frames.
        leaked: bits that this end's messages told about the raw key.
        turns: how often this end waited for an answer: round trips of the protocol.
    """

    role: Role
    sent: list[bytes] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)
    leaked: int = 0
    turns: int = 0

    def pack(self, message: Message) -> bytes:
        """Return the frame of a message to send, and keep it."""
        kind = message.kind.encode("ascii")
        frame = (
            _HEAD.pack(_MARK, VERSION, len(kind), len(self.sent), len(message.body))
            + kind
            + message.body
        )
        self.sent.append(frame)
        self.leaked += message.leaks
        return frame

    def unpack(self, frame: bytes, expected: Expect) -> bytes:
        """Return the body of a frame that came, and keep it.

        Raises:
            ChannelError: another version, number, kind or length than expected.
        """
        kind_bytes, number, body_bytes = read_head(frame[:HEAD_BYTES])
        kind = frame[HEAD_BYTES : HEAD_BYTES + kind_bytes].decode("ascii", "replace")
        if number != len(self.received):
            raise ChannelError(
                f"message {len(self.received)} of the peer was due, but number {number} came: messages "
                "were lost, repeated or put into another order"
            )
        if kind != expected.kind:
            raise ChannelError(f"the peer must send {expected.kind!r} now, but sent {kind!r}")
        body = frame[HEAD_BYTES + kind_bytes :]
        if len(body) != body_bytes:
            raise ChannelError(
                f"message {number} must have {body_bytes} bytes, but had {len(body)}: cut on the way"
            )
        self.received.append(frame)
        return body

    def streams(self) -> tuple[bytes, bytes]:
        """Return all frames that Alice sent, and all that Bob sent, each preceded by its length."""
        mine, other = _joined(self.sent), _joined(self.received)
        return (mine, other) if self.role == "alice" else (other, mine)

    def digest(self) -> bytes:
        """Return the SHA-256 of the transcript, the same at both ends."""
        found = hashlib.sha256()
        for stream in self.streams():
            found.update(len(stream).to_bytes(8, "big") + stream)
        return found.digest()


def read_head(head: bytes) -> tuple[int, int, int]:
    """Return (bytes of the kind, number, bytes of the body) of a frame's first bytes.

    Raises:
        ChannelError: they are not those of a frame, or of another version's.
    """
    if len(head) < HEAD_BYTES:
        raise ChannelError(f"a message must begin with {HEAD_BYTES} bytes, but had {len(head)}")
    mark, version, kind, number, body = _HEAD.unpack(head)
    if mark != _MARK:
        raise ChannelError("the peer does not speak ebit's key protocol: check host and port")
    if version != VERSION:
        raise ChannelError(
            f"the peer speaks version {version} of the key protocol, and this is version {VERSION}: "
            "use the same release of ebit on both sides"
        )
    if body > MOST_BYTES:
        raise ChannelError(f"a message must have at most {MOST_BYTES} bytes, but announces {body}")
    return int(kind), int(number), int(body)


def _joined(frames: list[bytes]) -> bytes:
    return b"".join(part for frame in frames for part in (len(frame).to_bytes(4, "big"), frame))


@dataclass(frozen=True)
class Ending(Generic[T]):
    """How a party ended.

    Attributes:
        value: what it returned, None if it failed.
        error: why it failed, None if it did not.
        end: its end of the channel.
    """

    value: T | None
    error: EbitError | None
    end: Endpoint

    def result(self) -> T:
        """Return what the party returned, or raise what stopped it."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]


class _Runner(Generic[T]):
    """A party, its end of the channel, and the frames that wait for it."""

    def __init__(self, party: Party[T], role: Role) -> None:
        self.party, self.end = party, Endpoint(role)
        self.waiting: deque[bytes] = deque()
        self.expects: Expect | None = None
        self.ending: Ending[T] | None = None
        self._begun = False

    def advance(self, send: Callable[[bytes], None], peer_ended: Callable[[], bool]) -> bool:
        """Run until the party waits for what has not come; whether it did anything."""
        moved = False
        while self.ending is None:
            body = b""
            if self.expects is not None:
                if self.waiting:
                    try:
                        body = self.end.unpack(self.waiting.popleft(), self.expects)
                    except ChannelError as error:
                        self._step(error, send)
                        moved = True
                        continue
                elif peer_ended():
                    wanted = self.expects.kind
                    self._step(ChannelError(f"the peer left before it sent {wanted!r}"), send)
                    moved = True
                    continue
                else:
                    return moved
            self._step(body, send)
            moved = True
        return moved

    def _step(self, given: bytes | ChannelError, send: Callable[[bytes], None]) -> None:
        try:
            if isinstance(given, ChannelError):
                asked = self.party.throw(given)
            else:
                asked = self.party.send(given if self._begun else None)  # type: ignore[arg-type]
                self._begun = True
        except StopIteration as stop:
            self.ending = Ending(stop.value, None, self.end)
            return
        except EbitError as error:
            self.ending = Ending(None, error, self.end)
            return
        self.expects = asked if isinstance(asked, Expect) else None
        if isinstance(asked, Message):
            send(self.end.pack(asked))
        else:
            self.end.turns += 1


def converse(
    alice: Party[Any], bob: Party[Any], *, wire: Wire | None = None
) -> tuple[Ending[Any], Ending[Any]]:
    """Run two parties in one process until both have ended.

    Args:
        alice, bob: the parties.
        wire: what happens to each frame on its way, nothing if left out: it may drop, repeat, change
            or replace frames.

    Returns:
        How each ended. A party that waits for a peer that has left, or for a message that the wire
        has swallowed, fails with a ChannelError.

    Example:
        >>> def asks():
        ...     yield Message("hello", b"who are you?")
        ...     return (yield Expect("name")).decode()
        >>> def answers():
        ...     yield Expect("hello")
        ...     yield Message("name", b"Bob")
        >>> converse(asks(), answers())[0].result()
        'Bob'
    """
    runners = {"alice": _Runner(alice, "alice"), "bob": _Runner(bob, "bob")}

    def deliver(role: Role) -> Callable[[bytes], None]:
        peer = runners["bob" if role == "alice" else "alice"]

        def send(frame: bytes) -> None:
            number = len(runners[role].end.sent) - 1
            peer.waiting.extend([frame] if wire is None else wire(role, number, frame))

        return send

    a, b = runners["alice"], runners["bob"]
    send_a, send_b = deliver("alice"), deliver("bob")
    while a.ending is None or b.ending is None:
        moved = a.advance(send_a, lambda: b.ending is not None)
        moved = b.advance(send_b, lambda: a.ending is not None) or moved
        if not moved:  # each waits for the other: something was swallowed
            for runner, send in ((a, send_a), (b, send_b)):
                if runner.ending is None and runner.expects is not None:
                    wanted = runner.expects.kind
                    runner._step(ChannelError(f"the peer's {wanted!r} never came"), send)
    return a.ending, b.ending
