"""Exact enumerations over local strategies: local values and sign conventions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ebit.games.errors import ArgumentError

if TYPE_CHECKING:
    from ebit.games.game import Game

__all__ = ["conventions_of", "local_value_of", "local_work"]

# Elementary additions that take about a minute on one core.
_WORK_LIMIT = 4e9
_CHUNK = 1 << 22
_CONVENTIONS_LIMIT = 20


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


def local_work(game: Game) -> float:
    """Return how many elementary steps `local_value_of` needs."""
    _, sizes = _reduced(game)
    strategies = [float(k) ** s for k, s in zip(game.outcomes, sizes, strict=True)]
    last = int(np.argmax(strategies))
    rest = float(np.prod(strategies)) / strategies[last]
    return rest * game.n_questions * game.outcomes[last]


def local_value_of(game: Game) -> float:
    """Return the best win probability over deterministic local strategies.

    The party with the most strategies is not enumerated: to each of its settings it gives the
    answer that wins the most weight, which is optimal once the others are fixed. The others run
    through mixed-radix counters, a chunk of strategies at a time.

    Raises:
        ArgumentError: more than about a minute of work; the text says how much.
    """
    work = local_work(game)
    if work > _WORK_LIMIT:
        raise ArgumentError(
            f"local_value of {game.name!r} would take {work:.2g} steps by enumeration, and at most "
            f"{_WORK_LIMIT:.2g} are done: use a smaller game or a published floor"
        )
    columns, sizes = _reduced(game)
    strategies = [k**s for k, s in zip(game.outcomes, sizes, strict=True)]
    last = int(np.argmax(strategies))
    others = [i for i in range(game.n_parties) if i != last]
    total = int(np.prod([strategies[i] for i in others], dtype=np.int64)) if others else 1

    # weights[q, answers of the others (C order), answer of the last]
    table = np.moveaxis(game.table(), last + 1, -1)
    shape = tuple(game.outcomes[i] for i in others)
    flat = table.reshape(game.n_questions, -1, game.outcomes[last]).astype(np.float64)
    flat *= game.distribution[:, None, None]

    step = max(1, _CHUNK // (game.n_questions * game.outcomes[last]))
    best = 0.0
    for start in range(0, total, step):
        number = np.arange(start, min(start + step, total), dtype=np.int64)
        answers = np.zeros((len(number), game.n_questions), dtype=np.intp)
        rest = number
        for i, width in zip(others, shape, strict=True):
            digits = rest % strategies[i]
            rest = rest // strategies[i]
            powers = width ** np.arange(max(sizes[i], 1), dtype=np.int64)
            per_setting = (digits[:, None] // powers) % width
            answers = answers * width + per_setting[:, columns[:, i]]
        gains = flat[np.arange(game.n_questions), answers]  # (strategies, Q, answers of the last)
        value = np.zeros(len(number))
        for setting in range(max(sizes[last], 1)):
            asked = columns[:, last] == setting
            value += gains[:, asked].sum(axis=1).max(axis=1)
        best = max(best, float(value.max()))
    return min(best, 1.0) if best < 1 + 1e-9 else best


def conventions_of(game: Game) -> npt.NDArray[np.int8]:
    """Return the orbit of a parity game's signs under flips of outcomes, its own signs first.

    The flips form a group; over GF(2) the patterns are the span of one vector per party and
    setting, so only a basis is enumerated.

    Raises:
        ArgumentError: more than 2^20 patterns.
    """
    signs = game.signs
    mask = getattr(game.rule, "mask", None)
    if mask is None:
        raise ArgumentError(f"game {game.name!r} is not decided by a parity")
    vectors = []
    for i, count in enumerate(game.settings):
        for s in range(count):
            flipped = (game.questions[:, i] == s) & mask[:, i]
            vectors.append(sum(1 << int(q) for q in np.flatnonzero(flipped)))
    basis: list[int] = []
    for vector in vectors:
        reduced = vector
        for known in basis:
            reduced = min(reduced, reduced ^ known)
        if reduced:
            basis.append(reduced)
    if len(basis) > _CONVENTIONS_LIMIT:
        raise ArgumentError(
            f"game {game.name!r} has 2^{len(basis)} sign conventions: declare the one that holds"
        )
    span = [0]
    for vector in basis:
        span += [vector ^ known for known in span]
    bits = np.array(
        [[(v >> q) & 1 for q in range(game.n_questions)] for v in span], dtype=np.int8
    ).reshape(len(span), game.n_questions)
    return np.asarray(signs * (1 - 2 * bits), dtype=np.int8)
