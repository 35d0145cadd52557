"""ETSI GS QKD 014 over HTTPS with mutual TLS: the sockets around `ebit.protocols.etsi014`.

Requests that wait at the same time are fulfilled in one transaction, so that many callers share one
write to the disk; each is on disk before its answer leaves.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ebit.games import ArgumentError, EbitError, MissingExtraError
from ebit.protocols.etsi014 import Answer, Asked, KeyService, Refusal, Request

__all__ = ["KeyServer", "server_context"]

_MOST_BODY = 1 << 20  # bytes of a request
_TOGETHER = 256  # requests in one transaction
_FAULT = Answer(503, {"message": "Error of server side"})
_HEADERS = {"Server": "ebit", "Cache-Control": "no-store"}


def server_context(certificate: str | Path, key: str | Path, ca: str | Path) -> ssl.SSLContext:
    """Return the TLS settings of a server: version 1.2 or higher, and no caller without certificate.

    Args:
        certificate: PEM file with the server's certificate, and those between it and the authority.
        key: PEM file with its private key, without a passphrase.
        ca: PEM file with the authority that signs callers' certificates.

    Raises:
        ArgumentError: a file cannot be used, the key is not the certificate's, or the certificate is
            not valid now.
    """
    for name, path in (("certificate", certificate), ("key", key), ("ca", ca)):
        try:
            Path(path).read_bytes()
        except OSError as error:
            raise ArgumentError(
                f"{name} {path} cannot be read: {error.strerror or error}"
            ) from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        raise ArgumentError(
            f"certificate {certificate} and key {key} must be a pair in PEM form, without a "
            f"passphrase, but cannot be used: {_reason(error)}"
        ) from None
    try:
        context.load_verify_locations(ca)
    except ssl.SSLError as error:
        raise ArgumentError(f"ca {ca} must be PEM certificates, but: {_reason(error)}") from None
    _check_dates(Path(certificate))
    return context


def _no_password() -> str:
    raise ValueError("the key has a passphrase")


def _reason(error: Exception) -> str:
    return (getattr(error, "reason", None) or str(error)).replace("_", " ").lower()


def _check_dates(certificate: Path) -> None:
    try:
        from cryptography import x509
    except ImportError:
        raise MissingExtraError("the key server", "keys") from None
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    now = datetime.now(UTC)
    if not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
        raise ArgumentError(
            f"certificate {certificate} must be valid now, but is valid from "
            f"{found.not_valid_before_utc:%Y-%m-%d %H:%M} to {found.not_valid_after_utc:%Y-%m-%d %H:%M} "
            "UTC: have a new one made"
        )


class KeyServer:
    """A server for one service; in a ``with`` block it runs in a thread of its own.

    Args:
        service: what answers.
        context: TLS settings, those of `server_context`.
        host: address to listen on.
        port: port to listen on; 0 for any that is free.

    Attributes:
        port: where it listens, once started.

    Raises:
        MissingExtraError: the package ``aiohttp`` is not installed.
    """

    def __init__(
        self,
        service: KeyService,
        context: ssl.SSLContext,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        try:
            import aiohttp.web  # noqa: F401
        except ImportError:
            raise MissingExtraError("the key server", "keys") from None
        self.service, self.host, self.port = service, host, port
        self._context = context
        self._runner: Any = None
        self._worker = ThreadPoolExecutor(1, "ebit-key-store")
        self._waiting: deque[tuple[Asked, asyncio.Future[Answer]]] = deque()
        self._busy = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None
        self._stopping: Callable[[], object] = lambda: None

    @property
    def address(self) -> str:
        """Host and port as they stand in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            ArgumentError: the address is in use, or is none of this machine.
        """
        from aiohttp import web

        runner = web.ServerRunner(_http(self._handle), shutdown_timeout=3.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self.host, self.port, ssl_context=self._context).start()
        except (OSError, OverflowError) as error:
            await runner.cleanup()
            words = getattr(error, "strerror", None) or str(error)
            raise ArgumentError(
                f"host and port must be a free address of this machine, but {self.host} port "
                f"{self.port} is not: {words}"
            ) from None
        self._runner = runner
        self.port = int(runner.addresses[0][1])

    async def stop(self) -> None:
        """Answer what was asked, and close."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self._worker.shutdown()

    def __enter__(self) -> KeyServer:
        ready: threading.Event = threading.Event()
        failed: list[BaseException] = []

        async def work() -> None:
            stopping = asyncio.Event()
            loop = asyncio.get_running_loop()
            try:
                await self.start()
            except BaseException as error:
                failed.append(error)
                ready.set()
                return
            self._stopping = lambda: loop.call_soon_threadsafe(stopping.set)
            ready.set()
            await stopping.wait()
            await self.stop()

        self._thread = threading.Thread(target=lambda: asyncio.run(work()), daemon=True)
        self._thread.start()
        ready.wait()
        if failed:
            self._thread.join()
            raise failed[0]
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping()
        if self._thread is not None:
            self._thread.join()

    async def _handle(self, request: Any) -> Any:
        try:
            answer = await self._answer(request)
        except Refusal as refusal:
            answer = Answer(refusal.status, refusal.to_dict())
        except Exception as error:  # the standard has no 500
            self.service.tell(f"unexpected {type(error).__name__}")
            answer = _FAULT
        return _response(answer)

    async def _answer(self, request: Any) -> Answer:
        from aiohttp import web

        body = b""
        if request.body_exists:
            if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
                raise Refusal(400, "the body shall not be compressed")
            try:
                if request.content_length is not None and request.content_length > _MOST_BODY:
                    raise Refusal(400, f"the body shall have at most {_MOST_BODY} bytes")
                body = await request.read()
            except web.HTTPException:
                raise Refusal(400, f"the body shall have at most {_MOST_BODY} bytes") from None
        names = _names(request.transport)
        path, _, query = request.raw_path.partition("?")
        asked = self.service.understand(Request(request.method, path, query, body, names))
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, future))
        if not self._busy:
            self._busy = True
            task = asyncio.get_running_loop().create_task(self._drain())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _drain(self) -> None:
        """Fulfil what waits, all that came meanwhile at a time."""
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                some = [self._waiting.popleft() for _ in range(min(_TOGETHER, len(self._waiting)))]
                try:
                    answers = await loop.run_in_executor(
                        self._worker, self.service.fulfil, [asked for asked, _ in some]
                    )
                except Exception as error:
                    # Whatever it was, nobody is given a key: the transaction was undone, or its keys
                    # are lost.
                    answers = [_FAULT] * len(some)
                    if isinstance(error, EbitError):
                        self.service.tell(str(error))
                    else:
                        self.service.tell(f"unexpected {type(error).__name__}")
                for (_, future), answer in zip(some, answers, strict=True):
                    if not future.done():
                        future.set_result(answer)
        finally:
            self._busy = False


