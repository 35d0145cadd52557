"""Trials as NPZ and Parquet."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ebit.games.atomic import write_whole
from ebit.games.csvfiles import column_names, counts_from_csv, plus_minus
from ebit.games.csvtext import columns_of
from ebit.games.errors import ArgumentError, MissingExtraError
from ebit.games.hints import Hints, meta_of
from ebit.games.trials import Trials

__all__ = ["read_npz", "read_parquet", "write_npz", "write_parquet"]


def write_npz(trials: Trials, file: BinaryIO) -> None:
    """Write the cells or counts as they are held."""
    arrays: dict[str, npt.NDArray[Any]] = {"meta": np.array(json.dumps(meta_of(trials)))}
    if trials.cells is not None:
        arrays["cells"] = trials.cells
    else:
        arrays["counts"] = trials.counts
    if trials.blocks is not None:
        arrays["blocks"] = trials.blocks
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def read_npz(path: Path) -> Trials:
    """Read what `write_npz` wrote."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        meta = json.loads(str(arrays["meta"]))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ArgumentError(f"{path}: not a whole NPZ file of trials ({error})") from None
    return _from_stored(arrays.get("cells"), arrays.get("counts"), arrays.get("blocks"), meta, path)


def _from_stored(
    cells: npt.NDArray[Any] | None,
    counts: npt.NDArray[Any] | None,
    blocks: npt.NDArray[Any] | None,
    meta: dict[str, Any],
    path: Path,
) -> Trials:
    settings, outcomes = tuple(meta["settings"]), tuple(meta["outcomes"])
    if cells is not None and len(cells) and int(cells.max()) >= prod(settings) * prod(outcomes):
        raise ArgumentError(f"{path}: a round lies outside the stored shape {settings}, {outcomes}")
    return Trials(
        settings=settings,
        outcomes=outcomes,
        cells=cells,
        given_counts=None if cells is not None else counts,
        chosen=meta["chosen"],
        chosen_reason=meta["chosen_reason"],
        source=meta["source"],
        ordered=meta["ordered"],
        blocks=blocks,
    )


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
    meta = {**meta_of(trials), "kind": "rounds" if trials.cells is not None else "counts"}
    names = column_names(trials.n_parties)
    if trials.cells is None:
        index = np.indices(trials.counts.shape).reshape(len(names), -1)
        columns = {n: arrow.array(c.astype(np.uint8)) for n, c in zip(names, index, strict=True)}
        columns["count"] = arrow.array(trials.counts.ravel())
    else:
        table = np.unravel_index(trials.cells, (*trials.settings, *trials.outcomes))
        columns = {n: arrow.array(c.astype(np.uint8)) for n, c in zip(names, table, strict=True)}
        if trials.blocks is not None:
            rows = np.searchsorted(trials.blocks, np.arange(trials.n), side="right") - 1
            columns = {"block": arrow.array(rows), **columns}
    written = arrow.table(columns).replace_schema_metadata({"ebit": json.dumps(meta)})
    return write_whole(path, lambda file: parquet.write_table(written, file))


def read_parquet(path: Path, hints: Hints) -> Trials:
    """Read rounds, or counts where there is a count column, from Parquet."""
    arrow, parquet = _arrow()
    try:
        stored = parquet.read_table(path)
    except (OSError, arrow.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise ArgumentError(f"{path}: not a whole Parquet file ({reason})") from None
    hints = replace(hints, meta=json.loads((stored.schema.metadata or {}).get(b"ebit", b"{}")))
    columns = columns_of(",".join(stored.column_names), path)
    rows = []
    for name in stored.column_names:
        column = stored.column(name)
        if column.null_count:
            raise ArgumentError(f"{path}: column {name!r} has missing values")
        rows.append(column.to_numpy())
    asked = np.stack([rows[i] for i in columns.settings], axis=1)
    answered = np.stack([rows[i] for i in columns.outcomes], axis=1)
    shape = hints.shape(asked.shape[1])
    try:
        if columns.count is not None:
            text = _as_csv(rows)
            with io.BytesIO(text) as file:
                counted = counts_from_csv(file, path, columns, hints, 2)
                return hints.finish(counted)
        answered = plus_minus(answered, bool((answered == -1).any()))
        ordered = Trials.from_rounds(
            asked,
            answered,
            block=rows[columns.block] if columns.block is not None else None,
            shape=shape,
            chosen=hints.how,
            source=hints.who,
        )
        return hints.finish(ordered)
    except ArgumentError as error:
        raise ArgumentError(f"{path}: {error}") from None


def _as_csv(rows: list[npt.NDArray[Any]]) -> bytes:
    return "".join(",".join(map(str, row)) + "\n" for row in zip(*rows, strict=True)).encode()
