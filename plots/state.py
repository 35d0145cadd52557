"""A state's pass rates, and its fidelity against what less entangled states reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ebit.plots.style import (
    GREY,
    VERMILLION,
    Line,
    canvas,
    draw_points,
    gallery,
    label_lines,
    level_text,
    name_places,
    plain,
    room_for,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ebit.analysis.state_result import StateScore

__all__ = ["plot_fidelity", "plot_state"]

_CLAIM = {
    "entangled": ((0, (4, 2)), GREY),
    "genuine": ((0, (4, 1.5, 1, 1.5)), VERMILLION),
}


def plot_state(score: StateScore, ax: Axes | None = None) -> Axes:
    """Draw how often each question was passed, with its interval.

    Args:
        score: a state's score.
        ax: where to draw. Left out, a new figure has the fidelity in a second panel.

    Returns:
        The axes of the pass rates.
    """
    if ax is None:
        with gallery():
            figure = canvas(5.4, 3.1)
            left, right = figure.subplots(1, 2, width_ratios=(3.4, 1))
            axes: Axes = plot_state(score, left)
            plot_fidelity(score, right)
            return axes
    rates = [r.rate for r in score.rates]
    intervals = [r.interval for r in score.rates]
    draw_points(ax, np.arange(len(rates), dtype=np.float64).tolist(), rates, intervals)
    low, _ = room_for([*(i.low for i in intervals), 1.0], share=0.1)
    ax.set_ylim(max(low, -0.05), 1 + 0.05 * (1 - max(low, 0.0)))
    ax.axhline(1, color=GREY, lw=0.6, zorder=1)
    ax.set_ylabel(f"pass rate ({level_text(intervals)})")
    name_places(ax, [r.question for r in score.rates], "question")
    ax.set_title(_title(score), loc="left")
    return ax


def plot_fidelity(score: StateScore, ax: Axes | None = None) -> Axes:
    """Draw the fidelity with its interval against the thresholds of the claims.

    A claim is shown where the whole interval lies above its line.

    Args:
        score: a state's score.
        ax: where to draw; a narrow panel is enough.

    Returns:
        The axes.
    """
    if ax is None:
        with gallery():
            axes: Axes = canvas(2.8, 3.0).add_subplot()
            return plot_fidelity(score, axes)
    lines = _thresholds(score)
    interval = score.interval
    limits = [score.fidelity, interval.low, interval.high, 1.0, *(line[0] for line in lines)]
    low, high = room_for(limits, share=0.08)
    ax.set_ylim(low, high)
    label_lines(ax, lines, apart=0.2)
    draw_points(ax, [0.0], [score.fidelity], [interval])
    ax.set_xlim(-1, 1)
    ax.set_xticks([0], [f"F = {score.fidelity:.4g}"])
    ax.tick_params(axis="x", length=0)
    ax.set_ylabel(f"fidelity ({level_text([interval])})")
    return ax


def _thresholds(score: StateScore) -> list[Line]:
    """Return a line per threshold; claims that share a value share the line."""
    words: dict[float, list[str]] = {}
    looks = {}
    for threshold in score.thresholds:
        word = "entangled" if threshold.claim == "entangled" else f"all {score.n_qubits} qubits"
        words.setdefault(threshold.value, []).append(word)
        looks[threshold.value] = _CLAIM[threshold.claim]
    return [
        (value, ",\n".join(names) + f"\n{value:.4g}", *looks[value])
        for value, names in words.items()
    ]


def _title(score: StateScore) -> str:
    place = f" on {score.run.backend}" if score.run else ""
    status = {
        "genuine": f"all {score.n_qubits} qubits entangled",
        "fault": "fault of the data, no verdict",
    }
    return plain(f"{score.state}{place}: {status.get(score.status, score.status)}", 58)
