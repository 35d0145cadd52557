"""The fringe: the correlator over Bob's angle, the fit, and the ideal curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MultipleLocator

from ebit.plots.style import (
    GREY,
    VERMILLION,
    canvas,
    draw_points,
    gallery,
    legend_above,
    level_text,
    plain,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ebit.analysis.fringe import FringeScore

__all__ = ["plot_fringe"]


def plot_fringe(fringe: FringeScore, ax: Axes | None = None) -> Axes:
    r"""Draw the correlator at each of Bob's angles with its interval, the fit and the ideal curve.

    Both curves have the form :math:`v \cos(b - b_0)`; all numbers come from the score.

    Args:
        fringe: the score of an angle sweep.
        ax: where to draw.

    Returns:
        The axes, angles in degrees.
    """
    if ax is None:
        with gallery():
            axes: Axes = canvas().add_subplot()
            return plot_fringe(fringe, axes)
    angles = np.asarray(fringe.angles, dtype=np.float64)
    dense = np.linspace(angles.min(), angles.max(), 361)
    if fringe.phase_shift is not None:
        ideal = fringe.ideal_visibility * np.cos(dense - fringe.phase + fringe.phase_shift)
        ax.plot(np.degrees(dense), ideal, ls=(0, (4, 2)), lw=1.3, color=GREY, label="ideal")
    ax.plot(np.degrees(dense), fringe.fit(dense), lw=1.3, color=VERMILLION, label="fit")
    intervals = [point.interval for point in fringe.points]
    draw_points(
        ax,
        np.degrees(angles).tolist(),
        [point.value for point in fringe.points],
        intervals,
        label="measured",
    )
    ax.set_ylim(-1.08, 1.08)
    ax.set_yticks([-1, -0.5, 0, 0.5, 1])
    span = float(np.degrees(dense[-1] - dense[0]))
    if 180 <= span <= 720:
        ax.xaxis.set_major_locator(MultipleLocator(90 if span > 270 else 45))
    ax.set_xlabel("Bob's angle (degrees)")
    ax.set_ylabel(f"correlator E ({level_text(intervals)})")
    legend_above(ax)
    place = f" on {fringe.run.backend}" if fringe.run else ""
    ax.set_title(
        plain(f"fringe{place}: visibility {fringe.visibility:.3f}", 58), loc="left", pad=20
    )
    return ax
