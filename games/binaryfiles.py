"""Trials as NPZ and Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ebit.games.atomic import write_whole
from ebit.games.cells import integers, unpack
from ebit.games.csvfiles import column_names
from ebit.games.csvtext import columns_of, shown
from ebit.games.errors import ArgumentError, MissingExtraError
from ebit.games.gather import Gather, counted
from ebit.games.hints import Hints, meta_from, meta_of
from ebit.games.trials import Trials

__all__ = ["read_npz", "read_parquet", "write_npz", "write_parquet"]

_ROWS = 1 << 20


def write_npz(trials: Trials, file: BinaryIO) -> None:
    """Write the cells or counts as they are held."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    if trials.cells is not None:
        arrays["cells"] = trials.cells
    else:
        arrays["counts"] = trials.counts
    if trials.blocks is not None:
        arrays["blocks"] = trials.blocks
    # The archive's own list of members is not guarded by a checksum; this one is.
    arrays["meta"] = np.array(json.dumps({**meta_of(trials), "arrays": sorted(arrays)}))
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def read_npz(path: Path, hints: Hints) -> Trials:
    """Read what `write_npz` wrote."""
    with open(path, "rb") as file:
        # A damaged archive fails in many ways: zip, zlib, numpy's header, memory not there.
        try:
            stored = np.load(file, allow_pickle=False)
            arrays = {name: np.asarray(stored[name]) for name in stored.files}
            text = str(arrays["meta"])
        except Exception as error:
            raise ArgumentError(f"not a whole NPZ file of trials ({_reason(error)})") from None
    hints = replace(hints, meta=meta_from(text))
    settings, outcomes = tuple(hints.meta["settings"]), tuple(hints.meta["outcomes"])
    hints.shape(len(settings))
    found = sorted(set(arrays) - {"meta"})
    if found != hints.meta.get("arrays"):
        raise ArgumentError(f"not a whole NPZ file of trials (it holds {shown(str(found))})")
    if "cells" in arrays:
        return hints.rounds(arrays["cells"], settings, outcomes, arrays.get("blocks"))
    if "counts" not in arrays or arrays["counts"].shape != (*settings, *outcomes):
        raise ArgumentError("an NPZ file of trials must hold cells, or counts of its shape")
    return hints.counts(arrays["counts"])


def _reason(error: Exception) -> str:
    return shown(" ".join(str(error).split()) or type(error).__name__, 120)


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("a Parquet file", "parquet") from None
    return pyarrow, pyarrow.parquet


def write_parquet(trials: Trials, path: Path) -> Path:
    """Write one row per round or per count, with the rest as metadata."""
    arrow, parquet = _arrow()
    names = column_names(trials.n_parties)
    types = {name: arrow.uint8() for name in names}
    if trials.cells is None:
        types["count"] = arrow.int64()
    elif trials.blocks is not None:
        types = {"block": arrow.int64(), **types}
    schema = arrow.schema(list(types.items()), metadata={"ebit": json.dumps(meta_of(trials))})

    def write(file: BinaryIO) -> None:
        with parquet.ParquetWriter(file, schema, write_page_checksum=True) as writer:
            for columns in _column_chunks(trials):
                writer.write_table(arrow.table(columns, schema=schema))

    return write_whole(path, write)


def _column_chunks(trials: Trials) -> Iterator[list[npt.NDArray[Any]]]:
    shape = (*trials.settings, *trials.outcomes)
    if trials.cells is None:
        index = np.indices(shape, dtype=np.uint8).reshape(len(shape), -1)
        yield [*index, trials.counts.ravel()]
        return
    for start in range(0, trials.n, _ROWS):
        part = trials.cells[start : start + _ROWS]
        columns = [np.ascontiguousarray(column) for column in unpack(part, shape).T]
        if trials.blocks is not None:
            rows = np.arange(start, start + len(part))
            columns = [np.searchsorted(trials.blocks, rows, side="right") - 1, *columns]
        yield columns


def read_parquet(path: Path, hints: Hints) -> Trials:
    """Read rounds, or counts where there is a count column, from Parquet."""
    _, parquet = _arrow()
    with open(path, "rb") as file:
        return _read_open(parquet, file, hints)


def _read_open(parquet: Any, file: BinaryIO, hints: Hints) -> Trials:
    try:
        stored = parquet.ParquetFile(file, page_checksum_verification=True)
        schema = stored.schema_arrow
        names, noted = list(schema.names), (schema.metadata or {}).get(b"ebit")
        batches = stored.iter_batches(batch_size=_ROWS)
    except Exception as error:
        raise ArgumentError(f"not a whole Parquet file ({_reason(error)})") from None
    if noted is not None:
        hints = replace(hints, meta=meta_from(noted))
    columns = columns_of(names)
    gather = Gather(len(columns.settings), hints)
    tables: list[npt.NDArray[np.integer]] = []
    seen = 0
    used = [*columns.settings, *columns.outcomes]
    if columns.count is not None:
        used.append(columns.count)
    while True:
        try:
            batch = next(batches, None)
        except Exception as error:
            raise ArgumentError(f"not a whole Parquet file ({_reason(error)})") from None
        if batch is None:
            break
        rows = {i: _numbers(batch.column(i), names[i]) for i in used}
        if columns.count is not None:
            tables.append(np.stack([rows[i].astype(np.int64) for i in used]))
            continue
        block = None
        if columns.block is not None:
            block = batch.column(columns.block).to_numpy(zero_copy_only=False)
        gather.add(
            [rows[i] for i in columns.settings],
            [rows[i] for i in columns.outcomes],
            block,
            lambda row, before=seen: f"row {before + row + 1}",  # type: ignore[misc]
        )
        seen += batch.num_rows
    if columns.count is None:
        return gather.finish()
    n = len(columns.settings)
    table = np.concatenate([np.empty((len(used), 0), dtype=np.int64), *tables], axis=1)
    return counted(
        list(table[:n]), list(table[n : 2 * n]), table[-1], hints, lambda row: f"row {row + 1}"
    )


def _numbers(column: Any, name: str) -> npt.NDArray[np.integer]:
    if column.null_count:
        raise ArgumentError(f"column {shown(name)!r} must be complete, but has missing values")
    return integers(f"column {shown(name)!r}", column.to_numpy(zero_copy_only=False))
