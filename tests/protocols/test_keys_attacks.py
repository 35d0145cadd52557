"""Every eavesdropper on every protocol: what she shows is as predicted, and what she knows is too little."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from ebit.analysis.eve_enumeration import enumerate_key
from ebit.analysis.eve_knowledge import posteriors
from ebit.analysis.key_signatures import attack_signature
from ebit.circuits import parse_attack
from ebit.protocols.cascade import cascade_alice, cascade_bob
from ebit.protocols.conversation import converse
from ebit.protocols.key_eve import _records, _tables, exact_behaviour
from ebit.protocols.key_parties import shortened
from ebit.protocols.key_referee import sides_of
from ebit.protocols.key_result import KeyResult
from ebit.protocols.keys import key
from tests.protocols.keyhelp import body_of, line

ROUNDS = {"bb84": 30_000, "bbm92": 30_000, "e91": 40_000, "six-state": 70_000, "mdi": 30_000}
TUNABLE = (
    "intercept-resend",
    "intercept-z",
    "intercept-x",
    "breidbart",
    "cloner",
    "probe",
    "depolarising",
)
PLANNED = 0.03


def weak(kind: str, most: float) -> str:
    """The attack at the strength whose largest error rate is `most`."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        rates = attack_signature(f"{kind}:{middle:.9f}").qber
        low, high = (middle, high) if max(rates["Z"], rates["X"]) < most else (low, middle)
    return f"{kind}:{low:.4f}"


def likely(errors: int, n: int, rate: float) -> bool:
    """Whether a binomial number is within its two tails of 1e-5."""
    if not 1e-12 < rate < 1 - 1e-12:
        return errors == round(rate * n)
    return bool(
        binom.cdf(errors, n, rate) > 1e-5 and binom.sf(errors - 1, n, rate) > 1e-5,
    )


def check_signature(found: KeyResult, attack: str) -> None:
    """The test basis against the prediction; S within five standard deviations."""
    told = attack_signature(str(parse_attack(attack)))
    assert found.qber is not None
    assert likely(round(found.qber * found.test_bits), found.test_bits, told.qber["X"])
    if "Y" in found.qbers:
        assert found.qbers["Y"] == pytest.approx(told.qber["Y"], abs=0.03)
    if found.S is not None:
        assert pytest.approx(told.S, abs=0.3) == found.S


def check_bound(found: KeyResult) -> None:
    """The key is short enough for what she holds, and the sum is right."""
    eve: Any = found.eve
    assert eve["kept"] is True
    assert eve["n"] == found.raw_bits
    assert eve["key_bits"] == found.key_bits
    assert eve["leak"] == found.leak_bits
    assert eve["margin"] == pytest.approx(
        eve["smooth_min_entropy"] - found.leak_bits - found.key_bits
    )
    assert eve["margin"] >= 0
    # What her best guesses got right: as her posterior expects it, within five deviations.
    spread = 5 / (2 * math.sqrt(eve["n"]))
    assert eve["right"] == pytest.approx(eve["expected_right"], abs=spread)


def tried(protocol: str, attack: str, seed: int) -> KeyResult:
    made = line(protocol, rounds=ROUNDS[protocol], attack=attack, qber=PLANNED)
    return made.judge(seed)


@pytest.mark.slow
@pytest.mark.parametrize("kind", TUNABLE)
@pytest.mark.parametrize("protocol", ROUNDS)
def test_at_full_strength_there_is_no_key(protocol: str, kind: str) -> None:
    attack = f"{kind}:1"
    found = tried(protocol, attack, 1)
    assert found.aborted
    assert found.key is None
    assert found.key_bits == 0
    assert found.keys_equal is None
    check_signature(found, attack)
    told = attack_signature(attack)
    if found.tolerated is not None and told.qber["X"] > found.tolerated + 0.02:
        assert "is above the tolerated" in found.reason
    else:  # it shows in the other basis, and in what correcting it would tell
        assert told.qber["Z"] > 0.1
        assert "more errors than was planned for" in found.reason or "CHSH" in found.reason


