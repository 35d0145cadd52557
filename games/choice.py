"""How the settings of a run were chosen: told by the data where nobody declared it."""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, lgamma, log, sqrt
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from ebit.games.cells import chunked_bincount
from ebit.games.errors import ArgumentError

__all__ = ["Chosen", "Detected", "check_chosen", "detect_counts", "detect_rounds"]

Chosen = Literal["per-shot", "per-block", "per-circuit", "pattern", "unknown"]

# The data overrule "fresh settings in every shot" only beyond this chance of being wrong.
_LEVEL = 1e-6
# Dependence on earlier rounds is looked for in this many rounds, and so far back.
_SAMPLE = 1 << 20
_LAGS = 8


def check_chosen(chosen: object) -> None:
    """Raise unless this is a way of choosing settings, or None."""
    known = get_args(Chosen)
    if chosen is not None and chosen not in known:
        raise ArgumentError(
            f"chosen must be one of {', '.join(known)}, but was {str(chosen)[:40]!r}"
        )


@dataclass(frozen=True)
class Detected:
    """How settings were chosen, what in the data says so, and whether that can be chance."""

    chosen: Chosen
    reason: str
    sure: bool = True


def detect_rounds(
    question: npt.NDArray[np.integer], block: npt.NDArray[np.int64] | None
) -> Detected:
    """Tell per-shot, per-block, per-circuit and patterned settings apart, from ordered rounds.

    Fresh settings change between neighbouring rounds as often as chance has it. Far fewer
    changes mean blocks (or, with one run of rounds per question, one circuit per question); a
    dependence on the round before without blocks means a pattern, such as taking turns. Where
    not even the clumsiest order would stand out from chance, the answer is "unknown".

    Args:
        question: (N,) code of the question asked in each round.
        block: (B,) index of the first round of each block, or None.
    """
    n = len(question)
    asked, counts = _frequencies(question)
    # The chance that two different rounds ask the same.
    alike = float(counts @ (counts - 1)) / max(n * (n - 1), 1)
    if block is not None and len(block) and n > len(block):
        starts = np.zeros(n, dtype=bool)
        starts[block] = True
        changes_inside = int(np.count_nonzero((question[1:] != question[:-1]) & ~starts[1:]))
        if changes_inside == 0:
            return Detected(
                "per-block",
                f"settings never change inside the {len(block)} blocks",
                sure=(n - len(block)) * log(max(alike, 1e-300)) < log(_LEVEL),
            )
    if n < 2 or len(asked) < 2:
        return Detected("unknown", "only one question was asked")
    if _one_run_each(counts) >= log(_LEVEL):
        return Detected("unknown", f"{n} rounds are too few to tell how settings were chosen")
    changes = int(np.count_nonzero(question[1:] != question[:-1]))
    if changes == len(asked) - 1:
        return Detected("per-circuit", "each question was asked in one uninterrupted run")
    # Uneven settings spread the changes a little less than this, which errs towards "per-shot".
    if _log_tail(changes, n - 1, 1 - alike) < log(_LEVEL / 2):
        if changes < (n - 1) * (1 - alike):
            run = n / (changes + 1)
            return Detected(
                "per-block", f"settings stay the same for runs of {run:.1f} rounds on average"
            )
        return Detected("pattern", "settings change more often than fresh choices would")
    lag = _dependence(question[:_SAMPLE])
    if lag == 1:
        return Detected("pattern", "the next setting depends on the one before it")
    if lag:
        return Detected("pattern", f"the next setting depends on the one {lag} rounds before it")
    return Detected("per-shot", "settings change as often as fresh choices would")


def _log_tail(successes: int, n: int, chance: float) -> float:
    """Chernoff's bound on the log chance of as many successes, or of more extreme numbers."""
    rate = successes / n
    divergence = 0.0
    for part, whole in ((rate, chance), (1 - rate, 1 - chance)):
        if part > 0:
            divergence += part * log(part / whole) if whole > 0 else float("inf")
    return -n * divergence


def _one_run_each(counts: npt.NDArray[np.float64]) -> float:
    """Return the log chance that a random order of the rounds asks each question in one run."""
    orders = lgamma(float(counts.sum()) + 1) - sum(lgamma(float(c) + 1) for c in counts)
    return lgamma(len(counts) + 1) - orders


def detect_counts(per_question: npt.NDArray[np.int64]) -> Detected:
    """Tell what counts alone can say: exactly equal totals mean one circuit per question."""
    asked = per_question[per_question > 0]
    if len(asked) > 1 and (asked == asked[0]).all():
        return Detected("per-circuit", "every question was asked exactly equally often")
    return Detected("unknown", "counts alone do not tell how settings were chosen")


def _frequencies(
    question: npt.NDArray[np.integer],
) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.float64]]:
    if question.dtype.itemsize <= 2:
        counts = chunked_bincount(question, 1 << (8 * question.dtype.itemsize))
        asked = np.flatnonzero(counts)
        return asked, counts[asked].astype(np.float64)
    values, counts = np.unique(question, return_counts=True)
    return values, counts.astype(np.float64)


def _dependence(question: npt.NDArray[np.integer]) -> int:
    """Return the shortest lag at which a question depends on an earlier one, 0 if none is seen.

    Chi-square of the table of questions that lie this far apart, rare ones taken together.
    """
    n = len(question)
    values, counts = _frequencies(question)
    # Chi-square needs enough of every pair: groups so large that n share^2 is at least 20.
    group = np.zeros(len(values), dtype=np.int64)
    k, pooled = 0, 0.0
    for i in np.argsort(counts, kind="stable"):
        group[i] = k
        pooled += counts[i]
        if pooled * pooled >= 20 * n:
            k, pooled = k + 1, 0.0
    if k < 2:
        return 0
    group = np.minimum(group, k - 1)
    part = group[np.searchsorted(values, question)]
    found = (lag for lag in range(1, min(_LAGS, n - 1) + 1) if _linked(part, k, lag))
    return next(found, 0)


def _linked(part: npt.NDArray[np.int64], k: int, lag: int) -> bool:
    """Say whether groups that lie this far apart depend on one another."""
    table = np.bincount(part[:-lag] * k + part[lag:], minlength=k * k).reshape(k, k).astype(float)
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / table.sum()
    statistic = float((((table - expected) ** 2) / expected).sum())
    freedom = (k - 1) ** 2
    # Wilson and Hilferty: the cube root of chi-square over its freedom is close to normal.
    z = ((statistic / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / sqrt(2 / (9 * freedom))
    return 0.5 * erfc(z / sqrt(2)) < _LEVEL / _LAGS
