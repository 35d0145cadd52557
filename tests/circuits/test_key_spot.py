"""Device-independent rounds with a fixed share of tests."""

from __future__ import annotations

import numpy as np
import pytest

from ebit.analysis.key_signatures import attack_signature
from ebit.backends import expected_of, open_backend
from ebit.circuits import Experiment
from ebit.circuits.key_spot import QUESTIONS, independent_rounds, spot_law
from ebit.circuits.record import program_from_bytes, program_to_bytes
from ebit.games import ArgumentError
from ebit.protocols.key_forecast import agreement, full_table

COUNTS = (800, 40, 50, 60, 50)


def agrees(made: Experiment) -> dict[tuple[int, int], float]:
    parts = expected_of(made.circuits, None)
    tables = [full_table(found, int(w)) for found, w in zip(parts, made.widths, strict=True)]
    return agreement(made, made.behaviour(tables))


def test_every_question_is_asked_as_often_as_the_host_has_drawn() -> None:
    made = independent_rounds(COUNTS)
    assert made.allocate(1000) == COUNTS
    assert [tuple(q[:2]) for q in made.game.questions.tolist()] == list(QUESTIONS)
    assert made.game.distribution == pytest.approx(np.array(COUNTS) / 1000)
    where = open_backend("aer")
    compiled = where.compile(made)
    shots = where.fetch(where.submit(compiled, shots=1000, id="2" * 32, seed=1)).shots
    settings, _ = made.decode(shots).rounds()
    for question, count in zip(QUESTIONS, COUNTS, strict=True):
        assert int((settings[:, :2] == question).all(axis=1).sum()) == count


def test_key_rounds_agree_and_tests_win_as_the_quantum_bound() -> None:
    found = agrees(independent_rounds(COUNTS))
    assert found[QUESTIONS[0]] == pytest.approx(1)
    won = (2 + 2**0.5) / 4
    assert [found[pair] for pair in QUESTIONS[1:]] == pytest.approx([won, won, won, 1 - won])


@pytest.mark.parametrize("attack", ["intercept-resend:0.5", "cloner:0.3", "depolarising:0.2"])
def test_an_eavesdropper_shows_as_predicted(attack: str) -> None:
    found = agrees(independent_rounds(COUNTS, attack=attack))
    told = attack_signature(attack)
    e = [2 * found[pair] - 1 for pair in QUESTIONS[1:]]
    assert e[0] + e[1] + e[2] - e[3] == pytest.approx(told.S, abs=1e-6)
    assert 1 - found[QUESTIONS[0]] == pytest.approx(told.qber["Z"], abs=1e-6)


def test_rounds_are_written_and_read() -> None:
    made = independent_rounds(COUNTS)
    again = program_from_bytes(program_to_bytes(made))
    assert again.id == made.id
    assert isinstance(again, Experiment)
    assert again.allocate(1000) == COUNTS


def test_the_law_is_that_of_the_share_of_tests() -> None:
    assert sum(spot_law(0.07)) == pytest.approx(1)
    assert spot_law(0.08)[1:] == pytest.approx((0.02,) * 4)


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_a_share_of_tests_that_cannot_be_is_refused(share: float) -> None:
    with pytest.raises(ArgumentError, match="test_fraction must lie between 0 and 1"):
        spot_law(share)


@pytest.mark.parametrize("counts", [(1, 1, 1, 1, 0), (5, 5, 5, 5), (1,) * 6, ()])
def test_counts_that_are_none_are_refused(counts: tuple[int, ...]) -> None:
    with pytest.raises(ArgumentError, match="counts must be 5 numbers of at least 1"):
        independent_rounds(counts)
