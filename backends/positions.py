"""Where the qubits of a chip are, as far as its couplings tell: for pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["positions_of"]

Point = tuple[float, float]


def positions_of(num_qubits: int, pairs: Sequence[tuple[int, int]]) -> tuple[Point, ...]:
    """Return (x, y) of every qubit, y downwards.

    IBM numbers its heavy-hex chips row by row: neighbours of consecutive numbers lie side by side,
    and any other coupling is a step down. Where that is consistent it is the chip's own layout; any
    other graph is drawn so that qubits are as far apart as there are couplings between them.

    Args:
        num_qubits: qubits of the chip.
        pairs: its couplings.

    Example:
        >>> positions_of(4, [(0, 1), (1, 2), (0, 3)])
        ((0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (0.0, 1.0))

    Source:
        Kamada and Kawai, Inf. Process. Lett. 31, 7 (1989), by networkx.
    """
    return _by_rows(num_qubits, pairs) or _by_distance(num_qubits, pairs)


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


def _by_distance(num_qubits: int, pairs: Sequence[tuple[int, int]]) -> tuple[Point, ...]:
    import networkx as nx

    graph = nx.Graph()
    graph.add_nodes_from(range(num_qubits))
    graph.add_edges_from(pairs)
    found: dict[int, Point] = {}
    left = 0.0
    # Pieces that nothing couples stand side by side; a coupling is about 1 long.
    for piece in sorted(
        nx.connected_components(graph), key=lambda qubits: (-len(qubits), min(qubits))
    ):
        part = graph.subgraph(sorted(piece))
        at = nx.kamada_kawai_layout(part)
        lengths = [math.dist(at[a], at[b]) for a, b in part.edges]
        unit = sum(lengths) / len(lengths) if lengths else 1.0
        low = [min(place[axis] for place in at.values()) for axis in (0, 1)]
        for q, (x, y) in at.items():
            found[q] = (left + float(x - low[0]) / unit, float(y - low[1]) / unit)
        left = 1.0 + max(found[q][0] for q in piece)
    return tuple(found[q] for q in range(num_qubits))
