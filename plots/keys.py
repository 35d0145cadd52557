"""A run for a key: where its rounds went, and what an eavesdropper's presence does to the errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.ticker import MaxNLocator

from ebit.plots.style import BLUE, GREY, ORANGE, VERMILLION, canvas, gallery, ink, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_key_budget", "plot_key_errors"]


def plot_key_budget(result: Any, ax: Axes | None = None) -> Axes:
    """Draw how many rounds or bits were left after each step.

    Args:
        result: a `ebit.protocols.key_result.KeyResult`, with a key or without.
        ax: where to draw.

    Returns:
        The axes.
    """
    if ax is None:
        with gallery():
            axes: Axes = canvas(5.6, 3.0).add_subplot()
            return plot_key_budget(result, axes)
    steps = [
        ("signals sent", result.rounds, GREY),
        ("bases agree", result.sifted, GREY),
        ("kept for the key", result.raw_bits, BLUE),
        ("key", result.key_bits, BLUE),
        ("key, net of authentication", max(0, result.net_key_bits), BLUE),
    ]
    names = [name for name, _, _ in steps]
    for row, (_, count, colour) in enumerate(steps):
        if count > 0:
            ax.barh(row, count, color=colour, height=0.62, gid="step")
        told = f"{count:,}" if count > 0 else "none"
        at = max(count, 0) + 0.015 * result.rounds
        ax.text(at, row, told, va="center", fontsize=9, color=ink(colour))
    ax.set_yticks(range(len(steps)), names)
    ax.set_ylim(len(steps) - 0.5, -0.5)
    ax.set_xlim(0, 1.22 * result.rounds)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
    ax.set_xlabel("rounds or bits")
    ax.tick_params(axis="y", length=0)
    ax.set_title(plain(result.title, 60), loc="left")
    return ax


def plot_key_errors(results: Sequence[Any], ax: Axes | None = None) -> Axes:
    """Draw the error rate of every announced basis, a group of bars for each run, and the limit.

    Args:
        results: runs of one protocol, such as one without and one with an eavesdropper.
        ax: where to draw.

    Returns:
        The axes.
    """
    if ax is None:
        with gallery():
            axes: Axes = canvas(5.6, 3.0).add_subplot()
            return plot_key_errors(results, axes)
    bases = list(dict.fromkeys(name for result in results for name in result.qbers))
    colours = (BLUE, VERMILLION, ORANGE, GREY)
    width = 0.8 / max(1, len(results))
    limits = [100 * r.tolerated for r in results if r.tolerated is not None]
    limit = max(limits, default=0.0)
    for k, result in enumerate(results):
        at = [i - 0.4 + (k + 0.5) * width for i in range(len(bases))]
        heights = [100 * result.qbers.get(name, 0.0) for name in bases]
        label = "nobody listens" if result.attack is None else result.attack
        ax.bar(at, heights, 0.92 * width, color=colours[k % 4], label=plain(label, 32), gid="error")
        for x, height in zip(at, heights, strict=True):
            ax.annotate(
                f"{height:.1f}",
                (x, limit if height < limit else height),
                (0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=8.5,
                color=ink(colours[k % 4]),
            )
    if limits:
        ax.axhline(limit, color=GREY, ls=(0, (4, 2)), lw=1.2, gid="limit")
        ax.annotate(
            f"tolerated:\n{limit:.2f} %",
            (len(bases) - 0.52, limit),
            (0, 4),
            textcoords="offset points",
            fontsize=8.5,
            color=GREY,
        )
        ax.set_xlim(-0.5, len(bases) - 0.1)
    highest = max([100 * q for r in results for q in r.qbers.values()] + [limit, 1.0])
    ax.set_ylim(0, 1.35 * highest)
    ax.set_xticks(range(len(bases)), [f"basis {name}" for name in bases])
    ax.set_ylabel("errors in %")
    ax.legend(loc="upper left", ncols=2)
    ax.set_title("Errors of the rounds that were announced", loc="left")
    return ax
