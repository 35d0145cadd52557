"""GHZ and graph states: circuits that prepare them, and the vectors they prepare.

Order as in :mod:`ebit.circuits.states`: qubit j belongs to party or vertex j, and qubit 0 is the
least significant bit of a vector's index.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence

import numpy as np
from qiskit import QuantumCircuit

from ebit.circuits.layout import Edge, blank, check_edges, check_size
from ebit.circuits.states import Vector
from ebit.games import ArgumentError

GhzLayout = str | Iterable[Sequence[int]]
"""``chain``, ``tree``, or the edges of a coupling map."""


def ghz_chain(n: int) -> QuantumCircuit:
    """Prepare (|0...0> + |1...1>)/sqrt 2 with CX gates along the chain 0-1-2-...

    Args:
        n: number of qubits, 2 or more.

    Returns:
        A circuit of n qubits, CX depth n-1.

    Example:
        >>> ghz_chain(4).count_ops()["cx"]
        3
    """
    n = check_size(n, name="n", least=2)
    return _ghz(n, 0, [(i, i + 1) for i in range(n - 1)])


def ghz_tree(n: int) -> QuantumCircuit:
    """Prepare (|0...0> + |1...1>)/sqrt 2 by doubling: CX depth is log2 n, rounded up.

    In step k every qubit i below 2^k that is in the state already reaches the qubit i + 2^k.

    Args:
        n: number of qubits, 2 or more.

    Example:
        >>> ghz_tree(8).depth(lambda gate: gate.operation.num_qubits == 2)
        3
    """
    n = check_size(n, name="n", least=2)
    pairs: list[Edge] = []
    reached = 1
    while reached < n:
        pairs += [(i, i + reached) for i in range(min(reached, n - reached))]
        reached *= 2
    return _ghz(n, 0, pairs)


def ghz_coupled(
    edges: Iterable[Sequence[int]], *, n: int | None = None, root: int | None = None
) -> QuantumCircuit:
    """Prepare (|0...0> + |1...1>)/sqrt 2 using couplings of a given map alone.

    A breadth-first tree spans the map. Each qubit serves its children one after another, the one
    with the deepest subtree first; the root is the one that gives the least CX depth.

    Args:
        edges: coupled pairs of qubits 0 ... n-1, in any direction.
        n: number of qubits; the largest named plus one when None.
        root: qubit to start from; the best one when None.

    Returns:
        A circuit whose qubit j is qubit j of the map.

    Raises:
        ArgumentError: if the map is not connected, or the root is not in it.

    Example:
        >>> star = ghz_coupled([(0, 2), (1, 2), (2, 3)])
        >>> star.depth(lambda gate: gate.operation.num_qubits == 2)
        3
    """
    n, pairs = check_edges(edges, n)
    check_size(n, name="n", least=2)
    neighbours: list[list[int]] = [[] for _ in range(n)]
    for a, b in pairs:
        neighbours[a].append(b)
        neighbours[b].append(a)
    if root is not None:
        root = check_size(root, name="root", least=0, most=n - 1)
    best: tuple[int, int, list[Edge]] | None = None
    for start in range(n) if root is None else (root,):
        depth, order = _broadcast(neighbours, start)
        if best is None or depth < best[0]:
            best = (depth, start, order)
    if best is None:  # pragma: no cover
        raise ArgumentError("n must be at least 2")
    return _ghz(n, best[1], best[2])


def ghz(n: int | None = None, *, layout: GhzLayout = "chain") -> QuantumCircuit:
    """Prepare a GHZ state by the chain, by the tree, or over the edges of a coupling map.

    Args:
        n: number of qubits; may be left out when ``layout`` is a list of edges.
        layout: ``chain``, ``tree``, or coupled pairs of qubits.

    Example:
        >>> ghz(3, layout=[(0, 1), (0, 2)]).num_qubits
        3
    """
    if not isinstance(layout, str):
        return ghz_coupled(layout, n=n)
    if n is None:
        raise ArgumentError(f"n must be given with the layout {layout!r}")
    if layout == "chain":
        return ghz_chain(n)
    if layout == "tree":
        return ghz_tree(n)
    raise ArgumentError(f"layout must be 'chain', 'tree' or pairs of qubits, but was {layout!r}")


def ghz_vector(n: int) -> Vector:
    """Return (|0...0> + |1...1>)/sqrt 2 of n qubits.

    >>> (ghz_vector(2).real**2).round(12).tolist()
    [0.5, 0.0, 0.0, 0.5]
    """
    n = check_size(n, name="n", least=2)
    vector = np.zeros(1 << n, dtype=np.complex128)
    vector[0] = vector[-1] = 1 / math.sqrt(2)
    return vector


def graph_state(edges: Iterable[Sequence[int]], *, n: int | None = None) -> QuantumCircuit:
    """Prepare a graph state: H on every vertex, then CZ on every edge.

    Stabilisers: X on a vertex and Z on each of its neighbours. The CZ gates are laid out in
    layers of disjoint edges, at most 2d-1 of them for a largest degree d.

    Args:
        edges: pairs of vertices 0 ... n-1, in any order and direction; repeated edges count once.
        n: number of vertices; the largest named plus one when None.

    Returns:
        A circuit whose qubit j is vertex j. The same for every order of the same edges.

    Example:
        >>> graph_state([(0, 1), (1, 2), (2, 3)]).depth()
        3
    """
    n, pairs = check_edges(edges, n)
    circuit = blank(n, name=f"graph-{n}")
    circuit.h(range(n))
    layers: list[tuple[set[int], list[Edge]]] = []
    for edge in pairs:
        free = next((layer for layer in layers if layer[0].isdisjoint(edge)), None)
        if free is None:
            free = (set(), [])
            layers.append(free)
        free[0].update(edge)
        free[1].append(edge)
    for _, disjoint in layers:
        for a, b in disjoint:
            circuit.cz(a, b)
    return circuit


def graph_vector(edges: Iterable[Sequence[int]], *, n: int | None = None) -> Vector:
    """Return a graph state: 2^(-n/2) times -1 to the number of edges inside each bit string.

    >>> (graph_vector([(0, 1)]).real * 2).round(12).tolist()
    [1.0, 1.0, 1.0, -1.0]
    """
    n, pairs = check_edges(edges, n)
    index = np.arange(1 << n)
    inside = np.zeros(1 << n, dtype=np.int64)
    for a, b in pairs:
        inside += (index >> a) & (index >> b) & 1
    return np.asarray((1.0 - 2.0 * (inside % 2)) / math.sqrt(1 << n), dtype=np.complex128)


def _ghz(n: int, root: int, pairs: Iterable[Edge]) -> QuantumCircuit:
    circuit = blank(n, name=f"ghz-{n}")
    circuit.h(root)
    for control, target in pairs:
        circuit.cx(control, target)
    return circuit


def _broadcast(neighbours: Sequence[Sequence[int]], root: int) -> tuple[int, list[Edge]]:
    """Return the CX depth of a breadth-first tree from a root, and its CX gates by time step."""
    order, parent = [root], {root: root}
    queue = deque(order)
    while queue:
        vertex = queue.popleft()
        for other in neighbours[vertex]:
            if other not in parent:
                parent[other] = vertex
                queue.append(other)
                order.append(other)
    if len(order) < len(neighbours):
        missing = next(v for v in range(len(neighbours)) if v not in parent)
        raise ArgumentError(
            f"edges must connect every qubit, but none leads from {root} to {missing}"
        )
    children: list[list[int]] = [[] for _ in neighbours]
    for vertex in order[1:]:
        children[parent[vertex]].append(vertex)
    # Steps a vertex needs after it is reached: serving the slowest child first is optimal.
    steps = [0] * len(neighbours)
    for vertex in reversed(order):
        children[vertex].sort(key=lambda child: (-steps[child], child))
        steps[vertex] = max((i + 1 + steps[c] for i, c in enumerate(children[vertex])), default=0)
    timed: list[tuple[int, int, int]] = []
    reached = {root: 0}
    for vertex in order:
        for i, child in enumerate(children[vertex]):
            reached[child] = reached[vertex] + i + 1
            timed.append((reached[child], vertex, child))
    return steps[root], [(a, b) for _, a, b in sorted(timed)]
