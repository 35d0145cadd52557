"""ebit resume."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ebit.cli.common import check_folder, common, emit, progress_bar
from ebit.cli.launch import finish, job_dict


@click.command(name="resume")
@click.argument("job", required=False)
@click.option("--yes", is_flag=True, help="Send what never reached its provider without asking.")
@click.option(
    "--no-wait", is_flag=True, help="Collect what is ready, and say where the rest stands."
)
@common(seed=False)
def command(
    *,
    job: str | None,
    yes: bool,
    no_wait: bool,
    out: Path | None,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> int:
    """Pick up JOB where it was left, wait for it, and score it; without JOB, all unfinished ones.

    JOB is an id from `ebit jobs`, its first characters, or an id of the provider (ibm:ID). A job
    that is done is scored again from the ledger, without the network.

    \b
    ebit resume
    ebit resume 1a2b3c4d --out results
    ebit resume ibm:d0abc123

    Interrupting stops the waiting only: the job goes on.
    """
    del debug
    check_folder(out)
    from ebit.backends import list_jobs, open_job

    if job is not None:
        found = open_job(job)
        if no_wait and found.stage != "done" and not _ready(found):
            return _standing([found], as_json=as_json)
        with progress_bar(f"job {found.id[:8]}", quiet=quiet) as report:
            score = _resume(found, yes=yes, report=report)
        return finish(score, out, as_json=as_json)
    waiting = [line for line in list_jobs() if line.stage in ("intent", "submitted")]
    code = 0
    lines: list[dict[str, Any]] = []
    for line in reversed(waiting):  # the oldest first
        code = max(code, _one_of_many(line, lines, yes, no_wait, out, quiet))
    emit(
        {"jobs": lines},
        lambda: "\n".join(map(_told, lines)) if lines else "no unfinished job",
        as_json=as_json,
    )
    return code


def _one_of_many(
    line: Any,
    lines: list[dict[str, Any]],
    yes: bool,
    no_wait: bool,
    out: Path | None,
    quiet: bool,
) -> int:
    """Resume one of several jobs: a fault of one does not keep the others from being collected."""
    from ebit.backends import open_job
    from ebit.games import EbitError

    try:
        found = open_job(line.id)
        if no_wait and not _ready(found):
            lines.append({**job_dict(line), "state": found.status().phase})
            return 0
        with progress_bar(f"job {line.id[:8]}", quiet=quiet) as report:
            score = _resume(found, yes=yes, report=report)
    except EbitError as error:
        lines.append({**job_dict(line), "error": str(error)})
        return error.exit_code
    result = _kept(score, line.id[:8], out)
    lines.append({**job_dict(open_job(line.id).entry.summary), "result": result})
    return 3 if getattr(score, "status", "") in ("signalling", "fault", "refused") else 0


def _kept(score: Any, name: str, out: Path | None) -> dict[str, Any]:
    """Write a result, and bits beside it, where a folder was named; return it as plain data."""
    from ebit.cli.common import save_json

    bits = getattr(score, "bits", 0) if type(score).__name__ == "RandomBits" else 0
    if bits and out is not None:
        score = score.save(out / f"{name}.bits")
    result: dict[str, Any] = score.to_dict()
    if bits and out is None:  # nowhere else to go
        result |= {"format": "hex", "value": score.content("hex").decode().strip()}
    if out is not None:
        save_json(out / f"{name}.json", result)
    return result


def _resume(found: Any, *, yes: bool, report: Any) -> Any:
    from ebit.games import BudgetError
    from ebit.protocols import resume

    def agree(job: Any) -> bool:
        line = job.entry.summary
        click.echo(
            f"job {line.id[:8]} ({line.name}, {line.shots} shots on {line.backend}) never reached "
            "its provider",
            err=True,
        )
        if yes:
            return True
        if not sys.stdin.isatty():
            raise BudgetError(f"job {line.id[:8]} was never sent: --yes sends it now")
        return click.confirm("Send it now?", default=False, err=True)

    return resume(found, confirm=agree, progress=report)


def _ready(job: Any) -> bool:
    return bool(job.status().phase == "done") or not job.entry.facts["remote"]


def _standing(jobs: list[Any], *, as_json: bool) -> int:
    lines = []
    for job in jobs:
        state = job.status()
        lines.append(
            {
                **job_dict(job.entry.summary),
                "state": state.phase,
                "position": state.position,
                "detail": state.detail,
            }
        )
    emit({"jobs": lines}, lambda: "\n".join(map(_told, lines)), as_json=as_json)
    return 0


def _told(line: dict[str, Any]) -> str:
    head = f"{line['job'][:8]}  {line['name']} on {line['backend']}: "
    if "error" in line:
        return head + str(line["error"])
    if "result" in line:
        result = line["result"]
        if "net_bits" in result:
            where = f" in {result['file']}" if result["file"] else f": {result.get('value', '')}"
            kind = "pseudo-random" if result["randomness"].startswith("pseudo") else "random"
            return head + (result["refused"] or f"{result['bits']} {kind} bits{where}")
        return head + str(result.get("verdict") or result.get("summary", "done"))
    ahead = "" if line.get("position") is None else f", {line['position']} ahead in the queue"
    return head + f"{line['state']}{ahead}"
