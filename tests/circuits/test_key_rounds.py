"""Key rounds: bits agree, odds are exact, both wirings and both ways of choosing are one round."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebit.backends import open_backend
from ebit.backends.exact import distributions, joint
from ebit.backends.sample import draw
from ebit.circuits import (
    KEY_PROTOCOLS,
    Experiment,
    disjoint_places,
    key_protocol,
    key_round,
    many_rounds,
    parse_noise,
    with_noise,
)
from ebit.circuits.key_gates import coins
from ebit.circuits.record import program_from_bytes, program_to_bytes
from ebit.games import ArgumentError

WAYS = list(product(("per-shot", "per-circuit"), ("feed-forward", "controlled")))
# Odds with no symmetry that could hide a mix-up.
ODDS = {2: (0.7, 0.3), 3: (0.5, 0.3, 0.2), 4: (0.4, 0.3, 0.2, 0.1)}


def exactly(experiment: Experiment):
    return experiment.behaviour(
        [joint(distributions(c), c.num_clbits) for c in experiment.circuits]
    )


@pytest.mark.parametrize("protocol", KEY_PROTOCOLS)
@pytest.mark.parametrize(("choices", "wiring"), WAYS)
def test_round_has_its_ideal_behaviour(protocol, choices, wiring, exact_distribution):
    made = key_round(protocol, choices=choices, wiring=wiring)
    # Second route: the vector of all qubits, with a further qubit per classical bit.
    found = made.behaviour([exact_distribution(c) for c in made.circuits])
    np.testing.assert_allclose(found, made.ideal, atol=1e-12)
    assert (
        made.game.value(made.ideal)
        == pytest.approx(
            1
            - sum(  # CHSH settings are won (2 + sqrt 2)/4 of the time, all others always
                made.game.distribution[q] * (2 - math.sqrt(2)) / 4
                for q, row in enumerate(made.game.questions.tolist())
                if tuple(row[:2]) in {(x, y) for x, y, _ in made.details["chsh"]}
            ),
            abs=1e-12,
        )
    )


@pytest.mark.parametrize("protocol", KEY_PROTOCOLS)
def test_bits_agree_in_every_key_and_test_setting(protocol):
    made = key_round(protocol)
    rules = key_protocol(protocol)
    for x, y in (*made.details["key"], *made.details["test"]):
        assert rules.alice[x] == rules.bob[y]
        question = made.game.question_index(np.array([x, y] + [0] * (made.game.n_parties - 2)))
        table = made.ideal[int(question)]
        for a, b in product((0, 1), repeat=2):
            for m in range(4) if rules.kind == "middle" else (None,):
                p = table[a, b] if m is None else table[a, b, m]
                flip = 0 if m is None else (m >> made.details["flip"][rules.alice[x]]) & 1
                assert p == pytest.approx(0 if a != b ^ flip else 1 / (2 if m is None else 8))


@pytest.mark.parametrize("protocol", KEY_PROTOCOLS)
@pytest.mark.parametrize(("choices", "wiring"), WAYS)
def test_odds_are_what_was_asked(protocol, choices, wiring):
    rules = key_protocol(protocol)
    odds = ODDS[len(rules.alice)], ODDS[len(rules.bob)]
    made = key_round(protocol, alice_odds=odds[0], bob_odds=odds[1], choices=choices, wiring=wiring)
    asked = np.outer(*odds)
    if choices == "per-circuit":
        found = np.array(made.weights).reshape(asked.shape)
    else:
        [circuit], [readout] = made.circuits, made.readouts
        table = joint(distributions(circuit), circuit.num_clbits)
        index = np.arange(len(table))
        x, y = (
            sum(((index >> bit) & 1) << k for k, bit in enumerate(bits))
            for bits in readout.settings[:2]
        )
        found = np.zeros((4, 4))
        np.add.at(found, (x, y), table)
        assert found[len(odds[0]) :].sum() + found[:, len(odds[1]) :].sum() < 1e-15
        found = found[: len(odds[0]), : len(odds[1])]
    np.testing.assert_allclose(found, asked, atol=1e-14)
    np.testing.assert_allclose(made.game.distribution, asked.ravel(), atol=1e-15)
    np.testing.assert_allclose(exactly(made), made.ideal, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=4))
def test_coins_show_any_odds(weights):
    from ebit.circuits.layout import blank

    odds = [w / sum(weights) for w in weights]
    made = coins(odds, iter(range(2)).__next__, iter(range(2)).__next__)
    for wiring in ("feed-forward", "controlled"):
        circuit = blank(2, 2)
        made.prepare(circuit)
        made.toss(circuit, wiring)
        found = joint(distributions(circuit), 2)
        np.testing.assert_allclose(found, [*odds, *[0] * (4 - len(odds))], atol=1e-12)


def test_odds_by_name():
    one = key_round("e91", bob_odds={"D+": 0.1, "D-": 0.2, "X": 0.3, "Z": 0.4})
    assert one.details["bob_odds"] == (0.4, 0.3, 0.2, 0.1)
    assert one.id == key_round("e91", bob_odds=(0.4, 0.3, 0.2, 0.1)).id


def test_sizes_and_couplings_stay_small():
    shapes = {p: (m.num_qubits, m.couplings) for p in KEY_PROTOCOLS for m in [key_round(p)]}
    assert shapes == {
        "bb84": (3, ()),
        "bbm92": (4, ((0, 1),)),
        "e91": (5, ((0, 1),)),
        "six-state": (5, ()),
        "mdi": (4, ((0, 1),)),
        "diqkd": (5, ((0, 1),)),
    }


@pytest.mark.parametrize(
    ("kind", "rates"),
    [  # by hand: depolarising p/2; dephasing e; damping gamma/2 and (1 - sqrt(1-gamma))/2
        ("depolarising:0.1", {"Z": 0.05, "X": 0.05, "Y": 0.05}),
        ("dephasing:0.03", {"Z": 0, "X": 0.03, "Y": 0.03}),
        ("amplitude-damping:0.19", {"Z": 0.095, "X": 0.05, "Y": 0.05}),
        ("misalignment:0.4", {"Z": math.sin(0.2) ** 2, "X": math.sin(0.2) ** 2, "Y": 0}),
    ],
)
@pytest.mark.parametrize("wiring", ["feed-forward", "controlled"])
def test_set_noise_gives_its_error_rates(kind, rates, wiring):
    made = key_round("six-state", noise=kind, wiring=wiring, choices="per-circuit")
    found = exactly(made)
    for (x, y), row in zip(made.game.questions.tolist(), found, strict=True):
        if x == y:
            assert row[0, 1] + row[1, 0] == pytest.approx(rates["ZXY"[x]], abs=1e-12)
    assert made.details["noise"] == kind
    assert made.ideal is None


@pytest.mark.parametrize("protocol", KEY_PROTOCOLS)
def test_noise_is_the_same_in_every_way_of_choosing(protocol):
    made = [
        exactly(key_round(protocol, noise="amplitude-damping:0.3", choices=c, wiring=w))
        for c, w in WAYS
    ]
    for other in made[1:]:
        np.testing.assert_allclose(other, made[0], atol=1e-12)


@pytest.mark.parametrize("protocol", KEY_PROTOCOLS)
def test_round_is_read_back_as_it_was(protocol):
    made = key_round(protocol, attack="cloner:0.3", noise="dephasing:0.01")
    back = program_from_bytes(program_to_bytes(made))
    assert back.id == made.id
    assert back.details == made.details


def test_sampled_rounds_agree_with_the_odds_and_the_rule():
    made = key_round("e91", alice_odds=(0.8, 0.2), bob_odds=(0.5, 0.2, 0.2, 0.1))
    [circuit] = made.circuits
    shots = draw([distributions(circuit)], made.widths, [40_000], seed=11)
    trials = made.decode(shots)
    settings_, outcomes = trials.rounds()
    counts = trials.counts.sum(axis=(2, 3))
    asked = np.outer((0.8, 0.2), (0.5, 0.2, 0.2, 0.1)) * 40_000
    assert ((counts - asked) ** 2 / asked).sum() < 30  # chi-squared, 7 degrees: 1e-4
    same = (settings_[:, 0] == 0) & (settings_[:, 1] == 0)
    assert (outcomes[same, 0] == outcomes[same, 1]).all()
    assert same.sum() > 10_000
    assert trials.chosen == "per-shot"
    assert trials.source == "device"


@pytest.mark.parametrize("name", ["aer:fez", "cirq:willow_pink"])
@pytest.mark.parametrize("protocol", ["bb84", "bbm92", "mdi"])
@pytest.mark.slow
def test_rounds_compile_on_chips(name, protocol):
    wiring = "controlled" if name.startswith("cirq") else "feed-forward"
    backend = open_backend(name)
    for attack in (None, "intercept-resend:0.5", "cloner:0.5", "depolarising:0.2"):
        made = key_round(protocol, attack=attack, choices="per-circuit", wiring=wiring)
        assert backend.compile(made).guard.status in ("exact", "unchecked")
    if protocol != "mdi":
        made = key_round(protocol, wiring=wiring)
        assert backend.compile(made).guard.status == "exact"


def test_many_rounds_are_independent_copies():
    square = [(i, i + 1) for i in range(5)]
    made = key_round("bbm92", choices="per-circuit", noise="misalignment:0.5")
    wide = many_rounds(made, square, most=2)
    assert wide.groups[0].places == ((0, 1), (2, 3))
    shots = draw(
        [distributions(c) for c in wide.circuits], wide.widths, [3000] * len(wide.circuits), seed=3
    )
    for _, _, trials in wide.decode(shots):
        same = trials.counts[0, 0]
        wrong = (same[0, 1] + same[1, 0]) / same.sum()
        assert wrong == pytest.approx(math.sin(0.25) ** 2, abs=0.02)
    assert program_from_bytes(program_to_bytes(wide)).id == wide.id


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 5), st.integers(2, 5), st.integers(1, 4), st.integers(0, 1), st.data())
def test_places_are_disjoint_and_coupled(rows, columns, length, loose, data):
    grid = [(r * columns + c, r * columns + c + 1) for r in range(rows) for c in range(columns - 1)]
    grid += [
        (r * columns + c, (r + 1) * columns + c) for r in range(rows - 1) for c in range(columns)
    ]
    couplings = data.draw(st.permutations(grid))
    shape = [(i, i + 1) for i in range(length - 1)]
    size = length + loose
    if size > rows * columns or length > max(rows, columns):
        return
    places = disjoint_places(couplings, shape, size)
    used = [q for place in places for q in place]
    assert len(set(used)) == len(used)
    assert all(len(place) == size for place in places)
    known = {frozenset(edge) for edge in grid}
    assert all(frozenset((p[a], p[b])) in known for p in places for a, b in shape)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: key_round("bb85"), "protocol must be one of bb84, bbm92"),
        (lambda: key_round("bb84", alice_odds=(1, 0)), "alice_odds must be 2 positive"),
        (lambda: key_round("bb84", bob_odds=(0.5, 0.6)), "bob_odds must be 2 positive"),
        (lambda: key_round("bb84", bob_odds={"Z": 0.5, "Y": 0.5}), "bases Z, X"),
        (lambda: key_round("bb84", choices="daily"), "choices must be"),
        (lambda: key_round("bb84", wiring="wireless"), "wiring must be"),
        (lambda: key_round("bb84", noise="thunder:1"), "noise must be KIND:STRENGTH"),
        (lambda: parse_noise("dephasing:0.6"), "dephasing:0..0.5"),
        (lambda: with_noise(key_round("bb84", attack="cloner"), "dephasing:0"), "without noise"),
        (lambda: many_rounds(key_round("bb84"), [(0, 1)]), "without conditions"),
        (lambda: disjoint_places([(0, 1)], [(0, 1), (1, 2)], 3), "must have room"),
        (lambda: disjoint_places([(0, 0)], [], 1), "different qubits"),
        (lambda: disjoint_places([(0, 1)], [(0, 4)], 2), "shape must couple"),
    ],
)
def test_refusals_say_what_is_wrong(call, words):
    with pytest.raises(ArgumentError, match=words.replace("(", r"\(")):
        call()
