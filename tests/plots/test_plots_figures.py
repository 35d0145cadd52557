"""What is drawn is what the scores hold, for every status, and no text covers another."""

import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from math import sqrt

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import ebit.plots as plots
from ebit.analysis import EvidencePath, Score
from ebit.analysis.fringe import FringeScore
from ebit.analysis.state_result import StateScore
from ebit.plots.style import BLUE, GREY, VERMILLION, figure_of


def by_gid(ax: Axes, gid: str) -> list:
    return [artist for artist in ax.get_children() if artist.get_gid() == gid]


def drawn_values(ax: Axes) -> tuple[np.ndarray, np.ndarray]:
    (line,) = by_gid(ax, "values")
    return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())


def drawn_spans(ax: Axes) -> np.ndarray:
    (bars,) = by_gid(ax, "intervals")
    return np.array([[segment[0, 1], segment[1, 1]] for segment in bars.get_segments()])


def texts_of(figure: Figure) -> list[str]:
    return [t.get_text() for t in figure.findobj(mpl.text.Text) if t.get_text() and t.get_visible()]


def boxes(figure: Figure) -> list:
    """The places of all texts that are seen."""
    figure.draw_without_rendering()
    renderer = figure._get_renderer()
    found = []
    for ax in figure.axes:
        texts = [*ax.texts, ax.title, ax._left_title, ax.xaxis.label, ax.yaxis.label]
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
            texts += [label for place, label in ticks if low <= place <= high]
        legend = ax.get_legend()
        texts += legend.get_texts() if legend else []
        found += [(t.get_text(), t.get_window_extent(renderer)) for t in texts if t.get_text()]
    return found + [(t.get_text(), t.get_window_extent(renderer)) for t in figure.texts]


def covers(one, other) -> bool:
    # Boxes of letters have a margin of about a pixel.
    return (
        min(one.x1, other.x1) - max(one.x0, other.x0) > 1.5
        and min(one.y1, other.y1) - max(one.y0, other.y0) > 1.5
    )


def check_readable(figure: Figure) -> None:
    found = boxes(figure)
    for (a, first), (b, second) in combinations(found, 2):
        assert not covers(first, second), f"{a!r} covers {b!r}"
    for text, box in found:
        assert box.x0 >= -1, text
        assert box.y0 >= -1, text
        assert box.x1 <= figure.bbox.x1 + 1, text
        assert box.y1 <= figure.bbox.y1 + 1, text


def test_importing_the_room_does_not_import_matplotlib() -> None:
    code = "import sys, ebit.plots; print('matplotlib' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_the_room_lists_what_it_has() -> None:
    for name in plots.__all__:
        assert callable(getattr(plots, name))
    with pytest.raises(AttributeError, match="plot_nothing"):
        _ = plots.plot_nothing


def test_no_pyplot(scores: dict[str, Score]) -> None:
    plots.plot_summary(scores["violation"])
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()


def test_correlators_are_the_scores(any_score: Score) -> None:
    ax = plots.plot_correlators(any_score)
    assert ax.get_ylabel()
    if not any_score.correlators:
        assert ax.get_ylabel().startswith("win rate (95 %")
        assert drawn_values(ax)[1].tolist() == [any_score.win_rate]
        return
    x, y = drawn_values(ax)
    assert x.tolist() == list(range(len(any_score.correlators)))
    assert y.tolist() == [c.value for c in any_score.correlators]
    spans = [[c.interval.low, c.interval.high] for c in any_score.correlators]
    assert drawn_spans(ax).tolist() == spans
    low, high = ax.get_ylim()
    assert low < -1 < 1 < high


def test_all_pictures_are_readable(any_score: Score) -> None:
    for figure in (
        figure_of(plots.plot_correlators(any_score)),
        figure_of(plots.plot_value(any_score)),
        figure_of(plots.plot_evidence(any_score)),
        plots.plot_summary(any_score),
    ):
        check_readable(figure)


