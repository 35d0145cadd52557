"""Scores of rounds that others took."""

from __future__ import annotations

from typing import Any

from ebit.analysis import Score
from ebit.analysis import score as score_trials
from ebit.analysis import score_wins as score_won
from ebit.games import BitOrder, Chosen, Game, Source, as_trials
from ebit.games import game as game_by_name

__all__ = ["score", "score_wins"]


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
        data: `Trials`, a file's path, a dictionary of counts per setting, a table of counts
            (a row per question, a column per answer), a Qiskit ``PrimitiveResult`` or a list of
            ``cirq.Result``.
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
    trials = as_trials(data, game=played, chosen=settings, source=settings_source, bits=bits)
    return score_trials(
        trials,
        played,
        minus=minus,
        tau=tau,
        efficiency=efficiency,
        separation=separation or "unknown",
    )


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
        settings_source=settings_source or "host",
        separation=separation or "unknown",
    )
