"""ebit rate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ebit.cli.common import check_folder, common, emit, progress_bar, save_json, whole_number
from ebit.games.errors import ArgumentError

if TYPE_CHECKING:
    from ebit.analysis.key_links import Link
    from ebit.analysis.key_rate_result import RateResult

PROTOCOLS = (
    "bb84",
    "bbm92",
    "e91",
    "six-state",
    "mdi",
    "decoy",
    "decoy-bb84",
    "diqkd",
    "conference",
)


class _Choice(click.ParamType):  # type: ignore[type-arg]
    """A number, or the word best."""

    name = "number|best"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | str:
        if value == "best":
            return "best"
        try:
            return float(value)
        except ValueError:
            self.fail(f'must be a number or "best", but was {value!r}', param, ctx)


@click.command(name="rate")
@click.option(
    "--protocol",
    type=click.Choice(PROTOCOLS),
    default="bb84",
    show_default=True,
    help="decoy: BB84 with weak pulses; diqkd: no device is trusted; conference: many parties.",
)
@click.option("--qber", type=float, help="Error rate of the key's basis, 0 to 0.5.")
@click.option("--test-qber", type=float, help="Endless runs: that of the test's basis, if another.")
@click.option(
    "--S", "s_value", type=float, help="diqkd: CHSH value; that of white noise if left out."
)
@click.option("--rounds", type=whole_number(), help="Signals sent; an endless run if left out.")
@click.option(
    "--epsilon", type=float, show_default="1e-10", help="Finite runs: error of the secrecy."
)
@click.option(
    "--theorem",
    type=click.Choice(["tomamichel-2012", "lim-2021"]),
    show_default="tomamichel-2012",
    help="Finite runs with trusted devices: what the length rests on.",
)
@click.option(
    "--test-fraction",
    type=float,
    show_default="the best",
    help="Finite diqkd: share of rounds that test.",
)
@click.option(
    "--noise", type=_Choice(), help="Endless runs: how often Alice flips raw bits, or best."
)
@click.option(
    "--asymmetry", type=_Choice(), help="Endless diqkd: weight of the CHSH terms, or best."
)
@click.option(
    "--f", type=float, help="Reconciliation tells f times the entropy of the errors; 1 if endless."
)
@click.option("--km", type=float, help="bb84, bbm92, decoy: length of the fibre.")
@click.option("--loss", type=float, show_default="0.2", help="Of the fibre, dB per km.")
@click.option(
    "--detector-efficiency", type=float, show_default="0.2", help="Photons that are counted."
)
@click.option("--dark-rate", type=float, show_default="100", help="False counts per second.")
@click.option("--window", type=float, show_default="1e-9", help="Seconds that belong to a signal.")
@click.option(
    "--misalignment", type=float, show_default="0.01", help="Error rate of photons that arrive."
)
@click.option(
    "--pair-rate",
    "--pulse-rate",
    "signal_rate",
    type=float,
    help="Pairs or pulses per second, for bits per second.",
)
@common(seed=False)
def command(
    *,
    protocol: str,
    qber: float | None,
    test_qber: float | None,
    s_value: float | None,
    rounds: int | None,
    epsilon: float | None,
    theorem: str | None,
    test_fraction: float | None,
    noise: Any,
    asymmetry: Any,
    f: float | None,
    km: float | None,
    loss: float | None,
    detector_efficiency: float | None,
    dark_rate: float | None,
    window: float | None,
    misalignment: float | None,
    signal_rate: float | None,
    out: Path | None,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Say how much key a protocol gives, without running anything.

    An endless run unless --rounds is given: then the length is a theorem's, for so many signals sent,
    with the best bias of the bases. Over fibre (--km) loss and detectors decide; photon sources are no
    gate circuits, so those figures are computed, not simulated.

    \b
    ebit rate --protocol bb84 --qber .05
    ebit rate --protocol bb84 --qber .02 --rounds 1000000 --epsilon 1e-10
    ebit rate --protocol decoy --km 50 --rounds 1e10 --out rates
    ebit rate --protocol diqkd --S 2.64 --qber .018 --rounds 1500000
    """
    del debug
    given = {
        "loss": loss,
        "detector_efficiency": detector_efficiency,
        "dark_rate": dark_rate,
        "window": window,
        "misalignment": misalignment,
    }
    for name, value in given.items():
        if value is not None and km is None:
            raise ArgumentError(f"--{name.replace('_', '-')} describes a link: give --km too")
    check_folder(out)
    from ebit.analysis.key_links import Link
    from ebit.analysis.key_rates import key_rate

    link = None
    if km is not None:
        own = {name: value for name, value in given.items() if value is not None}
        link = Link(km, signal_rate=signal_rate, **own)
    with progress_bar("rates", quiet=quiet) as report:
        found = key_rate(
            "decoy" if protocol == "decoy-bb84" else protocol,
            qber=qber,
            test_qber=test_qber,
            S=s_value,
            rounds=rounds,
            epsilon=epsilon,
            theorem=theorem,
            noise=noise,
            asymmetry=asymmetry,
            test_fraction=test_fraction,
            f=f,
            link=link,
            signal_rate=signal_rate if link is None else None,
        )
        if out is not None:
            _save(found, link, test_fraction, out, report)
    emit(found.to_dict(), lambda: str(found), as_json=as_json)


def _save(
    found: RateResult, link: Link | None, test_fraction: float | None, out: Path, report: Any
) -> None:
    """Write results.json, rates.csv and the picture; all are made before the first is written."""
    from ebit.analysis.key_rate_curves import rate_curves
    from ebit.games import write_whole
    from ebit.plots.rates import save_rate_figure

    curves = rate_curves(found, link=link, test_fraction=test_fraction, progress=report)
    save_rate_figure(curves, out)
    save_json(out / "results.json", {**found.to_dict(), "curves": curves.to_dict()})
    write_whole(out / "rates.csv", curves.csv())
