"""ebit estimate."""

from __future__ import annotations

from typing import Any

import click

from ebit.cli.common import common, emit, shots_option


@click.command(name="estimate")
@click.argument("what", default="bell")
@click.option(
    "--backend", default="aer:fez", show_default=True, help="Where it would run; see ebit backends."
)
@shots_option(100_000)
@click.option(
    "--settings",
    type=click.Choice(["per-shot", "per-circuit"]),
    help="As in ebit bell and ebit map.",
)
@click.option(
    "--mode",
    type=click.Choice(["simultaneous", "separated", "both"]),
    help="As in ebit map.",
)
@common(seed=False, out=False)
def command(
    *,
    what: str,
    backend: str,
    shots: int,
    settings: str | None,
    mode: str | None,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> int:
    """Say what a run would take, without sending anything.

    WHAT is bell (the default), map, fringe, or a state such as ghz:5. For a map, --shots are rounds
    per pair.

    \b
    ebit estimate --backend ibm:ibm_fez --shots 1e5
    ebit estimate map --backend aer:fez --shots 4096
    """
    del quiet, debug
    from ebit.protocols import estimate_of

    options: dict[str, Any] = {}
    if settings is not None:
        options["settings"] = settings
    if mode is not None:
        options["mode"] = mode
    found, compiled = estimate_of(what, backend, shots=shots, **options)
    result = {
        "what": compiled.experiment.name,
        "backend": compiled.backend,
        "circuits": found.circuits,
        "shots": found.shots,
        "jobs": found.jobs,
        "seconds": found.seconds,
        "quantum_seconds": found.quantum_seconds,
        "basis": found.basis,
        "qubits": list(compiled.qubits),
        "predicted": compiled.predicted,
    }

    def text() -> str:
        line = f"{compiled.experiment.name} on {compiled.backend}: {found}"
        if compiled.predicted is not None:
            qubits = ", ".join(map(str, compiled.qubits))
            line += f"\non qubits {qubits}, with a predicted win rate of {compiled.predicted:.4f}"
        return line

    emit(result, text, as_json=as_json)
    return 0
