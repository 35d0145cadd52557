"""Rows of a table, from whatever file, to trials."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
import numpy.typing as npt

from ebit.games.cells import TABLE_LIMIT, check_columns, check_shape, pack, recode
from ebit.games.errors import ArgumentError
from ebit.games.hints import Hints
from ebit.games.trials import Trials

__all__ = ["Gather", "counted"]

Column = npt.NDArray[np.integer]
Where = Callable[[int], str]

_MOST = 256


class Gather:
    """Collects rounds chunk by chunk, one small integer for each.

    Outcomes may be 0, 1, ... or +1 and -1 (+1 is 0); which of the two a file means may show only
    after a chunk that holds nothing but +1, so such chunks are settled at the end.
    """

    def __init__(self, parties: int, hints: Hints) -> None:
        self._hints = hints
        self._shape = hints.shape(parties)
        self._parties = parties
        self._tops = np.full(2 * parties, 2, dtype=np.int64)
        self._pieces: list[tuple[npt.NDArray[np.unsignedinteger], tuple[int, ...], bool]] = []
        self._signs = _Signs(self._shape, fixed=bool(hints.meta))
        self._starts: list[npt.NDArray[np.int64]] = []
        self._last_block: object = None
        self.seen = 0

    def add(
        self,
        asked: Sequence[Column],
        answered: Sequence[Column],
        block: npt.NDArray[np.generic] | None,
        where: Where,
    ) -> None:
        """Take the next rounds: a column per party, and the number of the block.

        Raises:
            ArgumentError: a value out of range; the text says where.
        """
        size = len(asked[0])
        if not size:
            return
        answered, ones = self._signs.plain(answered, where)
        n = self._parties
        top = (_MOST,) * n
        check_columns("settings", asked, self._shape[0] if self._shape else top, where)
        check_columns("outcomes", answered, self._shape[1] if self._shape else top, where)
        if self._shape is None:
            seen = [int(column.max()) + 1 for column in (*asked, *answered)]
            self._tops = np.maximum(self._tops, seen)
        shape = self._sizes()
        check_shape(shape[:n], shape[n:])
        self._pieces.append((pack([*asked, *answered], shape), shape, ones))
        if block is not None:
            new = np.flatnonzero(block[1:] != block[:-1]) + 1 + self.seen
            if not self.seen or bool(block[0] != self._last_block):
                new = np.r_[self.seen, new]
            self._starts.append(new.astype(np.int64))
            self._last_block = block[-1]
        self.seen += size

    def _sizes(self) -> tuple[int, ...]:
        if self._shape is not None:
            return (*self._shape[0], *self._shape[1])
        return tuple(int(t) for t in self._tops)

    def finish(self) -> Trials:
        """Return the trials.

        Raises:
            ArgumentError: there were no rounds, or they contradict how settings were said to be
                chosen.
        """
        if not self.seen:
            raise ArgumentError("there must be at least one round, but there is only a header")
        shape, n = self._sizes(), self._parties
        pieces = []
        for cells, old, ones in self._pieces:
            if ones and self._signs.signed:
                # All outcomes of this piece are +1, taken for outcome 1 until now.
                width = prod(old[n:])
                cells = cells - cells % cells.dtype.type(width)
            pieces.append(recode(cells, old, shape))
        self._pieces.clear()
        cells = np.concatenate(pieces) if len(pieces) > 1 else pieces[0]
        blocks = np.concatenate(self._starts) if self._starts else None
        return self._hints.rounds(cells, shape[:n], shape[n:], blocks)


def counted(
    asked: Sequence[Column],
    answered: Sequence[Column],
    counts: Column,
    hints: Hints,
    where: Where,
) -> Trials:
    """Return trials from rows of settings, outcomes and how often they came together.

    Raises:
        ArgumentError: a value out of range, or a negative count; the text says where.
    """
    if not len(counts):
        raise ArgumentError("there must be at least one count, but there is only a header")
    if (counts < 0).any():
        row = int(np.argmax(counts < 0))
        raise ArgumentError(f"counts must not be negative, but {where(row)} has {counts[row]}")
    if float(counts.sum(dtype=np.float64)) > 1 << 62:
        raise ArgumentError("counts must sum to less than 2^62, but do not")
    declared = hints.shape(len(asked))
    answered, _ = _Signs(declared, fixed=bool(hints.meta)).plain(answered, where)
    top = (_MOST,) * len(asked)
    check_columns("settings", asked, declared[0] if declared else top, where)
    check_columns("outcomes", answered, declared[1] if declared else top, where)
    shape = declared or (
        tuple(max(2, int(column.max()) + 1) for column in asked),
        tuple(max(2, int(column.max()) + 1) for column in answered),
    )
    full = (*shape[0], *shape[1])
    if prod(full) > TABLE_LIMIT:
        raise ArgumentError(f"a table of {float(prod(full)):.3g} counts is too large to hold")
    table = np.zeros(full, dtype=np.int64)
    np.add.at(table, tuple(c.astype(np.intp) for c in (*asked, *answered)), counts)
    return hints.counts(table)


class _Signs:
    """Finds out whether outcomes are written 0, 1, ... or +1 and -1, and makes them 0, 1, ...

    Attributes:
        signed: None until something other than +1 was seen.
    """

    def __init__(
        self, shape: tuple[tuple[int, ...], tuple[int, ...]] | None, *, fixed: bool
    ) -> None:
        # +1 and -1 name two outcomes; ebit's own files have only 0, 1, ...
        plain = fixed or (shape is not None and any(k != 2 for k in shape[1]))
        self.signed: bool | None = False if plain else None
        self._fixed = plain

    def plain(self, answered: Sequence[Column], where: Where) -> tuple[list[Column], bool]:
        """Return outcomes 0, 1, ..., and whether that is open because all are +1."""
        if self._fixed:
            return list(answered), False
        minus = [_first(c, c == -1) for c in answered if c.dtype.kind == "i"]
        other = [_first(c, (c != 1) & (c != -1)) for c in answered]
        a_minus = min((at for at in minus if at is not None), default=None)
        an_other = min((at for at in other if at is not None), default=None)
        if self.signed is None and a_minus is not None and an_other is not None:
            self._refuse(max(a_minus, an_other), where)
        if self.signed is False and a_minus is not None:
            self._refuse(a_minus, where)
        if self.signed and an_other is not None:
            self._refuse(an_other, where)
        if a_minus is not None:
            self.signed = True
        elif an_other is not None:
            self.signed = False
        if self.signed:
            return [((1 - c.astype(np.int64)) // 2).astype(np.uint8) for c in answered], False
        return list(answered), self.signed is None

    @staticmethod
    def _refuse(at: tuple[int, int], where: Where) -> None:
        row, value = at
        raise ArgumentError(
            f"outcomes must be all 0, 1, ... or all +1 and -1, but {where(row)} has {value}"
        )


def _first(column: Column, these: npt.NDArray[np.bool_]) -> tuple[int, int] | None:
    row = int(np.argmax(these))
    return (row, int(column[row])) if these[row] else None
