"""Where the bits of a key lie in each pass of a reconciliation: shuffles, blocks, prefix parities.

Two sides that hold the same seed must lay the same passes on any machine and under any release of
numpy, so the generator is written out here: SplitMix64, whose words are used as they come.

A pass puts m positions of the key, in random order, into `slots`: B blocks of 2^L slots each, filled
from the left and as evenly as whole numbers allow (a slot that stays empty holds -1), so that every
block is a tree of halves. Node j of level l covers the slots [j 2^l, (j+1) 2^l).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from ebit.games import ArgumentError

__all__ = [
    "EXACT",
    "FOUND",
    "PASSES",
    "Store",
    "check_words",
    "lay_pass",
    "new_store",
    "seed_words",
]

PASSES = 8
"""Passes whose parities are remembered at once."""

N, USED, ASKED, FOUND, CONFLICT, EXACT, CORRECTS, TODO, NEXT, QUEUED = range(10)
"""Places in Store.meta; from QUEUED on, one for each pass."""
WHERE_AT, SLOT_AT, PREFIX_AT, TREE_AT, OPEN_AT, SLOTS, TOP = range(7)
"""Places in a row of Store.shape."""

COUNTED = 7
"""Nodes up to this level (128 slots) know how many of their positions are still open."""


_A_BIT, _A_PASS = 24, 576  # bytes that any pass fits into, of fewer than 2 n + 2 slots: 24 n + 576


class Store(NamedTuple):
    """All that one side keeps, as arrays that the kernels share; one allocation a key, mostly.

    The bytes of `small` and the numbers of `wide` are one stretch of memory. Of n bits it begins with the
    bits (n bytes), whether each position is known to be right or corrected (n bytes), and room for a
    shuffle; then each pass has, where its row of `shape` says: the slot of each position, -1 if it is not
    in the pass (wide, n); the position in each slot, -1 if none (wide); the parity of this side's bits in
    the slots before (small); of each node (small), bit 0 whether an odd number of errors is left in it,
    bit 1 whether that is known, bit 2 whether it waits or is asked about; and how many of a node's
    positions are not known exactly (small), up to level COUNTED.

    Attributes:
        meta: numbers: bits, passes in use, questions in flight, errors found, whether answers contradicted
            each other, positions known exactly, whether errors are corrected, things to follow up, where
            the next pass lies, and how many nodes wait in each pass.
        sums: the parities of the checks, as one word, uint64 (1,).
        shape: of each pass: where its five parts begin, slots, level of a block.
        small, wide: the memory, as uint8 and as int32.
        words: for each position, the checks it takes part in, uint64 (n,).
        queue: nodes with an odd number of errors, (level << 32 | node), per pass.
        asked: the nodes that are asked about, (pass << 48 | level << 32 | node).
        todo: what became known and is to be followed up.
    """

    meta: npt.NDArray[np.int64]
    sums: npt.NDArray[np.uint64]
    shape: npt.NDArray[np.int64]
    small: npt.NDArray[np.uint8]
    wide: npt.NDArray[np.int32]
    words: npt.NDArray[np.uint64]
    queue: npt.NDArray[np.int64]
    asked: npt.NDArray[np.int64]
    todo: npt.NDArray[np.int64]


def new_store(bits: npt.NDArray[np.uint8], *, corrects: bool) -> Store:
    """Return the empty arrays for a key.

    Args:
        bits: 0 or 1, uint8 (n,), n at least 1; copied.
        corrects: whether errors that are found are corrected in the copy.

    Raises:
        ArgumentError: not such an array.

    Example:
        >>> new_store(np.array([0, 1, 1], np.uint8), corrects=True).small[:3].tolist()
        [0, 1, 1]
    """
    if bits.dtype != np.uint8 or bits.ndim != 1 or not len(bits) or bits.max() > 1:
        raise ArgumentError(
            f"Argument `bits` must be 0 or 1, uint8, of shape (n,) with n > 0, but was {bits.dtype} of "
            f"shape {bits.shape}, largest {bits.max() if bits.size else 'none'}: unpack packed bits first."
        )
    n = len(bits)
    meta = np.zeros(QUEUED + PASSES, np.int64)
    meta[N], meta[CORRECTS] = n, corrects
    meta[NEXT] = _whole(2 * n) + _whole(4 * n + 4)
    small = np.empty(int(meta[NEXT]) + PASSES * (_A_BIT * n + _A_PASS), np.uint8)
    small[:n] = bits
    small[n : 2 * n] = 0
    return Store(
        meta,
        np.zeros(1, np.uint64),
        np.zeros((PASSES, 7), np.int64),
        small,
        small.view(np.int32),
        np.empty(n, np.uint64),
        np.empty((PASSES, n + 1), np.int64),
        np.empty(2 * n + 64, np.int64),
        np.empty(4 * n + 64, np.int64),
    )


def _whole(size: int) -> int:
    """Bytes to lines of the cache."""
    return (size + 63) // 64 * 64


def seed_words(seed: bytes) -> npt.NDArray[np.uint64]:
    """Return the two words of a seed of 16 bytes.

    >>> seed_words(bytes(15) + b"\\x01").tolist()
    [0, 1]
    """
    return np.frombuffer(seed, ">u8").astype(np.uint64)


@njit(cache=True, inline="always")
def _mix(z: Any) -> Any:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True, inline="always")
def _start(seed: npt.NDArray[np.uint64], stream: int) -> Any:
    """The state of stream number `stream` of a seed."""
    step = np.uint64(0x9E3779B97F4A7C15)
    return _mix(_mix(seed[0] + step * np.uint64(stream + 1)) ^ seed[1])


@njit(cache=True)
def lay_pass(
    s: Store, q: int, block: int, seed: npt.NDArray[np.uint64], stream: int, check: int
) -> int:
    """Lay pass q over the positions that are not known exactly, or over those of one check.

    Args:
        s: the store. q: which pass; what it held before is forgotten.
        block: positions of a block at most, at least 2.
        seed, stream: of the order. check: the number of the check, -1 for all positions.

    Returns:
        Blocks; 0 if there are no positions.
    """
    n, small, wide, words = s.meta[N], s.small, s.wide, s.words
    if q == s.meta[USED]:
        s.meta[USED] = q + 1
        s.shape[q, WHERE_AT] = s.meta[NEXT] >> 2
    begin: Any = s.shape[q, WHERE_AT] << 2
    where, exact = wide[begin >> 2 : (begin >> 2) + n], small[n : 2 * n]
    shuffle_at = ((2 * n + 63) // 64) * 16
    order = wide[shuffle_at : shuffle_at + n + 1]
    state, step = _start(seed, stream), np.uint64(0x9E3779B97F4A7C15)
    part = np.uint64(max(check, 0))
    m: Any = 0
    for i in range(n):
        where[i] = -1
        entry = (i << 1) | small[i]
        if check >= 0:  # random already: in the order of the key
            order[m] = entry
            m += np.int64((words[i] >> part) & np.uint64(1)) & np.int64(exact[i] == 0)
        elif exact[i] == 0:  # shuffled as they come in; the bias is below n / 2^32
            state += step
            j = np.int64(((_mix(state) >> np.uint64(32)) * np.uint64(m + 1)) >> np.uint64(32))
            order[m] = order[j]
            order[j] = entry
            m += 1
    blocks, top = (m + block - 1) // block, 0
    while blocks << top < m:
        top += 1
    size = blocks << top
    slot_at = (begin >> 2) + n
    prefix_at = (slot_at + size) << 2
    tree_at = prefix_at + size + 1
    open_at = tree_at + 2 * size
    s.shape[q, SLOT_AT], s.shape[q, PREFIX_AT], s.shape[q, TREE_AT] = slot_at, prefix_at, tree_at
    s.shape[q, OPEN_AT], s.shape[q, SLOTS], s.shape[q, TOP] = open_at, size, top
    s.meta[QUEUED + q] = 0
    if s.meta[USED] == q + 1 and check < 0:  # it is never laid anew: the next may lie close
        s.meta[NEXT] = (open_at + 2 * size + 63) // 64 * 64
    elif s.meta[NEXT] == begin:
        s.meta[NEXT] = begin + _A_BIT * n + _A_PASS
    slots, prefix = wide[slot_at : slot_at + size], small[prefix_at : prefix_at + size + 1]
    small[tree_at:open_at] = 0
    open_ = small[open_at : open_at + 2 * size]
    taken, parity = 0, np.uint8(0)
    for b in range(blocks):
        k, end = b << top, ((b + 1) * m) // blocks
        while taken < end:
            entry = order[taken]
            slots[k], where[entry >> 1], open_[k], prefix[k] = entry >> 1, k, 1, parity
            parity ^= np.uint8(entry & 1)
            k += 1
            taken += 1
        while k < (b + 1) << top:
            slots[k], open_[k], prefix[k] = -1, 0, parity
            k += 1
    prefix[size] = parity
    below = 0
    for level in range(1, min(top, COUNTED) + 1):
        here = 2 * size - ((2 * size) >> level)
        for node in range(size >> level):
            open_[here + node] = open_[below + 2 * node] + open_[below + 2 * node + 1]
        below = here
    return int(blocks)


@njit(cache=True)
def check_words(s: Store, seed: npt.NDArray[np.uint64], stream: int) -> np.uint64:
    """Draw for every position which of 64 checks it takes part in; return this side's parities.

    Bit t of the result is the parity of this side's bits in check t, a random half of all positions.
    """
    state, step = _start(seed, stream), np.uint64(0x9E3779B97F4A7C15)
    total = np.uint64(0)
    words, bits = s.words, s.small
    for i in range(s.meta[N]):
        state += step
        word = _mix(state)
        words[i] = word
        total ^= word * np.uint64(bits[i])
    return total
