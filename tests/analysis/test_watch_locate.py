"""Where a change happened: against products one by one, and against changes that were made."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebit.analysis.watch_detector import ChangeDetector
from ebit.analysis.watch_guarantee import watch_rates
from ebit.analysis.watch_locate import locate_change
from ebit.games import ArgumentError


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.sampled_from([2.0, 100.0]))
@settings(deadline=None)
def test_likelihoods_one_by_one(passed: list[bool], ratio: float) -> None:
    q0 = 0.02
    rates = watch_rates("xz", q0)
    found = locate_change(passed, q0=q0, rates=rates, ratio=ratio)
    values = [
        sum(math.prod((1 - q) / (1 - q0) if x else q / q0 for x in passed[k:]) for q in rates)
        for k in range(len(passed))
    ]
    assert values[found.round - 1] == pytest.approx(max(values))
    likely = [k for k, value in enumerate(values, 1) if value >= max(values) / ratio * (1 + 1e-9)]
    assert found.low <= min(likely, default=found.low)
    assert found.high >= max(likely, default=found.high)
    assert values[found.low - 1] >= max(values) / ratio * (1 - 1e-9)
    # the sum of them is what the detector holds
    detector = ChangeDetector("xz", q0, c=1e200)
    detector.feed(passed)
    assert detector.evidence == pytest.approx(sum(values) / len(rates), rel=1e-12)


def test_changes_that_were_made_are_found() -> None:
    rng = np.random.default_rng(75)
    inside, off = 0, []
    for _ in range(300):
        change = int(rng.integers(100, 2000))
        rounds = np.r_[rng.random(change) >= 0.02, rng.random(3000) >= 0.26]
        detector = ChangeDetector("xz", 0.02, c=1e7)
        rounds = rounds[: detector.feed(rounds)]
        found = locate_change(rounds, q0=0.02, rates=detector.rates)
        inside += found.low <= change + 1 <= found.high
        off.append(found.round - change - 1)
    assert inside >= 0.95 * 300
    assert abs(float(np.median(off))) <= 3
    assert np.percentile(np.abs(off), 90) < 25


def test_plain_data_and_bad_input() -> None:
    found = locate_change([1, 1, 0, 0], q0=0.02, rates=[0.26])
    assert json.loads(json.dumps(found.to_dict()))["round"] == 3
    assert "change at round 3 of 4" in str(found)
    for arguments in (
        {"passed": []},
        {"passed": [math.nan]},
        {"q0": 0.0},
        {"rates": []},
        {"rates": [0.01]},
        {"rates": [math.nan]},
        {"ratio": 0.5},
        {"ratio": math.nan},
    ):
        full = {"passed": [1, 0], "q0": 0.02, "rates": [0.26], **arguments}
        with pytest.raises(ArgumentError):
            locate_change(full.pop("passed"), **full)  # type: ignore[arg-type]
