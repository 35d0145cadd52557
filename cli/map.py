"""ebit map."""

from __future__ import annotations

from pathlib import Path

import click

from ebit.cli.common import common, paid, shots_option
from ebit.cli.launch import Terms, launch


@click.command(name="map")
@click.option(
    "--backend", default="aer:fez", show_default=True, help="Where to run; see ebit backends."
)
@shots_option(4096, "Rounds per pair, over its four settings.")
@click.option(
    "--mode",
    type=click.Choice(["simultaneous", "separated", "both"]),
    default="simultaneous",
    show_default=True,
    help="All pairs of a group at once, no two neighbours at once, or both: cross-talk.",
)
@click.option(
    "--settings",
    type=click.Choice(["per-circuit", "per-shot"]),
    default="per-circuit",
    show_default=True,
    help="One circuit per setting, or coin qubits where a pair has neighbours for them.",
)
@click.option("--pairs", help="Pairs to test, such as 3-4,4-5; all coupled ones if left out.")
@click.option(
    "--fdr",
    type=float,
    default=0.05,
    show_default=True,
    help="Largest expected share of false ones among the pairs called violating.",
)
@click.option("--no-readout", is_flag=True, help="Do not measure readout errors beside the pairs.")
@paid()
@common()
def command(
    *,
    backend: str,
    shots: int,
    mode: str,
    settings: str,
    pairs: str | None,
    fdr: float,
    no_readout: bool,
    yes: bool,
    no_wait: bool,
    max_seconds: float | None,
    seed: int | None,
    out: Path | None,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> int:
    """Run a Bell (CHSH) test on every coupled pair of a chip, each on its own physical qubits.

    \b
    ebit map --backend aer:fez --shots 4096 --out chip
    ebit map --backend cirq:willow_pink --mode both
    ebit map --backend ibm:ibm_fez --pairs 3-4,4-5 --no-wait
    """
    del debug
    return launch(
        "map",
        f"map of {backend}",
        terms=Terms(yes, no_wait, max_seconds),
        out=out,
        as_json=as_json,
        quiet=quiet,
        backend=backend,
        shots=shots,
        seed=seed,
        options={
            "mode": mode,
            "settings": settings,
            "pairs": parse_pairs(pairs),
            "fdr": fdr,
            "readout": not no_readout,
        },
    )


def parse_pairs(text: str | None) -> list[tuple[int, int]] | None:
    """Turn "3-4,4-5" into pairs of qubits."""
    if text is None:
        return None
    from ebit.games import ArgumentError

    found = []
    for word in text.split(","):
        first, dash, second = word.strip().partition("-")
        if not (dash and first.strip().isdecimal() and second.strip().isdecimal()):
            raise ArgumentError(f"--pairs must be pairs such as 3-4,4-5, but was {text!r}")
        found.append((int(first), int(second)))
    return found
