"""A chip as it is laid out, every pair in the colour of its S; and S over the chip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D

from ebit.plots.style import BLUE, GREY, ORANGE, VERMILLION, Canvas, canvas, gallery, number_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ebit.analysis.chip_result import ChipMap, PairScore

__all__ = ["chip_canvas", "plot_chip", "plot_chip_values", "plot_crosstalk"]

_LOW, _HIGH = 2.0, 2.0 * np.sqrt(2)
_WORDS = {"violates": "violates", "not": "does not", "signals": "signals"}
_MARKS = {"violates": (BLUE, "o"), "not": (ORANGE, "s"), "signals": (VERMILLION, "X")}
_WIDE, _HOLLOW = 4.2, 2.2  # points
_PER_UNIT = 0.34  # inches between two qubits


def plot_chip(found: ChipMap, ax: Axes | None = None) -> Axes:
    """Draw the chip's own layout: a line per pair, coloured by S.

    Full lines violate (false discoveries controlled over the chip), hollow ones do not; those with a
    cross signal. Colours run from the local bound 2 to the quantum bound 2 sqrt 2, and whatever lies
    below 2 is grey.

    Args:
        found: a map.
        ax: where to draw; left out, a new figure.

    Returns:
        The axes.
    """
    if ax is None:
        with gallery():
            return plot_chip(found, canvas(*_size(found)).add_subplot())
    kinds = [_kind(pair) for pair in found.pairs]
    mapped = _lines(found, ax, [pair.S for pair in found.pairs], (_LOW, _HIGH), "viridis", kinds)
    bar = ax.figure.colorbar(mapped, ax=ax, shrink=0.6, pad=0.01, extend="min")
    bar.set_label("S")
    _legend(ax, kinds, _WORDS)
    ax.set_title(
        f"{found.backend}: {len(found.violating)} of {len(found.pairs)} pairs violate "
        f"(FDR {found.fdr:g})",
        loc="left",
    )
    return ax


def plot_crosstalk(found: ChipMap, ax: Axes | None = None) -> Axes:
    """Draw how S of each pair changes when its neighbours are tested at the same time.

    Full lines are changes that are found (false discoveries controlled), hollow ones may be chance.

    Args:
        found: a map of mode "both".
        ax: where to draw; left out, a new figure.
    """
    if ax is None:
        with gallery():
            return plot_crosstalk(found, canvas(*_size(found)).add_subplot())
    changes = [pair.crosstalk.change if pair.crosstalk else 0.0 for pair in found.pairs]
    largest = max(0.05, *map(abs, changes))
    kinds = [
        "violates" if pair.crosstalk and pair.crosstalk.found else "not" for pair in found.pairs
    ]
    mapped = _lines(found, ax, changes, (-largest, largest), "PuOr", kinds)
    _legend(ax, kinds, {"violates": "found", "not": "may be chance"})
    bar = ax.figure.colorbar(mapped, ax=ax, shrink=0.6, pad=0.01)
    bar.set_label("S together - S apart")
    count = len(found.crosstalk)
    ax.set_title(f"cross-talk found on {count} pair{'' if count == 1 else 's'}", loc="left")
    return ax


def plot_chip_values(found: ChipMap, ax: Axes | None = None) -> Axes:
    """Draw S of every pair in order, with intervals, beside what the calibration predicts.

    Args:
        found: a map.
        ax: where to draw; left out, a new figure.
    """
    if ax is None:
        with gallery():
            return plot_chip_values(found, canvas(6.4, 3.0).add_subplot())
    ranked = sorted(found.pairs, key=lambda pair: -pair.S)
    at = np.arange(len(ranked))
    low = [pair.S_interval.low for pair in ranked]
    high = [pair.S_interval.high for pair in ranked]
    ax.vlines(at, low, high, color=GREY, lw=0.7, alpha=0.7, zorder=1)
    for kind, (colour, marker) in _MARKS.items():
        chosen = [i for i, pair in enumerate(ranked) if _kind(pair) == kind]
        if chosen:
            values = [ranked[i].S for i in chosen]
            ax.plot(chosen, values, marker, color=colour, ms=3, label=_WORDS[kind], zorder=3)
    if any(pair.predicted is not None for pair in ranked):
        ax.plot(
            at,
            [np.nan if pair.predicted is None else pair.predicted for pair in ranked],
            "_",
            color="black",
            ms=4,
            label="predicted",
            zorder=2,
        )
    for bound, style, colour in ((_LOW, (0, (4, 2)), GREY), (_HIGH, "-", VERMILLION)):
        ax.axhline(bound, ls=style, color=colour, lw=1)
    number_ticks(ax.xaxis, whole=True)
    ax.set_xlabel("pairs, best first")
    ax.set_ylabel("S (95 %)")
    ax.legend(loc="lower left")
    ax.set_title(f"S of {len(ranked)} pairs: {found.backend}", loc="left")
    return ax


def chip_canvas(found: ChipMap) -> Canvas:
    """Return the whole picture: the chip, S in order, and cross-talk where it was measured."""
    with gallery():
        width, height = _size(found)
        rows = 3 if found.mode == "both" else 2
        figure = canvas(max(width, 6.4), height * (rows - 1) + 2.6)
        ratios = [height] * (rows - 1) + [2.6]
        axes = figure.subplots(rows, 1, height_ratios=ratios)
        plot_chip(found, axes[0])
        if found.mode == "both":
            plot_crosstalk(found, axes[1])
        plot_chip_values(found, axes[-1])
        return figure


def _size(found: ChipMap) -> tuple[float, float]:
    places = _places(found)
    across, down = np.ptp(places, axis=0) if len(places) else (1.0, 1.0)
    return (
        float(min(11.0, max(4.8, 1.6 + _PER_UNIT * across))),
        float(min(9.0, max(2.4, 1.1 + _PER_UNIT * down))),
    )


def _places(found: ChipMap) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array(list(_at(found).values()), dtype=np.float64)


def _at(found: ChipMap) -> dict[int, tuple[float, float]]:
    """Where qubits are; those of a chip without a layout stand in a circle."""
    if found.positions:
        return dict(found.positions)
    used = sorted({q for pair in found.pairs for q in pair.qubits})
    turn = 2 * np.pi / len(used)
    radius = len(used) / 4
    return {
        q: (radius * float(np.cos(i * turn)), radius * float(np.sin(i * turn)))
        for i, q in enumerate(used)
    }


def _lines(
    found: ChipMap,
    ax: Axes,
    values: list[float],
    limits: tuple[float, float],
    colours: str,
    kinds: list[str],
) -> ScalarMappable:
    at = _at(found)
    mapped = ScalarMappable(Normalize(*limits), colours)
    mapped.cmap = mapped.cmap.with_extremes(under="#BBBBBB")
    drawn = mapped.to_rgba(np.asarray(values))
    ends = [(at[pair.qubits[0]], at[pair.qubits[1]]) for pair in found.pairs]
    ax.add_collection(
        LineCollection(ends, colors=drawn, linewidths=_WIDE, capstyle="butt", zorder=2)
    )
    hollow = [line for line, kind in zip(ends, kinds, strict=True) if kind == "not"]
    ax.add_collection(
        LineCollection(hollow, colors="white", linewidths=_HOLLOW, capstyle="butt", zorder=2.1)
    )
    crossed = np.array(
        [np.mean(line, axis=0) for line, kind in zip(ends, kinds, strict=True) if kind == "signals"]
    ).reshape(-1, 2)
    ax.plot(*crossed.T, ls="", marker="x", ms=6, mew=1.8, color=VERMILLION, zorder=5, gid="signals")
    places = _places(found)
    ax.scatter(
        places[:, 0], places[:, 1], s=62, color="white", edgecolor=GREY, linewidth=0.7, zorder=3
    )
    for q, (x, y) in at.items():
        ax.text(x, y, str(q), ha="center", va="center", fontsize=4.4 if q < 100 else 3.6, zorder=4)
    ax.set_aspect("equal")
    ax.set_xlim(places[:, 0].min() - 0.8, places[:, 0].max() + 0.8)
    ax.set_ylim(places[:, 1].max() + 0.8, places[:, 1].min() - 0.8)
    ax.axis("off")
    return mapped


def _kind(pair: PairScore) -> str:
    return "signals" if pair.signals else "violates" if pair.violates else "not"


def _legend(ax: Axes, kinds: list[str], words: dict[str, str]) -> None:
    """Say what the lines mean, of the kinds that are there."""
    handles = {
        "violates": (Line2D([], [], color=GREY, lw=_WIDE),),
        "not": (Line2D([], [], color=GREY, lw=_WIDE), Line2D([], [], color="white", lw=_HOLLOW)),
        "signals": (
            Line2D([], [], color=GREY, lw=_WIDE),
            Line2D([], [], ls="", marker="x", ms=6, mew=1.8, color=VERMILLION),
        ),
    }
    there = [kind for kind in words if kind in set(kinds)]
    ax.legend(
        [handles[kind] for kind in there],
        [words[kind] for kind in there],
        loc="upper left",
        bbox_to_anchor=(0, -0.01),
        ncols=3,
    )