def test_the_bounds_of_chsh(scores: dict[str, Score]) -> None:
    """S = 2 asks 1/2 of each correlator on average, Tsirelson's bound 1/sqrt 2; signs + + + -."""
    ax = plots.plot_correlators(scores["violation"])
    for gid, height in (("local", 1 / 2), ("quantum", 1 / sqrt(2))):
        (marks,) = by_gid(ax, gid)
        drawn = [segment[0, 1] for segment in marks.get_segments()]
        np.testing.assert_allclose(drawn, [height, height, height, -height])
    right = figure_of(ax).axes[1]
    lines = {round(float(line.get_ydata()[0]), 6) for line in right.lines if line.get_gid() is None}
    assert lines == {2.0, round(2 * sqrt(2), 6)}


def test_marks_follow_the_convention(scores: dict[str, Score]) -> None:
    found = scores["twelve questions"]
    (marks,) = by_gid(plots.plot_correlators(found), "local")
    # Chained CHSH, m = 6: local bound 2m - 2 = 10 over 12 questions.
    drawn = [segment[0, 1] for segment in marks.get_segments()]
    np.testing.assert_allclose(drawn, np.array(found.convention.signs) * 10 / 12)


def test_value_panel(scores: dict[str, Score]) -> None:
    found = scores["violation"]
    ax = plots.plot_value(found)
    assert drawn_values(ax)[1].tolist() == [found.S]
    assert found.S_interval is not None
    assert drawn_spans(ax).tolist() == [[found.S_interval.low, found.S_interval.high]]
    assert ax.get_ylabel() == "S (95 % interval)"
    assert any("quantum" in text for text in texts_of(figure_of(ax)))


def test_given_axes_are_used(
    scores: dict[str, Score], state: StateScore, fringe: FringeScore
) -> None:
    figure = Figure()
    axes = figure.subplots(1, 6)
    found = scores["violation"]
    assert plots.plot_correlators(found, axes[0]) is axes[0]
    assert plots.plot_value(found, axes[1]) is axes[1]
    assert plots.plot_evidence(found, axes[2]) is axes[2]
    assert plots.plot_fringe(fringe, axes[3]) is axes[3]
    assert plots.plot_state(state, axes[4]) is axes[4]
    assert plots.plot_fidelity(state, axes[5]) is axes[5]
    assert len(figure.axes) == 6
    assert plots.plot_evidence(scores["counts"], Figure().add_subplot()).get_title(loc="left")


def test_the_path_is_the_scores(scores: dict[str, Score]) -> None:
    found = scores["violation"]
    ax = plots.plot_evidence(found)
    (line,) = by_gid(ax, "path")
    assert found.path is not None
    np.testing.assert_array_equal(line.get_xdata(), found.path.rounds)
    np.testing.assert_array_equal(line.get_ydata(), found.path.log10_e)
    levels = {float(other.get_ydata()[0]) for other in ax.lines if other.get_gid() is None}
    assert {2.0, 6.0} <= levels
    assert ax.get_xlabel() == "rounds"
    assert "log" in ax.get_ylabel()


def test_levels_stay_in_sight(scores: dict[str, Score]) -> None:
    low_path = EvidencePath(np.array([1, 10]), np.array([-0.1, -0.4]))
    low, high = plots.plot_evidence(replace(scores["violation"], path=low_path)).get_ylim()
    assert low < -0.4
    assert high > 6


@pytest.mark.parametrize("status", ["signalling", "fault"])
def test_a_refused_verdict_is_said(scores: dict[str, Score], status: str) -> None:
    found = scores[status]
    assert "no verdict" in plots.plot_correlators(found).get_title(loc="left")
    assert "without a verdict" in plots.plot_evidence(found).get_title(loc="left")


