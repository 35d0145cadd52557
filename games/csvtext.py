"""CSV text to columns of small integers and back, a chunk at a time."""

from __future__ import annotations

import gzip
import io
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from ebit.games.errors import ArgumentError

__all__ = ["Columns", "columns_of", "open_bytes", "parse_chunk", "read_chunks", "rounds_text"]

CHUNK = 1 << 25
_COMMA, _ZERO, _NEWLINE = ord(","), ord("0"), ord("\n")
_PLAIN = {"xa": ["x", "y", "z", "u", "v", "w"], "out": ["a", "b", "c", "d", "e", "f"]}


@dataclass(frozen=True)
class Columns:
    """Which column of a table is what."""

    width: int
    settings: tuple[int, ...]
    outcomes: tuple[int, ...]
    block: int | None
    count: int | None


def columns_of(header: str, path: Path) -> Columns:
    """Find the columns of settings, outcomes, block and count by their names.

    Settings are x, y (z, u, ...) or x1..xn; outcomes a, b (c, d, ...) or a1..an; a block or count
    column may stand beside them, in any order.

    Raises:
        ArgumentError: the names are not those; the text lists what was found.
    """
    names = [name.strip().strip('"').lower() for name in header.split(",")]
    where = {name: i for i, name in enumerate(names)}
    if len(where) != len(names):
        raise ArgumentError(f"{path}: column names must differ, but were {', '.join(names)}")
    settings = _family(where, "x", _PLAIN["xa"])
    outcomes = _family(where, "a", _PLAIN["out"])
    block = next((where.pop(k) for k in ("block", "blocks") if k in where), None)
    count = next((where.pop(k) for k in ("count", "counts", "n") if k in where), None)
    for ignored in ("shot", "round", "trial", "index", ""):
        where.pop(ignored, None)
    if not settings or len(settings) != len(outcomes) or where:
        raise ArgumentError(
            f"{path}: columns must be settings x,y and outcomes a,b (or x1..xn, a1..an), with an "
            f"optional block or count, but were {', '.join(names)}"
        )
    return Columns(len(names), tuple(settings), tuple(outcomes), block, count)


def _family(where: dict[str, int], letter: str, plain: list[str]) -> list[int]:
    numbered = sorted(
        (int(m[1]), name) for name in where if (m := re.fullmatch(letter + r"_?(\d+)", name))
    )
    if numbered:
        return [where.pop(name) for _, name in numbered]
    found = []
    for name in plain:
        if name not in where:
            break
        found.append(where.pop(name))
    return found


def open_bytes(path: Path) -> BinaryIO:
    """Open a file for reading bytes, through gzip if its name ends so."""
    try:
        if path.suffix == ".gz":
            return cast(BinaryIO, gzip.open(path, "rb"))
        return open(path, "rb")
    except OSError as error:
        raise ArgumentError(f"cannot read {path}: {error.strerror or error}") from None


def read_chunks(file: BinaryIO, path: Path) -> Iterator[bytes]:
    """Yield the file in pieces that end with a line's end."""
    rest = b""
    while True:
        try:
            piece = file.read(CHUNK)
        except (OSError, EOFError) as error:
            raise ArgumentError(f"{path}: cut short or damaged: {error}") from None
        if not piece:
            break
        piece = rest + piece
        cut = piece.rfind(b"\n") + 1
        rest = piece[cut:]
        if cut:
            yield piece[:cut].replace(b"\r\n", b"\n")
    if rest.strip():
        yield rest.replace(b"\r", b"") + b"\n"


def parse_chunk(
    text: bytes, columns: Columns, path: Path, line: int
) -> list[npt.NDArray[np.integer]]:
    """Return the chunk's columns as arrays, in the order of the file.

    Tables whose last columns are single digits, as rounds are, are read straight from the bytes;
    everything else goes through numpy's reader.

    Raises:
        ArgumentError: something that is not a whole number; the text names the line.
    """
    fast = _digits(text, columns.width)
    return fast if fast is not None else _slow(text, columns, path, line)


