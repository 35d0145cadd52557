"""The no-signalling test that fits the data: by rounds, and by blocks where settings come in blocks."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import numpy.typing as npt

from ebit.analysis.nosignalling import NoSignalling, block_no_signalling, no_signalling
from ebit.games import Game, Trials

__all__ = ["no_signalling_of"]

_FEW_BLOCKS = 20


def no_signalling_of(trials: Trials, game: Game, counts: npt.NDArray[np.int64]) -> NoSignalling:
    """Test the rounds, and where settings come in blocks, the blocks as well.

    Rounds of one block may be alike (drift), which makes the test by rounds too eager and leaves
    the test by blocks right. Both are printed; signalling is "found" only when both say so.

    Args:
        trials: the rounds.
        game: the game that was played.
        counts: int64 (Q, *outcomes).
    """
    by_rounds = no_signalling(game.questions, counts)
    starts = trials.blocks
    if trials.chosen != "per-block" or starts is None or len(starts) < _FEW_BLOCKS:
        return by_rounds
    question, _ = trials.question_outcomes(game)
    by_blocks = block_no_signalling(
        game.questions, question[starts].astype(np.intp), _answers_per_block(trials, starts)
    )
    return replace(
        by_rounds,
        holds=by_rounds.holds or by_blocks.holds,
        blocks=by_blocks,
        method=f"{by_rounds.method}; blocks as units: p = {by_blocks.p_value:.3g}",
    )


def _answers_per_block(trials: Trials, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Count the answers in each block: int64 (B, *outcomes)."""
    width = prod(trials.outcomes)
    cells = trials.cells
    if cells is None:
        raise ValueError("blocks need rounds")
    lengths = np.diff(np.r_[starts, len(cells)])
    block = np.repeat(np.arange(len(starts)), lengths)
    answer = (cells % cells.dtype.type(width)).astype(np.int64) if width <= 255 else cells % width
    counted = np.bincount(block * width + answer, minlength=len(starts) * width)
    return counted.reshape(len(starts), *trials.outcomes)
