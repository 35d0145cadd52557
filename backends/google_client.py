"""Google's Quantum Engine through its own client, with limits of our own on every call."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, TypeVar

from ebit.backends.patience import (
    DeadlineError,
    Patience,
    insist,
    one_line,
    patience_here,
    within,
)
from ebit.games import ArgumentError, EbitError, JobError, NetworkError

__all__ = ["GoogleLine", "engine_here", "project_here"]

_T = TypeVar("_T")

NO_PROJECT = (
    "set GOOGLE_CLOUD_PROJECT to your project, and log in with Google's own tools "
    "(gcloud auth application-default login)"
)
# What may pass: HTTP status of the client's exceptions.
_PASSING = {408, 409, 429, 500, 502, 503, 504}
_WORDS = {
    400: "Google refused it as wrong",
    401: "Google does not accept these credentials: log in again with Google's own tools",
    403: "this account may not do that: ask for access, or check GOOGLE_CLOUD_PROJECT",
    404: "Google has nothing under that name",
}


class GoogleLine:
    """The line to Google: every call with a deadline, passing faults with retries that are told.

    Args:
        patience: the limits, from EBIT_PATIENCE by default.
    """

    def __init__(self, patience: Patience | None = None) -> None:
        self.patience = patience or patience_here()

    def ask(self, work: Callable[[], _T], what: str, *, progress: object = None) -> _T:
        """What a call that may be repeated returns."""
        try:
            return insist(work, what, judge=_judge, patience=self.patience, progress=progress)
        except EbitError:
            raise
        except Exception as error:
            raise explain(error, what) from error

    def once(self, work: Callable[[], _T], what: str) -> _T:
        """What a call that is not repeated blindly returns; it raises what the client raises."""
        return within(work, self.patience.call, what)


def status_of(error: BaseException) -> int | None:
    """The HTTP status of what the client raised, None where it has none."""
    code = getattr(error, "code", None)
    value = getattr(code, "value", code)
    return int(value) if isinstance(value, int) else None


def passing(error: BaseException) -> bool:
    """Whether a fault may be gone at the next try."""
    if isinstance(error, (DeadlineError, TimeoutError, ConnectionError)):
        return True
    status = status_of(error)
    if status is not None:
        return status in _PASSING
    names = {base.__name__ for base in type(error).__mro__}
    return bool(names & {"StreamError", "RetryError", "ServiceUnavailable", "AioRpcError"})


def _judge(error: Exception) -> float | None:
    return 0.0 if passing(error) else None


def explain(error: BaseException, what: str) -> EbitError:
    """What the client raised, as one line that says what to do."""
    status = status_of(error)
    text = one_line(error)
    if status == 404:
        return JobError(f"{what} failed: {_WORDS[404]} ({text})")
    if status in _WORDS:
        return ArgumentError(f"{what} failed: {_WORDS[status]} ({text})")
    if "DefaultCredentialsError" in {base.__name__ for base in type(error).__mro__}:
        return ArgumentError(f"no credentials for Google are known here: {NO_PROJECT}")
    if passing(error):
        return NetworkError(f"{what} failed: {text}; try again later, nothing is lost")
    return JobError(f"{what} failed: {text}")


def project_here() -> str | None:
    """The project of this environment, None where it names none."""
    return os.environ.get("GOOGLE_CLOUD_PROJECT", "").strip() or None


def engine_here(line: GoogleLine) -> Any:
    """The client's Engine.

    EBIT_GOOGLE_ENDPOINT names another server: ``host:port`` (TLS, the usual credentials), or
    ``http://127.0.0.1:port`` on the loopback (no TLS, no credentials), for tests and proxies.

    Raises:
        ArgumentError: no project, or no credentials.
    """
    if find_spec("cirq_google") is None:
        from ebit.games import MissingExtraError

        raise MissingExtraError("Google's processors", "google")
    project = project_here()
    if project is None:
        raise ArgumentError(f"no project at Google is known here: {NO_PROJECT}")
    # Here and not in the thread of a call, which ends before the libraries are done with it.
    import cirq_google
    from cirq_google.engine.engine import EngineContext
    from cirq_google.engine.engine_client import EngineClient

    def make() -> Any:
        # The client repeats what fails for up to an hour by itself: here it gives up at once, and
        # what is repeated, and how long, is decided and told by this program.
        client = EngineClient(
            service_args=_service(),
            verbose=False,
            max_retry_delay_seconds=0,  # ours instead
        )
        context = EngineContext(client=client, enable_streaming=False)
        engine = cirq_google.Engine(project, context=context)
        client.grpc_client  # noqa: B018  # made here, where a fault of it is told
        return engine

    return line.ask(make, "opening Google's engine")


def _service() -> dict[str, Any]:
    endpoint = os.environ.get("EBIT_GOOGLE_ENDPOINT", "").strip()
    if not endpoint:
        return {}
    if not endpoint.startswith("http://"):
        return {"client_options": {"api_endpoint": endpoint}}
    address = endpoint.removeprefix("http://").rstrip("/")
    if address.partition(":")[0] not in ("127.0.0.1", "localhost"):
        raise ArgumentError(
            "EBIT_GOOGLE_ENDPOINT may be http:// on this machine only (127.0.0.1), "
            f"but was {endpoint!r}"
        )
    import grpc
    from cirq_google.cloud.quantum_v1alpha1.services.quantum_engine_service.transports import (
        QuantumEngineServiceGrpcAsyncIOTransport as Transport,
    )
    from google.auth.credentials import AnonymousCredentials

    nobody: Any = AnonymousCredentials

    def transport(**_: Any) -> Any:
        # Called by the client in the thread of its own event loop, which the channel needs.
        return Transport(channel=grpc.aio.insecure_channel(address), credentials=nobody())

    return {"transport": transport}
