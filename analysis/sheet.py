"""A result as a sheet: a sentence, rows, a table and lists, as text or as HTML for notebooks."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ebit.analysis.intervals import Interval
    from ebit.analysis.results import RunInfo

__all__ = ["Sheet", "Shown", "interval_dict", "p_text", "run_dict", "run_rows", "span"]

_GOOD, _BAD, _PLAIN = "#0072b2", "#b34700", "#595959"
_CELL = "padding:2px 10px;text-align:left;vertical-align:top"


@dataclass(frozen=True)
class Sheet:
    """What a result shows, apart from how.

    Attributes:
        title: what was scored.
        sentence: what it comes to.
        good: whether something was shown. bad: whether the data are at fault.
        rows: names and texts.
        table_title, head, table: a table, its rows of as many texts as the head has.
        lists: titles and items.
    """

    title: str
    sentence: str
    good: bool
    bad: bool
    rows: tuple[tuple[str, str], ...]
    table_title: str
    head: tuple[str, ...]
    table: tuple[tuple[str, ...], ...]
    lists: tuple[tuple[str, tuple[str, ...]], ...]

    def text(self) -> str:
        """Return plain text, the sentence first."""
        width = max((len(name) for name, _ in self.rows), default=0)
        lines = [f"{self.title}: {self.sentence}", ""]
        lines += [f"  {name:<{width}}  {text}" for name, text in self.rows]
        if self.table:
            lines += ["", f"  {self.table_title}"]
            columns = [self.head, *self.table]
            widths = [max(len(row[i]) for row in columns) for i in range(len(self.head))]
            for row in columns:
                cells = (f"{text:<{w}}" for text, w in zip(row, widths, strict=True))
                lines.append("    " + "  ".join(cells).rstrip())
        for title, items in self.lists:
            if items:
                lines += ["", f"  {title}", *(f"    - {item}" for item in items)]
        return "\n".join(lines)

    def html(self) -> str:
        """Return HTML that a notebook shows."""
        colour = _BAD if self.bad else _GOOD if self.good else _PLAIN
        rows = "".join(
            f'<tr><th style="{_CELL};white-space:nowrap">{escape(name)}</th>'
            f'<td style="{_CELL}">{escape(text)}</td></tr>'
            for name, text in self.rows
        )
        body = "".join(
            "<tr>" + "".join(f'<td style="{_CELL}">{escape(c)}</td>' for c in row) + "</tr>"
            for row in self.table
        )
        head = "".join(f'<th style="{_CELL}">{escape(name)}</th>' for name in self.head)
        table = (
            f"<details><summary>{escape(self.table_title)}</summary><table><thead><tr>{head}</tr>"
            f"</thead><tbody>{body}</tbody></table></details>"
            if self.table
            else ""
        )
        lists = "".join(
            f"<details><summary>{escape(title)}</summary><ul>"
            + "".join(f"<li>{escape(item)}</li>" for item in items)
            + "</ul></details>"
            for title, items in self.lists
            if items
        )
        return (
            '<div class="ebit-score" style="font-family:sans-serif;line-height:1.4">'
            f'<p style="border-left:4px solid {colour};padding-left:8px"><b>{escape(self.title)}'
            f"</b>: {escape(self.sentence)}</p><table><tbody>{rows}</tbody></table>"
            f"{table}{lists}</div>"
        )


class Shown:
    """What shows itself as a sheet: as text where it is printed, as HTML in a notebook."""

    def _sheet(self) -> Sheet:
        raise NotImplementedError

    def __str__(self) -> str:
        return self._sheet().text()

    def _repr_html_(self) -> str:
        return self._sheet().html()


def span(interval: Interval) -> str:
    """Write an interval with its level."""
    return f"[{interval.low:.4f}, {interval.high:.4f}] at {interval.level * 100:g} %"


def p_text(value: float, log10: float) -> str:
    """Write a p-value, by its logarithm where a float cannot hold it."""
    return f"p = {value:.2g}" if log10 > -300 else f"p = 10^{log10:.0f}"


def interval_dict(interval: Interval | None) -> dict[str, Any] | None:
    """Return an interval as plain data."""
    if interval is None:
        return None
    return {
        "low": interval.low,
        "high": interval.high,
        "level": interval.level,
        "method": interval.method,
    }


def run_rows(run: RunInfo | None) -> list[tuple[str, str]]:
    """Return where and how rounds were taken, as rows."""
    if run is None:
        return []
    where = run.backend
    if run.qubits is not None:
        where += (
            ", qubits "
            + ", ".join(f"{q} ({name})" for q, name in zip(run.qubits, run.labels, strict=True))
            if run.labels
            else ", qubits " + ", ".join(map(str, run.qubits))
        )
    seed = "" if run.seed is None else f"; seed {run.seed}"
    rows = [("ran on", where), ("method", f"{run.method}; guard: {run.guard}{seed}")]
    if run.job:
        rows.append(("job", f"{run.job}, begun {(run.date or '')[:19]}"))
    if run.calibration:
        rows.append(("calibration", run.calibration))
    return rows


def run_dict(run: RunInfo | None, n: int) -> dict[str, Any]:
    """Return where and how rounds were taken, as plain data; n stands in for unknown shots."""
    return {
        "backend": run.backend if run else None,
        "qubits": list(run.qubits) if run and run.qubits is not None else None,
        "experiment": run.experiment if run else None,
        "experiment_id": run.experiment_id if run else None,
        "shots": run.shots if run else n,
        "seed": run.seed if run else None,
        "method": run.method if run else None,
        "guard": run.guard if run else None,
        "calibration": run.calibration if run else None,
        "date": run.date if run else None,
        "versions": dict(run.versions) if run else {},
        "job": run.job if run else None,
        "labels": list(run.labels) if run else [],
    }
