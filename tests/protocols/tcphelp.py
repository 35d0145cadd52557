"""Listeners, callers and a proxy for tests of sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ebit.games import EbitError
from ebit.protocols.conversation import (
    HEAD_BYTES,
    VERSION,
    Ending,
    Expect,
    Message,
    Party,
    Role,
    read_head,
)
from ebit.protocols.tcp import listen
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
