"""Key rates against the error rate, the number of signals, or the distance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.ticker import NullFormatter

from ebit.games import write_whole
from ebit.plots.style import (
    BLUE,
    GREEN,
    GREY,
    VERMILLION,
    canvas,
    figure_of,
    gallery,
    legend_above,
    picture_bytes,
    plain,
    room_for,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ebit.analysis.key_rate_curves import RateCurves

__all__ = ["plot_rates", "save_rate_figure"]

_COLOURS = (BLUE, VERMILLION, GREEN)
_STYLES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)))


def plot_rates(curves: RateCurves, ax: Axes | None = None) -> Axes:
    """Draw key rates, a line per method; where there is no key, there is no line.

    The repeaterless bound is grey, and the point that was asked for is marked by a thin line.

    Args:
        curves: from `ebit.analysis.key_rate_curves.rate_curves`.
        ax: where to draw.

    Returns:
        The axes.
    """
    if ax is None:
        with gallery():
            axes: Axes = canvas(5.6, 3.4).add_subplot()
            return plot_rates(curves, axes)
    own = 0
    for name, row in zip(curves.names, curves.y, strict=True):
        shown = [(x, y) for x, y in zip(curves.x, row, strict=True) if y > 0]
        bound = name == "repeaterless bound"
        ax.plot(
            [x for x, _ in shown],
            [y for _, y in shown],
            color=GREY if bound else _COLOURS[own % 3],
            ls=(0, (4, 2)) if bound else _STYLES[own % 3],
            lw=1.2 if bound else 1.6,
            label=plain(name, 32),
            gid="bound" if bound else "rate",
        )
        own += not bound
    if curves.log_x:
        ax.set_xscale("log")
        ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlim(curves.x[0], curves.x[-1])
    positive = [y for row in curves.y for y in row if y > 0]
    if curves.log_y and positive:
        ax.set_yscale("log")
    else:
        ax.set_ylim(0, room_for([0.0, *positive])[1])
    if curves.here is not None:
        ax.axvline(curves.here, color=GREY, lw=0.8, ls=":", zorder=1, gid="here")
    ax.set_xlabel(curves.x_name)
    ax.set_ylabel(curves.y_name)
    ax.set_title(plain(curves.title, 60), loc="left", pad=20)
    legend_above(ax)
    return ax


def save_rate_figure(curves: RateCurves, folder: str | Path) -> tuple[Path, ...]:
    """Write rates.png and rates.svg into a folder, each whole or not at all.

    Args:
        curves: from `ebit.analysis.key_rate_curves.rate_curves`.
        folder: made if it is missing.

    Returns:
        The paths written.

    Raises:
        ArgumentError: the folder cannot be written.
    """
    figure = figure_of(plot_rates(curves))
    pictures = {f"rates.{kind}": picture_bytes(figure, kind) for kind in ("png", "svg")}
    for name, data in pictures.items():
        write_whole(Path(folder) / name, data)
    return tuple(Path(folder) / name for name in pictures)
