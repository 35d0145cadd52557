"""Alarms of many links at once, with a bound on the share of false ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ebit.analysis.binomial import check_count, check_probability
from ebit.games import ArgumentError

__all__ = ["LinkAlarms", "e_bh", "horizon_log_e"]


@dataclass(frozen=True)
class LinkAlarms:
    """Which links of a network are reported, at which false discovery rate.

    Attributes:
        links: all links, in the order given.
        flagged: those that are reported, the strongest evidence first.
        alpha: bound on the mean share of honest links among those reported.
        log_bar: natural logarithm of the evidence that was enough, m / (k alpha) with k flagged
            of m links; for k = 0, that of m / alpha, which one link alone would have needed.
    """

    links: tuple[str, ...]
    flagged: tuple[str, ...]
    alpha: float
    log_bar: float

    method = "e-BH"
    assumptions = (
        "each link's e-value has mean at most 1 while that link is honest, whatever is known from "
        "the other links; it is the value now or at a link's own alarm, not the largest so far",
        "nothing about how the links depend on each other",
    )
    not_given = ("no bound on the probability that any honest link is reported",)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "links": list(self.links),
            "flagged": list(self.flagged),
            "alpha": self.alpha,
            "log_bar": self.log_bar,
            "method": self.method,
            "assumptions": list(self.assumptions),
            "not_given": list(self.not_given),
        }

    def __str__(self) -> str:
        named = ", ".join(self.flagged) if self.flagged else "none"
        return (
            f"{len(self.flagged)} of {len(self.links)} links reported: {named}; on average at most "
            f"{self.alpha:g} of those reported are honest"
        )


def e_bh(log_e: Mapping[str, float], *, alpha: float) -> LinkAlarms:
    r"""Return the links to report so that the false discovery rate is at most alpha.

    The k links with the largest e-values, k the largest number with

    .. math:: e_{(k)} \ge \frac{m}{k\,\alpha}

    Valid under any dependence between links: one source may feed many, or an attacker play them
    against each other.

    Args:
        log_e: natural logarithm of the e-value of each of m links: `SessionTest.log_e`, or
            `horizon_log_e` of a change detector. -inf is allowed (an e-value of 0).
        alpha: bound on the false discovery rate, in (0, 1).

    Raises:
        ArgumentError: no links, NaN, or alpha out of range.

    Example:
        >>> found = e_bh({"a": 5.0, "b": 3.9, "c": 0.0, "d": -2.0}, alpha=0.05)
        >>> found.flagged, round(math.exp(found.log_bar), 6)
        (('a', 'b'), 40.0)

    Source:
        Wang and Ramdas, J. R. Stat. Soc. B 84, 822 (2022), arXiv:2009.02824, theorem 1.
    """
    check_probability("alpha", alpha, open_ends=True)
    if not log_e:
        raise ArgumentError("Argument `log_e` must hold at least one link, but was empty.")
    for name, value in log_e.items():
        if math.isnan(value):
            raise ArgumentError(
                f"Argument `log_e` must hold numbers, but was nan for link {name!r}."
            )
    order = sorted(log_e, key=lambda name: -log_e[name])
    m = len(order)
    bars = [math.log(m) - math.log(k) - math.log(alpha) for k in range(1, m + 1)]
    enough = [k for k, name in enumerate(order, 1) if log_e[name] >= bars[k - 1]]
    top = max(enough, default=0)
    return LinkAlarms(tuple(log_e), tuple(order[:top]), alpha, bars[max(top, 1) - 1])


def horizon_log_e(evidence: float, horizon: int) -> float:
    """Return the natural logarithm of the e-value that a change detector gives within a horizon.

    The evidence R has mean at most that of the rounds seen, at whatever round one stops, so
    R / horizon has mean at most 1 if one stops by then.

    Args:
        evidence: `ChangeDetector.evidence`, at a round within the horizon since its start.
        horizon: rounds, fixed beforehand.

    Raises:
        ArgumentError: evidence below 0 or NaN, horizon below 1.

    Example:
        >>> round(horizon_log_e(1e6, 1000), 6) == round(math.log(1000), 6)
        True

    Source:
        Shin, Ramdas, Rinaldo, arXiv:2203.03532, the definition of an e-detector.
    """
    if not evidence >= 0:
        raise ArgumentError(f"Argument `evidence` must be at least 0, but was {evidence!r}.")
    n = check_count("horizon", horizon, low=1)
    return math.log(evidence) - math.log(n) if evidence > 0 else -math.inf
