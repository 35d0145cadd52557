"""Scores of rounds that others took."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ebit.analysis import RunInfo, Score
from ebit.analysis import score as score_trials
from ebit.analysis import score_wins as score_won
from ebit.games import ArgumentError, BitOrder, Chosen, Game, Source, Trials, as_trials, read_trials
from ebit.games import game as game_by_name
from ebit.games.foreign import by_question

__all__ = ["score", "score_provider_job", "score_wins"]


def score(
    data: Any,
    game: Game | str = "chsh",
    *,
    minus: str | None = None,
    tau: float | None = None,
    efficiency: float | None = None,
    settings: Chosen | None = None,
    settings_source: Source | None = None,
    separation: str | None = None,
    bits: BitOrder = "qiskit",
) -> Score:
    """Score rounds or counts from anywhere.

    Args:
        data: `Trials`, a file's path, a pandas ``DataFrame`` with a file's columns, a dictionary
            of counts per setting, a table of counts (a row per question, a column per answer), or
            results of Qiskit or Cirq: a ``PrimitiveResult``, a ``Result``, a dictionary per
            setting. A list of counts or results is in the order of the game's questions, for CHSH
            (0,0), (0,1), (1,0), (1,1).
        game: the game that was played, or its name.
        minus: the sign convention, if it was declared before the data: the questions whose
            correlator carries a minus, such as "11" or "00,01", or "game" for the game's own.
            Left out (or "found"), the best is taken and its choice is paid for.
        tau: how far each setting can be predicted beyond 1/2.
        efficiency: detection efficiency, if only coincidences were kept.
        settings: how settings were chosen ("per-shot", "per-block", "per-circuit"), where the
            data do not tell.
        settings_source: who drew them, "host" or "device".
        separation: "one chip", "distant" or "simulated".
        bits: in bit strings, the first party rightmost ("qiskit") or leftmost ("cirq").

    Example:
        >>> nist = [[32266283, 600862, 580732, 18985], [32801781, 70119, 404229, 195257],
        ...         [32803817, 422004, 61941, 197106], [33128142, 94035, 89267, 171053]]
        >>> print(round(score(nist, minus="00", settings="per-shot").S, 10))
        2.0024148629

    Source:
        The counts: Shalm et al. (NIST), as in the CURBy data release.
    """
    played = game_by_name(game) if isinstance(game, str) else game
    if hasattr(data, "columns") and hasattr(data, "to_csv"):
        trials = _from_frame(data, played, settings, settings_source)
    else:
        trials = as_trials(
            _as_counts(data, played),
            game=played,
            chosen=settings,
            source=settings_source,
            bits=bits,
        )
    return score_trials(
        trials,
        played,
        minus=minus,
        tau=tau,
        efficiency=efficiency,
        separation=separation or "unknown",
    )


def _from_frame(frame: Any, game: Game, settings: Chosen | None, source: Source | None) -> Trials:
    """Read a data frame as the CSV file that it would make: one set of rules for both."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "frame.csv"
        frame.to_csv(place, index=False)
        try:
            return read_trials(place, game=game, chosen=settings, source=source)
        except ArgumentError as error:
            raise ArgumentError(str(error).replace(str(place), "the data frame, as CSV")) from None


def _as_counts(data: Any, game: Game) -> Any:
    """Turn the shapes that programs hand out into those that `as_trials` knows."""
    if hasattr(data, "get_counts") and hasattr(data, "results"):  # qiskit.result.Result
        found = data.get_counts()
        data = found if isinstance(found, list) else [found]
    if isinstance(data, (list, tuple)) and data and all(isinstance(d, Mapping) for d in data):
        data = by_question(data, game)
    if isinstance(data, Mapping):
        return {question: _counts_of(found) for question, found in data.items()}
    return data


def _counts_of(found: Any) -> Any:
    """Return the counts in one question's result; anything else as it is."""
    if hasattr(found, "measurements") and hasattr(found, "histogram"):  # cirq.Result
        keys = list(found.measurements)
        return found.histogram(key=keys[0], fold_func=tuple) if len(keys) == 1 else found
    if hasattr(found, "data") and hasattr(found.data, "values"):  # a PUB's result
        registers = [r for r in found.data.values() if hasattr(r, "get_counts")]
        found = registers[0] if len(registers) == 1 else found
    return found.get_counts() if hasattr(found, "get_counts") else found


def score_wins(
    wins: int,
    trials: int,
    game: Game | str = "chsh",
    *,
    minus: str | None = None,
    tau: float | None = None,
    efficiency: float | None = None,
    settings: Chosen | None = None,
    settings_source: Source | None = None,
    separation: str | None = None,
) -> Score:
    """Score a number of rounds won out of a number played, when that is all there is.

    Settings are taken as drawn per shot and the sign convention as declared, unless said
    otherwise: without correlators nothing could be chosen from the data.

    Example:
        >>> print(round(score_wins(196, 245, tau=1.08e-5).p_value, 4))
        0.0391

    Source:
        Hensen et al., Nature 526, 682 (2015): 196 of 245, p = .039.
    """
    played = game_by_name(game) if isinstance(game, str) else game
    return score_won(
        wins,
        trials,
        played,
        declared=minus != "found",
        tau=tau,
        efficiency=efficiency,
        settings=settings or "per-shot",
        settings_source=settings_source or "unknown",
        separation=separation or "unknown",
    )


def score_provider_job(
    id: str,
    game: Game | str = "chsh",
    *,
    progress: Any = None,
    **how: Any,
) -> Score:
    """Score a finished job that any script sent to a provider, from its results there.

    A job that is in the ledger is scored with all that the ledger knows of it. Any other must hold
    one circuit (or one set of parameters) per question, in the order of the game's questions, with
    one bit per party.

    Args:
        id: the provider's family and id, such as "ibm:d0abc123".
        game: the game that was played, or its name.
        progress: told of a wait if it has a method ``say``.
        how: as in `score`.

    Raises:
        ArgumentError: the id names no known provider, or the results are no rounds of the game.
        JobError: there is no such job, or it failed.
        NetworkError: the provider cannot be reached.
    """
    from ebit.backends import fetch_provider_job, list_jobs

    family, colon, bare = str(id).strip().partition(":")
    if not (colon and bare):
        raise ArgumentError(f"job must be a provider and an id, such as ibm:ID, but was {id!r}")
    if any(bare in line.provider_ids or id in line.provider_ids for line in list_jobs()):
        from ebit.protocols.resuming import resume

        known: Score = resume(bare, progress=progress)
        return known
    found = fetch_provider_job(family, bare, progress=progress)
    scored = score(found.result, game, **{"separation": "one chip", **how})
    run = RunInfo(
        backend=f"{family}:{found.backend}",
        experiment="another script's job",
        shots=scored.n,
        method=f"job {found.id}, sent by another script; its circuits were not checked",
        date=found.created,
    )
    unseen = (
        "what its circuits prepared and measured, and on which qubits: another script sent them"
    )
    return replace(scored, run=run, randomness="device", not_given=(*scored.not_given, unseen))
