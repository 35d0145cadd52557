"""One wide picture of a score: correlators, S and evidence side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ebit.plots.correlators import plot_correlators, plot_value
from ebit.plots.growth import plot_evidence
from ebit.plots.style import canvas, gallery, title_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ebit.analysis import Score

__all__ = ["plot_summary"]


def plot_summary(score: Score) -> Figure:
    """Draw correlators, S and evidence in one row, as for the head of a page.

    Args:
        score: any score.

    Returns:
        The figure, with two panels where the score has no correlators.
    """
    with gallery():
        figure = canvas(10.0, 3.2)
        figure.suptitle(title_of(score), x=0.008, ha="left", fontsize=11.5)
        if score.correlators:
            left, middle, right = figure.subplots(1, 3, width_ratios=(3.4, 1, 3.4))
            plot_correlators(score, left).set_title("")
        else:
            middle, right = figure.subplots(1, 2, width_ratios=(1, 3))
        plot_value(score, middle)
        plot_evidence(score, right)
        return figure
