"""Two parties that speak only through a channel: messages, frames, transcripts, and what they leak.

A party is a generator. It yields a `Message` to send it, and an `Expect` to wait for the other side's
next message, whose body it is given::

    def bob(key):
        asked = yield Expect("asked")
        yield Message("parities", answer(key, asked), leaks=8 * len(asked))
        return key

It yields a `Transcript` to be given all that was said so far, which `ebit.protocols.authentication`
needs. `converse` runs two parties in one process; `ebit.protocols.tcp` runs one against a socket.
Neither party can reach what the other holds: all that passes is bytes, and all of them are kept.
"""

from __future__ import annotations

import hashlib
import struct
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar, cast

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
    "Runner",
    "Transcript",
    "Wire",
    "converse",
    "read_head",
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
_PEER: dict[Role, Role] = {"alice": "bob", "bob": "alice"}


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


@dataclass(frozen=True)
class Transcript:
    """That a party asks for all that was said so far: it is given `Endpoint.transcript()`."""


Party = Generator[Message | Expect | Transcript, bytes, T]
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
        """Return the frame of a message to send, and keep it.

        Raises:
            ChannelError: the body is larger than the other side would accept.
        """
        kind = message.kind.encode("ascii")
        if len(message.body) > MOST_BYTES:
            raise ChannelError(
                f"a message must have at most {MOST_BYTES} bytes, but {message.kind!r} has "
                f"{len(message.body)}: use fewer rounds"
            )
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
                f"message {number} must have {body_bytes} bytes, but had {len(body)}: changed on the way"
            )
        self.received.append(frame)
        return body

    def streams(self) -> tuple[bytes, bytes]:
        """Return all frames that Alice sent, and all that Bob sent, each preceded by its length."""
        mine, other = _joined(self.sent), _joined(self.received)
        return (mine, other) if self.role == "alice" else (other, mine)

    def transcript(self) -> bytes:
        """Return both streams, Alice's first, each after its length in 8 bytes: the same at both ends."""
        return b"".join(
            part for stream in self.streams() for part in (len(stream).to_bytes(8, "big"), stream)
        )

    def digest(self) -> bytes:
        """Return the SHA-256 of the transcript, the same at both ends."""
        return hashlib.sha256(self.transcript()).digest()


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


class Runner(Generic[T]):
    """A party and its end of the channel.

    Attributes:
        end: its end of the channel.
        expects: what it waits for, None before it began and after it ended.
        ending: how it ended, None as long as it has not.
    """

    def __init__(self, party: Party[T], role: Role) -> None:
        self.party, self.end = party, Endpoint(role)
        self.expects: Expect | None = None
        self.ending: Ending[T] | None = None

    def begin(self, send: Callable[[bytes], None]) -> None:
        """Run the party until it waits for a message or ends.

        Args:
            send: takes each frame that it sends; a ChannelError of it is raised inside the party.
        """
        self._go_on(None, send)

    def deliver(self, frame: bytes, send: Callable[[bytes], None]) -> None:
        """Give a frame to the party that waits for it, and run it until it waits again or ends."""
        given: bytes | EbitError
        try:
            given = self.end.unpack(frame, self.expects or Expect(""))
        except ChannelError as error:
            given = error
        self._go_on(given, send)

    def fail(self, error: EbitError, send: Callable[[bytes], None]) -> None:
        """Raise inside the party that what it waits for will not come."""
        self._go_on(error, send)

    def _go_on(self, given: bytes | EbitError | None, send: Callable[[bytes], None]) -> None:
        self.expects = None
        while True:
            try:
                if isinstance(given, EbitError):
                    asked = self.party.throw(given)
                else:
                    asked = self.party.send(given)  # type: ignore[arg-type]
            except StopIteration as stop:
                self.ending = Ending(stop.value, None, self.end)
                return
            except EbitError as error:
                self.ending = Ending(None, error, self.end)
                return
            given = b""
            if isinstance(asked, Expect):
                self.expects = asked
                self.end.turns += 1
                return
            if isinstance(asked, Transcript):
                given = self.end.transcript()
                continue
            try:
                send(self.end.pack(asked))
            except ChannelError as error:
                given = error


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
    runners: dict[Role, Runner[Any]] = {
        "alice": Runner(alice, "alice"),
        "bob": Runner(bob, "bob"),
    }
    waiting: dict[Role, deque[bytes]] = {"alice": deque(), "bob": deque()}

    def sender(role: Role) -> Callable[[bytes], None]:
        queue = waiting[_PEER[role]]

        def send(frame: bytes) -> None:
            number = len(runners[role].end.sent) - 1
            queue.extend([frame] if wire is None else wire(role, number, frame))

        return send

    sends = {role: sender(role) for role in runners}
    for role, runner in runners.items():
        runner.begin(sends[role])
    while any(runner.ending is None for runner in runners.values()):
        moved = False
        for role, runner in runners.items():
            while runner.ending is None and waiting[role]:
                runner.deliver(waiting[role].popleft(), sends[role])
                moved = True
            if runner.ending is None and runners[_PEER[role]].ending is not None:
                wanted = cast("Expect", runner.expects).kind
                error = ChannelError(f"the peer left before it sent {wanted!r}")
                runner.fail(error, sends[role])
                moved = True
        if not moved:  # each waits for the other: something was swallowed
            for role, runner in runners.items():
                if runner.expects is not None:
                    wanted = runner.expects.kind
                    runner.fail(ChannelError(f"the peer's {wanted!r} never came"), sends[role])
    a, b = (cast("Ending[Any]", runner.ending) for runner in runners.values())
    return a, b