@pytest.mark.slow
@pytest.mark.parametrize("kind", TUNABLE)
@pytest.mark.parametrize("protocol", ROUNDS)
def test_where_it_is_tolerated_the_key_is_out_of_her_reach(protocol: str, kind: str) -> None:
    attack = weak(kind, 0.02)
    found = tried(protocol, attack, 2)
    assert not found.aborted, found.reason
    assert found.keys_equal is True
    check_signature(found, attack)
    check_bound(found)
    told = attack_signature(attack)
    assert told.information is not None
    eve: Any = found.eve
    # With her record of every round she knows as much per bit as predicted, and the error pattern,
    # which reconciliation tells, at most adds to it.
    assert eve["information_per_key_bit"] >= told.information["Z"] - 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("attack", ["spoofed-source", "spoofed-source:zeros"])
@pytest.mark.parametrize("protocol", ["bbm92", "e91"])
def test_a_false_source_is_found(protocol: str, attack: str) -> None:
    found = tried(protocol, attack, 1)
    assert found.aborted
    check_signature(found, attack)
    assert "is above the tolerated" in found.reason
    assert attack_signature(str(parse_attack(attack))).S <= 2


def test_measuring_everything_shows_and_gives_no_key() -> None:
    found = tried("bb84", "intercept-resend", 1)
    assert found.aborted
    check_signature(found, "intercept-resend")
    assert found.eve is not None
    assert found.eve["information_per_key_bit"] == pytest.approx(0.5)
    assert found.reason.startswith("the error rate 2")


def test_a_weak_eve_is_shortened_away() -> None:
    attack = weak("intercept-resend", 0.02)
    found = tried("bb84", attack, 2)
    assert found.keys_equal is True
    check_signature(found, attack)
    check_bound(found)


def test_an_attack_that_the_test_cannot_see_is_stopped_by_the_cap_of_the_leak() -> None:
    """Measuring in X disturbs Z alone: the test basis is clean, and nothing may be told beyond the cap."""
    found = tried("bb84", "intercept-x:1", 1)
    assert found.qber == 0
    assert found.aborted
    assert "more errors than was planned for" in found.reason
    assert found.leak_bits <= found.plan["leak_cap"]


@pytest.mark.parametrize("protocol", ["bb84", "e91", "mdi"])
def test_the_man_in_the_middle_gets_no_key_out_of_either_side(protocol: str) -> None:
    found = line(protocol, rounds=ROUNDS[protocol] // 2, attack="man-in-the-middle").judge(1)
    assert found.aborted
    assert found.key is None
    assert found.keys_equal is None
    assert found.qber == 0  # the signals say nothing
    assert "tag" in found.reason
    assert found.eve is not None
    assert "no tag fits" in found.eve["says"]


def test_the_plan_does_not_know_of_eve() -> None:
    alone, watched = (
        line("bb84", rounds=10_000, attack=attack).purpose["plan"]
        for attack in (None, "intercept-resend:0.2")
    )
    assert alone == watched


def test_nobody_listens_where_nobody_was_asked_to() -> None:
    assert line("bb84", rounds=8000).judge(1).eve is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("attack", "words"),
    [
        ("intercept-resend", "tests were lost"),
        ("spoofed-source", "tests were lost"),
        ("memory", "tests were lost"),
    ],
)
def test_devices_that_hold_no_entanglement_lose_too_many_tests(attack: str, words: str) -> None:
    found = key("aer", protocol="diqkd", rounds=600_000, attack=attack, seed=1)
    assert found.aborted
    # The syndrome of honest tests may already be too short for Bob to find Alice's bits.
    assert words in found.reason or "could not be decoded" in found.reason
    assert found.key_bits == 0
    assert found.eve is not None
    assert found.eve.get("kept", True) is True


@pytest.mark.slow
def test_devices_that_foresee_settings_are_given_away_only_by_being_too_good() -> None:
    loud = key("aer", protocol="diqkd", rounds=600_000, attack="predicted-settings", seed=1)
    assert loud.aborted
    assert "more than quantum devices reach" in loud.reason
    # At the strength whose S is that of honest devices no test can tell them apart.
    strength = next(
        step / 100
        for step in range(1, 100)
        if attack_signature(f"predicted-settings:{step / 100}").S >= 8**0.5 - 0.01
    )
    attack = f"predicted-settings:{strength}"
    quiet = key("aer", protocol="diqkd", rounds=600_000, attack=attack, seed=1)
    assert not quiet.aborted
    assert quiet.eve is not None
    assert quiet.eve["kept"] is False
    assert quiet.sentence.startswith("NOT SECRET")


