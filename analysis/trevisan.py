"""Trevisan's extractor: few bits from long inputs with a short seed, against quantum side information.

Bit i of the output is a one-bit hash of the input, keyed with the seed bits at the positions in set i
of a weak design (`ebit.analysis.trevisan_design`). The hash reads the input as a polynomial over
GF(2^w), evaluates it at a point (w bits of key) and takes the inner product of the value with another
w bits. Lengths and errors are in `ebit.analysis.trevisan_plan`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from ebit.analysis.binomial import check_count
from ebit.analysis.gf2_irreducible import irreducible_polynomial
from ebit.analysis.trevisan_design import block_design, polynomial_design
from ebit.analysis.trevisan_plan import TrevisanPlan
from ebit.games import ArgumentError

__all__ = ["one_bit_hash", "trevisan_extract"]

Bits = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]


def _bits(name: str, value: npt.ArrayLike) -> Bits:
    array = np.asarray(value)
    if array.ndim != 1 or not array.size or array.dtype.kind not in "bui":
        raise ArgumentError(
            f"Argument `{name}` must be 0 and 1 in one dimension, not empty, but was {array.dtype} "
            f"of shape {array.shape}."
        )
    if array.dtype.kind != "b" and (array.min() < 0 or array.max() > 1):
        raise ArgumentError(
            f"Argument `{name}` must hold only 0 and 1, but had {array.min()} to {array.max()}."
        )
    return np.ascontiguousarray(array, dtype=np.uint8)


def _to_words(rows: Bits, limbs: int) -> Words:
    """Rows of w bits, the highest power of z first, as little-endian words."""
    padded = np.zeros((len(rows), 64 * limbs), np.uint8)
    padded[:, : rows.shape[1]] = rows[:, ::-1]
    packed = np.packbits(padded, axis=1, bitorder="little")
    return np.ascontiguousarray(packed.view("<u8").astype(np.uint64))


@njit(cache=True)
def _fill(table: Any, point: Any, low: Any, w: int) -> None:
    """Set table[d, v] to v(z) z^(4 d) times the point, for all v of degree below four."""
    limbs = len(point)
    power = point.copy()
    top, bit = (w - 1) // 64, np.uint64((w - 1) % 64)
    inside = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(63 - (w - 1) % 64)
    for digit in range(len(table)):
        table[digit, 0, :] = 0
        for size in (1, 2, 4, 8):
            for v in range(size):
                for k in range(limbs):
                    table[digit, size + v, k] = table[digit, v, k] ^ power[k]
            over = (power[top] >> bit) & np.uint64(1)  # times z, modulo the polynomial
            for k in range(limbs - 1, 0, -1):
                power[k] = (power[k] << np.uint64(1)) | (power[k - 1] >> np.uint64(63))
            power[0] <<= np.uint64(1)
            power[top] &= inside
            if over:
                for k in range(limbs):
                    power[k] ^= low[k]


@njit(cache=True)
def _evaluate(blocks: Any, points: Any, masks: Any, low: Any, w: int, out: Any) -> None:
    """One bit per point and mask: the parity of the mask and the polynomial's value there."""
    limbs = blocks.shape[1]
    digits = (w + 3) // 4
    table = np.empty((digits, 16, limbs), np.uint64)
    value, following = np.empty(limbs, np.uint64), np.empty(limbs, np.uint64)
    for i in range(len(points)):
        _fill(table, points[i], low, w)
        value[:] = 0
        for s in range(len(blocks)):
            for k in range(limbs):
                following[k] = blocks[s, k]
            for digit in range(digits):
                v = (value[digit // 16] >> np.uint64(4 * (digit % 16))) & np.uint64(15)
                for k in range(limbs):
                    following[k] ^= table[digit, v, k]
            for k in range(limbs):
                value[k] = following[k]
        parity = np.uint64(0)
        for k in range(limbs):
            parity ^= value[k] & masks[i, k]
        for shift in (32, 16, 8, 4, 2, 1):
            parity ^= parity >> np.uint64(shift)
        out[i] = parity & np.uint64(1)


def _hash(bits: Bits, keys: Bits, w: int) -> Bits:
    """One bit per row of 2 w key bits."""
    limbs = (w + 63) // 64
    padded = np.zeros(-(-len(bits) // w) * w, np.uint8)
    padded[: len(bits)] = bits
    blocks = _to_words(padded.reshape(-1, w), limbs)
    low = _to_words(
        np.array([[int(c) for c in f"{irreducible_polynomial(w):b}"[1:]]], np.uint8), limbs
    )
    out = np.zeros(len(keys), np.uint8)
    points, masks = _to_words(keys[:, :w], limbs), _to_words(keys[:, w:], limbs)
    _evaluate(blocks, points, masks, low[0], w, out)
    return out


def one_bit_hash(bits: npt.ArrayLike, key: npt.ArrayLike) -> int:
    """Return one bit: the polynomial of the input at a point, times a mask.

    The input is cut into words of w bits, the last filled up with zeros; x_1, ..., x_s are elements of
    GF(2^w), the first bit of a word standing at z^(w-1). The bit is <b, sum_i x_i a^(s-i)>, with a the
    first w bits of the key, b the others, and <,> the parity of the common ones. Two different inputs
    collide for at most 1/2 + (s - 1)/2^w of the keys. The field is that of `irreducible_polynomial(w)`.

    Args:
        bits: n values 0 or 1.
        key: 2 w values 0 or 1, w at most 1024.

    Raises:
        ArgumentError: values other than 0 and 1, a key of odd or excessive length.

    Example:
        >>> one_bit_hash([1, 0, 1, 1], [1, 0, 0, 1])  # <z^0, z a + (z + 1)>, a = z: a^2 = z + 1
        0

    Source: Mauerer, Portmann and Scholz, arXiv:1212.0520, section on polynomial hashing.
    """
    x, k = _bits("bits", bits), _bits("key", key)
    if len(k) % 2 or len(k) > 2048:
        raise ArgumentError(
            f"Argument `key` must have an even number of bits, at most 2048, but had {len(k)}."
        )
    return int(_hash(x, k[None, :], len(k) // 2)[0])


def trevisan_extract(bits: npt.ArrayLike, seed: npt.ArrayLike, plan: TrevisanPlan) -> Bits:
    """Return the plan's m bits from n bits and a seed.

    Args:
        bits: n values 0 or 1, as many as the plan says.
        seed: at least `plan.seed_bits` values 0 or 1; the first ones are used.
        plan: from `ebit.analysis.trevisan_plan.plan_trevisan`.

    Returns:
        0/1, uint8 (m,).

    Raises:
        ArgumentError: an input of another length, a seed that is too short.

    Example:
        >>> from ebit.analysis.trevisan_plan import plan_trevisan
        >>> plan = plan_trevisan(4096, 2048, bits=16, epsilon=2**-20)
        >>> rng = np.random.default_rng(1)
        >>> x, seed = rng.integers(0, 2, 4096), rng.integers(0, 2, plan.seed_bits)
        >>> trevisan_extract(x, seed, plan).shape
        (16,)

    Source: L. Trevisan, J. ACM 48, 860 (2001); De, Portmann, Vidick and Renner, SIAM J. Comput. 41,
    915 (2012), arXiv:0912.5514; arXiv:1212.0520.
    """
    x, s = _bits("bits", bits), _bits("seed", seed)
    if len(x) != check_count("plan.n", plan.n, low=1):
        raise ArgumentError(
            f"Argument `bits` must have the plan's {plan.n} bits, but had {len(x)}."
        )
    if len(s) < plan.seed_bits:
        raise ArgumentError(
            f"Argument `seed` must have {plan.seed_bits} bits for this plan, but had {len(s)}."
        )
    make = block_design if plan.design == "block" else polynomial_design
    out = np.empty(plan.bits, np.uint8)
    sets = make(plan.bits, plan.set_size)[:, : 2 * plan.width]
    step = max(1, (1 << 24) // (2 * plan.width))  # keys at once, for the sake of memory
    for start in range(0, plan.bits, step):
        out[start : start + step] = _hash(x, s[sets[start : start + step]], plan.width)
    return out
