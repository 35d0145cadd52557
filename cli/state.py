"""ebit state."""

from __future__ import annotations

from pathlib import Path

import click

from ebit.cli.common import common, paid, qubit_list, shots_option
from ebit.cli.launch import Terms, launch


@click.command(name="state")
@click.argument("state")
@click.option(
    "--backend", default="aer", show_default=True, help="Where to run; see ebit backends."
)
@shots_option(50_000)
@click.option(
    "--qubits",
    type=qubit_list(),
    help="Physical qubits in order; chosen by calibration if left out.",
)
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    help="Ask so many stabilisers, drawn at random; the default is all up to 7 qubits, 64 beyond.",
)
@paid()
@common()
def command(
    *,
    state: str,
    backend: str,
    shots: int,
    qubits: tuple[int, ...] | None,
    sample: int | None,
    yes: bool,
    no_wait: bool,
    max_seconds: float | None,
    seed: int | None,
    out: Path | None,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> int:
    """Prepare STATE and say whether it is entangled: fidelity with its interval, and the verdict.

    STATE is ghz:5, w:3, bell:phi+, graph:0-1,1-2 (edges) or graph:FILE (an edge such as "0 1" a
    line, or a JSON list of pairs).

    \b
    ebit state ghz:5 --backend aer:fez --shots 5e4
    ebit state graph:0-1,1-2,2-3 --backend aer:fez --json
    ebit state ghz:10 --sample 100

    Leaves with exit code 3 when the data are at fault: rates that no state can give.
    """
    del debug
    return launch(
        "state",
        f"state {state}",
        terms=Terms(yes, no_wait, max_seconds),
        out=out,
        as_json=as_json,
        quiet=quiet,
        backend=backend,
        shots=shots,
        qubits=qubits,
        seed=seed,
        options={"name": state, "sample": sample},
    )
