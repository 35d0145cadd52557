"""Parities of blocks and what follows from them: the search for errors behind Cascade, vectorised.

Two keys differ in some positions. The sides tell each other parities of blocks; what both know is then,
of each block, whether an odd number of errors is left in it. A block with an odd number is halved until
an error is found, and one error found changes what is known of all other blocks it lies in. All odd
blocks are searched at once, every parity is one lookup in the prefix parities of a pass, and nothing is
asked that follows from what is known: a half all of whose positions are known exactly has no error left.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from ebit.analysis.parity_layout import (
    ASKED,
    CONFLICT,
    CORRECTS,
    COUNTED,
    EXACT,
    FOUND,
    OPEN_AT,
    PREFIX_AT,
    QUEUED,
    SLOT_AT,
    SLOTS,
    TODO,
    TOP,
    TREE_AT,
    USED,
    WHERE_AT,
    N,
    Store,
)

__all__ = ["hear_tops", "step", "tell_tops"]

_ODD, _KNOWN, _BUSY, _IDLE = np.uint8(1), np.uint8(2), np.uint8(4), np.uint8(3)
_LOW = (1 << 32) - 1
_ERROR = 1 << 62


@njit(cache=True)
def step(s: Store, odd: npt.NDArray[np.uint8], own: npt.NDArray[np.uint8], width: int) -> int:
    """Take in the answers to the questions in flight, draw all conclusions, and ask the next ones.

    A question is a node with an odd number of errors; its answer is whether its left half has an odd
    number. An error that is found flips all nodes it lies in. Where a half holds nothing that is still
    open, the question answers itself.

    Args:
        s: the store.
        odd: whether the two sides' parities of the left halves differ, packed, a bit a question.
        own: this side's parities of the left halves of the next questions are written here, packed.
        width: a further pass is asked about as long as there are at most so many questions.

    Returns:
        Next questions; 0 if no known block has an odd number of errors. s.meta[CONFLICT] is 1 if the
        answers contradict each other.
    """
    meta, shape, small, wide, queue = s.meta, s.shape, s.small, s.wide, s.queue
    asked, todo, used, n = s.asked, s.todo, s.meta[USED], s.meta[N]
    waiting = meta[TODO]
    for a in range(meta[ASKED]):
        packed = asked[a]
        q, level, j = packed >> 48, (packed >> 32) & 0xFFFF, packed & _LOW
        twice, tree, left = 2 * shape[q, SLOTS], shape[q, TREE_AT], shape[q, OPEN_AT]
        node = tree + twice - (twice >> level) + j
        half = twice - (twice >> (level - 1)) + 2 * j
        bit = (odd[a >> 3] >> np.uint8(7 - (a & 7))) & _ODD
        small[node] &= _IDLE
        small[tree + half] = ((small[tree + half] ^ bit) & _ODD) | _KNOWN
        small[tree + half + 1] = ((small[tree + half] ^ small[node]) & _ODD) | _KNOWN
        for side in range(2):
            child, k = half + side, 2 * j + side
            if small[tree + child] & _ODD:
                if level == 1:
                    todo[waiting] = _ERROR | (q << 48) | k
                    waiting += 1
                else:
                    small[tree + child] |= _BUSY
                    queue[q, meta[QUEUED + q]] = ((level - 1) << 32) | k
                    meta[QUEUED + q] += 1
            elif level - 1 <= COUNTED and small[left + child] == 1:
                todo[waiting] = (q << 48) | ((level - 1) << 32) | k
                waiting += 1
    questions, last = 0, -1
    turn = 0  # the pass whose queue is served; an earlier one, if something is put into its queue
    while True:
        while waiting > 0:  # what is known exactly, and what follows
            waiting -= 1
            packed = todo[waiting]
            q, level, j = (packed >> 48) & 0xFF, (packed >> 32) & 0xFFFF, packed & _LOW
            twice, left = 2 * shape[q, SLOTS], shape[q, OPEN_AT]
            is_error = packed & _ERROR != 0
            if is_error:
                if small[shape[q, TREE_AT] + j] & _ODD == 0:
                    continue  # found through another pass a moment ago
            else:
                if small[left + twice - (twice >> level) + j] != 1:
                    continue
                while level > 0:
                    level, j = level - 1, 2 * j
                    if small[left + twice - (twice >> level) + j] == 0:
                        j += 1
            i = wide[shape[q, SLOT_AT] + j]
            if i < 0 or small[n + i]:
                meta[CONFLICT] = 1
                return 0
            small[n + i] = 1
            meta[EXACT] += 1
            flip = np.uint8(0)
            if is_error:
                flip = _ODD
                meta[FOUND] += 1
                s.sums[0] ^= s.words[i]
                if meta[CORRECTS]:
                    small[i] ^= _ODD
            for p in range(used):
                slot = wide[shape[p, WHERE_AT] + i]
                if slot < 0:
                    continue
                twice, tree, left, found = (
                    2 * shape[p, SLOTS],
                    shape[p, TREE_AT],
                    shape[p, OPEN_AT],
                    -1,
                )
                for level in range(shape[p, TOP] + 1):
                    node = twice - (twice >> level) + (slot >> level)
                    small[tree + node] ^= flip
                    if level <= COUNTED:
                        small[left + node] -= 1
                    if found < 0 and small[tree + node] & _KNOWN:
                        found = level
                if found < 0:
                    continue
                node = twice - (twice >> found) + (slot >> found)
                rest = small[left + node] if found <= COUNTED else np.uint8(255)
                if small[tree + node] & _ODD:
                    if rest == 0:
                        meta[CONFLICT] = 1
                        return 0
                    if small[tree + node] & _BUSY == 0:
                        small[tree + node] |= _BUSY
                        queue[p, meta[QUEUED + p]] = (found << 32) | (slot >> found)
                        meta[QUEUED + p] += 1
                        turn = min(turn, p)
                elif rest == 1:
                    todo[waiting] = (p << 48) | (found << 32) | (slot >> found)
                    waiting += 1
        while turn < used and meta[QUEUED + turn] == 0:
            turn += 1
        if turn == used or (questions > width and turn != last):
            break
        q = turn
        meta[QUEUED + q] -= 1
        packed = queue[q, meta[QUEUED + q]]
        level, j = packed >> 32, packed & _LOW
        twice, tree, left = 2 * shape[q, SLOTS], shape[q, TREE_AT], shape[q, OPEN_AT]
        node = twice - (twice >> level) + j
        small[tree + node] &= _IDLE
        if small[tree + node] & _ODD == 0:
            continue
        while True:  # descend as far as the answers are known
            if level <= COUNTED and small[left + node] == 0:
                meta[CONFLICT] = 1
                return 0
            if level == 0:
                todo[waiting] = _ERROR | (q << 48) | j
                waiting += 1
                break
            half = twice - (twice >> (level - 1)) + 2 * j
            if level - 1 > COUNTED or (small[left + half] and small[left + half + 1]):
                small[tree + node] |= _BUSY
                asked[questions] = (q << 48) | (level << 32) | j
                begin = shape[q, PREFIX_AT] + (j << level)
                parity = small[begin] ^ small[begin + (1 << (level - 1))]
                if questions & 7 == 0:
                    own[questions >> 3] = 0
                own[questions >> 3] |= parity << np.uint8(7 - (questions & 7))
                questions += 1
                last = q
                break
            side = 1 if small[left + half] == 0 else 0
            small[tree + half + side] = _KNOWN | _ODD
            small[tree + half + 1 - side] = _KNOWN
            level, j, node = level - 1, 2 * j + side, half + side
    meta[TODO] = 0
    meta[ASKED] = questions
    return int(questions)


@njit(cache=True)
def tell_tops(s: Store, q: int, count: int, own: npt.NDArray[np.uint8]) -> None:
    """Write this side's parities of the first `count` blocks of pass q, packed."""
    own[: (count + 7) >> 3] = 0
    first, top = s.shape[q, PREFIX_AT], s.shape[q, TOP]
    for j in range(count):
        parity = s.small[first + (j << top)] ^ s.small[first + ((j + 1) << top)]
        own[j >> 3] |= parity << np.uint8(7 - (j & 7))


