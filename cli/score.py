"""ebit score."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from ebit.cli.common import check_folder, common, progress_bar
from ebit.cli.launch import finish

if TYPE_CHECKING:
    from ebit.games import BitOrder


@click.command(name="score")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--job", help="A finished job that any script sent: ibm:ID or google:ID.")
@click.option("--game", default="chsh", show_default=True, help="The game that was played.")
@click.option("--wins", type=int, help="Rounds won, when that is all that is known.")
@click.option("--trials", type=int, help="Rounds played, with --wins.")
@click.option(
    "--minus",
    help="The sign convention, declared before the data: questions with a minus, such as 11 or "
    "00,01; 'game' for the game's own; 'found' to take the best and pay for it.",
)
@click.option("--tau", type=float, help="How far settings can be predicted beyond 1/2.")
@click.option(
    "--efficiency", type=float, help="Detection efficiency, if only coincidences were kept."
)
@click.option(
    "--settings",
    type=click.Choice(["per-shot", "per-block", "per-circuit"]),
    help="How settings were chosen, where the data do not tell.",
)
@click.option(
    "--settings-source",
    type=click.Choice(["host", "device"]),
    help="Who drew the settings.",
)
@click.option(
    "--separation",
    type=click.Choice(["one chip", "distant", "simulated"]),
    help="How far apart the parties were.",
)
@click.option(
    "--bits",
    type=click.Choice(["qiskit", "cirq"]),
    default="qiskit",
    show_default=True,
    help="In JSON bit strings: the first party rightmost (qiskit) or leftmost (cirq).",
)
@common(seed=False)
def command(
    file: Path | None,
    *,
    job: str | None,
    game: str,
    wins: int | None,
    trials: int | None,
    minus: str | None,
    tau: float | None,
    efficiency: float | None,
    settings: str | None,
    settings_source: str | None,
    separation: str | None,
    bits: str,
    out: Path | None,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> int:
    """Score FILE: rounds or counts that anybody took (.csv, .csv.gz, .npz, .parquet, .json).

    \b
    ebit score rounds.csv
    ebit score counts.csv --settings per-shot --minus 00
    ebit score --wins 196 --trials 245 --tau 1.08e-5
    ebit score --job ibm:d0abc123

    Leaves with exit code 3 when it refuses a verdict (signalling, or a fault of the data).
    """
    del debug
    from ebit.games import ArgumentError

    shared: dict[str, Any] = {
        "game": game,
        "minus": minus,
        "tau": tau,
        "efficiency": efficiency,
        "settings": settings,
        "settings_source": settings_source,
        "separation": separation,
    }
    if (file is not None) + (wins is not None) + (job is not None) != 1:
        raise ArgumentError(
            "give either a FILE, or --wins with --trials, or --job; see: ebit score --help"
        )
    check_folder(out)
    from ebit.protocols import score, score_wins

    if job is not None:
        from ebit.protocols.scoring import score_provider_job

        with progress_bar(f"job {job}", quiet=quiet) as report:
            found = score_provider_job(
                job, progress=report, **_given(shared), bits=cast("BitOrder", bits)
            )
    elif file is not None:
        if trials is not None:
            raise ArgumentError("--trials goes with --wins; a FILE brings its own number of rounds")
        found = score(file, **shared, bits=cast("BitOrder", bits))
    else:
        if trials is None or wins is None:
            raise ArgumentError("--wins needs --trials, the number of rounds played")
        found = score_wins(wins, trials, **shared)
    return finish(found, out, as_json=as_json)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
