"""Does an outcome depend on the other party's setting? Tests that are printed beside every score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy import stats

from ebit.games import ArgumentError

__all__ = [
    "MarginalTest",
    "NoSignalling",
    "block_no_signalling",
    "holm",
    "no_signalling",
]

NOTE, FAULT = 0.01, 1e-6

# Above this expected count in every cell the chi-square law holds far into its tail.
_LARGE = 1000.0
_MAX_SUBSET_PARTIES = 5
_MONTE_CARLO = 100_000


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
    tested for independence: chi-square where every expected count is at least 1000, else an
    exact conditional test (Fisher's for 2 x 2) or its Monte Carlo form. Corrected by Holm.

    Rounds are taken as independent, and alike within a question.

    Args:
        questions: integers (Q, n), the setting of each party.
        counts: int64 (Q, *outcomes).

    Raises:
        ArgumentError: shapes that do not agree.

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
    found = []
    for parties, settings, rows in _contexts(questions):
        others = tuple(i + 1 for i in range(n) if i not in parties)
        table = counts[rows].sum(axis=others).reshape(len(rows), -1)
        log10_p, method = _independence(table)
        found.append((parties, settings, len(rows), log10_p, method))
    return _together(found, "rounds taken as independent")


def block_no_signalling(
    questions: npt.NDArray[np.integer],
    block_question: npt.NDArray[np.integer],
    block_counts: npt.NDArray[np.int64],
) -> NoSignalling:
    r"""Test the same with blocks as the units: robust to drift and to likeness inside a block.

    Within a block the setting is constant, so the block's share of an answer is one value. If
    settings are drawn per block, the blocks of two contexts differ only by chance under
    no-signalling; their means are compared by Welch's t statistic (the F form for more contexts or
    answers uses Bonferroni over pairs). Slow drift enters both sides alike.

    Args:
        questions: integers (Q, n).
        block_question: (B,) index of the question of each block.
        block_counts: int64 (B, *outcomes), the answers in each block.
    """
    n = questions.shape[1]
    sizes = block_counts.reshape(len(block_counts), -1).sum(axis=1)
    found = []
    for parties, settings, rows in _contexts(questions):
        others = tuple(i + 1 for i in range(n) if i not in parties)
        answers = block_counts.sum(axis=others).reshape(len(block_counts), -1)
        share = answers / sizes[:, None]
        log10_p = _welch(share, [block_question == r for r in rows])
        found.append((parties, settings, len(rows), log10_p, "Welch's t over blocks"))
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


def _independence(table: npt.NDArray[np.int64]) -> tuple[float, str]:
    """Return log10 p of independence of rows and columns, and the method."""
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or (table.sum(axis=1) == 0).any():
        return 0.0, "nothing to compare"
    rows = table.sum(axis=1, dtype=np.float64)
    columns = table.sum(axis=0, dtype=np.float64)
    expected = np.outer(rows, columns) / rows.sum()
    if expected.min() >= _LARGE:
        statistic = float((((table - expected) ** 2) / expected).sum())
        freedom = (table.shape[0] - 1) * (table.shape[1] - 1)
        return _log10(float(stats.chi2.logsf(statistic, freedom))), "chi-square"
    if table.shape == (2, 2):
        return _fisher(table), "Fisher's exact test"
    return _monte_carlo(table, expected), "Monte Carlo test of the table"


def _log10(natural: float) -> float:
    return max(natural / math.log(10), -1e6)


def _fisher(table: npt.NDArray[np.int64]) -> float:
    """Two-sided Fisher test: twice the smaller tail, so that deep tails keep their logarithm."""
    (a, b), (c, d) = table.tolist()
    law = stats.hypergeom(a + b + c + d, a + c, a + b)
    tail = min(float(law.logcdf(a)), float(law.logsf(a - 1)))
    return min(_log10(tail + math.log(2)), 0.0)


def _monte_carlo(table: npt.NDArray[np.int64], expected: npt.NDArray[np.float64]) -> float:
    """Share of tables with the same margins whose chi-square is at least as large.

    The seed is fixed: the same counts always give the same p-value. It cannot fall below one in
    the number of tables drawn; beyond that the chi-square law is used, doubled.
    """
    rng = np.random.default_rng(20_240_911)
    statistic = float((((table - expected) ** 2) / expected).sum())
    law = stats.random_table(table.sum(axis=1), table.sum(axis=0), seed=rng)
    at_least = 1
    for _ in range(10):
        drawn = law.rvs(_MONTE_CARLO // 100, method="patefield")
        at_least += int(
            ((((drawn - expected) ** 2) / expected).sum(axis=(1, 2)) >= statistic).sum()
        )
        if at_least > 50:
            break
    share = at_least / (1 + 10 * (_MONTE_CARLO // 100))
    return min(math.log10(share), 0.0)


def _welch(share: npt.NDArray[np.float64], groups: list[npt.NDArray[np.bool_]]) -> float:
    """Smallest p over pairs of contexts and answers, times their number (Bonferroni), as log10."""
    smallest, tests = 0.0, 0
    # Two answers carry one comparison: their shares sum to one.
    columns = range(1) if share.shape[1] == 2 else range(share.shape[1])
    for one, other in combinations(groups, 2):
        for k in columns:
            x, y = share[one, k], share[other, k]
            if len(x) < 2 or len(y) < 2:
                continue
            tests += 1
            vx, vy = x.var(ddof=1) / len(x), y.var(ddof=1) / len(y)
            if vx + vy == 0:
                same = x.mean() == y.mean()
                smallest = min(smallest, 0.0 if same else -1e6)
                continue
            t = abs(x.mean() - y.mean()) / math.sqrt(vx + vy)
            freedom = (vx + vy) ** 2 / (vx**2 / (len(x) - 1) + vy**2 / (len(y) - 1))
            log_p = float(stats.t.logsf(t, freedom)) + math.log(2)
            smallest = min(smallest, _log10(log_p))
    return min(smallest + math.log10(max(tests, 1)), 0.0)


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