# A run of 12 raw bits, small enough that all raw keys can be listed.


def parities_of(errors: Any, seed: int) -> Any:
    """Which parities Cascade tells for a pattern of errors: what it tells of each unit vector.

    Nothing that either side says depends on Alice's bits but through the parities, and which are told
    on the error pattern alone: so the transcript is linear in her bits.
    """
    n = len(errors)

    def told(bits: Any) -> Any:
        generators = [np.random.default_rng([seed, who]) for who in (0, 1)]
        ends = converse(
            cascade_alice(bits, qber=0.1, random=generators[0].bytes),
            cascade_bob(bits ^ errors, qber=0.1, random=generators[1].bytes),
        )
        assert (ends[1].result().bits == bits).all()
        answers = []
        for frame in ends[0].end.sent:
            if b"parities" in frame[:24]:
                body = body_of(frame)
                packed = np.unpackbits(np.frombuffer(body, np.uint8, offset=1))
                answers.append(packed[: len(packed) - body[0]])
        found = np.concatenate(answers) if answers else np.zeros(0, np.uint8)
        assert len(found) == ends[0].result().leak_bits
        return found

    base = told(np.zeros(n, np.uint8))
    assert not base.any()
    columns = [told(np.eye(n, dtype=np.uint8)[i]) for i in range(n)]
    return np.stack(columns, axis=1) if len(base) else np.zeros((0, n), np.uint8)


@pytest.mark.parametrize("attack", ["intercept-resend:0.4", "cloner:0.4"])
def test_her_guess_of_a_small_key_is_bounded_as_the_lemma_says(attack: str) -> None:
    """Runs of 12 raw bits: her posterior of the final key, enumerated given all that was said.

    By the leftover hash lemma the distance from uniform, averaged over the hash's seeds, is at most
    half the root of 2^(m - H), H the collision entropy of the raw key given record and parities.
    """
    made = line("bb84", rounds=200, attack=attack, qber=0.1)
    rng = np.random.default_rng(5)
    seen = 0
    for seed in range(6):
        run = made.run(seed)
        one, two = sides_of(made.program, run.trials)
        rows = np.flatnonzero((one.settings == 0) & (two.settings == 0))[:12]
        if len(rows) < 12:
            continue
        bits, errors = one.bits[rows], (one.bits ^ two.bits)[rows]
        outcomes = run.trials.rounds()[1][rows]
        questions = made.program.game.questions.tolist()
        which = [q[:2] for q in questions].index([0, 0])
        table = _tables(made.program, exact_behaviour(run))[which]
        ones = posteriors(table)[_records(made.program, outcomes), 1]
        checks = parities_of(errors, seed)
        syndrome = checks.astype(np.int64) @ bits & 1
        distances, guesses, predicted, m = [], [], [], 2
        for _ in range(150):
            hash_seed = rng.integers(0, 2, 12 + m - 1, np.uint8)
            known = enumerate_key(ones, checks, syndrome, hash_seed, m)
            true = shortened(bits, np.packbits(hash_seed), m).reveal_bytes()[0] >> (8 - m)
            assert (
                known.probabilities[true] > 0
            )  # the true key is among those that she holds possible
            distances.append(known.distance)
            guesses.append(known.guess)
            predicted.append(known.predicted)
        seen += 1
        assert len(set(predicted)) == 1
        spread = 4 * np.std(distances) / math.sqrt(len(distances))
        assert np.mean(distances) <= predicted[0] + spread
        assert np.mean(guesses) <= 2.0**-m + predicted[0] + spread
    assert seen >= 3


def test_what_she_knows_for_certain_she_guesses() -> None:
    """The enumeration and the parties hash alike: a raw key that is known gives the key that was made."""
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2, 12, np.uint8)
    seed = rng.integers(0, 2, 16, np.uint8)
    known = enumerate_key(bits.astype(float), [], [], seed, 5)
    made = np.unpackbits(np.frombuffer(shortened(bits, np.packbits(seed), 5).reveal_bytes(), "u1"))
    assert known.guess == 1
    assert list(known.key) == made[:5].tolist()
