"""Bits on their way into a pool and out of it: checked, joined, and with what is known of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ebit.games import ArgumentError

__all__ = [
    "DEMONSTRATION",
    "Taken",
    "bytes_of",
    "certificate_text",
    "check_words",
    "joined",
    "whole",
]

DEMONSTRATION = "demonstration"
"""The secrecy of bits that somebody else has or may have."""

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Taken:
    """Bits out of a pool, which hands them to nobody else.

    Attributes:
        packed: uint8 (ceil(n / 8),), the first bit the most significant of the first byte.
        n: number of bits.
        parts: (parcel, first bit, number of bits) of each stretch, in order.
        randomness: what the bits are: "pseudo (simulator)", "device", or both.
        secrecy: the weakest word of the parcels that they came from.
        demonstration: whether they were taken as secrets that are none.
    """

    packed: Bytes = field(repr=False)
    n: int
    parts: tuple[tuple[str, int, int], ...]
    randomness: tuple[str, ...]
    secrecy: tuple[str, ...]
    demonstration: bool = False

    def unpacked(self) -> Bytes:
        """Return the bits one by one, uint8 (n,)."""
        return np.unpackbits(self.packed, count=self.n)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, without the bits."""
        return {
            "bits": self.n,
            "parts": [list(part) for part in self.parts],
            "randomness": list(self.randomness),
            "secrecy": list(self.secrecy),
            "demonstration": self.demonstration,
        }


def joined(pieces: list[tuple[bytes, int, int]], n: int) -> Bytes:
    """Join stretches of bits: (bytes, bits of the first byte to leave out, number of bits)."""
    if all(skip == 0 and count % 8 == 0 for _, skip, count in pieces[:-1]) and pieces[-1][1] == 0:
        out = np.frombuffer(b"".join(raw for raw, _, _ in pieces), dtype=np.uint8).copy()
        if n % 8:
            out[-1] &= 0xFF << (8 - n % 8) & 0xFF
        return out
    bits = [
        np.unpackbits(np.frombuffer(raw, dtype=np.uint8), count=skip + count)[skip:]
        for raw, skip, count in pieces
    ]
    return np.packbits(np.concatenate(bits))


def bytes_of(packed: bytes | npt.ArrayLike) -> bytes:
    """Return packed bits as bytes, or say what they must be."""
    if isinstance(packed, (bytes, bytearray, memoryview)):
        return bytes(packed)
    array = np.asarray(packed)
    if array.dtype != np.uint8 or array.ndim != 1:
        raise ArgumentError(
            f"packed must be bytes or uint8 of shape (bytes,), but was {array.dtype} of shape "
            f"{array.shape}"
        )
    return array.tobytes()


def whole(name: str, value: object, *, least: int) -> int:
    """Return a whole number, or say what it must be."""
    is_whole = isinstance(value, (int, np.integer)) or (
        isinstance(value, float) and value.is_integer()
    )
    if isinstance(value, bool) or not is_whole or value < least:  # type: ignore[operator]
        raise ArgumentError(f"{name} must be a whole number of at least {least}, but was {value!r}")
    return int(value)  # type: ignore[call-overload,no-any-return]


def check_words(randomness: object, secrecy: object) -> None:
    """Refuse words that are none, and secrets out of a simulator."""
    if randomness not in ("pseudo (simulator)", "device"):
        raise ArgumentError(
            f"randomness must be 'pseudo (simulator)' or 'device', but was {randomness!r}"
        )
    if not isinstance(secrecy, str) or not secrecy.strip():
        raise ArgumentError(f"secrecy must be a word such as 'demonstration', but was {secrecy!r}")
    if randomness != "device" and secrecy != DEMONSTRATION:
        raise ArgumentError(
            f"secrecy must be 'demonstration' for bits from a simulator, but was {secrecy!r}"
        )


def certificate_text(certificate: object, n: int) -> str:
    """Return a certificate as text, refused if it certifies fewer bits than these."""
    if not isinstance(certificate, Mapping):
        raise ArgumentError(
            f"certificate must be plain data such as {{'bits': {n}}}, but was {certificate!r}"
        )
    allowed = certificate.get("bits")
    if isinstance(allowed, (int, float)) and n > allowed:
        raise ArgumentError(
            f"bits must be at most {allowed:g}, which the certificate allows, but was {n}"
        )
    try:
        return json.dumps(dict(certificate), indent=1, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"certificate must be plain data, but is not: {error}") from None
