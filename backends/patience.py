"""Deadlines and retries for everything on the network: ours, bounded, and said aloud.

The providers' clients retry some calls on their own, never give up on others, and wait without
limit for a server that accepts a connection and then says nothing. Here every call has a deadline,
every retry a pause that grows, and the whole an end.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ebit.games import ArgumentError, NetworkError

__all__ = ["DeadlineError", "Patience", "insist", "patience_here", "say"]

_T = TypeVar("_T")
Say = Callable[[str], None]


class DeadlineError(NetworkError):
    """A call did not answer in time. It may or may not have been carried out."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for the network.

    Args:
        call: seconds that one call may take.
        total: seconds that a call may take with its retries.
        pause: seconds before the first retry; doubled for each further one.
        longest: seconds of the longest pause.
    """

    call: float = 120.0
    total: float = 600.0
    pause: float = 1.0
    longest: float = 60.0


def insist(
    work: Callable[[], _T],
    what: str,
    *,
    judge: Callable[[Exception], float | None],
    patience: Patience | None = None,
    progress: object = None,
) -> _T:
    """Do one call, again after a passing fault, until it succeeds or patience ends.

    Only for calls that may be repeated: reading, cancelling, looking up.

    Args:
        work: the call.
        what: what it does, for people: "asking ibm_fez for its status".
        judge: whether an error passes: the least number of seconds to wait before the next try
            (0 for "as you like"), or None when trying again is of no use: the error is then raised
            as it is.
        patience: the limits.
        progress: told of every retry if it has a method ``say``.

    Raises:
        NetworkError: patience ended; the text names the last fault.
    """
    limits = patience or Patience()
    begun = time.monotonic()
    tries, pause = 0, limits.pause
    while True:
        tries += 1
        left = limits.total - (time.monotonic() - begun)
        try:
            return within(work, max(0.001, min(limits.call, left)), what)
        except Exception as error:
            least = 0.0 if isinstance(error, DeadlineError) else judge(error)
            if least is None:
                raise
            # A little chance keeps many waiting processes from calling in step.
            wait = max(least, pause * random.uniform(0.75, 1.25))
            spent = time.monotonic() - begun
            if spent + wait > limits.total:
                reason = one_line(error)
                raise NetworkError(
                    f"{what} failed {tries} times in {spent:.0f} s, last with: {reason}; "
                    "try again later, nothing is lost"
                ) from error
            say(progress, f"{what}: {one_line(error)}; trying again in {wait:.0f} s")
            time.sleep(wait)
            pause = min(2 * pause, limits.longest)


def patience_here() -> Patience:
    """The limits of calls on the network, shortened by EBIT_PATIENCE (seconds in all).

    >>> import os
    >>> os.environ["EBIT_PATIENCE"] = "30"
    >>> patience_here().total, patience_here().call
    (30.0, 30.0)
    >>> del os.environ["EBIT_PATIENCE"]
    """
    text = os.environ.get("EBIT_PATIENCE", "").strip()
    full = Patience()
    if not text:
        return full
    try:
        total = float(text)
    except ValueError:
        total = -1.0
    if not 0 < total < float("inf"):
        raise ArgumentError(f"EBIT_PATIENCE must be a number of seconds, but was {text!r}")
    return Patience(
        min(full.call, total), total, min(full.pause, total / 20), min(full.longest, total / 4)
    )


def within(work: Callable[[], _T], seconds: float, what: str) -> _T:
    """Return what a call returns, or give up waiting for it.

    The call runs in a thread of its own, because the clients offer no way to break one off; one
    that is given up on ends when its connection does.

    Raises:
        DeadlineError: it took longer.
    """
    answer: list[_T] = []
    fault: list[BaseException] = []

    def run() -> None:
        try:
            answer.append(work())
        except BaseException as error:
            fault.append(error)

    thread = threading.Thread(target=run, daemon=True, name="ebit network call")
    thread.start()
    thread.join(seconds)
    if answer:
        return answer[0]
    if fault:
        raise fault[0]
    raise DeadlineError(f"{what} took longer than {seconds:.0f} s")


def say(progress: object, text: str) -> None:
    """Tell whoever watches, if they listen: a progress function may have a method ``say``."""
    listener = getattr(progress, "say", None)
    if callable(listener):
        listener(text)


def one_line(error: BaseException) -> str:
    """The text of an error on one line, not too long."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."
