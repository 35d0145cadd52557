"""Who is at work on a run: an owner's name that tells whether the owner is still there."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

__all__ = ["free", "me"]


def me() -> str:
    """The name of this process: host, process number, and when it began."""
    pid = os.getpid()
    return f"{socket.gethostname()}|{pid}|{_begun(pid)}"


def free(owner: str, until: float, lease: float) -> bool:
    """Whether a claim has lapsed.

    On this machine a claim lives exactly as long as its process; on another one, until its lease
    ends. A lease that ends further away than any that is given was written by a clock that has
    since been set back, and does not count.
    """
    host, _, rest = owner.partition("|")
    pid, _, begun = rest.partition("|")
    if host == socket.gethostname() and pid.isdigit():
        return not _alive(int(pid), begun)
    left = until - time.time()
    return not 0 < left <= 1.5 * lease


def _alive(pid: int, begun: str) -> bool:
    if os.name == "nt":  # os.kill would end the process there
        return _alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's process: it is there
    now = _begun(pid)
    return not (begun and now and begun != now)


def _alive_on_windows(pid: int) -> bool:
    import ctypes

    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
    handle = kernel.OpenProcess(0x1000, False, pid)  # query limited information
    if not handle:
        return False
    code = ctypes.c_ulong()
    kernel.GetExitCodeProcess(handle, ctypes.byref(code))
    kernel.CloseHandle(handle)
    return code.value == 259  # still active


def _begun(pid: int) -> str:
    """When a process began, in the kernel's ticks (Linux; elsewhere nothing is known)."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return ""
    fields = line.rpartition(")")[2].split()
    # A process that has been killed but not yet waited for is a zombie: it does nothing more.
    return "" if not fields else ("dead" if fields[0] in "ZX" else fields[19])
