"""Verification: a hash of 64 bits tells two sides whether their bits are equal.

Alice draws a Toeplitz matrix, after reconciliation has ended, and announces it with the hash of her
bits; Bob answers whether his bits have the same hash. Different bits agree in the hash with probability
2^-64, whatever they are, since the matrix is uniform and was unknown when they were made. The hash is
told about the bits: 64 bits of leak. Where the answer is no, there is no key.
"""

from __future__ import annotations

import hmac
import os
import struct
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ebit.analysis.toeplitz import toeplitz_hash_packed
from ebit.games import ArgumentError
from ebit.protocols.conversation import ChannelError, Expect, Message, Party

__all__ = ["TAG_BITS", "VERIFICATION_ERROR", "verify_alice", "verify_bob"]

Bits = npt.NDArray[np.uint8]

TAG_BITS = 64
"""Bits of the hash, all of them charged as leak."""
VERIFICATION_ERROR = 2.0**-TAG_BITS
"""Probability that bits which differ pass."""

_SIZE = struct.Struct(">Q")
_YES, _NO = b"\x01", b"\x00"


def verify_alice(bits: Bits, *, random: Callable[[int], bytes] = os.urandom) -> Party[bool]:
    """Announce a hash of the bits and hear whether the other side's is the same.

    y_i = XOR over j of seed[i - j + n - 1] x_j for i < 64; bits fewer than 64 are followed by zeros.

    Args:
        bits: 0 or 1, uint8 (n,).
        random: gives so many random bytes; n + 63 bits of them are used.

    Returns:
        The party, for `ebit.protocols.conversation.converse`; it returns whether the bits are equal.
        False means that there is no key. True is wrong with probability at most 2^-64.

    Raises:
        ArgumentError: at once: not such bits.
        ChannelError: in the conversation: an answer that is none.

    Example:
        >>> from ebit.protocols.conversation import converse
        >>> key = np.array([0, 1, 1, 0, 1], np.uint8)
        >>> [end.result() for end in converse(verify_alice(key), verify_bob(key))]
        [True, True]
        >>> [end.result() for end in converse(verify_alice(key), verify_bob(1 - key))]
        [False, False]

    Source:
        H. Krawczyk, CRYPTO 1994, LNCS 839, 129, for the family; R. Renner, arXiv:quant-ph/0512258,
        section 6.3, for verification by a two-universal hash.
    """
    packed, padded = _packed(bits)
    return _alice(packed, len(bits), padded, random)


def verify_bob(bits: Bits) -> Party[bool]:
    """Hear the other side's hash and answer whether that of these bits is the same.

    Args:
        bits: 0 or 1, uint8 (n,).

    Returns:
        The party; it returns whether the bits are equal, as for `verify_alice`.

    Raises:
        ArgumentError: at once: not such bits.
        ChannelError: in the conversation: a hash of another number of bits.
    """
    packed, padded = _packed(bits)
    return _bob(packed, len(bits), padded)


def _packed(bits: Bits) -> tuple[Bits, int]:
    """The bits packed, with zeros behind them up to 64, and how many they are then."""
    if not isinstance(bits, np.ndarray) or bits.dtype != np.uint8 or bits.ndim != 1:
        raise ArgumentError(
            "Argument `bits` must be a numpy array of 0 and 1, uint8, of one dimension, but was "
            f"{getattr(bits, 'dtype', type(bits).__name__)} of shape {np.shape(bits)}."
        )
    if not len(bits) or bits.max() > 1:
        raise ArgumentError(
            f"Argument `bits` must hold 0 and 1, at least one of them, but had {len(bits)} values"
            + (f" up to {bits.max()}: unpack packed bits first." if len(bits) else ".")
        )
    padded = max(len(bits), TAG_BITS)
    packed = np.zeros((padded + 7) // 8, np.uint8)
    packed[: (len(bits) + 7) // 8] = np.packbits(bits)
    return packed, padded


def _seed_bytes(padded: int) -> int:
    return (padded + TAG_BITS - 1 + 7) // 8


def _tag(packed: Bits, padded: int, seed: bytes) -> bytes:
    return toeplitz_hash_packed(packed, np.frombuffer(seed, np.uint8), padded, TAG_BITS).tobytes()


def _alice(packed: Bits, n: int, padded: int, random: Callable[[int], bytes]) -> Party[bool]:
    seed = random(_seed_bytes(padded))
    tag = _tag(packed, padded, seed)
    yield Message("hash", _SIZE.pack(n) + seed + tag, leaks=TAG_BITS)
    answer = yield Expect("equal")
    if answer not in (_YES, _NO):
        raise ChannelError(
            f"the peer must answer the hash by one byte, 0 or 1, but sent {len(answer)} bytes"
        )
    return answer == _YES


def _bob(packed: Bits, n: int, padded: int) -> Party[bool]:
    body = yield Expect("hash")
    seed_bytes = _seed_bytes(padded)
    size = _SIZE.size + seed_bytes + TAG_BITS // 8
    if len(body) != size or _SIZE.unpack_from(body)[0] != n:
        raise ChannelError(
            f"the peer's hash must be of {n} bits, in a message of {size} bytes, but the message had "
            f"{len(body)}"
        )
    seed, tag = body[_SIZE.size : -TAG_BITS // 8], body[-TAG_BITS // 8 :]
    equal = hmac.compare_digest(_tag(packed, padded, seed), tag)
    yield Message("equal", _YES if equal else _NO)
    return equal
