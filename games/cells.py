"""One small integer per round: its cell in the table of settings and outcomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
import numpy.typing as npt

from ebit.games.errors import ArgumentError

__all__ = [
    "TABLE_LIMIT",
    "cell_type",
    "check_cells",
    "check_columns",
    "check_shape",
    "chunked_bincount",
    "integers",
    "pack",
    "question_of",
    "recode",
    "tally",
    "unpack",
]

# The largest table of counts that is held in memory: 128 MB of 64-bit integers.
TABLE_LIMIT = 1 << 24
_ROWS = 1 << 20
_SETTINGS_LIMIT = 256


def cell_type(size: int) -> type[np.unsignedinteger]:
    """Return the smallest unsigned integer that numbers ``size`` cells."""
    for kind in (np.uint8, np.uint16, np.uint32):
        if size <= np.iinfo(kind).max + 1:
            return kind
    return np.uint64


def check_shape(settings: Sequence[int], outcomes: Sequence[int]) -> None:
    """Raise unless these numbers of settings and outcomes per party can be held.

    Raises:
        ArgumentError: no party, more than 256 of either, or more than 2^64 cells.
    """
    if not settings or len(settings) != len(outcomes):
        raise ArgumentError(
            "settings and outcomes must have one entry per party, "
            f"but have {len(settings)} and {len(outcomes)}"
        )
    for what, sizes in (("settings", settings), ("outcomes", outcomes)):
        for size in sizes:
            if not (isinstance(size, (int, np.integer)) and 1 <= size <= _SETTINGS_LIMIT):
                raise ArgumentError(
                    f"numbers of {what} must be whole numbers from 1 to {_SETTINGS_LIMIT}, "
                    f"but one is {size!r}"
                )
    if prod(int(k) for k in (*settings, *outcomes)) > 1 << 64:
        raise ArgumentError(
            f"rounds of {len(settings)} parties with {max(settings)} settings and "
            f"{max(outcomes)} outcomes do not fit 64 bits each"
        )


def check_cells(
    cells: npt.NDArray[np.unsignedinteger],
    settings: tuple[int, ...],
    outcomes: tuple[int, ...],
    blocks: npt.NDArray[np.int64] | None,
) -> None:
    """Raise unless cells (N,) and the starts of blocks are possible for this shape."""
    check_shape(settings, outcomes)
    if cells.ndim != 1 or cells.dtype.kind != "u" or not len(cells):
        raise ArgumentError(
            "cells must be at least one unsigned integer per round, "
            f"but were {cells.dtype} of shape {cells.shape}"
        )
    size = prod((*settings, *outcomes))
    if int(cells.max()) >= size:
        raise ArgumentError(
            f"rounds must lie in the {size} cells of settings {settings} and outcomes {outcomes}, "
            f"but one is {int(cells.max())}"
        )
    if blocks is not None and not (
        blocks.ndim == 1
        and blocks.dtype.kind in "iu"
        and len(blocks)
        and blocks[0] == 0
        and (np.diff(blocks.astype(np.int64)) > 0).all()
        and blocks[-1] < len(cells)
    ):
        raise ArgumentError("blocks must be the first round of each block, from 0 on, rising")


def pack(
    columns: Sequence[npt.NDArray[np.integer]], shape: Sequence[int]
) -> npt.NDArray[np.unsignedinteger]:
    """Number the cell of each round in C order: one column (N,) per axis, all within range."""
    kind = cell_type(prod(shape))
    code = np.zeros(len(columns[0]), dtype=kind)
    for column, size in zip(columns, shape, strict=True):
        # A size beyond the type fills the whole type: the codes before it are all zero.
        if size <= np.iinfo(kind).max:
            code *= kind(size)
        code += column.astype(kind)
    return code


def _divided(cells: npt.NDArray[np.unsignedinteger], size: int) -> npt.NDArray[np.unsignedinteger]:
    if size > np.iinfo(cells.dtype).max:
        return np.zeros_like(cells)
    return np.asarray(cells // cells.dtype.type(size))


def question_of(
    cells: npt.NDArray[np.unsignedinteger], outcomes: Sequence[int]
) -> npt.NDArray[np.unsignedinteger]:
    """Return the number of the question of each cell, in C order over the parties."""
    width = prod(outcomes)
    return cells if width == 1 else _divided(cells, width)


def unpack(cells: npt.NDArray[np.unsignedinteger], shape: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Return the position of each cell along every axis: uint8 (N, axes)."""
    table = np.empty((len(cells), len(shape)), dtype=np.uint8)
    for start in range(0, len(cells), _ROWS):
        rest = cells[start : start + _ROWS]
        for axis in range(len(shape) - 1, 0, -1):
            above = _divided(rest, shape[axis])
            # Only the last eight bits matter, and unsigned arithmetic wraps.
            kept = rest.astype(np.uint8) - above.astype(np.uint8) * np.uint8(shape[axis] % 256)
            table[start : start + _ROWS, axis] = kept
            rest = above
        table[start : start + _ROWS, 0] = rest
    return table


