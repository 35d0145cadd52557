"""Eve's guess of a short key, enumerated exactly: record, leaked parities, hash and all."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ebit.analysis.binomial import check_count
from ebit.analysis.toeplitz import toeplitz_hash
from ebit.games import ArgumentError

__all__ = ["MOST_BITS", "KeyPosterior", "enumerate_key"]

MOST_BITS = 12
"""Bits of a raw key up to which all of them are gone through."""


@dataclass(frozen=True)
class KeyPosterior:
    """What Eve knows of a final key.

    Attributes:
        n: bits of the raw key.
        m: bits of the final key.
        guess: probability of the key that she thinks most likely.
        key: that key, as 0 and 1.
        distance: half the sum of |P(key) - 2^-m|, at most 1 - 2^-m.
        raw_min_entropy: -log2 of the likeliest raw key's probability, given record and leak.
        raw_collision_entropy: -log2 of the sum of the squared probabilities of raw keys.
        predicted: sqrt((2^m - 1) 2^-H2) / 2, which the mean distance over all seeds of the
            hash does not exceed (H2 the collision entropy).
        probabilities: of the 2^m keys; the first bit of a key is the highest of its number.
    """

    n: int
    m: int
    guess: float
    key: tuple[int, ...]
    distance: float
    raw_min_entropy: float
    raw_collision_entropy: float
    predicted: float
    probabilities: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            **asdict(self),
            "key": list(self.key),
            "probabilities": list(self.probabilities),
        }

    def __str__(self) -> str:
        return (
            f"Eve's best guess of the {self.m}-bit key is right with probability {self.guess:.6g} "
            f"(blind: {2.0**-self.m:.6g}); distance from uniform {self.distance:.4g}, mean over hash "
            f"seeds at most {self.predicted:.4g}; raw min-entropy {self.raw_min_entropy:.3f} of "
            f"{self.n} bits"
        )


def enumerate_key(
    posteriors: npt.ArrayLike,
    parity_checks: npt.ArrayLike,
    syndrome: npt.ArrayLike,
    toeplitz_seed: npt.ArrayLike,
    m: int,
) -> KeyPosterior:
    """Return the exact posterior of a final key given Eve's record and all that was announced.

    All raw keys that satisfy every announced parity are weighed by the product of their bits'
    posteriors, and hashed.

    Args:
        posteriors: (n,) probability that each raw bit is 1 given Eve's record, n at most 12.
        parity_checks: (r, n) of 0 and 1, a row per announced parity: those of reconciliation and
            those of the verification hash, if that is linear. (0, n) or empty for none.
        syndrome: (r,) what was announced.
        toeplitz_seed: n + m - 1 bits of the hash, as `ebit.analysis.toeplitz.toeplitz_hash` takes.
        m: bits of the final key, 1 to n.

    Raises:
        ArgumentError: more than 12 bits, sizes that do not fit, a syndrome that is impossible given
            the record.

    Example:
        >>> known = enumerate_key([0.5, 0.5, 1.0], [[1, 1, 0]], [0], [0, 1, 0, 1], 2)
        >>> known.guess, known.distance
        (0.5, 0.5)

    Source: Bennett, Brassard, Crepeau, Maurer, IEEE Trans. Inf. Theory 41, 1915 (1995), theorem 3,
    for the prediction by collision entropy.
    """
    ones = np.asarray(posteriors, dtype=np.float64)
    n = len(ones) if ones.ndim == 1 else 0
    if not 1 <= n <= MOST_BITS:
        raise ArgumentError(
            f"Argument `posteriors` must hold 1 to {MOST_BITS} probabilities, one per raw bit, but "
            f"had shape {ones.shape}: enumerate fewer bits, or take `knowledge` for a long key."
        )
    if not (ones.min() >= 0 and ones.max() <= 1):
        raise ArgumentError(
            f"Argument `posteriors` must hold probabilities, but had {ones.min():.3g} to "
            f"{ones.max():.3g}."
        )
    length = check_count("m", m, low=1, high=n)
    announced = np.asarray(syndrome, dtype=np.int64).ravel() & 1
    given = np.asarray(parity_checks)
    if given.size != announced.size * n:
        raise ArgumentError(
            f"Argument `parity_checks` must have one row of {n} bits per bit of the syndrome "
            f"({announced.size}), but had shape {given.shape}."
        )
    checks = given.astype(np.int64).reshape(-1, n)
    strings = (np.arange(1 << n)[:, None] >> np.arange(n - 1, -1, -1)) & 1
    weight = np.where(strings == 1, ones, 1 - ones).prod(axis=1)
    weight = weight * ((strings @ checks.T & 1) == announced).all(axis=1)
    total = float(weight.sum())
    if not total > 0:
        raise ArgumentError(
            "Argument `syndrome` must be possible given the record, but no raw key has it: these "
            "are not the parities of this key."
        )
    weight = weight / total
    # The hash is linear: one column per raw bit.
    seed = np.asarray(toeplitz_seed)
    columns = np.array([toeplitz_hash(row, seed, length) for row in np.eye(n, dtype=np.uint8)])
    hashed = (strings @ columns.astype(np.int64)) & 1
    number = hashed @ (1 << np.arange(length - 1, -1, -1))
    keys = np.bincount(number, weight, 1 << length)
    best = int(np.argmax(keys))
    squared = float((weight**2).sum())
    return KeyPosterior(
        n=n,
        m=length,
        guess=float(keys[best]),
        key=tuple((best >> (length - 1 - i)) & 1 for i in range(length)),
        distance=float(np.abs(keys - 0.5**length).sum() / 2),
        raw_min_entropy=-math.log2(float(weight.max())) + 0.0,
        raw_collision_entropy=-math.log2(squared) + 0.0,
        predicted=math.sqrt((2**length - 1) * squared) / 2,
        probabilities=tuple(keys.tolist()),
    )
