"""Which pairs of a chip can be tested in one circuit: colourings of its couplings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import rustworkx as rx

from ebit.circuits.layout import check_edges

__all__ = ["apart", "colour_apart", "colour_edges", "pack"]

Groups = tuple[tuple[tuple[int, ...], ...], ...]


def colour_edges(edges: Iterable[Sequence[int]]) -> Groups:
    """Sort couplings into the fewest groups in which no two share a qubit.

    A bipartite graph (heavy-hex, square grid) needs as many colours as its busiest qubit has
    couplings (König 1916), and gets no more. Any other graph needs at most one more (Vizing
    1964): a complete graph of an even number of qubits gets by without it, for others it may be
    used where it is not needed.

    Args:
        edges: pairs of qubits.

    Returns:
        The groups, each sorted.

    Example:
        >>> [len(group) for group in colour_edges([(0, 1), (1, 2), (2, 3), (3, 0)])]
        [2, 2]

    Source:
        Misra and Gries, Inf. Process. Lett. 41, 131 (1992), for graphs that are not bipartite.
    """
    _, known = check_edges(edges, None)
    vertices = sorted({v for edge in known for v in edge})
    place = {v: i for i, v in enumerate(vertices)}
    if len(known) == len(vertices) * (len(vertices) - 1) // 2 and len(vertices) % 2 == 0:
        return _complete(vertices)
    graph = rx.PyGraph()
    graph.add_nodes_from(vertices)
    graph.add_edges_from([(place[a], place[b], None) for a, b in known])
    colours = (
        rx.graph_bipartite_edge_color(graph)
        if rx.is_bipartite(graph)
        else rx.graph_misra_gries_edge_color(graph)
    )
    return _groups({known[i]: colour for i, colour in colours.items()})


def colour_apart(edges: Iterable[Sequence[int]]) -> Groups:
    """Sort couplings into few groups in which no two pairs share a qubit or are coupled.

    A strong edge colouring, by greedy orders of which the best is kept; the fewest is not promised.

    Args:
        edges: pairs of qubits.

    Example:
        >>> [group for group in colour_apart([(0, 1), (1, 2), (2, 3), (3, 4)])]
        [((0, 1), (3, 4)), ((1, 2),), ((2, 3),)]
    """
    _, known = check_edges(edges, None)
    return apart(known, known)


def apart(places: Sequence[tuple[int, ...]], couplings: Iterable[Sequence[int]]) -> Groups:
    """Sort sets of qubits into few groups in which no two share a qubit or are coupled.

    Args:
        places: sets of qubits.
        couplings: of the chip.

    Example:
        >>> apart([(0, 1), (2, 3)], [(0, 1), (1, 2), (2, 3)])
        (((0, 1),), ((2, 3),))
    """
    near: dict[int, set[int]] = {}
    for a, b in couplings:
        near.setdefault(a, {a}).add(b)
        near.setdefault(b, {b}).add(a)
    return _fewest(places, [set().union(*(near.get(q, {q}) for q in p)) for p in places])


def pack(places: Sequence[tuple[int, ...]]) -> Groups:
    """Sort sets of qubits into few groups in which no two share a qubit.

    Example:
        >>> pack([(0, 1, 2), (2, 3, 4), (5, 6, 7)])
        (((0, 1, 2), (5, 6, 7)), ((2, 3, 4),))
    """
    return _fewest(places, [set(place) for place in places])


def _fewest(items: Sequence[tuple[int, ...]], reach: Sequence[set[int]]) -> Groups:
    """Greedy colouring of items that conflict when one touches what the other reaches."""
    graph = rx.PyGraph()
    graph.add_nodes_from(range(len(items)))
    at: dict[int, list[int]] = {}
    for i, item in enumerate(items):
        for q in item:
            at.setdefault(q, []).append(i)
    pairs = {
        (min(i, j), max(i, j))
        for i, reached in enumerate(reach)
        for q in reached
        for j in at.get(q, ())
        if i != j
    }
    graph.add_edges_from([(i, j, None) for i, j in sorted(pairs)])
    tried = [
        rx.graph_greedy_color(graph, strategy=strategy)
        for strategy in (
            rx.ColoringStrategy.Degree,
            rx.ColoringStrategy.Saturation,
            rx.ColoringStrategy.IndependentSet,
        )
    ]
    best = min(tried, key=lambda colours: max(colours.values(), default=0))
    return _groups({items[i]: colour for i, colour in best.items()})


def _groups(colours: dict[tuple[int, ...], int]) -> Groups:
    groups: dict[int, list[tuple[int, ...]]] = {}
    for item, colour in colours.items():
        groups.setdefault(colour, []).append(item)
    # The colours of a library are in no particular order: ours are, largest first.
    return tuple(
        sorted((tuple(sorted(group)) for group in groups.values()), key=lambda g: (-len(g), g))
    )


def _complete(vertices: Sequence[int]) -> Groups:
    """Round robin: n - 1 rounds in which everybody plays."""
    n = len(vertices)
    rounds = []
    for r in range(n - 1):
        seats = [vertices[-1], *(vertices[(r + i) % (n - 1)] for i in range(n - 1))]
        pairs = [(seats[0], seats[1])] + [(seats[1 + i], seats[n - i]) for i in range(1, n // 2)]
        rounds.append(tuple(sorted((min(p), max(p)) for p in pairs)))
    return tuple(rounds)
