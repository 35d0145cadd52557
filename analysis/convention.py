"""The sign convention: declared before the data, or found in them and paid for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ebit.analysis.results import Convention
from ebit.games import ArgumentError, Game

__all__ = ["choose_convention"]


def choose_convention(
    game: Game, counts: npt.NDArray[np.int64], minus: str | Sequence[int] | None
) -> tuple[Convention, Game]:
    """Return the convention and the game under it.

    A convention found in the data is the one with the largest sum of signed correlators; all
    those that relabelling outcomes can reach compete, and the evidence is divided by their number
    (for CHSH 8), which is the union bound for p-values and the share of one strategy in the
    average of e-values.

    Args:
        game: the game.
        counts: int64 (Q, *outcomes).
        minus: see `ebit.analysis.score`.
    """
    if not game.is_parity:
        if minus not in (None, "game", "found"):
            raise ArgumentError(
                f"game {game.name!r} has no correlators, so no minus can be declared"
            )
        return Convention((), (), True, 1), game
    if minus is not None and not (isinstance(minus, str) and minus == "found"):
        played = game if isinstance(minus, str) and minus == "game" else _declared(game, minus)
        return _named(game, played, declared=True, cost=1), played
    conventions = game.conventions()
    totals = counts.reshape(game.n_questions, -1).sum(axis=1)
    correlators = game.correlators(counts / totals.reshape(-1, *(1,) * game.n_parties))
    # The game's own comes first, so a tie keeps it.
    best = int(np.argmax(conventions @ correlators))
    played = game.with_signs(conventions[best])
    return _named(game, played, declared=False, cost=len(conventions)), played


def _named(game: Game, played: Game, *, declared: bool, cost: int) -> Convention:
    signs = tuple(int(s) for s in played.signs)
    minus = tuple(game.label(q) for q, s in enumerate(signs) if s < 0)
    return Convention(signs, minus, declared, cost)


def _is_question(word: object) -> bool:
    return isinstance(word, str) or (isinstance(word, tuple) and len(word) > 0)


def _declared(game: Game, given: str | Sequence[Any]) -> Game:
    minus: str | Sequence[Any] = given
    if not isinstance(minus, (str, Sequence, np.ndarray)):
        raise ArgumentError(
            f"minus must be 'game', 'found', or questions such as '11', but was {minus!r}"
        )
    if not isinstance(minus, str) and all(_is_question(word) for word in minus):
        minus = ",".join("".join(map(str, word)) for word in minus)
    if not isinstance(minus, str):
        return game.with_signs(np.asarray(minus, dtype=np.int8))
    signs = np.ones(game.n_questions, dtype=np.int8)
    for word in minus.split(","):
        digits = [c for c in word if not c.isspace()]
        if len(digits) != game.n_parties or not all(c.isdigit() for c in digits):
            raise ArgumentError(
                "minus must be 'game', 'found', or questions with one setting per party such as "
                f"{'1' * game.n_parties!r} or {'0' * game.n_parties + ',' + '1' * game.n_parties!r}, "
                f"but was {minus!r}"
            )
        settings = np.array([int(c) for c in digits])
        if (settings >= np.asarray(game.settings)).any():
            raise ArgumentError(f"minus must name settings below {game.settings}, but had {word!r}")
        question = int(game.question_index(settings))
        if question < 0:
            raise ArgumentError(f"minus names {word!r}, which game {game.name!r} never asks")
        signs[question] = -1
    return game.with_signs(signs)
