"""The sections of a report that scores make: verdict, numbers, pictures, what they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

from ebit.plots.chip import chip_canvas
from ebit.plots.correlators import score_canvas
from ebit.plots.entropy import plot_entropy_rounds
from ebit.plots.fringe import plot_fringe
from ebit.plots.growth import plot_evidence
from ebit.plots.keys import plot_key_budget, plot_key_errors
from ebit.plots.report import Picture, Section
from ebit.plots.state import plot_state
from ebit.plots.style import figure_of

if TYPE_CHECKING:
    from ebit.analysis import Score
    from ebit.analysis.chip_result import ChipMap
    from ebit.analysis.entropy_plan import EntropyCurves
    from ebit.analysis.fringe import FringeScore
    from ebit.analysis.intervals import Interval
    from ebit.analysis.state_result import StateScore

__all__ = [
    "bell_section",
    "chip_section",
    "fringe_section",
    "key_section",
    "random_section",
    "state_section",
]

_UNFOLDED = 50  # rows of a table that are shown without being asked for
_NAMED = 12  # values that an alternative text spells out


def bell_section(score: Score, *, title: str = "Bell test", note: str = "") -> Section:
    """Return a score's section: verdict, numbers, pictures, assumptions and what is not given.

    Args:
        score: the score of any game.
        title: the heading.
        note: a last word in small print.
    """
    bounds = "Short lines: what the local (dashed) and the quantum bound (solid) ask on average."
    figures = (
        Picture(
            score_canvas(score),
            _value_alt(score),
            f"Correlators and S with their intervals. {bounds}"
            if score.correlators
            else "The rate of wins with its interval, and the most that the null reaches (dashed).",
        ),
        Picture(
            figure_of(plot_evidence(score)),
            _evidence_alt(score),
            "Under the null, evidence ever reaches the dashed line with probability at most "
            f"{_plain(score.level[0])}, the other one with at most {_plain(score.level[1])}."
            if score.path is not None
            else "The evidence of all the rounds together; see the table for what it assumes.",
        ),
    )
    return Section(title, _verdict(score.status, score.verdict), figures, note, _numbers(score))


def state_section(score: StateScore, *, title: str = "", note: str = "") -> Section:
    """Return a state's section: verdict, numbers, pictures, assumptions and what is not given.

    Args:
        score: the state's score.
        title: the heading; the state's name if left out.
        note: a last word in small print.
    """
    picture = Picture(
        figure_of(plot_state(score)),
        f"Pass rates of {len(score.rates)} questions, {_range([r.rate for r in score.rates])}. "
        f"Fidelity {_measured(score.fidelity, score.interval)}; thresholds: "
        + ("; ".join(f"{t.claim} above {t.value:.4g}" for t in score.thresholds) or "none")
        + ".",
        "Pass rates with their intervals, and the fidelity against what each claim needs.",
    )
    verdict = _verdict(score.status, score.statement)
    return Section(title or f"State {score.state}", verdict, (picture,), note, _numbers(score))


def fringe_section(score: FringeScore, *, title: str = "Fringe", note: str = "") -> Section:
    """Return a fringe's section: what it says, its numbers and its picture.

    Args:
        score: the fringe's score.
        title: the heading.
        note: a last word in small print.
    """
    points = score.points
    picture = Picture(
        figure_of(plot_fringe(score)),
        f"Correlator at {len(points)} angles of Bob, {_range([p.value for p in points])}. "
        f"Visibility {_measured(score.visibility, score.visibility_interval)}; ideal "
        f"{score.ideal_visibility:.4f}.",
        "The correlator over Bob's angle, with the fit and the curve of the ideal state.",
    )
    verdict = _verdict("fringe", score.statement)
    # The picture has every point, so the long table behind it stays folded.
    return Section(title, verdict, (picture,), note, _numbers(score, unfold=False))


def chip_section(found: ChipMap, *, title: str = "The whole chip", note: str = "") -> Section:
    """Return a map's section: what it says, its numbers and its picture.

    Args:
        found: the map.
        title: the heading.
        note: a last word in small print.
    """
    picture = Picture(
        chip_canvas(found),
        f"The chip's layout with {len(found.pairs)} pairs coloured by S, "
        f"{_range([pair.S for pair in found.pairs])}; {found.summary}.",
        "Each line is a pair on its own physical qubits, coloured by S: solid where it violates with "
        "false discoveries controlled over the whole chip, dotted where it does not.",
    )
    verdict = _verdict("violation" if found.violating else "no violation", found.summary)
    return Section(title, verdict, (picture,), note, _numbers(found, unfold=False))


def random_section(
    found: Any, curves: EntropyCurves | None = None, *, title: str = "Random bits", note: str = ""
) -> Section:
    """Return the section of random bits: what they are, their certificate, and a picture to plan by.

    Args:
        found: the bits with their certificate, as `ebit.random_bits` returns them.
        curves: bits per round against rounds, from `ebit.analysis.entropy_plan.entropy_curves`.
        title: the heading.
        note: a last word in small print.
    """
    figures: tuple[Picture, ...] = ()
    if curves is not None:
        best = max(max(row) for row in curves.rates)
        figures = (
            Picture(
                figure_of(plot_entropy_rounds(curves)),
                f"Certified bits per round against the number of rounds, up to {max(curves.rounds):.0e}, "
                f"at S = {curves.S:.4f}, by {', '.join(curves.names)}; the best reaches {best:.3f}.",
                "What other numbers of rounds would be worth at this S. The methods answer to different "
                "adversaries, which the legend names.",
            ),
        )
    verdict = _verdict(
        "no bits" if found.refused else "violation", f"{found.title}: {found.sentence}"
    )
    return Section(title, verdict, figures, note, _numbers(found, unfold=False))


def key_section(results: Sequence[Any], *, title: str = "Secret keys", note: str = "") -> Section:
    """Return the section of runs for a key: the first in full, the others beside it in the picture.

    Args:
        results: as `ebit.key` returns them, such as one without and one with an eavesdropper.
        title: the heading.
        note: a last word in small print.
    """
    first = results[0]
    verdicts = "".join(
        _verdict("fault" if r.aborted else "violation", f"{r.title}: {r.sentence}") for r in results
    )
    errors = "; ".join(
        f"{r.attack or 'nobody listens'}: "
        + ", ".join(f"{name} {100 * q:.2f} %" for name, q in r.qbers.items())
        for r in results
        if r.qbers
    )
    figures = (
        Picture(
            figure_of(plot_key_errors(results)),
            f"Errors of the announced rounds by basis. {errors}.",
            "Whoever measures a signal in passing disturbs it, and the disturbance is counted.",
        ),
        Picture(
            figure_of(plot_key_budget(first)),
            f"{first.rounds} signals sent, {first.sifted} with equal bases, {first.raw_bits} raw bits, "
            f"{first.key_bits} bits of key, {first.net_key_bits} net.",
            "What was left after each step.",
        ),
    )
    return Section(title, verdicts, figures, note, _numbers(first, unfold=False))


def _verdict(status: str, words: str) -> str:
    return f'<p class="verdict {escape(status.replace(" ", "-"))}">{escape(words)}</p>'


def _numbers(score: Any, *, unfold: bool = True) -> str:
    """Return the score's own table, and its lists in the open."""
    lists = (
        _list("Assumptions", score.assumptions)
        + _list("Not given", score.not_given)
        + _list("Withheld", _withheld(score))
    )
    # The table without its own lists, which would be folded away; a short one is unfolded.
    table = replace(score, assumptions=(), not_given=())._repr_html_()
    if unfold and table.count("<tr>") <= _UNFOLDED:
        table = table.replace("<details>", "<details open>")
    return f'<h3>Numbers</h3>\n<div class="scroll">{table}</div>\n{lists}'


