"""How pictures look: colours that colour-blind eyes tell apart, sizes legible in a column."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from textwrap import fill
from typing import TYPE_CHECKING, Any, TypeVar

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import Formatter, MaxNLocator

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

    from ebit.analysis import Score
    from ebit.analysis.intervals import Interval

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "VERMILLION",
    "Canvas",
    "Line",
    "canvas",
    "clipped",
    "draw_points",
    "figure_of",
    "gallery",
    "ink",
    "label_lines",
    "legend_above",
    "level_text",
    "name_places",
    "number_ticks",
    "picture_bytes",
    "plain",
    "room_for",
    "title_of",
    "wrapped",
]

# M. Okabe, K. Ito, "Color Universal Design" (2008).
BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
GREY = "#555555"
_INK = {VERMILLION: "#A34500"}  # letters need more contrast than lines

_WIDTH, _HEIGHT = 4.8, 3.0  # inches; at a column of 3.4 inches the text still has 7 points
_DPI = 200
_STYLE: dict[str, Any] = {
    "font.size": 10,
    "axes.labelsize": 10,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "svg.fonttype": "path",
    "svg.hashsalt": "ebit",
}
_CHOSEN_BY_USER = (
    "backend",
    "interactive",
    "toolbar",
    "backend_fallback",
    "webagg",
    "tk.",
    "keymap",
)
_MATH = str.maketrans({"$": r"\$"})

_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_NAMED = 24  # more places than this are numbered, not named

# (height in data units, text, line style, colour)
Line = tuple[float, str, Any, str]


class Canvas(Figure):  # type: ignore[misc, unused-ignore]
    """A figure without pyplot, so that nothing stays open; notebooks show it as it is."""

    def _repr_png_(self) -> bytes:
        return picture_bytes(self)


@contextmanager
def gallery() -> Iterator[None]:
    """Draw in the house style, whatever the user's own style is."""
    own = {
        key: value
        for key, value in matplotlib.rcParamsDefault.items()
        if not key.startswith(_CHOSEN_BY_USER)
    }
    with matplotlib.rc_context({**own, **_STYLE}):
        yield


_F = TypeVar("_F", bound=Callable[..., Any])


def canvas(width: float = _WIDTH, height: float = _HEIGHT) -> Canvas:
    """Return an empty figure that lays itself out."""
    layout = ConstrainedLayoutEngine(w_pad=0.07, h_pad=0.07, wspace=0.04)
    return Canvas(figsize=(width, height), layout=layout)


def ink(colour: str) -> str:
    """Return the colour for letters that belong to a line of this colour."""
    return _INK.get(colour, colour)


def figure_of(ax: Axes) -> Figure:
    """Return the whole figure that axes are part of."""
    figure = ax.figure
    return figure if isinstance(figure, Figure) else figure.figure


def picture_bytes(figure: Figure, kind: str = "png") -> bytes:
    """Return a figure as the bytes of a PNG or SVG file, the same bytes for the same figure."""
    buffer = io.BytesIO()
    stamp: dict[str, Any] = {"Date": None} if kind == "svg" else {"Software": None}
    with gallery():
        figure.savefig(buffer, format=kind, dpi=_DPI, metadata=stamp, facecolor="white")
    return buffer.getvalue()


def draw_points(
    ax: Axes,
    x: Sequence[float],
    values: Sequence[float],
    intervals: Sequence[Interval],
    *,
    label: str | None = None,
    colour: str = BLUE,
    marker: str = "o",
    horizontal: bool = False,
) -> None:
    """Draw values with their intervals, ends exactly where the intervals end."""
    many = len(values) > 40
    size = 2.5 if many else 5
    lows = [interval.low for interval in intervals]
    highs = [interval.high for interval in intervals]
    lines = ax.hlines if horizontal else ax.vlines
    bars = lines(
        x, lows, highs, colors=colour, lw=0.8 if many else 1.4, alpha=0.3 if many else 1, zorder=3
    )
    bars.set_gid("intervals")
    if not many:
        for ends in (lows, highs):
            across, along = (ends, x) if horizontal else (x, ends)
            cap = "|" if horizontal else "_"
            ax.plot(across, along, ls="", marker=cap, ms=8, color=colour, zorder=3, gid="caps")
    across, along = (values, x) if horizontal else (x, values)
    ax.plot(
        across,
        along,
        ls="",
        marker=marker,
        ms=size,
        color=colour,
        mew=0,
        zorder=4,
        label=label,
        gid="values",
    )


