"""Trials to files and back, by the ending of the name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ebit.games.atomic import write_whole
from ebit.games.binaryfiles import read_npz, read_parquet, write_npz, write_parquet
from ebit.games.choice import Chosen, check_chosen
from ebit.games.csvfiles import read_csv, write_csv, write_gzip
from ebit.games.errors import ArgumentError
from ebit.games.foreign import (
    BitOrder,
    counts_from_json,
    trials_from_cirq,
    trials_from_dict,
    trials_from_qiskit,
    trials_from_table,
)
from ebit.games.game import Game
from ebit.games.hints import Hints
from ebit.games.trials import Source, Trials

__all__ = ["as_trials", "read_trials", "write_trials"]

_ENDINGS = ".csv, .csv.gz, .tsv, .txt, .npz, .parquet or .json"
_KNOWN = (".csv", ".csv.gz", ".tsv", ".txt", ".npz", ".parquet", ".json")


def read_trials(
    path: str | Path,
    *,
    game: Game | None = None,
    chosen: Chosen | None = None,
    source: Source | None = None,
    bits: BitOrder = "qiskit",
) -> Trials:
    """Read rounds or counts from a file.

    CSV (``.csv``, ``.csv.gz``): a header, settings x,y and outcomes a,b (or x1..xn, a1..an), one
    line a round, or one line a combination with a ``count`` column; outcomes may be 0/1 or +1/-1
    (+1 is 0). NPZ and Parquet as `Trials.save` writes them; Parquet also with the CSV's columns.
    JSON: a table of counts (a row per question, a column per answer), or per setting a dictionary
    of bit strings.

    Args:
        path: the file.
        game: when given, settings and outcomes must lie in the game's range.
        chosen: how settings were chosen, when known; told from the data if left out.
        source: who drew the settings: "device", "host" or "unknown".
        bits: in JSON bit strings, which end is the first party: "qiskit" (rightmost) or "cirq"
            (leftmost).

    Raises:
        ArgumentError: a file that is missing, empty, cut short, or not in one of these shapes.
        MissingExtraError: Parquet without the extra ``parquet``.
    """
    place = Path(path)
    check_chosen(chosen)
    try:
        trials = _read(place, Hints(game=game, chosen=chosen, source=source), bits)
        if game is not None:
            _check_within(trials, game)
    except ArgumentError as error:
        raise ArgumentError(f"{place}: {error}") from None
    except OSError as error:
        raise ArgumentError(f"{place}: cannot be read: {error.strerror or error}") from None
    return trials if source is None else replace(trials, source=source)


def _read(place: Path, hints: Hints, bits: BitOrder) -> Trials:
    name = place.name.lower()
    if not place.exists():
        raise ArgumentError("the file does not exist")
    if place.is_dir():
        raise ArgumentError(f"must be a file of trials ({_ENDINGS}), but is a folder")
    if not name.endswith(_KNOWN):
        raise ArgumentError(f"the file's name must end in {_ENDINGS}")
    if place.is_file() and place.stat().st_size == 0:
        raise ArgumentError("the file is empty")
    if name.endswith(".npz"):
        return read_npz(place, hints)
    if name.endswith(".parquet"):
        return read_parquet(place, hints)
    if name.endswith(".json"):
        found = counts_from_json(
            place.read_bytes(), game=hints.game, chosen=hints.chosen, bits=bits
        )
        return replace(found, source=hints.who)
    return read_csv(place, hints)


def _check_within(trials: Trials, game: Game) -> None:
    if trials.n_parties != game.n_parties:
        raise ArgumentError(
            f"game {game.name!r} has {game.n_parties} parties, but the file has {trials.n_parties}"
        )
    for what, found, sizes in (
        ("settings", trials.settings, game.settings),
        ("outcomes", trials.outcomes, game.outcomes),
    ):
        if any(k > size for k, size in zip(found, sizes, strict=True)):
            raise ArgumentError(
                f"{what} must lie within the {sizes} per party of game {game.name!r}, but the file "
                f"is one of {found}"
            )


def _declare(trials: Trials, chosen: Chosen) -> Trials:
    if trials.cells is None:
        return Trials.from_counts(trials.counts, chosen=chosen, source=trials.source)
    found = Trials.from_cells(
        trials.cells,
        settings=trials.settings,
        outcomes=trials.outcomes,
        blocks=trials.blocks,
        chosen=chosen,
        source=trials.source,
    )
    return replace(found, ordered=trials.ordered)


def write_trials(trials: Trials, path: str | Path) -> Path:
    """Write trials losslessly as .csv, .csv.gz, .npz or .parquet, whole or not at all.

    Raises:
        ArgumentError: another ending, or a place that cannot be written.
        MissingExtraError: Parquet without the extra ``parquet``.
    """
    place = Path(path)
    name = place.name.lower()
    if name.endswith(".npz"):
        return write_whole(place, lambda file: write_npz(trials, file))
    if name.endswith(".csv"):
        return write_whole(place, lambda file: write_csv(trials, file))
    if name.endswith(".csv.gz"):
        return write_whole(place, lambda file: write_gzip(trials, file))
    if name.endswith(".parquet"):
        return write_parquet(trials, place)
    raise ArgumentError(f"file must end in .csv, .csv.gz, .npz or .parquet, but is {place.name!r}")


def as_trials(
    data: Any,
    *,
    game: Game | None = None,
    chosen: Chosen | None = None,
    source: Source | None = None,
    bits: BitOrder = "qiskit",
) -> Trials:
    """Turn whatever people have into trials.

    Args:
        data: trials, a file's path, a dictionary of counts per setting, a table of counts, a
            Qiskit ``PrimitiveResult``, a ``cirq.Result`` or a list of them.
        game: fixes the number of settings and outcomes.
        chosen: how settings were chosen, when known.
        source: who drew the settings.
        bits: in bit strings, the first party rightmost ("qiskit") or leftmost ("cirq").

    Raises:
        ArgumentError: data of another kind, or wrong in itself.
    """
    if isinstance(data, (str, Path)):
        return read_trials(data, game=game, chosen=chosen, source=source, bits=bits)
    if isinstance(data, Trials):
        found = data
        if chosen is not None and chosen != found.chosen:
            found = _declare(found, chosen)
    elif isinstance(data, Mapping):
        found = trials_from_dict(data, bits=bits, game=game, chosen=chosen)
    elif _is_cirq(data):
        found = trials_from_cirq(data, game=game, chosen=chosen)
    elif _is_qiskit(data):
        found = trials_from_qiskit(data, game=game, chosen=chosen)
    elif hasattr(data, "__len__"):
        found = trials_from_table(data, game=game, chosen=chosen)
    else:
        raise ArgumentError(
            "data must be trials, a file, counts per setting, a table of counts, a Qiskit "
            f"PrimitiveResult or cirq results, but was {type(data).__name__}"
        )
    return found if source is None else replace(found, source=source)


def _is_cirq(data: Any) -> bool:
    first = data[0] if isinstance(data, (list, tuple)) and data else data
    return hasattr(first, "measurements")


def _is_qiskit(data: Any) -> bool:
    try:
        return bool(len(data)) and hasattr(data[0], "data") and hasattr(data[0].data, "items")
    except (TypeError, KeyError, IndexError):
        return False
