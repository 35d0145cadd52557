"""How the settings of a run were chosen: told by the data where nobody declared it."""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, sqrt
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Chosen", "Detected", "detect_counts", "detect_rounds"]

Chosen = Literal["per-shot", "per-block", "per-circuit", "pattern", "unknown"]

# The data overrule "fresh settings in every shot" only beyond this chance of being wrong.
_LEVEL = 1e-6


@dataclass(frozen=True)
class Detected:
    """How settings were chosen, and what in the data says so."""

    chosen: Chosen
    reason: str


def detect_rounds(
    question: npt.NDArray[np.integer], block: npt.NDArray[np.int64] | None
) -> Detected:
    """Tell per-shot, per-block, per-circuit and patterned settings apart, from ordered rounds.

    Fresh settings change between neighbouring rounds as often as chance has it. Far fewer
    changes mean blocks (or, with one run of rounds per question, one circuit per question); a
    dependence on the round before without blocks means a pattern, such as taking turns.

    Args:
        question: (N,) code of the question asked in each round.
        block: (B,) index of the first round of each block, or None.
    """
    n = len(question)
    if block is not None and len(block) and n > len(block):
        starts = np.zeros(n, dtype=bool)
        starts[block] = True
        changes_inside = int(np.count_nonzero((question[1:] != question[:-1]) & ~starts[1:]))
        if changes_inside == 0:
            return Detected("per-block", f"settings never change inside the {len(block)} blocks")
    asked, counts = _frequencies(question)
    if n < 2 or len(asked) < 2:
        return Detected("unknown", "only one question was asked")
    changes = int(np.count_nonzero(question[1:] != question[:-1]))
    if changes == len(asked) - 1 and n > 2 * len(asked):
        return Detected("per-circuit", "each question was asked in one uninterrupted run")
    share = counts / n
    expected = (n - 1) * (1 - float(share @ share))
    spread = sqrt(max(expected * float(share @ share), 1e-12))
    shortfall = (expected - changes) / spread
    if erfc(abs(shortfall) / sqrt(2)) < _LEVEL:
        if shortfall > 0:
            run = n / (changes + 1)
            return Detected(
                "per-block", f"settings stay the same for runs of {run:.1f} rounds on average"
            )
        return Detected("pattern", "settings change more often than fresh choices would")
    if _depends_on_last(question, asked):
        return Detected("pattern", "the next setting depends on the one before it")
    return Detected("per-shot", "settings change as often as fresh choices would")


def detect_counts(per_question: npt.NDArray[np.int64]) -> Detected:
    """Tell what counts alone can say: exactly equal totals mean one circuit per question."""
    asked = per_question[per_question > 0]
    if len(asked) > 1 and (asked == asked[0]).all():
        return Detected("per-circuit", "every question was asked exactly equally often")
    return Detected("unknown", "counts alone do not tell how settings were chosen")


def _frequencies(
    question: npt.NDArray[np.integer],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    if question.dtype.itemsize <= 2:
        counts = chunked_bincount(question, 1 << (8 * question.dtype.itemsize))
        asked = np.flatnonzero(counts)
        return asked, counts[asked].astype(np.float64)
    values, counts = np.unique(question, return_counts=True)
    return values.astype(np.int64), counts.astype(np.float64)


def chunked_bincount(values: npt.NDArray[np.integer], size: int) -> npt.NDArray[np.int64]:
    """Count values below size without a copy of the whole array in wider integers."""
    counts = np.zeros(size, dtype=np.int64)
    for start in range(0, len(values), 1 << 21):
        counts += np.bincount(values[start : start + (1 << 21)], minlength=size)
    return counts


def _depends_on_last(
    question: npt.NDArray[np.integer], asked: npt.NDArray[np.int64], sample: int = 1 << 20
) -> bool:
    """Chi-square of the table of successive questions, on the first rounds."""
    k = len(asked)
    part = np.searchsorted(asked, question[:sample])
    if len(part) < 20 * k * k:
        return False
    table = np.bincount(part[:-1] * k + part[1:], minlength=k * k).reshape(k, k).astype(float)
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / table.sum()
    statistic = float((((table - expected) ** 2) / expected).sum())
    freedom = (k - 1) ** 2
    # Wilson and Hilferty: the cube root of chi-square over its freedom is close to normal.
    z = ((statistic / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / sqrt(2 / (9 * freedom))
    return 0.5 * erfc(z / sqrt(2)) < _LEVEL
