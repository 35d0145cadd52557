"""Where ebit keeps what must outlive a process."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["home", "on_network"]

_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs"}


def home() -> Path:
    """The folder of ebit's own files: ``EBIT_HOME``, or the platform's folder for data."""
    given = os.environ.get("EBIT_HOME")
    if given:
        return Path(given).expanduser()
    from platformdirs import user_data_path

    return user_data_path("ebit", appauthor=False)


def on_network(folder: Path) -> bool:
    """Whether a folder lies on a network file system, as far as the system tells (Linux only).

    SQLite's write-ahead log needs memory that is shared between processes, which such file
    systems do not have.
    """
    try:
        lines = Path("/proc/self/mounts").read_text("utf-8", errors="replace").splitlines()
        place = str(folder.resolve())
    except OSError:
        return False
    best, kind = "", ""
    for line in lines:
        words = line.split(" ")
        if len(words) < 3:
            continue
        mount = words[1].encode().decode("unicode_escape")
        inside = place == mount or place.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, words[2]
    return kind in _NETWORK or kind.startswith("fuse.sshfs")
