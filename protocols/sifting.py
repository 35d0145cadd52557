"""Sifting: which rounds make the key, which test it, and how that is said over the channel.

The number of signals is fixed before the run and all bases are announced after the last one was
measured: nobody sifts until a quota is full, which an eavesdropper could exploit (Pfister et al., New
J. Phys. 18, 053001 (2016)). Surplus rounds are dropped by a uniformly random choice that is
announced.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ebit.games import ArgumentError
from ebit.protocols.conversation import ChannelError

__all__ = [
    "RawSide",
    "bits_from_body",
    "body_of_bits",
    "body_of_settings",
    "random_subset",
    "rounds_with",
    "settings_from_body",
]

Bits = npt.NDArray[np.uint8]
Bytes = Callable[[int], bytes]
"""A source of random bytes: os.urandom, or a seeded generator's."""


@dataclass(frozen=True, eq=False, repr=False)
class RawSide:
    """What one party holds after the quantum part: nothing of it is the other's.

    Attributes:
        settings: its basis in every round, uint8 (N,).
        bits: what it sent or measured, uint8 (N,) of 0 and 1.
        announced: what an untrusted middle told everybody, uint8 (N,), None where there is none.
    """

    settings: Bits
    bits: Bits
    announced: Bits | None = None

    def __post_init__(self) -> None:
        shape = self.settings.shape
        for name, array in (("settings", self.settings), ("bits", self.bits)):
            if array.dtype != np.uint8 or array.ndim != 1 or array.shape != shape:
                raise ArgumentError(
                    f"{name} must be uint8, one entry per round, but was {array.dtype} of shape "
                    f"{array.shape}"
                )
        if self.announced is not None and self.announced.shape != shape:
            raise ArgumentError(
                f"announced must have one entry per round, but had shape {self.announced.shape}"
            )

    @property
    def n(self) -> int:
        """Rounds."""
        return len(self.settings)

    def __getitem__(self, part: slice) -> RawSide:
        announced = None if self.announced is None else self.announced[part].copy()
        return RawSide(self.settings[part].copy(), self.bits[part].copy(), announced)

    def __repr__(self) -> str:
        return f"RawSide({self.n} rounds, hidden)"


def rounds_with(mine: Bits, theirs: Bits, wanted: tuple[tuple[int, int], ...]) -> Bits:
    """Return the rounds whose pair of settings is one of those wanted, in order.

    Args:
        mine, theirs: settings, the first and the second of each wanted pair.
        wanted: pairs of settings.

    Returns:
        Indices, int64.

    Example:
        >>> a, b = np.array([0, 0, 1], np.uint8), np.array([0, 1, 1], np.uint8)
        >>> rounds_with(a, b, ((0, 0), (1, 1))).tolist()
        [0, 2]
    """
    table = np.zeros((256, 256), dtype=np.bool_)
    for a, b in wanted:
        table[a, b] = True
    return np.flatnonzero(table[mine, theirs])  # type: ignore[return-value]


def random_subset(total: int, wanted: int, random: Bytes) -> npt.NDArray[np.bool_]:
    """Return which of `total` rounds are among `wanted` chosen ones, uniformly over all choices.

    Every round draws 64 random bits and the smallest are taken; equal draws, of probability below
    total^2 2^-65, are decided by order.

    Args:
        total: rounds. wanted: how many of them. random: gives so many random bytes.

    Raises:
        ArgumentError: more are wanted than there are.

    Example:
        >>> import os
        >>> int(random_subset(10, 4, os.urandom).sum())
        4
    """
    if not 0 <= wanted <= total:
        raise ArgumentError(f"wanted must be at most the {total} rounds, but was {wanted}")
    chosen = np.zeros(total, dtype=np.bool_)
    if wanted == total:
        chosen[:] = True
    elif wanted:
        keys = np.frombuffer(random(8 * total), dtype=np.uint64)
        chosen[np.argpartition(keys, wanted - 1)[:wanted]] = True
    return chosen


def body_of_bits(bits: npt.ArrayLike) -> bytes:
    """Return 0/1 values as a message: their number in 8 bytes, then packed."""
    array = np.asarray(bits, dtype=np.uint8)
    return len(array).to_bytes(8, "big") + np.packbits(array).tobytes()


def bits_from_body(body: bytes, count: int, what: str) -> Bits:
    """Return the 0/1 values of a message.

    Args:
        body: the message. count: how many there must be. what: a name for the error.

    Raises:
        ChannelError: another number.
    """
    told = int.from_bytes(body[:8], "big")
    if len(body) != 8 + (count + 7) // 8 or told != count:
        raise ChannelError(f"{what} must be {count} bits, but the peer sent {told}")
    return np.unpackbits(np.frombuffer(body, np.uint8, offset=8), count=count)


def body_of_settings(settings: Bits, kinds: int) -> bytes:
    """Return settings as a message: one bit each where there are two kinds, two bits where up to four."""
    parts = [body_of_bits(settings & 1)]
    if kinds > 2:
        parts.append(body_of_bits(settings >> 1))
    return b"".join(parts)


def settings_from_body(body: bytes, count: int, kinds: int) -> Bits:
    """Return the settings of a message.

    Raises:
        ChannelError: another number of rounds, or a setting that the protocol does not have.
    """
    each = 8 + (count + 7) // 8
    planes = 2 if kinds > 2 else 1
    if len(body) != planes * each:
        raise ChannelError(f"bases must be of {count} rounds, but the peer sent {len(body)} bytes")
    found = bits_from_body(body[:each], count, "bases")
    if planes == 2:
        found = (found | (bits_from_body(body[each:], count, "bases") << 1)).astype(np.uint8)
        if found.size and int(found.max()) >= kinds:
            raise ChannelError(f"bases must be below {kinds}, but the peer sent {int(found.max())}")
    return found
