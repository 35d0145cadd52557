"""Exact middle products of polynomials over GF(2): the arithmetic of Toeplitz hashing.

Bits are cut into words of 32, which are elements of GF(2^64) whose products do not overflow: 63 bits.
In these words the middle product Q_i = sum_l s_(i+l) a_l is the transpose of an ordinary product by
a, so that, with V the additive Fourier transform of a length that holds s alone,

    Q = V^T diag(V a) V^-T s.

Transforms are as long as s and not as long as the whole product, and V^-T s serves for any number of
a. Long a are cut into pieces whose contributions are added before the last V^T.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from ebit.analysis.additive_basis import (
    SMALLEST,
    basis_steps,
    change_basis,
    change_basis_inverse_transposed,
    change_basis_transposed,
)
from ebit.analysis.additive_fft import add_products, forward, inverse_transposed, transposed
from ebit.analysis.clmul import HARDWARE
from ebit.analysis.gf64 import Words, evaluation_points

__all__ = ["MiddleProduct"]

Bytes = npt.NDArray[np.uint8]
_MIRROR = np.array([int(f"{i:08b}"[::-1], 2) for i in range(256)], np.uint8)
_LARGEST = 31  # log2 of the longest transform: Cantor's basis has 32 elements here


class MiddleProduct:
    """The map x -> y with y_i = XOR over j of s_(i - j + n - 1) x_j, for one s.

    Args:
        seed: the n + m - 1 bits of s, packed: bit k is bit 7 - k % 8 of byte k // 8.
        n: bits of x. m: bits of y.
        hardware: whether to use the processor's carry-less multiplication.

    Attributes:
        n: bits of x.
        m: bits of y.
        length: words of 64 bits in a transform.
        pieces: how many pieces x is cut into.

    Example:
        >>> product = MiddleProduct(np.packbits([1, 0, 0, 1]), 3, 2)
        >>> np.unpackbits(product(np.packbits([0, 1, 1])), count=2).tolist()
        [1, 0]
    """

    def __init__(self, seed: Bytes, n: int, m: int, *, hardware: bool = HARDWARE) -> None:
        self.n, self.m, self._hardware = n, m, hardware
        # x is moved up by a few bits so that y begins where a word of the product begins; one word
        # of the product before it holds the rest of the first bits.
        self._shift = -(n - 1) % 32
        words, rows = (n - 1 + self._shift) // 32 + 1, (m + 31) // 32 + 1
        k, self._per_piece = _choose(words, rows)
        self.length, self.pieces = 1 << k, -(-words // self._per_piece)
        self._words, self._rows = words, rows
        self._steps, self._points = basis_steps(k), evaluation_points(k)
        self._seed = [self._transform_seed(seed, p) for p in range(self.pieces)]

    def _transform_seed(self, seed: Bytes, piece: int) -> Words:
        """V^-T of the stretch of the seed that meets a piece of x."""
        low = np.zeros(self.length, np.uint32)
        first = piece * self._per_piece
        count = min(self._per_piece, self._words - first) + self._rows - 1
        # Word k of s stands at k + 1, since the word of the product before y is wanted as well.
        _load(low, seed, self.n + self.m - 1, 32 * (first - 1), count, False)
        change_basis_inverse_transposed(low, self._steps)
        whole = low.astype(np.uint64)
        inverse_transposed(whole, self._points, hardware=self._hardware)
        return whole

    def __call__(self, x: Bytes) -> Bytes:
        """Return y, packed like x, the bits after the last being zero.

        Args:
            x: the n bits, packed: bit j is bit 7 - j % 8 of byte j // 8; what follows is ignored.
        """
        total = np.zeros(self.length, np.uint64)
        for piece, seed in enumerate(self._seed):
            low = np.zeros(self.length, np.uint32)
            # The words of x in reverse order: a_l = x_(last - l).
            end = self._words - piece * self._per_piece
            count = min(self._per_piece, end)
            _load(low, x, self.n, 32 * (end - count) - self._shift, count, True)
            change_basis(low, self._steps)
            values = low.astype(np.uint64)
            forward(values, self._points, hardware=self._hardware)
            add_products(total, values, seed, hardware=self._hardware)
        transposed(total, self._points, hardware=self._hardware)
        change_basis_transposed(total, self._steps)
        out = np.zeros((self.m + 7) // 8, np.uint8)
        _store(out, total, self.m, _MIRROR)
        return out


def _choose(words: int, rows: int) -> tuple[int, int]:
    """The log2 of the transform and the words of x per piece that cost least."""
    best: tuple[float, int, int] | None = None
    for k in range(SMALLEST, _LARGEST + 1):
        most = (1 << k) - rows
        if most < 1:
            continue
        pieces = -(-words // most)
        cost = (1 << k) * (k + 8) * (2 * pieces + 1.0)
        if best is None or cost < best[0]:
            best = cost, k, -(-words // pieces)
        if pieces == 1:
            break
    if best is None:
        raise OverflowError(f"{32 * rows} bits of output are more than a transform can hold")
    return best[1], best[2]


@njit(cache=True)
def _load(low: Any, packed: Any, bits: int, start: int, count: int, backwards: bool) -> None:
    """Fill low[:count] with words of 32 bits of a packed string from bit `start` on.

    Bits before the first and after the last are zero. Bit i of a word is bit start + i of the string.
    """
    for w in range(count):
        at = start + 32 * w
        word = np.uint64(0)
        first = at >> 3
        for b in range(5):
            place = first + b
            if 0 <= place < (bits + 7) // 8:
                byte = np.uint64(packed[place])
                # mirror the eight bits
                byte = ((byte & np.uint64(0x55)) << np.uint64(1)) | (
                    (byte >> np.uint64(1)) & np.uint64(0x55)
                )
                byte = ((byte & np.uint64(0x33)) << np.uint64(2)) | (
                    (byte >> np.uint64(2)) & np.uint64(0x33)
                )
                byte = ((byte & np.uint64(0x0F)) << np.uint64(4)) | (byte >> np.uint64(4))
                word |= byte << np.uint64(8 * b)
        word >>= np.uint64(at & 7)
        if at + 32 > bits:
            keep = bits - at
            word &= (np.uint64(1) << np.uint64(keep)) - np.uint64(1) if keep > 0 else np.uint64(0)
        low[count - 1 - w if backwards else w] = np.uint32(word & np.uint64(0xFFFFFFFF))


@njit(cache=True)
def _store(out: Any, total: Any, bits: int, mirror: Any) -> None:
    """Add the overlapping products up and write them as packed bits."""
    for byte in range(len(out)):
        w = byte // 4
        word = (total[w + 1] & np.uint64(0xFFFFFFFF)) ^ (total[w] >> np.uint64(32))
        out[byte] = mirror[(word >> np.uint64(8 * (byte % 4))) & np.uint64(0xFF)]
    if bits % 8:
        out[-1] &= np.uint8(0xFF << (8 - bits % 8) & 0xFF)
