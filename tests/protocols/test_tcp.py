"""A party against a socket: honest peers, and those that stall, lie, cut, or are somebody else."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ebit.games import ArgumentError, EbitError
from ebit.protocols import tcp, tcp_line
from ebit.protocols.authentication import Authenticator, authenticate, new_auth_key
from ebit.protocols.conversation import (
    HEAD_BYTES,
    VERSION,
    ChannelError,
    Ending,
    Expect,
    Message,
    Party,
    Role,
    converse,
    read_head,
)
from ebit.protocols.tcp import connect, listen, parse_address
from ebit.protocols.tcp_line import GREETING_BYTES, greeting

SHORT = 0.4  # seconds of a timeout that a test waits for


def asks(words: int = 2, size: int = 1000) -> Party[bytes]:
    heard = b""
    for k in range(words):
        yield Message("ask", bytes([k]) * size)
        heard += yield Expect("answer")
    return heard


def answers(words: int = 2) -> Party[bytes]:
    heard = b""
    for _ in range(words):
        asked = yield Expect("ask")
        heard += asked
        yield Message("answer", asked[::-1])
    return heard


class Listener:
    """`listen` in a thread."""

    def __init__(self, party: Callable[[], Party[Any]], **options: Any) -> None:
        self.said: list[str] = []
        self.endings: list[Ending[Any]] = []
        self.error: EbitError | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(party,), kwargs=options)
        self._thread.start()
        assert self._ready.wait(10)

    def _run(self, party: Callable[[], Party[Any]], **options: Any) -> None:
        def ready(host: str, port: int) -> None:
            self.address = host, port
            self._ready.set()

        settings = {"patience": 10.0, "timeout": 5.0, **options}
        try:
            self.endings = listen(":0", party, ready=ready, say=self.said.append, **settings)
        except EbitError as error:
            self.error = error

    def end(self) -> list[Ending[Any]]:
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.endings


@contextmanager
def server(behave: Callable[[socket.socket], None]) -> Iterator[tuple[str, int]]:
    """Somebody who listens and does with the first caller what he likes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError), listening.accept()[0] as caller:
                behave(caller)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[:2]
        thread.join(10)


Fault = Callable[[Role, int, bytes], Iterable[bytes] | None]


