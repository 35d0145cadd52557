"""ebit plan."""

from __future__ import annotations

from pathlib import Path

import click

from ebit.cli.common import check_folder, common, emit, progress_bar, save_json, whole_number
from ebit.games.errors import ArgumentError


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
@click.option(
    "--bits", type=whole_number(), help="Plan random bits instead: rounds by each method."
)
@click.option(
    "--epsilon",
    type=float,
    default=2.0**-40,
    show_default="2^-40",
    help="--bits: error given to each method.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="--bits: folder for a picture and the table."
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
    bits: int | None,
    epsilon: float,
    out: Path | None,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Say how many rounds a test needs for a p-value, for evidence, or for random bits.

    \b
    ebit plan --S 2.6
    ebit plan --S 2.6 --bits 10000 --out plan
    ebit plan --backend aer:fez
    """
    del debug
    from ebit.protocols import plan

    if bits is not None:
        _plan_bits(bits, game, s_value, win_rate, backend, epsilon, out, quiet, as_json)
        return
    if out is not None:
        raise ArgumentError("--out of ebit plan needs --bits: it is for the picture of entropy")

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


def _plan_bits(
    bits: int,
    game: str,
    S: float | None,
    win_rate: float | None,
    backend: str | None,
    epsilon: float,
    out: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Rounds for random bits by every method, as a table, and as a picture where a folder is named."""
    if game != "chsh":
        raise ArgumentError(f"--bits is understood for the game chsh, but --game was {game!r}")
    check_folder(out)
    from ebit.analysis.entropy_plan import entropy_curves
    from ebit.protocols.planning import expected_win_rate, plan_random

    rate = expected_win_rate("chsh", S=S, win_rate=win_rate, backend=backend)
    expected = S if S is not None else round(8 * rate - 4, 12)
    with progress_bar("planning", quiet=quiet) as report:
        found = plan_random(expected, bits, epsilon=epsilon)
        if out is not None:
            report.say("drawing")
            curves = entropy_curves(
                found.S, tuple(round(10 ** (k / 2)) for k in range(6, 17)), epsilon=epsilon
            )
            from ebit.plots.save import save_entropy_figure

            save_json(out / "plan.json", {**found.to_dict(), "curves": curves.to_dict()})
            save_entropy_figure(curves, out)
    emit(found.to_dict(), lambda: str(found), as_json=as_json)
