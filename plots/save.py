"""Pictures as files, each written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ebit.games import write_whole
from ebit.plots.chip import chip_canvas
from ebit.plots.correlators import score_canvas
from ebit.plots.entropy import plot_entropy_rounds
from ebit.plots.fringe import plot_fringe
from ebit.plots.growth import plot_evidence
from ebit.plots.state import plot_state
from ebit.plots.style import figure_of, picture_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ebit.analysis import Score
    from ebit.analysis.chip_result import ChipMap
    from ebit.analysis.entropy_plan import EntropyCurves
    from ebit.analysis.fringe import FringeScore
    from ebit.analysis.state_result import StateScore

__all__ = [
    "save_chip_figures",
    "save_entropy_figure",
    "save_fringe_figure",
    "save_score_figures",
    "save_state_figure",
]


def save_score_figures(score: Score, folder: str | Path) -> tuple[Path, ...]:
    """Write correlators.png, correlators.svg and evidence.png into a folder.

    All are drawn before the first is written.

    Args:
        score: any score.
        folder: made if it is missing.

    Returns:
        The paths written.

    Raises:
        ArgumentError: the folder cannot be written.
    """
    values, evidence = score_canvas(score), figure_of(plot_evidence(score))
    return _save(
        folder,
        (("correlators.png", values), ("correlators.svg", values), ("evidence.png", evidence)),
    )


def save_fringe_figure(fringe: FringeScore, folder: str | Path) -> tuple[Path, ...]:
    """Write fringe.png and fringe.svg into a folder; see `save_score_figures`."""
    figure = figure_of(plot_fringe(fringe))
    return _save(folder, (("fringe.png", figure), ("fringe.svg", figure)))


def save_entropy_figure(curves: EntropyCurves, folder: str | Path) -> tuple[Path, ...]:
    """Write entropy.png and entropy.svg into a folder; see `save_score_figures`."""
    figure = figure_of(plot_entropy_rounds(curves))
    return _save(folder, (("entropy.png", figure), ("entropy.svg", figure)))


def save_chip_figures(found: ChipMap, folder: str | Path) -> tuple[Path, ...]:
    """Write chip.png and chip.svg into a folder; see `save_score_figures`."""
    figure = chip_canvas(found)
    return _save(folder, (("chip.png", figure), ("chip.svg", figure)))


def save_state_figure(score: StateScore, folder: str | Path) -> tuple[Path, ...]:
    """Write state.png and state.svg into a folder; see `save_score_figures`."""
    figure = figure_of(plot_state(score))
    return _save(folder, (("state.png", figure), ("state.svg", figure)))


def _save(folder: str | Path, pictures: tuple[tuple[str, Figure], ...]) -> tuple[Path, ...]:
    drawn = [(Path(folder) / name, picture_bytes(fig, name[-3:])) for name, fig in pictures]
    return tuple(write_whole(path, content) for path, content in drawn)
