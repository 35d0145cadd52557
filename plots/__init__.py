"""Every picture and every HTML report; the only room that imports matplotlib, and on first use.

Functions take ``ax`` and return it; left out, they make a figure of their own (``ax.figure``),
which a notebook shows. They draw what scores hold and compute no statistics.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ebit.plots.chip import chip_canvas, plot_chip, plot_chip_values, plot_crosstalk
    from ebit.plots.correlators import plot_correlators, plot_value
    from ebit.plots.entropy import plot_entropy_rounds
    from ebit.plots.fringe import plot_fringe
    from ebit.plots.growth import plot_evidence
    from ebit.plots.health import (
        health_canvas,
        plot_estimates,
        plot_runs,
        plot_windows,
        save_health_figure,
    )
    from ebit.plots.keys import plot_key_budget, plot_key_errors
    from ebit.plots.rates import plot_rates, save_rate_figure
    from ebit.plots.report import Picture, Section, write_report
    from ebit.plots.save import (
        save_chip_figures,
        save_fringe_figure,
        save_score_figures,
        save_state_figure,
    )
    from ebit.plots.sections import (
        bell_section,
        chip_section,
        fringe_section,
        key_section,
        random_section,
        state_section,
    )
    from ebit.plots.state import plot_fidelity, plot_state
    from ebit.plots.summary import plot_summary

__all__ = [
    "Picture",
    "Section",
    "bell_section",
    "chip_canvas",
    "chip_section",
    "fringe_section",
    "health_canvas",
    "key_section",
    "plot_chip",
    "plot_chip_values",
    "plot_correlators",
    "plot_crosstalk",
    "plot_entropy_rounds",
    "plot_estimates",
    "plot_evidence",
    "plot_fidelity",
    "plot_fringe",
    "plot_key_budget",
    "plot_key_errors",
    "plot_rates",
    "plot_runs",
    "plot_state",
    "plot_summary",
    "plot_value",
    "plot_windows",
    "random_section",
    "save_chip_figures",
    "save_fringe_figure",
    "save_health_figure",
    "save_rate_figure",
    "save_score_figures",
    "save_state_figure",
    "state_section",
    "write_report",
]

_HOME = {
    "chip": ("chip_canvas", "plot_chip", "plot_chip_values", "plot_crosstalk"),
    "correlators": ("plot_correlators", "plot_value"),
    "entropy": ("plot_entropy_rounds",),
    "fringe": ("plot_fringe",),
    "growth": ("plot_evidence",),
    "health": (
        "health_canvas",
        "plot_estimates",
        "plot_runs",
        "plot_windows",
        "save_health_figure",
    ),
    "keys": ("plot_key_budget", "plot_key_errors"),
    "rates": ("plot_rates", "save_rate_figure"),
    "report": ("Picture", "Section", "write_report"),
    "save": ("save_chip_figures", "save_fringe_figure", "save_score_figures", "save_state_figure"),
    "sections": (
        "bell_section",
        "chip_section",
        "fringe_section",
        "key_section",
        "random_section",
        "state_section",
    ),
    "state": ("plot_fidelity", "plot_state"),
    "summary": ("plot_summary",),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
