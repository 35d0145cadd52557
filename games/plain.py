"""Games as plain data that JSON can hold, and back: what a ledger keeps of an experiment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from ebit.games.errors import ArgumentError
from ebit.games.game import Floor, Game, ParityRule, TableRule

__all__ = ["game_from_plain", "game_to_plain"]


def game_to_plain(game: Game) -> dict[str, Any]:
    """Return a game as plain data; `game_from_plain` reads it.

    >>> from ebit.games import chsh
    >>> game_from_plain(game_to_plain(chsh())).local_value()
    0.75
    """
    rule = game.rule
    return {
        "name": game.name,
        "questions": game.questions.tolist(),
        "distribution": game.distribution.tolist(),
        "settings": [int(size) for size in game.settings],
        "outcomes": [int(size) for size in game.outcomes],
        "rule": {"mask": rule.mask.tolist(), "target": rule.target.tolist()}
        if isinstance(rule, ParityRule)
        else {"winning": rule.winning.tolist()},
        "floors": [asdict(floor) for floor in game.floors],
        "quantum_value": game.quantum_value,
        "quantum_source": game.quantum_source,
        "labels": [list(names) for names in game.labels],
        "signs_changed": game.signs_changed,
    }


def game_from_plain(data: Mapping[str, Any]) -> Game:
    """Return the game that `game_to_plain` wrote.

    Raises:
        ArgumentError: the data are of no game.
    """
    try:
        rule = data["rule"]
        return Game(
            name=str(data["name"]),
            questions=np.array(data["questions"], dtype=np.uint8),
            distribution=np.array(data["distribution"], dtype=np.float64),
            settings=tuple(int(size) for size in data["settings"]),
            outcomes=tuple(int(size) for size in data["outcomes"]),
            rule=ParityRule(
                np.array(rule["mask"], dtype=np.bool_), np.array(rule["target"], dtype=np.uint8)
            )
            if "mask" in rule
            else TableRule(np.array(rule["winning"], dtype=np.bool_)),
            floors=tuple(Floor(**floor) for floor in data["floors"]),
            quantum_value=data["quantum_value"],
            quantum_source=data["quantum_source"],
            labels=tuple(tuple(names) for names in data["labels"]),
            signs_changed=data["signs_changed"],
        )
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise ArgumentError(f"data must be of a game, but are not: {error}") from None
