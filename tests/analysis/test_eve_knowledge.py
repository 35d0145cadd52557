"""What Eve's record tells her: brute force over all keys, coverage, and the bound on the key."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ebit.analysis.eve_knowledge import (
    joint_tables,
    knowledge,
    posteriors,
    record_entropies,
    smooth_min_entropy,
)
from ebit.analysis.key_signatures import attack_signature, binary_entropy
from ebit.backends.exact import distributions, joint
from ebit.backends.sample import draw
from ebit.circuits import key_round
from ebit.games import ArgumentError


def exactly(experiment):
    return experiment.behaviour(
        [joint(distributions(c), c.num_clbits) for c in experiment.circuits]
    )


def by_hand(groups, epsilon):
    """Largest v with P(surprise < v) <= epsilon, over all strings."""
    each = [g for g, k in groups for _ in range(k)]
    points = []
    for string in product((0, 1), repeat=len(each)):
        p = math.prod(g if b == 0 else 1 - g for g, b in zip(each, string, strict=True))
        if p > 0:
            points.append((-math.log2(p), p))
    points.sort()
    below, best = 0.0, 0.0
    for value, p in points:
        if below <= epsilon * (1 + 1e-9):
            best = value
        below += p
    return best


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.5, 0.6, 0.75, 0.9, 1.0]), st.integers(1, 4)),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from([1e-6, 0.01, 0.1, 0.3]),
)
def test_smooth_min_entropy_by_brute_force(groups, epsilon):
    found = smooth_min_entropy([g for g, _ in groups], [k for _, k in groups], epsilon)
    assert found == pytest.approx(by_hand(groups, epsilon), abs=1e-6)


@pytest.mark.parametrize(("g", "n"), [(0.75, 1000), (0.853553, 20_000), (0.51, 100_000)])
def test_smooth_min_entropy_of_one_group_is_a_binomial_quantile(g, n):
    epsilon = 1e-10
    few = int(stats.binom.ppf(epsilon, n, 1 - g))
    few -= stats.binom.cdf(few - 1, n, 1 - g) > epsilon
    expected = -n * math.log2(g) + few * math.log2(g / (1 - g))
    assert smooth_min_entropy([g], [n], epsilon) == pytest.approx(expected, abs=0.2)
    # Below the entropy, by about six standard deviations.
    deviation = math.sqrt(n * g * (1 - g)) * math.log2(g / (1 - g))
    assert n * binary_entropy(g) - 7 * deviation - 1 < expected < n * binary_entropy(g)


def test_many_groups_lose_next_to_nothing_by_rounding():
    g, n = np.linspace(0.55, 0.95, 8), np.full(8, 30_000)
    found = smooth_min_entropy(g, n, 1e-10)
    mean = sum(k * binary_entropy(p) for p, k in zip(g, n, strict=True))
    spread = math.sqrt(
        sum(k * p * (1 - p) * math.log2(p / (1 - p)) ** 2 for p, k in zip(g, n, strict=True))
    )
    # The normal approximation at 1e-10 is 6.361 standard deviations; skewness adds little here.
    assert found == pytest.approx(mean - 6.361 * spread, abs=0.05 * spread + 10)


def test_entropies_of_a_round():
    # Intercept-resend in a random basis: half the records are sure, half are blind.
    table = [[0.25, 0.0, 0.125, 0.125], [0.0, 0.25, 0.125, 0.125]]
    guess, least, information = record_entropies(table)
    assert (guess, information) == (0.75, 0.5)
    assert least == pytest.approx(math.log2(4 / 3))
    np.testing.assert_array_equal(posteriors(table)[2:], 0.5)
    np.testing.assert_array_equal(posteriors([[0.0, 1.0], [0.0, 0.0]]), [[0.5, 0.5], [1, 0]])


def test_what_the_middle_says_joins_the_record():
    rng = np.random.default_rng(5)
    behaviour = rng.random((3, 2, 2, 4, 2))
    found = joint_tables(behaviour, middle=True)
    assert found.shape == (3, 2, 8)
    assert found[1, 0, 4 * 1 + 3] == pytest.approx(behaviour[1, 0, :, 3, 1].sum())
    assert joint_tables(behaviour[..., 0], middle=True).shape == (3, 2, 4)


def test_errors_join_the_record():
    rng = np.random.default_rng(6)
    behaviour = rng.random((2, 2, 2, 3))
    found = joint_tables(behaviour, errors=True)
    for q, a, b, e in product(range(2), range(2), range(2), range(3)):
        assert found[q, a, 2 * e + (a ^ b)] == behaviour[q, a, b, e]
    with_middle = rng.random((2, 2, 2, 4, 3))
    kept = with_middle.copy()
    found = joint_tables(with_middle, middle=True, errors=True, flips=[1, None])
    for a, b, m, e in product(range(2), range(2), range(4), range(3)):
        record = 4 * e + m
        assert found[0, a, 2 * record + (a ^ b ^ (m >> 1))] == with_middle[0, a, b, m, e]
        assert found[1, a, 2 * record + (a ^ b)] == with_middle[1, a, b, m, e]
    np.testing.assert_array_equal(with_middle, kept)
    with pytest.raises(ArgumentError, match="`flips`"):
        joint_tables(with_middle, middle=True, errors=True)


@pytest.mark.parametrize("protocol", ["bb84", "mdi", "six-state"])
@pytest.mark.parametrize(
    "attack", ["cloner:0.2", "cloner:0.5", "probe:0.5", "depolarising:0.2", "intercept-resend:0.4"]
)
def test_knowing_the_errors_stays_within_entropic_uncertainty(protocol, attack):
    made = key_round(protocol, attack=attack, choices="per-circuit")
    middle = protocol == "mdi"
    flips = [
        made.details["flip"][made.details["alice_bases"][x]] if middle and x == y else None
        for x, y in made.game.questions[:, :2].tolist()
    ]
    behaviour = exactly(made)
    plain = record_entropies(joint_tables(behaviour, middle=middle)[0])
    told = record_entropies(joint_tables(behaviour, middle=middle, errors=True, flips=flips)[0])
    assert told[0] >= plain[0] - 1e-12
    assert told[2] >= plain[2] - 1e-12
    # The length formula still holds with the errors known (Tupkary and Luetkenhaus).
    assert 1 - told[2] >= 1 - binary_entropy(attack_signature(attack).qber["X"]) - 1e-9


ATTACKS = [
    "intercept-resend:1",
    "intercept-resend:0.3",
    "intercept-z:0.2",
    "breidbart:0.5",
    "cloner:0.1",
    "cloner:0.5",
    "probe:0.2",
    "depolarising:0.04",
    "depolarising:0.2",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_run_of_an_attack(attack):
    made = key_round("bb84", attack=attack, alice_odds=(0.9, 0.1), bob_odds=(0.9, 0.1))
    [circuit] = made.circuits
    trials = made.decode(draw([distributions(circuit)], made.widths, [40_000], seed=23))
    asked, got = trials.rounds()
    key = (asked[:, 0] == 0) & (asked[:, 1] == 0)
    bits, records = got[key, 0], got[key, 2]
    table = joint_tables(exactly(made))[0]
    told = attack_signature(attack)
    n, wrong = int(key.sum()), told.qber["X"]
    # The length of the theorem before its finite-size terms, at the error in the test basis.
    length = max(0, int(n * (1 - 2 * binary_entropy(wrong)) - 8 * math.sqrt(n)))
    leak = n * binary_entropy(told.qber["Z"])
    found = knowledge(bits, records, table, leak=leak, key_bits=length)
    assert found.n == n
    assert found.kept == (found.margin >= 0 or length == 0)
    assert found.kept
    assert abs(found.right - found.expected_right) < 4.5 * math.sqrt(0.25 / n)
    assert found.expected_right == pytest.approx(told.guess["Z"], abs=4.5 * 0.5 / math.sqrt(n))
    assert found.information == pytest.approx(told.information["Z"], abs=0.02)
    assert found.min_entropy <= found.smooth_min_entropy <= n * (1 - found.information) + 1e-6
    assert found.average_min_entropy == pytest.approx(-n * math.log2(told.guess["Z"]), rel=1e-9)
    # Entropic uncertainty (Berta et al. 2010): H(Z|E) >= 1 - h(error in X).
    assert 1 - told.information["Z"] >= 1 - binary_entropy(wrong) - 1e-12


def test_too_long_a_key_is_noticed():
    table = [[0.5, 0.0], [0.0, 0.5]]
    bits = np.tile([0, 1], 50)
    found = knowledge(bits, bits, table, leak=0, key_bits=1)
    assert found.min_entropy == 0
    assert found.margin == -1
    assert not found.kept
    assert "NOT KEPT" in str(found)
    assert found.right == 1
    blind = knowledge(bits, bits * 0, [[0.5], [0.5]], leak=30, key_bits=70)
    assert blind.margin == 0
    assert blind.kept
    assert "is kept" in str(blind)
    assert knowledge([], [], table, leak=0, key_bits=0).kept


def test_bound_means_what_it_says():
    # Posterior of the true key over many runs: above 2^-H only with probability epsilon.
    rng = np.random.default_rng(9)
    g, n, epsilon, runs = 0.8, 60, 0.05, 4000
    bound = smooth_min_entropy([g], [n], epsilon)
    unlikely = rng.binomial(n, 1 - g, runs)
    surprise = -(n - unlikely) * math.log2(g) - unlikely * math.log2(1 - g)
    assert (surprise < bound - 1e-9).mean() < epsilon + 4 * math.sqrt(epsilon / runs)


def test_rounds_of_two_kinds():
    tables = [[[0.5, 0.0], [0.0, 0.5]], [[0.25, 0.25], [0.25, 0.25]]]
    found = knowledge([0, 1, 0], [0, 1, 1], tables, which=[0, 0, 1], leak=0, key_bits=1)
    assert (found.min_entropy, found.kept) == (1, True)
    assert found.to_dict()["assumptions"] == list(found.assumptions)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda t: knowledge([0], [0, 1], t, leak=0, key_bits=0), "of one length"),
        (lambda t: knowledge([0], [2], t, leak=0, key_bits=0), "`records` must hold"),
        (lambda t: knowledge([2], [0], t, leak=0, key_bits=0), "`bits` must hold"),
        (lambda t: knowledge([0], [0], t, which=[1], leak=0, key_bits=0), "`which`"),
        (lambda t: knowledge([0], [0], t, leak=0, key_bits=-1), "`key_bits`"),
        (lambda t: knowledge([0], [0], t, leak=0, key_bits=1, epsilon=0), "`epsilon`"),
        (lambda t: posteriors([1.0, 2.0]), "`table` must hold"),
        (lambda t: joint_tables(np.zeros((2, 2))), "`behaviour` must have"),
        (lambda t: smooth_min_entropy([0.4], [1], 0.1), "`best` must hold"),
        (lambda t: smooth_min_entropy([0.6], [1, 2], 0.1), "`best` must hold"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(ArgumentError, match=words):
        call([[0.5, 0.0], [0.0, 0.5]])
