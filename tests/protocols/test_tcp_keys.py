"""Keys over a line that somebody cuts, delays and changes; and two processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from ebit.protocols.authentication import Authenticator, authenticate, new_auth_key
from ebit.protocols.conversation import (
    HEAD_BYTES,
    ChannelError,
    Ending,
    Expect,
    Message,
    Party,
    Role,
)
from ebit.protocols.tcp import connect
from tests.protocols.tcphelp import (
    SHORT,
    Fault,
    Listener,
    Proxy,
    answers,
)


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
