"""Suffix arrays, and from them how often every tuple of every length occurs, in linear time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["TupleCounts", "longest_repeat", "suffix_array", "tuple_counts"]

Indices = npt.NDArray[np.int32]
_EMPTY = -1


@dataclass(frozen=True)
class TupleCounts:
    """How often tuples occur in a sequence of n samples, overlaps included.

    Attributes:
        n: samples.
        most: ``most[t]`` is how often the commonest t-tuple occurs, for t = 1 to the length of the
            longest repeated tuple; index 0 is n.
        pairs: ``pairs[t]`` is the number of pairs of places that hold the same t-tuple.
    """

    n: int
    most: npt.NDArray[np.int64]
    pairs: npt.NDArray[np.int64]

    @property
    def longest(self) -> int:
        """The length of the longest tuple that occurs twice."""
        return self.most.size - 1


@njit(cache=True)
def _valleys(text):  # type: ignore[no-untyped-def]
    """The places where a suffix is smaller than both its neighbours (leftmost S), in order."""
    n = text.size
    found = np.empty(n // 2 + 1, np.int32)
    m = 0
    rising = False  # is suffix i+1 smaller than suffix i+2?
    for i in range(n - 2, -1, -1):
        if text[i] > text[i + 1]:
            if rising:
                found[m] = i + 1
                m += 1
            rising = False
        elif text[i] < text[i + 1]:
            rising = True
    return found[:m][::-1].copy()


@njit(cache=True)
def _bucket_ends(text, k):  # type: ignore[no-untyped-def]
    ends = np.zeros(k, np.int64)
    for i in range(text.size):
        ends[text[i]] += 1
    for c in range(1, k):
        ends[c] += ends[c - 1]
    return ends


@njit(cache=True)
def _induce(text, ends, valleys, order):  # type: ignore[no-untyped-def]
    """Sort all suffixes, given the valleys in sorted order; `order` receives them."""
    n, k = text.size, ends.size
    order[:] = _EMPTY
    tail = ends.copy()
    for j in range(valleys.size - 1, -1, -1):
        c = text[valleys[j]]
        tail[c] -= 1
        order[tail[c]] = valleys[j]
    head = np.zeros(k, np.int64)
    head[1:] = ends[:-1]
    c = text[n - 1]
    order[head[c]] = n - 1
    head[c] += 1
    for i in range(n):
        p = order[i]
        if p > 0:
            c = text[p - 1]
            if c >= text[p]:
                order[head[c]] = p - 1
                head[c] += 1
    tail[:] = ends
    for i in range(n - 1, -1, -1):
        p = order[i]
        if p > 0:
            c, after = text[p - 1], text[p]
            # Equal symbols: p - 1 rises if p does, and those that rise stand behind the tail.
            if c < after or (c == after and i >= tail[c]):
                tail[c] -= 1
                order[tail[c]] = p - 1


@njit(cache=True)
def _name(text, valleys, order):  # type: ignore[no-untyped-def]
    """Number the stretches between valleys by their order; equal stretches share a number."""
    n, m = text.size, valleys.size
    stop = np.full(n // 2 + 1, _EMPTY, np.int32)  # valleys are never adjacent: place // 2 is free
    for j in range(m):
        stop[valleys[j] >> 1] = valleys[j + 1] if j + 1 < m else n
    name = np.empty(n // 2 + 1, np.int32)
    valley = np.zeros(n, np.bool_)
    for j in range(m):
        valley[valleys[j]] = True
    names, last = 0, -1
    for i in range(n):
        p = order[i]
        if not valley[p]:
            continue
        if last >= 0:
            end, before = stop[p >> 1], stop[last >> 1]
            same = end < n and before < n and end - p == before - last
            if same:
                for j in range(end - p + 1):
                    if text[p + j] != text[last + j]:
                        same = False
                        break
            if not same:
                names += 1
        name[p >> 1] = names
        last = p
    reduced = np.empty(m, np.int32)
    for j in range(m):
        reduced[j] = name[valleys[j] >> 1]
    return reduced, names + 1


def suffix_array(text: npt.NDArray[np.uint8] | Indices, size: int | None = None) -> Indices:
    """Return the places of a sequence in the order of the suffixes that start there.

    Sorting by induction from the places where suffixes turn from falling to rising; linear in time.

    Args:
        text: symbols from 0 on, shape (n,), n from 1 to 2^31 - 1.
        size: one more than the largest symbol, if known.

    Returns:
        A permutation of 0..n-1, int32.

    Example:
        >>> suffix_array(np.frombuffer(b"banana", np.uint8)).tolist()
        [5, 3, 1, 0, 4, 2]

    Source:
        G. Nong, S. Zhang, W. H. Chan, "Linear suffix array construction by almost pure
        induced-sorting", DCC 2009.
    """
    order = np.empty(text.size, np.int32)
    ends = _bucket_ends(text, int(text.max()) + 1 if size is None else size)
    valleys = _valleys(text)
    _induce(text, ends, valleys, order)
    if valleys.size < 2:
        return order
    reduced, names = _name(text, valleys, order)
    if names == valleys.size:
        ranked = np.empty_like(valleys)
        ranked[reduced] = valleys
    else:
        ranked = valleys[suffix_array(reduced, names)]
    _induce(text, ends, ranked, order)
    return order


@njit(cache=True)
def _common(text, order):  # type: ignore[no-untyped-def]
    """By place: how many symbols a suffix shares with the one before it in the order."""
    n = text.size
    shared = np.empty(n, np.int32)
    shared[order[0]] = _EMPTY
    for i in range(1, n):
        shared[order[i]] = order[i - 1]
    length, longest = 0, 0
    for p in range(n):
        q = shared[p]
        if q < 0:
            length = 0
        else:
            while p + length < n and q + length < n and text[p + length] == text[q + length]:
                length += 1
        shared[p] = length
        longest = max(longest, length)
        length = max(length - 1, 0)
    return shared, longest


@njit(cache=True)
def _count(order, shared, longest):  # type: ignore[no-untyped-def]
    """Visit each group of suffixes with a common prefix once, inner groups first."""
    n = order.size
    most = np.zeros(longest + 1, np.int64)
    steps = np.zeros(longest + 2, np.int64)  # pairs, as differences over the length
    depth = np.zeros(longest + 2, np.int64)
    start = np.zeros(longest + 2, np.int64)
    top = 0
    for i in range(1, n + 1):
        length = shared[order[i]] if i < n else 0
        left = i - 1
        while depth[top] > length:
            deep, left = depth[top], start[top]
            top -= 1
            outer = max(length, depth[top])
            count = i - left
            most[deep] = max(most[deep], count)
            pairs = count * (count - 1) // 2
            steps[outer + 1] += pairs
            steps[deep + 1] -= pairs
        if length > depth[top]:
            top += 1
            depth[top], start[top] = length, left
    for t in range(longest - 1, 0, -1):
        most[t] = max(most[t], most[t + 1])
    most[0] = n
    for t in range(1, longest + 1):
        steps[t] += steps[t - 1]
    return most, steps[: longest + 1].copy()


def tuple_counts(samples: npt.NDArray[np.uint8]) -> TupleCounts:
    """Return the counts of all tuples that occur at least twice, for every length.

    Args:
        samples: symbols, shape (n,).

    Example:
        >>> counts = tuple_counts(np.frombuffer(b"banana", np.uint8))
        >>> counts.longest, counts.most.tolist(), counts.pairs.tolist()
        (3, [6, 3, 2, 2], [0, 4, 2, 1])

    Source:
        The tree of common prefixes: M. Abouelhoda, S. Kurtz, E. Ohlebusch, J. Discrete Algorithms
        2, 53 (2004).
    """
    order = suffix_array(samples)
    shared, longest = _common(samples, order)
    most, pairs = _count(order, shared, longest)
    return TupleCounts(samples.size, most, pairs)


def longest_repeat(samples: npt.NDArray[np.uint8]) -> int:
    """Return the length of the longest tuple that occurs twice, overlaps allowed; 0 if none does.

    Example:
        >>> longest_repeat(np.frombuffer(b"banana", np.uint8))
        3
    """
    return int(_common(samples, suffix_array(samples))[1])
