"""ebit plan."""

from __future__ import annotations

import click

from ebit.cli.common import common, emit


@click.command(name="plan")
@click.option("--game", default="chsh", show_default=True, help="The game to be played.")
@click.option("--S", "s_value", type=float, help="Expected S (sum of signed correlators).")
@click.option("--win-rate", type=float, help="Expected win rate, in place of --S.")
@click.option("--backend", help="Predict the win rate from this backend's calibration instead.")
@click.option("--p", "p_value", type=float, default=1e-6, show_default=True, help="p-value wanted.")
@click.option(
    "--evidence", type=float, default=1e6, show_default=True, help="e-value wanted (10^6 : 1)."
)
@click.option(
    "--power", type=float, default=0.9, show_default=True, help="Chance of reaching the p-value."
)
@click.option(
    "--tau", type=float, default=0.0, show_default=True, help="Predictability of settings."
)
@common(seed=False, out=False)
def command(
    *,
    game: str,
    s_value: float | None,
    win_rate: float | None,
    backend: str | None,
    p_value: float,
    evidence: float,
    power: float,
    tau: float,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Say how many rounds a test needs for a p-value or for an amount of evidence.

    \b
    ebit plan --S 2.6
    ebit plan --backend aer:fez
    """
    del quiet, debug
    from ebit.protocols import plan

    found = plan(
        game,
        S=s_value,
        win_rate=win_rate,
        backend=backend,
        p_value=p_value,
        evidence=evidence,
        power=power,
        tau=tau,
    )
    emit(found.to_dict(), lambda: str(found), as_json=as_json)
