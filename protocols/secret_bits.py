"""Secret bits that no print, log or traceback shows."""

from __future__ import annotations

import hmac
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from ebit.games import ArgumentError

__all__ = ["SecretBits"]


class SecretBits:
    """Bits that only `reveal` gives out.

    It is no dataclass: `dataclasses.asdict` of a result that holds one would show them.

    Args:
        packed: uint8, the bits in packed order, copied; what lies behind the last bit becomes 0.
        bits: how many.

    Raises:
        ArgumentError: another number of bytes than the bits need.

    Example:
        >>> SecretBits.of_bytes(bytes(4))
        SecretBits(32 bits, hidden)
        >>> SecretBits.of_bytes(bytes(4)) == SecretBits.of_bytes(bytes(4))
        True
    """

    __slots__ = ("_bits", "_packed")

    def __init__(self, packed: npt.NDArray[np.uint8], bits: int) -> None:
        if bits < 0 or packed.dtype != np.uint8 or packed.shape != ((bits + 7) // 8,):
            raise ArgumentError(
                f"packed must be uint8 of {max(0, bits + 7) // 8} bytes for {bits} bits, but was "
                f"{packed.dtype} of shape {packed.shape}"
            )
        self._packed = packed.copy()
        self._bits = bits
        if bits % 8:
            self._packed[-1] &= 0xFF << (8 - bits % 8) & 0xFF
        self._packed.flags.writeable = False

    @classmethod
    def of_bytes(cls, data: bytes) -> SecretBits:
        """Take whole bytes."""
        return cls(np.frombuffer(data, np.uint8), 8 * len(data))

    @property
    def bits(self) -> int:
        """How many bits."""
        return self._bits

    def reveal(self) -> npt.NDArray[np.uint8]:
        """Return the bits, packed: bit k is bit 7 - k % 8 of byte k // 8, as numpy.packbits has it."""
        return self._packed

    def reveal_bytes(self) -> bytes:
        """Return the bits as bytes; the bits after the last are 0."""
        return self._packed.tobytes()

    def part(self, first: int, bits: int) -> SecretBits:
        """Return the stretch of `bits` bits from `first` on.

        Raises:
            ArgumentError: there are not so many.
        """
        if first < 0 or bits < 0 or first + bits > self._bits:
            raise ArgumentError(
                f"a part must lie within the {self._bits} bits, but was {bits} bits from {first} on"
            )
        if first % 8 == 0 and bits % 8 == 0:
            return SecretBits(self._packed[first // 8 : (first + bits) // 8], bits)
        unpacked = np.unpackbits(self._packed, count=self._bits)[first : first + bits]
        return SecretBits(np.packbits(unpacked), bits)

    def __len__(self) -> int:
        return self._bits

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecretBits):
            return NotImplemented
        same = hmac.compare_digest(self._packed.tobytes(), other._packed.tobytes())
        return same and self._bits == other._bits

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"SecretBits({self._bits} bits, hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("secret bits are not pickled: reveal them where they must be written")

    def __getstate__(self) -> Any:
        raise TypeError("secret bits are not pickled: reveal them where they must be written")
