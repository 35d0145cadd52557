"""What can go wrong between a client and a server, ordered beforehand and counted."""

from __future__ import annotations

import re
import threading
from dataclasses import asdict, dataclass, field
from typing import Any

KINDS = ("status", "drop", "delay", "stall", "cut", "mangle")


@dataclass
class Fault:
    """One kind of fault for the requests that match.

    Args:
        kind: "status" (an error of that status), "drop" (the connection is closed without a
            reply), "delay" (the reply comes late), "stall" (nothing comes at all), "cut" (half of
            the reply, then the connection is closed), "mangle" (half of the reply, as if whole).
        method: HTTP method, "*" for any.
        path: regular expression that is searched in the path.
        status: of an error.
        after: whether the request is carried out before the fault; "cut" and "mangle" always are.
        times: how often, 0 for ever.
        skip: requests that are let through first.
        seconds: of a delay, and the longest stall.
        retry_after: header of an error, None for none.
    """

    kind: str
    method: str = "GET"
    path: str = "."
    status: int = 500
    after: bool = False
    times: int = 1
    skip: int = 0
    seconds: float = 600.0
    retry_after: str | None = None
    hits: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {KINDS}, but was {self.kind!r}")
        if self.kind in ("cut", "mangle"):
            self.after = True


@dataclass
class Faults:
    """The faults of one server, in the order they were ordered."""

    ordered: list[Fault] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, fault: Fault) -> Fault:
        with self.lock:
            self.ordered.append(fault)
        return fault

    def clear(self) -> None:
        with self.lock:
            self.ordered.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets, counted."""
        with self.lock:
            for fault in self.ordered:
                if fault.method not in ("*", method) or not re.search(fault.path, path):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                if fault.times and fault.hits >= fault.times:
                    continue
                fault.hits += 1
                return fault
        return None

    def told(self) -> list[dict[str, Any]]:
        with self.lock:
            return [asdict(fault) for fault in self.ordered]