def test_a_withheld_path_says_why(scores: dict[str, Score]) -> None:
    ax = plots.plot_evidence(scores["counts"])
    assert "the order of the rounds is not known" in " ".join(texts_of(figure_of(ax))).replace(
        "\n", " "
    )
    given = [e for e in scores["counts"].evidence if e.valid]
    assert [float(line.get_xdata()[0]) for line in by_gid(ax, "total")] == [
        e.log10 if e.kind == "e" else -e.log10 for e in given if e.log10 is not None
    ]
    shown = " ".join(texts_of(figure_of(ax)))
    for evidence in scores["counts"].evidence:
        assert (f"{evidence.name}: withheld" in shown) is not evidence.valid
    ordered = replace(scores["withheld"], order="known")
    title = plots.plot_evidence(ordered).get_title(loc="left")
    assert r"a \$reason\$" in title


def test_numbers_instead_of_many_names(scores: dict[str, Score]) -> None:
    assert "number" in plots.plot_correlators(scores["many questions"]).get_xlabel()
    ax = plots.plot_correlators(scores["twelve questions"])
    assert len(ax.get_xticks()) == 12


def test_bounds_differ_without_colour(scores: dict[str, Score]) -> None:
    ax = plots.plot_value(scores["violation"])
    styles = {line.get_linestyle() for line in ax.lines if line.get_gid() is None}
    assert len(styles) == 2
    levels = plots.plot_evidence(scores["violation"])
    dashes = {
        str(line._unscaled_dash_pattern)
        for line in levels.lines
        if line.get_color() in (GREY, VERMILLION)
    }
    assert len(dashes) >= 2
    # Grey value of Okabe and Ito's blue and vermillion differ from white, and from one another's.
    grey = [np.dot(mpl.colors.to_rgb(c), (0.299, 0.587, 0.114)) for c in (BLUE, VERMILLION)]
    assert max(grey) < 0.6


def test_fringe(fringe: FringeScore) -> None:
    ax = plots.plot_fringe(fringe)
    x, y = drawn_values(ax)
    np.testing.assert_allclose(x, np.degrees(fringe.angles))
    assert y.tolist() == [p.value for p in fringe.points]
    assert drawn_spans(ax).tolist() == [[p.interval.low, p.interval.high] for p in fringe.points]
    curves = {line.get_label(): line for line in ax.lines}
    # The ideal curve of phi+ with Alice at 0 is cos b.
    angle, ideal = (np.asarray(a) for a in curves["ideal"].get_data())
    np.testing.assert_allclose(ideal, np.cos(np.radians(angle)), atol=1e-12)
    np.testing.assert_allclose(curves["fit"].get_ydata(), fringe.fit(np.radians(angle)))
    assert "degrees" in ax.get_xlabel()
    check_readable(figure_of(ax))
    flat = replace(fringe, phase_shift=None)
    assert "ideal" not in {line.get_label() for line in plots.plot_fringe(flat).lines}


def test_state(state: StateScore) -> None:
    ax = plots.plot_state(state)
    x, y = drawn_values(ax)
    assert x.tolist() == [0, 1, 2]
    assert y.tolist() == [r.rate for r in state.rates]
    assert drawn_spans(ax).tolist() == [[r.interval.low, r.interval.high] for r in state.rates]
    right = figure_of(ax).axes[1]
    assert drawn_values(right)[1].tolist() == [state.fidelity]
    assert drawn_spans(right).tolist() == [[state.interval.low, state.interval.high]]
    lines = [float(line.get_ydata()[0]) for line in right.lines if line.get_gid() is None]
    assert lines == [t.value for t in state.thresholds]
    check_readable(figure_of(ax))


def test_thresholds_that_coincide_share_a_line(state: StateScore) -> None:
    first = state.thresholds[0]
    both = replace(state, thresholds=(first, replace(first, claim="genuine")))
    ax = plots.plot_fidelity(both)
    assert len([line for line in ax.lines if line.get_gid() is None]) == 1
    assert any("entangled" in t and "all 2 qubits" in t for t in texts_of(figure_of(ax)))


def test_the_users_style_does_not_spoil_own_figures(scores: dict[str, Score]) -> None:
    plain = plots.plot_evidence(scores["violation"])
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black", "text.color": "white"}):
        styled = plots.plot_evidence(scores["violation"])
        picture = figure_of(styled)._repr_png_()
    assert picture == figure_of(plain)._repr_png_()
