"""Toeplitz hashing, exact, by two independent routes.

y_i = XOR over j of T_ij x_j with T_ij = seed[i - j + n - 1], i < m, j < n: row i is the stretch of
n seed bits from i on, read backwards. The family is two-universal, which is what the leftover hash
lemma (`ebit.analysis.hash_lemma`) asks for.

Packed bits are numpy.packbits' own order: bit k is bit 7 - k % 8 of byte k // 8, and the bits after
the last are ignored on the way in and zero on the way out.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from ebit.analysis.binomial import check_count
from ebit.analysis.fft_product import fft_middle_product
from ebit.analysis.gf2_product import MiddleProduct
from ebit.analysis.hash_lemma import seed_length
from ebit.games import ArgumentError

__all__ = ["ToeplitzHash", "toeplitz_hash", "toeplitz_hash_packed"]

Bits = npt.NDArray[np.uint8]
Method = Literal["product", "fft"]


class ToeplitzHash:
    """A Toeplitz hash with a fixed seed, for any number of inputs of one length.

    The seed is transformed once; each input then costs two transforms in place of three.

    Args:
        seed: at least n + m - 1 bits, packed; the first n + m - 1 are used.
        n: bits of an input. m: bits of its hash, at most n.
        method: "product" (carry-less arithmetic over GF(2)) or "fft" (double precision, with its
            rounding bounded and checked). Both are exact; "product" is many times as fast.

    Raises:
        ArgumentError: m > n, a seed that is too short, an unknown method.

    Example:
        >>> hashed = ToeplitzHash(np.packbits([1, 0, 0, 1]), 3, 2)
        >>> np.unpackbits(hashed(np.packbits([0, 1, 1])), count=2).tolist()
        [1, 0]

    Source: H. Krawczyk, CRYPTO 1994, LNCS 839, 129, for the family; `ebit.analysis.gf2_product` and
    `ebit.analysis.fft_product` for the two products.
    """

    def __init__(self, seed: Bits, n: int, m: int, *, method: Method = "product") -> None:
        bits = seed_length(n, m)
        if method not in ("product", "fft"):
            raise ArgumentError(
                f"Argument `method` must be 'product' or 'fft', but was {method!r}."
            )
        self.n, self.m = int(n), int(m)
        packed = _check_packed("seed", seed)
        if 8 * len(packed) < bits:
            raise ArgumentError(
                f"Argument `seed` must have n + m - 1 = {bits} bits ({(bits + 7) // 8} bytes) for n = "
                f"{n} and m = {m}, but had {len(packed)} bytes: take a longer seed, or fewer bits."
            )
        self._product: MiddleProduct | None = None
        if method == "product":
            self._product = MiddleProduct(packed, self.n, self.m)
        else:
            self._seed = np.unpackbits(packed, count=bits)

    def __call__(self, packed: Bits) -> Bits:
        """Return the hash of an input, packed.

        Args:
            packed: the n bits, uint8 (ceil(n / 8),).

        Raises:
            ArgumentError: another size or type.
        """
        packed = _check_packed("bits", packed)
        if len(packed) != (self.n + 7) // 8:
            raise ArgumentError(
                f"Argument `bits` must have {(self.n + 7) // 8} bytes for n = {self.n} bits, but had "
                f"{len(packed)}."
            )
        if self._product is not None:
            return self._product(packed)
        x = np.unpackbits(packed, count=self.n)
        return np.packbits(fft_middle_product(self._seed, x, self.m))


def toeplitz_hash_packed(
    packed: Bits, seed: Bits, n: int, m: int, *, method: Method = "product"
) -> Bits:
    """Return the Toeplitz hash of packed bits, packed: m of n bits.

    Args:
        packed: the n bits, uint8 (ceil(n / 8),), in numpy.packbits' order.
        seed: at least n + m - 1 bits, packed likewise.
        n: bits of the input. m: bits of the hash, at most n.
        method: as in `ToeplitzHash`.

    Returns:
        uint8 (ceil(m / 8),).

    Raises:
        ArgumentError: sizes that do not fit.

    Example:
        >>> toeplitz_hash_packed(np.packbits([0, 1, 1]), np.packbits([1, 0, 0, 1]), 3, 2).tolist()
        [128]
    """
    return ToeplitzHash(seed, n, m, method=method)(packed)


def toeplitz_hash(
    bits: npt.ArrayLike, seed: npt.ArrayLike, m: int, *, method: Method = "product"
) -> Bits:
    """Return the Toeplitz hash of 0/1 values: y_i = XOR over j of seed[i - j + n - 1] bits[j].

    Args:
        bits: n values 0 or 1, of any integer type or bool.
        seed: at least n + m - 1 values 0 or 1; the first n + m - 1 are used.
        m: bits of the hash, at most n.
        method: as in `ToeplitzHash`.

    Returns:
        0/1, uint8 (m,).

    Raises:
        ArgumentError: values other than 0 and 1, sizes that do not fit.

    Example:
        >>> toeplitz_hash([0, 1, 1], [1, 0, 0, 1], 2).tolist()
        [1, 0]
    """
    x, s = _check_bits("bits", bits), _check_bits("seed", seed)
    n, m = len(x), check_count("m", m, low=1, high=len(x))
    needed = seed_length(n, m)
    if len(s) < needed:
        raise ArgumentError(
            f"Argument `seed` must have n + m - 1 = {needed} bits for n = {n} and m = {m}, but had "
            f"{len(s)}: take a longer seed, or fewer bits."
        )
    if method == "fft":
        return fft_middle_product(s[:needed], x, m)
    hashed = toeplitz_hash_packed(np.packbits(x), np.packbits(s[:needed]), n, m, method=method)
    return np.unpackbits(hashed, count=m)


def _check_packed(name: str, value: Bits) -> Bits:
    array = np.asarray(value)
    if array.dtype != np.uint8 or array.ndim != 1 or not len(array):
        raise ArgumentError(
            f"Argument `{name}` must be packed bits, uint8 of one dimension and not empty, but was "
            f"{array.dtype} of shape {array.shape}."
        )
    return np.ascontiguousarray(array)


def _check_bits(name: str, value: npt.ArrayLike) -> Bits:
    array = np.asarray(value)
    if array.ndim != 1 or not len(array) or array.dtype.kind not in "bui":
        raise ArgumentError(
            f"Argument `{name}` must be 0 and 1 in one dimension, not empty, but was {array.dtype} "
            f"of shape {array.shape}."
        )
    if array.dtype.kind != "b" and (array.min() < 0 or array.max() > 1):
        raise ArgumentError(
            f"Argument `{name}` must hold only 0 and 1, but had {array.min()} to {array.max()}: packed "
            "bits go to `toeplitz_hash_packed`."
        )
    return np.ascontiguousarray(array, dtype=np.uint8)
