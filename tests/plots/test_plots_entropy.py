"""The picture of bits per round against rounds."""

from __future__ import annotations

from matplotlib.figure import Figure

from ebit.analysis.entropy_plan import EntropyCurves
from ebit.plots.entropy import plot_entropy_rounds

QUANTUM, CLASSICAL = "quantum side information", "classical side information"


def curves(*adversaries: str) -> EntropyCurves:
    rates = ((0.0, 0.2, 0.5), (0.1, 0.4, 0.6), (0.0, 0.0, 0.0))
    names = ("geat", "renyi", "none")
    return EntropyCurves(2.6, 1e-9, (1000, 10_000, 100_000), names, adversaries, rates)


def test_lines_are_the_rates_that_are_positive() -> None:
    ax = plot_entropy_rounds(curves(QUANTUM, QUANTUM, QUANTUM))
    first, second, third = ax.lines
    assert list(first.get_xdata()) == [10_000, 100_000]
    assert list(second.get_ydata()) == [0.1, 0.4, 0.6]
    assert list(third.get_xdata()) == []
    assert ax.get_xscale() == "log"
    assert ax.get_ylim()[0] == 0
    assert "2.6" in ax.get_title(loc="left")
    assert len({line.get_linestyle() + line.get_color() for line in ax.lines}) == 3


def test_legend_states_the_adversary() -> None:
    same = plot_entropy_rounds(curves(QUANTUM, QUANTUM, QUANTUM)).get_legend()
    assert same.get_title().get_text() == f"against {QUANTUM}"
    assert [text.get_text() for text in same.get_texts()] == ["geat", "renyi", "none"]
    mixed = plot_entropy_rounds(curves(QUANTUM, CLASSICAL, QUANTUM)).get_legend()
    assert mixed.get_texts()[1].get_text() == f"renyi: {CLASSICAL}"


def test_axes_of_ones_own() -> None:
    ax = Figure().add_subplot()
    assert plot_entropy_rounds(curves(QUANTUM, QUANTUM, QUANTUM), ax) is ax
