"""Device-independent rounds with a fixed share of tests: one circuit per question that is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ebit.circuits.experiment import Experiment
from ebit.circuits.key_attacks import Attack
from ebit.circuits.key_gates import Wiring
from ebit.circuits.key_noise import Noise
from ebit.circuits.key_rounds import key_round
from ebit.games import ArgumentError
from ebit.games.game import ParityRule

__all__ = ["QUESTIONS", "independent_rounds", "spot_law"]

QUESTIONS = ((0, 2), (0, 0), (0, 1), (1, 0), (1, 1))
"""Settings (Alice's, Bob's) that are asked: the key's first, then those of the CHSH test."""


def spot_law(test_fraction: float) -> tuple[float, ...]:
    """Return how often each of `QUESTIONS` is asked: 1 - gamma, then gamma / 4 each.

    Raises:
        ArgumentError: gamma is not between 0 and 1.

    Example:
        >>> spot_law(0.2)
        (0.8, 0.05, 0.05, 0.05, 0.05)
    """
    if not 0 < test_fraction < 1:
        raise ArgumentError(f"test_fraction must lie between 0 and 1, but was {test_fraction!r}")
    return (1 - test_fraction, *(test_fraction / 4,) * 4)


def independent_rounds(
    counts: Sequence[int] | Mapping[int, int],
    *,
    attack: str | Attack | None = None,
    noise: str | Noise | None = None,
    wiring: Wiring = "feed-forward",
) -> Experiment:
    """Build the rounds of a device-independent key: so many of each question.

    The host has drawn how often each question comes, round by round, before: a simulator's rounds do
    not depend on their order, so that they may be put into the host's afterwards.

    Args:
        counts: rounds of each of `QUESTIONS`; each at least 1.
        attack, noise, wiring: as in `key_round`.

    Returns:
        An experiment of five circuits whose weights are the counts.

    Raises:
        ArgumentError: counts that are none, or what `key_round` refuses.

    Example:
        >>> rounds = independent_rounds((80, 5, 5, 5, 5))
        >>> rounds.allocate(100), round(float(rounds.game.distribution[0]), 6)
        ((80, 5, 5, 5, 5), 0.8)

    Source:
        Nadlinger et al., Nature 607, 682 (2022), for tests of a fixed share.
    """
    fits = len(counts) == len(QUESTIONS)
    wanted = [int(counts[i]) for i in range(len(QUESTIONS))] if fits else [0]
    if min(wanted) < 1:
        raise ArgumentError(
            f"counts must be {len(QUESTIONS)} numbers of at least 1, but were {list(counts)!r}: take "
            "more rounds"
        )
    full = key_round("diqkd", attack=attack, noise=noise, choices="per-circuit", wiring=wiring)
    asked = [tuple(q[:2]) for q in full.game.questions.tolist()]
    rows = [asked.index(question) for question in QUESTIONS]
    rule = full.game.rule
    if not isinstance(rule, ParityRule):
        raise ArgumentError("the game of a device-independent round must be decided by parities")
    total = float(sum(wanted))
    game = replace(
        full.game,
        questions=np.ascontiguousarray(full.game.questions[rows]),
        distribution=np.array([count / total for count in wanted]),
        rule=ParityRule(rule.mask[rows], rule.target[rows]),
    )
    place = {asked.index(question): i for i, question in enumerate(QUESTIONS)}
    circuits, readouts = [], []
    for question in rows:
        for circuit, readout in zip(full.circuits, full.readouts, strict=True):
            if readout is not None and readout.question == question:
                circuits.append(circuit)
                readouts.append(replace(readout, question=place[question]))
    ideal = full.ideal
    return replace(
        full,
        name="key:diqkd:spot-checked",
        game=game,
        circuits=tuple(circuits),
        readouts=tuple(readouts),
        weights=tuple(float(count) for count in wanted),
        ideal=None if ideal is None else ideal[rows],
        details={**full.details, "alice_odds": None, "bob_odds": None},
    )
