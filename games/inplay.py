"""Trials seen through a game: which question a round answers, and whether it won."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from ebit.games.cells import TABLE_LIMIT, cell_type, unpack
from ebit.games.errors import ArgumentError
from ebit.games.game import Game

__all__ = ["Seen", "counts_in", "rounds_in", "seen_in"]

_COUNTS_LIMIT = 1 << 26
_ROWS = 1 << 20


@dataclass(frozen=True, eq=False)
class Seen:
    """The different rounds that occur, in the terms of a game.

    Attributes:
        values: (V,) their cells, rising.
        numbers: (V,) how often each occurs.
        index: (V,) the question of each in the game, -1 where the game never asks it.
        answers: (V, n) the outcome of each party.
    """

    values: npt.NDArray[np.integer]
    numbers: npt.NDArray[np.int64]
    index: npt.NDArray[np.intp]
    answers: npt.NDArray[np.uint8]


def seen_in(
    game: Game,
    values: npt.NDArray[np.integer],
    numbers: npt.NDArray[np.int64],
    shape: tuple[tuple[int, ...], tuple[int, ...]],
) -> Seen:
    """Look up the cells that occur in a game.

    Only what occurs has to fit: trials that were read without knowing the game may have a
    smaller shape than it, where a setting or an outcome never came up.

    Raises:
        ArgumentError: another number of parties, or settings or outcomes beyond the game's.
    """
    settings, outcomes = shape
    n = len(settings)
    if n != game.n_parties:
        raise ArgumentError(
            f"game {game.name!r} has {game.n_parties} parties, but the trials have {n}"
        )
    full = (*settings, *outcomes)
    table = unpack(values.astype(cell_type(prod(full))), full)
    for what, seen, sizes in (
        ("settings", table[:, :n], game.settings),
        ("outcomes", table[:, n:], game.outcomes),
    ):
        top = tuple(int(k) + 1 for k in seen.max(axis=0))
        if any(t > size for t, size in zip(top, sizes, strict=True)):
            raise ArgumentError(
                f"game {game.name!r} has {sizes} {what} per party, but the trials have {top}"
            )
    return Seen(values, numbers, game.question_index(table[:, :n]), table[:, n:])


def counts_in(game: Game, seen: Seen) -> npt.NDArray[np.int64]:
    """Return counts per question: int64 (Q, *outcomes).

    Raises:
        ArgumentError: rounds that ask what the game never asks, a question that was never
            asked, or a table too large to hold.
    """
    size = prod(game.outcomes)
    if game.n_questions * size > _COUNTS_LIMIT:
        raise ArgumentError(
            f"a table of the {game.n_questions} questions of {game.name!r} and {size:.3g} "
            "answers to each is too large"
        )
    outside = int(seen.numbers[seen.index < 0].sum())
    if outside:
        raise ArgumentError(
            f"{outside} of {int(seen.numbers.sum())} rounds ask settings that game "
            f"{game.name!r} never asks"
        )
    counts = np.zeros((game.n_questions, size), dtype=np.int64)
    answer = np.ravel_multi_index(tuple(seen.answers.T), game.outcomes)
    counts[seen.index, answer] = seen.numbers
    totals = counts.sum(axis=1)
    if (totals == 0).any():
        missing = game.label(int(np.argmin(totals)))
        raise ArgumentError(
            f"every question of {game.name!r} must be asked, but {missing} never was"
        )
    return counts.reshape(game.n_questions, *game.outcomes)


def rounds_in(
    game: Game, seen: Seen, cells: npt.NDArray[np.unsignedinteger], size: int
) -> tuple[npt.NDArray[np.uint8] | npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Return the question of each round and whether it won, for rounds the game asks.

    Args:
        game: the game.
        seen: its view of the cells that occur.
        cells: (N,) the rounds.
        size: the number of cells there could be.
    """
    asked: npt.NDArray[np.uint8] | npt.NDArray[np.intp]
    if game.n_questions <= 256:
        asked = np.empty(len(cells), dtype=np.uint8)
    else:
        asked = np.empty(len(cells), dtype=np.intp)
    wins = np.empty(len(cells), dtype=np.bool_)
    index = seen.index.astype(asked.dtype)
    won = game.won(seen.index, seen.answers)
    dense = size <= TABLE_LIMIT
    if dense:
        place = np.zeros(size, dtype=np.int64)
        place[seen.values] = np.arange(len(seen.values))
        index, won = index[place], won[place]
    for start in range(0, len(cells), _ROWS):
        part = cells[start : start + _ROWS]
        at = part if dense else np.searchsorted(seen.values, part)
        asked[start : start + _ROWS] = index[at]
        wins[start : start + _ROWS] = won[at]
    return asked, wins
