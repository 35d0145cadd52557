"""ebit bell."""

from __future__ import annotations

from pathlib import Path

import click

from ebit.cli.common import common, paid, qubit_list, shots_option
from ebit.cli.launch import Terms, launch


@click.command(name="bell")
@click.option(
    "--backend", default="aer", show_default=True, help="Where to run; see ebit backends."
)
@shots_option(100_000)
@click.option(
    "--settings",
    type=click.Choice(["per-shot", "per-circuit"]),
    default="per-shot",
    show_default=True,
    help="Settings drawn by coin qubits in every shot, or one circuit per setting.",
)
@click.option("--pair", type=qubit_list(), help="Physical qubits of Alice and Bob, such as 3,4.")
@click.option(
    "--qubits", type=qubit_list(), help="All physical qubits in order (per-shot: coin, A, B, coin)."
)
@click.option(
    "--state",
    type=click.Choice(["phi+", "phi-", "psi+", "psi-"]),
    default="phi+",
    show_default=True,
    help="The Bell state; measuring angles follow it.",
)
@click.option(
    "--angles",
    help="Measuring angles in degrees from Z in the XZ plane: A0,A1,B0,B1.",
)
@click.option("--swap", is_flag=True, help="Exchange Alice's and Bob's qubits.")
@click.option(
    "--tau",
    type=float,
    help="How far settings can be predicted beyond 1/2; at least the coins' bias if left out.",
)
@click.option(
    "--readout",
    is_flag=True,
    help="Measure readout errors in the same job; show S without them beside the raw value.",
)
@paid()
@common()
def command(
    *,
    backend: str,
    shots: int,
    settings: str,
    pair: tuple[int, ...] | None,
    qubits: tuple[int, ...] | None,
    state: str,
    angles: str | None,
    swap: bool,
    tau: float | None,
    readout: bool,
    yes: bool,
    no_wait: bool,
    max_seconds: float | None,
    seed: int | None,
    out: Path | None,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> int:
    """Run a Bell (CHSH) test and score it: S with its interval, evidence, and what it rests on.

    \b
    ebit bell --backend aer:fez --shots 1e5
    ebit bell --backend aer:fez --pair 3,4 --settings per-circuit --json
    ebit bell --backend ibm:ibm_fez --no-wait
    """
    del debug
    return launch(
        "bell",
        "Bell test",
        terms=Terms(yes, no_wait, max_seconds),
        out=out,
        as_json=as_json,
        quiet=quiet,
        backend=backend,
        shots=shots,
        pair=pair,
        qubits=qubits,
        seed=seed,
        options={
            "settings": settings,
            "state": state,
            "angles": parse_angles(angles),
            "swapped": swap,
            "tau": tau,
            "readout": readout,
        },
    )


def parse_angles(text: str | None) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Turn "0,90,45,-45" (degrees) into radians, per party."""
    if text is None:
        return None
    from math import isfinite, radians

    from ebit.games import ArgumentError

    try:
        a0, a1, b0, b1 = (radians(float(part)) for part in text.split(","))
    except ValueError:
        raise ArgumentError(
            f"--angles must be four numbers A0,A1,B0,B1, but was {text!r}"
        ) from None
    if not all(map(isfinite, (a0, a1, b0, b1))):
        raise ArgumentError(f"--angles must be finite, but was {text!r}")
    return (a0, a1), (b0, b1)
