"""Exact enumerations over local strategies: local values and sign conventions."""

from __future__ import annotations

from math import log10, prod
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ebit.games.errors import ArgumentError

if TYPE_CHECKING:
    from ebit.games.game import Game

__all__ = ["conventions_of", "flip_basis", "in_span", "local_value_of", "local_work"]

# Elementary additions that take about a minute on one core.
_WORK_LIMIT = 4e9
_CHUNK = 1 << 16
# Signs in a list of conventions: 64 MB.
_CONVENTIONS_LIMIT = 1 << 26


def _reduced(game: Game) -> tuple[npt.NDArray[np.intp], list[int]]:
    """Number, per party, only the settings that are asked and whose outcome can matter."""
    table = game.table()
    columns, sizes = [], []
    for i in range(game.n_parties):
        column = game.questions[:, i].astype(np.intp)
        moved = np.moveaxis(table, i + 1, 1)
        matters = (moved != moved[:, :1]).reshape(game.n_questions, -1).any(axis=1)
        live = sorted(set(column[matters].tolist()))
        # Setting 0 stands for every setting whose outcome never matters; it needs no choice.
        number = {s: k for k, s in enumerate(live)}
        columns.append(np.array([number.get(int(s), 0) for s in column], dtype=np.intp))
        sizes.append(max(len(live), 1) if live else 0)
    return np.stack(columns, axis=1), sizes


def _strategies(game: Game, sizes: list[int]) -> list[int]:
    return [int(k**s) for k, s in zip(game.outcomes, sizes, strict=True)]


def local_work(game: Game) -> int:
    """Return how many elementary steps `local_value_of` needs."""
    _, sizes = _reduced(game)
    strategies = _strategies(game, sizes)
    last = max(range(len(strategies)), key=strategies.__getitem__)
    return prod(strategies) // strategies[last] * game.n_questions * game.outcomes[last]


def local_value_of(game: Game) -> float:
    """Return the best win probability over deterministic local strategies.

    The party with the most strategies is not enumerated: to each of its settings it gives the
    answer that wins the most weight, which is optimal once the others are fixed. The others
    choose one after the other, as many strategies at a time as fit a chunk of memory.

    Raises:
        ArgumentError: more than about a minute of work; the text says how much.
    """
    work = local_work(game)
    if work > _WORK_LIMIT:
        raise ArgumentError(
            f"local_value of {game.name!r} would take 10^{log10(work):.1f} steps by enumeration, "
            f"and at most 10^{log10(_WORK_LIMIT):.1f} are done: use a smaller game or a published "
            "floor"
        )
    columns, sizes = _reduced(game)
    strategies = _strategies(game, sizes)
    last = max(range(len(strategies)), key=strategies.__getitem__)
    # Few strategies first, so that the later steps work on whole arrays.
    others = sorted((i for i in range(game.n_parties) if i != last), key=strategies.__getitem__)

    # Questions with the same setting of the last party stand together.
    order = np.argsort(columns[:, last], kind="stable")
    columns = columns[order]
    _, starts = np.unique(columns[:, last], return_index=True)
    weights = game.table()[order].astype(np.float64)
    weights *= game.distribution[order].reshape(-1, *(1,) * game.n_parties)
    weights = weights.transpose(0, *(i + 1 for i in others), last + 1)
    asked = np.arange(game.n_questions)

    def best(gains: npt.NDArray[np.float64], step: int) -> float:
        """Return the best value from gains (strategies so far, Q, answers still open...)."""
        if step == len(others):
            per_setting = np.add.reduceat(gains, starts, axis=1)
            return float(per_setting.max(axis=2).sum(axis=1).max())
        i = others[step]
        powers = game.outcomes[i] ** np.arange(max(sizes[i], 1), dtype=np.int64)
        batch = max(1, _CHUNK * game.outcomes[i] // gains.size)
        found = 0.0
        for start in range(0, strategies[i], batch):
            number = np.arange(start, min(start + batch, strategies[i]), dtype=np.int64)
            answer = (number[:, None] // powers % game.outcomes[i])[:, columns[:, i]]
            chosen = gains[:, asked, answer]  # (strategies so far, these, Q, ...)
            found = max(found, best(chosen.reshape(-1, *chosen.shape[2:]), step + 1))
        return found

    return min(best(weights[None], 0), 1.0)


def flip_basis(game: Game) -> list[int]:
    """Return a basis over GF(2) of the sign patterns that flips of outcomes add to a parity game.

    A pattern is an integer whose bit q says whether the sign of question q changes.
    """
    mask = getattr(game.rule, "mask", None)
    if mask is None:
        raise ArgumentError(f"game {game.name!r} is not decided by a parity: it has no signs")
    basis: list[int] = []
    for i, count in enumerate(game.settings):
        for s in range(count):
            flipped = (game.questions[:, i] == s) & mask[:, i]
            rest = _reduce(sum(1 << int(q) for q in np.flatnonzero(flipped)), basis)
            if rest:
                basis.append(rest)
    return basis


def in_span(pattern: int, basis: list[int]) -> bool:
    """Say whether a pattern of sign changes is a sum of these, as `flip_basis` gives them."""
    return _reduce(pattern, basis) == 0


def _reduce(vector: int, basis: list[int]) -> int:
    # Each vector of the basis was reduced by those before it, so one pass in order suffices.
    for known in basis:
        vector = min(vector, vector ^ known)
    return vector


def conventions_of(game: Game) -> npt.NDArray[np.int8]:
    """Return the orbit of a parity game's signs under flips of outcomes, its own signs first.

    The flips form a group; over GF(2) the patterns are the span of one vector per party and
    setting, so only a basis is enumerated.

    Raises:
        ArgumentError: too many patterns to list.
    """
    basis = flip_basis(game)
    if game.n_questions << len(basis) > _CONVENTIONS_LIMIT:
        raise ArgumentError(
            f"game {game.name!r} has 2^{len(basis)} sign conventions: declare the one that holds"
        )
    span = game.signs[None, :]
    for vector in basis:
        bits = np.array([(vector >> q) & 1 for q in range(game.n_questions)], dtype=np.int8)
        span = np.concatenate([span, span * (1 - 2 * bits)])
    return np.asarray(span, dtype=np.int8)
