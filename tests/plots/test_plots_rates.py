"""The picture of key rates."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from ebit.analysis.key_rate_curves import RateCurves
from ebit.games import ArgumentError
from ebit.plots.rates import plot_rates, save_rate_figure


def curves(*, log_y: bool = False, here: float | None = 2.0) -> RateCurves:
    names = ("endless run", "1,000 signals", "repeaterless bound")
    rows = ((3.0, 2.0, 0.0), (1.0, 0.0, 0.0), (0.0, 5.0, 4.0))
    return RateCurves("a link", "km", "bits", (1.0, 2.0, 3.0), False, log_y, names, rows, here)


def test_lines_end_where_there_is_no_key() -> None:
    ax = plot_rates(curves())
    lines = [line for line in ax.lines if line.get_gid() in ("rate", "bound")]
    assert [list(line.get_xdata()) for line in lines] == [[1.0, 2.0], [1.0], [2.0, 3.0]]
    assert [line.get_gid() for line in lines] == ["rate", "rate", "bound"]
    assert len({line.get_color() for line in lines}) == 3
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(curves().names)
    assert ax.get_ylim()[0] == 0
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("km", "bits")


def test_the_point_that_was_asked_for() -> None:
    marked = [line for line in plot_rates(curves()).lines if line.get_gid() == "here"]
    assert [line.get_xdata()[0] for line in marked] == [2.0]
    assert not [line for line in plot_rates(curves(here=None)).lines if line.get_gid() == "here"]


def test_scales() -> None:
    assert plot_rates(curves(log_y=True)).get_yscale() == "log"
    nothing = RateCurves("t", "km", "bits", (1.0, 2.0), True, True, ("a",), ((0.0, 0.0),), None)
    ax = plot_rates(nothing)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")


def test_axes_of_ones_own() -> None:
    ax = Figure().add_subplot()
    assert plot_rates(curves(), ax) is ax


def test_files(tmp_path: Path) -> None:
    paths = save_rate_figure(curves(), tmp_path / "new")
    assert [path.name for path in paths] == ["rates.png", "rates.svg"]
    assert paths[0].read_bytes().startswith(b"\x89PNG")
    before = paths[1].read_bytes()
    assert save_rate_figure(curves(), tmp_path / "new")[1].read_bytes() == before
    (tmp_path / "file").write_text("")
    with pytest.raises(ArgumentError):
        save_rate_figure(curves(), tmp_path / "file")
