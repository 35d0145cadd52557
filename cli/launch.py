"""How commands that run something run it: priced, agreed to, waited for or left to be resumed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ebit.cli.common import check_folder, emit, progress_bar, save_json
from ebit.games.errors import BudgetError

__all__ = ["Terms", "ask", "finish", "job_dict", "launch"]


@dataclass(frozen=True)
class Terms:
    """What was said about paying and waiting.

    Attributes:
        yes: agreed beforehand.
        no_wait: return once the job is sent.
        max_seconds: the budget.
    """

    yes: bool = False
    no_wait: bool = False
    max_seconds: float | None = None


def launch(
    kind: str,
    label: str,
    *,
    terms: Terms,
    out: Path | None,
    as_json: bool,
    quiet: bool,
    options: Mapping[str, Any],
    **shared: Any,
) -> int:
    """Run a kind of test, print and write its score, and return the exit code.

    Args:
        kind: as `ebit.begin` takes it.
        label: what the progress bar says.
        terms: paying and waiting.
        out, as_json, quiet: as every command has them.
        options: of this kind of test.
        shared: backend, shots, qubits, pair, seed.
    """
    check_folder(out)
    from ebit.protocols import begin
    from ebit.protocols.resuming import play

    with progress_bar(label, quiet=quiet) as report:
        how = {
            **shared,
            **options,
            "progress": report,
            "confirm": ask(terms, str(shared["backend"])),
            "max_seconds": terms.max_seconds,
        }
        result = begin(kind, **how) if terms.no_wait else play(kind, **how)  # type: ignore[arg-type]
    if terms.no_wait:
        line = result.entry.summary
        emit(
            job_dict(line),
            lambda: (
                f"job {line.id} is with {line.backend}; pick it up with: ebit resume {line.id[:8]}"
            ),
            as_json=as_json,
        )
        return 0
    return finish(result, out, as_json=as_json)


def ask(terms: Terms, backend: str) -> Callable[[Any], bool]:
    """Return the function that shows an estimate and has it agreed to."""

    def agreed(estimate: Any) -> bool:
        click.echo(f"{backend}: {estimate}", err=True)
        if terms.yes:
            return True
        if not sys.stdin.isatty():
            raise BudgetError("a paid run must be agreed to: --yes sends it without asking")
        return click.confirm("Send it?", default=False, err=True)

    return agreed


def finish(score: Any, out: Path | None, *, as_json: bool) -> int:
    """Write what was asked for, print the score, and return the exit code."""
    if type(score).__name__ == "RandomBits":
        from ebit.cli.random import finish_random

        return finish_random(score, None if out is None else out / "bits.bin", as_json=as_json)
    if type(score).__name__ == "KeyResult":
        from ebit.cli.key import finish_key

        return finish_key(score, None if out is None else out / "key.bin", as_json=as_json)
    result = score.to_dict()
    if out is not None:
        save = getattr(__import__("ebit.plots", fromlist=["plots"]), _FIGURES[type(score).__name__])
        trials = getattr(score, "trials", None)
        if trials is not None:
            trials.save(out / "trials.npz")
        save_json(out / "results.json", result)
        save(score, out)
    emit(result, lambda: str(score), as_json=as_json)
    return 3 if getattr(score, "status", "") in ("signalling", "fault") else 0


# What draws each kind of result.
_FIGURES = {
    "Score": "save_score_figures",
    "StateScore": "save_state_figure",
    "FringeScore": "save_fringe_figure",
    "ChipMap": "save_chip_figures",
}


def job_dict(line: Any) -> dict[str, Any]:
    """A line of the ledger as plain data."""
    return {
        "job": line.id,
        "stage": line.stage,
        "backend": line.backend,
        "name": line.name,
        "experiment_id": line.program_id,
        "provider_ids": list(line.provider_ids),
        "shots": line.shots,
        "created": line.created,
        "updated": line.updated,
        "reason": line.reason,
    }