def recode(
    cells: npt.NDArray[np.unsignedinteger], old: Sequence[int], new: Sequence[int]
) -> npt.NDArray[np.unsignedinteger]:
    """Renumber cells from one shape to another that holds them all."""
    if tuple(old) == tuple(new):
        return cells
    out = np.empty(len(cells), dtype=cell_type(prod(new)))
    for start in range(0, len(cells), _ROWS):
        table = unpack(cells[start : start + _ROWS], old)
        out[start : start + _ROWS] = pack(list(table.T), new)
    return out


def chunked_bincount(values: npt.NDArray[np.integer], size: int) -> npt.NDArray[np.int64]:
    """Count values below size without a copy of the whole array in wider integers."""
    counts = np.zeros(size, dtype=np.int64)
    for start in range(0, len(values), 2 * _ROWS):
        counts += np.bincount(values[start : start + 2 * _ROWS], minlength=size)
    return counts


def tally(
    cells: npt.NDArray[np.unsignedinteger], size: int
) -> tuple[npt.NDArray[np.unsignedinteger], npt.NDArray[np.int64]]:
    """Return the cells that occur, in order, and how often each does."""
    if size <= 1 << 20:
        counts = chunked_bincount(cells, size)
        found = np.flatnonzero(counts)
        return found.astype(cells.dtype), counts[found]
    values, numbers = np.unique(cells, return_counts=True)
    return values, numbers.astype(np.int64)


def check_columns(
    what: str,
    columns: Sequence[npt.NDArray[np.integer]],
    sizes: Sequence[int],
    where: Callable[[int], str] = lambda row: f"round {row + 1}",
) -> None:
    """Raise unless column i lies in 0 .. sizes[i] - 1; the text says where the first lies not."""
    if len(columns) != len(sizes):
        raise ArgumentError(f"{what} must have {len(sizes)} columns, but had {len(columns)}")
    for i, (column, size) in enumerate(zip(columns, sizes, strict=True)):
        if int(column.min()) < 0 or int(column.max()) >= size:
            row = int(np.argmax((column < 0) | (column >= size)))
            raise ArgumentError(
                f"{what} of party {i + 1} must lie in 0..{size - 1}, but {where(row)} has "
                f"{int(column[row])}"
            )


def integers(what: str, values: npt.ArrayLike) -> npt.NDArray[np.integer]:
    """Return an array of whole numbers, or say what else it holds."""
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, OverflowError):
        raise ArgumentError(f"{what} must be a table of whole numbers, all rows alike") from None
    if array.dtype.kind not in "iubf":
        raise ArgumentError(f"{what} must be whole numbers, but had type {array.dtype}")
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise ArgumentError(f"{what} must be whole numbers, but had NaN or infinity")
        fractions = array != np.rint(array)
        if fractions.any():
            raise ArgumentError(
                f"{what} must be whole numbers, but had fractions such as {array[fractions][0]}"
            )
        # Beyond 2^53 a float no longer tells whole numbers apart.
        if array.size and np.abs(array).max() > 1 << 53:
            raise ArgumentError(f"{what} must be exact, but had {np.abs(array).max():.6g}")
    if array.dtype.kind == "u" and array.size and int(array.max()) >= 1 << 63:
        raise ArgumentError(f"{what} must be below 2^63, but had {int(array.max())}")
    if array.dtype.kind in "iub" and array.dtype.itemsize == 1:
        return array.astype(np.uint8) if array.dtype.kind == "b" else array
    return array.astype(np.int64)