def _withheld(score: Any) -> tuple[str, ...]:
    """Say what is withheld, except where the table has said it already."""
    said = {"p_value", "e_value", *(e.name for e in getattr(score, "evidence", ()))}
    kept: dict[str, str] = getattr(score, "withheld", {})
    return tuple(f"{name}: {reason}" for name, reason in kept.items() if name not in said)


def _list(title: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    shown = "".join(f"<li>{escape(text)}</li>" for text in items)
    return f"<h3>{title}</h3>\n<ul>{shown}</ul>\n"


def _plain(value: float) -> str:
    return f"{value:g}".replace("e-0", "e-")


def _measured(value: float, interval: Interval) -> str:
    return f"{value:.4f}, {interval.level * 100:g} % interval {interval.low:.4f} to {interval.high:.4f}"


def _range(values: Sequence[float]) -> str:
    return f"from {min(values):.4f} to {max(values):.4f}" if values else "none"


def _value_alt(score: Score) -> str:
    if not score.correlators or score.S is None or score.S_interval is None:
        rate = _measured(score.win_rate, score.win_rate_interval)
        return f"Rate of wins {rate}; the null reaches at most {score.floor:.4f}."
    values = [c.value for c in score.correlators]
    if len(values) <= _NAMED:
        shown = "; ".join(f"{c.question}: {c.value:+.4f}" for c in score.correlators)
    else:
        shown = f"{len(values)} questions, {_range(values)}"
    bounds = [
        f"{word} bound {bound:.4f}"
        for word, bound in (("local", score.local_bound), ("quantum", score.quantum_bound))
        if bound is not None
    ]
    s = _measured(score.S, score.S_interval)
    return f"Correlators, {shown}. S = {s}" + "".join(f"; {text}" for text in bounds) + "."


def _evidence_alt(score: Score) -> str:
    if score.path is not None and len(score.path.rounds):
        return (
            f"Evidence over {int(score.path.rounds[-1])} rounds, log10 e at the end "
            f"{float(score.path.log10_e[-1]):.1f}."
        )
    given = [
        f"{e.name}: log10 {e.kind} = {e.log10:.1f}"
        if e.valid and e.log10 is not None
        else f"{e.name}: withheld"
        for e in score.evidence
    ]
    return f"No path of the evidence. {'; '.join(given) or 'No statistic is given'}."
