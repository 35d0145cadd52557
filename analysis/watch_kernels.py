"""Kernels of the watch: from failed round to failed round, in compiled code.

A passed round multiplies and adds the same numbers each time, so a run of k of them is one
multiplication and one addition with entries of a table. What is done only depends on the rounds since
the last step, not on how the stream was cut: at a failed round, and after `RUN` passed ones, the state
moves; in between only the passed rounds are counted. Products and sums are written so that plain
Python does the same operations in the same order and reaches the same bits.

Rounds come as 64-bit words, the highest bit first: bit 63 - i of word w is 1 when round 64 w + i failed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from ebit.analysis.binomial import check_count
from ebit.games import ArgumentError

__all__ = [
    "LANES",
    "RUN",
    "as_rounds",
    "move",
    "packed_words",
    "round_words",
    "scan_every",
    "scan_fails",
    "scan_session",
    "words_of",
]

LANES = 8  # bets held side by side; unused ones stay zero
RUN = 256  # passed rounds after which the state moves without a failed one
CHUNK = 1 << 18  # rounds that are packed at a time, so that memory stays constant
_TOP = np.uint64(1 << 63)


@intrinsic
def _leading(typingctx: Any, word: Any) -> Any:
    """Number of zero bits above the highest one; the word must not be zero."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctlz(args[0], cgutils.true_bit)

    return types.uint64(types.uint64), emit


def _leading_plain(word: Any) -> Any:
    """The same where numba does not compile."""
    return np.uint64(64 - int(word).bit_length())


_zeros_above = _leading_plain if config.DISABLE_JIT else _leading


