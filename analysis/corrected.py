"""Values corrected for readout errors: shown beside the raw ones, and never used for anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from ebit.analysis.intervals import Interval
from ebit.analysis.sheet import interval_dict
from ebit.games import ArgumentError

__all__ = ["Corrected", "correct_readout"]

Float = npt.NDArray[np.float64]
_RESAMPLES = 400
_WIDEST = 12  # bits of a circuit: its table has 2^bits entries
_METHOD = "inverted readout matrix of each qubit; normal interval from a seeded bootstrap"


@dataclass(frozen=True)
class Corrected:
    """A score as it would be without readout errors, if they are what was measured beside it.

    Attributes:
        win_rate, win_rate_interval: corrected; may lie outside [0, 1].
        S, S_interval: corrected sum of signed correlators, None for games without them.
        errors: per qubit, the probabilities to read 1 after preparing 0, and 0 after preparing 1.
        shots: shots of each of the two circuits that measured them.
        method: how.
        assumptions: what it rests on.
    """

    win_rate: float
    win_rate_interval: Interval
    S: float | None
    S_interval: Interval | None
    errors: tuple[tuple[float, float], ...]
    shots: int
    method: str = _METHOD
    assumptions: tuple[str, ...] = (
        "readout errors of different qubits are independent, and do not depend on the circuit",
        "0 and 1 were prepared without error",
    )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "win_rate": self.win_rate,
            "win_rate_interval": interval_dict(self.win_rate_interval),
            "S": self.S,
            "S_interval": interval_dict(self.S_interval),
            "errors": [list(pair) for pair in self.errors],
            "shots": self.shots,
            "method": self.method,
            "assumptions": list(self.assumptions),
            "use": "shown beside the raw value only: no evidence and no certificate rests on it",
        }


def correct_readout(
    tables: Sequence[npt.ArrayLike],
    reads: Sequence[Sequence[int]],
    ones: npt.ArrayLike,
    shots: int,
    value: Callable[[Sequence[Float]], tuple[float, float | None]],
    *,
    confidence: float = 0.95,
) -> Corrected:
    r"""Correct tables of counts for readout errors that were measured in the same run.

    .. math:: \hat p = \Bigl(\bigotimes_j A_j\Bigr)^{-1} f, \qquad
              A_j = \begin{pmatrix} 1-p_{10} & p_{01} \\ p_{10} & 1-p_{01} \end{pmatrix}

    Args:
        tables: per circuit, counts of its 2**bits bit strings; bit j of an index is bit j.
        reads: per circuit, the qubit that each bit reads.
        ones: (2, qubits), how often each qubit read 1 after all were prepared in 0, and in 1.
        shots: shots of each of those two circuits.
        value: the win rate and S that relative frequencies (possibly negative) give.
        confidence: level of the intervals.

    Raises:
        ArgumentError: a qubit that reads the same whatever was prepared.

    Example:
        >>> counts = [np.array([90.0, 10.0])]
        >>> found = correct_readout(
        ...     counts, [[0]], [[10], [90]], 100, lambda t: (float(t[0][0]), None))
        >>> round(found.win_rate, 6), [round(e, 6) for e in found.errors[0]]
        (1.0, [0.1, 0.1])

    Source:
        Bravyi et al., PRA 103, 042605 (2021), section II (tensor-product noise).
    """
    counts = [np.asarray(t, dtype=np.float64) for t in tables]
    read = np.asarray(ones, dtype=np.float64) / shots
    if max((len(bits) for bits in reads), default=0) > _WIDEST:
        raise ArgumentError(f"reads must have at most {_WIDEST} bits per circuit to be corrected")
    used = sorted({q for bits in reads for q in bits})
    blind = [q for q in used if read[1, q] - read[0, q] <= 0.01]
    if blind:
        raise ArgumentError(
            f"qubit {blind[0]} must read 1 more often after 1 than after 0 was prepared, but read "
            f"{read[1, blind[0]]:.3f} and {read[0, blind[0]]:.3f}"
        )
    rng = np.random.default_rng(0)
    win, bell = value([_inverted(t / t.sum(), b, read) for t, b in zip(counts, reads, strict=True)])
    drawn: list[tuple[float, float]] = []
    for _ in range(_RESAMPLES):
        again = rng.binomial(shots, np.clip(read, 0, 1)) / shots
        again[1] = np.maximum(again[1], again[0] + 0.01)
        tables_again = [rng.multinomial(int(t.sum()), t / t.sum()) / t.sum() for t in counts]
        w, s = value([_inverted(t, b, again) for t, b in zip(tables_again, reads, strict=True)])
        drawn.append((w, 0.0 if s is None else s))
    width = norm.ppf((1 + confidence) / 2) * np.std(drawn, axis=0, ddof=1)

    def around(middle: float, half: float) -> Interval:
        return Interval(middle - half, middle + half, confidence, "bootstrap, normal")

    return Corrected(
        win_rate=win,
        win_rate_interval=around(win, float(width[0])),
        S=bell,
        S_interval=None if bell is None else around(bell, float(width[1])),
        errors=tuple((float(p0), float(1 - p1)) for p0, p1 in read.T),
        shots=shots,
    )


def _inverted(table: Float, bits: Sequence[int], read: Float) -> Float:
    """Undo the readout errors of every bit: axis 0 of the cube is the highest bit."""
    n = len(bits)
    cube = table.reshape((2,) * n)
    for j, qubit in enumerate(bits):
        p10, p11 = read[0, qubit], read[1, qubit]
        inverse = np.array([[p11, p11 - 1], [-p10, 1 - p10]]) / (p11 - p10)
        axis = n - 1 - j
        cube = np.moveaxis(np.tensordot(inverse, cube, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(cube).reshape(-1)
