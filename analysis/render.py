"""A score as text, as HTML for notebooks, and as citations."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ebit.analysis.intervals import Interval
    from ebit.analysis.results import Evidence, Score

__all__ = ["citations", "evidence_text", "number", "score_html", "score_text"]

_COLOURS = {
    "violation": "#0072b2",
    "no violation": "#595959",
    "signalling": "#b34700",
    "fault": "#b34700",
}


def number(value: float | None, digits: int = 4) -> str:
    """Write a number plainly, or a dash."""
    return "-" if value is None else f"{value:.{digits}f}"


def evidence_text(evidence: Evidence) -> str:
    """Write one statistic, or why it is withheld."""
    if not evidence.valid or evidence.log10 is None or evidence.value is None:
        return f"withheld: {evidence.reason}"
    letter = evidence.kind
    if abs(evidence.log10) > 300:
        shown = f"{letter} = 10^{evidence.log10:.1f}"
    else:
        shown = f"{letter} = {evidence.value:.3g}"
    return f"{shown}, assuming {evidence.assumption}"


def _span(interval: Interval) -> str:
    return f"[{interval.low:.4f}, {interval.high:.4f}] at {interval.level * 100:g} %"


def _bounds(score: Score) -> str:
    if score.local_bound is None:
        return ""
    text = f"local bound {score.local_bound:.4g}"
    if score.quantum_bound is not None:
        text += f", quantum bound {score.quantum_bound:.4f}"
    return text


def _signalling(score: Score) -> str:
    ns = score.no_signalling
    if ns is None:
        return "not testable: only the number of wins is known"
    word = "holds" if ns.holds else "FAILS"
    return f"{word} (smallest corrected p = {ns.p_value:.3g}; {ns.method})"


def _where(score: Score) -> str:
    run = score.run
    if run is None:
        return ""
    text = run.backend
    if run.qubits is not None:
        text += ", qubits " + ", ".join(map(str, run.qubits))
    return text


def _convention(score: Score) -> str:
    convention = score.convention
    if not convention.signs:
        return "declared" if convention.declared else f"paid for: one of {convention.cost}"
    minus = "; ".join(convention.minus) or "none"
    how = (
        "declared beforehand"
        if convention.declared
        else f"found in the data, evidence divided by {convention.cost}"
    )
    return f"minus on {minus} ({how})"


def _settings(score: Score) -> str:
    return f"{score.settings} ({score.settings_reason}); drawn by: {score.settings_source}"


def _rows(score: Score) -> list[tuple[str, str]]:
    rows = []
    where = _where(score)
    if where:
        rows.append(("ran on", where))
    if score.S is not None and score.S_interval is not None:
        rows.append(("S", f"{score.S:.4f}  {_span(score.S_interval)}  ({_bounds(score)})"))
    rows.append(
        (
            "win rate",
            f"{score.win_rate:.6f}  {_span(score.win_rate_interval)}  (null: at most {score.floor:.6f})",
        )
    )
    rows.append(("rounds", f"{score.n}, order {score.order}"))
    rows.append(("settings", _settings(score)))
    rows.append(("signs", _convention(score)))
    rows.append(("no-signalling", _signalling(score)))
    rows += [(e.name, evidence_text(e)) for e in score.evidence]
    run = score.run
    if run is not None:
        rows.append(("method", f"{run.method}; guard: {run.guard}; seed {run.seed}"))
        if run.calibration:
            rows.append(("calibration", run.calibration))
        if run.predicted is not None:
            rows.append(("predicted win rate", f"{run.predicted:.6f} from the calibration"))
    return rows


def score_text(score: Score) -> str:
    """Write a score as plain text, verdict first."""
    rows = _rows(score)
    width = max(len(name) for name, _ in rows)
    lines = [f"{score.game}: {score.verdict}", ""]
    lines += [f"  {name:<{width}}  {text}" for name, text in rows]
    if score.correlators:
        lines += ["", "  correlators"]
        label = max(len(c.question) for c in score.correlators)
        for c in score.correlators:
            lines.append(
                f"    {c.question:<{label}}  {c.value:+.4f}  {_span(c.interval)}  n = {c.n}"
            )
    lines += _listed("assumptions", score.assumptions) + _listed("not given", score.not_given)
    return "\n".join(lines)


def _listed(title: str, items: Sequence[str]) -> list[str]:
    return ["", f"  {title}", *(f"    - {item}" for item in items)] if items else []


def score_html(score: Score) -> str:
    """Write a score as HTML for notebooks and reports."""
    colour = _COLOURS.get(score.status, "#595959")
    cell = "padding:2px 10px;text-align:left;vertical-align:top"
    rows = "".join(
        f'<tr><th style="{cell};white-space:nowrap">{escape(name)}</th>'
        f'<td style="{cell}">{escape(text)}</td></tr>'
        for name, text in _rows(score)
    )
    correlators = ""
    if score.correlators:
        body = "".join(
            f'<tr><td style="{cell}">{escape(c.question)}</td><td style="{cell}">{c.value:+.4f}</td>'
            f'<td style="{cell}">{escape(_span(c.interval))}</td><td style="{cell}">{c.n}</td></tr>'
            for c in score.correlators
        )
        head = "".join(
            f'<th style="{cell}">{name}</th>' for name in ("question", "E", "interval", "rounds")
        )
        correlators = (
            "<details><summary>correlators</summary><table><thead><tr>"
            f"{head}</tr></thead><tbody>{body}</tbody></table></details>"
        )
    return (
        '<div class="ebit-score" style="font-family:sans-serif;line-height:1.4">'
        f'<p style="border-left:4px solid {colour};padding-left:8px"><b>{escape(score.game)}</b>: '
        f"{escape(score.verdict)}</p><table><tbody>{rows}</tbody></table>{correlators}"
        f"{_details('assumptions', score.assumptions)}{_details('not given', score.not_given)}</div>"
    )


def _details(title: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    listed = "".join(f"<li>{escape(item)}</li>" for item in items)
    return f"<details><summary>{title}</summary><ul>{listed}</ul></details>"


def citations(score: Score) -> str:
    """Return the sources of a score's numbers, one a line."""
    lines = [f"ebit {version('ebit')}: the program"]
    if score.game == "chsh":
        lines.append("J. F. Clauser et al., PRL 23, 880 (1969): the CHSH inequality")
        lines.append("B. S. Cirelson, Lett. Math. Phys. 4, 93 (1980): the quantum bound")
    lines.append(f"{score.floor_source}: the floor")
    names = {e.name for e in score.evidence if e.valid}
    if any("memory" in name for name in names):
        lines.append("P. Bierhorst, J. Phys. A 48, 195302 (2015): p-values against memory")
        lines.append("Y. Zhang, S. Glancy, E. Knill, PRA 84, 062118 (2011): evidence by betting")
    if any("block" in name for name in names):
        lines.append("G. Shafer, J. R. Stat. Soc. A 184, 407 (2021): testing by betting")
    if any("independent" in name for name in names):
        lines.append("W. Hoeffding, Ann. Math. Stat. 27, 713 (1956): sums of unlike rounds")
    lines.append("S. Holm, Scand. J. Stat. 6, 65 (1979): the correction of the no-signalling tests")
    return "\n".join(lines)
