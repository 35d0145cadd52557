"""What a game refuses to be, and what it says of rounds and behaviours."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given

from ebit.games import (
    ArgumentError,
    Game,
    ParityRule,
    TableRule,
    bases_agree,
    chsh,
    magic_square,
    mermin_ghz,
    stabilisers,
)
from tests.strategies import parity_games, table_games


@given(table_games() | parity_games())
def test_won_agrees_with_the_table(asked: Game) -> None:
    table = asked.table()
    assert table.shape == (asked.n_questions, *asked.outcomes)
    cells = np.argwhere(np.ones(table.shape, dtype=bool))
    won = asked.won(cells[:, 0], cells[:, 1:].astype(np.uint8))
    assert won.tolist() == table[tuple(cells.T)].tolist()


@given(table_games() | parity_games())
def test_question_index(asked: Game) -> None:
    assert asked.question_index(asked.questions).tolist() == list(range(asked.n_questions))
    every = np.argwhere(np.ones(asked.settings, dtype=bool))
    known = {tuple(row): q for q, row in enumerate(asked.questions.tolist())}
    assert asked.question_index(every).tolist() == [known.get(tuple(r), -1) for r in every.tolist()]


def test_question_index_never_wraps_around() -> None:
    wrong = np.array([[-1, 0], [0, -1], [2, 0], [0, 2], [255, 255], [0, 1]])
    assert chsh().question_index(wrong).tolist() == [-1] * 5 + [1]
    assert chsh().question_index(np.array([[[1, 0], [1, 1]]])).tolist() == [[2, 3]]
    with pytest.raises(ArgumentError, match="one entry per party"):
        chsh().question_index(np.array([[0, 0, 0]]))


def test_question_index_of_a_game_with_many_parties() -> None:
    """4^14 settings: no table of them all is made."""
    asked = stabilisers([(i, i + 1) for i in range(13)], 14, which="generators")
    assert asked.question_index(asked.questions[::-1]).tolist() == list(range(13, -1, -1))


@given(table_games())
def test_value_of_a_deterministic_behaviour(asked: Game) -> None:
    """Everybody always answers 0: the value is the weight of the questions this wins."""
    behaviour = np.zeros((asked.n_questions, *asked.outcomes))
    zero = (0,) * asked.n_parties
    behaviour[(slice(None), *zero)] = 1
    wins = asked.table()[(slice(None), *zero)]
    assert asked.value(behaviour) == pytest.approx(asked.distribution[wins].sum(), abs=1e-12)
    assert asked.value(behaviour) <= asked.local_value() + 1e-12


def test_value_refuses_another_shape() -> None:
    with pytest.raises(ArgumentError, match=r"shape \(4, 2, 2\)"):
        chsh().value(np.ones((4, 4)) / 4)


def test_bell_value_and_win_rate_of_uniform_noise() -> None:
    noise = np.full((4, 2, 2), 0.25)
    assert chsh().value(noise) == pytest.approx(0.5)
    assert chsh().bell_value(noise) == pytest.approx(0)
    assert chsh().bell_of(0.75) == 2


def test_labels() -> None:
    assert [chsh().label(q) for q in range(4)] == ["x=0, y=0", "x=0, y=1", "x=1, y=0", "x=1, y=1"]
    assert mermin_ghz(3).label(1) == "X Y Y"
    assert bases_agree("XZ").label(1) == "Z Z"


def test_uniform() -> None:
    assert chsh().uniform
    skewed = dict(_parts(), distribution=np.array([0.4, 0.2, 0.2, 0.2]))
    assert not Game(**skewed).uniform


def test_a_large_table_is_refused_with_its_size() -> None:
    asked = stabilisers("ghz", 30, which="generators")
    with pytest.raises(ArgumentError, match=r"3\.22e\+10 pairs"):
        asked.table()
    won = asked.won(np.array([0, 1]), np.zeros((2, 30), dtype=np.uint8))
    assert won.tolist() == [True, True]


def _parts() -> dict[str, Any]:
    game = chsh()
    return {
        "name": "mine",
        "questions": game.questions,
        "distribution": game.distribution,
        "settings": (2, 2),
        "outcomes": (2, 2),
        "rule": game.rule,
    }


ONES = np.ones((4, 2), dtype=bool)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"settings": (2,)}, "one entry per party"),
        ({"outcomes": (2, 2, 2)}, "one entry per party"),
        ({"settings": (2, 1)}, "settings below"),
        ({"outcomes": (2, 0)}, "at least one outcome"),
        ({"questions": chsh().questions.astype(np.int64) - 1}, "uint8"),
        ({"questions": np.zeros((0, 2), dtype=np.uint8)}, "at least one"),
        ({"questions": np.zeros(4, dtype=np.uint8)}, "uint8 \\(questions, parties\\)"),
        ({"questions": np.zeros((4, 2), dtype=np.uint8)}, "differ"),
        ({"distribution": np.array([0.5, 0.5, 0, 0])}, "positive probability"),
        ({"distribution": np.array([0.5, 0.5, 0.5, -0.5])}, "positive probability"),
        ({"distribution": np.full(4, 0.3)}, "sum 1"),
        ({"distribution": np.array([np.nan, 0.5, 0.25, 0.25])}, "positive probability"),
        ({"distribution": np.ones(3) / 3}, "positive probability"),
        ({"rule": ParityRule(ONES[:3], np.zeros(4, dtype=np.uint8))}, "mask"),
        ({"rule": ParityRule(ONES, np.zeros(3, dtype=np.uint8))}, "target"),
        ({"rule": ParityRule(ONES, np.full(4, 2, dtype=np.uint8))}, "targets 0 or 1"),
        ({"outcomes": (2, 3)}, "two outcomes"),
        ({"rule": TableRule(np.ones((4, 2, 3), dtype=bool))}, "table of shape"),
        ({"rule": TableRule(np.full((4, 2, 2), 0.5))}, "bool table"),
        ({"rule": ParityRule(np.ones((4, 2)), np.zeros(4, dtype=np.uint8))}, "mask of bool"),
    ],
)
def test_what_a_game_cannot_be(change: dict[str, Any], text: str) -> None:
    with pytest.raises(ArgumentError, match=text) as caught:
        Game(**{**_parts(), **change})
    assert "\n" not in str(caught.value)


def test_repr_is_short() -> None:
    assert repr(magic_square()) == (
        "Game('magic-square', 2 parties, 9 questions, settings (3, 3), outcomes (4, 4))"
    )
