"""Reconciliation by syndromes: both sides, the leak to the bit, faults of the channel."""

import math

import numpy as np
import pytest

from ebit.analysis.ldpc import plan_syndrome
from ebit.games import ArgumentError
from ebit.protocols.conversation import ChannelError, Expect, Message, converse
from ebit.protocols.syndrome import bits_from, syndrome_alice, syndrome_bob
from ebit.protocols.syndrome_blind import blind_alice, blind_bob, plan_blind


def keys(n, q, seed):
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 2, n, np.uint8)
    return a, a ^ (rng.random(n) < q)


def h(q):
    return -q * math.log2(q) - (1 - q) * math.log2(1 - q)


def test_one_message_and_nothing_back():
    a, b = keys(20_000, 0.02, 1)
    plan = plan_syndrome(20_000, 0.02, largest_block=10_000)
    alice, bob = converse(syndrome_alice(a, plan), syndrome_bob(b, plan, 0.02))
    got = bob.result()
    assert np.array_equal(got.bits, a)
    assert not got.failed
    assert got.errors == np.count_nonzero(a != b)
    assert len(alice.end.sent) == 1
    assert not bob.end.sent
    assert alice.end.leaked == plan.leak_bits == got.leak_bits
    assert bob.end.leaked == 0
    assert alice.result().round_trips == got.round_trips == 0
    assert np.array_equal(alice.result().bits, a)
    # the syndrome is packed to the bit behind a head of fixed size
    assert len(alice.end.sent[0]) < plan.leak_bits / 8 + 70


def test_results_do_not_show_the_bits():
    a, b = keys(2000, 0.02, 2)
    plan = plan_syndrome(2000, 0.02)
    got = converse(syndrome_alice(a, plan), syndrome_bob(b, plan, 0.02))[1].result()
    assert "array" not in repr(got)
    assert "bits" not in got.to_dict()
    assert "errors corrected" in str(got)


def test_rates_of_key_and_test_rounds_as_priors():
    n = 40_000
    rng = np.random.default_rng(3)
    test = rng.random(n) < 0.05
    rates = np.where(test, 0.17, 0.018)
    a = rng.integers(0, 2, n, np.uint8)
    b = a ^ (rng.random(n) < rates)
    plan = plan_syndrome(n, rates)
    got = converse(syndrome_alice(a, plan), syndrome_bob(b, plan, rates))[1].result()
    assert np.array_equal(got.bits, a)
    # who does not tell them apart must tell more
    assert plan_syndrome(n, float(rates.mean())).leak_bits > 1.05 * plan.leak_bits


def test_failure_is_reported_not_guessed():
    a, b = keys(8000, 0.05, 4)
    plan = plan_syndrome(8000, 0.02, largest_block=4000)
    alice, bob = converse(syndrome_alice(a, plan), syndrome_bob(b, plan, 0.02))
    got = bob.result()
    assert got.failed
    assert got.bits is None
    assert got.errors is None
    assert "2 of 2 blocks" in got.reason
    assert got.reason in str(got)
    assert alice.end.leaked == plan.leak_bits


def _altered(change):
    def wire(role, number, frame):
        return change(role, number, frame)

    return wire


@pytest.mark.parametrize(
    "change",
    [
        lambda role, number, frame: [],
        lambda role, number, frame: [frame[:-1]],
        lambda role, number, frame: [frame[:-1] + b"\xff"] if role == "alice" else [frame],
        lambda role, number, frame: [frame[:30] + bytes([frame[30] ^ 1]) + frame[31:]],
    ],
)
def test_a_damaged_syndrome_ends_in_a_channel_error(change):
    a, b = keys(1100, 0.02, 5)
    plan = plan_syndrome(1100, 0.02, leak_bits=305)
    assert plan.leak_bits % 8
    bob = converse(syndrome_alice(a, plan), syndrome_bob(b, plan, 0.02), wire=_altered(change))[1]
    with pytest.raises(ChannelError):
        bob.result()


def test_a_flipped_syndrome_bit_gives_no_key_of_alice_unnoticed():
    a, b = keys(4000, 0.02, 6)
    plan = plan_syndrome(4000, 0.02)

    def wire(role, number, frame):
        return [frame[:-20] + bytes([frame[-20] ^ 8]) + frame[-19:]]

    bob = converse(syndrome_alice(a, plan), syndrome_bob(b, plan, 0.02), wire=wire)[1].result()
    assert bob.failed or not np.array_equal(bob.bits, a)  # the hash and the tag catch the second


def test_another_plan_is_named():
    a, b = keys(1000, 0.02, 7)
    one = plan_syndrome(1000, 0.02, leak_bits=300)
    two = plan_syndrome(1001, 0.02, leak_bits=one.leak_bits)
    bob = converse(syndrome_alice(a, one), syndrome_bob(np.append(b, np.uint8(0)), two, 0.02))[1]
    with pytest.raises(ChannelError, match="syndrome"):
        bob.result()