def words_of(packed: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.uint64]:
    """Return words of failed rounds from passed ones in the order of numpy.packbits.

    Args:
        packed: bytes, shape (m,).
        count: rounds, at most 8 m.

    Example:
        >>> [f"{word:064b}"[:4] for word in words_of(np.packbits([1, 0, 1, 0]), 4).tolist()]
        ['0101']
    """
    padded = np.zeros(-(-count // 64) * 8, np.uint8)
    used = -(-count // 8)
    np.invert(packed[:used], out=padded[:used])
    if count % 8:
        padded[used - 1] &= (0xFF << (8 - count % 8)) & 0xFF
    return padded.view(">u8").astype(np.uint64)


def as_rounds(passed: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Return rounds as bytes, 1 where passed, or raise before any of them is used.

    Args:
        passed: shape (n,), of bools, or of numbers that are 0 or 1.

    Raises:
        ArgumentError: another shape, or a value that is neither 0 nor 1, such as NaN.

    Example:
        >>> as_rounds([True, False]).tolist()
        [1, 0]
    """
    rounds = np.asarray(passed)
    if rounds.ndim != 1 or (rounds.dtype.kind not in "buif" and rounds.size):
        raise ArgumentError(
            "Argument `passed` must be one row of bools or of 0 and 1, but was "
            f"{rounds.dtype} of shape {rounds.shape}."
        )
    if rounds.dtype == np.bool_:
        rounds = rounds.view(np.uint8)
    if rounds.dtype == np.uint8:
        good = not rounds.size or int(rounds.max()) <= 1
    else:
        good = bool(np.all((rounds == 0) | (rounds == 1)))
    if not good:
        at = int(np.flatnonzero((rounds != 0) & (rounds != 1))[0])
        raise ArgumentError(
            f"Argument `passed` must hold 0 and 1 only, but holds {rounds[at]} at position {at}; "
            "no round of it was used."
        )
    return np.ascontiguousarray(rounds, np.uint8)


def round_words(rounds: npt.NDArray[np.uint8]) -> Iterator[tuple[npt.NDArray[np.uint64], int]]:
    """Yield words of failed rounds and their number, some rounds at a time.

    >>> [count for _, count in round_words(np.ones(300_000, np.uint8))]
    [262144, 37856]
    """
    for start in range(0, len(rounds), CHUNK):
        piece = rounds[start : start + CHUNK]
        yield words_of(np.packbits(piece), len(piece)), len(piece)


def packed_words(
    data: npt.NDArray[np.uint8], count: int | None
) -> Iterator[tuple[npt.NDArray[np.uint64], int]]:
    """Yield words of failed rounds and their number from passed ones in the order of numpy.packbits.

    Args:
        data: bytes, shape (m,); the first round in the highest bit of the first.
        count: rounds, at most 8 m; all, if None.

    Raises:
        ArgumentError: data of another kind, or count out of range.

    Example:
        >>> [n for _, n in packed_words(np.array([0b1010_0000], np.uint8), 4)]
        [4]
    """
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 1:
        kind = f"{data.dtype} of shape {data.shape}" if isinstance(data, np.ndarray) else type(data)
        raise ArgumentError(f"Argument `data` must be bytes (uint8) in a row, but was {kind}.")
    total = 8 * len(data) if count is None else check_count("count", count, high=8 * len(data))
    for start in range(0, total, CHUNK):
        size = min(CHUNK, total - start)
        yield words_of(data[start // 8 : (start + size + 7) // 8], size), size


@njit(cache=True, nogil=True)
def scan_fails(words, count, state, pending, after, run, bar):  # type: ignore[no-untyped-def]
    """Go through rounds, looking at the evidence at failed ones; stop at the bar.

    Args:
        words: failed rounds, uint64 (W,).
        count: rounds, at most 64 W.
        state: R of each bet, float (LANES,); changed in place.
        pending: passed rounds since the state moved, less than RUN.
        after: (RUN, 2, LANES), factor and summand of k passed rounds and a failed one.
        run: (2, LANES), factor and summand of RUN passed rounds.
        bar: the sum of R at which to stop.

    Returns:
        Rounds used, passed rounds since the state moved, failed rounds, and whether it stopped.
    """
    r0, r1, r2, r3 = state[0], state[1], state[2], state[3]
    r4, r5, r6, r7 = state[4], state[5], state[6], state[7]
    done, fails, stop = 0, 0, False
    for w in range(words.size):
        word = words[w]
        while word != 0:
            zeros = _zeros_above(word)
            word ^= _TOP >> zeros
            at = 64 * w + int(zeros)
            pending += at - done
            done = at + 1
            while pending >= RUN:
                pending -= RUN
                r0, r1 = r0 * run[0, 0] + run[1, 0], r1 * run[0, 1] + run[1, 1]
                r2, r3 = r2 * run[0, 2] + run[1, 2], r3 * run[0, 3] + run[1, 3]
                r4, r5 = r4 * run[0, 4] + run[1, 4], r5 * run[0, 5] + run[1, 5]
                r6, r7 = r6 * run[0, 6] + run[1, 6], r7 * run[0, 7] + run[1, 7]
            step = after[pending]
            r0, r1 = r0 * step[0, 0] + step[1, 0], r1 * step[0, 1] + step[1, 1]
            r2, r3 = r2 * step[0, 2] + step[1, 2], r3 * step[0, 3] + step[1, 3]
            r4, r5 = r4 * step[0, 4] + step[1, 4], r5 * step[0, 5] + step[1, 5]
            r6, r7 = r6 * step[0, 6] + step[1, 6], r7 * step[0, 7] + step[1, 7]
            pending = 0
            fails += 1
            if ((r0 + r1) + (r2 + r3)) + ((r4 + r5) + (r6 + r7)) >= bar:
                stop = True
                break
        if stop:
            break
    if not stop:
        pending += count - done
        done = count
        while pending >= RUN:
            pending -= RUN
            r0, r1 = r0 * run[0, 0] + run[1, 0], r1 * run[0, 1] + run[1, 1]
            r2, r3 = r2 * run[0, 2] + run[1, 2], r3 * run[0, 3] + run[1, 3]
            r4, r5 = r4 * run[0, 4] + run[1, 4], r5 * run[0, 5] + run[1, 5]
            r6, r7 = r6 * run[0, 6] + run[1, 6], r7 * run[0, 7] + run[1, 7]
    state[0], state[1], state[2], state[3] = r0, r1, r2, r3
    state[4], state[5], state[6], state[7] = r4, r5, r6, r7
    return done, pending, fails, stop


@njit(cache=True, nogil=True)
def move(gaps, state, pending, after, run):  # type: ignore[no-untyped-def]
    """Move the state by passed rounds and a failed one, for each gap, and by pending passed rounds.

    Args:
        gaps: passed rounds before each failed one, int64 (K,).
        state: R of each bet, float (LANES,); changed in place.
        pending: passed rounds after the last.
        after: as in `scan_fails`.
        run: as in `scan_fails`.

    Returns:
        Passed rounds since the state moved, less than RUN.
    """
    for i in range(gaps.size + 1):
        k = gaps[i] if i < gaps.size else pending
        while k >= RUN:
            k -= RUN
            for j in range(LANES):
                state[j] = state[j] * run[0, j] + run[1, j]
        if i < gaps.size:
            for j in range(LANES):
                state[j] = state[j] * after[k, 0, j] + after[k, 1, j]
        else:
            pending = k
    return pending


@njit(cache=True, nogil=True)
def scan_every(words, count, state, pending, after, passes, bar):  # type: ignore[no-untyped-def]
    """Do what `scan_fails` does, but look at the evidence at passed rounds too.

    For bars so low that a passed round can lift the evidence over them. `passes` is
    (RUN + 1, 2, LANES), factor and summand of k passed rounds; the others are as there.
    """
    r, seen = state, np.zeros(LANES)
    fails, stop, i = 0, False, 0
    while i < count and not stop:
        failed = words[i >> 6] & (_TOP >> np.uint64(i & 63))
        i += 1
        if failed != 0:
            for j in range(LANES):
                r[j] = r[j] * after[pending, 0, j] + after[pending, 1, j]
                seen[j] = r[j]
            pending = 0
            fails += 1
        else:
            pending += 1
            for j in range(LANES):
                seen[j] = r[j] * passes[pending, 0, j] + passes[pending, 1, j]
            if pending == RUN:
                pending = 0
                for j in range(LANES):
                    r[j] = seen[j]
        left = (seen[0] + seen[1]) + (seen[2] + seen[3])
        stop = left + ((seen[4] + seen[5]) + (seen[6] + seen[7])) >= bar
    return i, pending, fails, stop


@njit(cache=True, nogil=True)
def scan_session(words, count, start, passes, fails, up, down, bar):  # type: ignore[no-untyped-def]
    """Count rounds, and stop at a failed one where one of the bets reaches the bar.

    Args:
        words: failed rounds, uint64 (W,).
        count: rounds, at most 64 W.
        start: the round to begin at.
        passes: passed rounds so far.
        fails: failed rounds so far.
        up: logarithm of each bet's factor at a failed round, (J,).
        down: the same at a passed round.
        bar: logarithm at which to stop.

    Returns:
        Rounds used from the first of `words`, passed and failed rounds, and whether it stopped.
    """
    done, size = start, up.size
    for w in range(start >> 6, words.size):
        word = words[w]
        if w == start >> 6:
            word &= ~np.uint64(0) >> np.uint64(start & 63)
        while word != 0:
            zeros = _zeros_above(word)
            word ^= _TOP >> zeros
            at = 64 * w + int(zeros)
            passes += at - done
            done = at + 1
            fails += 1
            k, m = float(fails), float(passes)
            for j in range(size):
                if k * up[j] + m * down[j] >= bar:
                    return done, passes, fails, True
    return count, passes + (count - done), fails, False