@njit(cache=True)
def hear_tops(s: Store, q: int, count: int, total: int, odd: npt.NDArray[np.uint8]) -> int:
    """Take in which of pass q's first `count` blocks have an odd number of errors; `step` follows.

    Where `count` is one less than the blocks, the last follows from `total`, the parity of all.

    Returns:
        Blocks with an odd number.
    """
    size, top = s.shape[q, SLOTS], s.shape[q, TOP]
    first = 2 * size - ((2 * size) >> top)
    tree, left = s.shape[q, TREE_AT] + first, s.shape[q, OPEN_AT] + first
    rest, many = np.uint8(total), 0
    for j in range(size >> top):
        bit = (odd[j >> 3] >> np.uint8(7 - (j & 7))) & _ODD if j < count else rest
        rest ^= bit
        many += int(bit)
        s.small[tree + j] = bit | _KNOWN
        if bit and top == 0:
            s.todo[s.meta[TODO]] = _ERROR | (q << 48) | j
            s.meta[TODO] += 1
        elif bit:
            s.small[tree + j] |= _BUSY
            s.queue[q, s.meta[QUEUED + q]] = (top << 32) | j
            s.meta[QUEUED + q] += 1
        elif top <= COUNTED and s.small[left + j] == 1:
            s.todo[s.meta[TODO]] = (q << 48) | (top << 32) | j
            s.meta[TODO] += 1
    return many