def test_wrong_arguments_are_refused_at_once():
    a, _ = keys(1000, 0.02, 8)
    plan = plan_syndrome(1000, 0.02)
    with pytest.raises(ArgumentError):
        syndrome_alice(a[:-1], plan)
    with pytest.raises(ArgumentError):
        syndrome_bob(a, plan, 0.6)
    with pytest.raises(ArgumentError):
        syndrome_bob(a, plan, np.full(999, 0.02))
    with pytest.raises(ArgumentError):
        blind_alice(a, plan, leak_cap=plan.leak_bits - 1)


def test_bits_from_is_strict():
    assert bits_from(b"\xa0", 3).tolist() == [1, 0, 1]
    for body, count in ((b"\xa0\x00", 3), (b"", 1), (b"\xb0", 3)):
        with pytest.raises(ChannelError):
            bits_from(body, count)


# ---- blind


@pytest.mark.parametrize("guess", [0.015, 0.02, 0.03])
def test_blind_ends_whatever_the_guess(guess):
    a, b = keys(20_000, 0.02, 9)
    plan = plan_blind(20_000, guess, largest_block=10_000)
    alice, bob = converse(blind_alice(a, plan), blind_bob(b, plan, guess))
    got = bob.result()
    assert np.array_equal(got.bits, a)
    assert alice.end.leaked == got.leak_bits == alice.result().leak_bits >= plan.leak_bits
    assert bob.end.leaked == 0
    assert alice.result().round_trips == got.round_trips == alice.end.turns
    if guess == 0.03:
        assert got.round_trips == 1
        assert got.leak_bits == plan.leak_bits


def test_questions_depend_on_the_errors_only():
    # what the leak's argument rests on: another key with the same errors is asked for the same bits
    n = 10_000
    a, b = keys(n, 0.02, 10)
    other = np.random.default_rng(11).integers(0, 2, n, np.uint8)
    plan = plan_blind(n, 0.017)
    one = converse(blind_alice(a, plan), blind_bob(b, plan, 0.017))[1]
    two = converse(blind_alice(other, plan), blind_bob(other ^ a ^ b, plan, 0.017))[1]
    assert len(one.end.sent) > 1
    assert one.end.sent == two.end.sent


def test_blind_stops_at_the_cap():
    a, b = keys(10_000, 0.06, 12)
    plan = plan_blind(10_000, 0.02)
    cap = plan.leak_bits + 200
    alice, bob = converse(
        blind_alice(a, plan, leak_cap=cap), blind_bob(b, plan, 0.02, leak_cap=cap)
    )
    assert bob.result().failed
    assert alice.result().failed
    assert alice.end.leaked <= cap
    assert alice.result().bits is None


@pytest.mark.parametrize(
    "question",
    [
        b"",
        b"\x07",
        b"\x00\x00",
        b"\x01",
        b"\x01\x00\x00\x00",
        b"\x01" + (1000).to_bytes(4, "big"),
        b"\x01" + 2 * (5).to_bytes(4, "big"),
        b"\x01" + (6).to_bytes(4, "big") + (5).to_bytes(4, "big"),
        b"\x01" + b"".join(k.to_bytes(4, "big") for k in range(900)),
    ],
)
def test_alice_refuses_malformed_questions(question):
    a, _ = keys(1000, 0.02, 13)
    plan = plan_blind(1000, 0.02)

    def bob():
        yield Expect("syndrome")
        yield Message("question", question)
        yield Expect("values")

    alice, _ = converse(blind_alice(a, plan), bob())
    with pytest.raises(ChannelError):
        alice.result()
    assert alice.end.leaked == plan.leak_bits


def test_alice_tells_no_bit_twice():
    a, _ = keys(1000, 0.02, 14)
    plan = plan_blind(1000, 0.02)

    def bob():
        yield Expect("syndrome")
        for _ in range(2):
            yield Message("question", b"\x01" + (5).to_bytes(4, "big"))
            yield Expect("values")

    alice, _ = converse(blind_alice(a, plan), bob())
    with pytest.raises(ChannelError, match="twice"):
        alice.result()
    assert alice.end.leaked == plan.leak_bits + 1


def test_bob_refuses_values_of_another_number():
    a, b = keys(10_000, 0.03, 15)
    plan = plan_blind(10_000, 0.02)

    def wire(role, number, frame):
        if role == "alice" and number == 1:
            cut = frame[:-1]
            size = int.from_bytes(cut[8:12], "big") - 1
            return [cut[:8] + size.to_bytes(4, "big") + cut[12:]]
        return [frame]

    _, bob = converse(blind_alice(a, plan), blind_bob(b, plan, 0.02), wire=wire)
    with pytest.raises(ChannelError):
        bob.result()


@pytest.mark.slow
def test_blind_leaks_less_than_one_way_in_few_trips():
    n, q = 100_000, 0.03
    plan, fs, trips = plan_blind(n, q), [], []
    for seed in range(12):
        a, b = keys(n, q, 100 + seed)
        alice, bob = converse(blind_alice(a, plan), blind_bob(b, plan, q))
        assert np.array_equal(bob.result().bits, a)
        fs.append(alice.end.leaked / (n * h(float(np.mean(a != b)))))
        trips.append(alice.end.turns)
    assert np.mean(fs) < 1.09 < plan_syndrome(n, q).f
    assert np.mean(trips) < 4
