"""ebit state."""

from __future__ import annotations

from pathlib import Path

import click

from ebit.cli.common import (
    check_folder,
    common,
    emit,
    progress_bar,
    qubit_list,
    save_json,
    shots_option,
)


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
@common()
def command(
    *,
    state: str,
    backend: str,
    shots: int,
    qubits: tuple[int, ...] | None,
    sample: int | None,
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
    check_folder(out)
    from ebit.protocols import state as run_state

    with progress_bar(f"state {state}", quiet=quiet) as progress:
        score = run_state(
            state,
            backend=backend,
            shots=shots,
            qubits=qubits,
            sample=sample,
            seed=seed,
            progress=progress,
        )
    result = score.to_dict()
    if out is not None:
        from ebit.plots import save_state_figure

        if score.trials is not None:
            score.trials.save(out / "trials.npz")
        save_json(out / "results.json", result)
        save_state_figure(score, out)
    emit(result, lambda: str(score), as_json=as_json)
    return 3 if score.status == "fault" else 0
