"""The bits a backend returns, in one canonical order, packed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ebit.games.cells import integers
from ebit.games.errors import ArgumentError

__all__ = ["Shots"]


@dataclass(frozen=True, eq=False)
class Shots:
    """The classical bits of every shot of every circuit of an experiment.

    Column j of a circuit's bits is its classical bit j. Shots stand in the order they were taken.

    Attributes:
        packed: per circuit, uint8 (shots, ceil(width / 8)); bit j of a shot is bit j % 8 of byte
            j // 8.
        widths: number of classical bits per circuit.

    Example:
        >>> shots = Shots.from_bits([np.array([[0, 1], [1, 1], [0, 0]])])
        >>> shots.bits(0).tolist(), shots.counts
        ([[0, 1], [1, 1], [0, 0]], (3,))
    """

    packed: tuple[npt.NDArray[np.uint8], ...]
    widths: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.packed) != len(self.widths):
            raise ArgumentError("packed and widths must have one entry per circuit")
        for array, width in zip(self.packed, self.widths, strict=True):
            if array.ndim != 2 or array.shape[1] != (width + 7) // 8 or array.dtype != np.uint8:
                raise ArgumentError(
                    f"packed must be uint8 of shape (shots, {(width + 7) // 8}) for {width} bits, "
                    f"but was {array.dtype} {array.shape}"
                )

    @classmethod
    def from_bits(cls, bits: Sequence[npt.ArrayLike]) -> Shots:
        """Pack bit arrays, one of shape (shots, width) per circuit."""
        arrays = [integers("bits", b) for b in bits]
        for array in arrays:
            if array.ndim != 2:
                raise ArgumentError(f"bits must have shape (shots, width), but had {array.shape}")
            if array.size and not ((array == 0) | (array == 1)).all():
                raise ArgumentError("bits must be 0 or 1")
        packed = tuple(np.packbits(a.astype(np.uint8), axis=1, bitorder="little") for a in arrays)
        return cls(packed, tuple(int(a.shape[1]) for a in arrays))

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of shots per circuit."""
        return tuple(len(array) for array in self.packed)

    @property
    def n(self) -> int:
        """Number of shots in all."""
        return sum(self.counts)

    def bits(self, circuit: int) -> npt.NDArray[np.uint8]:
        """Return the bits of one circuit, uint8 (shots, width), column j being classical bit j."""
        return np.unpackbits(
            self.packed[circuit], axis=1, count=self.widths[circuit], bitorder="little"
        )

    def integers(self, circuit: int, clbits: Sequence[int]) -> npt.NDArray[np.uint8]:
        """Return sum_k bit(clbits[k]) 2^k for every shot, at most 8 bits wide.

        Works on the packed bytes, so that nothing of the size of all bits is made.
        """
        if len(clbits) > 8:
            raise ArgumentError(f"clbits must name at most 8 bits, but named {len(clbits)}")
        packed = self.packed[circuit]
        value = np.zeros(len(packed), dtype=np.uint8)
        for k, j in enumerate(clbits):
            if not 0 <= j < self.widths[circuit]:
                raise ArgumentError(f"clbits must be below {self.widths[circuit]}, but had {j}")
            value |= ((packed[:, j // 8] >> (j % 8)) & 1) << k
        return value
