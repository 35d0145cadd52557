"""CSV text to columns of small integers and back, a chunk at a time."""

from __future__ import annotations

import gzip
import io
import itertools
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from ebit.games.errors import ArgumentError

__all__ = [
    "Columns",
    "Rows",
    "columns_of",
    "open_bytes",
    "parse_chunk",
    "read_chunks",
    "read_line",
    "rounds_text",
    "separator",
    "shown",
]

CHUNK = 1 << 23
_LONGEST_HEADER = 1 << 16
_COMMA, _ZERO, _NEWLINE = ord(","), ord("0"), ord("\n")
_SETTINGS, _OUTCOMES = "xyzuvw", "abcdef"
_IGNORED = ("shot", "round", "trial", "index", "__index_level_0__", "")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", re.ASCII)


@dataclass(frozen=True)
class Columns:
    """Which column of a table is what."""

    width: int
    settings: tuple[int, ...]
    outcomes: tuple[int, ...]
    block: int | None
    count: int | None


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of a table.

    Attributes:
        columns: the columns, in the order of the file.
        first: the line of the first row.
        lines: the line of each row, where blank lines or comments stand between them.
    """

    columns: list[npt.NDArray[np.integer]]
    first: int
    lines: npt.NDArray[np.int64] | None = None

    def where(self, row: int) -> str:
        """Return the place of a row in the file."""
        return f"line {self.first + row if self.lines is None else int(self.lines[row])}"


def shown(text: str, most: int = 60) -> str:
    """Return text from a file fit for a message: one line, printable, not long."""
    plain = "".join(c if c.isprintable() else "?" for c in text[: most + 1])
    return plain if len(plain) <= most else plain[:most] + "..."


def separator(header: str) -> str:
    """Return what separates the columns: a comma, or else a semicolon or a tab."""
    return next((mark for mark in (",", ";", "\t") if mark in header), ",")


def columns_of(names: Sequence[str]) -> Columns:
    """Find the columns of settings, outcomes, block and count by their names.

    Settings are x, y (z, u, ...) or x1..xn; outcomes a, b (c, d, ...) or a1..an; a block or count
    column may stand beside them, in any order.

    Raises:
        ArgumentError: the names are not those; the text lists what was found.
    """
    names = [name.strip().strip('"').strip().lower() for name in names]
    found = shown(", ".join(names), 200)
    where = {name: i for i, name in enumerate(names)}
    if all(re.fullmatch(r"[+-]?[0-9.]+", name) for name in names):
        raise ArgumentError(
            f"the first line must name the columns, such as x,y,a,b, but it holds numbers: {found}"
        )
    if len(where) != len(names):
        raise ArgumentError(f"column names must differ, but were {found}")
    settings = _family(where, "x", _SETTINGS)
    outcomes = _family(where, "a", _OUTCOMES)
    block = next((where.pop(k) for k in ("block", "blocks") if k in where), None)
    count = next((where.pop(k) for k in ("count", "counts", "n") if k in where), None)
    for ignored in _IGNORED:
        where.pop(ignored, None)
    if settings and len(settings) == len(outcomes) and where:
        raise ArgumentError(
            f"columns other than settings, outcomes, block and count must be removed: "
            f"{shown(', '.join(where), 200)}"
        )
    if not settings or len(settings) != len(outcomes):
        raise ArgumentError(
            "columns must be settings x,y and outcomes a,b (or x1..xn, a1..an), separated by "
            f"commas, semicolons or tabs, with an optional block or count, but were {found}"
        )
    return Columns(len(names), tuple(settings), tuple(outcomes), block, count)


def _family(where: dict[str, int], letter: str, plain: str) -> list[int]:
    numbered = {
        int(m[1]): name for name in where if (m := re.fullmatch(letter + r"_?([0-9]{1,3})", name))
    }
    if numbered:
        # Parties are numbered from 1, or from 0, without a gap.
        low = min(min(numbered), 1)
        return [where.pop(numbered[low + i]) for i in range(len(numbered)) if low + i in numbered]
    return [where.pop(name) for name in itertools.takewhile(where.__contains__, plain)]


def open_bytes(path: Path) -> BinaryIO:
    """Open a file for reading bytes, through gzip if its name ends so."""
    try:
        if path.suffix.lower() == ".gz":
            return cast(BinaryIO, gzip.open(path, "rb"))
        return open(path, "rb")
    except OSError as error:
        raise ArgumentError(f"cannot be read: {error.strerror or error}") from None


def read_line(file: BinaryIO) -> bytes | None:
    """Return the next line without its end, None at the end of the file.

    Raises:
        ArgumentError: a damaged file, or a line that cannot be a header.
    """
    try:
        line = file.readline(_LONGEST_HEADER)
    except (OSError, EOFError, zlib.error) as error:
        raise ArgumentError(f"cut short or damaged: {error}") from None
    text = line.rstrip(b"\r\n")
    if len(line) == _LONGEST_HEADER or b"\0" in line or b"\r" in text:
        raise ArgumentError(
            "the first lines must be text such as x,y,a,b with ends LF or CRLF, but are not"
        )
    return text if line else None


def read_chunks(file: BinaryIO) -> Iterator[bytes]:
    """Yield the file in pieces of whole lines that end in LF."""
    rest = b""
    while True:
        try:
            piece = file.read(CHUNK)
        except (OSError, EOFError, zlib.error) as error:
            raise ArgumentError(f"cut short or damaged: {error}") from None
        if not piece:
            break
        if rest:
            piece = rest + piece
        cut = piece.rfind(b"\n") + 1
        rest = piece[cut:]
        if len(rest) > CHUNK:
            raise ArgumentError(f"not a table: a line is longer than {CHUNK} bytes")
        if cut:
            yield _with_plain_ends(piece[:cut])
    if rest.strip():
        yield _with_plain_ends(rest + b"\n")


def _with_plain_ends(piece: bytes) -> bytes:
    if b"\r" not in piece:
        return piece
    return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def parse_chunk(text: bytes, width: int, line: int) -> Rows:
    """Return the rows of a chunk whose first line has this number; there may be none.

    Tables whose last columns are single digits, as rounds are, are read straight from the bytes;
    everything else goes through numpy's reader, and what that refuses is read line by line.

    Raises:
        ArgumentError: something that is not a whole number; the text names the line.
    """
    columns = _digits(text, width) or _plain(text, width)
    return Rows(columns, line) if columns else _careful(text, width, line)


def _digits(text: bytes, width: int) -> list[npt.NDArray[np.integer]] | None:
    raw = np.frombuffer(text, dtype=np.uint8)
    tail = 2 * width - 1
    first_end = text.find(b"\n")
    if first_end == tail and len(raw) % (tail + 1) == 0:
        grid = raw.reshape(-1, tail + 1)
        ends_alike = (grid[:, tail] == _NEWLINE).all() and (grid[:, 1:tail:2] == _COMMA).all()
        digits = grid[:, 0:tail:2] - _ZERO
        if ends_alike and (digits <= 9).all():
            return [digits[:, i] for i in range(width)]
    ends = np.flatnonzero(raw == _NEWLINE)
    lengths = np.diff(ends, prepend=-1) - 1
    if lengths.min() < tail:
        return None
    # The first column may be wider, as block numbers are; the others are one digit each.
    size = lengths - 2 * (width - 1)
    if size.max() > 15:
        return None
    found: list[npt.NDArray[np.integer]] = []
    for i in range(1, width):
        at = ends - 2 * (width - i) + 1
        digit = raw[at] - _ZERO
        if (digit > 9).any() or (raw[at - 1] != _COMMA).any():
            return None
        found.append(digit)
    starts = ends - lengths
    first = np.zeros(len(ends), dtype=np.int64)
    for k in range(int(size.max())):
        live = k < size
        digit = raw[starts + np.minimum(k, size - 1)] - _ZERO
        if (digit[live] > 9).any():
            return None
        first = np.where(live, first * 10 + digit, first)
    return [first, *found]


def _plain(text: bytes, width: int) -> list[npt.NDArray[np.integer]] | None:
    if not text.strip():
        return None
    fractional = any(mark in text for mark in (b".", b"e", b"E"))
    try:
        table = np.loadtxt(
            io.BytesIO(text),
            delimiter=",",
            ndmin=2,
            comments=None,
            dtype=np.float64 if fractional else np.int64,
        )
    except ValueError:
        return None
    if table.shape != (text.count(b"\n"), width):
        return None
    # NaN fails this comparison too; beyond 2^53 a float is not exact.
    if fractional and not ((table == np.rint(table)) & (np.abs(table) <= 1 << 53)).all():
        return None
    return list(np.asarray(table.astype(np.int64)).T)


def _careful(text: bytes, width: int, line: int) -> Rows:
    rows, lines = [], []
    for number, raw in enumerate(text.split(b"\n"), start=line):
        row = raw.split(b"#")[0].strip()
        if not row:
            continue
        fields = row.decode(errors="replace").split(",")
        if len(fields) != width:
            raise ArgumentError(
                f"every line must have {width} columns, but line {number} has {len(fields)}"
            )
        rows.append([_whole(field, number, i) for i, field in enumerate(fields, start=1)])
        lines.append(number)
    table = np.array(rows, dtype=np.int64).reshape(-1, width)
    return Rows(list(table.T), line, np.array(lines, dtype=np.int64))


def _whole(field: str, line: int, column: int) -> int:
    text = field.strip()
    value: int | None = None
    if _NUMBER.fullmatch(text) and len(text) < 40:
        if re.fullmatch(r"[+-]?[0-9]+", text):
            value = int(text)
        elif float(text).is_integer():
            value = int(float(text))
            if abs(value) > 1 << 53:
                value = 1 << 63
        if value is not None and abs(value) >= 1 << 63:
            raise ArgumentError(
                f"every value must be below 2^63, but line {line} has {shown(text)} in column "
                f"{column}"
            )
    if value is None:
        raise ArgumentError(
            f"every value must be a whole number, but line {line} has '{shown(text)}' in column "
            f"{column}"
        )
    return value


def rounds_text(table: npt.NDArray[np.uint8], block: npt.NDArray[np.int64] | None) -> bytes:
    """Write rounds (N, columns) of single digits as CSV lines, a block number before each."""
    n, width = table.shape
    if (table > 9).any():
        front = [] if block is None else [block.tolist()]
        rows = zip(*front, *table.T.tolist(), strict=True)
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
