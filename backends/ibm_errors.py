"""What went wrong between here and IBM: whether it passes, and what to tell people.

The client wraps errors in errors, loses status codes on the way and repeats some calls by itself;
here the whole chain of causes is read for the one fact that counts. Classes are known by name, so
that nothing of the client is loaded for this.
"""

from __future__ import annotations

import email.utils
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ebit.backends.patience import DeadlineError, one_line
from ebit.games import ArgumentError, BudgetError, EbitError, JobError, NetworkError

__all__ = ["NO_ACCOUNT", "Told", "Trouble", "explain", "hide", "judge", "trouble"]

NO_ACCOUNT = (
    "save an account once with QiskitRuntimeService.save_account(token=..., instance=...), or set "
    "QISKIT_IBM_TOKEN"
)
_PASSING = frozenset({408, 425, 429})
# Classes, by name, of what the layers below the client raise when no usable reply came.
_WIRE = frozenset(
    {
        "RequestException",
        "HTTPError",
        "ProtocolError",
        "TimeoutError",
        "ConnectionError",
        "SSLError",
    }
)
_secrets: set[str] = set()


class Told(Exception):
    """An error of the client in words for people; what it was is its cause."""


@dataclass(frozen=True)
class Trouble:
    """One error, read.

    Args:
        status: HTTP status of the last reply, None where no reply came.
        passing: whether the same call may succeed later.
        wait: least number of seconds to wait before, as the server asked.
        words: the provider's words, or the error's, on one line.
        names: names of the classes in the chain.
    """

    status: int | None
    passing: bool
    wait: float
    words: str
    names: frozenset[str]


def trouble(error: BaseException) -> Trouble:
    """Read an error and what caused it."""
    chain = list(_chain(error))
    names = frozenset(base.__name__ for e in chain for base in type(e).__mro__)
    reply = next((r for e in chain if (r := _reply(e)) is not None), None)
    status = _status(chain, reply)
    if status is None and "IBMNotAuthorizedError" in names:
        status = 401
    if status is not None:
        passing = status in _PASSING or status >= 500
    else:
        passing = bool(names & _WIRE) or isinstance(error, DeadlineError)
    wait = _retry_after(reply) if passing else 0.0
    words = _words(reply) or _plain(error, chain, status, names)
    return Trouble(status, passing, wait, hide(words), names)


def judge(error: Exception) -> float | None:
    """Whether a call may be repeated after an error, as `insist` wants to know it."""
    found = trouble(error)
    return found.wait if found.passing else None


def explain(error: BaseException, what: str) -> EbitError:
    """The error that people see: one line that says what to do.

    Args:
        error: what the client raised.
        what: what was being done: "asking ibm_fez for its status".
    """
    if isinstance(error, EbitError):
        return error
    found = trouble(error)
    if "AccountNotFoundError" in found.names:
        return ArgumentError(f"no account of IBM is known here: {NO_ACCOUNT}")
    if found.passing:
        return NetworkError(f"{what} failed: {found.words}; try again later, nothing is lost")
    refused = "InvalidAccountError" in found.names and found.status in (400, 401, 403)
    if refused or found.status == 401:
        return ArgumentError(
            f"IBM does not accept the API key ({found.words}): check QISKIT_IBM_TOKEN, or save the "
            "right one with QiskitRuntimeService.save_account(token=..., overwrite=True)"
        )
    if found.status == 403:
        return ArgumentError(
            f"{what} is not allowed to this account (403: {found.words}): check the instance "
            "(QISKIT_IBM_INSTANCE) and its access rights"
        )
    if found.status == 404:
        return JobError(f"{what} failed: IBM has nothing under that name (404: {found.words})")
    if found.status == 409:
        return BudgetError(f"{what} was refused: the instance has no time left ({found.words})")
    if "InvalidAccountError" in found.names or "IBMInputValueError" in found.names:
        return ArgumentError(f"IBM's client cannot use the account: {found.words}; {NO_ACCOUNT}")
    return JobError(f"{what} failed: {found.words}")


def keep_secret(token: str | None) -> None:
    """Have `hide` take a token out of every text from now on."""
    if token and isinstance(token, str):
        _secrets.add(token)


def hide(text: str) -> str:
    """A text without the API keys that are in use here."""
    for secret in {*_secrets, os.environ.get("QISKIT_IBM_TOKEN", "")}:
        if len(secret) >= 4:
            text = text.replace(secret, "***")
    return text


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        # Causes that the client suppressed are read too: they hold the status.
        error = error.__cause__ or error.__context__


def _reply(error: BaseException) -> Any:
    for name in ("response", "http_response"):
        found = getattr(error, name, None)
        if found is not None and isinstance(getattr(found, "status_code", None), int):
            return found
    return None


def _status(chain: list[BaseException], reply: Any) -> int | None:
    for error in chain:
        code = getattr(error, "status_code", None)
        if isinstance(code, int) and code > 0:
            return code
    if reply is not None:
        return int(reply.status_code)
    # After its own repeats the client reports no status, only this sentence.
    for error in chain:
        match = re.search(r"too many (\d{3}) error responses", str(error))
        if match:
            return int(match[1])
    return None


def _retry_after(reply: Any) -> float:
    text = "" if reply is None else str(getattr(reply, "headers", {}).get("Retry-After") or "")
    if re.fullmatch(r"\d+(\.\d+)?", text.strip()):
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0


def _plain(
    error: BaseException, chain: list[BaseException], status: int | None, names: frozenset[str]
) -> str:
    """The words where the provider gave none: those of the innermost fault, without addresses."""
    if isinstance(error, Told | DeadlineError):
        return one_line(error)
    if status is not None and status >= 500:
        return f"IBM's server answers with error {status}"
    if status is None and names & _WIRE:
        return f"no whole reply came from IBM ({one_line(chain[-1])})"
    return one_line(error)


def _words(reply: Any) -> str:
    """The message inside an error reply, in any of the shapes IBM uses."""
    if reply is None:
        return ""
    try:
        data = reply.json()
        if isinstance(data.get("errors"), list):
            data = data["errors"][0]
        elif isinstance(data.get("error"), dict):
            data = data["error"]
        text = data.get("message") or data.get("errorMessage") or ""
    except Exception:  # no JSON, or none that means anything
        return ""
    words = " ".join(str(text).split())
    return f"{reply.status_code}: {words}" if words else ""
