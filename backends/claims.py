"""Who is at work on a run: an owner's name that tells whether the owner is still there."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

__all__ = ["free", "me", "who"]


def me() -> str:
    """The name of this process: host, process number, and when it began."""
    pid = os.getpid()
    return f"{_host()}|{pid}|{_begun(pid)}"


def who(owner: str) -> str:
    """The name of a process, for people."""
    host, pid, _ = _split(owner)
    return f"number {pid or '?'} on {host.partition('/')[0] or '?'}"


def free(owner: str, until: float, lease: float) -> bool:
    """Whether a claim has lapsed.

    On this machine a claim lives exactly as long as its process; where that cannot be told (on
    another machine or in another container, or on a system that does not say when a process
    began, since numbers are used again), it ends with its lease at the latest. A lease that ends
    further away than any that is given was written by a clock that has since been set back, and
    does not count.
    """
    host, pid, begun = _split(owner)
    leased = 0 < until - time.time() <= 1.5 * lease
    if host != _host() or not pid.isdigit():
        return not leased
    return not _alive(int(pid), begun) or not (begun or leased)


def _split(owner: str) -> tuple[str, str, str]:
    host, _, rest = owner.partition("|")
    pid, _, begun = rest.partition("|")
    return host, pid, begun


def _host() -> str:
    """Where process numbers mean what they mean here: the machine, and on Linux the container."""
    try:
        space = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return socket.gethostname()
    return f"{socket.gethostname()}/{space}"


def _alive(pid: int, begun: str) -> bool:
    if os.name == "nt":  # os.kill would end the process there
        return _alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # somebody else's process: it is there
    now = _begun(pid)
    return not (begun and now and begun != now)


def _alive_on_windows(pid: int) -> bool:
    import ctypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
    handle = kernel.OpenProcess(0x1000, False, pid)  # query limited information
    if not handle:
        denied: bool = ctypes.get_last_error() == 5  # type: ignore[attr-defined]
        return denied  # somebody else's process: it is there
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
