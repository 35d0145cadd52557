"""Does an outcome depend on the other party's setting? Tests that are printed beside every score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy import special

from ebit.analysis.binomial import hypergeometric_log_tail
from ebit.games import ArgumentError

__all__ = [
    "MarginalTest",
    "NoSignalling",
    "block_no_signalling",
    "holm",
    "independence_log_p",
    "no_signalling",
]

NOTE, FAULT = 0.01, 1e-6

_MAX_SUBSET_PARTIES = 5

# The chi-square law is used where every expected count is at least this and p is ordinary.
_LARGE, _ORDINARY = 1000.0, 1e-4

# Blocks on either side of a block, of the same own setting, whose mean stands for slow drift.
_NEIGHBOURS = 10

# P(sum_i e_i a_i >= t) <= 3.178... P(Z >= t) for fair signs e_i and sum a_i^2 = 1.
_SIGNS = 1 / (4 * float(special.ndtr(-math.sqrt(2))))


@dataclass(frozen=True)
class MarginalTest:
    """One test: the answers of some parties to their own settings, over the others' settings.

    Attributes:
        parties: the parties whose answers are compared (0 is the first).
        settings: their own settings, the same in every context.
        contexts: in how many settings of the others the same question was asked.
        log10_p: decimal logarithm of the p-value.
        log10_corrected: after Holm's correction for the number of tests.
        method: which test.
    """

    parties: tuple[int, ...]
    settings: tuple[int, ...]
    contexts: int
    log10_p: float
    log10_corrected: float
    method: str

    @property
    def p_value(self) -> float:
        """The p-value; 0.0 where a float cannot hold it."""
        return float(10.0**self.log10_p)

    @property
    def corrected(self) -> float:
        """The corrected p-value."""
        return float(10.0**self.log10_corrected)


@dataclass(frozen=True)
class NoSignalling:
    """All tests, and what they say together.

    Attributes:
        holds: False when the smallest corrected p-value lies below ``level_fault``.
        p_value: the smallest corrected p-value.
        log10_p: its decimal logarithm.
        noted: True when it lies below ``level_note``.
        tests: the tests one by one.
        method: which tests were used.
        blocks: the tests with blocks as units, where settings come in blocks; ``holds`` is then
            False only when both fail.
    """

    holds: bool
    p_value: float
    log10_p: float
    noted: bool
    tests: tuple[MarginalTest, ...]
    method: str
    blocks: NoSignalling | None = None
    level_note: float = NOTE
    level_fault: float = FAULT


def holm(log10_p: Sequence[float]) -> list[float]:
    """Return Holm's corrected p-values, as decimal logarithms.

    Sorted upwards, the k-th smallest of m is multiplied by m - k + 1, and none may be smaller
    than the one before it. The chance of any false rejection stays below the level, under any
    dependence between the tests.

    Example:
        >>> [round(10**x, 3) for x in holm([-2, -1, -3])]
        [0.02, 0.1, 0.003]

    Source:
        S. Holm, Scand. J. Stat. 6, 65 (1979).
    """
    order = np.argsort(log10_p)
    corrected = np.empty(len(log10_p))
    running = -math.inf
    for rank, i in enumerate(order):
        running = max(running, min(log10_p[i] + math.log10(len(log10_p) - rank), 0.0))
        corrected[i] = running
    return [float(c) for c in corrected]


def no_signalling(
    questions: npt.NDArray[np.integer], counts: npt.NDArray[np.int64]
) -> NoSignalling:
    r"""Test that no party's answers depend on the settings of the others.

    For every proper subset of parties (single parties alone beyond five parties) and each of
    their settings that was asked in several contexts, the table of contexts by answers is
    tested for independence: `independence_log_p`, exact where counts are small or p is. Corrected
    by Holm.

    Rounds are taken as independent, and alike within a question: drift and blocks of rounds that
    are alike make this test too eager, see `block_no_signalling`.

    Args:
        questions: integers (Q, n), the setting of each party.
        counts: whole numbers (Q, *outcomes).

    Raises:
        ArgumentError: shapes that do not agree, counts below zero or not whole.

    Example:
        >>> questions = np.array([(0, 0), (0, 1), (1, 0), (1, 1)])
        >>> nist = np.array([[32266283, 600862, 580732, 18985], [32801781, 70119, 404229, 195257],
        ...     [32803817, 422004, 61941, 197106], [33128142, 94035, 89267, 171053]])
        >>> found = no_signalling(questions, nist.reshape(4, 2, 2))
        >>> found.holds, [round(t.p_value, 2) for t in found.tests]
        (True, [0.77, 0.07, 0.33, 0.6])

    Source:
        The counts: NIST, as published with CURBy.
    """
    q, n = questions.shape
    if counts.shape[0] != q or counts.ndim != n + 1:
        raise ArgumentError(f"counts must have shape ({q}, *outcomes) for {n} parties")
    if counts.dtype.kind not in "ui" or counts.min(initial=0) < 0:
        raise ArgumentError("counts must be whole numbers of at least 0")
    found = []
    for parties, settings, rows in _contexts(questions):
        others = tuple(i + 1 for i in range(n) if i not in parties)
        table = counts[rows].sum(axis=others).reshape(len(rows), -1)
        log_p, method = independence_log_p(table)
        found.append((parties, settings, len(rows), _log10(log_p), method))
    return _together(found, "rounds taken as independent")


def block_no_signalling(
    questions: npt.NDArray[np.integer],
    block_question: npt.NDArray[np.integer],
    block_counts: npt.NDArray[np.int64],
) -> NoSignalling:
    r"""Test the same with blocks as the units: robust to drift and to likeness inside a block.

    Within a block the setting is constant, so the block's share m_b of an answer is one value. Of
    two contexts drawn equally often, the context of a block is a fair sign e_b; under
    no-signalling it tells nothing of m_b. Given all shares,

    .. math:: T = \sum_b e_b a_b \Big/ \sqrt{\sum_b a_b^2}, \qquad a_b = m_b - g_b

    is a normalised sum of fair signs for any g_b made from the shares alone. Here g_b is the mean
    over up to ten blocks of the same own setting on either side, which takes slow drift out.
    Whatever the shares, P(abs(T) >= t) <= 2 min(exp(-t^2/2), 3.178 P(Z >= t)): no law is assumed
    for the rounds in a block, and deep tails are proven. Bonferroni over pairs of contexts and
    answers, Holm over the tests.

    It assumes that the contexts compared were drawn equally often and independently per block, and
    that answers do not depend on the settings of earlier blocks. The evidence is limited by the
    number of blocks, to about exp(-B/2).

    Args:
        questions: integers (Q, n).
        block_question: (B,) index of the question of each block, in the order played.
        block_counts: whole numbers (B, *outcomes), the answers in each block.

    Raises:
        ArgumentError: shapes that do not agree, a block without rounds.

    Example:
        >>> questions = np.array([(0, 0), (0, 1), (1, 0), (1, 1)])
        >>> asked = np.tile([0, 1, 2, 3, 3, 2, 1, 0], 25)
        >>> answers = np.full((200, 2, 2), 25) + 2 * (asked == 3)[:, None, None] * [[1, 1], [-1, -1]]
        >>> found = block_no_signalling(questions, asked, answers)
        >>> found.holds, [round(t.log10_p, 1) for t in found.tests]
        (False, [0.0, -22.3, 0.0, 0.0])

    Source:
        Hoeffding, JASA 58, 13 (1963); the constant: Bentkus and Dzindzalieta, Bernoulli 21, 1282
        (2015).
    """
    n = questions.shape[1]
    if block_counts.ndim != n + 1 or len(block_counts) != len(block_question):
        raise ArgumentError(
            f"block_counts must have shape ({len(block_question)}, *outcomes) for {n} parties"
        )
    sizes = block_counts.reshape(len(block_counts), -1).sum(axis=1)
    if (sizes <= 0).any():
        raise ArgumentError("block_counts must have at least one round in every block")
    found = []
    for parties, settings, rows in _contexts(questions):
        others = tuple(i + 1 for i in range(n) if i not in parties)
        answers = block_counts.sum(axis=others).reshape(len(block_counts), -1)
        share = answers / sizes[:, None]
        log_p = _fair_signs(share, [block_question == r for r in rows])
        found.append((parties, settings, len(rows), _log10(log_p), "fair signs over blocks"))
    return _together(found, "blocks taken as the units")


def _contexts(
    questions: npt.NDArray[np.integer],
) -> list[tuple[tuple[int, ...], tuple[int, ...], list[int]]]:
    """List parties, their settings, and the questions (two or more) that ask them those."""
    n = questions.shape[1]
    sizes = range(1, n) if n <= _MAX_SUBSET_PARTIES else range(1, 2)
    found = []
    for size in sizes:
        for parties in combinations(range(n), size):
            own = questions[:, parties]
            for settings in sorted({tuple(int(s) for s in row) for row in own}):
                rows = np.flatnonzero((own == settings).all(axis=1)).tolist()
                if len(rows) > 1:
                    found.append((parties, settings, rows))
    return found


def independence_log_p(table: npt.NDArray[np.integer]) -> tuple[float, str]:
    """Return log p of the test that rows and columns of a table are independent.

    Where every expected count is at least 1000, Pearson's chi-square, unless it falls below 1e-4;
    then, and for smaller counts, an exact test, so that no accusation rests on an approximation.

    Given its margins, a 2 x 2 table has the hypergeometric law: p is twice its smaller tail
    (Fisher's exact test). A larger table is split into (rows - 1)(columns - 1) such tables: the
    last row is drawn from the column totals, cell by cell, then the row before it from what is
    left. Each cell's p-value is valid given those before it, so Fisher's combination of all of
    them, the chance that a product of uniforms is as small, is valid too.

    Args:
        table: whole numbers (contexts, answers).

    Returns:
        Natural logarithm of p, and the name of the test.

    Example:
        >>> log_p, _ = independence_log_p(np.array([[8, 2], [1, 5]]))
        >>> round(math.exp(log_p), 6)  # one tail is .024476
        0.048951

    Source:
        Fisher, Statistical Methods for Research Workers (1932), 21.02, 21.1; the partition:
        Lancaster, Biometrika 36, 370 (1949).
    """
    kept = table[np.ix_(table.sum(axis=1) > 0, table.sum(axis=0) > 0)]
    cells = [[int(c) for c in row] for row in kept]
    if len(cells) < 2 or len(cells[0]) < 2:
        return 0.0, "nothing to compare"
    ordinary = _chi_square(kept.astype(np.float64))
    if ordinary > _ORDINARY:
        return math.log(ordinary), "chi-square"
    columns = [sum(column) for column in zip(*cells, strict=True)]
    logs = []
    for row in reversed(cells[1:]):
        total, drawn = sum(columns), sum(row)
        for answers, marked in zip(row[:-1], columns[:-1], strict=True):
            logs.append(_two_sided(answers, total, marked, drawn))
            total, drawn = total - marked, drawn - answers
        columns = [c - answers for c, answers in zip(columns, row, strict=True)]
    if len(logs) == 1:
        return logs[0], "Fisher's exact test"
    y = -sum(logs)
    if y == 0:
        return 0.0, "exact partition, Fisher's combination"
    order = np.arange(len(logs))
    terms = order * math.log(y) - special.gammaln(order + 1.0)
    return min(float(special.logsumexp(terms)) - y, 0.0), "exact partition, Fisher's combination"


def _chi_square(table: npt.NDArray[np.float64]) -> float:
    """Pearson's p-value; 0 where an expected count is too small for it."""
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    if expected.min() < _LARGE:
        return 0.0
    statistic = float(((table - expected) ** 2 / expected).sum())
    return float(special.chdtrc((table.shape[0] - 1) * (table.shape[1] - 1), statistic))


def _two_sided(k: int, total: int, marked: int, drawn: int) -> float:
    """Log of twice the smaller tail."""
    upper = hypergeometric_log_tail(k, total, marked, drawn)
    lower = hypergeometric_log_tail(drawn - k, total, total - marked, drawn)
    return min(min(upper, lower) + math.log(2), 0.0)


def _fair_signs(share: npt.NDArray[np.float64], groups: list[npt.NDArray[np.bool_]]) -> float:
    """Log of the smallest p over pairs of contexts and answers, times their number."""
    smallest, tests = 0.0, 0
    # Two answers carry one comparison: their shares sum to one.
    columns = range(1) if share.shape[1] == 2 else range(share.shape[1])
    for one, other in combinations(groups, 2):
        both = one | other
        sign = np.where(one[both], 1.0, -1.0)
        for k in columns:
            tests += 1
            off = _without_drift(share[both, k])
            # Shares are at most 1: what is smaller than this is rounding.
            size = math.sqrt(float(off @ off))
            if size > 1e-9:
                t = abs(float(sign @ off)) / size
                tail = min(-t * t / 2, math.log(_SIGNS) + float(special.log_ndtr(-t)))
                smallest = min(smallest, tail + math.log(2))
    return min(smallest + math.log(max(tests, 1)), 0.0)


def _without_drift(share: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Take the mean over neighbouring blocks, itself included, from each share."""
    at = np.arange(len(share))
    low, high = np.maximum(at - _NEIGHBOURS, 0), np.minimum(at + _NEIGHBOURS + 1, len(share))
    total = np.concatenate([[0.0], np.cumsum(share)])
    return np.asarray(share - (total[high] - total[low]) / (high - low))


def _log10(natural: float) -> float:
    return max(natural / math.log(10), -1e12)


def _together(
    found: list[tuple[tuple[int, ...], tuple[int, ...], int, float, str]], what: str
) -> NoSignalling:
    if not found:
        return NoSignalling(True, 1.0, 0.0, False, (), "no question shares a setting with another")
    corrected = holm([f[3] for f in found])
    tests = tuple(
        MarginalTest(parties, settings, contexts, log10_p, fixed, method)
        for (parties, settings, contexts, log10_p, method), fixed in zip(
            found, corrected, strict=True
        )
    )
    smallest = min(corrected)
    methods = ", ".join(sorted({t.method for t in tests}))
    return NoSignalling(
        holds=smallest >= math.log10(FAULT),
        p_value=float(10.0**smallest),
        log10_p=smallest,
        noted=smallest < math.log10(NOTE),
        tests=tests,
        method=f"{len(tests)} tests, Holm: {methods}; {what}",
    )
