"""Attacks on the gate of entropy certificates: each of them worked once."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ebit.analysis import Score, score
from ebit.analysis.certifying import CertificatePlan, certify, plan_certificate
from ebit.games import ArgumentError, RefusedError, Trials, chsh

Floats = npt.NDArray[np.float64]
EPSILON, RUNS = 0.05, 10_000
LIMIT = EPSILON + 3 * math.sqrt(EPSILON * (1 - EPSILON) / RUNS)


def trials_of(x: Any, y: Any, a: Any, b: Any) -> Trials:
    return Trials.from_rounds(
        np.stack([x, y], 1),
        np.stack([a, b], 1),
        shape=((2, 2), (2, 2)),
        chosen="per-shot",
        source="device",
    )


def scored(trials: Trials, plan: CertificatePlan) -> Score:
    return score(
        trials, chsh(), minus="game", tau=plan.tau, separation="one chip", randomness="device"
    )


def _passes(design: Any, wins: int, n: int) -> bool:
    if hasattr(design, "plan"):
        return bool(design.plan.entropy(wins, n).passed)
    return bool(design.entropy_of_wins(wins, n).accepted)


def drawn(n: int, law: npt.ArrayLike, seed: int = 1) -> tuple[Any, Any]:
    z = np.random.default_rng(seed).choice(4, n, p=np.asarray(law).ravel())
    return z >> 1, z & 1


def test_settings_that_foresee_themselves_are_refused() -> None:
    """Sequences that a device can predict, declared as fresh choices."""
    rng = np.random.default_rng(3)
    n = 40_000
    x = np.cumsum(rng.random(n) < 0.1) % 2
    a, lost = rng.integers(0, 2, n), rng.random(n) > 0.83
    for y in (rng.integers(0, 2, n), np.roll(x, 1)):
        with pytest.raises(ArgumentError, match="declared per-shot"):
            trials_of(x, y, a, a ^ (x & y) ^ lost)


def test_coins_that_agree_on_the_easy_questions() -> None:
    """All outputs 0, S = 2: the coins ask the question that is lost less often, marginals right."""
    n = 5000
    plan = plan_certificate("pef", n, wins=0.82, epsilon=2**-20)
    x, y = drawn(n, [[0.17, 0.33], [0.33, 0.17]])
    trials = trials_of(x, y, 0 * x, 0 * y)
    assert certify(trials, plan, scored(trials, plan)).status == "refused"


def test_rare_tests_that_never_ask_the_hard_question() -> None:
    """Spot checks: p(1, 1) is far smaller than the room, so that nobody misses it."""
    q, n = 0.1, 200_000
    law = np.outer([1 - q, q], [1 - q, q])
    plan = plan_certificate("pef", n, wins=0.83, law=law, epsilon=2**-20)
    rare = 0.2 * q * q
    x, y = drawn(n, [[1 - 2 * q + rare, q - rare], [q - rare, rare]])
    trials = trials_of(x, y, 0 * x, 0 * y)
    assert scored(trials, plan).S == 2
    assert certify(trials, plan, scored(trials, plan)).status == "refused"


def test_coins_that_follow_each_other_beyond_tau() -> None:
    n, tau, shift = 200_000, 0.002, 0.012
    plan = plan_certificate("pef", n, wins=0.83, tau=tau, epsilon=2**-20)
    x, y = drawn(n, [[0.25 - shift, 0.25 + shift], [0.25 + shift, 0.25 - shift]])
    rng = np.random.default_rng(2)
    a, lost = rng.integers(0, 2, n), rng.random(n) > 0.835
    trials = trials_of(x, y, a, a ^ (x & y) ^ lost)
    assert abs(x[y == 1].mean() - 0.5) > 5 * tau
    assert certify(trials, plan, scored(trials, plan)).status == "refused"


def test_settings_that_tell_the_output_before() -> None:
    """x is Alice's last output: who learns the settings learns all she answered."""
    n = 40_000
    plan = plan_certificate("pef", n, wins=0.83, epsilon=2**-20)
    rng = np.random.default_rng(4)
    a, y, lost = rng.integers(0, 2, n), rng.integers(0, 2, n), rng.random(n) > 0.84
    x = np.append(0, a[:-1])
    trials = trials_of(x, y, a, a ^ (x & y) ^ lost)
    assert certify(trials, plan, scored(trials, plan)).status == "refused"


