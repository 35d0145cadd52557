"""Many tests at once: which of them may be called discoveries, and at what rate of false ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ebit.games import ArgumentError

__all__ = ["Discoveries", "discover_by_e", "discover_by_p"]


@dataclass(frozen=True, eq=False)
class Discoveries:
    """What was found among many hypotheses.

    Attributes:
        found: bool (m,), which null hypotheses are rejected.
        level: the largest expected share of false ones among those found.
        method: how.
    """

    found: npt.NDArray[np.bool_]
    level: float
    method: str


def discover_by_p(
    log10_p: npt.ArrayLike, level: float, *, independent: bool = False
) -> Discoveries:
    r"""Reject hypotheses by their p-values so that few of the rejections are false.

    The k smallest are rejected for the largest k with

    .. math:: p_{(k)} \le \frac{k}{m}\,\frac{\alpha}{c}, \qquad c = \sum_{i \le m} 1/i

    (c = 1 for independent tests). The expected share of true nulls among the rejected is at most
    alpha, whatever the p-values depend on.

    Args:
        log10_p: (m,) decimal logarithms of the p-values.
        level: alpha, in (0, 1).
        independent: whether the p-values are independent of one another.

    Example:
        >>> discover_by_p([-9.0, -0.1, -5.0, -0.5], 0.05).found.tolist()
        [True, False, True, False]

    Source:
        Benjamini and Yekutieli, Ann. Stat. 29, 1165 (2001), theorem 1.3; for independent tests
        Benjamini and Hochberg, J. R. Stat. Soc. B 57, 289 (1995).
    """
    logs = np.asarray(log10_p, dtype=np.float64)
    _check(level)
    m = len(logs)
    price = 1.0 if independent else float((1 / np.arange(1, m + 1)).sum())
    name = "Benjamini-Hochberg" if independent else "Benjamini-Yekutieli (any dependence)"
    if not m:
        return Discoveries(np.zeros(0, dtype=bool), level, name)
    order = np.argsort(logs, kind="stable")
    limits = np.log10(np.arange(1, m + 1) * level / (m * price))
    return Discoveries(_first(order, logs[order] <= limits), level, name)


def discover_by_e(log10_e: npt.ArrayLike, level: float) -> Discoveries:
    r"""Reject hypotheses by their e-values (e-BH): the k largest for the largest k with

    .. math:: e_{[k]} \ge \frac{m}{k\,\alpha}

    The expected share of false rejections is at most alpha under any dependence.

    Args:
        log10_e: (m,) decimal logarithms of the e-values.
        level: alpha, in (0, 1).

    Example:
        >>> discover_by_e([4.0, 0.0, 1.8, -1.0], 0.05).found.tolist()
        [True, False, True, False]

    Source:
        Wang and Ramdas, J. R. Stat. Soc. B 84, 822 (2022), theorem 2.
    """
    logs = np.asarray(log10_e, dtype=np.float64)
    _check(level)
    m = len(logs)
    if not m:
        return Discoveries(np.zeros(0, dtype=bool), level, "e-BH (any dependence)")
    order = np.argsort(-logs, kind="stable")
    limits = np.log10(m / (np.arange(1, m + 1) * level))
    return Discoveries(_first(order, logs[order] >= limits), level, "e-BH (any dependence)")


def _first(order: npt.NDArray[np.intp], passes: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The first k in order, k the last place that passes."""
    found = np.zeros(len(order), dtype=bool)
    if passes.any():
        found[order[: np.flatnonzero(passes)[-1] + 1]] = True
    return found


def _check(level: float) -> None:
    if not 0 < level < 1:
        raise ArgumentError(f"level must lie in (0, 1), but was {level}")
