"""Eavesdroppers: the circuits show the predicted errors and tell Eve what is predicted."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebit.analysis.eve_knowledge import joint_tables, record_entropies
from ebit.analysis.key_signatures import attack_signature
from ebit.backends.exact import distributions, joint
from ebit.backends.sample import draw
from ebit.circuits import KEY_PROTOCOLS, key_protocol, key_round, parse_attack, with_attack
from ebit.games import ArgumentError

ATTACKS = [
    "intercept-resend:1",
    "intercept-resend:0.35",
    "intercept-z:1",
    "intercept-z:0.6",
    "intercept-x:1",
    "intercept-x:0.25",
    "breidbart:1",
    "breidbart:0.5",
    "cloner:0",
    "cloner:0.3",
    "cloner:0.5",
    "cloner:1",
    "probe:0.4",
    "probe:1",
    "depolarising:0.2",
    "depolarising:1",
    "spoofed-source:separable",
    "spoofed-source:zeros",
]
CASES = [
    (p, a)
    for p, a in product(KEY_PROTOCOLS, ATTACKS)
    if not a.startswith("spoofed") or key_protocol(p).kind == "pair"
]


def exactly(experiment):
    return experiment.behaviour(
        [joint(distributions(c), c.num_clbits) for c in experiment.circuits]
    )


def figures(made, behaviour):
    """Per key and test setting: error rate, guess, information; and S."""
    rules = key_protocol(made.details["protocol"])
    middle = rules.kind == "middle"
    index = {tuple(row[:2]): q for q, row in enumerate(made.game.questions.tolist())}
    tables = joint_tables(behaviour, middle=middle)
    found = {}
    for x, y in rules.matched:
        q = index[x, y]
        table = behaviour[q].sum(axis=-1)
        if middle:
            bit = made.details["flip"][rules.alice[x]]
            table = sum(table[:, :: 1 - 2 * ((m >> bit) & 1), m] for m in range(4))
        guess, _, information = record_entropies(tables[q])
        found[rules.alice[x]] = (table[0, 1] + table[1, 0], guess, information)
    value = 0.0
    for x, y, sign in rules.chsh:
        table = behaviour[index[x, y]].sum(axis=-1)
        value += sign * (np.trace(table) - table[0, 1] - table[1, 0])
    return found, value


@pytest.mark.parametrize(("protocol", "attack"), CASES)
def test_circuit_reproduces_the_signature(protocol, attack):
    made = key_round(protocol, attack=attack, choices="per-circuit")
    found, value = figures(made, exactly(made))
    told = attack_signature(attack)
    for basis, (wrong, guess, information) in found.items():
        assert wrong == pytest.approx(told.qber[basis], abs=1e-9)
        assert guess == pytest.approx(told.guess[basis], abs=1e-9)
        assert information == pytest.approx(told.information[basis], abs=1e-9)
    if made.details["chsh"]:
        assert value == pytest.approx(told.S, abs=1e-9)


@pytest.mark.parametrize(
    ("protocol", "attack"),
    [
        (p, a)
        for p, a in CASES
        if a in ("cloner:0.3", "depolarising:0.2", "spoofed-source:separable", "intercept-resend:1")
        or (a, p) in (("intercept-resend:0.35", "bbm92"), ("intercept-resend:0.35", "bb84"))
    ],
)
def test_every_way_of_choosing_is_the_same_attack(protocol, attack):
    first = exactly(key_round(protocol, attack=attack, choices="per-circuit"))
    for choices, wiring in (
        ("per-circuit", "controlled"),
        ("per-shot", "feed-forward"),
        ("per-shot", "controlled"),
    ):
        if (protocol, attack, choices, wiring) == (
            "six-state",
            "depolarising:0.2",
            "per-shot",
            "controlled",
        ):
            with pytest.raises(ArgumentError, match="wiring='feed-forward'"):
                key_round(protocol, attack=attack, choices=choices, wiring=wiring)
            continue
        made = key_round(protocol, attack=attack, choices=choices, wiring=wiring)
        np.testing.assert_allclose(exactly(made), first, atol=1e-9)


@pytest.mark.parametrize("attack", ["intercept-resend:0.35", "cloner:0.3", "depolarising:0.2"])
def test_second_simulator_agrees(attack, exact_distribution):
    made = key_round("bb84", attack=attack, choices="per-circuit")
    found = made.behaviour([exact_distribution(c) for c in made.circuits])
    np.testing.assert_allclose(found, exactly(made), atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(
        ["intercept-resend", "intercept-z", "breidbart", "cloner", "probe", "depolarising"]
    ),
    st.floats(0, 1),
)
def test_any_strength_has_its_signature(kind, strength):
    attack = f"{kind}:{strength!r}"
    made = key_round("six-state", attack=attack, choices="per-circuit")
    found, _ = figures(made, exactly(made))
    told = attack_signature(attack)
    for basis, (wrong, guess, information) in found.items():
        assert wrong == pytest.approx(told.qber[basis], abs=1e-9)
        assert guess == pytest.approx(told.guess[basis], abs=1e-9)
        assert information == pytest.approx(told.information[basis], abs=1e-8)


@pytest.mark.parametrize("protocol", ["bb84", "e91"])
@pytest.mark.parametrize("attack", ["intercept-resend:1", "cloner:0.5", "depolarising:0.2"])
def test_sampled_runs_show_the_signature(protocol, attack):
    made = key_round(protocol, attack=attack)
    [circuit] = made.circuits
    n = 60_000
    trials = made.decode(draw([distributions(circuit)], made.widths, [n], seed=17))
    asked, got = trials.rounds()
    told = attack_signature(attack)
    tables = joint_tables(exactly(made))
    for x, y in (*made.details["key"], *made.details["test"]):
        basis = made.details["alice_bases"][x]
        here = (asked[:, 0] == x) & (asked[:, 1] == y)
        a, b, e = got[here].T
        q = int(made.game.question_index(np.array([x, y, 0])))
        best = tables[q].argmax(axis=0)[e]
        for rate, expected in (
            ((a != b).mean(), told.qber[basis]),
            ((best == a).mean(), told.guess[basis]),
        ):
            width = math.sqrt(expected * (1 - expected) / here.sum())
            assert abs(rate - expected) < 4.5 * width


def test_eve_is_the_last_party_with_named_bits():
    made = key_round("e91", attack="intercept-resend:0.5")
    assert made.details["eve"] == ("outcome", "basis", "attacked")
    assert made.game.settings == (2, 4, 1)
    assert made.game.outcomes == (2, 2, 8)
    assert [made.roles[q] for q in made.parties[-1]] == ["Eve record", "Eve basis", "Eve chance"]
    assert made.details["attack"] == "intercept-resend:0.5"
    # What she did not attack she does not know: the record is a fair coin there.
    table = joint_tables(exactly(made))[0]
    np.testing.assert_allclose(table[:, :4], 0.5 * 0.25 / 2, atol=1e-12)


def test_zeros_leave_no_record():
    made = key_round("bbm92", attack="spoofed-source:zeros")
    assert made.details["eve"] == ()
    assert made.game.outcomes == (2, 2, 1)
    [circuit] = made.circuits
    asked, got = made.decode(draw([distributions(circuit)], made.widths, [500], seed=1)).rounds()
    assert not got[asked[:, 0] == 0, 0].any()
    assert not got[:, 2].any()


def test_man_in_the_middle_leaves_circuits_alone():
    plain = key_round("bb84")
    forged = with_attack(plain, "man-in-the-middle")
    assert forged.id == plain.id
    assert forged.details["attack"] == "man-in-the-middle"
    assert forged.game.n_parties == 2


def test_attack_comes_before_noise():
    made = key_round("bb84", attack="cloner:1", noise="dephasing:0.5", choices="per-circuit")
    found, _ = figures(made, exactly(made))
    # A full swap gives Eve the state as it left Alice.
    assert found["X"][1] == pytest.approx(1)
    assert found["X"][0] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("text", "kind", "strength", "printed"),
    [
        ("intercept-resend", "intercept-resend", 1.0, "intercept-resend:1"),
        ("cloner", "cloner", 0.5, "cloner:0.5"),
        ("probe:0.25", "probe", 0.25, "probe:0.25"),
        ("man-in-the-middle", "man-in-the-middle", 1.0, "man-in-the-middle"),
        ("memory", "memory", 1.0, "memory"),
        ("spoofed-source:zeros", "spoofed-source", 1.0, "spoofed-source:zeros"),
    ],
)
def test_attacks_are_read_and_printed(text, kind, strength, printed):
    found = parse_attack(text)
    assert (found.kind, found.strength, str(found)) == (kind, strength, printed)
    assert parse_attack(str(found)) == found == parse_attack(found)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: parse_attack("hammer"), "one of the kinds intercept-resend, intercept-z"),
        (lambda: parse_attack("cloner:2"), "strength between 0 and 1"),
        (lambda: parse_attack("cloner:"), "strength between 0 and 1"),
        (lambda: parse_attack("cloner:nan"), "strength between 0 and 1"),
        (lambda: parse_attack("memory:1"), "has no strength"),
        (lambda: parse_attack("spoofed-source:ones"), "separable or zeros"),
        (lambda: key_round("bb84", attack="spoofed-source"), "take bbm92, e91 or diqkd"),
        (lambda: key_round("diqkd", attack="memory"), "eve_cheats"),
        (lambda: with_attack(key_round("bb84", attack="cloner"), "cloner"), "without an attack"),
    ],
)
def test_refusals_say_what_is_wrong(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()
