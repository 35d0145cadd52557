"""Evidence from data whose settings stay the same within blocks of rounds."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ebit.analysis.binomial import check_probability
from ebit.analysis.evidence import EvidencePath
from ebit.games import ArgumentError

__all__ = ["block_e_process", "block_win_rates"]

Array = npt.NDArray[np.float64]

# Bets as fractions of the largest, 1 / p0. Means of long blocks vary little, and then the
# largest bet is the best; short blocks and weak violations need small ones.
_FRACTIONS = np.concatenate([[0.99], 0.5 ** np.arange(1, 21)])
_WEIGHTS = 1.0 / ((1 + np.arange(21)) * (2 + np.arange(21)))
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def block_win_rates(
    question: npt.NDArray[np.integer],
    won: npt.NDArray[np.bool_] | npt.NDArray[np.integer],
    starts: npt.NDArray[np.integer],
) -> tuple[npt.NDArray[np.int64], Array]:
    """Return the question and the share of rounds won of each block.

    Args:
        question: (N,) index of the question asked in each round.
        won: (N,) whether each round was won, bool or 0 and 1.
        starts: (B,) index of the first round of each block, ascending, the first one 0.

    Returns:
        (B,) question and (B,) win rate.

    Raises:
        ArgumentError: lengths that differ, starts out of order, a question that changes inside
            a block.

    >>> block_win_rates(np.array([2, 2, 0, 0]), np.array([1, 0, 1, 1]), np.array([0, 2]))
    (array([2, 0]), array([0.5, 1. ]))
    """
    asked, wins, first = np.asarray(question), np.asarray(won), np.asarray(starts, np.int64)
    n = len(asked)
    if len(wins) != n:
        raise ArgumentError(
            f"Argument `won` must be as long as `question`, {n}, but was {len(wins)}."
        )
    if not len(first) or first[0] != 0 or np.any(np.diff(first) <= 0) or first[-1] >= n:
        raise ArgumentError(
            f"Argument `starts` must rise from 0 to below the number of rounds, {n}."
        )
    sizes = np.diff(np.append(first, n))
    changes = np.flatnonzero(asked != np.repeat(asked[first], sizes))
    if len(changes):
        block = int(np.searchsorted(first, changes[0], side="right")) - 1
        raise ArgumentError(
            f"Argument `question` must not change inside a block, but does in block {block}."
        )
    total = np.add.reduceat(wins, first, dtype=np.int64)
    return asked[first].astype(np.int64), total / sizes


def block_e_process(
    block_question: npt.ArrayLike, block_win_rate: npt.ArrayLike, p0: float
) -> EvidencePath:
    """Return the anytime-valid evidence of blocks, for devices without memory inside a block.

    E_B = sum_j w_j prod_b (1 + f_j (xbar_b / p0 - 1)): per block a bet of lambda = f_j / p0 on
    its win rate xbar_b being above p0.

    Assumption: the question of a block is drawn freshly by the game's distribution,
    independently of the past, and in each of its rounds the device acts by a local strategy
    that may depend on earlier blocks and on the position in the block, but not on what
    happened earlier in the same block. Then round r of the block is won with probability at
    most p0, averaged over the question of the block given the past; so is the average over its
    rounds, by linearity, although all of them share one question: E[xbar_b | past] <= p0, and
    every factor has a conditional mean of at most 1. A product over the rounds would not do: a
    local strategy that loses one question of four wins all rounds of 3/4 of the blocks. Nor is
    the assumption idle: with memory inside the block a local device learns the question from
    the first round and wins nearly all others.

    Blocks may have any lengths fixed before their questions. How often each question came up
    does not matter, as it was drawn.

    Args:
        block_question: (B,) question of each block; at least two must occur, for blocks that
            all ask one question test nothing.
        block_win_rate: (B,) share of the rounds won in each block, in [0, 1].
        p0: floor on the win probability of a round, in (0, 1].

    Returns:
        The path; `rounds` counts blocks, from 0.

    Raises:
        ArgumentError: lengths that differ, rates outside [0, 1], only one question, p0 out of
            range.

    >>> path = block_e_process([0, 1, 2, 3] * 50, [0.85] * 200, 0.75)
    >>> round(path.final, 2)
    10.49

    Source: derived above; betting as in Waudby-Smith and Ramdas 2024.
    """
    asked, rates = np.asarray(block_question), np.asarray(block_win_rate, np.float64)
    if asked.shape != rates.shape or rates.ndim != 1:
        raise ArgumentError(
            "Arguments `block_question` and `block_win_rate` must be of one length, but were of "
            f"shapes {asked.shape} and {rates.shape}."
        )
    if not np.all((rates >= 0) & (rates <= 1)):
        raise ArgumentError("Argument `block_win_rate` must lie in [0, 1]; some are outside.")
    if len(asked) > 1 and np.all(asked == asked[0]):
        raise ArgumentError(
            "Argument `block_question` must hold at least two questions, but every block asked "
            f"{asked[0]}: settings were not drawn per block."
        )
    check_probability("p0", p0)
    if p0 <= 0:
        raise ArgumentError(f"Argument `p0` must be above 0, but was {p0!r}.")
    blocks = np.arange(len(rates) + 1, dtype=np.int64)
    if p0 == 1:
        return EvidencePath(blocks, np.zeros(len(blocks)))
    path = np.full(len(blocks), -np.inf)
    for fraction, weight in zip(_FRACTIONS, _WEIGHTS, strict=True):
        gains = np.log1p(fraction * (rates / p0 - 1))
        path = np.logaddexp(path, math.log(weight) + np.concatenate([[0.0], np.cumsum(gains)]))
    return EvidencePath(blocks, path / math.log(10))
