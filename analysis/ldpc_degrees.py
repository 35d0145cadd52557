"""How many checks each bit is in: degrees for syndromes of 5 to 60 % of the key's length.

The table was made for this package: for each ratio of checks to bits, a linear programme under a
Gaussian approximation gave a start, and further ones along the path of exact density evolution
(`ebit.analysis.ldpc_evolution`) improved it, with not many more bits of degree 2 than a code can hold
without short cycles among them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["TABLE", "Degrees", "column_degrees", "expected_cost", "gap"]

FEWEST = 256
"""Bits of a key at least: below, a code of this kind is no use."""
MOST_SHARE = 0.7
"""Checks for every bit at most."""
# Measured as the losses below: bits that every block needs, and variance per check of what it needs.
_CONSTANT, _WIDTH = 65.0, 1.5


@dataclass(frozen=True)
class Degrees:
    """Degrees of a family of codes of one ratio.

    Attributes:
        share: checks for every bit.
        threshold: error rate up to which codes of unlimited length decode, by density evolution.
        loss: what the codes that `make_code` grows need beyond that, per bit of uncertainty, measured at
            keys of 10^4 and 10^5 bits with 300 sweeps.
        edges: share of all edges that belongs to bits of each degree.
    """

    share: float
    threshold: float
    loss: float
    edges: Mapping[int, float]

    @property
    def mean(self) -> float:
        """Edges of a bit, on average."""
        return sum(self.edges.values()) / sum(part / d for d, part in self.edges.items())

    @property
    def gap(self) -> float:
        """Checks for every bit of uncertainty at the threshold, share / h(threshold)."""
        q = self.threshold
        return -self.share / (q * math.log2(q) + (1 - q) * math.log2(1 - q))


TABLE = (
    Degrees(
        0.05,
        0.00529,
        0.055,
        {2: 0.026, 3: 0.1807, 8: 0.2947, 10: 0.0422, 20: 0.0628, 24: 0.1437, 32: 0.0347, 40: 0.2152},
    ),
    Degrees(
        0.083,
        0.00985,
        0.028,
        {2: 0.0461, 3: 0.1783, 7: 0.0281, 8: 0.2882, 20: 0.1815, 32: 0.0567, 40: 0.2211},
    ),
    Degrees(
        0.15,
        0.02035,
        0.022,
        {2: 0.0581, 3: 0.2377, 8: 0.1971, 10: 0.1612, 24: 0.139, 32: 0.2068},
    ),
    Degrees(
        0.3,
        0.05089,
        0.022,
        {2: 0.1263, 3: 0.1663, 6: 0.0944, 7: 0.1313, 8: 0.0184, 14: 0.0681, 16: 0.12, 20: 0.0213,
         32: 0.0438, 40: 0.21},
    ),
    Degrees(
        0.4,
        0.07665,
        0.03,
        {2: 0.1463, 3: 0.1809, 7: 0.2016, 8: 0.055, 16: 0.098, 18: 0.0651, 40: 0.2531},
    ),
    Degrees(
        0.5,
        0.1059,
        0.05,
        {2: 0.1765, 3: 0.1799, 7: 0.2487, 8: 0.0058, 16: 0.0825, 18: 0.0883, 40: 0.2183},
    ),
    Degrees(
        0.6,
        0.13971,
        0.06,
        {2: 0.2061, 3: 0.1749, 6: 0.0338, 7: 0.2148, 16: 0.1309, 18: 0.0307, 40: 0.2088},
    ),
)  # fmt: skip


def _between(share: float) -> tuple[Degrees, Degrees, float]:
    """The rows around a ratio, and how far it lies from the first to the second, by its logarithm."""
    above = next((k for k, row in enumerate(TABLE) if row.share >= share), len(TABLE) - 1)
    low, high = TABLE[max(above - 1, 0)], TABLE[above]
    if not low.share < share < high.share:
        nearest = low if share <= low.share else high
        return nearest, nearest, 0.0
    return low, high, math.log(share / low.share) / math.log(high.share / low.share)


def gap(share: float) -> float:
    """Return checks for every bit of uncertainty that a long code needs, its loss included.

    Args:
        share: checks for every bit of the key.

    Example:
        >>> round(gap(0.3), 3)
        1.056
    """
    low, high, part = _between(share)
    return (1 - part) * (low.gap + low.loss) + part * (high.gap + high.loss)


def column_degrees(columns: int, rows: int) -> npt.NDArray[np.int64]:
    """Return the degree of each column of a code, int64 (columns,), ascending.

    Args:
        columns, rows: its blocks; no degree exceeds the rows.

    Example:
        >>> column_degrees(512, 154).mean().round(1)
        np.float64(5.7)
    """
    low, high, part = _between(rows / columns)
    degrees = sorted({*low.edges, *high.edges})
    edges = [(1 - part) * low.edges.get(d, 0.0) + part * high.edges.get(d, 0.0) for d in degrees]
    nodes = np.cumsum([e / d for e, d in zip(edges, degrees, strict=True)])
    upto = np.floor(nodes / nodes[-1] * columns + 0.5).astype(np.int64)
    found = np.repeat(np.array(degrees, np.int64), np.diff(upto, prepend=0))
    return np.minimum(found, rows)


def expected_cost(block: int, entropy: float, spread: float, z: float) -> float:
    r"""Return the checks that a block needs, to be decoded but for the tail beyond z.

    .. math:: m = g\,b\,\bar h + 65 + z \sqrt{g^2\,b\,V + 3 m / 2}

    with g of `gap`.

    Args:
        block: its bits b.
        entropy: mean uncertainty of a bit.
        spread: mean variance V of -log2 of the probability of what befalls a bit.
        z: normal quantile.

    Example:
        >>> round(expected_cost(100_000, 0.1414, 0.618, 3.09))
        16099
    """
    cost = block * entropy
    for _ in range(20):
        factor = gap(cost / block)
        width = math.sqrt(factor**2 * block * spread + _WIDTH * cost)
        cost = factor * block * entropy + _CONSTANT + z * width
    return cost