def label_lines(ax: Axes, lines: Sequence[Line], *, apart: float = 0.1) -> None:
    """Draw horizontal lines across the axes, each named at its right end without overlap.

    Call it when the limits of the axes are final.
    """
    low, high = ax.get_ylim()
    order = sorted(lines, key=lambda line: line[0])
    close = [(order[i + 1][0] - order[i][0]) < apart * (high - low) for i in range(len(order) - 1)]
    for i, (value, text, style, colour) in enumerate(order):
        ax.axhline(value, ls=style, color=colour, lw=1.3, zorder=2)
        below = i > 0 and close[i - 1]
        above = i < len(close) and close[i]
        ax.annotate(
            text,
            xy=(1, value),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="bottom" if below else "top" if above else "center",
            ha="left",
            fontsize=8.5,
            color=ink(colour),
            annotation_clip=False,
        )


def room_for(values: Sequence[float], *, share: float = 0.12) -> tuple[float, float]:
    """Return limits that hold all finite values with a margin."""
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    margin = share * (high - low) or 0.1 * max(abs(high), 1.0)
    return low - margin, high + margin


class _Short(Formatter):
    """Ticks in one unit: 0, 20k, 40k."""

    def __call__(self, value: float, pos: int | None = None) -> str:
        del pos
        return self.format_ticks([value])[0]

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        largest = max((abs(float(value)) for value in values), default=0.0)
        unit, letter = next(
            (pair for pair in _UNITS if largest >= max(pair[0], 1e4)),
            (1.0, ""),
        )
        shown = [f"{value / unit:g}{letter}" if value else "0" for value in values]
        return [text.replace("-", "\N{MINUS SIGN}") for text in shown]


def legend_above(ax: Axes) -> None:
    """Put the legend between title and axes, where no data can be; titles need ``pad=20``."""
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(-0.03, 0.98),
        ncols=3,
        borderaxespad=0.2,
        handlelength=1.4,
        handletextpad=0.5,
        columnspacing=1.0,
    )


def number_ticks(axis: Axis, *, whole: bool = False) -> None:
    """Write large numbers on an axis as 20k or 5M; whole numbers only, if so asked."""
    axis.set_major_locator(MaxNLocator(nbins=6, integer=whole, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(_Short())


def level_text(intervals: Sequence[Interval]) -> str:
    """Name the level of intervals that share one, such as "95 % interval"."""
    levels = sorted({interval.level for interval in intervals})
    return f"{levels[0] * 100:g} % interval" if len(levels) == 1 else "interval"


def clipped(text: str, length: int) -> str:
    """Cut a text that is too long for its place."""
    return text if len(text) <= length else text[: length - 3].rstrip() + "..."


def wrapped(text: str, width: int, *, lines: int = 6) -> str:
    """Break a sentence into lines, safe from being read as mathematics."""
    return fill(clipped(text, width * lines), width).translate(_MATH)


def plain(text: str, length: int) -> str:
    """Return a text as one line that is not read as mathematics."""
    return clipped(text, length).translate(_MATH)


def name_places(ax: Axes, names: Sequence[str], what: str) -> None:
    """Name the places 0, 1, 2... along the x axis; number them where they are too many."""
    count, longest = len(names), max(map(len, names), default=0)
    ax.set_xlim(-0.6, count - 0.4)
    if count > _NAMED:
        ax.set_xlabel(f"{what} (number)")
        return
    ax.set_xlabel(what)
    shown = [plain(name, 32) for name in names]
    if count <= 6 and longest <= 24:
        ax.set_xticks(range(count), [name.replace(", ", "\n") for name in shown])
    elif count * longest <= 26:
        ax.set_xticks(range(count), shown)
    else:
        ax.set_xticks(range(count), shown, rotation=90, fontsize=8.5 if count <= 12 else 7.5)
    ax.tick_params(axis="x", length=0)


def title_of(score: Score) -> str:
    """Name the game, the place and the status, in that order and briefly."""
    place = f" on {clipped(score.run.backend, 28)}" if score.run else ""
    status = {
        "signalling": "signalling, no verdict",
        "fault": "fault of the data, no verdict",
    }.get(score.status, score.status)
    return plain(f"{score.game}{place}: {status}", 64)
