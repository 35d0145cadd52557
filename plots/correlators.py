"""Correlators and the Bell value, with intervals, against what local and quantum models reach."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from ebit.plots.style import (
    GREY,
    VERMILLION,
    Canvas,
    Line,
    canvas,
    draw_points,
    gallery,
    label_lines,
    legend_above,
    level_text,
    name_places,
    room_for,
    title_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ebit.analysis import Score

__all__ = ["LOCAL", "QUANTUM", "plot_correlators", "plot_value", "score_canvas"]

# Line style and colour of the two bounds, the same in every picture.
LOCAL = ((0, (4, 2)), GREY)
QUANTUM = ("-", VERMILLION)


def plot_correlators(score: Score, ax: Axes | None = None) -> Axes:
    r"""Draw each question's correlator with its interval.

    Short lines mark what the local and the quantum bound of :math:`S = \sum_q s_q E_q` ask of
    each of Q questions on average, :math:`s_q S_{\max} / Q`: for CHSH 1/2 and 1/sqrt 2.

    Args:
        score: any score; without correlators the rate of wins is drawn in their place.
        ax: where to draw. Left out, a new figure has S in a second panel.

    Returns:
        The axes of the correlators.
    """
    if ax is None:
        return score_canvas(score).axes[0]
    if not score.correlators:
        return plot_value(score, ax)
    values = [c.value for c in score.correlators]
    places = np.arange(len(values), dtype=np.float64)
    intervals = [c.interval for c in score.correlators]
    ax.axhline(0, color=GREY, lw=0.6, zorder=1)
    _marks(score, ax, places)
    draw_points(ax, places.tolist(), values, intervals, label="measured")
    ax.set_ylim(-1.08, 1.08)
    ax.set_yticks([-1, -0.5, 0, 0.5, 1])
    ax.set_ylabel(f"correlator E ({level_text(intervals)})")
    name_places(ax, [c.question for c in score.correlators], "question")
    legend_above(ax)
    ax.set_title(title_of(score), loc="left", pad=20)
    return ax


def plot_value(score: Score, ax: Axes | None = None) -> Axes:
    """Draw S with its interval against the local and the quantum bound.

    Where there is no S (an answer is not a parity, or only wins are known), the rate of wins is
    drawn against the most that the null reaches.

    Args:
        score: any score.
        ax: where to draw; a narrow panel is enough.

    Returns:
        The axes.
    """
    if ax is None:
        with gallery():
            axes: Axes = canvas(2.6, 3.0).add_subplot()
            return plot_value(score, axes)
    if score.S is not None and score.S_interval is not None:
        name, value, interval = "S", score.S, score.S_interval
        bounds = [("local", score.local_bound, LOCAL), ("quantum", score.quantum_bound, QUANTUM)]
    else:
        name, value, interval = "win rate", score.win_rate, score.win_rate_interval
        bounds = [("null", score.floor, LOCAL)]
    lines: list[Line] = [
        (bound, f"{word}\n{bound:.4g}", style, colour)
        for word, bound, (style, colour) in bounds
        if bound is not None
    ]
    ax.set_ylim(*room_for([value, interval.low, interval.high, *(line[0] for line in lines)]))
    label_lines(ax, lines, apart=0.13)
    draw_points(ax, [0.0], [value], [interval])
    ax.set_xlim(-1, 1)
    ax.set_xticks([0], [f"{name} = {value:.4g}"])
    ax.tick_params(axis="x", length=0)
    ax.set_ylabel(f"{name} ({level_text([interval])})")
    return ax


def score_canvas(score: Score) -> Canvas:
    """Return a figure with correlators and S side by side, or the rate of wins alone."""
    with gallery():
        figure = canvas()
        if not score.correlators:
            figure.set_size_inches(3.2, 3.0)
            ax = plot_value(score, figure.add_subplot())
            ax.set_title(fill(title_of(score), 36), loc="left")
            return figure
        figure.set_size_inches(5.0, 3.1)
        left, right = figure.subplots(1, 2, width_ratios=(3.2, 1))
        plot_correlators(score, left)
        plot_value(score, right)
        return figure


def _marks(score: Score, ax: Axes, places: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    signs = np.asarray(score.convention.signs, dtype=np.float64)
    if signs.shape != places.shape:
        return
    bounds = (
        ("local", score.local_bound, LOCAL),
        ("quantum", score.quantum_bound, QUANTUM),
    )
    for word, bound, (style, colour) in bounds:
        if bound is None:
            continue
        height = signs * bound / len(signs)
        drawn = ax.hlines(
            height,
            places - 0.36,
            places + 0.36,
            colors=colour,
            linestyles=style,
            lw=1.3,
            label=word,
        )
        drawn.set_gid(word)
