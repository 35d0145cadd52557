"""Decoy states: bounds against what a source of known photon numbers does, and linear programming."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from ebit.analysis.key_asymptotic import binary_entropy
from ebit.analysis.key_decoy import (
    _phase_error,
    best_decoy,
    decoy_asymptotic,
    decoy_gain,
    decoy_length,
)
from ebit.games import ArgumentError

MU, ODDS = (0.6, 0.2, 2e-4), (0.7, 0.2, 0.1)


def expected(
    pulses: float, eta: float, dark: float, error: float
) -> tuple[list[float], list[float]]:
    gains = [decoy_gain(mu, eta, dark, error) for mu in MU]
    return (
        [pulses * p * gain for p, (gain, _) in zip(ODDS, gains, strict=True)],
        [pulses * p * wrong for p, (_, wrong) in zip(ODDS, gains, strict=True)],
    )


def truth(pulses: float, eta: float, dark: float, error: float) -> tuple[float, float, float]:
    """Detections without a photon and with one, and the error rate of the latter."""
    vacuum = 1 - (1 - dark) ** 2
    one = eta + vacuum * (1 - eta)
    wrong = vacuum / 2 * (1 - eta) + (error + (1 - 2 * error) * dark / 2) * eta
    none = sum(p * math.exp(-mu) for p, mu in zip(ODDS, MU, strict=True))
    single = sum(p * math.exp(-mu) * mu for p, mu in zip(ODDS, MU, strict=True))
    return pulses * none * vacuum, pulses * single * one, wrong / one


@pytest.mark.parametrize("eta", [0.5, 0.02, 0.001])
@pytest.mark.parametrize("dark", [1e-5, 1e-7, 0.0])
@pytest.mark.parametrize("error", [0.0, 0.02])
@pytest.mark.parametrize("pulses", [1e9, 1e12])
def test_bounds_hold(eta: float, dark: float, error: float, pulses: float) -> None:
    key, _ = expected(0.8 * pulses, eta, dark, error)
    test, bad = expected(0.05 * pulses, eta, dark, error)
    found = decoy_length(key, test, bad, intensities=MU, odds=ODDS, leak=0.0)
    vacuum, single, phase = truth(0.8 * pulses, eta, dark, error)
    assert found.vacuum <= vacuum + 1e-6
    assert found.single <= single
    assert found.phase_error >= phase
    if pulses == 1e12 and eta == 0.5:
        assert found.single > 0.9 * single


def test_single_photons_against_linear_programming() -> None:
    # The fewest single photons that yields Y_n in [0, 1] allow with these gains.
    eta, dark, error, pulses = 0.05, 1e-6, 0.01, 1e15
    key, _ = expected(pulses, eta, dark, error)
    photons = np.arange(25)
    weights = np.array([stats.poisson.pmf(photons, mu) for mu in MU])
    gains = [count / (pulses * p) for count, p in zip(key, ODDS, strict=True)]
    program = optimize.linprog(
        np.eye(25)[1],
        A_eq=weights,
        b_eq=gains,
        bounds=[(0, 1)] * 25,
        options={"primal_feasibility_tolerance": 1e-10},
    )
    assert program.success
    found = decoy_length(key, key, [1.0, 1.0, 1.0], intensities=MU, odds=ODDS, leak=0.0)
    share = sum(p * math.exp(-mu) * mu for p, mu in zip(ODDS, MU, strict=True))
    fewest = program.x[1] * share * pulses
    assert 0.97 * fewest < found.single <= 1.001 * fewest


def test_length_from_its_parts() -> None:
    key, _ = expected(8e9, 0.05, 1e-6, 0.01)
    test, bad = expected(5e8, 0.05, 1e-6, 0.01)
    leak, eps_sec, eps_cor = 1e6, 1e-9, 1e-12
    found = decoy_length(
        key, test, bad, intensities=MU, odds=ODDS, leak=leak, eps_sec=eps_sec, eps_cor=eps_cor
    )
    bits = found.vacuum + found.single * (1 - binary_entropy(found.phase_error)) - leak
    bits -= 6 * math.log2(21 / eps_sec) + math.log2(2 / eps_cor)
    assert found.bits == pytest.approx(bits, abs=1e-6)
    assert found.length == math.floor(bits)


@pytest.mark.parametrize("errors", [0, 5, 100, 1000])
def test_few_errors_of_the_sample(errors: int) -> None:
    # The sample of d has so few errors although the rest has the bound's: at most (eps / 21)^2.
    eps, d, c = 1e-4, 20_000, 60_000
    bound = _phase_error(float(errors), float(d), float(c), eps)
    wrong = errors + math.ceil(bound * c)
    log = float(stats.hypergeom.logcdf(errors, c + d, wrong, d))
    assert log <= 2 * math.log(eps / 21) + 1e-9
    assert bound > errors / d


def test_the_papers_expression_fails_at_few_errors() -> None:
    # Why the bound is raised: eq. 5 of PRA 89, 022307 at 20 errors misses its own level by far.
    eps, d, c, errors = 1e-4, 20_000, 60_000, 20
    b = errors / d
    inner = (c + d) / (c * d * (1 - b) * b) * (21 / eps) ** 2
    paper = b + math.sqrt((c + d) * (1 - b) * b / (c * d * math.log(2)) * math.log2(inner))
    wrong = errors + math.ceil(paper * c)
    log = float(stats.hypergeom.logcdf(errors, c + d, wrong, d))
    assert log > 2 * math.log(eps / 21) + 1
    assert _phase_error(20.0, float(d), float(c), eps) > paper


def test_many_errors_stay_near_the_paper() -> None:
    eps, d, c, b = 1e-10, 1e8, 1e9, 0.02
    inner = (c + d) / (c * d * (1 - b) * b) * (21 / eps) ** 2
    paper = b + math.sqrt((c + d) * (1 - b) * b / (c * d * math.log(2)) * math.log2(inner))
    # Hoeffding's bound has no polynomial factor: its margin is a fifth wider.
    assert paper < _phase_error(b * d, d, c, eps) < b + 1.25 * (paper - b)


def test_gain_against_a_simulated_detector() -> None:
    rng = np.random.default_rng(11)
    mu, eta, dark, error, n = 0.5, 0.4, 0.03, 0.05, 400_000
    # All photons of a pulse go the same way; either detector may click by itself.
    arrived = rng.poisson(mu * eta, n) > 0
    side = rng.random(n) < error
    right = (arrived & ~side) | (rng.random(n) < dark)
    wrong = (arrived & side) | (rng.random(n) < dark)
    clicked = right | wrong
    bad = np.where(right & wrong, rng.random(n) < 0.5, wrong) & clicked
    gain, share = decoy_gain(mu, eta, dark, error)
    assert clicked.mean() == pytest.approx(gain, abs=4 * math.sqrt(gain / n))
    assert bad.mean() == pytest.approx(share, abs=4 * math.sqrt(share / n))


def test_long_runs_approach_the_endless_one() -> None:
    at = 0.1, 1e-6, 0.01
    rates = [best_decoy(10**e, *at).found.length / 10**e for e in (8, 10, 12, 15)]
    assert rates == sorted(rates)
    endless, _ = decoy_asymptotic(*at)
    assert 0.85 * endless < rates[-1] < endless


def test_the_optimum_is_one() -> None:
    plan = best_decoy(10**9, 0.05, 1e-6, 0.01)
    assert plan.found.length > 0
    total = plan.pulses
    rng = np.random.default_rng(4)
    for _ in range(200):
        size = 10 ** rng.uniform(-3, -0.7)
        bias = 1 - (1 - plan.key_bias) * math.exp(size * rng.normal())
        mu = (
            plan.intensities[0] * math.exp(size * rng.normal()),
            plan.intensities[1] * math.exp(size * rng.normal()),
            plan.intensities[2],
        )
        raw = [p * math.exp(size * rng.normal()) for p in plan.odds]
        odds = [p / sum(raw) for p in raw]
        gains = [decoy_gain(m, 0.05, 1e-6, 0.01) for m in mu]
        key = [total * bias**2 * p * g for p, (g, _) in zip(odds, gains, strict=True)]
        test = [total * (1 - bias) ** 2 * p * g for p, (g, _) in zip(odds, gains, strict=True)]
        bad = [total * (1 - bias) ** 2 * p * w for p, (_, w) in zip(odds, gains, strict=True)]
        wrong = sum(total * bias**2 * p * w for p, (_, w) in zip(odds, gains, strict=True))
        leak = 1.1 * sum(key) * binary_entropy(wrong / sum(key))
        found = decoy_length(key, test, bad, intensities=mu, odds=odds, leak=leak)
        assert found.bits <= plan.found.bits * (1 + 1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"intensities": (0.5, 0.1)}, "three numbers"),
        ({"intensities": (0.3, 0.2, 0.15)}, "mu1 > mu2"),
        ({"odds": (0.5, 0.5, 0.5)}, "sum 1"),
        ({"eps_sec": 0.0}, "`eps_sec`"),
        ({"key_counts": (1.0, -1.0, 1.0)}, "at least 0"),
    ],
)
def test_refusals(change: dict[str, object], words: str) -> None:
    good: dict[str, object] = {
        "key_counts": (100.0, 100.0, 100.0),
        "test_counts": (100.0, 100.0, 100.0),
        "test_errors": (1.0, 1.0, 1.0),
        "intensities": MU,
        "odds": ODDS,
        "leak": 0.0,
    }
    with pytest.raises(ArgumentError, match=words):
        decoy_length(**{**good, **change})  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="dark-count"):
        best_decoy(1000, 0.1, 0.7, 0.01)
