"""From rounds to a certificate: what is certified, what is refused and why, how many rounds it takes."""

from __future__ import annotations

import json
import math
import re
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ebit.analysis import Score, score
from ebit.analysis.certifying import (
    CertificatePlan,
    certify,
    plan_certificate,
    plan_rounds_for_bits,
)
from ebit.games import ArgumentError, RefusedError, Trials, chsh

EPSILON = 2.0**-20
N = 40_000
SPOT = np.outer([0.8, 0.2], [0.8, 0.2])


@lru_cache
def plan_of(method: str = "eat", n: int = N, S: float = 2.7, tau: float = 0.01) -> CertificatePlan:
    return plan_certificate(method, n, wins=0.5 + S / 8, tau=tau, epsilon=EPSILON)


def rounds(
    n: int = N,
    S: float = 2.75,
    *,
    seed: int = 1,
    law: npt.ArrayLike = ((0.25, 0.25), (0.25, 0.25)),
    marginal: npt.ArrayLike = ((0.5, 0.5), (0.5, 0.5)),
    chosen: Any = "per-shot",
) -> Trials:
    """Rounds that every question wins alike; a is 1 as often as marginal[x, y] says."""
    rng = np.random.default_rng(seed)
    asked = rng.choice(4, n, p=np.asarray(law).ravel())
    x, y = asked >> 1, asked & 1
    a = (rng.random(n) < np.asarray(marginal)[x, y]).astype(int)
    lost = rng.random(n) > 0.5 + S / 8
    return Trials.from_rounds(
        np.stack([x, y], 1),
        np.stack([a, a ^ (x & y) ^ lost], 1),
        shape=((2, 2), (2, 2)),
        chosen=chosen,
        source="device",
    )


def scored(trials: Trials, plan: CertificatePlan, separation: str = "one chip") -> Score:
    randomness = "pseudo (simulator)" if separation == "simulated" else "device"
    return score(
        trials,
        chsh(),
        minus="game",
        tau=plan.tau,
        separation=separation,
        randomness=randomness,
    )


def refused(trials: Trials, plan: CertificatePlan) -> str:
    found = certify(trials, plan, scored(trials, plan))
    assert (found.status, found.entropy_bits, found.accepted) == ("refused", 0.0, False)
    assert f"no entropy certified: {found.reason}" in str(found)
    assert found.reason in json.dumps(found.to_dict(), ensure_ascii=False)
    return found.reason


@pytest.mark.parametrize("method", ["eat", "geat", "pef"])
def test_accepted_is_what_the_threshold_said(method: str) -> None:
    plan = plan_of(method)
    trials = rounds()
    found = certify(trials, plan, scored(trials, plan))
    assert found.status == "certified"
    assert found.reason == ""
    assert found.entropy_bits == pytest.approx(plan.threshold_bits, rel=1e-12)
    assert 0 < found.entropy_bits < found.raw_bits == 2 * N
    assert found.entropy_rate == found.entropy_bits / N
    assert found.settings_bits == pytest.approx(2 * N)
    assert found.S is not None
    assert abs(found.S - 2.75) < 0.05
    assert found.expected_S == pytest.approx(2.7)
    assert found.method == method
    assert ("classical" in found.adversary) == (method == "pef")
    assert ("quantum" in found.adversary) == (method != "pef")
    assert (found.tau, found.epsilon) == (0.01, EPSILON)
    # More is never said after the fact than was fixed before, whatever the rounds.
    better = rounds(S=2.82, seed=2)
    assert certify(better, plan, scored(better, plan)).entropy_bits == pytest.approx(
        plan.threshold_bits
    )


def test_the_words_follow_the_evidence() -> None:
    plan, trials = plan_of(), rounds()
    chip = certify(trials, plan, scored(trials, plan))
    assert chip.sentence == (
        f"entropy consistent with S = {chip.S:.4f}, assuming no cross-talk beyond the tested bound, "
        "an honest provider and trusted settings"
    )
    assert str(chip).startswith(f"{chip.entropy_bits:,.1f} bits of entropy: {chip.sentence}")
    assert any("honest provider" in text for text in chip.assumptions)
    assert any("device's own coins" in text for text in chip.assumptions)
    assert any("device independence" in text for text in chip.not_given)
    simulated = certify(trials, plan, scored(trials, plan, "simulated"))
    assert "a simulator drew them from its seed" in simulated.sentence
    assert simulated.randomness == "pseudo (simulator)"
    assert any("follow from its seed" in text for text in simulated.not_given)
    assert not any("honest provider" in text for text in simulated.assumptions)
    unknown = certify(trials, plan, scored(trials, plan, "unknown"), declared=False)
    assert unknown.sentence.endswith("if the rounds were taken as declared")
    assert "the plan was made without regard to these rounds" in unknown.assumptions
    assert chip.entropy_bits == simulated.entropy_bits == unknown.entropy_bits


