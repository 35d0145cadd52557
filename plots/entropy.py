"""How many bits a round is worth, against how many rounds there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.ticker import NullFormatter

from ebit.plots.style import BLUE, GREEN, GREY, ORANGE, VERMILLION, canvas, gallery, plain, room_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ebit.analysis.entropy_plan import EntropyCurves

__all__ = ["plot_entropy_rounds"]

_COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, GREY)
_STYLES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1, 1.5)))


def plot_entropy_rounds(curves: EntropyCurves, ax: Axes | None = None) -> Axes:
    """Draw certified bits per round against the number of rounds, a line per method.

    The legend names each method's adversary: lines against different adversaries answer different
    questions. Where a method certifies nothing, it has no line.

    Args:
        curves: from `ebit.analysis.entropy_plan.entropy_curves`.
        ax: where to draw.

    Returns:
        The axes.
    """
    if ax is None:
        with gallery():
            axes: Axes = canvas(5.6, 3.6).add_subplot()
            return plot_entropy_rounds(curves, axes)
    one = len(set(curves.adversaries)) == 1
    for i, (name, adversary, rates) in enumerate(
        zip(curves.names, curves.adversaries, curves.rates, strict=True)
    ):
        shown = [(n, rate) for n, rate in zip(curves.rounds, rates, strict=True) if rate > 0]
        ax.plot(
            [n for n, _ in shown],
            [rate for _, rate in shown],
            color=_COLOURS[i % len(_COLOURS)],
            ls=_STYLES[i % len(_STYLES)],
            label=plain(name if one else f"{name}: {adversary}", 48),
            gid="rate",
        )
    ax.set_xscale("log")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlim(min(curves.rounds), max(curves.rounds))
    highest = max((rate for row in curves.rates for rate in row), default=0.0)
    # The legend takes the upper left corner, where a good method's line passes too.
    ax.set_ylim(0, room_for([0.0, highest])[1] * (1 + 0.09 * len(curves.names)))
    ax.set_xlabel("rounds")
    ax.set_ylabel("certified bits per round")
    against = f"against {curves.adversaries[0]}" if one and curves.adversaries else None
    ax.legend(loc="upper left", title=against, title_fontsize=8.5, alignment="left")
    ax.set_title(f"Entropy at an expected S of {round(curves.S, 4):g}", loc="left")
    return ax
