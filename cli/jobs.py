"""ebit jobs."""

from __future__ import annotations

from typing import Any

import click

from ebit.cli.common import common, emit
from ebit.cli.launch import job_dict


@click.command(name="jobs")
@click.argument("job", required=False)
@click.option("--check", is_flag=True, help="Ask the providers where unfinished jobs stand.")
@click.option("--open", "unfinished", is_flag=True, help="Unfinished jobs only.")
@click.option("--all", "every", is_flag=True, help="All jobs; the default is the newest 20.")
@common(seed=False, out=False)
def command(
    *,
    job: str | None,
    check: bool,
    unfinished: bool,
    every: bool,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> int:
    """List the jobs in the ledger, newest first; with JOB, everything that is known of one.

    JOB is an id, the first characters of one, or an id of the provider (ibm:ID).

    \b
    ebit jobs
    ebit jobs --open --check
    ebit jobs 1a2b3c4d --json
    """
    del debug
    from ebit.backends.jobs import check_clock, list_jobs

    if job is not None:
        return _one(job, check=check, as_json=as_json)
    lines = list_jobs()
    warning = check_clock(lines)
    if warning and not quiet:
        click.echo(f"ebit: {warning}", err=True)
    total = len(lines)
    if unfinished:
        lines = tuple(line for line in lines if line.stage in ("intent", "submitted"))
    shown = lines if every or as_json else lines[:20]
    states = {line.id: _state(line.id) for line in shown if check and _is_open(line)}

    def text() -> str:
        if not shown:
            return (
                "no unfinished job"
                if unfinished and total
                else "no job yet: runs on processors, "
                "and runs begun with --no-wait, are listed here"
            )
        rows = [("job", "stage", "backend", "what", "shots", "begun (UTC)", "provider's id")]
        rows += [
            (
                line.id[:8],
                states.get(line.id, line.stage),
                line.backend,
                line.name,
                str(line.shots),
                line.created[:16].replace("T", " "),
                " ".join(line.provider_ids) or "-",
            )
            for line in shown
        ]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        table = [
            "  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        if len(shown) < len(lines):
            table.append(f"... and {len(lines) - len(shown)} older ones: ebit jobs --all")
        waiting = [line for line in lines if _is_open(line)]
        if waiting:
            table.append(f"\n{len(waiting)} unfinished: ebit resume picks them up")
        return "\n".join(table)

    result = {
        "jobs": [{**job_dict(line), "state": states.get(line.id)} for line in shown],
        "warning": warning,
    }
    emit(result, text, as_json=as_json)
    return 0


def _is_open(line: Any) -> bool:
    return line.stage in ("intent", "submitted")


def _state(id: str) -> str:
    """Where a job stands, in the provider's words; a fault is told, not raised."""
    from ebit.backends import open_job
    from ebit.games import EbitError

    try:
        state = open_job(id).status()
    except EbitError as error:
        return f"unknown ({error})"
    ahead = "" if state.position is None else f", {state.position} ahead"
    return "ready to resume" if state.phase == "done" else f"{state.phase}{ahead}"


def _one(id: str, *, check: bool, as_json: bool) -> int:
    from ebit.backends import open_job

    job = open_job(id)
    line, facts = job.entry.summary, job.entry.facts
    state = _state(job.id) if check else None
    result = {
        **job_dict(line),
        "state": state,
        "qubits": list(facts["qubits"]),
        "labels": list(facts["labels"]),
        "guard": dict(facts["guard"]),
        "calibration": facts["calibrated"],
        "predicted": facts["predicted"],
        "seed": facts["seed"],
        "versions": dict(facts["versions"]),
        "purpose": dict(facts["purpose"]),
        "handle": None if job.handle is None else job.handle.to_dict(),
        "outcome": None if job.entry.outcome is None else dict(job.entry.outcome),
        "events": [{"at": at, "what": what} for at, what in job.entry.events],
    }

    def text() -> str:
        qubits = ", ".join(map(str, facts["qubits"][:12]))
        more = f" ... ({len(facts['qubits'])} in all)" if len(facts["qubits"]) > 12 else ""
        rows = [
            ("job", line.id),
            ("stage", line.stage + (f" ({state})" if state else "")),
            ("what", f"{line.name}, {line.shots} shots, experiment {line.program_id}"),
            ("where", f"{line.backend}, qubits {qubits}{more}"),
            ("guard", f"{facts['guard']['status']}: {facts['guard']['detail']}"),
            ("calibration", facts["calibrated"] or "none"),
            ("provider's ids", " ".join(line.provider_ids) or "none yet"),
        ]
        if line.reason:
            rows.append(("reason", line.reason))
        width = max(len(name) for name, _ in rows)
        text = [f"{name:<{width}}  {value}" for name, value in rows]
        text += ["", "history (UTC)", *(f"  {at[:19]}  {what}" for at, what in job.entry.events)]
        if line.stage != "cancelled":
            text += ["", f"ebit resume {line.id[:8]}  picks it up and scores it"]
        return "\n".join(text)

    emit(result, text, as_json=as_json)
    return 0