def test_plain_data_and_html() -> None:
    plan, trials = plan_of(), rounds()
    found = certify(trials, plan, scored(trials, plan))
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["entropy_bits"] == found.entropy_bits
    assert plain["entropy_rate"] == found.entropy_rate
    assert set(plain) >= {"method", "adversary", "epsilon", "raw_bits", "assumptions", "not_given"}
    assert plain["p_no_signalling"] > 1e-3
    assert found.sentence in found._repr_html_()
    again = plan_certificate(
        **{k: v for k, v in json.loads(json.dumps(plan.to_dict())).items() if k != "method"},
        method="eat",
    )
    assert again.threshold_bits == plan.threshold_bits


def test_signalling_data() -> None:
    trials = rounds(marginal=((0.45, 0.55), (0.45, 0.55)))  # Alice's bit knows Bob's setting
    assert "signalling" in refused(trials, plan_of())


def test_biased_outcomes_are_no_signal() -> None:
    asked, answers = (part.astype(int) for part in rounds(S=2.82).rounds())
    answers[np.random.default_rng(99).random(N) < 0.05] = 0  # both say 0, whatever was asked
    fine, plan = Trials.from_rounds(asked, answers, chosen="per-shot", source="device"), plan_of()
    found = certify(fine, plan, scored(fine, plan))
    assert found.status == "certified", found.reason
    assert answers.mean() < 0.48


def test_above_the_quantum_bound() -> None:
    reason = refused(rounds(S=3.2), plan_of())
    assert "quantum" in reason or "2.828" in reason


def test_settings_per_circuit() -> None:
    trials = Trials.from_counts(rounds().counts, chosen="per-circuit")
    reason = refused(trials, plan_of())
    assert reason.startswith("settings were chosen per-circuit")
    assert "drawn afresh in every shot" in reason


