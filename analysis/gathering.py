"""The evidence that data support, each statistic with what it assumes; the rest withheld."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from ebit.analysis.binomial import PValue
from ebit.analysis.blocks import block_e_process, block_win_rates
from ebit.analysis.evidence import (
    EvidencePath,
    e_process,
    final_e_value,
    memory_p_value,
)
from ebit.analysis.intervals import mean_tail, sum_tail
from ebit.analysis.null import Null
from ebit.analysis.results import Evidence
from ebit.games import Chosen, Game, Trials
from ebit.games.choice import detect_rounds

__all__ = ["INDEPENDENT_E", "INDEPENDENT_P", "MEMORY_E", "MEMORY_P", "gather", "gather_wins"]

MEMORY_P = "p-value, devices with memory"
MEMORY_E = "e-value, devices with memory"
BLOCK_E = "e-value, betting per block"
INDEPENDENT_P = "p-value, independent rounds"
INDEPENDENT_E = "e-value, independent rounds"

_MEMORY = "a number of rounds fixed beforehand; devices may remember everything"
_MEMORY_PATH = "devices may remember everything, one may stop any time"
_BLOCK = "settings fresh in every block, and no device with memory inside a block"
_INDEPENDENT = (
    "independent rounds, and a device that neither remembers nor drifts with the question asked"
)

_UNFAIR = 1e-6

_WHY = {
    "per-block": "settings stay the same inside a block, so a device that remembers the last round "
    "knows the next question",
    "per-circuit": "each question was asked by a circuit of its own, so a device with memory knows "
    "the next question",
    "pattern": "the next question can be told from the last one",
    "unknown": "it is not known that settings were fresh in every round (declare it if they were)",
}


def gather(
    trials: Trials,
    game: Game,
    wins: npt.NDArray[np.int64],
    totals: npt.NDArray[np.int64],
    null: Null,
    chosen: Chosen,
    cost: int,
) -> tuple[tuple[Evidence, ...], EvidencePath | None]:
    """Return every statistic, and the path of the evidence where the order is known.

    Args:
        trials: the rounds.
        game: the game, under the convention that is scored.
        wins: (Q,) rounds won per question.
        totals: (Q,) rounds per question.
        null: what is tested against.
        chosen: how settings were chosen.
        cost: by how many conventions the evidence is divided.
    """
    won, n = int(wins.sum()), int(totals.sum())
    if chosen == "per-shot":
        if trials.ordered and not null.refused:
            _, win = trials.question_outcomes(game)
            grown = _divided(e_process(win, null.bound), cost)
            return _memory(won, n, null, cost, grown), grown
        return _memory(won, n, null, cost, None), None
    reason = null.refused or _WHY[chosen]
    found = [_withheld(MEMORY_P, "p", reason), _withheld(MEMORY_E, "e", reason)]
    path: EvidencePath | None = None
    if null.base >= 1 - 1e-12:
        return tuple(found), None
    if chosen == "per-block":
        by_block = _by_block(trials, game, null.bound)
        if isinstance(by_block, str):
            found.append(_withheld(BLOCK_E, "e", by_block))
        else:
            path = _divided(by_block, cost)
            found.append(_e_evidence(BLOCK_E, path.final, _BLOCK))
    found.append(
        _p_evidence(INDEPENDENT_P, _independent(game, wins, totals, null), cost, _INDEPENDENT)
    )
    if game.uniform and (totals == totals[0]).all():
        # Of independent rounds with win rates w_i the bet 1 + l (x - w0) has the expectation
        # prod_i (1 + l (w_i - w0)) <= (1 + l (mean w - w0))^n <= 1: the logarithm is concave, and
        # with questions asked equally often the mean of the w_i is the null's win rate or less.
        log10_e = final_e_value(won, n, null.base) - math.log10(cost)
        found.append(_e_evidence(INDEPENDENT_E, log10_e, _INDEPENDENT))
    return tuple(found), path


def gather_wins(wins: int, n: int, null: Null, chosen: Chosen, cost: int) -> tuple[Evidence, ...]:
    """Return every statistic of a bare number of wins; see `gather`."""
    if chosen == "per-shot":
        return _memory(wins, n, null, cost, None)
    reason = null.refused or _WHY[chosen]
    return (
        _withheld(MEMORY_P, "p", reason),
        _withheld(MEMORY_E, "e", reason),
        _withheld(
            INDEPENDENT_P,
            "p",
            "with unequal numbers of rounds per question the win rate alone proves nothing: give "
            "the counts per question",
        ),
    )


def _memory(
    won: int, n: int, null: Null, cost: int, path: EvidencePath | None
) -> tuple[Evidence, ...]:
    if null.refused:
        return (
            _withheld(MEMORY_P, "p", null.refused),
            _withheld(MEMORY_E, "e", null.refused),
        )
    fair = "fair" if null.tau == 0 else f"predictable to 1/2 + {null.tau:.2g} at most"
    fresh = f"fresh settings in every round, {fair}"
    fixed = f"{fresh}, and {_MEMORY}"
    p = _p_evidence(MEMORY_P, memory_p_value(won, n, null.bound), cost, fixed)
    if path is None:
        log10_e = final_e_value(won, n, null.bound) - math.log10(cost)
        return p, _e_evidence(MEMORY_E, log10_e, fixed)
    return p, _e_evidence(MEMORY_E, float(path.log10_e[-1]), f"{fresh}; {_MEMORY_PATH}")


def _by_block(trials: Trials, game: Game, bound: float) -> EvidencePath | str:
    """Return the path of the evidence, or why there is none."""
    starts = trials.blocks
    if starts is None:
        return "the rounds carry no block column, so blocks are not known"
    question, won = trials.question_outcomes(game)
    inside = np.ones(len(question), dtype=bool)
    inside[starts] = False
    if (question[1:] != question[:-1])[inside[1:]].any():
        return "settings change inside the blocks of the block column"
    asked, rate = block_win_rates(question, won, starts)
    order = detect_rounds(asked, None)
    if order.sure and order.chosen in ("per-block", "per-circuit", "pattern"):
        return f"the questions of the blocks were not drawn afresh: from block to block, {order.reason}"
    drawn = np.bincount(asked, minlength=game.n_questions)
    expected = game.distribution * len(asked)
    if stats.chi2.sf((((drawn - expected) ** 2) / expected).sum(), len(drawn) - 1) < _UNFAIR:
        return "the questions of the blocks were not drawn fairly (p < 1e-6)"
    path = block_e_process(asked, rate, bound)
    # The picture's axis is rounds: a block is looked at when it has ended.
    return replace(path, rounds=np.r_[starts, len(won)][path.rounds])


def _independent(
    game: Game, wins: npt.NDArray[np.int64], totals: npt.NDArray[np.int64], null: Null
) -> PValue:
    if game.uniform and (totals == totals[0]).all():
        return mean_tail(int(wins.sum()), int(totals.sum()), null.base)
    return sum_tail(wins, totals, game.distribution, null.base)


def _divided(path: EvidencePath, cost: int) -> EvidencePath:
    # One of `cost` equal shares of the stake was on this convention; the others may be lost.
    return path if cost == 1 else replace(path, log10_e=path.log10_e - math.log10(cost))


def _p_evidence(name: str, p: PValue, cost: int, assumption: str) -> Evidence:
    log10 = min(p.log10 + math.log10(cost), 0.0)
    value = min(p.value * cost, 1.0)
    return Evidence(name, "p", True, value, log10, assumption)


def _e_evidence(name: str, log10: float, assumption: str) -> Evidence:
    value = 10.0**log10 if log10 < 308 else math.inf
    return Evidence(name, "e", True, value, log10, assumption)


def _withheld(name: str, kind: Literal["p", "e"], reason: str) -> Evidence:
    return Evidence(name, kind, False, None, None, "", reason)
