"""False discoveries: by hand on small cases, by simulation on dependent ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from ebit.analysis.discovery import discover_by_e, discover_by_p
from ebit.games import ArgumentError

# Benjamini and Hochberg (1995), section 3.2: the fifteen p-values of the rt-PA trial.
TRIAL = [.0001, .0004, .0019, .0095, .0201, .0278, .0298, .0344, .0459, .324, .4262, .5719, .6528, .759, 1.0]  # fmt: skip


def test_the_example_of_benjamini_and_hochberg() -> None:
    """They reject four hypotheses at .05, where Bonferroni rejects three."""
    found = discover_by_p(np.log10(TRIAL), 0.05, independent=True).found
    assert found.tolist() == [True] * 4 + [False] * 11
    assert sum(p <= 0.05 / 15 for p in TRIAL) == 3


def test_any_dependence_costs_a_logarithm() -> None:
    price = sum(1 / i for i in range(1, 16))
    found = discover_by_p(np.log10(TRIAL), 0.05).found
    again = discover_by_p(np.log10(TRIAL), 0.05 / price, independent=True).found
    assert found.tolist() == again.tolist()


def test_order_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    logs = rng.uniform(-6, 0, 40)
    order = rng.permutation(40)
    assert (discover_by_p(logs[order], 0.1).found == discover_by_p(logs, 0.1).found[order]).all()
    assert (discover_by_e(-logs[order], 0.1).found == discover_by_e(-logs, 0.1).found[order]).all()


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0, float("nan")])
def test_levels(level: float) -> None:
    with pytest.raises(ArgumentError, match="level must lie in"):
        discover_by_p([-1.0], level)
    with pytest.raises(ArgumentError, match="level must lie in"):
        discover_by_e([1.0], level)


def test_nothing_to_find() -> None:
    assert discover_by_p([], 0.05).found.shape == (0,)
    assert not discover_by_e([0.0, -1.0], 0.05).found.any()


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.95])
def test_the_rate_is_kept_under_dependence(correlation: float) -> None:
    """60 of 80 nulls true, all statistics correlated: the mean false share is at most .1."""
    rng = np.random.default_rng(7)
    runs, m, nulls, level = 4000, 80, 60, 0.1
    shares = {"p": np.zeros(runs), "e": np.zeros(runs)}
    lift = 2.5
    for i in range(runs):
        common = rng.normal()
        z = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * rng.normal(size=m)
        z[nulls:] += lift
        by_p = discover_by_p(norm.logsf(z) / np.log(10), level).found
        # Likelihood ratios are e-values of the null.
        by_e = discover_by_e((lift * z - lift**2 / 2) / np.log(10), level).found
        for name, found in (("p", by_p), ("e", by_e)):
            shares[name][i] = found[:nulls].sum() / max(1, found.sum())
    for share in shares.values():
        assert share.mean() <= level + 3 * share.std() / np.sqrt(runs)
