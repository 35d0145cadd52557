"""Where ebit keeps what must outlive a process."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ebit.games import ArgumentError

__all__ = ["home", "on_network"]

_NETWORK = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "lustre",
    "gpfs",
    "beegfs",
    "vboxsf",
}


def home() -> Path:
    """The folder of ebit's own files: ``EBIT_HOME``, or the platform's folder for data.

    Raises:
        ArgumentError: ``EBIT_HOME`` begins with ``~`` and a name that nobody here has.
    """
    given = os.environ.get("EBIT_HOME")
    if given:
        try:
            return Path(given).expanduser()
        except RuntimeError:
            raise ArgumentError(
                f"EBIT_HOME must be a folder, but {given!r} begins with the name of nobody here"
            ) from None
    from platformdirs import user_data_path

    return user_data_path("ebit", appauthor=False)


def on_network(folder: Path) -> bool:
    """Whether a folder lies on a network file system, as far as the system tells (Linux only).

    SQLite's write-ahead log needs memory that is shared between processes, which such file
    systems do not have.
    """
    try:
        mounts = Path("/proc/self/mounts").read_bytes()
        place = os.fsencode(folder.resolve())
    except OSError:
        return False
    best, kind = b"", ""
    for line in mounts.splitlines():
        words = line.split(b" ")
        if len(words) < 3:
            continue
        # The kernel writes blanks and the like as octal numbers: \040.
        mount = re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8) & 255]), words[1])
        inside = place == mount or place.startswith(mount.rstrip(b"/") + b"/")
        if inside and len(mount) >= len(best):
            best, kind = mount, words[2].decode("ascii", "replace")
    # Much of what a program mounts by itself is remote (sshfs, rclone, s3fs); the plain journal is
    # right for all of it.
    return kind in _NETWORK or kind.startswith("fuse.")
