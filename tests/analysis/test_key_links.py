"""Keys over fibre: losses and counts against a simulated line, and the bound without repeaters."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from ebit.analysis.key_asymptotic import binary_entropy
from ebit.analysis.key_decoy import best_decoy, decoy_gain
from ebit.analysis.key_links import DECOY, PAIR, SINGLE, Link, link_rate, repeaterless_bound
from ebit.analysis.key_plan import plan_key
from ebit.games import ArgumentError

SOURCES = (SINGLE, DECOY, PAIR)


def test_loss_of_a_fibre() -> None:
    assert Link(50).fibre == pytest.approx(0.1)
    assert Link(100, loss=0.16).fibre == pytest.approx(10**-1.6)
    assert Link(50, detector_efficiency=0.5).transmittance == pytest.approx(0.05)
    assert Link(0, dark_rate=1000, window=2e-9).dark == pytest.approx(2e-6)


def test_repeaterless_bound() -> None:
    # Pirandola et al. 2017: 1 bit at 3 dB, 1.44 eta at long distances.
    assert repeaterless_bound(0.5) == 1.0
    assert repeaterless_bound(1e-6) == pytest.approx(1e-6 / math.log(2), rel=1e-5)
    assert repeaterless_bound(0.0) == 0.0
    assert repeaterless_bound(1.0) == math.inf


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("km", [1, 20, 80, 160])
def test_no_rate_is_above_the_bound(source: str, km: float) -> None:
    link = Link(km, detector_efficiency=1.0, dark_rate=0.0, misalignment=0.0)
    found = link_rate(source, link, f=1.0)
    assert 0 < found.key_per_signal <= found.bound
    assert found.key_per_second == pytest.approx(found.key_per_signal * found.signal_rate)


@pytest.mark.parametrize("source", SOURCES)
def test_rates_fall_with_distance_and_end(source: str) -> None:
    rates = [link_rate(source, Link(km)).key_per_second for km in range(0, 500, 50)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 0
    assert rates[-1] == 0  # dark counts
    json.dumps(link_rate(source, Link(0)).to_dict(), allow_nan=False)


def test_single_photons() -> None:
    link = Link(50, detector_efficiency=0.5, dark_rate=1000.0, misalignment=0.02)
    found = link_rate(SINGLE, link, f=1.2)
    eta, dark = 0.05, 1e-6
    vacuum = 1 - (1 - dark) ** 2
    gain = 1 - (1 - eta) * (1 - vacuum)
    assert found.detected == pytest.approx(gain)
    wrong = vacuum / 2 * (1 - eta) + (0.02 + 0.96 * dark / 2) * eta
    assert found.qber == pytest.approx(wrong / gain)
    assert found.key_per_signal == pytest.approx(gain * (1 - 2.2 * binary_entropy(wrong / gain)))
    assert found.key_per_second == pytest.approx(1e9 * found.key_per_signal)


def test_pairs_against_a_simulated_line() -> None:
    # Clicks as Poisson streams cut into windows of tau; a coincidence is a click on both sides.
    link = Link(
        10, detector_efficiency=0.3, dark_rate=2e6, window=1e-9, misalignment=0.03, signal_rate=4e7
    )
    found = link_rate(PAIR, link)
    arm = math.sqrt(link.fibre) * 0.3
    rng = np.random.default_rng(8)
    n = 10_000_000
    pairs = rng.integers(0, n, rng.poisson(n * found.signal_rate * link.window))
    at_a, at_b = rng.random(len(pairs)) < arm, rng.random(len(pairs)) < arm
    both = len(np.unique(pairs[at_a & at_b]))
    dark = 2 * link.dark
    a = np.concatenate([pairs[at_a], rng.integers(0, n, rng.poisson(n * dark))])
    b = np.concatenate([pairs[at_b], rng.integers(0, n, rng.poisson(n * dark))])
    total = len(np.intersect1d(a, b))
    expected = found.detected * found.signal_rate * link.window * n
    assert total == pytest.approx(expected, abs=4 * math.sqrt(expected))
    wrong = (0.03 * both + (total - both) / 2) / total
    assert found.qber == pytest.approx(wrong, abs=0.002)


def test_the_best_rate_of_pairs() -> None:
    best = link_rate(PAIR, Link(40))
    for factor in (0.3, 0.8, 1.25, 3):
        other = link_rate(PAIR, Link(40, signal_rate=best.signal_rate * factor))
        assert other.key_per_second <= best.key_per_second


@pytest.mark.parametrize("source", [SINGLE, PAIR])
def test_finite_runs_are_planned(source: str) -> None:
    found = link_rate(source, Link(30), rounds=10**8)
    name = "bb84" if source == SINGLE else "bbm92"
    plan = plan_key(name, 10**8, qber=found.qber, success=found.detected, f=1.1)
    assert found.key_bits == plan.length > 0
    assert found.key_per_signal < link_rate(source, Link(30)).key_per_signal


def test_finite_decoys() -> None:
    link = Link(30)
    found = link_rate(DECOY, link, rounds=10**9)
    plan = best_decoy(10**9, link.transmittance, link.dark, link.misalignment)
    assert found.key_bits == plan.found.length > 0
    detected = sum(
        p * decoy_gain(mu, link.transmittance, link.dark, link.misalignment)[0]
        for p, mu in zip(plan.odds, plan.intensities, strict=True)
    )
    assert found.detected == pytest.approx(detected)
    assert found.key_per_signal < link_rate(DECOY, link).key_per_signal


def test_single_photons_beat_weak_pulses() -> None:
    for km in (0, 50, 150):
        assert (
            link_rate(SINGLE, Link(km)).key_per_signal > link_rate(DECOY, Link(km)).key_per_signal
        )


def test_nothing_arrives() -> None:
    for source in SOURCES:
        for rounds in (None, 10**6):
            found = link_rate(source, Link(10, detector_efficiency=0.0, dark_rate=0), rounds=rounds)
            assert found.key_per_second == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"km": -1.0}, "km must be at least 0 kilometres"),
        ({"km": math.nan}, "km"),
        ({"loss": -0.1}, "loss must be at least 0 dB per km"),
        ({"detector_efficiency": 1.2}, "`detector_efficiency`"),
        ({"dark_rate": math.inf}, "dark_rate must be at least 0 per second"),
        ({"dark_rate": 1e9}, "below one half per window"),
        ({"misalignment": 0.6}, "misalignment must be an error rate"),
        ({"window": 0.0}, "window must be seconds"),
        ({"signal_rate": 0.0}, "signal_rate must be above 0"),
    ],
)
def test_refusals(change: dict[str, float], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        Link(**{"km": 10.0, **change})


def test_refused_rates() -> None:
    with pytest.raises(ArgumentError, match="source must be"):
        link_rate("candle", Link(1))
    with pytest.raises(ArgumentError, match="f must be at least 1"):
        link_rate(SINGLE, Link(1), f=0.5)
