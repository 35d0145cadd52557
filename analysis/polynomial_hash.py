"""A polynomial hash over GF(2^128), which with a one-time pad authenticates what two parties said."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ebit.analysis.binomial import check_count
from ebit.analysis.clmul import HARDWARE
from ebit.analysis.gf128 import (
    BLOCK,
    GROUP,
    byte_table,
    evaluate_hardware,
    evaluate_portable,
    group_powers,
    words_of,
)
from ebit.games import ArgumentError

__all__ = ["TAG_BITS", "TAG_BYTES", "PolynomialHash", "forgery_bound", "polynomial_hash"]

TAG_BITS = 128
TAG_BYTES = 16
_STEP = BLOCK * GROUP


def forgery_bound(message_bytes: int) -> float:
    """Return the chance that a tag made up for another message than the one sent is right.

    eps = (ceil(L / 16) + 1) / 2^128: two messages differ in a polynomial of at most that degree in
    the hash key, which has no more roots. It holds for each attempt, and errors add.

    Args:
        message_bytes: L, the length of the longer of the two messages.

    Raises:
        ArgumentError: no whole number of bytes.

    Example:
        >>> import math
        >>> round(math.log2(forgery_bound(1 << 20)), 3)
        -112.0

    Source:
        Wegman and Carter, J. Comput. Syst. Sci. 22, 265 (1981); the polynomial hash: B. den Boer,
        J. Comput. Security 2, 65 (1993).
    """
    length = check_count("message_bytes", message_bytes)
    return (-(-length // BLOCK) + 1) / 2.0**TAG_BITS


class PolynomialHash:
    """H_k(m) = m_1 k^(n+1) + ... + m_n k^2 + L k in GF(2^128), for any number of messages.

    The m_i are the n = ceil(bytes / 16) blocks of the message, the last filled up with zeros, and L is
    a block with the length in bits. This is GHASH without associated data, its order of bits
    included. Two different messages of n blocks or fewer satisfy H_k(m) + H_k(m') = d for at most
    n + 1 of the 2^128 keys k, whatever d: with a fresh one-time pad added to every hash, the key
    stays secret and serves for many messages.

    The path without the processor's instruction looks up tables at places that depend on the key:
    who can measure the times of this processor's memory learns from it, the network does not.

    Args:
        key: 16 secret bytes.
        hardware: whether to use carry-less multiplication; whatever is there if left out.

    Raises:
        ArgumentError: another number of bytes, or hardware where there is none.

    Example:
        >>> tag = PolynomialHash(bytes(range(16)))
        >>> tag(b"what was said").hex()
        'fb72c552e1fe225eeaf0a607ad4cdca3'
        >>> tag
        PolynomialHash(key hidden)

    Source:
        NIST SP 800-38D, algorithm 2 (GHASH).
    """

    def __init__(self, key: bytes, *, hardware: bool | None = None) -> None:
        if len(key) != BLOCK:
            raise ArgumentError(f"key must be {BLOCK} bytes, but was {len(key)}")
        if hardware and not HARDWARE:
            raise ArgumentError(
                "hardware must be False on this processor: it has no carry-less product"
            )
        self._hardware = HARDWARE if hardware is None else hardware
        high, low = words_of(key)
        self._factors = group_powers(high, low) if self._hardware else byte_table(high, low)

    def __repr__(self) -> str:
        return "PolynomialHash(key hidden)"

    def __call__(self, message: bytes | bytearray | memoryview) -> bytes:
        """Return the hash of a message, 16 bytes.

        Args:
            message: any number of bytes.
        """
        evaluate = evaluate_hardware if self._hardware else evaluate_portable
        high = low = np.uint64(0)
        for part in _parts(np.frombuffer(message, np.uint8)):
            # numba gives Python integers back, and would take them for signed ones.
            high, low = (np.uint64(w) for w in evaluate(self._factors, part, high, low))
        return ((int(high) << 64) | int(low)).to_bytes(BLOCK, "big")


def polynomial_hash(key: bytes, message: bytes | bytearray | memoryview) -> bytes:
    """Return the polynomial hash of one message under a key; see `PolynomialHash`.

    Args:
        key: 16 bytes.
        message: any number of bytes.

    Raises:
        ArgumentError: another number of bytes.

    Example:
        >>> polynomial_hash(bytes([0x80]) + bytes(15), b"") == bytes(16)  # k = 1: the length, 0
        True
    """
    return PolynomialHash(key)(message)


def _parts(data: npt.NDArray[np.uint8]) -> Iterator[npt.NDArray[np.uint8]]:
    """The message's blocks and its length block, in whole groups.

    Zero blocks before the first change nothing, so that the first group is filled up in front; what
    lies between it and the last group is not copied.
    """
    blocks = -(-len(data) // BLOCK) + 1
    first = BLOCK * ((blocks - 1) % GROUP + 1)
    whole = max(0, (len(data) - first) // _STEP) * _STEP  # bytes of the groups in the middle
    ends = np.zeros(2 * _STEP, np.uint8)
    length = np.frombuffer((8 * len(data)).to_bytes(BLOCK, "big"), np.uint8)
    if BLOCK * blocks == first:
        ends[_STEP - first : _STEP - first + len(data)] = data
        ends[_STEP - BLOCK : _STEP] = length
        yield ends[:_STEP]
        return
    ends[_STEP - first : _STEP] = data[:first]
    yield ends[:_STEP]
    if whole:
        yield data[first : first + whole]
    tail = data[first + whole :]
    ends[_STEP : _STEP + len(tail)] = tail
    ends[-BLOCK:] = length
    yield ends[_STEP:]
