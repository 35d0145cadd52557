"""Secret bits that no print, log or traceback shows."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from ebit.games import ArgumentError

__all__ = ["SecretBits"]


@dataclass(frozen=True, eq=False, repr=False)
class SecretBits:
    """Bits that only `reveal` gives out.

    Attributes:
        bits: how many.

    Example:
        >>> SecretBits.of_bytes(bytes(4))
        SecretBits(32 bits, hidden)
        >>> SecretBits.of_bytes(bytes(4)) == SecretBits.of_bytes(bytes(4))
        True
    """

    _packed: npt.NDArray[np.uint8]
    bits: int

    def __post_init__(self) -> None:
        if self._packed.dtype != np.uint8 or self._packed.shape != ((self.bits + 7) // 8,):
            raise ArgumentError(
                f"packed must be uint8 of {(self.bits + 7) // 8} bytes for {self.bits} bits, but was "
                f"{self._packed.dtype} of shape {self._packed.shape}"
            )

    @classmethod
    def of_bytes(cls, data: bytes) -> SecretBits:
        """Take whole bytes."""
        return cls(np.frombuffer(data, np.uint8).copy(), 8 * len(data))

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
        if first < 0 or bits < 0 or first + bits > self.bits:
            raise ArgumentError(
                f"a part must lie within the {self.bits} bits, but was {bits} bits from {first} on"
            )
        if first % 8 == 0 and bits % 8 == 0:
            return SecretBits(self._packed[first // 8 : (first + bits) // 8].copy(), bits)
        unpacked = np.unpackbits(self._packed, count=self.bits)[first : first + bits]
        return SecretBits(np.packbits(unpacked), bits)

    def __len__(self) -> int:
        return self.bits

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecretBits):
            return NotImplemented
        same = hmac.compare_digest(self._packed.tobytes(), other._packed.tobytes())
        return same and self.bits == other.bits

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"SecretBits({self.bits} bits, hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("secret bits are not pickled: reveal them where they must be written")

    def __getstate__(self) -> Any:
        raise TypeError("secret bits are not pickled: reveal them where they must be written")
