"""Key rates as curves: against the error rate, the number of signals, or the distance."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from ebit.analysis.key_asymptotic import best_noise
from ebit.analysis.key_diqkd import CONSUMED
from ebit.analysis.key_diqkd_optimise import diqkd_length
from ebit.analysis.key_endless import endless_rate
from ebit.analysis.key_finite import THEOREMS
from ebit.analysis.key_links import Link, link_rate, repeaterless_bound
from ebit.analysis.key_plan import plan_key
from ebit.analysis.key_rate_result import RateResult
from ebit.analysis.key_rates import SOURCES

__all__ = ["RateCurves", "rate_curves"]

_NOISY = ("bb84", "bbm92", "e91", "six-state", "mdi", "diqkd")


@dataclass(frozen=True)
class RateCurves:
    """Rates at many points, several lines over the same points.

    Attributes:
        title: what is shown.
        x_name, y_name: what the axes are.
        x: points. log_x, log_y: whether an axis is logarithmic.
        names: of the lines. y: a row per line; 0 is no key.
        here: the point that was asked for, None where it lies outside.
    """

    title: str
    x_name: str
    y_name: str
    x: tuple[float, ...]
    log_x: bool
    log_y: bool
    names: tuple[str, ...]
    y: tuple[tuple[float, ...], ...]
    here: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return asdict(self)

    def csv(self) -> str:
        """Return the table as comma-separated values, a head line and a line per point."""
        lines = [",".join(name.replace(",", "") for name in (self.x_name, *self.names))]
        for i, x in enumerate(self.x):
            lines.append(",".join(f"{value:.10g}" for value in (x, *(row[i] for row in self.y))))
        return "\n".join(lines) + "\n"


def rate_curves(
    found: RateResult,
    *,
    link: Link | None = None,
    test_fraction: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> RateCurves:
    """Return the curves that a rate is a point of.

    Over fibre: bits per second against the distance, with the repeaterless bound. Finite runs: bits per
    signal against the number of signals. Endless runs: the rate against the error rate, without noise
    and with the best.

    Args:
        found: from `ebit.analysis.key_rates.key_rate`.
        link: the link it was found for.
        test_fraction: diqkd: the share of tests, if it was given.
        progress: called with (done, total).

    Example:
        >>> from ebit.analysis.key_rates import key_rate
        >>> curves = rate_curves(key_rate("bb84", qber=0.05))
        >>> curves.names, curves.y[0][0]
        (('no noise', 'best noise'), 1.0)
    """
    tell = progress or (lambda done, total: None)
    if link is not None:
        return _distance(found, link, tell)
    return _error_rate(found, tell) if found.rounds is None else _rounds(found, test_fraction, tell)


def _error_rate(found: RateResult, tell: Callable[[int, int], None]) -> RateCurves:
    most = 0.14 if found.protocol != "diqkd" else 0.09
    points = tuple(most * i / 56 for i in range(57))

    def rate(Q: float, q: float) -> float:
        return endless_rate(found.protocol, Q, noise=q, f=found.f or 1.0)

    rows: list[tuple[float, ...]] = [tuple(max(0.0, rate(Q, 0.0)) for Q in points)]
    names = ["no noise"]
    if found.protocol in _NOISY:
        row = []
        for i, Q in enumerate(points):
            row.append(max(0.0, best_noise(lambda q, Q=Q: rate(Q, q))[1]))  # type: ignore[misc]
            tell(i + 1, len(points))
        rows.append(tuple(row))
        names.append("best noise")
    return RateCurves(
        title=f"Endless runs of {found.protocol}"
        + (", white noise" if found.protocol == "diqkd" else ""),
        x_name="error rate",
        y_name="bits of key per raw bit",
        x=points,
        log_x=False,
        log_y=False,
        names=tuple(names),
        y=tuple(rows),
        here=found.qber if found.qber <= most else None,
    )


def _rounds(
    found: RateResult, test_fraction: float | None, tell: Callable[[int, int], None]
) -> RateCurves:
    rounds = found.rounds or 1
    if found.protocol == "diqkd":
        points = tuple(round(10 ** (5 + i / 3)) for i in range(13))
        names: tuple[str, ...] = ("nadlinger-2022",)
    else:
        points = tuple(round(10 ** (3 + i / 4)) for i in range(29))
        names = ("tomamichel-2012", "lim-2021")
    points = tuple(sorted({*points, rounds}))
    secrecy = found.epsilon or 1e-10
    rows: list[tuple[float, ...]] = []
    for name in names:
        row = []
        for i, n in enumerate(points):
            if found.protocol == "diqkd":
                length = diqkd_length(
                    n,
                    S=found.S or 0.0,
                    qber=found.qber,
                    epsilon=secrecy,
                    test_fraction=test_fraction,
                ).length
            else:
                length = _planned(found, n, name, secrecy)
            row.append(length / n)
            tell(len(rows) * len(points) + i + 1, len(points) * len(names))
        rows.append(tuple(row))
    return RateCurves(
        title=f"Finite runs of {found.protocol}, {100 * found.qber:.3g} % errors",
        x_name="signals",
        y_name=found.unit,
        x=tuple(float(n) for n in points),
        log_x=True,
        log_y=False,
        names=names,
        y=tuple(rows),
        here=float(rounds),
    )


def _planned(found: RateResult, n: int, theorem: str, epsilon: float) -> int:
    more: dict[str, Any] = {} if found.f is None else {"f": found.f}
    return plan_key(
        found.protocol,
        n,
        qber=found.qber,
        epsilon=epsilon,
        theorem=theorem,
        search=False,
        authentication_bits=CONSUMED,
        **more,
    ).length


def _distance(found: RateResult, link: Link, tell: Callable[[int, int], None]) -> RateCurves:
    source = SOURCES[found.protocol]
    most = max(300.0, 50 * math.ceil(link.km * 1.6 / 50))
    points = tuple(most * i / 24 for i in range(25))
    kinds: list[tuple[str, int | None]] = [("endless run", None)]
    if found.rounds is not None:
        kinds.append((f"{found.rounds:,} signals", found.rounds))
    more: dict[str, Any] = {"epsilon": found.epsilon or 1e-10, "f": found.f or 1.1}
    if found.theorem in THEOREMS:
        more["theorem"] = found.theorem
    rows: list[tuple[float, ...]] = []
    for _, rounds in kinds:
        row = []
        for i, km in enumerate(points):
            at = link_rate(source, replace(link, km=km), rounds=rounds, **more)
            row.append(at.key_per_second)
            tell(len(rows) * 25 + i + 1, 25 * len(kinds))
        rows.append(tuple(row))
    rate = found.signal_rate or 1.0
    # At 0 km nothing is lost and the bound is endless: no point is drawn there.
    bound = [repeaterless_bound(replace(link, km=km).fibre) * rate for km in points]
    rows.append(tuple(b if math.isfinite(b) else 0.0 for b in bound))
    return RateCurves(
        title=f"{found.protocol} over fibre, {link.loss:g} dB/km",
        x_name="km",
        y_name="bits of key per second",
        x=points,
        log_x=False,
        log_y=True,
        names=(*(name for name, _ in kinds), "repeaterless bound"),
        y=tuple(rows),
        here=link.km,
    )
