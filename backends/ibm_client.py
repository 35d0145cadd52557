"""IBM's client, opened and asked with limits.

Keys come from the client's own saved accounts and variables (QISKIT_IBM_TOKEN, QISKIT_IBM_INSTANCE,
QISKIT_IBM_CHANNEL) and never pass through here. For a proxy or a test server there are the
variables EBIT_IBM_URL (base address of another API host; the client adds /api/v1) and, read by the
client itself, IAM_URL, GLOBAL_SEARCH_URL and GLOBAL_CATALOG_URL. EBIT_PATIENCE is the number of
seconds after which a call with its retries is given up.
"""

from __future__ import annotations

import difflib
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from ebit.backends.ibm_errors import NO_ACCOUNT, Told, explain, judge, keep_secret, trouble
from ebit.backends.patience import Patience, insist, patience_here, within
from ebit.games import ArgumentError, EbitError

__all__ = ["Line", "account_visible", "open_device", "open_service", "patience_here"]

_T = TypeVar("_T")

ACCOUNTS = Path(os.path.expanduser("~"), ".qiskit", "qiskit-ibm.json")
"""Where the client saves accounts."""


class Line:
    """The line to IBM: every call with a deadline, passing faults with retries that are told.

    Args:
        patience: the limits, from the environment by default.
    """

    def __init__(self, patience: Patience | None = None) -> None:
        self.patience = patience or patience_here()

    def ask(
        self,
        work: Callable[[], _T],
        what: str,
        *,
        progress: object = None,
        judge: Callable[[Exception], float | None] = judge,
        patience: Patience | None = None,
    ) -> _T:
        """What a call that may be repeated returns."""
        limits = patience or self.patience
        try:
            return insist(_telling(work), what, judge=judge, patience=limits, progress=progress)
        except EbitError:
            raise
        except Exception as error:
            raise explain(error, what) from error

    def once(self, work: Callable[[], _T], what: str) -> _T:
        """What a call that must not be repeated returns; it raises what the client raises."""
        return within(work, self.patience.call, what)

    def brief(self) -> Patience:
        """Limits for what is good to know, but not worth waiting for."""
        full = self.patience
        return Patience(min(full.call, 20.0), min(full.total, 20.0), full.pause, full.longest)


def _telling(work: Callable[[], _T]) -> Callable[[], _T]:
    """The same call, whose errors read well and hold no key, wherever they are printed."""

    def call() -> _T:
        try:
            return work()
        except EbitError:
            raise
        except Exception as error:
            raise Told(trouble(error).words) from error

    return call


def account_visible() -> bool:
    """Whether a key of IBM can be found here, without asking anybody on the network.

    Reads what the client reads, but does not load the client.
    """
    if os.environ.get("QISKIT_IBM_TOKEN"):
        return True
    try:
        saved = json.loads(ACCOUNTS.read_text("utf-8"))
        channels = {a.get("channel") for a in saved.values() if a.get("token")}
    except (OSError, ValueError, AttributeError):
        return False
    return bool(channels & {"ibm_quantum_platform", "ibm_cloud"})


def open_service(line: Line, *, progress: object = None) -> Any:
    """The client's service, with the list of processors that came with it.

    Raises:
        ArgumentError: no account is known here, or IBM does not accept it.
        NetworkError: IBM did not answer.
    """
    if not account_visible():
        raise ArgumentError(f"no account of IBM is known here: {NO_ACCOUNT}")
    # Here and not in the call's own thread: Qiskit 2.6 crashes the process when it is first loaded
    # in a thread that has ended.
    from ebit.backends.lower import standard_gates

    standard_gates()
    with _hushed():
        return line.ask(_service, "opening the account at IBM", progress=progress)


def open_device(name: str, line: Line, *, progress: object = None) -> Any:
    """A processor as the client knows it.

    Raises:
        ArgumentError: no account, or no processor of that name in it.
        NetworkError: IBM did not answer.
    """
    service = open_service(line, progress=progress)
    names = processors_of(service)
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        some = ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")
        hint = f"did you mean {' or '.join(near)}?" if near else f"it has {some or 'none'}"
        raise ArgumentError(
            f"argument backend must be a processor of this account at IBM, but was {name!r}; {hint}"
        )
    with _hushed():
        return line.ask(lambda: _device(service, name), f"opening {name}", progress=progress)


def processors_of(service: Any) -> list[str]:
    """Names of the processors that a service has, sorted, mock devices left out."""
    infos = service._backends_info_per_instance.values()
    return sorted({d["name"] for devices in infos for d in devices if d.get("class") != "mock"})


def _service() -> Any:
    from qiskit_ibm_runtime import QiskitRuntimeService

    # "auto" changes nothing but that the client does not warn of a missing instance.
    options: dict[str, Any] = {"instance": "auto"}
    base = os.environ.get("EBIT_IBM_URL", "").strip().rstrip("/")
    if base:
        options["url_resolver"] = lambda url, instance, private, channel: f"{base}/api/v1"
    service = QiskitRuntimeService(**options)
    keep_secret(service._account.token)
    if not service._backends_info_per_instance:
        # The client hides why the list did not come, and goes on without any: ask again, aloud.
        service._active_api_client.list_backends(True)
        raise ConnectionError("the list of processors did not come")
    return service


def _device(service: Any, name: str) -> Any:
    from qiskit.providers.exceptions import QiskitBackendNotFoundError

    try:
        device = service.backend(name)
    except QiskitBackendNotFoundError:
        # It is in the list, so something else happened, which the client hides: ask again, aloud.
        service._active_api_client.backend_configuration(name, refresh=True)
        raise ConnectionError(f"the configuration of {name} did not come") from None
    device.properties()
    return device


@contextmanager
def _hushed() -> Iterator[None]:
    """The client's remarks on what it tries are left out: what matters is said by the caller."""
    logger = logging.getLogger("qiskit_ibm_runtime")
    if os.environ.get("QISKIT_IBM_RUNTIME_LOG_LEVEL"):
        yield
        return
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
