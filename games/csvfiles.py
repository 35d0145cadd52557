"""Rounds and counts as CSV."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ebit.games.csvtext import (
    Columns,
    columns_of,
    open_bytes,
    parse_chunk,
    read_chunks,
    rounds_text,
)
from ebit.games.errors import ArgumentError
from ebit.games.hints import Hints, meta_of
from ebit.games.trials import Trials, cell_type, check_range

__all__ = ["column_names", "counts_from_csv", "plus_minus", "read_csv", "write_csv", "write_gzip"]

MARK = "# ebit trials 1 "
_WRITE_ROWS = 1 << 20


def read_csv(path: Path, hints: Hints) -> Trials:
    """Read rounds, or counts where there is a count column."""
    with open_bytes(path) as file:
        try:
            header = file.readline().decode("utf-8-sig", errors="replace").strip()
            meta: dict[str, Any] = {}
            if header.startswith(MARK):
                meta = json.loads(header[len(MARK) :])
                header = file.readline().decode(errors="replace").strip()
        except (OSError, EOFError, json.JSONDecodeError) as error:
            raise ArgumentError(f"{path}: cut short or damaged: {error}") from None
        hints = replace(hints, meta=meta)
        columns = columns_of(header, path)
        first = 2 + bool(meta)
        if columns.count is not None:
            trials = counts_from_csv(file, path, columns, hints, first)
        else:
            trials = _rounds_from_csv(file, path, columns, hints, first)
        return hints.finish(trials)


def plus_minus(outcomes: npt.NDArray[np.integer], signed: bool) -> npt.NDArray[np.integer]:
    """Turn outcomes written +1 and -1 into 0 and 1."""
    return (1 - outcomes) // 2 if signed else outcomes


def _rounds_from_csv(
    file: BinaryIO,
    path: Path,
    columns: Columns,
    hints: Hints,
    line: int,
) -> Trials:
    parties = len(columns.settings)
    declared = hints.shape(parties)
    shape = declared or ((10,) * parties, (10,) * parties)
    kind = cell_type(prod(shape[0]) * prod(shape[1]))
    pieces: list[npt.NDArray[np.unsignedinteger]] = []
    starts: list[npt.NDArray[np.int64]] = []
    last_block: int | None = None
    seen, tops, signed = 0, np.zeros(2 * parties, dtype=np.int64), False
    for text in read_chunks(file, path):
        table = parse_chunk(text, columns, path, line + seen)
        size = len(table[0])
        asked = [table[i] for i in columns.settings]
        answered = [table[i] for i in columns.outcomes]
        if any(column.dtype.kind == "i" and (column == -1).any() for column in answered):
            signed = True
        if signed and seen and not any((column == -1).any() for column in answered):
            raise ArgumentError(f"{path}: outcomes must be all 0/1 or all +1/-1")
        answered = [plus_minus(column, signed) for column in answered]
        for what, group, sizes in (
            ("settings", asked, shape[0]),
            ("outcomes", answered, shape[1]),
        ):
            try:
                check_range(what, np.stack(group, axis=1), sizes, first_row=seen)
            except ArgumentError as error:
                raise ArgumentError(f"{path}: {error}") from None
        both = [*asked, *answered]
        tops = np.maximum(tops, [int(column.max()) for column in both])
        code = np.zeros(size, dtype=kind)
        for column, width in zip(both, [*shape[0], *shape[1]], strict=True):
            code = code * kind(width) + column.astype(kind)
        pieces.append(code)
        if columns.block is not None:
            mark = table[columns.block]
            new = np.flatnonzero(mark[1:] != mark[:-1]) + 1 + seen
            if last_block is None or int(mark[0]) != last_block:
                new = np.r_[seen, new]
            starts.append(new.astype(np.int64))
            last_block = int(mark[-1])
        seen += size
    if not seen:
        raise ArgumentError(f"{path} has a header but no rounds")
    cells = np.concatenate(pieces) if len(pieces) > 1 else pieces[0]
    pieces.clear()
    if declared is None:
        top = np.maximum(tops + 1, 2)
        small = (tuple(int(t) for t in top[:parties]), tuple(int(t) for t in top[parties:]))
        cells = _recode(cells, shape, small)
        shape = small
    return Trials.from_cells(
        cells,
        settings=shape[0],
        outcomes=shape[1],
        blocks=np.concatenate(starts) if starts else None,
        chosen=hints.how,
        source=hints.who,
    )


def _recode(
    cells: npt.NDArray[np.unsignedinteger],
    old: tuple[tuple[int, ...], tuple[int, ...]],
    new: tuple[tuple[int, ...], tuple[int, ...]],
) -> npt.NDArray[np.unsignedinteger]:
    """Renumber cells from one shape to a smaller one that holds them all."""
    before, after = (*old[0], *old[1]), (*new[0], *new[1])
    kind = cell_type(prod(after))
    if prod(before) > 1 << 24:
        out = np.empty(len(cells), dtype=kind)
        for at in range(0, len(cells), 1 << 20):
            columns = np.unravel_index(cells[at : at + (1 << 20)], before)
            out[at : at + (1 << 20)] = np.ravel_multi_index(columns, after)
        return out
    inside = np.indices(after).reshape(len(after), -1)
    lookup = np.zeros(prod(before), dtype=kind)
    lookup[np.ravel_multi_index(tuple(inside), before)] = np.arange(prod(after))
    return np.asarray(lookup[cells])


def counts_from_csv(
    file: BinaryIO,
    path: Path,
    columns: Columns,
    hints: Hints,
    line: int,
) -> Trials:
    """Read a table of counts; line is the number of its first line in the file."""
    tables = []
    for text in read_chunks(file, path):
        tables.append(np.stack(parse_chunk(text, columns, path, line), axis=1).astype(np.int64))
        line += len(tables[-1])
    if not tables:
        raise ArgumentError(f"{path} has a header but no counts")
    table: npt.NDArray[np.int64] = np.concatenate(tables)
    counts = table[:, columns.count]
    if (counts < 0).any():
        row = int(np.argmax(counts < 0))
        raise ArgumentError(
            f"{path}: counts must not be negative, but line {row + 2 + bool(hints.meta)} has {counts[row]}"
        )
    asked, answered = table[:, columns.settings], table[:, columns.outcomes]
    answered = plus_minus(answered, bool((answered == -1).any())).astype(np.int64)
    parties = asked.shape[1]
    shape = hints.shape(parties) or (
        tuple(max(2, int(t) + 1) for t in asked.max(axis=0)),
        tuple(max(2, int(t) + 1) for t in answered.max(axis=0)),
    )
    for what, group, sizes in (("settings", asked, shape[0]), ("outcomes", answered, shape[1])):
        try:
            check_range(what, group, sizes)
        except ArgumentError as error:
            raise ArgumentError(f"{path}: {error}") from None
    full = np.zeros((*shape[0], *shape[1]), dtype=np.int64)
    np.add.at(full, (*asked.T, *answered.T), counts)
    return Trials.from_counts(full, chosen=hints.how, source=hints.who)


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
    file.write((MARK + json.dumps(meta_of(trials)) + "\n").encode())
    names = column_names(trials.n_parties)
    if trials.cells is None:
        file.write((",".join([*names, "count"]) + "\n").encode())
        for index in np.ndindex(*trials.counts.shape):
            row = [*index, int(trials.counts[index])]
            file.write((",".join(map(str, row)) + "\n").encode())
        return
    front = [] if trials.blocks is None else ["block"]
    file.write((",".join([*front, *names]) + "\n").encode())
    for start in range(0, trials.n, _WRITE_ROWS):
        part = trials.cells[start : start + _WRITE_ROWS]
        columns = np.unravel_index(part, (*trials.settings, *trials.outcomes))
        table = np.stack([c.astype(np.uint8) for c in columns], axis=1)
        block = None
        if trials.blocks is not None:
            rows = np.arange(start, start + len(part))
            block = np.searchsorted(trials.blocks, rows, side="right") - 1
        file.write(rounds_text(table, block))
