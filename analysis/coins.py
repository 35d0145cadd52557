"""Do the settings that came look like the coins that were planned for? A gate, never a proof."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ebit.analysis.binomial import clopper_pearson
from ebit.games import Trials

__all__ = ["coins_contradict", "following"]

Floats = npt.NDArray[np.float64]
LEVEL = 1e-6  # chance to call coins false that are as planned, over all tests


def coins_contradict(trials: Trials, law: Floats, tau: float, *, level: float = LEVEL) -> str:
    """Say in which way settings contradict two coins that are predictable to tau beyond their law.

    Each party's setting must be 1 as often as its law says, within tau, whatever the other party's
    setting was and, where the order of rounds is known, whatever the two outcomes were a round before.
    Each of these frequencies is held against its Clopper-Pearson interval at level / (number of tests).

    Args:
        trials: rounds of CHSH.
        law: (2, 2), probability of each pair of settings.
        tau: how far each setting may be predicted beyond it.
        level: chance to find fault with coins that keep to it.

    Returns:
        The contradiction in words; empty when there is none.

    Example:
        >>> fine = Trials.from_rounds([[0, 0], [0, 1], [1, 0], [1, 1]] * 50, [[0, 0]] * 200)
        >>> coins_contradict(fine, np.full((2, 2), 0.25), 0.0)
        ''
        >>> "setting x after y = 0" in coins_contradict(
        ...     Trials.from_rounds([[0, 0], [1, 1]] * 100, [[0, 0]] * 200), np.full((2, 2), 0.25), 0.0
        ... )
        True

    Source:
        Clopper and Pearson, Biometrika 26, 404 (1934), with Bonferroni's correction.
    """
    tests = [*_of_a_round(trials, law), *_after_outcomes(trials, law)]
    error = level / (2 * len(tests))
    for name, ones, n, p in tests:
        if not n:
            continue
        low, high = clopper_pearson(ones, n, low_error=error, high_error=error)
        if high < p - tau or low > p + tau:
            return (
                f"setting {name} was 1 in {ones / n:.5f} of {n} rounds, which {p:.5f} within tau = "
                f"{tau:.3g} does not give (p < {level:g}): the coins are not as planned; declare a "
                "larger tau before the next run"
            )
    return ""


def following(law: Floats) -> float:
    """Return the most that either coin's chance of a 1 moves with the other coin's side.

    Args:
        law: (2, 2), probability of each pair of settings.

    Example:
        >>> round(following(np.array([[0.26, 0.24], [0.24, 0.26]])), 6)
        0.02
    """
    p = law / law.sum()
    x, y = p[1].sum(), p[:, 1].sum()
    moves = [abs(p[1, k] / p[:, k].sum() - x) for k in (0, 1)]
    moves += [abs(p[k, 1] / p[k].sum() - y) for k in (0, 1)]
    return float(max(moves))


def _of_a_round(trials: Trials, law: Floats) -> Iterator[tuple[str, int, int, float]]:
    asked = trials.counts.sum(axis=(2, 3))
    for k in (0, 1):
        given = float(law[1, k] / law[:, k].sum())
        yield f"x after y = {k}", int(asked[1, k]), int(asked[:, k].sum()), given
        given = float(law[k, 1] / law[k].sum())
        yield f"y after x = {k}", int(asked[k, 1]), int(asked[k].sum()), given


def _after_outcomes(trials: Trials, law: Floats) -> Iterator[tuple[str, int, int, float]]:
    cells = trials.cells
    if cells is None or not trials.ordered or len(cells) < 2:
        return
    # A cell is 8 x + 4 y + 2 a + b; a pair of neighbours is the outcomes before and the settings after.
    before, after = cells[:-1] & 3, cells[1:] >> 2
    table = np.bincount(before.astype(np.int64) * 4 + after, minlength=16).reshape(4, 2, 2)
    for k in range(4):
        n = int(table[k].sum())
        past = f"after the outcomes {k >> 1}, {k & 1} of the round before"
        yield f"x {past}", int(table[k, 1].sum()), n, float(law[1].sum())
        yield f"y {past}", int(table[k, :, 1].sum()), n, float(law[:, 1].sum())
