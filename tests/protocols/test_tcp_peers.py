"""One who listens and is no peer, or a bad one: it ends with one clear line, in time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from ebit.protocols.conversation import (
    VERSION,
    ChannelError,
    Expect,
    Message,
    Party,
)
from ebit.protocols.tcp import connect
from ebit.protocols.tcp_line import GREETING_BYTES, greeting
from tests.protocols.tcphelp import (
    ALICE,
    FRAME,
    OTHER_VERSION,
    SHORT,
    answers,
    asks,
    closes,
    says,
    server,
    silent,
)


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (silent, "did not send a greeting within 0.4 s: 0 bytes of 6 had come"),
        (closes, "the peer left before it sent a greeting"),
        (says(b"SSH-2.0-OpenSSH_9.6\r\n"), "does not speak ebit's key protocol"),
        (says(OTHER_VERSION), f"speaks version {VERSION + 1} of the key protocol, and this is"),
        (says(greeting("bob")), "both sides are bob"),
        (says(b"ebit" + bytes([VERSION, 9])), "both sides are bob"),
        (says(ALICE[:3]), "3 bytes of 6 had come"),
    ],
)
def test_who_is_no_peer_is_found_out(behave: Callable[[socket.socket], None], words: str) -> None:
    with server(behave) as address:
        begun = time.monotonic()
        with pytest.raises(ChannelError) as found:
            connect(address, answers(), timeout=SHORT)
        assert time.monotonic() - begun < 5
    assert words in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (says(ALICE), "did not send its 'ask' within 0.4 s: 0 bytes of 12 had come; it stalls"),
        (says(ALICE, FRAME[:15]), "15 bytes of 20 had come"),
        (says(ALICE, b"garbage garbage garbage"), "does not speak ebit's key protocol"),
        (says(ALICE, b"eb" + bytes([VERSION + 1]) + FRAME[3:]), f"version {VERSION + 1}"),
        (says(ALICE, FRAME[:8] + b"\1\0\0\0" + FRAME[12:]), "at most 5,000 bytes, but the peer"),
        (says(ALICE, FRAME[:8] + b"\xff" * 4 + FRAME[12:]), "a message must have at most"),
        (says(ALICE, FRAME.replace(b"ask", b"mew")), "must send 'ask' now, but sent 'mew'"),
        (says(ALICE, *(bytes([x]) for x in FRAME), pause=0.1), "it stalls, or the line is slow"),
        (says(ALICE, FRAME, FRAME), "message 1 of the peer was due, but number 0 came"),
    ],
)
def test_a_peer_that_speaks_badly_is_found_out(
    behave: Callable[[socket.socket], None], words: str
) -> None:
    def hears() -> Party[bytes]:
        yield Expect("ask")
        yield Message("answer")
        return (yield Expect("more"))

    with server(behave) as address:
        ending = connect(address, hears(), timeout=SHORT, most_bytes=5000)
    assert isinstance(ending.error, ChannelError)
    assert words in str(ending.error)
    assert "\n" not in str(ending.error)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"", "left before it sent its 'ask'"),
        (FRAME[:15], "in the middle of its 'ask': 15 bytes of 20"),
    ],
)
def test_a_peer_that_closes_is_found_out(sent: bytes, words: str) -> None:
    def behave(caller: socket.socket) -> None:
        caller.recv(GREETING_BYTES)
        caller.sendall(ALICE + sent)

    with server(behave) as address:
        ending = connect(address, answers(), timeout=SHORT)
    assert words in str(ending.error)


def test_a_peer_that_does_not_read_is_found_out() -> None:
    done = threading.Event()

    def behave(caller: socket.socket) -> None:
        caller.sendall(ALICE)
        done.wait(10)

    with server(behave) as address:
        try:
            ending = connect(address, asks(size=50_000_000), timeout=SHORT)
        finally:
            done.set()
    assert "of 50,000,015 bytes in 0.4 s: it stalls" in str(ending.error)


def test_a_peer_that_floods_is_not_taken_in() -> None:
    def behave(caller: socket.socket) -> None:
        caller.sendall(ALICE + FRAME)
        with suppress(OSError):
            while True:
                caller.sendall(bytes(1 << 20))

    def hears() -> Party[None]:
        yield Expect("ask")
        yield Expect("ask")

    with server(behave) as address:
        ending = connect(address, hears(), timeout=SHORT, most_bytes=1 << 16)
    assert "does not speak ebit's key protocol" in str(ending.error)


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()[:2]
    with pytest.raises(ChannelError, match=r"nobody listens at 127\.0\.0\.1:\d+: start the other"):
        connect(address, answers())
    with pytest.raises(ChannelError, match=r"no-such-host\.invalid:7 cannot be reached: "):
        connect("no-such-host.invalid:7", answers())
    with pytest.raises(ChannelError, match="cannot be reached: "):
        connect(f"{'a' * 70}..b:7", answers())
