"""One party of a conversation against a socket: listen for the other party, or connect to it.

What passes is not secret and need not be: whoever changes it is found out by
`ebit.protocols.authentication`. Both sides first say which version they speak and which role they
play; then come the frames of `ebit.protocols.conversation`.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import TypeVar

from ebit.games import ArgumentError
from ebit.protocols.conversation import MOST_BYTES, ChannelError, Ending, Party, Role, Runner
from ebit.protocols.tcp_line import GREETING_BYTES, Line, check_greeting, greeting

__all__ = ["Address", "connect", "listen", "parse_address"]

Address = str | int | tuple[str, int]
Say = Callable[[str], None]
T = TypeVar("T")

_LOOPBACK = "127.0.0.1"
_GREETING = 5.0  # seconds for the first bytes of a caller
_CALLERS = 32  # callers that are waited for at once
_AGAIN = 0.2  # seconds between two tries to reach a peer
_TURN = 0.5  # seconds between looks at the clock


def parse_address(address: Address) -> tuple[str, int]:
    """Return host and port.

    Args:
        address: "HOST:PORT", "[IPV6]:PORT", ":PORT" or PORT, which mean this machine only, or a pair.

    Raises:
        ArgumentError: none of these, or no port of 0 to 65535.

    Example:
        >>> parse_address("[::1]:7000"), parse_address(":0"), parse_address(7000)
        (('::1', 7000), ('127.0.0.1', 0), ('127.0.0.1', 7000))
    """
    if isinstance(address, tuple) and len(address) == 2:
        host, port = str(address[0]), str(address[1])
    else:
        host, _, port = str(address).rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    plain = bracketed or ":" not in host or isinstance(address, tuple)
    if not (port.isascii() and port.isdigit() and int(port) < 65536 and plain):
        raise ArgumentError(
            f"address must be HOST:PORT with a port of 0 to 65535, such as 127.0.0.1:7000, but was "
            f"{address!r}"
        )
    return host or _LOOPBACK, int(port)


def connect(
    address: Address,
    party: Party[T],
    *,
    role: Role = "bob",
    timeout: float = 60.0,
    patience: float = 0.0,
    most_bytes: int = MOST_BYTES,
    say: Say | None = None,
) -> Ending[T]:
    """Run a party against the one that listens at an address.

    Args:
        address: where; see `parse_address`.
        party: this side.
        role: of this side; the other must have the other one.
        timeout: seconds to reach the peer, and then for each message to come or go as a whole.
        patience: seconds to wait where nobody listens yet.
        most_bytes: the largest message that is accepted.
        say: told what happens, a line at a time.

    Returns:
        How this side ended. A peer that says what it must not, stalls, or leaves is a ChannelError
        inside the party, and then its `error`.

    Raises:
        ArgumentError: an address or a number that cannot be.
        ChannelError: nobody is there, or it is no peer; the party was not begun.
    """
    host, port = parse_address(address)
    _check_times(timeout=timeout)
    sock = _reached(host, port, timeout, patience, say)
    with closing(Line(sock, timeout=timeout, most_bytes=most_bytes, say=say)) as line:
        line.send(greeting(role))
        check_greeting(line.read(GREETING_BYTES, "a greeting"), role)
        _tell(say, f"connected to {line.peer}")
        return _run(party, role, line)


def _reached(
    host: str, port: int, timeout: float, patience: float, say: Say | None
) -> socket.socket:
    """A socket to the peer, who may not be there yet."""
    until, waits = time.monotonic() + patience, False
    while True:
        try:
            return socket.create_connection((host, port), timeout=timeout)
        except TimeoutError:
            raise ChannelError(
                f"{host}:{port} does not answer within {timeout:g} s: check host, port and firewall"
            ) from None
        except ConnectionRefusedError:
            if time.monotonic() >= until:
                raise ChannelError(
                    f"nobody listens at {host}:{port}: start the other side first, and check the port"
                ) from None
        except (OSError, UnicodeError) as error:  # the latter of a name that cannot be one
            raise ChannelError(f"{host}:{port} cannot be reached: {_words(error)}") from None
        if not waits:
            _tell(say, f"waiting up to {patience:g} s for {host}:{port}")
        waits = True
        time.sleep(_AGAIN)


def listen(
    address: Address,
    party: Callable[[], Party[T]],
    *,
    role: Role = "alice",
    sessions: int = 1,
    patience: float = 600.0,
    timeout: float = 60.0,
    most_bytes: int = MOST_BYTES,
    say: Say | None = None,
    ready: Callable[[str, int], None] | None = None,
) -> list[Ending[T]]:
    """Wait for peers, and run a party against each, one after the other.

    Callers that say nothing, or something else than a peer of the other role and the same version,
    are turned away and do not count.

    Args:
        address: where; ":0" is any free port of this machine, which others cannot reach.
        party: makes this side, anew for each session.
        role: of this side.
        sessions: peers to serve.
        patience: seconds to wait for each of them.
        timeout: seconds for each message to come or go as a whole.
        most_bytes: the largest message that is accepted.
        say: told what happens, a line at a time.
        ready: told host and port as soon as somebody can connect.

    Returns:
        How each session ended on this side, as in `connect`.

    Raises:
        ArgumentError: an address that cannot be used, or a number that cannot be.
        ChannelError: no peer came in time.

    Example:
        >>> import threading
        >>> from ebit.protocols.conversation import Expect, Message
        >>> def asks():
        ...     yield Message("hello", b"who are you?")
        ...     return (yield Expect("name")).decode()
        >>> def answers():
        ...     yield Expect("hello")
        ...     yield Message("name", b"Bob")
        >>> def call(host, port):
        ...     threading.Thread(target=connect, args=((host, port), answers())).start()
        >>> listen(":0", asks, ready=call)[0].result()
        'Bob'
    """
    host, port = parse_address(address)
    _check_times(timeout=timeout, patience=patience)
    if sessions < 1:
        raise ArgumentError(f"sessions must be at least 1, but was {sessions}")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        server = socket.create_server((host, port), family=family)
    except (OSError, UnicodeError) as error:
        raise ArgumentError(
            f"address must be free and of this machine, but {host}:{port} cannot be used: "
            f"{_words(error)}"
        ) from None
    endings: list[Ending[T]] = []
    with closing(server):
        host, port = server.getsockname()[:2]
        _tell(say, f"listening on {host}:{port} for up to {patience:g} s")
        if ready is not None:
            ready(host, port)
        for number in range(sessions):
            with closing(_caller(server, role, patience, timeout, most_bytes, say)) as line:
                _tell(say, f"session {number + 1} of {sessions}: {line.peer}")
                endings.append(_run(party(), role, line))
    return endings


def _run(party: Party[T], role: Role, line: Line) -> Ending[T]:
    """Run a party until it ends."""
    runner = Runner(party, role)
    try:
        runner.begin(line.write)
        while runner.ending is None:
            wanted = runner.expects.kind if runner.expects is not None else ""
            try:
                frame = line.frame(wanted)
            except ChannelError as error:
                runner.fail(error, line.write)
                continue
            runner.deliver(frame, line.write)
    finally:
        party.close()
    line.finish()
    return runner.ending


def _caller(
    server: socket.socket,
    role: Role,
    patience: float,
    timeout: float,
    most_bytes: int,
    say: Say | None,
) -> Line:
    """Wait for a peer: the first caller that greets as one. The others do not hold it up."""
    until = time.monotonic() + patience
    pending: dict[socket.socket, tuple[float, bytes]] = {}
    away = 0
    last = ""
    server.setblocking(False)
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        selector.register(server, selectors.EVENT_READ)

        def dismiss(caller: socket.socket, why: str) -> None:
            nonlocal away, last
            away, last = away + 1, why
            _tell(say, f"turned {_name(caller)} away: {why}")
            selector.unregister(caller)
            del pending[caller]
            caller.close()

        def close_all() -> None:
            for caller in pending:
                caller.close()

        stack.callback(close_all)
        while (now := time.monotonic()) < until:
            for key, _ in selector.select(min(_TURN, until - now)):
                if key.fileobj is server:
                    if len(pending) >= _CALLERS:  # the one that has waited longest goes
                        dismiss(next(iter(pending)), "it said nothing, and others came")
                    caller = _accept(server, role)
                    if caller is not None:
                        pending[caller] = (time.monotonic() + _GREETING, b"")
                        selector.register(caller, selectors.EVENT_READ)
                    continue
                caller = key.fileobj  # type: ignore[assignment]
                if caller not in pending:
                    continue
                deadline, said = pending[caller]
                try:
                    more = caller.recv(GREETING_BYTES - len(said))
                    if not more:
                        raise ChannelError("it left without a word")
                    said += more
                    pending[caller] = (deadline, said)
                    if len(said) < GREETING_BYTES:
                        continue
                    check_greeting(said, role)
                except (ChannelError, OSError) as error:
                    dismiss(caller, str(error))
                    continue
                del pending[caller]
                return Line(caller, timeout=timeout, most_bytes=most_bytes, say=say)
            for caller, (deadline, _) in list(pending.items()):
                if time.monotonic() > deadline:
                    dismiss(caller, f"it did not greet within {_GREETING:g} s")
    others = f"; {away} callers were turned away, the last because {last}" if away else ""
    raise ChannelError(f"no peer came within {patience:g} s{others}")


def _accept(server: socket.socket, role: Role) -> socket.socket | None:
    """A new caller, greeted; None if it is gone already."""
    try:
        caller, _ = server.accept()
    except OSError:
        return None
    caller.setblocking(False)
    try:
        caller.send(greeting(role))
    except OSError:
        caller.close()
        return None
    return caller


def _check_times(**times: float) -> None:
    for name, value in times.items():
        if not 0 < value < 1e8:
            raise ArgumentError(f"{name} must be a number of seconds above 0, but was {value!r}")


def _name(sock: socket.socket) -> str:
    try:
        host, port = sock.getpeername()[:2]
    except OSError:
        return "a caller"
    return f"{host}:{port}"


def _words(error: Exception) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split())


def _tell(say: Say | None, words: str) -> None:
    if say is not None:
        say(words)
