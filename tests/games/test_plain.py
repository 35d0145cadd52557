"""Games as plain data and back: every game, every relabelling; damaged data are refused."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ebit.games as games
from ebit.games import ArgumentError, Floor, Game, ParityRule
from ebit.games.plain import game_from_plain, game_to_plain
from tests.strategies import parity_games, table_games

CATALOGUE = [
    games.chsh(),
    games.mermin_ghz(3),
    games.mermin_ghz(6),
    games.magic_square(),
    *(games.bases_agree(b, state=s) for b in ("XZ", "XYZ") for s in ("phi+", "psi-")),  # type: ignore[arg-type]
    games.chained_chsh(2),
    games.chained_chsh(7),
    games.stabilisers("ghz", 4),
    games.stabilisers([(0, 1), (1, 2), (2, 0)], 3),
]


def through_text(data: Any) -> Any:
    return json.loads(json.dumps(data, allow_nan=False))


def same(one: Game, other: Game) -> None:
    """Equal field by field, kinds of numbers included."""
    assert type(one.rule) is type(other.rule)
    for field in fields(Game):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype
            assert np.array_equal(a, b)
        elif field.name == "rule":
            for part in fields(a):
                left, right = getattr(a, part.name), getattr(b, part.name)
                assert left.dtype == right.dtype
                assert np.array_equal(left, right)
        else:
            assert a == b
            assert type(a) is type(b)


@pytest.mark.parametrize("game", CATALOGUE, ids=lambda g: g.name)
def test_every_game_of_the_catalogue(game: Game) -> None:
    back = game_from_plain(through_text(game_to_plain(game)))
    same(game, back)
    assert back.floors == game.floors
    assert back.local_value() == game.local_value()
    assert [back.label(q) for q in range(back.n_questions)] == [
        game.label(q) for q in range(game.n_questions)
    ]


@pytest.mark.parametrize("game", [g for g in CATALOGUE if g.is_parity], ids=lambda g: g.name)
def test_every_relabelling(game: Game) -> None:
    """Outcomes read the other way round: some patterns of signs, the last among them."""
    patterns = game.conventions()
    for signs in patterns[:: max(1, len(patterns) // 8)]:
        turned = game.with_signs(signs)
        back = game_from_plain(through_text(game_to_plain(turned)))
        same(turned, back)
        assert np.array_equal(back.signs, signs)
        assert back.signs_changed is turned.signs_changed


@given(st.one_of(table_games(), parity_games()))
def test_random_games(game: Game) -> None:
    same(game, game_from_plain(through_text(game_to_plain(game))))


@given(st.floats(0, 1), st.text(), st.sampled_from(["none", "one", "all"]))
def test_floors_are_kept_to_the_last_digit(value: float, source: str, trust: Any) -> None:
    floor = Floor(trust, "separable", value, source)
    plain = game_to_plain(games.chsh()) | {"floors": [vars(floor)]}
    assert game_from_plain(through_text(plain)).floors == (floor,)


BROKEN: list[Any] = [
    {},
    [],
    None,
    "game",
    {"questions": [[300, 0]]},
    {"questions": [[-1, 0]]},
    {"questions": [["a", 0]]},
    {"questions": [[0, 0], [0, 0]]},
    {"questions": 1},
    {"distribution": [0.5, 0.5]},
    {"distribution": [float("nan")] * 4},
    {"distribution": "x"},
    {"settings": [2, None]},
    {"settings": [2, 2, 2]},
    {"settings": 5},
    {"outcomes": [0, 2]},
    {"outcomes": [2, 3]},
    {"outcomes": [1e400, 2]},
    {"rule": {}},
    {"rule": []},
    {"rule": {"mask": [[True, True]], "target": [0]}},
    {"rule": {"mask": [[True, True]] * 4, "target": [0, 0, 0, 2]}},
    {"rule": {"winning": [[1, 0]]}},
    {"floors": [{}]},
    {"floors": [1]},
    {"floors": None},
    {"labels": 3},
    {"labels": [None]},
]


@pytest.mark.parametrize("change", BROKEN, ids=lambda c: json.dumps(c)[:40])
def test_what_is_no_game_is_refused(change: Any) -> None:
    good = game_to_plain(games.chsh())
    data = good | change if isinstance(change, dict) and change else change
    with pytest.raises(ArgumentError) as caught:
        game_from_plain(data)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("key", sorted(game_to_plain(games.chsh())))
def test_what_lacks_something_is_refused(key: str) -> None:
    data = game_to_plain(games.chsh())
    del data[key]
    with pytest.raises(ArgumentError, match=f"data must be of a game, but are not: '{key}'"):
        game_from_plain(data)


def test_numbers_of_numpy_are_plain() -> None:
    game = games.chsh()
    odd = Game(
        name="odd",
        questions=game.questions,
        distribution=game.distribution,
        settings=(np.int64(2), 2),  # type: ignore[arg-type]
        outcomes=(np.uint8(2), 2),  # type: ignore[arg-type]
        rule=ParityRule(game.rule.mask, game.rule.target),  # type: ignore[union-attr]
    )
    assert game_from_plain(through_text(game_to_plain(odd))).settings == (2, 2)