def test_a_score_of_other_rounds() -> None:
    """Rounds that signal, with the no-signalling test of rounds that do not."""
    n = 40_000
    plan = plan_certificate("pef", n, wins=0.83, epsilon=2**-20)
    rng = np.random.default_rng(5)
    x, y = drawn(n, np.full(4, 0.25))
    a, lost = rng.integers(0, 2, n), rng.random(n) > 0.84
    fine = trials_of(x, y, a, a ^ (x & y) ^ lost)
    a = np.where(y == 1, 0, a)
    signalling = trials_of(x, y, a, a ^ (x & y) ^ lost)
    assert certify(signalling, plan, scored(signalling, plan)).status == "refused"
    with contextlib.suppress(ArgumentError, RefusedError):
        assert certify(signalling, plan, scored(fine, plan)).status == "refused"


def test_accumulation_says_what_it_assumes_of_coins() -> None:
    plan = plan_certificate("geat", 100_000, wins=0.83, tau=0.01, epsilon=2**-20)
    rng = np.random.default_rng(6)
    x, y = drawn(100_000, np.full(4, 0.25))
    a, lost = rng.integers(0, 2, 100_000), rng.random(100_000) > 0.84
    trials = trials_of(x, y, a, a ^ (x & y) ^ lost)
    said = certify(trials, plan, scored(trials, plan)).assumptions
    assert any("independent of each other" in text and "0.01" in text for text in said)


def test_accumulation_takes_neither_fewer_rounds_nor_more() -> None:
    plan = plan_certificate("geat", 40_000, wins=0.83, epsilon=2**-10)
    rng = np.random.default_rng(7)
    x, y = drawn(40_000, np.full(4, 0.25))
    a, lost = rng.integers(0, 2, 40_000), rng.random(40_000) > 0.82
    b = a ^ (x & y) ^ lost
    keep = ~lost | (rng.random(40_000) < 0.8)
    trials = trials_of(x[keep], y[keep], a[keep], b[keep])
    assert certify(trials, plan, scored(trials, plan)).status == "refused"


def test_lost_rounds_left_out_count_as_a_certificate_of_fewer_rounds() -> None:
    """PEF may stop early, so it cannot see which rounds are missing: it has to say so."""
    n = 40_000
    plan = plan_certificate("pef", n, wins=0.83, epsilon=2**-20)
    rng = np.random.default_rng(8)
    x, y = drawn(n, np.full(4, 0.25))
    a, lost = rng.integers(0, 2, n), rng.random(n) > 0.75
    b = a ^ (x & y) ^ lost
    keep = ~lost | (rng.random(n) < 0.55)
    trials = trials_of(x[keep], y[keep], a[keep], b[keep])
    found = certify(trials, plan, scored(trials, plan))
    if found.status == "certified":
        assert any("number of rounds were fixed beforehand" in text for text in found.assumptions)


def test_shares_of_epsilon_add_up() -> None:
    """Epsilon covers a chance to pass of a third and a smoothing that counts twice."""
    for method in ("eat", "geat", "renyi"):
        design: Any = plan_certificate(method, 60_000, wins=0.84, epsilon=EPSILON).design
        assert design.plan.error <= EPSILON * (1 + 1e-12)


@pytest.mark.slow
def test_an_expectation_picked_after_the_data_is_no_better_for_local_devices() -> None:
    """Every plan that a run could have had: fixed answers still pass one hardly ever."""
    n = 2000
    reach = np.zeros(n + 1, dtype=bool)
    for wins in range(1560, 1700, 20):
        try:
            design: Any = plan_certificate("pef", n, wins=wins / n, epsilon=EPSILON).design
        except RefusedError:
            continue
        reach |= np.array([_passes(design, w, n) for w in range(n + 1)])
    assert reach.any()
    local = np.random.default_rng(9).binomial(n, 0.75, RUNS)
    assert float(reach[local].mean()) <= LIMIT
