"""Classical devices against device-independent keys: what they reach, and what they cannot."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ebit.analysis.eve_cheats import cheated_rounds, cheating_devices
from ebit.analysis.key_signatures import attack_signature
from ebit.circuits import key_round
from ebit.games import ArgumentError


def chsh_of(asked, answers):
    """S from correlators, and the error rate of key rounds."""
    x, y = asked.T
    same = 1 - 2.0 * (answers[:, 0] ^ answers[:, 1])
    value = sum(
        (-1 if a == b == 1 else 1) * same[(x == a) & (y == b)].mean()
        for a in (0, 1)
        for b in (0, 1)
    )
    key = (x == 0) & (y == 2)
    return value, (same[key] < 0).sum(), key


def test_memory_gains_nothing_when_settings_are_fresh():
    rng = np.random.default_rng(31)
    n = 90_000
    asked = np.stack([rng.integers(0, 2, n), rng.integers(0, 3, n)], axis=1)
    answers = cheating_devices("memory", asked, rng)
    value, wrong, key = chsh_of(asked, answers)
    told = attack_signature("memory")
    assert abs(value - told.S) < 4.5 * 4 / math.sqrt(n)  # sd below 2 / sqrt(n / 4)
    assert wrong == 0 == told.qber["Z"]
    assert (answers[key, 0] == answers[key, 2]).all()
    assert abs(answers[key, 0].mean() - 0.5) < 0.02


def test_memory_comes_near_four_in_blocks():
    rng = np.random.default_rng(32)
    order = np.repeat([[0, 0], [0, 1], [1, 0], [1, 1]] * 25, 400, axis=0)
    value, _, _ = chsh_of(order, cheating_devices("memory", order, rng))
    assert 3.95 < value <= 4


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_predicted_settings(strength):
    rng = np.random.default_rng(33)
    n = 90_000
    asked = np.stack([rng.integers(0, 2, n), rng.integers(0, 3, n)], axis=1)
    answers = cheating_devices("predicted-settings", asked, rng, strength=strength)
    value, wrong, key = chsh_of(asked, answers)
    assert abs(value - attack_signature(f"predicted-settings:{strength}").S) < 4.5 * 4 / math.sqrt(
        n
    )
    assert wrong == 0
    assert (answers[key, 0] == answers[key, 2]).all()


def test_devices_answer_by_their_own_setting():
    # Bob's setting changes nothing in Alice's answer, with memory and lost question fixed.
    history = np.array([[1, 1]] * 5)
    for x in (0, 1):
        heard = [
            cheating_devices("memory", np.vstack([history, [[x, y]]]), np.random.default_rng(7))[
                -1, 0
            ]
            for y in (0, 1, 2)
        ]
        assert len(set(heard)) == 1
    for y in (0, 1, 2):
        heard = [
            cheating_devices("memory", np.vstack([history, [[x, y]]]), np.random.default_rng(7))[
                -1, 1
            ]
            for x in (0, 1)
        ]
        assert len(set(heard)) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("brute", [[0, 0]]), "`kind` must be one of memory"),
        (("memory", [0, 0]), r"shape \(N, 2\)"),
        (("memory", [[0.0, 1.0]]), "whole numbers"),
        (("memory", [[2, 0]]), "0 or 1 for Alice"),
        (("memory", [[0, 3]]), "0 to 2 for Bob"),
    ],
)
def test_refusals(arguments, words):
    with pytest.raises(ArgumentError, match=words):
        cheating_devices(*arguments, np.random.default_rng(1))


def test_strength_is_a_probability():
    with pytest.raises(ArgumentError, match="`strength`"):
        cheating_devices("predicted-settings", [[0, 0]], np.random.default_rng(1), strength=2)


def test_no_rounds():
    assert cheating_devices(
        "memory", np.zeros((0, 2), dtype=int), np.random.default_rng(1)
    ).shape == (0, 3)


def test_cheated_rounds_look_like_a_key_round():
    made = cheated_rounds(
        "memory",
        30_000,
        np.random.default_rng(5),
        alice_odds=(0.8, 0.2),
        bob_odds=(0.1, 0.2, 0.7),
    )
    asked, answers = made.rounds()
    game = key_round("diqkd", attack="cloner").game
    assert (made.settings, game.settings) == ((2, 4, 1),) * 2
    assert (made.outcomes, game.outcomes) == ((2, 2, 2),) * 2
    assert asked[:, 0].mean() == pytest.approx(0.2, abs=0.01)
    assert (asked[:, 1] == 2).mean() == pytest.approx(0.7, abs=0.015)
    key = (asked[:, 0] == 0) & (asked[:, 1] == 2)
    assert (answers[key, 0] == answers[key, 2]).all()
    with pytest.raises(ArgumentError, match="`bob_odds` must be 3"):
        cheated_rounds("memory", 5, np.random.default_rng(1), bob_odds=(0.5, 0.5))
    with pytest.raises(ArgumentError, match="`rounds`"):
        cheated_rounds("memory", 0, np.random.default_rng(1))
