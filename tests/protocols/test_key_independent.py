"""Device-independent keys: the plan, the one way of the syndrome, what is counted, peers that lie."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from ebit.analysis.key_diqkd_optimise import diqkd_length
from ebit.analysis.key_diqkd_plan import IndependentPlan, plan_independent
from ebit.games import ArgumentError
from ebit.protocols.authentication import Authenticator
from ebit.protocols.conversation import HEAD_BYTES, Ending, Role, converse
from ebit.protocols.key_independent import independent_alice, independent_bob, too_good
from ebit.protocols.key_parties import KeyEnding
from ebit.protocols.key_referee import law_for, random_bytes
from ebit.protocols.sifting import RawSide
from tests.protocols.keyhelp import Wire, body_of, check_ends, seeded_auth, with_body

S, QBER, ROUNDS = 2.8, 0.006, 500_000


@lru_cache
def plan() -> IndependentPlan:
    return plan_independent(ROUNDS, S=S, qber=QBER)


def sides(
    seed: int, *, S: float = S, qber: float = QBER, n: int = ROUNDS
) -> tuple[RawSide, RawSide]:
    """Rounds of devices with this S and error rate, uniform on either side, without any circuit."""
    rng = np.random.default_rng(seed)
    tests = rng.random(n) < plan().test_fraction
    x = np.where(tests, rng.integers(0, 2, n), 0)
    y = np.where(tests, rng.integers(0, 2, n), 2)
    lost = rng.random(n) < np.where(tests, (4 - S) / 8, qber)
    a = rng.integers(0, 2, n)
    b = a ^ (x & y & tests) ^ lost
    kinds = [array.astype(np.uint8) for array in (x, a, y, b)]
    return RawSide(kinds[0], kinds[1]), RawSide(kinds[2], kinds[3])


def talk(
    seed: int,
    *,
    wire: Wire | None = None,
    plans: tuple[IndependentPlan, IndependentPlan] | None = None,
    auth: tuple[Authenticator, Authenticator] | None = None,
    made: tuple[RawSide, RawSide] | None = None,
) -> tuple[Ending[KeyEnding], Ending[KeyEnding]]:
    one, two = made or sides(seed)
    mine = auth or seeded_auth(seed)
    both = plans or (plan(), plan())
    law = law_for("diqkd", (2, 3))
    return converse(
        independent_alice(one, both[0], law, auth=mine[0], random=random_bytes(seed, 0)),
        independent_bob(two, both[1], law, auth=mine[1], random=random_bytes(seed, 1)),
        wire=wire,
    )


@lru_cache
def honest() -> tuple[Ending[KeyEnding], Ending[KeyEnding]]:
    return talk(1)


def kind_of(frame: bytes) -> str:
    return frame[HEAD_BYTES : HEAD_BYTES + frame[3]].decode()


def test_the_plan_has_the_length_of_the_theorem_at_the_leak_that_is_told() -> None:
    found = plan()
    theorem = diqkd_length(
        ROUNDS,
        S=S,
        qber=QBER,
        epsilon=1e-10,
        test_fraction=found.test_fraction,
        leak=found.leak_cap,
    )
    assert found.length == theorem.length > 1000
    assert found.net_length == found.length - 256
    assert found.tolerated_losses == theorem.tolerated_losses
    expected = ROUNDS * found.test_fraction * (4 - S) / 8
    assert expected < found.tolerated_losses < expected + 4 * math.sqrt(expected)
    assert found.epsilon_total == 1e-10
    assert IndependentPlan.from_dict(found.to_dict()) == found


def test_a_run_too_short_says_how_many_rounds_would_do() -> None:
    short = plan_independent(20_000, S=S, qber=QBER)
    assert short.length == 0
    assert short.rounds_needed is not None
    assert f"about {short.rounds_needed:,} would do" in short.reason
    none = plan_independent(20_000, S=2.1, qber=QBER)
    assert none.rounds_needed is None
    assert none.reason.startswith("no number of rounds gives a key at S = 2.1000")


@pytest.mark.parametrize("epsilon", [0.0, 1.0, 1e-19])
def test_a_soundness_error_that_no_run_can_have_is_refused(epsilon: float) -> None:
    with pytest.raises(ArgumentError, match="epsilon"):
        plan_independent(ROUNDS, S=S, qber=QBER, epsilon=epsilon)


def test_honest_devices_give_the_planned_key_on_both_sides() -> None:
    ends = honest()
    check_ends(ends, released=(True, True))
    for ending in ends:
        assert ending.value is not None
        assert ending.value.key is not None
        assert ending.value.key.bits == plan().length
    facts = ends[1].value.facts if ends[1].value else {}
    assert facts["S"] == pytest.approx(S, abs=0.05)
    assert facts["qber"] == pytest.approx(QBER, abs=0.002)


def test_the_flow_is_one_way_and_all_of_it_is_counted() -> None:
    """Alice's syndromes and hash are the leak; of Bob's bits three answers are told, yes or no."""
    ends = honest()
    value = ends[0].value
    assert value is not None
    assert ends[0].end.leaked == value.facts["leak_bits"]
    assert value.facts["leak_bits"] == value.facts["reconciliation_bits"] + 64
    assert value.facts["reconciliation_bits"] <= plan().leak_cap
    assert ends[1].end.leaked == 0
    said = [kind_of(frame) for frame in ends[1].end.sent]
    assert said[:2] == ["plan", "bob's settings"]
    answers = [frame for frame in ends[1].end.sent[2:] if not kind_of(frame).startswith("auth")]
    assert [kind_of(frame) for frame in answers] == ["decoded", "equal", "accepted"]
    assert [body_of(frame) for frame in answers] == [b"yes", b"\x01", b"yes"]
    # Before he has all of hers, he has said nothing that depends on his bits.
    hers = [kind_of(frame) for frame in ends[0].end.sent]
    assert hers.index("hash") > max(
        i for i, kind in enumerate(hers) if kind in ("syndrome", "bits")
    )


def test_what_bob_says_does_not_depend_on_his_bits_but_for_the_answers() -> None:
    """Other errors, as many as planned: word for word the same of him, up to the tags."""
    one, two = sides(1)
    tests = (two.settings != 2).astype(bool)
    rng = np.random.default_rng(5)
    bits = two.bits.copy()
    wrong = np.flatnonzero(~tests)[rng.permutation(int((~tests).sum()))[:50]]
    bits[wrong] ^= 1
    ends = talk(1, made=(one, RawSide(two.settings, bits)))
    check_ends(ends, released=(True, True))
    for old, new in zip(honest()[1].end.sent, ends[1].end.sent, strict=True):
        assert old == new


@pytest.mark.parametrize(
    "worse",
    [pytest.param(2.7, marks=pytest.mark.slow), 2.5, pytest.param(2.0, marks=pytest.mark.slow)],
)
def test_devices_that_lose_more_tests_make_no_key(worse: float) -> None:
    ends = talk(2, made=sides(2, S=worse))
    check_ends(ends, released=(False, False))
    assert ends[1].value is not None
    reason = ends[1].value.reason
    assert "could not be decoded" in reason or "tests were lost, more than the" in reason


@pytest.mark.slow
def test_more_errors_than_the_syndrome_is_for_make_no_key() -> None:
    ends = talk(3, made=sides(3, qber=0.05))
    check_ends(ends, released=(False, False))
    assert ends[0].value is not None
    assert ends[0].value.reason == "the other side could not decode the syndrome"


@pytest.mark.slow
def test_devices_that_are_too_good_make_no_key() -> None:
    ends = talk(4, made=sides(4, S=3.6))
    check_ends(ends, released=(False, False))
    assert ends[1].value is not None
    assert "more than quantum devices reach" in ends[1].value.reason


def test_what_is_too_good_is_rare_for_devices_at_the_quantum_bound() -> None:
    rng = np.random.default_rng(1)
    lost = rng.binomial(2000, (2 - math.sqrt(2)) / 4, 20_000)
    assert not any(too_good(int(n), 2000) for n in np.unique(lost))
    assert too_good(0, 200)
    assert not too_good(0, 10)
    assert not too_good(0, 0)


def test_settings_that_nobody_asked_are_refused() -> None:
    one, two = sides(1)
    settings = one.settings.copy()
    settings[:10] = 1
    theirs = two.settings.copy()
    theirs[:10] = 2
    ends = talk(1, made=(RawSide(settings, one.bits), RawSide(theirs, two.bits)))
    check_ends(ends, released=(False, False))
    assert "settings must be those of the key or of a test" in str(ends[1].error)


def test_more_tests_than_the_leak_was_planned_for_make_no_key() -> None:
    tight = replace(plan(), leak_cap=1000)
    ends = talk(1, plans=(tight, tight))
    check_ends(ends, released=(False, False))
    assert ends[0].value is not None
    assert "would tell more than the 1,000 bits of the plan" in ends[0].value.reason


def test_two_plans_make_no_key() -> None:
    ends = talk(1, plans=(plan(), replace(plan(), tolerated_losses=10**6)))
    check_ends(ends, released=(False, False))
    assert "differ in tolerated_losses" in str(ends[0].error)


def test_without_a_length_the_tests_are_told_and_nothing_else() -> None:
    none = replace(plan(), length=0, net_length=0, reason="too few rounds for a test of this")
    ends = talk(1, plans=(none, none))
    check_ends(ends, released=(False, False))
    assert ends[1].value is not None
    assert ends[1].value.facts["S"] == pytest.approx(S, abs=0.05)
    assert ends[0].end.leaked == 0


def bodies(body: bytes, rng: np.random.Generator) -> list[bytes]:
    return [
        b"",
        rng.bytes(len(body)),
        b"\xff" * len(body),
        body + b"\0",
        body[:-1],
        b"[" * 100_000,
        b"maybe",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("role", ["alice", "bob"])
def test_no_wrong_key_whatever_is_said_instead(role: Role) -> None:
    rng = np.random.default_rng(9)
    sent = honest()[0 if role == "alice" else 1].end.sent
    for number, frame in enumerate(sent):
        last = role == "alice" and number == len(sent) - 1
        spoilt = bytearray(body_of(frame))
        spoilt[-1] ^= 1
        lies = [bytes(spoilt), *bodies(body_of(frame), rng)]
        if kind_of(frame) == "syndrome":  # a wrong one of the right length takes seconds to give up
            lies = [lies[0], lies[1], lies[-1]]
        for body in lies:

            def wire(
                sender: Role, count: int, given: bytes, number: int = number, body: bytes = body
            ) -> Iterable[bytes]:
                mine = (sender, count) == (role, number)
                return [with_body(given, body)] if mine else [given]

            check_ends(talk(1, wire=wire), released=(last, False))


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["cut", "replayed", "altered"])
def test_no_wrong_key_whatever_happens_to_a_message(fault: str) -> None:
    for role, ending in zip(("alice", "bob"), honest(), strict=True):
        sent = ending.end.sent
        for number in range(len(sent)):
            final = number == len(sent) - 1

            def wire(
                sender: Any, count: int, frame: bytes, role: str = role, number: int = number
            ) -> Iterable[bytes]:
                if (sender, count) != (role, number):
                    return [frame]
                if fault == "cut":
                    return []
                if fault == "replayed":
                    return [frame, frame]
                spoilt = bytearray(frame)
                spoilt[-1] ^= 1
                return [bytes(spoilt)]

            ends = talk(1, wire=wire)
            if fault == "replayed":
                check_ends(ends)
                assert final or not all(e.value is not None and e.value.key for e in ends)
            else:
                check_ends(ends, released=(role == "alice" and final, False))


def with_losses(lost: int) -> tuple[RawSide, RawSide]:
    """Rounds with exactly so many lost tests, and no other error."""
    one, two = sides(5, S=8**0.5, qber=0.0)
    tests = np.flatnonzero(two.settings < 2)
    both = (one.settings & two.settings & (two.settings < 2)).astype(np.uint8)
    bits = one.bits ^ both
    bits[np.random.default_rng(6).choice(tests, lost, replace=False)] ^= 1
    return one, RawSide(two.settings, bits)


@pytest.mark.parametrize("more", [0, 1])
def test_the_tolerated_number_of_lost_tests_is_a_line(more: int) -> None:
    tests = int((sides(5)[1].settings < 2).sum())
    limit = round(0.149 * tests)  # what quantum devices reach, and less than was planned for
    fixed = replace(plan(), tolerated_losses=limit)
    ends = [end.result() for end in talk(5, plans=(fixed, fixed), made=with_losses(limit + more))]
    assert ends[1].facts["tests_lost"] == limit + more
    assert [end.key is None for end in ends] == [bool(more)] * 2
    if more:
        assert f"more than the {limit:,} that the plan tolerates" in ends[1].reason
        assert ends[0].reason == "the other side found too many lost tests"
    else:
        assert ends[0].key == ends[1].key
