"""Trials to files and back, by the ending of the name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ebit.games.atomic import write_whole
from ebit.games.binaryfiles import read_npz, read_parquet, write_npz, write_parquet
from ebit.games.choice import Chosen
from ebit.games.csvfiles import read_csv, write_csv, write_gzip
from ebit.games.errors import ArgumentError
from ebit.games.foreign import BitOrder, trials_from_json
from ebit.games.game import Game
from ebit.games.hints import Hints
from ebit.games.trials import Source, Trials

__all__ = ["read_trials", "write_trials"]

_ENDINGS = ".csv, .csv.gz, .npz, .parquet or .json"


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
    name = place.name.lower()
    hints = Hints(game=game, chosen=chosen, source=source)
    if not place.exists():
        raise ArgumentError(f"file {place} does not exist")
    if place.is_dir():
        raise ArgumentError(f"{place} is a folder; give a file of trials ({_ENDINGS})")
    if place.stat().st_size == 0:
        raise ArgumentError(f"file {place} is empty")
    if name.endswith((".csv", ".csv.gz", ".txt")):
        trials = read_csv(place, hints)
    elif name.endswith(".npz"):
        trials = read_npz(place)
    elif name.endswith(".parquet"):
        trials = read_parquet(place, hints)
    elif name.endswith(".json"):
        trials = trials_from_json(
            place.read_bytes(), str(place), game=game, chosen=chosen, bits=bits
        )
    else:
        raise ArgumentError(f"file must end in {_ENDINGS}, but is {place.name!r}")
    if chosen is not None and (trials.chosen, trials.chosen_reason) != (chosen, "declared"):
        trials = _declare(trials, chosen)
    return trials if source is None else replace(trials, source=source)


def _declare(trials: Trials, chosen: Chosen) -> Trials:
    if trials.cells is None:
        return Trials.from_counts(trials.counts, chosen=chosen, source=trials.source)
    return Trials.from_cells(
        trials.cells,
        settings=trials.settings,
        outcomes=trials.outcomes,
        blocks=trials.blocks,
        chosen=chosen,
        source=trials.source,
    )


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
