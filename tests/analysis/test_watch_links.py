"""e-BH: against its definition, and its false discovery rate under dependence."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebit.analysis.watch_detector import ChangeDetector
from ebit.analysis.watch_links import e_bh, horizon_log_e
from ebit.games import ArgumentError

values = st.floats(-50, 50) | st.just(-math.inf) | st.just(math.inf)


@given(st.lists(values, min_size=1, max_size=12), st.sampled_from([0.01, 0.1, 0.5]))
@settings(deadline=None)
def test_it_is_the_largest_set_that_vouches_for_itself(logs: list[float], alpha: float) -> None:
    m = len(logs)
    found = e_bh({str(i): x for i, x in enumerate(logs)}, alpha=alpha)
    size = 0
    for k in range(1, m + 1):  # the k-th largest is at least m / (k alpha)
        if sorted(logs, reverse=True)[k - 1] >= math.log(m) - math.log(k) - math.log(alpha):
            size = k
    assert len(found.flagged) == size
    held = sorted((logs[int(name)] for name in found.flagged), reverse=True)
    assert held == sorted(logs, reverse=True)[:size]
    assert all(logs[int(name)] >= found.log_bar for name in found.flagged)
    rest = set(found.links) - set(found.flagged)
    assert all(logs[int(name)] < math.log(m / (size + 1) / alpha) + 1e-9 for name in rest)
    assert found.links == tuple(str(i) for i in range(m))


@pytest.mark.parametrize("common", [0.0, 0.7, 1.0])
def test_false_discoveries_are_bounded_however_links_depend(common: float) -> None:
    rng = np.random.default_rng(65)
    alpha, m, honest, share, hits = 0.2, 10, 6, 0.0, 0
    runs = 3000
    for _ in range(runs):
        shared, own = rng.normal(), rng.normal(size=m)
        noise = common * shared + math.sqrt(1 - common**2) * own
        logs = 2.0 * noise - 2.0  # exp has mean 1
        logs[honest:] += 5.0
        flagged = e_bh({str(i): float(x) for i, x in enumerate(logs)}, alpha=alpha).flagged
        false = sum(int(name) < honest for name in flagged)
        share += false / max(len(flagged), 1)
        hits += len(flagged) - false
    assert share / runs <= alpha * honest / m  # the bound is alpha times the share of honest links
    assert hits > runs / 2


def test_change_detectors_of_links() -> None:
    rng = np.random.default_rng(66)
    logs = {}
    for i in range(20):
        detector = ChangeDetector("xz", 0.02, c=1e9)
        detector.feed(rng.random(1000) >= (0.26 if i in {3, 7} else 0.02))
        logs[f"link {i}"] = horizon_log_e(detector.evidence, 1000)
    found = e_bh(logs, alpha=0.05)
    assert set(found.flagged) == {"link 3", "link 7"}
    assert json.loads(json.dumps(found.to_dict()))["flagged"] == list(found.flagged)
    assert "2 of 20 links reported" in str(found)
    assert "none" in str(e_bh({"a": 0.0}, alpha=0.05))


def test_bad_input() -> None:
    for logs in ({}, {"a": math.nan}):
        with pytest.raises(ArgumentError, match="log_e"):
            e_bh(logs, alpha=0.1)
    with pytest.raises(ArgumentError, match="alpha"):
        e_bh({"a": 1.0}, alpha=0)
    for evidence, horizon in ((-1.0, 10), (math.nan, 10), (1.0, 0)):
        with pytest.raises(ArgumentError):
            horizon_log_e(evidence, horizon)
    assert horizon_log_e(0.0, 10) == -math.inf
