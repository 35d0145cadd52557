"""A small server that speaks as much of IBM's API as the client needs, on the loopback.

The unpatched client talks to it: token, search, catalogue, devices, jobs, results, tags, sessions.
Its jobs are in SQLite, so that it can be killed at any moment and started again; they run under the
noise of the published calibrations. Faults are ordered beforehand, in the process that holds the
server or through `/control`.

    python tests/servers/ibm_server.py --port 0 --state jobs.sqlite

prints its port. A client process needs the variables of `environment`.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import json
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

if __package__ in (None, ""):  # run as a program
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.servers.ibm_api import answer, ready
from tests.servers.ibm_devices import Device, devices
from tests.servers.ibm_faults import Fault, Faults
from tests.servers.ibm_reply import Reply, failure
from tests.servers.ibm_store import Store

KEY = "key-for-tests"
CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/tests:instance-of-tests::"
_LIFE = 3600  # seconds that a token lives


class IbmServer:
    """A server in this process; use it in a `with` statement.

    Args:
        state: file of the jobs, None for memory.
        port: 0 for a free one.
        skew: seconds by which its clock is ahead.
        queue: polls that a job stays in the queue.
    """

    def __init__(
        self,
        state: str | Path | None = None,
        *,
        port: int = 0,
        skew: float = 0.0,
        queue: int = 0,
    ) -> None:
        self.faults = Faults()
        self.devices: dict[str, Device] = devices()
        self.store = Store(state, skew=skew)
        self.store.queue = queue
        self.closed = threading.Event()
        self.requests: list[tuple[str, str]] = []
        self.keys = {KEY}
        self.lag = 0.0  # seconds until a new job shows up in lists
        self.http = _Http(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> IbmServer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.closed.set()
        self.http.shutdown()
        self.http.server_close()
        self._thread.join(5)
        self.store.close()

    @property
    def port(self) -> int:
        return int(self.http.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fault(self, kind: str, method: str = "GET", path: str = ".", **more: Any) -> Fault:
        """Order a fault; see `Fault`."""
        return self.faults.add(Fault(kind, method, path, **more))

    def token(self) -> tuple[str, int, int]:
        """A token for the API, and when it was made and ends; it outlives the server."""
        made = int(time.time() + self.store.skew)
        parts = ({"alg": "RS256", "typ": "JWT"}, {"iat": made, "exp": made + _LIFE, "iss": "tests"})
        words = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in parts]
        body = b".".join(words)
        return f"{body.decode()}.{_signature(body)}", made, made + _LIFE

    def accepts(self, token: str) -> bool:
        """Whether a token is one of ours and has not ended."""
        body, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature, _signature(body.encode())):
            return False
        claims = json.loads(base64.urlsafe_b64decode(body.rpartition(".")[2] + "=="))
        return bool(claims["exp"] > time.time() + self.store.skew)


def _signature(body: bytes) -> str:
    return hmac.new(KEY.encode(), body, "sha256").hexdigest()


@dataclass
class Request:
    """What came in."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: bytes
    headers: Any
    data: dict[str, Any] = field(default_factory=dict)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], server: IbmServer) -> None:
        self.ibm = server
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is no event."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Replies leave in one piece and at once: small pieces wait for each other.
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    server: _Http

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET

    def _serve(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        ibm = self.server.ibm
        if ibm.closed.is_set():  # a connection that was kept open dies with the server
            self._hang_up()
            return
        request = Request(self.command, path, parse_qs(parts.query), body, self.headers)
        if not path.startswith("/control"):
            ibm.requests.append((self.command, path))
        fault = None if path.startswith("/control") else ibm.faults.take(self.command, path)
        if fault is None:
            self._send(_answered(ibm, request))
            return
        reply = _answered(ibm, request) if fault.after else None
        if fault.kind == "status":
            headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
            self._send(failure(fault.status, "ordered by the test", headers))
        elif fault.kind == "drop":
            self._hang_up()
        elif fault.kind == "stall":
            ibm.closed.wait(fault.seconds)
            self._hang_up()
        elif fault.kind == "delay":
            ibm.closed.wait(fault.seconds)
            self._send(reply or _answered(ibm, request))
        elif reply is not None:  # cut, mangle
            half = reply.body[: len(reply.body) // 2]
            if fault.kind == "mangle":
                self._send(Reply(reply.status, half, reply.kind))
            else:
                self._send(Reply(reply.status, half, reply.kind), length=len(reply.body))
                self._hang_up()

    def _send(self, reply: Reply, length: int | None = None) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body) if length is None else length))
        self.end_headers()
        self.wfile.write(reply.body)

    def _hang_up(self) -> None:
        self.close_connection = True
        # Closed at once and without a farewell, as when a machine on the way fails.
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.wfile.flush()


def _answered(ibm: IbmServer, request: Request) -> Reply:
    try:
        return answer(ibm, request)
    except Exception as error:
        return failure(500, f"the server itself failed: {type(error).__name__}: {error}")


def environment(server: IbmServer | str) -> dict[str, str]:
    """Variables with which a process's client uses this server.

    Args:
        server: the server, or its address.
    """
    url = server if isinstance(server, str) else server.url
    return {
        "QISKIT_IBM_TOKEN": KEY,
        "QISKIT_IBM_INSTANCE": CRN,
        "QISKIT_IBM_CHANNEL": "ibm_quantum_platform",
        "EBIT_IBM_URL": url,
        "IAM_URL": url,
        "GLOBAL_SEARCH_URL": url,
        "GLOBAL_CATALOG_URL": url,
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state", default=None, help="file of the jobs")
    parser.add_argument("--queue", type=int, default=0, help="polls that a job is queued for")
    parser.add_argument("--skew", type=float, default=0.0, help="seconds its clock is ahead")
    asked = parser.parse_args()
    with IbmServer(asked.state, port=asked.port, queue=asked.queue, skew=asked.skew) as server:
        print(server.port, flush=True)
        try:
            # Loaded here and not when the first job runs: Qiskit 2.6 crashes a process when it is
            # first loaded in a thread that has ended.
            ready()
            server.closed.wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