def _digits(text: bytes, width: int) -> list[npt.NDArray[np.integer]] | None:
    raw = np.frombuffer(text, dtype=np.uint8)
    ends = np.flatnonzero(raw == _NEWLINE)
    starts = np.r_[0, ends[:-1] + 1]
    lengths = ends - starts
    tail = 2 * width - 1
    if not len(ends) or lengths.min() < tail:
        return None
    found: list[npt.NDArray[np.integer]] = []
    if lengths.max() == tail and len(raw) == (tail + 1) * len(ends):
        grid = raw.reshape(len(ends), tail + 1)
        if width > 1 and (grid[:, 1:tail:2] != _COMMA).any():
            return None
        digits = grid[:, 0:tail:2] - _ZERO
        return None if (digits > 9).any() else [digits[:, i] for i in range(width)]
    # The first column may be wider, as block numbers are; the others are one digit each.
    for i in range(1, width):
        at = ends - 2 * (width - i) + 1
        digit = raw[at] - _ZERO
        if (digit > 9).any() or (raw[at - 1] != _COMMA).any():
            return None
        found.append(digit)
    size = lengths - 2 * (width - 1)
    if size.max() > 15:
        return None
    first = np.zeros(len(ends), dtype=np.int64)
    for k in range(int(size.max())):
        live = k < size
        digit = raw[starts + np.minimum(k, size - 1)] - _ZERO
        if (digit[live] > 9).any():
            return None
        first = np.where(live, first * 10 + digit, first)
    return [first, *found]


def _slow(text: bytes, columns: Columns, path: Path, line: int) -> list[npt.NDArray[np.integer]]:
    try:
        table = np.loadtxt(io.BytesIO(text), delimiter=",", ndmin=2, comments="#")
    except ValueError:
        raise ArgumentError(f"{path}: {_first_bad_line(text, columns.width, line)}") from None
    if table.shape[1] != columns.width:
        raise ArgumentError(
            f"{path}: every line must have {columns.width} columns, but line {line} has "
            f"{table.shape[1]}"
        )
    bad = ~np.isfinite(table) | (table != np.rint(table))
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ArgumentError(
            f"{path}: every value must be a whole number, but line {line + row} has "
            f"{table[row, column]} in column {column + 1}"
        )
    return list(table.astype(np.int64).T)


def _first_bad_line(text: bytes, width: int, line: int) -> str:
    for number, row in enumerate(text.decode(errors="replace").splitlines(), start=line):
        if not row.strip():
            continue
        fields = row.split(",")
        if len(fields) != width:
            return f"every line must have {width} columns, but line {number} has {len(fields)}"
        for i, field in enumerate(fields):
            try:
                float(field)
            except ValueError:
                shown = field.strip()[:40]
                return (
                    f"every value must be a whole number, but line {number} has {shown!r} in "
                    f"column {i + 1}"
                )
    return "not a table of whole numbers"


def rounds_text(table: npt.NDArray[np.uint8], block: npt.NDArray[np.int64] | None) -> bytes:
    """Write rounds (N, columns) of single digits as CSV lines, a block number before each."""
    n, width = table.shape
    if (table > 9).any():
        front = [] if block is None else [block]
        rows = zip(*front, *table.T, strict=True)
        return "".join(",".join(map(str, row)) + "\n" for row in rows).encode()
    grid = np.full((n, 2 * width), _COMMA, dtype=np.uint8)
    grid[:, 0::2] = table + _ZERO
    grid[:, -1] = _NEWLINE
    if block is None:
        return grid.tobytes()
    pieces = []
    edges = np.r_[0, np.flatnonzero(block[1:] != block[:-1]) + 1, n]
    for start, stop in itertools.pairwise(edges):
        mark = np.frombuffer(f"{int(block[start])},".encode(), dtype=np.uint8)
        left = np.broadcast_to(mark, (stop - start, len(mark)))
        pieces.append(np.concatenate([left, grid[start:stop]], axis=1).tobytes())
    return b"".join(pieces)
