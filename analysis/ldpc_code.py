"""Quasi-cyclic parity-check matrices, grown edge by edge so that short cycles are avoided.

A matrix of `rows` x `columns` blocks, each 0 or a cyclic shift of the unit matrix of size `lift`:
check (r, z) holds bit (c, (z + s) mod lift) for every block (r, c) with shift s. All that is random
in it comes from integers, so that two parties that agree on its sizes and its seed have the same one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numba import njit

from ebit.analysis.binomial import check_count
from ebit.analysis.ldpc_degrees import column_degrees
from ebit.games import ArgumentError

__all__ = ["Code", "draw", "make_code", "syndrome_of"]

Ints = npt.NDArray[np.int32]
Bits = npt.NDArray[np.uint8]

# Edges that the search around a new edge follows; cycles beyond are long enough.
_MOST_WORK = 20_000


@dataclass(frozen=True, eq=False)
class Code:
    """A quasi-cyclic parity-check matrix.

    Attributes:
        columns, rows: blocks.
        lift: size of a block; the code has columns * lift bits and rows * lift checks.
        first: (rows + 1,); blocks first[r] to first[r + 1] - 1 are those of block row r.
        column, shift: of each block.
        digest: the first 8 bytes of the SHA-256 of all of these.
    """

    columns: int
    rows: int
    lift: int
    first: Ints
    column: Ints
    shift: Ints
    digest: bytes

    @property
    def bits(self) -> int:
        """Bits of a block of the key."""
        return self.columns * self.lift

    @property
    def checks(self) -> int:
        """Bits of a syndrome."""
        return self.rows * self.lift

    def dense(self) -> Bits:
        """Return the matrix, (checks, bits), for small codes."""
        found = np.zeros((self.checks, self.bits), np.uint8)
        z = np.arange(self.lift)
        for r in range(self.rows):
            for e in range(self.first[r], self.first[r + 1]):
                at = self.column[e] * self.lift + (z + self.shift[e]) % self.lift
                found[r * self.lift + z, at] = 1
        return found


@lru_cache(maxsize=16)
def make_code(columns: int, rows: int, lift: int, seed: int = 1) -> Code:
    """Return the matrix of these sizes, always the same; the last few are kept.

    Each column gets its edges one by one, columns of few edges first. The search from the column's
    first bit goes through the edges so far, level by level, and the new edge goes to a check that it
    reached last or not at all, in a block row that has as few edges as any.

    Args:
        columns, rows: blocks, 2 <= rows < columns.
        lift: size of a block, at least 1.
        seed: of the choices between equals, 0 to 2^32 - 1.

    Raises:
        ArgumentError: sizes out of range.

    Example:
        >>> code = make_code(40, 20, 25)
        >>> code.bits, code.checks, sorted(set(np.diff(code.first).tolist()))
        (1000, 500, [8, 9])

    Source:
        Hu, Eleftheriou, Arnold, IEEE Trans. Inf. Theory 51, 386 (2005), for progressive edge growth;
        Fossorier, IEEE Trans. Inf. Theory 50, 1788 (2004), for quasi-cyclic matrices.
    """
    check_count("columns", columns, low=3, high=1 << 15)
    check_count("rows", rows, low=2)
    if rows >= columns:
        raise ArgumentError(
            f"Argument `rows` must be smaller than `columns` = {columns}, but was {rows}."
        )
    check_count("lift", lift, low=1, high=1 << 24)
    check_count("seed", seed, high=2**32 - 1)
    degrees = column_degrees(columns, rows)
    row, shift = _grow(degrees, rows, lift, np.uint64(seed))
    column = np.repeat(np.arange(columns, dtype=np.int32), degrees)
    order = np.lexsort((column, row))
    first = np.searchsorted(row[order], np.arange(rows + 1)).astype(np.int32)
    column, shift = column[order].astype(np.int32), shift[order].astype(np.int32)
    sizes = np.array([columns, rows, lift], ">u4").tobytes()
    parts = (first, column, shift)
    digest = hashlib.sha256(sizes + b"".join(p.astype(">u4").tobytes() for p in parts)).digest()[:8]
    for part in parts:
        part.flags.writeable = False
    return Code(columns, rows, lift, first, column, shift, digest)


@njit(cache=True)
def draw(state):  # type: ignore[no-untyped-def]
    """Advance a splitmix64 generator; a new number of 31 bits."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    x = state[0]
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.int64((x ^ (x >> np.uint64(31))) >> np.uint64(33))


