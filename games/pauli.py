"""Stabilisers of graph and GHZ states as strings of Pauli letters with signs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ebit.games.errors import ArgumentError

__all__ = ["graph_stabilisers"]

# Letters by (x bit, z bit): I Z / X Y, numbered X=0, Y=1, Z=2, I=3.
_LETTER = np.array([[3, 2], [0, 1]], dtype=np.uint8)


def graph_stabilisers(
    edges: Sequence[tuple[int, int]] | None, n: int, chosen: Sequence[int]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int8], bool]:
    """Return chosen products of the generators of a graph state, or of a GHZ state.

    A graph state has the generators X_i prod_{j ~ i} Z_j; a GHZ state X...X and Z_{i-1} Z_i.

    Args:
        edges: the graph; None stands for the GHZ state.
        n: number of qubits.
        chosen: element indices; bit i says whether generator i takes part.

    Returns:
        Letters uint8 (K, n) with X=0, Y=1, Z=2, I=3; signs int8 (K,); whether the graph is
        connected.

    Raises:
        ArgumentError: an edge or an index out of range, or a repeated one.
    """
    xs = np.zeros((n, n), dtype=np.uint8)
    zs = np.zeros((n, n), dtype=np.uint8)
    connected = True
    if edges is None:
        xs[0] = 1
        for i in range(1, n):
            zs[i, i - 1] = zs[i, i] = 1
    else:
        xs[np.arange(n), np.arange(n)] = 1
        for a, b in edges:
            if not (0 <= a < n and 0 <= b < n and a != b):
                raise ArgumentError(f"edges must join two different qubits below {n}: ({a}, {b})")
            if zs[a, b]:
                raise ArgumentError(f"edges must be listed once each, but ({a}, {b}) is repeated")
            zs[a, b] = zs[b, a] = 1
        connected = _connected(zs)
    indices = [int(k) if isinstance(k, (int, np.integer)) else -1 for k in chosen]
    if (
        not indices
        or len(set(indices)) != len(indices)
        or not all(0 <= k < 1 << n for k in indices)
    ):
        raise ArgumentError(f"which must list different indices from 0 to 2^{n} - 1")
    take = np.array([[(k >> i) & 1 for i in range(n)] for k in indices], dtype=np.uint8)
    x_total = np.zeros((len(indices), n), dtype=np.uint8)
    z_total = np.zeros((len(indices), n), dtype=np.uint8)
    # A Pauli is i^phase X^x Z^z; multiplying (x,z)(x',z') adds 2 z.x' to the phase.
    phase = np.zeros(len(indices), dtype=np.int64)
    for i in range(n):
        on = take[:, i].astype(bool)
        phase[on] += 2 * (z_total[on].astype(np.int64) @ xs[i].astype(np.int64))
        x_total[on] ^= xs[i]
        z_total[on] ^= zs[i]
    # Each letter Y is i X Z, so dividing by i per Y leaves the sign.
    phase -= (x_total & z_total).sum(axis=1, dtype=np.int64)
    signs = np.where(phase % 4 == 0, 1, -1).astype(np.int8)
    return _LETTER[x_total, z_total], signs, connected


def _connected(adjacency: npt.NDArray[np.uint8]) -> bool:
    reached = np.zeros(len(adjacency), dtype=bool)
    reached[0] = True
    for _ in range(len(adjacency)):
        reached |= adjacency[reached].any(axis=0)
    return bool(reached.all())
