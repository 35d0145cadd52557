"""Pictures of a run for a key, and its section of a report."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from matplotlib.figure import Figure

from ebit.plots.keys import plot_key_budget, plot_key_errors
from ebit.plots.sections import key_section
from ebit.protocols.key_result import KeyResult


@pytest.fixture
def made() -> KeyResult:
    return KeyResult(
        protocol="bb84",
        attack=None,
        rounds=10_000,
        sifted=5300,
        raw_bits=3800,
        test_bits=1200,
        qber=0.0065,
        qbers={"Z": 0.012, "X": 0.0065},
        tolerated=0.012,
        S=None,
        leak_bits=472,
        f=1.2,
        message_rounds=107,
        key_bits=1200,
        authentication_bits=256,
        keys_equal=True,
        aborted=False,
        reason="",
        epsilon=1e-10,
        theorem="tomamichel-2012",
        plan={},
        eve=None,
        secrecy="demonstration",
        randomness="pseudo (simulator)",
        separation="simulated",
        seconds=0.1,
        assumptions=("quantum theory",),
        not_given=("a secret <really>",),
    )


@pytest.fixture
def aborted(made: KeyResult) -> KeyResult:
    return replace(
        made,
        attack="intercept-resend:1",
        qber=0.25,
        qbers={"Z": 0.26, "X": 0.25},
        key_bits=0,
        authentication_bits=0,
        raw_bits=3800,
        keys_equal=None,
        aborted=True,
        reason="the error rate 25.00 % is above the tolerated 1.20 %",
    )


def bars(ax: object, gid: str) -> list[float]:
    patches = ax.patches  # type: ignore[attr-defined]
    return [
        p.get_width() if gid == "step" else p.get_height() for p in patches if p.get_gid() == gid
    ]


def test_the_budget_has_a_bar_for_every_step_that_left_something(
    made: KeyResult, aborted: KeyResult
) -> None:
    ax = plot_key_budget(made)
    assert bars(ax, "step") == [10_000, 5300, 3800, 1200, 944]
    words = " ".join(text.get_text() for text in ax.texts)
    assert "944" in words
    ax = plot_key_budget(aborted)
    assert bars(ax, "step") == [10_000, 5300, 3800]
    assert [text.get_text() for text in ax.texts].count("none") == 2


def test_a_run_of_which_nothing_was_left_is_drawn(made: KeyResult) -> None:
    empty = replace(made, sifted=0, raw_bits=0, key_bits=0, authentication_bits=0, aborted=True)
    assert bars(plot_key_budget(empty), "step") == [10_000]


def test_the_errors_of_every_basis_and_the_limit(made: KeyResult, aborted: KeyResult) -> None:
    ax = plot_key_errors([made, aborted])
    assert bars(ax, "error") == pytest.approx([1.2, 0.65, 26.0, 25.0])
    assert [text.get_text() for text in ax.get_xticklabels()] == ["basis Z", "basis X"]
    limit = [line for line in ax.lines if line.get_gid() == "limit"]
    assert limit[0].get_ydata()[0] == pytest.approx(1.2)
    legend = ax.get_legend()
    assert legend is not None
    names = [text.get_text() for text in legend.get_texts()]
    assert len(names) == 2
    assert "intercept-resend:1" in names


def test_runs_that_measured_nothing_are_drawn(made: KeyResult) -> None:
    nothing = replace(made, qber=None, qbers={}, tolerated=None, aborted=True)
    assert bars(plot_key_errors([nothing]), "error") == []


def test_axes_of_ones_own(made: KeyResult) -> None:
    ax = Figure().add_subplot()
    assert plot_key_budget(made, ax) is ax
    ax = Figure().add_subplot()
    assert plot_key_errors([made], ax) is ax


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("br", "img", "meta", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_section_says_every_verdict_and_escapes_words(
    made: KeyResult, aborted: KeyResult
) -> None:
    section = key_section([made, aborted], note="of a demonstration")
    assert section.title == "Secret keys"
    assert len(section.figures) == 2
    text = section.lead + section.body if hasattr(section, "lead") else str(vars(section))
    assert "a key of 1,200 bits (demonstration)" in text
    assert "above the tolerated 1.20 %" in text
    assert "a secret &lt;really&gt;" in text
    assert "a secret <really>" not in text
    assert "25.00 %" in section.figures[0].alt
    assert "1200 bits of key, 944 net" in section.figures[1].alt
