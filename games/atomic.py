"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ebit.games.errors import ArgumentError

__all__ = ["write_whole"]


def write_whole(path: str | Path, content: bytes | str | Callable[[BinaryIO], None]) -> Path:
    """Write a file under a temporary name beside it, then rename it into place.

    A reader never sees half a file, and an interrupted or failed write leaves what was there.

    Args:
        path: where the file goes; its folder is made if it is missing.
        content: bytes, text (UTF-8), or a function that writes to the open file.

    Raises:
        ArgumentError: the folder or the file cannot be written.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    except OSError as error:
        raise ArgumentError(f"cannot write {target}: {error.strerror or error}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, target)
    except OSError as error:
        _remove(name)
        raise ArgumentError(f"cannot write {target}: {error.strerror or error}") from None
    except BaseException:
        _remove(name)
        raise
    return target


def _remove(name: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(name)


def _umask() -> int:
    # The only portable way to read the mask is to set it for a moment.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
