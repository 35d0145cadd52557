"""Where the qubits of a chip are, as far as its couplings tell: for pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["positions_of"]

Point = tuple[float, float]


def positions_of(num_qubits: int, pairs: Sequence[tuple[int, int]]) -> tuple[Point, ...]:
    """Return (x, y) of every qubit, y downwards.

    IBM numbers its heavy-hex chips row by row: neighbours of consecutive numbers lie side by side,
    and any other coupling is a step down. Where that is consistent it is the chip's own layout; any
    other graph is drawn by the low eigenvectors of its Laplacian.

    Args:
        num_qubits: qubits of the chip.
        pairs: its couplings.

    Example:
        >>> positions_of(4, [(0, 1), (1, 2), (0, 3)])
        ((0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (0.0, 1.0))
    """
    return _by_rows(num_qubits, pairs) or _by_spectrum(num_qubits, pairs)


def _by_rows(num_qubits: int, pairs: Sequence[tuple[int, int]]) -> tuple[Point, ...] | None:
    steps: dict[int, list[tuple[int, int, int]]] = {q: [] for q in range(num_qubits)}
    for a, b in pairs:
        low, high = min(a, b), max(a, b)
        dx, dy = (1, 0) if high == low + 1 else (0, 1)
        steps[low].append((high, dx, dy))
        steps[high].append((low, -dx, -dy))
    found: dict[int, tuple[int, int]] = {}
    for start in range(num_qubits):
        if start in found:
            continue
        if found and steps[start]:
            return None  # the chip is in several pieces: where they lie is not known
        # A qubit without couplings is put below the others.
        row = 1 + max((y for _, y in found.values()), default=-1)
        found[start] = (0, row)
        stack = [start]
        while stack:
            q = stack.pop()
            x, y = found[q]
            for other, dx, dy in steps[q]:
                at = (x + dx, y + dy)
                if other not in found:
                    found[other] = at
                    stack.append(other)
                elif found[other] != at:
                    return None
    if len(set(found.values())) < num_qubits:
        return None
    left = min(x for x, _ in found.values())
    top = min(y for _, y in found.values())
    return tuple((float(found[q][0] - left), float(found[q][1] - top)) for q in range(num_qubits))


def _by_spectrum(num_qubits: int, pairs: Sequence[tuple[int, int]]) -> tuple[Point, ...]:
    if num_qubits < 3:
        return tuple((float(q), 0.0) for q in range(num_qubits))
    laplacian = np.zeros((num_qubits, num_qubits))
    for a, b in pairs:
        laplacian[a, b] -= 1
        laplacian[b, a] -= 1
        laplacian[a, a] += 1
        laplacian[b, b] += 1
    _, vectors = np.linalg.eigh(laplacian)
    plane = vectors[:, 1:3] * np.sqrt(num_qubits)
    return tuple((float(x), float(y)) for x, y in plane)
