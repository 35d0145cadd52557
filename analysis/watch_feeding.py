"""What takes rounds in rows, and stops at its alarm."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from ebit.analysis.watch_kernels import as_rounds, packed_words, round_words

__all__ = ["Pieces", "RoundFed"]

Pieces = Iterable[tuple[npt.NDArray[np.uint64], int]]
"""Words of 64 rounds each, and how many rounds they hold."""


class RoundFed:
    """A watch over rounds that are fed in rows; it stops at its alarm."""

    _alarm: int | None = None

    @property
    def alarm(self) -> bool:
        """Whether the alarm was raised."""
        return self._alarm is not None

    @property
    def alarm_round(self) -> int | None:
        """The round, counted from 1, at which the alarm was raised, or None."""
        return self._alarm

    def feed(self, passed: npt.ArrayLike) -> int:
        """Take a row of rounds and return how many of them were used: up to the alarm, or all.

        Args:
            passed: shape (n,), bools or 0 and 1, in the order of time.

        Raises:
            ArgumentError: other values, of which none is used then; or the alarm was raised before.
        """
        self._check_running()
        return self._scan(round_words(as_rounds(passed)))

    def feed_packed(self, data: npt.NDArray[np.uint8], count: int | None = None) -> int:
        """Take rounds in the order of numpy.packbits, eight to a byte, and return how many were used.

        Args:
            data: bytes, shape (m,). count: rounds, at most 8 m; all, if left out.

        Raises:
            ArgumentError: data of another kind, count out of range; or the alarm was raised before.
        """
        self._check_running()
        return self._scan(packed_words(data, count))

    def _scan(self, pieces: Pieces) -> int:
        raise NotImplementedError

    def _check_running(self) -> None:
        raise NotImplementedError
