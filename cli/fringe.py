"""ebit fringe."""

from __future__ import annotations

from math import isfinite, radians
from pathlib import Path

import click

from ebit.cli.common import common, paid, qubit_list, shots_option
from ebit.cli.launch import Terms, launch


@click.command(name="fringe")
@click.option(
    "--backend", default="aer", show_default=True, help="Where to run; see ebit backends."
)
@shots_option(25_000)
@click.option(
    "--points",
    type=click.IntRange(3, 256),
    default=25,
    show_default=True,
    help="Number of Bob's angles, from 0 to 360 degrees.",
)
@click.option(
    "--alice",
    type=float,
    default=0.0,
    show_default=True,
    help="Alice's angle in degrees from Z in the XZ plane.",
)
@click.option(
    "--state",
    type=click.Choice(["phi+", "phi-", "psi+", "psi-", "product"]),
    default="phi+",
    show_default=True,
    help="The pair's state; product is |00>, which has no entanglement.",
)
@click.option("--pair", type=qubit_list(), help="Physical qubits of Alice and Bob, such as 3,4.")
@paid()
@common()
def command(
    *,
    backend: str,
    shots: int,
    points: int,
    alice: float,
    state: str,
    pair: tuple[int, ...] | None,
    yes: bool,
    no_wait: bool,
    max_seconds: float | None,
    seed: int | None,
    out: Path | None,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> int:
    """Sweep Bob's angle and fit the fringe: correlators with intervals, and the visibility.

    \b
    ebit fringe --backend aer:fez --points 25
    ebit fringe --alice 45 --state psi- --json

    A fringe alone proves no entanglement: try --state product, then --alice 90.
    """
    del debug
    if not isfinite(alice):
        from ebit.games import ArgumentError

        raise ArgumentError(f"--alice must be a finite angle in degrees, but was {alice}")
    return launch(
        "fringe",
        "fringe",
        terms=Terms(yes, no_wait, max_seconds),
        out=out,
        as_json=as_json,
        quiet=quiet,
        backend=backend,
        shots=shots,
        pair=pair,
        seed=seed,
        options={"points": points, "alice": radians(alice), "state": state},
    )