class Proxy:
    """Passes frames on, does to them what a test wants, and cuts where it returns None."""

    def __init__(self, target: tuple[str, int], fault: Fault) -> None:
        self.fault, self.target = fault, target
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = self._server.getsockname()[:2]
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def _serve(self) -> None:
        near, _ = self._server.accept()
        far = socket.create_connection(self.target)
        pair: tuple[tuple[Role, socket.socket, socket.socket], ...] = (
            ("bob", near, far),
            ("alice", far, near),
        )
        passing = [threading.Thread(target=self._pass, args=which) for which in pair]
        for thread in passing:
            thread.start()
        for thread in passing:
            thread.join()
        near.close()
        far.close()

    def _pass(self, role: Role, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            sink.sendall(exactly(source, GREETING_BYTES))
            number = 0
            while head := exactly(source, HEAD_BYTES):
                kind, _, body = read_head(head)
                frames = self.fault(role, number, head + exactly(source, kind + body))
                if frames is None:
                    for end in (source, sink):
                        end.shutdown(socket.SHUT_RDWR)
                    return
                for frame in frames:
                    sink.sendall(frame)
                number += 1
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for thread in self._threads:
            thread.join(20)
        self._server.close()


def exactly(source: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count and (more := source.recv(count - len(found))):
        found += more
    return found


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


# What a listener may do to one who connects.


def silent(caller: socket.socket) -> None:
    caller.settimeout(10)
    while caller.recv(1 << 16):
        pass


def closes(caller: socket.socket) -> None:
    caller.recv(GREETING_BYTES)


def says(*parts: bytes, pause: float = 0.0) -> Callable[[socket.socket], None]:
    def behave(caller: socket.socket) -> None:
        for part in parts:
            caller.sendall(part)
            time.sleep(pause)
        silent(caller)

    return behave


OTHER_VERSION = b"ebit" + bytes([VERSION + 1, 1])
ALICE = greeting("alice")
FRAME = b"eb" + bytes([VERSION, 3]) + bytes(4) + (5).to_bytes(4, "big") + b"askhello"


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


# What callers may do to one who listens.


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
    monkeypatch.setattr(tcp, "_GREETING", 0.3)
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
    assert time.monotonic() - begun < 0.3  # the silent ones do not hold it up
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


# Keys over a line that somebody meddles with.


def key_party(auth: Authenticator) -> Party[bytes | None]:
    if auth.role == "alice":
        yield Message("bases", b"\1\2")
        heard = yield Expect("bases")
        yield Message("seed", b"seed")
        key = heard + b"seed"
    else:
        yield Expect("bases")
        yield Message("bases", b"\3\4")
        key = b"\3\4" + (yield Expect("seed"))
    sealed = yield from authenticate(auth)
    return key if sealed.ok else None


FRAMES: list[tuple[Role, int]] = [("alice", k) for k in range(4)] + [("bob", k) for k in range(3)]


def with_fault(fault: Fault, *, timeout: float = 5.0) -> list[Ending[bytes | None]]:
    pair = Authenticator.in_memory(tags=2, random=np.random.default_rng(1).bytes)
    listener = Listener(lambda: key_party(pair[0]), timeout=timeout)
    proxy = Proxy(listener.address, fault)
    b = connect(proxy.address, key_party(pair[1]), timeout=timeout)
    (a,) = listener.end()
    proxy.close()
    for ending in (a, b):
        if ending.error is not None:
            assert isinstance(ending.error, ChannelError)
            assert "\n" not in str(ending.error)
    return [a, b]


def check_no_key(ends: list[Ending[bytes | None]], at: tuple[Role, int]) -> None:
    """None at all, but that Alice, who speaks last, cannot know whether she was heard."""
    assert ends[1].value is None
    assert ends[0].value == (b"\3\4seed" if at == ("alice", 3) else None)


def test_a_proxy_that_does_nothing() -> None:
    ends = with_fault(lambda role, number, frame: [frame])
    assert [end.result() for end in ends] == [b"\3\4seed"] * 2


@pytest.mark.parametrize("at", FRAMES)
def test_cut_at_every_message(at: tuple[Role, int]) -> None:
    ends = with_fault(lambda role, number, frame: None if (role, number) == at else [frame])
    check_no_key(ends, at)
    assert "the peer left" in str(ends[1].error)


@pytest.mark.parametrize(
    ("at", "cut"), list(zip(FRAMES, [1, HEAD_BYTES, -1, 20, -1, 1, HEAD_BYTES], strict=True))
)
def test_cut_in_the_middle_of_every_message(at: tuple[Role, int], cut: int) -> None:
    cutting = False

    def fault(role: Role, number: int, frame: bytes) -> Iterable[bytes] | None:
        nonlocal cutting
        if (role, number) == at:
            cutting = True
            return [frame[:cut]]
        return [] if cutting and role == at[0] else [frame]

    check_no_key(with_fault(fault, timeout=SHORT), at)


@pytest.mark.parametrize("at", FRAMES)
def test_one_bit_of_every_message(at: tuple[Role, int]) -> None:
    def fault(role: Role, number: int, frame: bytes) -> Iterable[bytes]:
        return [frame[:-1] + bytes([frame[-1] ^ 1]) if (role, number) == at else frame]

    check_no_key(with_fault(fault), at)


@pytest.mark.parametrize("at", FRAMES)
def test_every_message_swallowed(at: tuple[Role, int]) -> None:
    ends = with_fault(
        lambda role, number, frame: [] if (role, number) == at else [frame], timeout=SHORT
    )
    check_no_key(ends, at)
    assert ends[1].error is not None


@pytest.mark.parametrize("at", [at for at in FRAMES if at not in (("alice", 3), ("bob", 2))])
def test_every_message_repeated(at: tuple[Role, int]) -> None:
    ends = with_fault(
        lambda role, number, frame: [frame] * (2 if (role, number) == at else 1), timeout=SHORT
    )
    assert None in [end.value for end in ends]


@pytest.mark.parametrize("role", ["alice", "bob"])
def test_messages_in_another_order(role: Role) -> None:
    first = {"alice": 1, "bob": 1}[role]  # two that follow each other without an answer between
    held: list[bytes] = []

    def fault(who: Role, number: int, frame: bytes) -> Iterable[bytes]:
        if (who, number) == (role, first):
            held.append(frame)
            return []
        return [frame, *held] if (who, number) == (role, first + 1) else [frame]

    ends = with_fault(fault, timeout=SHORT)
    assert [end.value for end in ends] == [None, None]


SCRIPT = """
import sys
from ebit.protocols.authentication import Authenticator, authenticate
from ebit.protocols.conversation import Expect, Message
from ebit.protocols.tcp import connect, listen

def party(auth):
    kind = auth.role
    yield Message("word", kind.encode())
    yield Expect("word")
    return (yield from authenticate(auth))

auth = Authenticator(sys.argv[1])
say = lambda words: print(words, flush=True)
if sys.argv[2] == "listen":
    (ending,) = listen(":0", lambda: party(auth), say=say, ready=lambda host, port: say(f"{port}"))
else:
    ending = connect(sys.argv[2], party(auth), say=say)
print(ending.result())
"""


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", SCRIPT, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )


def port_of(listening: subprocess.Popen[str]) -> str:
    assert listening.stdout is not None
    assert listening.stdout.readline().startswith("listening on 127.0.0.1:")
    return listening.stdout.readline().strip()


@pytest.mark.slow
def test_two_processes(tmp_path: Path) -> None:
    paths = new_auth_key(tmp_path / "us", tags=2)
    listening = start(str(paths[0]), "listen")
    try:
        calling = start(str(paths[1]), f"127.0.0.1:{port_of(listening)}")
        for process in (listening, calling):
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0, err
            assert (
                "authenticated; 256 bits of the pre-shared key spent, 256 left (1 sessions)" in out
            )
    finally:
        listening.kill()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
def test_an_interrupt_stops_a_listener(tmp_path: Path) -> None:
    paths = new_auth_key(tmp_path / "us", tags=2)
    listening = start(str(paths[0]), "listen")
    try:
        port = port_of(listening)
        listening.send_signal(signal.SIGINT)
        _, err = listening.communicate(timeout=10)
        assert err.strip().splitlines()[-1] == "KeyboardInterrupt"
        with pytest.raises(ChannelError, match="nobody listens"):
            connect(f"127.0.0.1:{port}", answers())
    finally:
        listening.kill()
