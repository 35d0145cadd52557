"""One SQLite transaction at a time in this process, whatever the file."""

from __future__ import annotations

import os
import threading

__all__ = ["gate"]

# SQLite's locks belong to the process, and two things would take them away from a thread that holds
# them: another thread that closes the plain file, and a fork in the middle, which leaves the child
# with locks that are not its own.
_gate = threading.RLock()


def gate() -> threading.RLock:
    """Return the lock to hold from before a file is opened until after it is closed."""
    return _gate


def _fresh_gate() -> None:
    global _gate
    _gate = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lambda: _gate.acquire(),
        after_in_parent=lambda: _gate.release(),
        after_in_child=_fresh_gate,
    )
