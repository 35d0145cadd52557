"""Two parties over a socket, and who may call one that listens."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import Any

import pytest

from ebit.games import ArgumentError
from ebit.protocols import tcp, tcp_line
from ebit.protocols.conversation import (
    Expect,
    Message,
    Party,
    converse,
)
from ebit.protocols.tcp import connect, listen, parse_address
from ebit.protocols.tcp_line import GREETING_BYTES
from tests.protocols.tcphelp import (
    ALICE,
    OTHER_VERSION,
    Listener,
    answers,
    asks,
)


def test_two_parties_over_a_socket_say_what_they_say_in_one_process() -> None:
    listener = Listener(asks)
    b = connect(listener.address, answers())
    (a,) = listener.end()
    here = converse(asks(), answers())
    assert (a.result(), b.result()) == (here[0].result(), here[1].result())
    assert a.end.digest() == b.end.digest() == here[0].end.digest()
    assert (a.end.turns, b.end.turns) == (here[0].end.turns, here[1].end.turns)
    assert listener.said[0].startswith(f"listening on 127.0.0.1:{listener.address[1]}")
    assert listener.said[1].startswith("session 1 of 1: 127.0.0.1:")


def test_the_roles_may_be_the_other_way_round() -> None:
    listener = Listener(answers, role="bob")
    a = connect(listener.address, asks(), role="alice")
    (b,) = listener.end()
    assert a.end.role == "alice"
    assert a.end.digest() == b.end.digest()


def test_large_messages_both_ways_at_once_do_not_block() -> None:
    def eager(word: bytes) -> Party[int]:
        for _ in range(2):
            yield Message("word", word * 12_000_000)
        heard = yield Expect("word")
        return len(heard) + len((yield Expect("word")))

    listener = Listener(lambda: eager(b"x"))
    said: list[str] = []
    b = connect(listener.address, eager(b"y"), timeout=30, say=said.append)
    assert b.result() == listener.end()[0].result() == 24_000_000


def test_progress_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp_line, "_OFTEN", 0.0)
    said: list[str] = []
    listener = Listener(asks)
    connect(listener.address, answers(), say=said.append)
    listener.end()
    assert said[0] == f"connected to 127.0.0.1:{listener.address[1]}"
    assert "messages" in said[-1]
    assert "bytes so far" in said[-1]


def test_an_error_of_a_party_is_its_own_and_the_peer_is_told() -> None:
    def fails() -> Party[None]:
        yield Message("ask")
        raise ArgumentError("no such thing")

    listener = Listener(fails)
    b = connect(listener.address, answers())
    assert str(listener.end()[0].error) == "no such thing"
    assert str(b.error) in (
        "the peer left before it sent its 'ask'",
        "the peer left while it was sent something: Broken pipe",
        "the peer left while it was sent something: Connection reset by peer",
    )


def call(address: tuple[str, int], *parts: bytes) -> bytes:
    heard = b""
    with socket.create_connection(address, timeout=5) as sock, suppress(OSError):
        for part in parts:
            sock.sendall(part)
        heard = sock.recv(GREETING_BYTES)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(100):
            pass
    return heard


def test_scanners_are_turned_away_and_the_peer_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "_GREETING", 3.0)
    listener = Listener(asks)
    assert call(listener.address) == ALICE
    call(listener.address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    call(listener.address, OTHER_VERSION)
    call(listener.address, ALICE)
    silent_one = socket.create_connection(listener.address)
    half = socket.create_connection(listener.address)
    half.sendall(b"ebi")
    begun = time.monotonic()
    b = connect(listener.address, answers())
    assert time.monotonic() - begun < 3.0  # the silent ones do not hold it up
    (a,) = listener.end()
    assert a.end.digest() == b.end.digest()
    said = "\n".join(listener.said)
    for why in (
        "left without a word",
        "does not speak ebit's",
        "speaks version",
        "both sides are alice",
    ):
        assert why in said
    silent_one.close()
    half.close()


def test_silent_callers_are_let_go_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "_GREETING", 0.2)
    listener = Listener(asks, patience=1.2)
    with socket.create_connection(listener.address, timeout=5) as caller:
        assert caller.recv(100) == ALICE
        assert caller.recv(100) == b""
    listener.end()
    assert str(listener.error) == (
        "no peer came within 1.2 s; 1 callers were turned away, the last because it did not greet "
        "within 0.2 s"
    )


def test_many_silent_callers_do_not_keep_the_peer_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "_CALLERS", 3)
    listener = Listener(asks)
    idle = [socket.create_connection(listener.address) for _ in range(10)]
    assert connect(listener.address, answers()).error is None
    assert listener.end()[0].error is None
    for caller in idle:
        caller.close()
    assert "it said nothing, and others came" in "\n".join(listener.said)


def test_nobody_comes() -> None:
    listener = Listener(asks, patience=0.3)
    listener.end()
    assert str(listener.error) == "no peer came within 0.3 s"


def test_sessions_one_after_the_other_and_a_bad_one_among_them() -> None:
    listener = Listener(asks, sessions=3)
    ends = [connect(listener.address, party) for party in (answers(), answers(1), answers())]
    found = listener.end()
    assert [end.error is None for end in found] == [True, False, True]
    assert "left" in str(found[1].error)
    assert ends[0].result() == ends[2].result()


def test_addresses_that_cannot_be_used() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        taken.listen()
        with pytest.raises(ArgumentError, match=f"127.0.0.1:{port} cannot be used: "):
            listen(port, asks)
    with pytest.raises(ArgumentError, match="address must be free and of this machine"):
        listen("192.0.2.1:0", asks)
    with pytest.raises(ArgumentError, match="sessions must be at least 1, but was 0"):
        listen(":0", asks, sessions=0)
    for value in (0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ArgumentError, match="timeout must be a number of seconds above 0"):
            listen(":0", asks, timeout=value)
        with pytest.raises(ArgumentError, match="timeout must be"):
            connect(":1", answers(), timeout=value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("localhost:80", ("localhost", 80)),
        ("[::1]:80", ("::1", 80)),
        (("::1", 80), ("::1", 80)),
        (":80", ("127.0.0.1", 80)),
        ("80", ("127.0.0.1", 80)),
        (0, ("127.0.0.1", 0)),
    ],
)
def test_addresses(text: Any, found: tuple[str, int]) -> None:
    assert parse_address(text) == found


@pytest.mark.parametrize(
    "text", ["", "x", "x:", "x:65536", "x:-1", "::1", "x:8_0", "x:٣", ("x", -1)]
)
def test_addresses_that_are_none(text: Any) -> None:
    with pytest.raises(ArgumentError, match="address must be HOST:PORT"):
        parse_address(text)


def test_this_machine_only_unless_told_otherwise() -> None:
    listener = Listener(asks, patience=0.2)
    assert listener.address[0] == "127.0.0.1"
    listener.end()