@njit(cache=True)
def _grow(degrees, rows, lift, seed):  # type: ignore[no-untyped-def]
    """Place all edges; (block row, shift) of each, in the order of the columns."""
    state = np.full(1, seed, np.uint64)
    edges = degrees.sum()
    row_of, shift_of = np.zeros(edges, np.int32), np.zeros(edges, np.int32)
    start = np.zeros(degrees.size + 1, np.int64)
    start[1:] = np.cumsum(degrees)
    widest = edges // rows + 2
    held = np.zeros((rows, widest), np.int32)  # edges of a block row, by number
    weight = np.zeros(rows, np.int64)
    column_of = np.zeros(edges, np.int32)
    depth = np.zeros(rows * lift, np.int32)
    seen = np.zeros(rows * lift, np.int64)
    allowed = np.zeros(rows, np.bool_)
    deepest = np.zeros(rows, np.int32)
    for c in range(degrees.size):
        for e in range(start[c], start[c + 1]):
            count, level, work = 0, 1, 0
            for k in range(start[c], e):  # the checks that hold the bit already
                at = row_of[k] * lift + (lift - shift_of[k]) % lift
                depth[at] = 1
                seen[count] = at
                count += 1
            begun = 0
            while begun < count and work < _MOST_WORK:
                level += 1
                ended = count
                for i in range(begun, ended):
                    if level > 2 and work > _MOST_WORK:  # cycles of four are always seen
                        break
                    r, z = seen[i] // lift, seen[i] % lift
                    for k in range(weight[r]):
                        by = held[r, k]
                        v = (z + shift_of[by]) % lift
                        other = column_of[by]
                        work += start[other + 1] - start[other]
                        for j in range(start[other], start[other + 1]):
                            if other == c and j >= e:
                                break
                            if j != by and (other < c or j < e):
                                at = row_of[j] * lift + (v + lift - shift_of[j]) % lift
                                if depth[at] == 0:
                                    depth[at] = level
                                    seen[count] = at
                                    count += 1
                begun = ended
            # block rows with the fewest edges that do not hold this column yet
            allowed[:] = True
            for k in range(start[c], e):
                allowed[row_of[k]] = False
            least = np.int64(1) << 60
            for r in range(rows):
                if allowed[r] and weight[r] < least:
                    least = weight[r]
            # how deep their checks lie at best (0: not reached, better than any)
            best = 0
            for r in range(rows):
                deepest[r] = -1
                if allowed[r] and weight[r] == least:
                    found = 0
                    for z in range(lift):
                        d = depth[r * lift + z]
                        d = 1 << 20 if d == 0 else d
                        if d > found:
                            found = d
                            if d == 1 << 20:
                                break
                    deepest[r] = found
                    best = max(best, found)
            ties = 0
            chosen = 0
            for r in range(rows):
                if deepest[r] == best:
                    ties += 1
                    if draw(state) % ties == 0:
                        chosen = r
            z = draw(state) % lift
            for _ in range(lift):
                d = depth[chosen * lift + z]
                if (1 << 20 if d == 0 else d) == best:
                    break
                z = (z + 1) % lift
            row_of[e], shift_of[e], column_of[e] = chosen, (lift - z) % lift, c
            held[chosen, weight[chosen]] = e
            weight[chosen] += 1
            for i in range(count):
                depth[seen[i]] = 0
    return row_of, shift_of


def syndrome_of(code: Code, bits: Bits) -> Bits:
    """Return the parity of every check, uint8 (checks,), of bits of shape (code.bits,).

    Raises:
        ArgumentError: not so many bits.

    Example:
        >>> code = make_code(40, 20, 25)
        >>> bits = np.arange(1000, dtype=np.uint8) % 3 == 0
        >>> s = syndrome_of(code, bits.astype(np.uint8))
        >>> bool(np.array_equal(s, code.dense() @ bits % 2))
        True
    """
    if bits.shape != (code.bits,):
        raise ArgumentError(
            f"Argument `bits` must have shape ({code.bits},), but had {bits.shape}."
        )
    found = np.zeros(code.checks, np.uint8)
    _parities(code.first, code.column, code.shift, code.lift, bits.astype(np.uint8), found)
    return found


@njit(cache=True)
def _parities(first, column, shift, lift, bits, found):  # type: ignore[no-untyped-def]
    for r in range(first.size - 1):
        out = found[r * lift : (r + 1) * lift]
        for e in range(first[r], first[r + 1]):
            block = bits[column[e] * lift : (column[e] + 1) * lift]
            s = shift[e]
            for z in range(lift - s):
                out[z] ^= block[z + s]
            for z in range(lift - s, lift):
                out[z] ^= block[z + s - lift]
