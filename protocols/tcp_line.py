"""Frames over a socket: whole messages within a time, whatever the other side does."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress

from ebit.protocols.conversation import HEAD_BYTES, VERSION, ChannelError, Role, read_head

__all__ = ["GREETING_BYTES", "Line", "check_greeting", "greeting"]

_GREETING = struct.Struct(">4sBB")  # mark, version of the frames, role
_MARK = b"ebit"
GREETING_BYTES = _GREETING.size
_ROLES: dict[Role, int] = {"alice": 1, "bob": 2}
_CHUNK = 1 << 18
_FAREWELL = 2.0  # seconds for the peer to take what was sent last
_OFTEN = 1.0  # seconds between lines of progress


def greeting(role: Role) -> bytes:
    """Return what a side says first.

    Example:
        >>> greeting("bob")
        b'ebit\\x01\\x02'
    """
    return _GREETING.pack(_MARK, VERSION, _ROLES[role])


def check_greeting(said: bytes, role: Role) -> None:
    """Check what the peer has said first.

    Args:
        said: its first bytes. role: of this side.

    Raises:
        ChannelError: it is no peer, speaks another version, or has the same role.

    Example:
        >>> check_greeting(greeting("alice"), "bob")
    """
    mark, version, other = _GREETING.unpack(said)
    if mark != _MARK:
        raise ChannelError("the peer does not speak ebit's key protocol: check host and port")
    if version != VERSION:
        raise ChannelError(
            f"the peer speaks version {version} of the key protocol, and this is version {VERSION}: "
            "use the same release of ebit on both sides"
        )
    if other not in _ROLES.values() or other == _ROLES[role]:
        raise ChannelError(f"both sides are {role}: one must be alice, the other bob")


class Line:
    """A socket, and what has come over it and was not asked for yet.

    While a message goes out, what comes in is taken in as well: two sides that speak at the same time
    do not block each other.

    Args:
        sock: connected; `close` closes it.
        timeout: seconds within which each message must come or go as a whole.
        most_bytes: the largest message that is accepted.
        say: told what happens.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        timeout: float,
        most_bytes: int,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self._sock, self._timeout, self._most = sock, timeout, most_bytes
        self._say = say
        self._inbox = bytearray()
        self._over = False  # the peer says no more
        self._frames = self._bytes = 0
        self._told = time.monotonic()
        sock.setblocking(False)
        with suppress(OSError):  # a frame is not held back to be sent with the next
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            host, port = sock.getpeername()[:2]
            self.peer = f"{host}:{port}"
        except OSError:
            self.peer = "the peer"

    def write(self, frame: bytes) -> None:
        """Send a frame; see `send`."""
        self.send(frame)
        self._progress(len(frame))

    def send(self, data: bytes) -> None:
        """Send bytes.

        Raises:
            ChannelError: the peer does not take them in time, or has left.
        """
        until = time.monotonic() + self._timeout
        left = memoryview(data)
        while left:
            readable, writable = self._wait(until, writing=True)
            if not (readable or writable):
                raise ChannelError(
                    f"the peer took {len(data) - len(left):,} of {len(data):,} bytes in "
                    f"{self._timeout:g} s: it stalls, or the line is slow (a longer timeout helps)"
                )
            if readable:
                self._take()
            if writable:
                try:
                    left = left[self._sock.send(left[:_CHUNK]) :]
                except BlockingIOError:
                    continue
                except OSError as error:
                    raise ChannelError(
                        f"the peer left while it was sent something: {error.strerror or error}"
                    ) from None

    def read(self, size: int, what: str) -> bytes:
        """Return so many bytes; see `frame`."""
        self._fill(size, what, time.monotonic() + self._timeout)
        found = bytes(self._inbox[:size])
        del self._inbox[:size]
        return found

    def frame(self, kind: str) -> bytes:
        """Return the next frame.

        Args:
            kind: what is waited for, for complaints.

        Raises:
            ChannelError: it is none, is too large, does not come in time, or the peer has left.
        """
        until = time.monotonic() + self._timeout
        what = f"its {kind!r}"
        self._fill(HEAD_BYTES, what, until)
        kind_bytes, _, body_bytes = read_head(bytes(self._inbox[:HEAD_BYTES]))
        if body_bytes > self._most:
            raise ChannelError(
                f"a message must have at most {self._most:,} bytes, but the peer announces "
                f"{body_bytes:,}"
            )
        size = HEAD_BYTES + kind_bytes + body_bytes
        self._fill(size, what, until)
        found = bytes(self._inbox[:size])
        del self._inbox[:size]
        self._progress(size)
        return found

    def finish(self) -> None:
        """Say no more, and give the peer the time to take what was said last."""
        until = time.monotonic() + min(_FAREWELL, self._timeout)
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
            while not self._over and self._wait(until)[0]:
                self._take()
                self._inbox.clear()

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    def _fill(self, size: int, what: str, until: float) -> None:
        """Wait until so many bytes are there."""
        while len(self._inbox) < size:
            have = f"{len(self._inbox):,} bytes of {size:,} had come"
            if self._over:
                raise ChannelError(
                    f"the peer left before it sent {what}"
                    if not self._inbox
                    else f"the peer left in the middle of {what}: {have}"
                )
            if not self._wait(until)[0]:
                raise ChannelError(
                    f"the peer did not send {what} within {self._timeout:g} s: {have}; it stalls, or "
                    "the line is slow (a longer timeout helps)"
                )
            self._take()

    def _wait(self, until: float, *, writing: bool = False) -> tuple[bool, bool]:
        """Wait until the socket can be read or written; neither if the time is over."""
        left = until - time.monotonic()
        if left <= 0:
            return False, False
        # Beyond the largest message nothing is taken in until it was asked for.
        room = not self._over and len(self._inbox) <= self._most + HEAD_BYTES + 255
        reading = [self._sock] if room else []
        found = select.select(reading, [self._sock] if writing else [], [], left)
        return bool(found[0]), bool(found[1])

    def _take(self) -> None:
        try:
            more = self._sock.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            more = b""  # it was cut: what has come is all there is
        self._over = not more
        self._inbox += more

    def _progress(self, size: int) -> None:
        self._frames, self._bytes = self._frames + 1, self._bytes + size
        if self._say is not None and time.monotonic() > self._told + _OFTEN:
            self._told = time.monotonic()
            self._say(f"{self._frames:,} messages, {self._bytes:,} bytes so far")
