"""From rounds to a score: which statistics these data support, their values, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2

import numpy as np
import numpy.typing as npt

from ebit.analysis.convention import choose_convention
from ebit.analysis.evidence import EvidencePath, local_win_bound
from ebit.analysis.gathering import MEMORY_E, MEMORY_P, gather, gather_wins
from ebit.analysis.intervals import Interval, correlator_interval, mean_interval, sum_interval
from ebit.analysis.nosignalling import NoSignalling
from ebit.analysis.null import Null, null_of
from ebit.analysis.results import Convention, Correlator, Evidence, RunInfo, Score
from ebit.analysis.signalling import no_signalling_of
from ebit.analysis.verdict import judge, limits_of
from ebit.games import ArgumentError, Chosen, Game, Source, Trials, Trust

__all__ = ["score", "score_wins"]

LEVELS = (0.01, 1e-6)


@dataclass(frozen=True)
class _Settings:
    """What is known of how settings were chosen."""

    chosen: Chosen
    reason: str
    source: Source


def score(
    trials: Trials,
    game: Game,
    *,
    minus: str | Sequence[int] | None = None,
    trust: Trust = "none",
    tau: float | None = None,
    efficiency: float | None = None,
    confidence: float = 0.95,
    separation: str = "unknown",
    randomness: str = "unknown",
    assumptions: Sequence[str] = (),
    not_given: Sequence[str] = (),
    run: RunInfo | None = None,
) -> Score:
    r"""Score rounds of a game: value, interval, evidence, no-signalling, verdict.

    .. math:: S = \sum_q s_q E_q, \qquad w = \mathrm{wins}/n

    each from the data and never one from the other. What evidence is given follows from how
    settings were chosen; what the data do not support is withheld, with the reason.

    Args:
        trials: the rounds.
        game: the game that was played.
        minus: the sign convention if it was declared before the data: "game", questions such
            as "11" or "00,01" whose correlator carries a minus, or the signs themselves. None or
            "found" takes the best and divides the evidence by the number there was to choose from.
        trust: whose measuring devices are trusted; decides the floor.
        tau: how far each setting bit can be predicted beyond 1/2, given everything before.
        efficiency: detection efficiency, if only coincidences were kept.
        confidence: level of the intervals.
        separation: "simulated", "one chip", "distant" or "unknown".
        randomness: "pseudo (simulator)", "device" or "unknown".
        assumptions: what the run already rests on.
        not_given: what the run cannot give.
        run: where the rounds come from.

    Raises:
        ArgumentError: trials that do not fit the game, or an argument out of range.

    Example:
        >>> from ebit.games import Trials, chsh
        >>> counts = [[[[427, 73], [73, 427]]] * 2, [[[427, 73], [73, 427]], [[73, 427], [427, 73]]]]
        >>> found = score(Trials.from_counts(counts), chsh(), minus="game")
        >>> round(found.S, 3), found.settings, found.p_value is None
        (2.832, 'per-circuit', True)

    Source:
        Clauser et al., PRL 23, 880 (1969); evidence: see `ebit.analysis.evidence`.
    """
    counts = trials.game_counts(game)
    convention, played = choose_convention(game, counts, minus)
    per_question = counts.reshape(played.n_questions, -1)
    totals = per_question.sum(axis=1)
    wins = (per_question * played.table().reshape(played.n_questions, -1)).sum(axis=1)
    n, won = int(totals.sum()), int(wins.sum())
    known = _Settings(trials.chosen, trials.chosen_reason, trials.source)
    null = null_of(
        played,
        played.floor(trust),
        tau=tau,
        efficiency=efficiency,
        totals=totals,
        chosen=known.chosen,
        source=known.source,
    )
    evidence, path = gather(trials, played, wins, totals, null, known.chosen, convention.cost)
    value, interval = _bell(played, wins, totals, confidence)
    return _assemble(
        game=played,
        value=value,
        interval=interval,
        win=(won, n, confidence),
        correlators=_correlators(played, counts, confidence),
        convention=convention,
        null=null,
        evidence=evidence,
        path=path,
        signalling=no_signalling_of(trials, played, counts),
        fault=_above_quantum(played, wins, totals, value),
        trust=trust,
        known=known,
        ordered=trials.ordered,
        context=(separation, randomness, tuple(assumptions), tuple(not_given), run),
        trials=trials,
    )


def score_wins(
    wins: int,
    n: int,
    game: Game,
    *,
    declared: bool = True,
    trust: Trust = "none",
    tau: float | None = None,
    efficiency: float | None = None,
    confidence: float = 0.95,
    settings: Chosen = "per-shot",
    settings_source: Source = "unknown",
    separation: str = "unknown",
) -> Score:
    """Score a number of rounds won out of n, when nothing else is known.

    There are no correlators, so neither S nor a no-signalling test is given.

    Args:
        wins: rounds won.
        n: rounds played, fixed beforehand.
        game: the game that was played.
        declared: whether the sign convention was fixed before the data.
        trust, tau, efficiency, confidence, separation: as in `score`.
        settings: how settings were chosen.
        settings_source: who drew them.

    Raises:
        ArgumentError: wins or n out of range.

    Example:
        >>> from ebit.games import chsh
        >>> print(round(score_wins(196, 245, chsh(), tau=1.08e-5).p_value, 4))
        0.0391

    Source:
        Hensen et al., Nature 526, 682 (2015).
    """
    for name, value, low, high in (("trials", n, 1, None), ("wins", wins, 0, n)):
        if value < low or (high is not None and value > high):
            limit = f"from {low}" + ("" if high is None else f" to {high}")
            raise ArgumentError(f"{name} must be a whole number {limit}, but was {value}")
    cost = 1 if declared or not game.is_parity else len(game.conventions())
    convention = Convention((), (), declared, cost)
    known = _Settings(settings, "taken as said: wins alone cannot tell", settings_source)
    null = null_of(
        game,
        game.floor(trust),
        tau=tau,
        efficiency=efficiency,
        totals=None,
        chosen=settings,
        source=settings_source,
    )
    evidence = gather_wins(wins, n, null, settings, cost)
    return _assemble(
        game=game,
        value=None,
        interval=None,
        win=(wins, n, confidence),
        correlators=(),
        convention=convention,
        null=null,
        evidence=evidence,
        path=None,
        signalling=None,
        fault=_wins_above_quantum(game, wins, n, null, settings),
        trust=trust,
        known=known,
        ordered=False,
        context=(separation, "unknown", (), (), None),
        trials=None,
    )


def _bell(
    game: Game, wins: npt.NDArray[np.int64], totals: npt.NDArray[np.int64], confidence: float
) -> tuple[float | None, Interval | None]:
    """Return S, a sum of 2 w_q - 1 over questions, with its interval."""
    if not game.is_parity:
        return None, None
    q = game.n_questions
    value = float((2 * wins / totals - 1).sum())
    span = sum_interval(wins, totals, np.ones(q), confidence)
    low, high = (2 * limit - q for limit in (span.low, span.high))
    return value, Interval(max(low, -float(q)), min(high, float(q)), span.level, span.method)


def _above_quantum(
    game: Game,
    wins: npt.NDArray[np.int64],
    totals: npt.NDArray[np.int64],
    value: float | None,
) -> str:
    """Say whether the value lies above the quantum bound, or below its mirror, beyond its error."""
    bound = game.quantum_bell if game.is_parity else None
    if bound is None or value is None or bound >= game.n_questions - 1e-12 or abs(value) <= bound:
        return ""
    _, span = _bell(game, wins, totals, 1 - 2 * LEVELS[1])
    if span is None or (-bound <= span.high and span.low <= bound):
        return ""
    side = "above the quantum bound" if value > 0 else "below the quantum bound -"
    return f"{value:.4f} lies {side}{' ' if value > 0 else ''}{bound:.4f}"


def _wins_above_quantum(game: Game, wins: int, n: int, null: Null, chosen: Chosen) -> str:
    """Say the same of a number of wins, where settings were fresh: else it says nothing of S."""
    coins = log2(game.n_questions)
    if game.quantum_value is None or chosen != "per-shot" or not game.uniform:
        return ""
    if null.tau and coins != int(coins):
        return ""
    bound = local_win_bound(game.quantum_value, null.tau, int(coins))
    if bound >= 1 - 1e-12 or mean_interval(wins, n, 1 - 2 * LEVELS[1]).low <= bound:
        return ""
    return f"the win rate {wins / n:.4f} lies above the quantum bound {bound:.4f}"


def _correlators(
    game: Game, counts: npt.NDArray[np.int64], confidence: float
) -> tuple[Correlator, ...]:
    if not game.is_parity:
        return ()
    per_question = counts.reshape(game.n_questions, -1)
    totals = per_question.sum(axis=1)
    wins = (per_question * game.table().reshape(game.n_questions, -1)).sum(axis=1)
    found = []
    for q, sign in enumerate(game.signs.tolist()):
        plus = int(wins[q] if sign > 0 else totals[q] - wins[q])
        span = correlator_interval(plus, int(totals[q]), confidence)
        value = 2 * plus / int(totals[q]) - 1
        found.append(Correlator(game.label(q), value, span, int(totals[q])))
    return tuple(found)


def _assemble(
    *,
    game: Game,
    value: float | None,
    interval: Interval | None,
    win: tuple[int, int, float],
    correlators: tuple[Correlator, ...],
    convention: Convention,
    null: Null,
    evidence: tuple[Evidence, ...],
    path: EvidencePath | None,
    signalling: NoSignalling | None,
    fault: str,
    trust: Trust,
    known: _Settings,
    ordered: bool,
    context: tuple[str, str, tuple[str, ...], tuple[str, ...], RunInfo | None],
    trials: Trials | None,
) -> Score:
    won, n, confidence = win
    separation, randomness, assumptions, not_given, run = context
    quantum = game.quantum_bell if game.is_parity else None
    status, verdict = judge(
        evidence=evidence,
        signalling=signalling,
        fault=fault,
        null=null,
        levels=LEVELS,
        separation=separation,
        chosen=known.chosen,
        source=known.source,
    )
    named = {e.name: e for e in evidence}
    p, e = named[MEMORY_P], named[MEMORY_E]
    withheld = {x.name: x.reason for x in evidence if not x.valid}
    if not p.valid:
        withheld["p_value"] = p.reason
    if not e.valid:
        withheld["e_value"] = e.reason
    if e.value is not None and not np.isfinite(e.value):
        withheld["e_value"] = "larger than a float can hold: see log10_e"
    if value is None:
        reason = "the game has no correlators" if not game.is_parity else "only wins are known"
        withheld["S"] = reason
    if signalling is None:
        withheld["no_signalling"] = "only wins are known"
    if separation == "distant":
        assumptions = (
            *assumptions,
            "the parties are too far apart to communicate within a round, as declared",
        )
    intervals = "intervals take rounds as independent, not as identical"
    return Score(
        game=game.name,
        status=status,
        verdict=verdict,
        S=value,
        S_interval=interval,
        local_bound=game.local_bell if game.is_parity else None,
        quantum_bound=quantum,
        win_rate=won / n,
        win_rate_interval=mean_interval(won, n, confidence),
        floor=null.bound,
        floor_source=null.floor.source,
        tau=null.tau,
        n=n,
        correlators=correlators,
        convention=convention,
        p_value=p.value,
        log10_p=p.log10,
        e_value=e.value,
        log10_e=e.log10,
        evidence=evidence,
        no_signalling=signalling,
        trust=trust,
        settings=known.chosen,
        settings_reason=known.reason,
        settings_source=known.source,
        order="known" if ordered else "unknown",
        separation=separation,
        randomness=randomness,
        assumptions=(*null.assumptions, intervals, *assumptions),
        not_given=(
            *limits_of(separation, known.source, ordered=ordered, trust=trust),
            *not_given,
        ),
        withheld=withheld,
        level=LEVELS,
        path=path,
        run=run,
        trials=trials,
    )
