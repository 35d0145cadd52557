"""Settings and outcomes of rounds, in order or counted: what every score is computed from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from ebit.games.cells import (
    TABLE_LIMIT,
    cell_type,
    check_cells,
    check_columns,
    check_shape,
    chunked_bincount,
    integers,
    pack,
    question_of,
    tally,
    unpack,
)
from ebit.games.choice import Chosen, check_chosen, detect_counts, detect_rounds
from ebit.games.errors import ArgumentError
from ebit.games.game import Game
from ebit.games.inplay import counts_in, rounds_in, seen_in

__all__ = ["Source", "Trials", "cell_type"]

Source = Literal["device", "host", "unknown"]

# The weakest way of choosing settings wins when runs are merged.
_STRENGTH: tuple[Chosen, ...] = ("unknown", "pattern", "per-circuit", "per-block", "per-shot")


@dataclass(frozen=True, eq=False)
class Trials:
    """Rounds of a game, from anywhere: one small integer per ordered round, or counts.

    A round's cell is ``question * prod(outcomes) + answer``, both numbered in C order over the
    parties; with two settings and outcomes a side that is one byte for both parties.

    Attributes:
        settings: number of settings per party.
        outcomes: number of outcomes per party.
        cells: the rounds in the order they were taken, or None for counts.
        given_counts: int64 (*settings, *outcomes), for counts.
        chosen: how settings were chosen: "per-shot", "per-block", "per-circuit", "pattern" (a
            predictable order) or "unknown".
        chosen_reason: what says so: a declaration, or what the data show.
        source: who drew the settings: "device" coins, the "host", or "unknown".
        ordered: whether the order of the rounds is known to be the order in time.
        blocks: int64 (B,), the first round of each block, or None.

    Example:
        >>> t = Trials.from_rounds([[0, 1], [1, 1]], [[0, 0], [1, 0]])
        >>> t.n, t.counts[0, 1, 0, 0], t.counts[1, 1, 1, 0]
        (2, np.int64(1), np.int64(1))
    """

    settings: tuple[int, ...]
    outcomes: tuple[int, ...]
    cells: npt.NDArray[np.unsignedinteger] | None = None
    given_counts: npt.NDArray[np.int64] | None = None
    chosen: Chosen = "unknown"
    chosen_reason: str = "declared"
    source: Source = "unknown"
    ordered: bool = False
    blocks: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if (self.cells is None) == (self.given_counts is None):
            raise ArgumentError("trials need either rounds or counts")
        check_shape(self.settings, self.outcomes)
        check_chosen(self.chosen)
        if self.source not in get_args(Source):
            raise ArgumentError(
                f"source must be one of {', '.join(get_args(Source))}, but was {self.source!r}"
            )

    @classmethod
    def from_rounds(
        cls,
        settings: npt.ArrayLike,
        outcomes: npt.ArrayLike,
        *,
        block: npt.ArrayLike | None = None,
        shape: tuple[tuple[int, ...], tuple[int, ...]] | None = None,
        chosen: Chosen | None = None,
        source: Source = "unknown",
    ) -> Trials:
        """Build trials from rounds in the order they were taken.

        Args:
            settings: integers (N, n), one column per party.
            outcomes: integers (N, n).
            block: (N,), a number that stays the same inside a block, or None.
            shape: ((settings per party), (outcomes per party)); the largest seen, at least 2,
                if left out.
            chosen: how settings were chosen; told from the data if left out.
            source: who drew the settings.

        Raises:
            ArgumentError: shapes that do not agree, values out of range, or a declaration that
                the data contradict.
        """
        asked, answered = integers("settings", settings), integers("outcomes", outcomes)
        if asked.ndim != 2 or asked.shape != answered.shape or not asked.size:
            raise ArgumentError(
                "settings and outcomes must both have shape (rounds, parties) with at least one "
                f"round, but had {asked.shape} and {answered.shape}"
            )
        sizes = shape or (_sizes(asked), _sizes(answered))
        check_shape(*sizes)
        check_columns("settings", list(asked.T), sizes[0])
        check_columns("outcomes", list(answered.T), sizes[1])
        starts = None
        if block is not None:
            marks = np.asarray(block)
            if marks.shape != (len(asked),):
                raise ArgumentError(f"block must have one number per round ({len(asked)})")
            starts = np.flatnonzero(np.r_[True, marks[1:] != marks[:-1]]).astype(np.int64)
        return cls.from_cells(
            pack([*asked.T, *answered.T], (*sizes[0], *sizes[1])),
            settings=sizes[0],
            outcomes=sizes[1],
            blocks=starts,
            chosen=chosen,
            source=source,
        )

    @classmethod
    def from_cells(
        cls,
        cells: npt.NDArray[np.unsignedinteger],
        *,
        settings: tuple[int, ...],
        outcomes: tuple[int, ...],
        blocks: npt.NDArray[np.int64] | None = None,
        chosen: Chosen | None = None,
        source: Source = "unknown",
    ) -> Trials:
        """Build ordered trials from cell numbers; see the class for their code.

        Raises:
            ArgumentError: cells that the shape does not have, blocks that do not start at 0 and
                rise, or a declaration that the rounds contradict.
        """
        check_chosen(chosen)
        check_cells(cells, settings, outcomes, blocks)
        found = detect_rounds(question_of(cells, outcomes), blocks)
        overruled = found.sure and found.chosen in ("per-block", "per-circuit", "pattern")
        if chosen == "per-shot" and overruled:
            raise ArgumentError(
                f"settings were declared per-shot, but the rounds say otherwise: {found.reason}; "
                f"declare {found.chosen!r} or leave the declaration out"
            )
        return cls(
            settings=tuple(settings),
            outcomes=tuple(outcomes),
            cells=cells,
            chosen=chosen or found.chosen,
            chosen_reason="declared" if chosen else found.reason,
            source=source,
            ordered=True,
            blocks=blocks,
        )

    @classmethod
    def from_counts(
        cls,
        counts: npt.ArrayLike,
        *,
        chosen: Chosen | None = None,
        source: Source = "unknown",
    ) -> Trials:
        """Build trials from counts of shape (*settings, *outcomes), half the axes each.

        Raises:
            ArgumentError: negative, fractional or missing counts, or an odd number of axes.
        """
        check_chosen(chosen)
        table = integers("counts", counts)
        if table.ndim < 2 or table.ndim % 2:
            raise ArgumentError(
                "counts must have one axis of settings and one of outcomes per party, "
                f"but had shape {table.shape}"
            )
        if (table < 0).any():
            raise ArgumentError(f"counts must not be negative, but had {int(table.min())}")
        if not table.any():
            raise ArgumentError("counts must not all be zero")
        if float(table.sum(dtype=np.float64)) > 1 << 62:
            raise ArgumentError(f"counts must sum to less than 2^62, but had {int(table.max())}")
        n = table.ndim // 2
        check_shape(table.shape[:n], table.shape[n:])
        found = detect_counts(table.reshape(prod(table.shape[:n]), -1).sum(axis=1))
        return cls(
            settings=tuple(table.shape[:n]),
            outcomes=tuple(table.shape[n:]),
            given_counts=table.astype(np.int64),
            chosen=chosen or found.chosen,
            chosen_reason="declared" if chosen else found.reason,
            source=source,
        )

    def __repr__(self) -> str:
        kind = "ordered rounds" if self.cells is not None else "counts"
        return (
            f"Trials({self.n} {kind}, {self.n_parties} parties, settings {self.settings}, "
            f"outcomes {self.outcomes}, chosen {self.chosen})"
        )

    def __len__(self) -> int:
        return self.n

    @property
    def n_parties(self) -> int:
        """Number of parties."""
        return len(self.settings)

    @cached_property
    def n(self) -> int:
        """Number of rounds."""
        return len(self.cells) if self.cells is not None else int(self.counts.sum())

    @cached_property
    def counts(self) -> npt.NDArray[np.int64]:
        """How often each answer came to each question: int64 (*settings, *outcomes)."""
        if self.given_counts is not None:
            return self.given_counts
        cells = self._rounds_or_raise()
        shape = (*self.settings, *self.outcomes)
        if prod(shape) > TABLE_LIMIT:
            raise ArgumentError(f"a table of {prod(shape):.3g} counts is too large")
        return chunked_bincount(cells, prod(shape)).reshape(shape)

    @cached_property
    def _tally(self) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.int64]]:
        """The cells that occur, in order, and how often each does."""
        if self.cells is not None:
            return tally(self.cells, prod((*self.settings, *self.outcomes)))
        flat = self.counts.ravel()
        found = np.flatnonzero(flat)
        return found, flat[found]

    def _rounds_or_raise(self) -> npt.NDArray[np.unsignedinteger]:
        if self.cells is None:
            raise ArgumentError("these trials are counts: their rounds are not known one by one")
        return self.cells

    def rounds(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """Return settings and outcomes of each round, uint8 (N, n) each."""
        table = unpack(self._rounds_or_raise(), (*self.settings, *self.outcomes))
        return table[:, : self.n_parties], table[:, self.n_parties :]

    def table(self, *asked: int) -> npt.NDArray[np.int64]:
        """Return the counts of answers to one question, one setting per party: (*outcomes)."""
        if len(asked) != self.n_parties:
            raise ArgumentError(
                f"table takes one setting per party ({self.n_parties}), but got {len(asked)}"
            )
        check_columns(
            "settings", list(integers("settings", [asked]).T), self.settings, lambda row: "table"
        )
        return np.asarray(self.counts[asked], dtype=np.int64)

    def game_counts(self, game: Game) -> npt.NDArray[np.int64]:
        """Return counts per question of a game: int64 (Q, *outcomes).

        Raises:
            ArgumentError: another number of parties, settings or outcomes beyond the game's,
                rounds that ask what the game never asks, or a question that was never asked.
        """
        return counts_in(game, seen_in(game, *self._tally, (self.settings, self.outcomes)))

    def question_outcomes(
        self, game: Game
    ) -> tuple[npt.NDArray[np.uint8] | npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        """Return, for each ordered round, the question's index in the game and whether it won.

        Raises:
            ArgumentError: counts instead of rounds, or what `game_counts` refuses.
        """
        cells = self._rounds_or_raise()
        seen = seen_in(game, *self._tally, (self.settings, self.outcomes))
        counts_in(game, seen)
        return rounds_in(game, seen, cells, prod((*self.settings, *self.outcomes)))

    def __getitem__(self, part: slice) -> Trials:
        cells = self._rounds_or_raise()
        if not isinstance(part, slice):
            raise ArgumentError(f"trials are sliced, as t[10:20], but were indexed with {part!r}")
        start, stop, step = part.indices(len(cells))
        if step != 1 or stop <= start:
            raise ArgumentError(f"a slice of trials must be a non-empty run of rounds: {part}")
        blocks = self.blocks
        if blocks is not None:
            inside = blocks[(blocks > start) & (blocks < stop)] - start
            blocks = np.r_[np.int64(0), inside]
        return replace(self, cells=cells[start:stop], blocks=blocks)

    def __add__(self, other: Trials) -> Trials:
        if not isinstance(other, Trials):
            return NotImplemented
        if (self.settings, self.outcomes) != (other.settings, other.outcomes):
            raise ArgumentError(
                "only trials of one shape can be merged, but these have settings "
                f"{self.settings} and {other.settings}, outcomes {self.outcomes} and "
                f"{other.outcomes}"
            )
        chosen = min(self.chosen, other.chosen, key=_STRENGTH.index)
        source: Source = self.source if self.source == other.source else "unknown"
        shared = {
            "settings": self.settings,
            "outcomes": self.outcomes,
            "chosen": chosen,
            "chosen_reason": self.chosen_reason if chosen == self.chosen else other.chosen_reason,
            "source": source,
        }
        if self.cells is None or other.cells is None:
            return Trials(given_counts=self.counts + other.counts, **shared)  # type: ignore[arg-type]
        blocks = None
        if self.blocks is not None and other.blocks is not None:
            blocks = np.r_[self.blocks, other.blocks + len(self.cells)]
        return Trials(
            cells=np.concatenate([self.cells, other.cells]),
            ordered=self.ordered and other.ordered,
            blocks=blocks,
            **shared,  # type: ignore[arg-type]
        )

    def save(self, path: str | Path) -> Path:
        """Write the trials whole or not at all, as .csv, .npz or .parquet by the name's ending."""
        from ebit.games.files import write_trials

        return write_trials(self, path)

    @classmethod
    def load(cls, path: str | Path, *, game: Game | None = None) -> Trials:
        """Read trials or counts from a file; see `ebit.games.read_trials`."""
        from ebit.games.files import read_trials

        return read_trials(path, game=game)


def _sizes(table: npt.NDArray[np.integer]) -> tuple[int, ...]:
    # Negative or large values fail the check of the range that follows.
    return tuple(min(max(2, int(top) + 1), 256) for top in table.max(axis=0))