def test_settings_of_unknown_origin() -> None:
    x = np.tile([[0, 0], [0, 1], [1, 0], [1, 1]], (N // 4, 1))
    out = rounds(seed=3).rounds()[1].astype(int)
    a = out[:, 0]
    lost = np.random.default_rng(1).random(N) > 0.84
    trials = Trials.from_rounds(x, np.stack([a, a ^ (x[:, 0] & x[:, 1]) ^ lost], 1))
    assert trials.chosen == "pattern"
    assert "pattern" in refused(trials, plan_of())


def test_coins_that_contradict_tau() -> None:
    reason = refused(rounds(law=np.outer([0.45, 0.55], [0.5, 0.5])), plan_of())
    assert "setting x after y = 0 was 1 in 0.5" in reason
    assert "tau = 0.01" in reason
    reason = refused(rounds(law=np.outer([0.5, 0.5], [0.53, 0.47])), plan_of())
    assert re.match(r"setting y after .* was 1 in 0.4", reason)


def test_correlated_coins() -> None:
    reason = refused(rounds(law=[[0.3, 0.2], [0.2, 0.3]]), plan_of())
    assert "the coins are not as planned" in reason


def test_coins_within_tau() -> None:
    trials = rounds(100_000, law=np.outer([0.487, 0.513], [0.5, 0.5]), S=2.82)
    plan = plan_of(n=100_000, S=2.78, tau=0.015)
    assert certify(trials, plan, scored(trials, plan)).status == "certified"
    assert "declare a larger tau before the next run" in refused(
        trials, plan_of(n=100_000, tau=0.0)
    )


def test_coins_that_are_too_even() -> None:
    rng = np.random.default_rng(5)
    asked = rng.permutation(np.repeat(np.arange(4), N // 4))
    x, y = asked >> 1, asked & 1
    a, lost = rng.integers(0, 2, N), rng.random(N) > 0.84
    trials = Trials.from_rounds(
        np.stack([x, y], 1), np.stack([a, a ^ (x & y) ^ lost], 1), chosen="per-shot"
    )
    reason = refused(trials, plan_of())
    assert "more evenly" in reason


@pytest.mark.parametrize(("method", "what"), [("eat", "mean score"), ("pef", "log2 F")])
def test_missed_threshold(method: str, what: str) -> None:
    plan = plan_of(method)
    trials = rounds(S=2.4)
    reason = refused(trials, plan)
    assert reason.startswith("the threshold was missed")
    assert what in reason
    assert "expected S of 2.7" in reason
    if method == "pef":  # what it might have been is a figure, and is called one
        text = str(certify(trials, plan, scored(trials, plan)))
        assert "not to be extracted" in text


def test_local_devices_are_refused() -> None:
    for seed in range(5):
        reason = refused(rounds(S=2.0, seed=seed), plan_of())
        assert "threshold was missed" in reason or "is not above 2" in reason


def test_fewer_rounds_than_planned_and_more() -> None:
    plan, short = plan_of("pef"), 39_000
    few = rounds(short, S=2.82)  # what is missing gains nothing, and the threshold stays
    found = certify(few, plan, scored(few, plan))
    assert (found.status, found.n, found.raw_bits) == ("certified", short, 2 * short)
    assert found.settings_bits == pytest.approx(2 * short)
    assert found.entropy_bits <= plan.threshold_bits
    half = rounds(N // 2, S=2.82)
    assert "threshold was missed" in refused(half, plan)
    assert f"a number of rounds of {N // 2}" in refused(half, plan_of("eat"))
    many = rounds(N + 1)
    with pytest.raises(ArgumentError, match=f"at most the {N} rounds .* but were {N + 1}"):
        certify(many, plan, scored(many, plan))


def test_spot_checks() -> None:
    plan = plan_certificate("eat", 200_000, wins=0.84, law=SPOT, epsilon=EPSILON)
    h = -(0.2 * math.log2(0.2) + 0.8 * math.log2(0.8))
    assert plan.settings_bits == pytest.approx(2 * h * 200_000)
    trials = rounds(200_000, S=2.76, law=SPOT)
    game = chsh()
    known = score(trials, game, minus="game", separation="one chip", randomness="device")
    found = certify(trials, plan, known)
    assert found.status == "certified", found.reason
    assert found.entropy_bits == pytest.approx(plan.threshold_bits)
    other = rounds(200_000, S=2.76, law=np.outer([0.8, 0.2], [0.75, 0.25]))
    reason = certify(other, plan, score(other, game, minus="game")).reason
    assert "setting y after x = 0 was 1 in 0.2" in reason


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"method": "magic"}, "certify must be one of pef, renyi"),
        ({"method": "none"}, "but was 'none'"),
        ({"wins": 0.75}, "S = 2.0000"),
        ({"wins": 0.7}, "must be above 0.75"),
        ({"wins": float("nan")}, "must be above 0.75"),
        ({"wins": 0.9, "method": "pef"}, "0.853553"),
        ({"epsilon": 0.0}, "epsilon"),
        ({"epsilon": 1.0}, "epsilon"),
        ({"tau": 0.6}, "tau"),
        ({"tau": -0.1}, "tau"),
        ({"n": 0}, "n"),
    ],
)
def test_bad_plans(arguments: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {"method": "eat", "n": N, "wins": 0.83, "epsilon": EPSILON}
    with pytest.raises(ArgumentError, match=words):
        plan_certificate(**{**given, **arguments})


@pytest.mark.parametrize("method", ["eat", "geat", "pef"])
def test_too_few_rounds(method: str) -> None:
    with pytest.raises(RefusedError, match="100 rounds"):
        plan_certificate(method, 100, wins=0.83, epsilon=EPSILON)


@pytest.mark.parametrize(
    ("method", "bits", "wins", "tau"),
    [
        ("eat", 100, 0.85, 0.002),
        ("eat", 5000, 0.82, 0.0),
        ("eat", 200_000, 0.8, 0.004),
        ("pef", 5000, 0.82, 0.0),
        pytest.param("pef", 100, 0.85, 0.002, marks=pytest.mark.slow),
        pytest.param("pef", 200_000, 0.83, 0.004, marks=pytest.mark.slow),
    ],
)
def test_rounds_for_bits(method: str, bits: int, wins: float, tau: float) -> None:
    how: dict[str, Any] = {"wins": wins, "tau": tau, "epsilon": EPSILON}
    n = plan_rounds_for_bits(bits, method, **how)
    assert plan_certificate(method, n, **how).threshold_bits >= bits
    try:
        fewer = plan_certificate(method, math.floor(0.95 * n), **how).threshold_bits
    except RefusedError:
        fewer = 0.0
    assert fewer < bits


def test_rounds_for_bits_that_nobody_takes() -> None:
    with pytest.raises(ArgumentError, match=r"more than 1e\+11 rounds by eat"):
        plan_rounds_for_bits(1000, "eat", wins=0.7501, tau=0.01)
    with pytest.raises(ArgumentError, match="certify must be one of"):
        plan_rounds_for_bits(1000, "magic", wins=0.83)


@pytest.mark.slow
def test_renyi_certifies_more_than_eat() -> None:
    plan = plan_of("renyi")
    trials = rounds()
    found = certify(trials, plan, scored(trials, plan))
    assert found.status == "certified"
    assert found.entropy_bits == pytest.approx(plan.threshold_bits)
    assert plan.threshold_bits > plan_of("eat").threshold_bits
    assert "threshold was missed" in refused(rounds(S=2.4), plan)


def test_a_bias_beyond_tau_that_is_chance_is_said() -> None:
    trials = rounds(law=np.outer([0.494, 0.506], [0.5, 0.5]))
    plan = plan_of(tau=0.001)
    known = scored(trials, plan)
    found = certify(trials, plan, known)
    assert known.tau > plan.tau
    assert found.status == "certified", found.reason
    assert any(f"the bias of {known.tau:.3g}" in text for text in found.assumptions)