def _response(answer: Answer) -> Any:
    from aiohttp import web

    return web.Response(
        body=answer.to_bytes(),
        status=answer.status,
        headers=_HEADERS,
        content_type="application/json",
    )


def _http(handler: Callable[[Any], Any]) -> Any:
    """An HTTP server whose every answer is the standard's, to what is no HTTP too."""
    from aiohttp import web

    class Connection(web.RequestHandler):
        def handle_error(self, request: Any, status: int = 500, *_: Any, **__: Any) -> Any:
            bad = Answer(400, {"message": "the request shall be HTTP"})
            found = _response(bad if status < 500 else _FAULT)
            found.force_close()
            return found

    class Server(web.Server):
        def __call__(self) -> Any:
            return Connection(self, loop=self._loop, **self._kwargs)

    # What is compressed is refused, not unpacked: see `KeyServer._answer`.
    return Server(handler, access_log=None, auto_decompress=False)


def _names(transport: Any) -> tuple[str, ...]:
    """The names in a caller's certificate: common name first, then DNS names and URIs."""
    certificate: dict[str, Any] = {}
    if transport is not None:
        with suppress(ValueError):
            certificate = transport.get_extra_info("peercert") or {}
    common = [
        value
        for part in certificate.get("subject", ())
        for name, value in part
        if name == "commonName"
    ]
    others = [v for kind, v in certificate.get("subjectAltName", ()) if kind in ("DNS", "URI")]
    return tuple(dict.fromkeys([*common, *others]))
