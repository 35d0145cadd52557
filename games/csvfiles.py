"""Rounds and counts as CSV."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from ebit.games.cells import unpack
from ebit.games.csvtext import (
    Rows,
    columns_of,
    open_bytes,
    parse_chunk,
    read_chunks,
    read_line,
    rounds_text,
    separator,
)
from ebit.games.errors import ArgumentError
from ebit.games.gather import Gather, counted
from ebit.games.hints import Hints, meta_from, meta_of
from ebit.games.trials import Trials

__all__ = ["column_names", "read_csv", "write_csv", "write_gzip"]

MARK = "# ebit trials "
_VERSION = "1"
_WRITE_ROWS = 1 << 20
_WITH_ZEROS = 1 << 12


def read_csv(path: Path, hints: Hints) -> Trials:
    """Read rounds, or counts where there is a count column.

    Columns are separated by commas, semicolons or tabs. Blank lines and lines that start with #
    are passed over.

    Raises:
        ArgumentError: what is wrong, and in which line; the text does not name the file.
    """
    with open_bytes(path) as file:
        line, header = 0, ""
        while not header:
            raw = read_line(file)
            if raw is None:
                raise ArgumentError("there must be a header such as x,y,a,b, but there is no line")
            line += 1
            text = raw.decode("utf-8-sig" if line == 1 else "utf-8", errors="replace").strip()
            if text.startswith(MARK):
                hints = replace(hints, meta=_meta(text))
            elif not text.startswith("#"):
                header = text
        mark = separator(header)
        columns = columns_of(header.split(mark))
        line += 1
        gather = Gather(len(columns.settings), hints)
        tables: list[npt.NDArray[np.int64]] = []
        lines: list[npt.NDArray[np.int64]] = []
        for piece in read_chunks(file):
            if mark != ",":
                piece = piece.replace(mark.encode(), b",")
            rows = parse_chunk(piece, columns.width, line)
            line += piece.count(b"\n")
            if columns.count is not None:
                tables.append(np.stack(rows.columns, axis=1).astype(np.int64))
                lines.append(_lines(rows))
                continue
            gather.add(
                [rows.columns[i] for i in columns.settings],
                [rows.columns[i] for i in columns.outcomes],
                rows.columns[columns.block] if columns.block is not None else None,
                rows.where,
            )
    if columns.count is None:
        return gather.finish()
    table = np.concatenate([np.empty((0, columns.width), dtype=np.int64), *tables])
    at = np.concatenate([np.empty(0, dtype=np.int64), *lines])
    return counted(
        [table[:, i] for i in columns.settings],
        [table[:, i] for i in columns.outcomes],
        table[:, columns.count],
        hints,
        lambda row: f"line {at[row]}",
    )


def _meta(text: str) -> dict[str, object]:
    version, _, rest = text[len(MARK) :].partition(" ")
    if version != _VERSION:
        raise ArgumentError(f"written in format {version!r}; this ebit reads format {_VERSION}")
    return meta_from(rest)


def _lines(rows: Rows) -> npt.NDArray[np.int64]:
    if rows.lines is not None:
        return rows.lines
    return rows.first + np.arange(len(rows.columns[0]), dtype=np.int64)


def column_names(parties: int) -> list[str]:
    """Return the usual names of the columns of settings and outcomes."""
    if parties == 2:
        return ["x", "y", "a", "b"]
    return [f"{letter}{i + 1}" for letter in "xa" for i in range(parties)]


def write_gzip(trials: Trials, file: BinaryIO) -> None:
    """Write a compressed CSV whose bytes depend on the trials alone."""
    with gzip.GzipFile(fileobj=file, mode="wb", mtime=0, compresslevel=6) as packed:
        write_csv(trials, packed)  # type: ignore[arg-type]


def write_csv(trials: Trials, file: BinaryIO) -> None:
    """Write rounds or counts, with what the table does not say in a first comment line."""
    file.write((f"{MARK}{_VERSION} {json.dumps(meta_of(trials))}\n").encode())
    names = column_names(trials.n_parties)
    shape = (*trials.settings, *trials.outcomes)
    if trials.cells is None:
        file.write((",".join([*names, "count"]) + "\n").encode())
        # The first line gives the shape, so large tables can leave out what never came.
        zeros = prod(shape) <= _WITH_ZEROS
        kept = np.arange(prod(shape)) if zeros else np.flatnonzero(trials.counts)
        index = np.stack(np.unravel_index(kept, shape), axis=1).tolist()
        for row, count in zip(index, trials.counts.ravel()[kept].tolist(), strict=True):
            file.write((",".join(map(str, [*row, count])) + "\n").encode())
        return
    front = [] if trials.blocks is None else ["block"]
    file.write((",".join([*front, *names]) + "\n").encode())
    for start in range(0, trials.n, _WRITE_ROWS):
        part = trials.cells[start : start + _WRITE_ROWS]
        block = None
        if trials.blocks is not None:
            rows = np.arange(start, start + len(part))
            block = np.searchsorted(trials.blocks, rows, side="right") - 1
        file.write(rounds_text(unpack(part, shape), block))
