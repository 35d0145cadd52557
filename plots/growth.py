"""The evidence as it grows; where it has no path, what it comes to and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ebit.plots.style import (
    BLUE,
    GREEN,
    GREY,
    VERMILLION,
    Line,
    canvas,
    clipped,
    gallery,
    ink,
    label_lines,
    number_ticks,
    room_for,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ebit.analysis import Score
    from ebit.analysis.evidence import EvidencePath
    from ebit.analysis.results import Evidence

__all__ = ["plot_evidence"]

_REFUSED = ("signalling", "fault")


def plot_evidence(score: Score, ax: Axes | None = None) -> Axes:
    r"""Draw how the evidence against the null grew, round by round.

    Lines mark :math:`e = 1/\alpha` at the two levels of the score (100 and a million): under the
    null, a path ever reaches them with probability at most alpha. Where the path is withheld,
    the reason is written and the evidence of the whole is drawn: log10 e, or -log10 p.

    Args:
        score: any score.
        ax: where to draw.

    Returns:
        The axes.
    """
    if ax is None:
        with gallery():
            axes: Axes = canvas().add_subplot()
            return plot_evidence(score, axes)
    if score.path is None:
        return _totals(score, ax)
    return _path(score, score.path, ax)


def _path(score: Score, path: EvidencePath, ax: Axes) -> Axes:
    rounds, grown = np.asarray(path.rounds), np.asarray(path.log10_e, dtype=np.float64)
    ax.plot(rounds, grown, color=BLUE, lw=1.6, zorder=3, gid="path")
    ax.plot(rounds[-1:], grown[-1:], ls="", marker="o", ms=5, color=BLUE, zorder=4)
    ax.axhline(0, color=GREY, lw=0.6, zorder=1)
    levels = [-np.log10(level) for level in score.level]
    ax.set_ylim(*room_for([0.0, *grown, *levels], share=0.07))
    label_lines(ax, _levels(score), apart=0.07)
    ax.set_xlim(0, float(rounds[-1]) * 1.02 if rounds.size else 1)
    number_ticks(ax.xaxis, whole=True)
    number_ticks(ax.yaxis)
    ax.set_xlabel("rounds")
    ax.set_ylabel(r"evidence, $\log_{10} e$")
    ax.set_title(_title(score, grown), loc="left")
    return ax


def _title(score: Score, grown: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    if score.status in _REFUSED:
        return f"Evidence without a verdict: {score.status}"
    if not grown.size:
        return "Evidence"
    digits = 1 if abs(grown[-1]) < 1000 else 0
    return f"Evidence: $e = 10^{{{grown[-1]:.{digits}f}}}$ at the end"


def _levels(score: Score) -> list[Line]:
    note, strong = score.level
    return [
        (float(-np.log10(note)), f"e = {_power(1 / note)}", (0, (4, 2)), GREY),
        (float(-np.log10(strong)), f"e = {_power(1 / strong)}", (0, (4, 1.5, 1, 1.5)), VERMILLION),
    ]


def _power(value: float) -> str:
    exponent = float(np.log10(value))
    return (
        f"$10^{{{round(exponent)}}}$" if abs(exponent - round(exponent)) < 1e-9 else f"{value:.3g}"
    )


def _totals(score: Score, ax: Axes) -> Axes:
    """Draw the statistics of the whole, the withheld ones by name only."""
    rows = sorted(score.evidence, key=lambda evidence: not evidence.valid)
    given = [
        e.log10 * (1 if e.kind == "e" else -1) for e in rows if e.valid and e.log10 is not None
    ]
    levels = _levels(score)
    low, high = room_for([0.0, *given, *(line[0] for line in levels)], share=0.07)
    ax.set_xlim(low, high)
    close = abs(levels[1][0] - levels[0][0]) < 0.1 * (high - low)
    for (value, text, style, colour), side in zip(levels, ("right", "left"), strict=True):
        ax.axvline(value, ls=style, color=colour, lw=1.3, zorder=1)
        ax.annotate(
            text.replace("e = ", ""),
            xy=(value, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2),
            textcoords="offset points",
            ha=side if close else "center",
            va="bottom",
            fontsize=8.5,
            color=ink(colour),
        )
    for row, evidence in enumerate(rows):
        _total(evidence, row, ax)
    ax.set_ylim(max(len(rows), 3) - 0.4, -0.7)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    number_ticks(ax.xaxis)
    ax.set_xlabel(r"evidence, $\log_{10} e$ or $-\log_{10} p$")
    ax.set_title(wrapped(f"No path: {_why(score)}", 46, lines=4), loc="left", pad=18)
    return ax


def _total(evidence: Evidence, row: int, ax: Axes) -> None:
    known = evidence.valid and evidence.log10 is not None
    ax.text(
        0.01,
        row - 0.16,
        evidence.name if known else f"{evidence.name}: withheld",
        transform=ax.get_yaxis_transform(),
        va="bottom",
        fontsize=9,
        style="normal" if known else "italic",
        color="black" if known else GREY,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        zorder=2.5,
    )
    if evidence.log10 is None or not known:
        return
    value = evidence.log10 if evidence.kind == "e" else -evidence.log10
    marker, colour = ("o", BLUE) if evidence.kind == "e" else ("s", GREEN)
    ax.plot([0, value], [row, row], color=colour, lw=1.2, zorder=3)
    ax.plot([value], [row], ls="", marker=marker, ms=6, color=colour, gid="total")


def _why(score: Score) -> str:
    if "path" in score.withheld:
        return score.withheld["path"]
    if score.order == "unknown":
        return "the order of the rounds is not known"
    reasons = [e.reason for e in score.evidence if e.kind == "e" and not e.valid and e.reason]
    return clipped(reasons[0], 200) if reasons else "no evidence grows round by round here"
