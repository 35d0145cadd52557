"""Folders and files that only their owner may read, and what goes wrong with bits in them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ebit.games import ArgumentError, EbitError

__all__ = ["OutOfBitsError", "PoolError", "private_file", "private_folder", "sync_folder"]


class PoolError(EbitError):
    """A pool of bits cannot be opened, read or written."""

    exit_code = 1


class OutOfBitsError(PoolError):
    """More bits were asked for than there are."""

    exit_code = 3


def private_folder(folder: Path) -> None:
    """Make a folder that only its owner can look into; one that is there is left as it is.

    Raises:
        PoolError: it cannot be made.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        if not folder.is_dir():
            raise NotADirectoryError(20, "it is a file")
    except OSError as error:
        raise PoolError(f"the folder {folder} cannot be made: {error.strerror or error}") from None


@contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file under a temporary name beside it, readable by its owner only, then rename it.

    What was there stays if the block fails or is killed.

    Raises:
        ArgumentError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    except OSError as error:
        raise ArgumentError(f"cannot write {path}: {error.strerror or error}") from None
    try:
        with os.fdopen(handle, "wb") as file:  # mkstemp gives it mode 600
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            os.unlink(name)
        raise ArgumentError(f"cannot write {path}: {error.strerror or error}") from None
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def sync_folder(folder: Path) -> None:
    """Put a rename on disk, on systems that can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
