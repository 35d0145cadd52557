"""A score as text, as HTML for notebooks, and as citations."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from ebit.analysis.sheet import Sheet, run_rows, span

if TYPE_CHECKING:
    from ebit.analysis.results import Evidence, Score

__all__ = ["citations", "evidence_text", "score_html", "score_text"]


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
    rows = run_rows(score.run)[:1]
    if score.S is not None and score.S_interval is not None:
        rows.append(("S", f"{score.S:.4f}  {span(score.S_interval)}  ({_bounds(score)})"))
    if score.corrected is not None and score.corrected.S is not None:
        known = score.corrected
        rows.append(
            (
                "S without readout errors",
                f"{known.S:.4f}  {span(known.S_interval)}  (shown only: nothing rests on it)"
                if known.S_interval is not None
                else f"{known.S:.4f}",
            )
        )
    rows.append(
        (
            "win rate",
            f"{score.win_rate:.6f}  {span(score.win_rate_interval)}  (null: at most {score.floor:.6f})",
        )
    )
    rows.append(("rounds", f"{score.n}, order {score.order}"))
    rows.append(("settings", _settings(score)))
    rows.append(("signs", _convention(score)))
    rows.append(("no-signalling", _signalling(score)))
    rows += [(e.name, evidence_text(e)) for e in score.evidence]
    rows += run_rows(score.run)[1:]
    if score.run is not None and score.run.predicted is not None:
        rows.append(("predicted win rate", f"{score.run.predicted:.6f} from the calibration"))
    return rows


def _sheet(score: Score) -> Sheet:
    table = tuple(
        (c.question, f"{c.value:+.4f}", span(c.interval), str(c.n)) for c in score.correlators
    )
    return Sheet(
        title=score.game,
        sentence=score.verdict,
        good=score.status == "violation",
        bad=score.status in ("signalling", "fault"),
        rows=tuple(_rows(score)),
        table_title="correlators",
        head=("question", "E", "interval", "rounds"),
        table=table,
        lists=(("assumptions", score.assumptions), ("not given", score.not_given)),
    )


def score_text(score: Score) -> str:
    """Write a score as plain text, verdict first."""
    return _sheet(score).text()


def score_html(score: Score) -> str:
    """Write a score as HTML for notebooks and reports."""
    return _sheet(score).html()


def citations(score: Score) -> str:
    """Return the sources of a score's numbers, one a line."""
    lines = [f"ebit {version('ebit')}: the program"]
    if score.game == "chsh":
        lines.append("J. F. Clauser et al., PRL 23, 880 (1969): the CHSH inequality")
        lines.append("B. S. Cirelson, Lett. Math. Phys. 4, 93 (1980): the quantum bound")
    if score.floor_source.partition(":")[0] not in "".join(lines):
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
