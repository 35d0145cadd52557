"""Health of random bits: the entropy estimates, the runs, and the counts within windows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ebit.games import write_whole
from ebit.plots.style import (
    BLUE,
    GREEN,
    GREY,
    VERMILLION,
    canvas,
    gallery,
    ink,
    number_ticks,
    picture_bytes,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ebit.analysis.health_cutoffs import HealthRecord
    from ebit.analysis.health_report import HealthReport
    from ebit.analysis.health_result import EntropyEstimate

__all__ = ["health_canvas", "plot_estimates", "plot_runs", "plot_windows", "save_health_figure"]

_COLOURS = {"symbols": BLUE, "bits": GREEN}
_LEAST = 0.5  # counts below this are not drawn on the logarithmic axes


def plot_estimates(found: EntropyEstimate, ax: Axes | None = None) -> Axes:
    """Draw the ten estimates as bars, each per bit, with the lines that ideal data would reach.

    Args:
        found: the estimates.
        ax: where to draw.

    Returns:
        The axes, min-entropy per bit from 0 to 1.
    """
    if ax is None:
        with gallery():
            axes: Axes = canvas(4.8, 4.0).add_subplot()
            return plot_estimates(found, axes)
    bars = [e for e in found.estimates if e.entropy is not None]
    places = list(range(len(bars)))
    scale = {"symbols": found.bits, "bits": 1}
    values = [(e.entropy or 0.0) / scale[e.on] for e in bars]
    ax.barh(places, values, color=[_COLOURS[e.on] for e in bars], height=0.7, gid="estimates")
    for place, value, e in zip(places, values, bars, strict=True):
        lowest = e is found.lowest
        ax.text(
            0.015,
            place,
            f"{value:.3f}" + (" lowest" if lowest else ""),
            va="center",
            fontsize=7.5,
            weight="bold" if lowest else "normal",
            color="white" if value > 0.3 else "black",
        )
    both = len({e.on for e in bars}) > 1
    ax.set_yticks(places, [e.name + (f", {e.on}" if both else "") for e in bars], fontsize=8)
    ax.tick_params(axis="y", length=0)
    ax.invert_yaxis()
    ax.set_xlim(0, 1.04)
    ax.axvline(1, color=GREY, lw=1.0)
    ax.axvline(found.ideal_compression, color=VERMILLION, ls=(0, (4, 2)), lw=1.2)
    ax.annotate(
        f"ideal bits by compression: {found.ideal_compression:.3f}",
        xy=(found.ideal_compression, 1),
        xycoords=("data", "axes fraction"),
        xytext=(2, 3),
        textcoords="offset points",
        ha="right",
        fontsize=7.5,
        color=ink(VERMILLION),
    )
    ax.set_xlabel("min-entropy per bit")
    plural = "s" * (found.bits > 1)
    ax.set_title(
        plain(f"assessed: {found.min_entropy:.4f} of {found.bits} bit{plural} per symbol", 48),
        loc="left",
        pad=16,
    )
    return ax


def plot_runs(record: HealthRecord, ax: Axes | None = None) -> Axes:
    """Draw how many runs of each length were seen, what ideal data have, and the cut-off.

    Args:
        record: of the health tests.
        ax: where to draw.

    Returns:
        The axes; counts are logarithmic.
    """
    if ax is None:
        with gallery():
            axes: Axes = canvas().add_subplot()
            return plot_runs(record, axes)
    c = record.cutoffs
    _seen_and_ideal(ax, record.runs, record.ideal_runs.tolist(), c.repetition)
    ax.set_xlabel("equal symbols in a row")
    ax.set_ylabel("runs")
    ax.set_title(f"repetition: {record.longest_run} (cut-off {c.repetition})", loc="left")
    return ax


def plot_windows(record: HealthRecord, ax: Axes | None = None) -> Axes:
    """Draw how often symbols recurred within windows, what ideal data do, and the cut-off.

    Args:
        record: of the health tests.
        ax: where to draw.

    Returns:
        The axes; counts are logarithmic.
    """
    if ax is None:
        with gallery():
            axes: Axes = canvas().add_subplot()
            return plot_windows(record, axes)
    c = record.cutoffs
    _seen_and_ideal(ax, record.windows, record.ideal_windows.tolist(), c.proportion)
    ax.set_xlabel(f"symbols of {c.window} equal to the first")
    ax.set_ylabel("windows")
    ax.set_title(f"proportion: {record.largest_count} (cut-off {c.proportion})", loc="left")
    return ax


def health_canvas(report: HealthReport) -> Figure:
    """Return a figure of the estimates beside both health tests."""
    with gallery():
        bars = len([e for e in report.entropy.estimates if e.entropy is not None])
        figure = canvas(8.4, 4.2 if bars <= 10 else 5.2)
        grid = figure.add_gridspec(2, 2, width_ratios=(1.25, 1))
        plot_estimates(report.entropy, figure.add_subplot(grid[:, 0]))
        plot_runs(report.health, figure.add_subplot(grid[0, 1]))
        plot_windows(report.health, figure.add_subplot(grid[1, 1]))
    return figure


def save_health_figure(report: HealthReport, folder: str | Path) -> tuple[Path, ...]:
    """Write health.png and health.svg into a folder, each whole or not at all.

    Args:
        report: of a stretch of samples.
        folder: made if it is missing.

    Returns:
        The paths written.

    Raises:
        ArgumentError: the folder cannot be written.
    """
    figure = health_canvas(report)
    drawn = [
        (Path(folder) / f"health.{kind}", picture_bytes(figure, kind)) for kind in ("png", "svg")
    ]
    return tuple(write_whole(path, content) for path, content in drawn)


def _seen_and_ideal(ax: Axes, seen: Sequence[int], ideal: Sequence[float], cutoff: int) -> None:
    k = np.arange(len(seen))
    counts, hoped = np.asarray(seen, np.float64), np.asarray(ideal)
    shown = counts > 0
    line = hoped >= _LEAST
    ax.plot(k[line], hoped[line], color=GREY, lw=1.2, label="ideal")
    ax.plot(k[shown], counts[shown], ls="", marker="o", ms=3, color=BLUE, mew=0, label="seen")
    ax.set_yscale("log")
    top = max(counts.max(initial=1.0), hoped.max(initial=1.0))
    ax.set_ylim(_LEAST, 3 * top)
    used = [*k[shown].tolist(), *k[line].tolist()]
    low, high = min(used, default=0), max(used, default=1)
    if cutoff <= high + 2 * max(high - low, 10):  # else it lies too far to the right to be drawn
        ax.axvline(cutoff, color=VERMILLION, ls=(0, (4, 2)), lw=1.2)
        high = max(high, cutoff)
    margin = 0.05 * max(high - low, 1)
    ax.set_xlim(low - margin, high + margin)
    number_ticks(ax.xaxis, whole=True)
    ax.legend(loc="best", borderaxespad=0.1)
