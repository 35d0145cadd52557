"""Plans of runs: what honest runs reach, what is never exceeded, and what is refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ebit.analysis.key_asymptotic import MOST_S, binary_entropy
from ebit.analysis.key_finite import finite_bound
from ebit.analysis.key_plan import PLANNED, KeyPlan, plan_key
from ebit.analysis.key_plan_search import Search, fewest_rounds, leak_cap, most_errors
from ebit.games import ArgumentError


@given(st.integers(1, 10**7), st.floats(1e-4, 1 - 1e-4), st.sampled_from([1e-2, 1e-3, 2.5e-4]))
def test_quantiles_are_exact(trials: int, p: float, failure: float) -> None:
    n = fewest_rounds(trials, p, failure)
    assert stats.binom.cdf(n - 1, trials, p) <= failure * (1 + 1e-9)
    assert n == trials or stats.binom.cdf(n, trials, p) > failure * (1 - 1e-9)
    e = most_errors(trials, p, failure)
    assert stats.binom.sf(e, trials, p) <= failure * (1 + 1e-9)
    assert e == 0 or stats.binom.sf(e - 1, trials, p) > failure * (1 - 1e-9)


@pytest.mark.parametrize("protocol", PLANNED)
@pytest.mark.parametrize("qber", [0.0, 0.02, 0.05])
def test_honest_runs_pass(protocol: str, qber: float) -> None:
    # What the circuits draw: both parties' bases by their odds, errors at the expected rate.
    plan = plan_key(protocol, 200_000, qber=qber)
    assert plan.length > 0
    assert sum(plan.alice_odds) == pytest.approx(1)
    assert sum(plan.bob_odds) == pytest.approx(1)
    assert len(plan.alice_odds) == len(plan.alice_bases)
    assert len(plan.bob_odds) == len(plan.bob_bases)
    rng = np.random.default_rng(5)
    runs = 4000
    keys = rng.binomial(plan.rounds, plan.alice_odds[0] * plan.bob_odds[0], runs)
    tests = rng.binomial(plan.rounds, plan.alice_odds[1] * plan.bob_odds[1], runs)
    errors = rng.binomial(plan.k, qber, runs)
    aborted = (keys < plan.n) | (tests < plan.k) | (errors > plan.tolerated_errors)
    assert aborted.mean() <= 2.5e-3  # 1e-3 is promised; at that rate 10 of 4000 has chance .008
    wrong = rng.binomial(plan.n, qber, runs) / plan.n
    ideal = np.array([plan.n * binary_entropy(float(q)) for q in wrong])
    assert (1.05 * ideal + 21 < plan.leak_cap).all()


@pytest.mark.parametrize("protocol", PLANNED)
@pytest.mark.parametrize("theorem", ["tomamichel-2012", "lim-2021"])
def test_length_is_the_theorems(protocol: str, theorem: str) -> None:
    plan = plan_key(protocol, 10**6, qber=0.03, theorem=theorem, authentication_bits=256)
    law = finite_bound(theorem)
    leak = float(plan.leak_cap)
    bound = law(plan.n, plan.k, plan.tolerated, eps_sec=plan.epsilon, eps_cor=2.0**-64, leak=leak)
    assert plan.length == math.floor(bound.bits)
    assert plan.net_length == plan.length - 256
    assert plan.phase_error == bound.phase_error
    assert plan.tolerated == plan.tolerated_errors / plan.k > plan.qber
    assert sum(plan.epsilons.values()) == pytest.approx(plan.epsilon)
    assert plan.epsilon_total == pytest.approx(plan.epsilon + 2.0**-64)


@pytest.mark.parametrize("protocol", PLANNED)
def test_the_bias_is_the_best(protocol: str) -> None:
    plan = plan_key(protocol, 300_000, qber=0.02)
    task = Search(protocol, 0.02, 1e-10, None, "tomamichel-2012", 1.06, 2.5e-4, 1.0, None, 0)
    every = [task.bits(300_000, p) for p in np.linspace(0.3, 0.99, 140)]
    assert plan.length >= max(every) - 60  # the counts jump by whole errors


def test_plain_data_both_ways() -> None:
    for protocol in PLANNED:
        plan = plan_key(protocol, 10**5, qber=0.01)
        plain = json.loads(json.dumps(plan.to_dict()))
        assert KeyPlan.from_dict(plain) == plan
        assert KeyPlan.from_dict(plain).to_dict() == plan.to_dict()
    with pytest.raises(ArgumentError, match="missing"):
        KeyPlan.from_dict({"protocol": "bb84"})


@pytest.mark.parametrize("protocol", PLANNED)
@pytest.mark.parametrize("qber", [0.0, 0.03, 0.08])
def test_too_short_runs_say_what_would_do(protocol: str, qber: float) -> None:
    plan = plan_key(protocol, 1000, qber=qber, authentication_bits=256)
    assert plan.length == plan.net_length == 0
    assert plan.rounds_needed is not None
    assert f"{plan.rounds_needed:,}" in plan.reason
    enough = plan_key(protocol, plan.rounds_needed, qber=qber, authentication_bits=256)
    assert 0 < enough.net_length < 400
    less = plan_key(protocol, round(0.97 * plan.rounds_needed), qber=qber, authentication_bits=256)
    assert less.length == 0


def test_key_that_authentication_would_use_up() -> None:
    task = Search("bb84", 0.02, 1e-10, None, "tomamichel-2012", 1.06, 2.5e-4, 1.0, None, 0)
    few = task.needed(1000)
    assert few is not None
    plan = plan_key("bb84", few, qber=0.02, authentication_bits=256)
    assert plan.length == 0
    assert "no more than authentication uses up (256)" in plan.reason


def test_hopeless_error_rates() -> None:
    for qber in (0.11, 0.2, 0.5):
        plan = plan_key("bb84", 10**6, qber=qber)
        assert (plan.length, plan.rounds_needed) == (0, None)
        assert "no number of rounds" in plan.reason
    plan = plan_key("e91", 10**6, qber=0.02, S=1.9)
    assert plan.length == 0
    assert "no more than 2" in plan.reason


def test_more_rounds_and_fewer_errors_give_more() -> None:
    lengths = [plan_key("bb84", 10**e, qber=0.02).length / 10**e for e in range(4, 12)]
    assert lengths == sorted(lengths)
    # The endless rate with 1.06 of the entropy told.
    assert lengths[-1] < 1 - 2.06 * binary_entropy(0.02)
    assert plan_key("bb84", 10**14, qber=0.02).length / 1e14 > 0.99 * (
        1 - 2.06 * binary_entropy(0.02)
    )
    better = [plan_key("bb84", 10**5, qber=q).length for q in (0.05, 0.03, 0.01, 0.0)]
    assert better == sorted(better)


def test_e91_takes_rounds_for_s() -> None:
    plan = plan_key("e91", 10**6, qber=0.02)
    assert plan.S is not None
    assert abs(plan.S - MOST_S * 0.96) < 1e-12
    odds = dict(zip(plan.bob_bases, plan.bob_odds, strict=True))
    assert odds["D-"] == odds["D+"] > 0
    # Standard error of S from its four settings, each correlator of variance at most 1.
    rounds = [plan.rounds * a * odds["D+"] for a in plan.alice_odds]
    error = math.sqrt(sum(2 / n for n in rounds))
    assert error <= 0.0401
    assert plan.length > 0.95 * plan_key("bb84", 10**6, qber=0.02).length
    assert "witness" in " ".join(plan.assumptions)


def test_six_state_shares_the_rest() -> None:
    plan = plan_key("six-state", 10**6, qber=0.02)
    assert plan.alice_odds == plan.bob_odds
    assert plan.alice_odds[1] == plan.alice_odds[2]
    assert "Y rounds only test more" in " ".join(plan.assumptions)


def test_losses_cost_rounds() -> None:
    half = plan_key("mdi", 10**6, qber=0.02, success=0.5)
    whole = plan_key("mdi", 500_000, qber=0.02)
    assert half.length == pytest.approx(whole.length, rel=0.01)


def test_correctness_is_the_hashs() -> None:
    assert plan_key("bb84", 10**5, qber=0.02).eps_cor == 2.0**-64
    assert plan_key("bb84", 10**5, qber=0.02, eps_cor=1e-30).eps_cor == 2.0**-64
    assert plan_key("bb84", 10**5, qber=0.02, eps_cor=1e-12).eps_cor == 1e-12


def test_text_tells_all() -> None:
    text = str(plan_key("six-state", 10**6, qber=0.02))
    for words in ("tomamichel-2012", "smoothing", "assumes", "does not give", "Z 0.8"):
        assert words in text
    assert "no key" in str(plan_key("bb84", 100, qber=0.02))


def test_leak_cap_leaves_room_for_cascade() -> None:
    from ebit.protocols.cascade import cascade_alice, cascade_bob
    from ebit.protocols.conversation import converse

    rng = np.random.default_rng(3)
    for n, q in ((300, 0.0), (300, 0.05), (3000, 0.02), (3000, 0.09), (20_000, 0.05)):
        cap = leak_cap(n, q)
        for _ in range(8):
            bits = rng.integers(0, 2, n, dtype=np.uint8)
            noisy = bits ^ (rng.random(n) < q).astype(np.uint8)
            end = converse(
                cascade_alice(bits, qber=q, random=rng.bytes),
                cascade_bob(noisy, qber=q, random=rng.bytes),
            )[0].result()
            assert end.leak_bits <= cap


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"protocol": "diqkd"}, "protocol must be one of bb84, bbm92, e91, six-state, mdi"),
        ({"rounds": 0}, "`rounds`"),
        ({"rounds": 10**16}, "`rounds`"),
        ({"qber": 0.6}, "qber must be an error rate"),
        ({"S": 2.5}, "S is expected of e91 only"),
        ({"protocol": "e91", "S": 3.0}, "2 sqrt 2"),
        ({"epsilon": 0.0}, "`epsilon`"),
        ({"epsilon": 1.5}, "`epsilon`"),
        ({"eps_cor": 0.0}, "`eps_cor`"),
        ({"theorem": "none"}, "theorem must be one of"),
        ({"f": 0.9}, "f must lie between 1 and 10"),
        ({"success": 0.0}, "success must be above 0"),
        ({"abort_probability": 1.0}, "`abort_probability`"),
        ({"authentication_bits": -1}, "`authentication_bits`"),
    ],
)
def test_refusals(change: dict[str, object], words: str) -> None:
    good: dict[str, object] = {"protocol": "bb84", "rounds": 1000, "qber": 0.02}
    with pytest.raises(ArgumentError, match=words):
        plan_key(**{**good, **change})  # type: ignore[arg-type]


@settings(max_examples=40)
@given(st.sampled_from(PLANNED), st.integers(1, 10**9), st.floats(0, 0.5))
def test_every_plan_is_sound(protocol: str, rounds: int, qber: float) -> None:
    plan = plan_key(protocol, rounds, qber=qber, search=False)
    assert 0 <= plan.length <= plan.n
    assert (plan.length == 0) == bool(plan.reason)
    assert plan.n + plan.k <= plan.rounds
    assert 0 <= plan.tolerated <= 1
    if plan.length:
        assert plan.length <= plan.n * (1 - binary_entropy(plan.phase_error)) - plan.leak_cap - 64
    assert replace(plan, rounds=plan.rounds) == plan
